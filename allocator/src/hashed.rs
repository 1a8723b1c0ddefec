//! An index for point look-ups of keys that have no order worth keeping.
//!
//! Ids by the hash of their key, in many small tables: one that grows is rehashed alone, from hashes
//! that it keeps, so that no single write pays for all. The tables are never iterated, and nothing
//! that is answered depends on where something stands in them.

use alloc::boxed::Box;
use core::hash::Hasher;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

/// Tables: a million ids are a thousand in each.
pub(crate) const SHARDS: usize = 1_024;

/// See the module. What compares keys is given to each look-up.
#[derive(Debug)]
pub(crate) struct Hashed {
    shards: Box<[HashTable<Entry>]>,
    count: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    id: u32,
    hash: Hash,
}

/// 2^64 divided by the golden ratio: multiplied by it, numbers that follow each other lie far apart.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bits of a number that tell those side by side apart.
const NEAR_BITS: u32 = 3;
const NEAR_MASK: u64 = 7;
/// What a table takes for a tag.
const TAG: u64 = 0xffff_ffff << 32;

/// Hash of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(u32);

impl Hash {
    /// Of a number and a text.
    pub(crate) fn of(number: u64, text: &[u8]) -> Self {
        Self::keyed((number, 0), text)
    }

    /// Of two numbers and a text.
    pub(crate) fn keyed(numbers: (u64, u64), text: &[u8]) -> Self {
        let mut hasher = SipHasher13::new_with_keys(numbers.0, numbers.1);
        hasher.write(text);
        Self(u32::try_from(hasher.finish() >> 32_u32).unwrap_or(0))
    }

    /// Of a number that nobody chooses: one of a counter. Eight that follow each other stand side by side in
    /// a table, as what is given together mostly ends together.
    pub(crate) fn of_number(number: u64) -> Self {
        let far = (number >> NEAR_BITS).wrapping_mul(SPREAD) >> 32_u32;
        let near = number & NEAR_MASK;
        Self(u32::try_from(far & !NEAR_MASK | near).unwrap_or(0))
    }

    /// The 64 bits that a table wants: it takes places from the low ones and tags from the high ones.
    pub(crate) fn spread(self) -> u64 {
        let number = u64::from(self.0);
        number.wrapping_mul(SPREAD) & TAG | number
    }

    /// Which of the tables it stands in.
    pub(crate) fn shard(self) -> usize {
        usize::try_from(self.0 >> 22_u32).unwrap_or(0)
    }
}

impl Default for Hashed {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            count: 0,
        }
    }
}

impl Hashed {
    fn table(&self, hash: Hash) -> &HashTable<Entry> {
        self.shards
            .get(hash.shard())
            .expect("ten bits of a hash choose the shard")
    }

    fn table_mut(&mut self, hash: Hash) -> &mut HashTable<Entry> {
        self.shards
            .get_mut(hash.shard())
            .expect("ten bits of a hash choose the shard")
    }

    /// The id whose key is the one looked for.
    pub(crate) fn find(&self, hash: Hash, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.table(hash)
            .find(hash.spread(), |entry| entry.hash == hash && is(entry.id))
            .map(|entry| entry.id)
    }

    /// Adds an id; its key must not be there yet.
    pub(crate) fn insert(&mut self, hash: Hash, id: u32) {
        self.table_mut(hash)
            .insert_unique(hash.spread(), Entry { id, hash }, |entry| {
                entry.hash.spread()
            });
        self.count = self.count.saturating_add(1);
    }

    /// Puts an id of the same key in the place of another; `false` where that one is not there.
    pub(crate) fn replace(&mut self, hash: Hash, there: u32, id: u32) -> bool {
        match self
            .table_mut(hash)
            .find_mut(hash.spread(), |entry| entry.id == there)
        {
            None => false,
            Some(entry) => {
                entry.id = id;
                true
            }
        }
    }

    /// Takes an id out; `false` where it is not there.
    pub(crate) fn remove(&mut self, hash: Hash, id: u32) -> bool {
        match self
            .table_mut(hash)
            .find_entry(hash.spread(), |entry| entry.id == id)
        {
            Err(_) => false,
            Ok(entry) => {
                entry.remove();
                self.count = self.count.saturating_sub(1);
                true
            }
        }
    }

    /// How many ids there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}
