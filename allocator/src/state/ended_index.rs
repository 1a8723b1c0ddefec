//! Where ended holdings are found: by generation, by block, and the newest of each claim's name.

use alloc::collections::{BTreeSet, VecDeque};

use crate::hashed::{Hash, Hashed};
use crate::name::Name;
use crate::ordered::{Key, Ordered};
use crate::prefix::{Family, Prefix, address_number};
use crate::record::{Ended, EndedHolder, TextId};

use super::index::Contradiction;
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
    blocks: Ordered,
    /// Those that were of another tenant's pool, by the holder's tenant and block.
    foreign: BTreeSet<(TextId, Prefix, u64)>,
    /// What the ended holdings count against the bound on bytes.
    pub(super) bytes: u64,
}

fn name_hash(serial: u64, name: &Name) -> Hash {
    Hash::of(serial, name.as_str().as_bytes())
}

fn generation_hash(generation: u64) -> Hash {
    Hash::of(generation, &[])
}

/// By block, then in the order in which they ended. Blocks whose heads are the same by chance are told
/// apart by their records.
pub(super) fn block_key(number: u64, ended: &Ended) -> Key<'static> {
    Key {
        tail: number,
        ..Key::number(block_head((ended.pool_tenant, ended.space), ended.block))
    }
}

/// Of the tenant and the routing domain of a pool, by their texts, and a block in it.
fn block_head((tenant, space): (TextId, TextId), block: Prefix) -> u64 {
    let place = |id: TextId| id.map_or(0, core::num::NonZeroU32::get).to_be_bytes();
    let family = match block.family() {
        Family::IPv4 => 4,
        Family::IPv6 => 6,
    };
    let mut bytes = [0_u8; 26];
    let parts = [
        &place(tenant)[..],
        &place(space),
        &address_number(block.first()).to_be_bytes(),
        &[block.length(), family],
    ];
    for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    Hash::wide(&bytes)
}

impl EndedIndex {
    /// The newest ended holding of a claim's name.
    pub(super) fn newest(&self, tables: &Tables, serial: u64, name: &Name) -> Option<u32> {
        self.names.find(name_hash(serial, name), |id| {
            let ended = tables.ended_of(id);
            ended.tenant_serial == serial && ended.name() == name
        })
    }

    /// The ended holding of a generation.
    pub(super) fn of_generation(&self, tables: &Tables, generation: u64) -> Option<u32> {
        self.generations.find(generation_hash(generation), |id| {
            tables.ended_of(id).generation == generation
        })
    }

    /// Adds an ended holding that follows the newest one.
    pub(super) fn add(
        &mut self,
        tables: &Tables,
        number: u64,
        ended: &Ended,
    ) -> Result<(), Contradiction> {
        let id = ended_id(number);
        if self.of_generation(tables, ended.generation).is_some() {
            return Err("two ended holdings have one generation");
        }
        self.generations
            .insert(generation_hash(ended.generation), id);
        let mut before = None;
        if let EndedHolder::Claim { name, .. } = &ended.holder {
            let hash = name_hash(ended.tenant_serial, name);
            before = self.newest(tables, ended.tenant_serial, name);
            match before {
                None => self.names.insert(hash, id),
                Some(before) => assert!(
                    self.names.replace(hash, before, id),
                    "what was found is there"
                ),
            }
        }
        self.before.push_back(before);
        let key = block_key(number, ended);
        let added = self.blocks.insert(key, id, tables.ended_block_keys());
        assert!(added, "numbers of ended holdings are unique");
        if ended.tenant != ended.pool_tenant {
            self.foreign.insert((ended.tenant, ended.block, number));
        }
        self.bytes = self.bytes.saturating_add(ended.weight());
        Ok(())
    }

    /// The ended holdings that may have been of a block, from a number on and by it: a few others have
    /// the same key.
    pub(super) fn of_block(
        &self,
        tables: &Tables,
        scope: (TextId, TextId),
        block: Prefix,
        first: u64,
    ) -> impl Iterator<Item = u32> {
        let head = block_head(scope, block);
        let after = match first.checked_sub(1) {
            Some(before) => Key {
                tail: before,
                ..Key::number(head)
            },
            // Behind all that have a smaller head.
            None => Key {
                tail: u64::MAX,
                ..Key::number(head.saturating_sub(1))
            },
        };
        self.blocks
            .after(after, tables.ended_block_keys())
            .take_while(move |id| tables.ended_block_key(*id).head == head)
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

    /// All that are indexed by block, for the audit.
    pub(super) fn by_block(&self) -> &Ordered {
        &self.blocks
    }

    /// Takes an ended holding that is still in its table out of the index of blocks.
    pub(super) fn block_remove(&mut self, tables: &Tables, number: u64) {
        if let Some(ended) = tables.ended.get(number) {
            let key = block_key(number, ended);
            let removed = self.blocks.remove(key, tables.ended_block_keys());
            assert!(
                removed == Some(ended_id(number)),
                "an ended holding is indexed by its block"
            );
        }
    }

    /// Takes the oldest ended holding out.
    pub(super) fn remove_oldest(&mut self, number: u64, ended: &Ended) {
        self.before.pop_front();
        self.forget(number, ended);
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
            .remove(generation_hash(ended.generation), ended_id(number));
        assert!(there, "an ended holding is indexed by its generation");
        self.bytes = self.bytes.saturating_sub(ended.weight());
    }

    /// How many names and generations of ended holdings are indexed.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.names.count(), self.generations.count())
    }
}

/// The index of an ended holding has 31 bits of its number: fewer than 2^31 are kept at a time.
pub(super) fn ended_id(number: u64) -> u32 {
    u32::try_from(number & ENDED_MASK).unwrap_or(0)
}

pub(super) const ENDED_MASK: u64 = (1 << 31) - 1;
