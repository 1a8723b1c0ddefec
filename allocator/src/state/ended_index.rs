//! Where ended holdings are found: by generation, by block, and the newest of each claim's name.

use alloc::collections::{BTreeSet, VecDeque};

use crate::hashed::{Hash, Hashed};
use crate::name::Name;
use crate::prefix::{Address, Prefix};
use crate::record::{Ended, EndedHolder, TextId};

use super::ended_blocks::EndedBlocks;
use super::tables::Tables;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct EndedIndex {
    /// By tenant (its serial number) and name of the claim.
    names: Hashed,
    /// For each ended holding that is kept, the one of the same name before it; it may be gone.
    before: VecDeque<Option<u32>>,
    generations: Hashed,
    /// By routing domain and block, and among those in the order in which they ended.
    blocks: EndedBlocks,
    /// Those that were of another tenant's pool, by the holder's tenant and block.
    foreign: BTreeSet<(TextId, Prefix, u64)>,
    /// What the ended holdings count against the bound on bytes.
    pub(super) bytes: u64,
}

fn name_hash(serial: u64, name: &Name) -> Hash {
    Hash::of(serial, name.as_str().as_bytes())
}

/// Of the tenant and the routing domain of a pool, by their texts, and a block in it.
fn block_hash((tenant, space): (TextId, TextId), block: Prefix) -> Hash {
    let place = |id: TextId| u64::from(id.map_or(0, core::num::NonZeroU32::get));
    let scope = place(tenant) << 32_u32 | place(space);
    let (address, family) = match block.first() {
        Address::V4(v4) => (u128::from(v4.to_bits()), 0),
        Address::V6(v6) => (v6.to_bits(), 1),
    };
    let length = u64::from(block.length()) << 1_u32 | family;
    Hash::keyed((scope, length), &address.to_le_bytes())
}

fn hash_of(ended: &Ended) -> Hash {
    block_hash((ended.pool_tenant, ended.space), ended.block)
}

impl EndedIndex {
    /// The newest ended holding of a claim's name.
    pub(super) fn newest(&self, tables: &Tables, serial: u64, name: &Name) -> Option<u32> {
        self.newest_of(tables, name_hash(serial, name), serial, name)
    }

    fn newest_of(&self, tables: &Tables, hash: Hash, serial: u64, name: &Name) -> Option<u32> {
        self.names.find(hash, |id| {
            let ended = tables.ended_of(id);
            ended.tenant_serial == serial && ended.name() == name
        })
    }

    /// The ended holding of a generation.
    pub(super) fn of_generation(&self, tables: &Tables, generation: u64) -> Option<u32> {
        self.generations.find(Hash::of_number(generation), |id| {
            tables.ended_of(id).generation == generation
        })
    }

    /// Adds an ended holding that follows the newest one, and whose generation is of no other.
    pub(super) fn add(&mut self, tables: &Tables, number: u64, ended: &Ended) {
        let id = ended_id(number);
        self.generations
            .insert(Hash::of_number(ended.generation), id);
        let mut before = None;
        if let EndedHolder::Claim { name, .. } = &ended.holder {
            let hash = name_hash(ended.tenant_serial, name);
            before = self.newest_of(tables, hash, ended.tenant_serial, name);
            match before {
                None => self.names.insert(hash, id),
                Some(before) => assert!(
                    self.names.replace(hash, before, id),
                    "what was found is there"
                ),
            }
        }
        self.before.push_back(before);
        self.blocks.add(hash_of(ended), id);
        if ended.tenant != ended.pool_tenant {
            self.foreign.insert((ended.tenant, ended.block, number));
        }
        self.bytes = self.bytes.saturating_add(ended.weight());
    }

    /// The ended holdings that may have been of a block, from a number on and by it: a few others have
    /// the same hash.
    pub(super) fn of_block(
        &self,
        tables: &Tables,
        scope: (TextId, TextId),
        block: Prefix,
        first: u64,
    ) -> impl Iterator<Item = u32> {
        self.blocks.from(block_hash(scope, block), move |id| {
            tables.ended_number(id) < first
        })
    }

    /// The ended holdings of a block that a tenant had of other tenants' pools, from a number on.
    pub(super) fn elsewhere(
        &self,
        tenant: TextId,
        block: Prefix,
        first: u64,
    ) -> impl Iterator<Item = u64> {
        self.foreign
            .range((tenant, block, first)..=(tenant, block, u64::MAX))
            .map(|(.., number)| *number)
    }

    /// Whether all that were of another tenant's pool are indexed, and nothing else, for the audit.
    pub(super) fn elsewhere_is(&self, all: &BTreeSet<(TextId, Prefix, u64)>) -> bool {
        self.foreign == *all
    }

    /// Takes the oldest ended holding out.
    pub(super) fn remove_oldest(&mut self, number: u64, ended: &Ended) {
        self.before.pop_front();
        self.forget(number, ended);
        let first = self.blocks.remove_oldest(hash_of(ended), ended_id(number));
        assert!(first, "the oldest holding is the first of its block");
        if let EndedHolder::Claim { name, .. } = &ended.holder {
            // Only where no newer holding of the name has taken its place.
            self.names
                .remove(name_hash(ended.tenant_serial, name), ended_id(number));
        }
    }

    /// Takes the newest ended holding back.
    pub(super) fn remove_newest(&mut self, tables: &Tables, number: u64, ended: &Ended) {
        let before = self.before.pop_back().flatten();
        self.forget(number, ended);
        let last = self.blocks.remove_newest(hash_of(ended), ended_id(number));
        assert!(last, "the newest holding is the last of its block");
        if let EndedHolder::Claim { name, .. } = &ended.holder {
            let hash = name_hash(ended.tenant_serial, name);
            let there = match before.filter(|before| tables.ended_is_kept(*before)) {
                None => self.names.remove(hash, ended_id(number)),
                Some(before) => self.names.replace(hash, ended_id(number), before),
            };
            assert!(there, "the newest holding of a name is indexed by it");
        }
    }

    fn forget(&mut self, number: u64, ended: &Ended) {
        self.foreign.remove(&(ended.tenant, ended.block, number));
        let there = self
            .generations
            .remove(Hash::of_number(ended.generation), ended_id(number));
        assert!(there, "an ended holding is indexed by its generation");
        self.bytes = self.bytes.saturating_sub(ended.weight());
    }

    /// How many names, generations and blocks of ended holdings are indexed, each block as often as it
    /// ended.
    pub(super) fn counts(&self) -> [u64; 3] {
        [
            self.names.count(),
            self.generations.count(),
            self.blocks.count(),
        ]
    }
}

/// The index of an ended holding has 31 bits of its number: fewer than 2^31 are kept at a time.
pub(super) fn ended_id(number: u64) -> u32 {
    u32::try_from(number & ENDED_MASK).unwrap_or(0)
}

pub(super) const ENDED_MASK: u64 = (1 << 31) - 1;
