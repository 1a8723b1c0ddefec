//! An index of keys in order, that does not store them.
//!
//! A crit-bit tree: a branch says at which bit two groups of keys part, a leaf is the id of a record
//! whose key is asked for when it is needed. Twelve bytes a key, one text compared for each search,
//! and no key is stored twice. Search, insertion and removal cost O(bits of the key).
//!
//! Invariants: the positions of branches grow from the top down; keys are unique; the order of the
//! leaves is the order of the keys.

use alloc::vec::Vec;

use crate::free::Arena;

/// A key: ordered by `head`, then `text`, then `tail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key<'a> {
    pub(crate) head: u64,
    pub(crate) text: &'a [u8],
    pub(crate) tail: u64,
}

impl<'a> Key<'a> {
    pub(crate) fn text(head: u64, text: &'a str) -> Self {
        Self {
            head,
            text: text.as_bytes(),
            tail: 0,
        }
    }

    pub(crate) fn number(number: u64) -> Self {
        Self {
            head: number,
            text: &[],
            tail: 0,
        }
    }

    /// A key as a string of 16-bit symbols: the bytes of the head, those of the text (marked, so
    /// that every byte is above the end), the end, the bytes of the tail.
    fn symbol(&self, place: usize) -> u16 {
        let Some(text) = place.checked_sub(HEAD) else {
            return byte_of(self.head, place);
        };
        if let Some(byte) = self.text.get(text) {
            return u16::from(*byte) | MARK;
        }
        match text.checked_sub(self.text.len()) {
            None | Some(0) => 0,
            Some(past) => byte_of(self.tail, past.saturating_sub(1)),
        }
    }

    #[inline]
    fn bit(&self, position: u32) -> bool {
        let place = usize::try_from(position >> SYMBOL_SHIFT).unwrap_or(usize::MAX);
        // Most branches of a large index stand in its texts; before a text the place wraps and is beyond it.
        let symbol = match self.text.get(place.wrapping_sub(HEAD)) {
            Some(byte) => u16::from(*byte) | MARK,
            None => self.symbol(place),
        };
        let mask = 1_u16.rotate_right(position.wrapping_add(1) & SYMBOL_MASK);
        symbol & mask != 0
    }

    /// The first bit in which the two differ.
    fn differs_at(&self, other: &Self) -> Option<u32> {
        if self == other {
            return None;
        }
        let place = if self.head == other.head {
            let same = self
                .text
                .iter()
                .zip(other.text)
                .take_while(|(one, two)| one == two)
                .count();
            let ends = same == self.text.len() && same == other.text.len();
            // Equal texts: the tails differ, at the first byte that does.
            let tail = if ends {
                same_bytes(self.tail, other.tail).saturating_add(1)
            } else {
                0
            };
            HEAD.saturating_add(same).saturating_add(tail)
        } else {
            same_bytes(self.head, other.head)
        };
        let bit = (self.symbol(place) ^ other.symbol(place)).leading_zeros();
        let place = u32::try_from(place).expect("keys are shorter than 2^28 bytes");
        Some(place.wrapping_shl(SYMBOL_SHIFT) | bit)
    }
}

/// Symbols of the head.
const HEAD: usize = 8;
const MARK: u16 = 0x100;
const SYMBOL_SHIFT: u32 = 4;
const SYMBOL_MASK: u32 = 15;

fn byte_of(number: u64, place: usize) -> u16 {
    number
        .to_be_bytes()
        .get(place)
        .copied()
        .map_or(0, u16::from)
}

/// How many leading bytes two numbers share.
fn same_bytes(one: u64, other: u64) -> usize {
    usize::try_from((one ^ other).leading_zeros() >> 3_u32).unwrap_or(usize::MAX)
}

/// A branch: keys below `low` have a zero at `position`, those below `high` a one.
#[derive(Debug, Clone, Copy)]
struct Branch {
    position: u32,
    low: Link,
    high: Link,
}

impl Branch {
    fn side(&self, high: bool) -> Link {
        if high { self.high } else { self.low }
    }

    fn side_mut(&mut self, high: bool) -> &mut Link {
        if high { &mut self.high } else { &mut self.low }
    }
}

/// Leads to a branch, or to a record (highest bit set).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link(u32);

const LEAF: u32 = 1 << 31;

impl Link {
    fn leaf(id: u32) -> Self {
        assert!(id & LEAF == 0, "ids are below 2^31");
        Self(id | LEAF)
    }

    fn as_leaf(self) -> Option<u32> {
        (self.0 & LEAF != 0).then_some(self.0 & !LEAF)
    }
}

/// The last branches on the way of a search, and the sides taken there. A new key mostly parts from its
/// nearest close to the end of the way.
struct Way {
    /// Number of the branch; the highest bit tells the side.
    steps: [u32; WAY],
    /// How long the way is, and how many of its last steps are known.
    length: usize,
    known: usize,
}

const WAY: usize = 32;

impl Way {
    fn new() -> Self {
        Self {
            steps: [0; WAY],
            length: 0,
            known: 0,
        }
    }

    fn push(&mut self, number: u32, high: bool) {
        if let Some(place) = self.steps.get_mut(self.length % WAY) {
            *place = if high { number | LEAF } else { number };
        }
        self.length = self.length.saturating_add(1);
        self.known = self.known.saturating_add(1).min(WAY);
    }

    /// The last branch with the side taken; `None` at the top, and where the way is not known any more.
    fn pop(&mut self) -> Option<(u32, bool)> {
        self.known = self.known.checked_sub(1)?;
        self.length = self.length.checked_sub(1)?;
        let step = self.steps.get(self.length % WAY).copied()?;
        Some((step & !LEAF, step & LEAF != 0))
    }

    fn is_at_top(&self) -> bool {
        self.length == 0
    }
}

/// The index. Every method is given `key_of`, which tells the key of a record that is in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ordered {
    branches: Arena<Branch>,
    top: Option<Link>,
}

impl Ordered {
    /// The record that a search for the key ends at: the only one that may have it.
    fn nearest(&self, key: &Key<'_>) -> Option<u32> {
        let mut link = self.top?;
        loop {
            if let Some(id) = link.as_leaf() {
                return Some(id);
            }
            let branch = self.branches.get(link.0);
            link = branch.side(key.bit(branch.position));
        }
    }

    /// The records that searches for several keys end at; none where nothing is indexed. All go down a
    /// branch at a time, so that none waits for what another one has to wait for from memory.
    pub(crate) fn nearest_of(&self, keys: &[Key<'_>]) -> impl Iterator<Item = u32> + use<> {
        let mut links: Vec<Link> = keys.iter().filter_map(|_| self.top).collect();
        let mut open = true;
        while open {
            open = false;
            for (link, key) in links.iter_mut().zip(keys) {
                if link.as_leaf().is_none() {
                    let branch = self.branches.get(link.0);
                    *link = branch.side(key.bit(branch.position));
                    open = true;
                }
            }
        }
        links.into_iter().filter_map(Link::as_leaf)
    }

    /// The record with that key.
    pub(crate) fn get<'a>(&self, key: Key<'_>, key_of: impl Fn(u32) -> Key<'a>) -> Option<u32> {
        self.nearest(&key).filter(|id| key_of(*id) == key)
    }

    /// Adds a record; `false`, and nothing has changed, where its key is there already.
    pub(crate) fn insert<'a>(
        &mut self,
        key: Key<'_>,
        id: u32,
        key_of: impl Fn(u32) -> Key<'a>,
    ) -> bool {
        let leaf = Link::leaf(id);
        let Some(top) = self.top else {
            self.top = Some(leaf);
            return true;
        };
        let mut way = Way::new();
        let mut link = top;
        let nearest = loop {
            if let Some(id) = link.as_leaf() {
                break id;
            }
            let branch = self.branches.get(link.0);
            let high = key.bit(branch.position);
            way.push(link.0, high);
            link = branch.side(high);
        };
        let Some(position) = key.differs_at(&key_of(nearest)) else {
            return false;
        };
        let (parent, below) = self
            .back(way, link, position)
            .unwrap_or_else(|| self.above(&key, position));
        let high = key.bit(position);
        let (low_link, high_link) = if high { (below, leaf) } else { (leaf, below) };
        let branch = Branch {
            position,
            low: low_link,
            high: high_link,
        };
        let branch = Link(self.branches.insert(branch));
        self.relink(parent, branch);
        true
    }

    /// Goes back from what a search ended at to where a branch of `position` belongs: the last branch
    /// before it with the side taken, and what hangs there. `None` where that is further than the end of
    /// the way that is known.
    fn back(&self, mut way: Way, end: Link, position: u32) -> Option<(Option<(u32, bool)>, Link)> {
        let mut below = end;
        while let Some((number, high)) = way.pop() {
            if self.branches.get(number).position < position {
                return Some((Some((number, high)), below));
            }
            below = Link(number);
        }
        way.is_at_top().then_some((None, below))
    }

    /// The same from the top: walks down by `key` as long as branches stand before `position`.
    fn above(&self, key: &Key<'_>, position: u32) -> (Option<(u32, bool)>, Link) {
        let mut parent = None;
        let mut link = self.top.expect("the index is not empty here");
        while link.as_leaf().is_none() {
            let branch = self.branches.get(link.0);
            if branch.position > position {
                break;
            }
            let high = key.bit(branch.position);
            parent = Some((link.0, high));
            link = branch.side(high);
        }
        (parent, link)
    }

    fn relink(&mut self, parent: Option<(u32, bool)>, to: Link) {
        match parent {
            None => self.top = Some(to),
            Some((number, high)) => *self.branches.get_mut(number).side_mut(high) = to,
        }
    }

    /// Takes the record with that key out; tells which one it was.
    pub(crate) fn remove<'a>(
        &mut self,
        key: Key<'_>,
        key_of: impl Fn(u32) -> Key<'a>,
    ) -> Option<u32> {
        let (mut grandparent, mut parent) = (None, None);
        let mut link = self.top?;
        let id = loop {
            if let Some(id) = link.as_leaf() {
                break id;
            }
            let branch = self.branches.get(link.0);
            let high = key.bit(branch.position);
            grandparent = parent;
            parent = Some((link.0, high));
            link = branch.side(high);
        };
        if key_of(id) != key {
            return None;
        }
        match parent {
            None => self.top = None,
            Some((number, high)) => {
                let other = self.branches.get(number).side(!high);
                self.branches.remove(number);
                self.relink(grandparent, other);
            }
        }
        Some(id)
    }

    /// The records after a key, in order of their keys. The first costs O(bits), each next one too.
    pub(crate) fn after<'a>(&self, key: Key<'_>, key_of: impl Fn(u32) -> Key<'a>) -> After<'_> {
        let mut open = Vec::new();
        let (Some(top), Some(nearest)) = (self.top, self.nearest(&key)) else {
            return After { index: self, open };
        };
        let parts_at = key.differs_at(&key_of(nearest));
        let mut link = top;
        while link.as_leaf().is_none() {
            let branch = self.branches.get(link.0);
            if parts_at.is_some_and(|position| branch.position > position) {
                break;
            }
            let high = key.bit(branch.position);
            if !high {
                open.push(branch.high);
            }
            link = branch.side(high);
        }
        // What is left shares the key up to where they part, and lies on one side of it.
        if parts_at.is_some_and(|position| !key.bit(position)) {
            open.push(link);
        }
        After { index: self, open }
    }

    /// How many branches there are: one less than records.
    #[cfg(test)]
    pub(crate) fn branches(&self) -> usize {
        self.branches.len()
    }
}

/// See [`Ordered::after`].
#[derive(Debug)]
pub(crate) struct After<'i> {
    index: &'i Ordered,
    open: Vec<Link>,
}

impl Iterator for After<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let mut link = self.open.pop()?;
        loop {
            if let Some(id) = link.as_leaf() {
                return Some(id);
            }
            let branch = self.index.branches.get(link.0);
            self.open.push(branch.high);
            link = branch.low;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    type Owned = (u64, Vec<u8>, u64);

    fn key(owned: &Owned) -> Key<'_> {
        Key {
            head: owned.0,
            text: &owned.1,
            tail: owned.2,
        }
    }

    fn owned_key() -> impl Strategy<Value = Owned> {
        (
            0_u64..3,
            prop::collection::vec(prop::sample::select(vec![0_u8, 1, b'a', b'b', 255]), 0..5),
            0_u64..3,
        )
    }

    #[test]
    fn a_key_that_is_the_beginning_of_another_comes_first() {
        let keys: Vec<Owned> = vec![
            (1, b"a".to_vec(), 9),
            (1, b"ab".to_vec(), 0),
            (1, b"a".to_vec(), 10),
        ];
        let mut index = Ordered::default();
        for (id, one) in keys.iter().enumerate() {
            index.insert(key(one), u32::try_from(id).unwrap(), |id| {
                key(&keys[id as usize])
            });
        }
        let order: Vec<u32> = index
            .after(Key::number(0), |id| key(&keys[id as usize]))
            .collect();
        assert_eq!(order, [0, 2, 1]);
    }

    proptest! {
        #[test]
        fn an_index_is_a_sorted_set(steps in prop::collection::vec((any::<bool>(), owned_key()), 0..120), probe in owned_key()) {
            let mut keys: Vec<Owned> = Vec::new();
            let mut model: BTreeSet<Owned> = BTreeSet::new();
            let mut index = Ordered::default();
            for (add, one) in steps {
                if add {
                    keys.push(one.clone());
                    let id = u32::try_from(keys.len() - 1).unwrap();
                    let added = index.insert(key(&one), id, |id| key(&keys[id as usize]));
                    prop_assert_eq!(added, model.insert(one.clone()));
                } else {
                    let removed = index.remove(key(&one), |id| key(&keys[id as usize]));
                    prop_assert_eq!(removed.is_some(), model.remove(&one));
                }
                prop_assert_eq!(index.get(key(&one), |id| key(&keys[id as usize])).is_some(), model.contains(&one));
                prop_assert_eq!(index.branches(), model.len().saturating_sub(1));
            }
            let found: Vec<&Owned> = index.after(key(&probe), |id| key(&keys[id as usize])).map(|id| &keys[id as usize]).collect();
            let expected: Vec<&Owned> = model.iter().filter(|one| **one > probe).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
