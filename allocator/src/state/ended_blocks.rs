//! The ended holdings of each block, in the order in which they ended.
//!
//! By the hash of the block, in many small tables of which one that grows is rehashed alone. Blocks that
//! share a hash by chance share a sequence: whoever reads it looks at the records. Most blocks of a large
//! pool have ended once, and cost no allocation of their own.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use hashbrown::HashTable;

use crate::hashed::{Hash, SHARDS};

/// See the module.
#[derive(Debug)]
pub(super) struct EndedBlocks {
    shards: Box<[HashTable<Sequence>]>,
    count: u64,
}

/// The ids of the ended holdings of a hash, the oldest first; never empty.
#[derive(Debug)]
enum Sequence {
    One {
        hash: Hash,
        id: u32,
    },
    Many {
        hash: Hash,
        #[expect(
            clippy::box_collection,
            reason = "the few that are many do not make the others larger"
        )]
        ids: Box<VecDeque<u32>>,
    },
}

impl Default for EndedBlocks {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            count: 0,
        }
    }
}

impl Sequence {
    fn hash(&self) -> Hash {
        match self {
            Self::One { hash, .. } | Self::Many { hash, .. } => *hash,
        }
    }

    fn push(&mut self, newest: u32) {
        match self {
            Self::Many { ids, .. } => ids.push_back(newest),
            Self::One { hash, id } => {
                *self = Self::Many {
                    hash: *hash,
                    ids: Box::new(VecDeque::from([*id, newest])),
                }
            }
        }
    }

    /// Takes one id out where others remain.
    fn take(&mut self, take: impl FnOnce(&mut VecDeque<u32>) -> Option<u32>) -> Option<u32> {
        let Self::Many { hash, ids } = self else {
            return None;
        };
        let taken = take(ids);
        if ids.len() == 1
            && let Some(id) = ids.front()
        {
            *self = Self::One {
                hash: *hash,
                id: *id,
            };
        }
        taken
    }
}

impl EndedBlocks {
    fn table_mut(&mut self, hash: Hash) -> &mut HashTable<Sequence> {
        self.shards
            .get_mut(hash.shard())
            .expect("ten bits of a hash choose the shard")
    }

    /// Adds an ended holding, which is the newest of all.
    pub(super) fn add(&mut self, hash: Hash, id: u32) {
        self.count = self.count.saturating_add(1);
        let table = self.table_mut(hash);
        if let Some(sequence) = table.find_mut(hash.spread(), |there| there.hash() == hash) {
            sequence.push(id);
        } else {
            let sequence = Sequence::One { hash, id };
            table.insert_unique(hash.spread(), sequence, |there| there.hash().spread());
        }
    }

    /// Takes the oldest of all out; `false` where it is not the first of its block.
    pub(super) fn remove_oldest(&mut self, hash: Hash, id: u32) -> bool {
        self.remove(hash, id, VecDeque::pop_front)
    }

    /// Takes the newest of all back; `false` where it is not the last of its block.
    pub(super) fn remove_newest(&mut self, hash: Hash, id: u32) -> bool {
        self.remove(hash, id, VecDeque::pop_back)
    }

    fn remove(
        &mut self,
        hash: Hash,
        id: u32,
        take: impl FnOnce(&mut VecDeque<u32>) -> Option<u32>,
    ) -> bool {
        self.count = self.count.saturating_sub(1);
        let table = self.table_mut(hash);
        let Ok(mut found) = table.find_entry(hash.spread(), |there| there.hash() == hash) else {
            return false;
        };
        if let Sequence::One { id: only, .. } = found.get() {
            let there = *only == id;
            found.remove();
            return there;
        }
        found.get_mut().take(take) == Some(id)
    }

    /// Those of a hash that do not come before something, the oldest first.
    pub(super) fn from(
        &self,
        hash: Hash,
        is_before: impl Fn(u32) -> bool,
    ) -> impl Iterator<Item = u32> {
        let table = self.shards.get(hash.shard());
        let found = table.and_then(|table| table.find(hash.spread(), |there| there.hash() == hash));
        let (one, many) = match found {
            None => (None, None),
            Some(Sequence::One { id, .. }) => (Some(*id).filter(|id| !is_before(*id)), None),
            Some(Sequence::Many { ids, .. }) => {
                let first = ids.partition_point(|id| is_before(*id));
                (None, Some(ids.range(first..).copied()))
            }
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// How many ended holdings are indexed.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// Adds and removes at both ends, beside a list of all.
    #[test]
    fn each_block_has_its_holdings_in_order() {
        let hash_of = |id: u32| Hash::of_number(u64::from(id % 7));
        let mut blocks = EndedBlocks::default();
        let (mut first, mut end) = (0_u32, 0_u32);
        for step in 0..400_u32 {
            match step % 5 {
                0..3 => {
                    blocks.add(hash_of(end), end);
                    end += 1;
                }
                3 => {
                    assert!(blocks.remove_oldest(hash_of(first), first));
                    first += 1;
                }
                _ => {
                    end -= 1;
                    assert!(blocks.remove_newest(hash_of(end), end));
                }
            }
            assert_eq!(blocks.count(), u64::from(end - first));
            for class in 0..7 {
                let after = first + step % 11;
                let found: Vec<u32> = blocks.from(hash_of(class), |id| id < after).collect();
                let expected: Vec<u32> = (after..end).filter(|id| id % 7 == class).collect();
                assert_eq!(found, expected);
            }
        }
        assert!(!blocks.remove_oldest(hash_of(3), end));
    }
}
