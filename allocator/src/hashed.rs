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
const SHARDS: usize = 1_024;

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

/// Hash of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(u32);

impl Hash {
    /// Of a number and a text.
    pub(crate) fn of(number: u64, text: &[u8]) -> Self {
        let mut hasher = SipHasher13::new_with_keys(number, 0);
        hasher.write(text);
        Self(u32::try_from(hasher.finish() >> 32_u32).unwrap_or(0))
    }

    /// 64 bits of it, of a text alone.
    pub(crate) fn wide(text: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(0, 1);
        hasher.write(text);
        hasher.finish()
    }

    /// The 64 bits that a table wants: it takes places from the low ones and tags from the high ones.
    fn spread(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn shard(self) -> usize {
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
