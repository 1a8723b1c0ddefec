//! Which places are taken, so that the lowest vacant one is found in a few steps.

use alloc::vec::Vec;

/// Levels of 64 places each: 64^6 places are more than ids.
const LEVELS: usize = 6;

/// Taken places, as bits; on each further level a bit says that a whole word below is taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vacancy {
    levels: [Vec<u64>; LEVELS],
}

impl Vacancy {
    /// The lowest place that is not taken.
    pub(crate) fn lowest(&self) -> u32 {
        let mut place = 0_usize;
        for level in self.levels.iter().rev() {
            // Beyond the end of a level nothing is taken.
            let word = level.get(place).copied().unwrap_or(0);
            let bit = usize::try_from(word.trailing_ones()).unwrap_or(0);
            place = place.wrapping_shl(6) | bit;
        }
        u32::try_from(place).expect("ids are 32 bits")
    }

    /// Marks a place as taken.
    pub(crate) fn take(&mut self, place: u32) {
        let mut place = usize::try_from(place).expect("places fit the memory");
        for level in &mut self.levels {
            let (word, mask) = split(place);
            while level.len() <= word {
                level.push(0);
            }
            let bits = level.get_mut(word).expect("the level was made long enough");
            *bits |= mask;
            if *bits != u64::MAX {
                return;
            }
            place = word;
        }
    }

    /// Marks a place as vacant.
    pub(crate) fn give(&mut self, place: u32) {
        let mut place = usize::try_from(place).expect("places fit the memory");
        for level in &mut self.levels {
            let (word, mask) = split(place);
            let Some(bits) = level.get_mut(word) else {
                return;
            };
            let was_full = *bits == u64::MAX;
            *bits &= !mask;
            if !was_full {
                return;
            }
            place = word;
        }
    }
}

fn split(place: usize) -> (usize, u64) {
    (
        place >> 6_u32,
        1_u64.rotate_left(u32::try_from(place & 63).unwrap_or(0)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_vacant_place_is_given() {
        let mut vacancy = Vacancy::default();
        for place in 0..70_000 {
            assert_eq!(vacancy.lowest(), place);
            vacancy.take(place);
        }
        for (given, lowest) in [(69_999, 69_999), (4_096, 4_096), (63, 63), (64, 63), (0, 0)] {
            vacancy.give(given);
            assert_eq!(vacancy.lowest(), lowest);
        }
        for place in [0, 63, 64, 4_096, 69_999, 70_000] {
            assert_eq!(vacancy.lowest(), place);
            vacancy.take(place);
        }
    }
}
