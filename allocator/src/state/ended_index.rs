//! Where ended holdings are found: by generation, and the newest of each claim's name.

use alloc::collections::VecDeque;

use crate::hashed::{Hash, Hashed};
use crate::name::Name;
use crate::record::{Ended, EndedHolder};

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
    /// What the ended holdings count against the bound on bytes.
    pub(super) bytes: u64,
}

fn name_hash(serial: u64, name: &Name) -> Hash {
    Hash::of(serial, name.as_str().as_bytes())
}

fn generation_hash(generation: u64) -> Hash {
    Hash::of(generation, &[])
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
        self.bytes = self.bytes.saturating_add(ended.weight());
        Ok(())
    }

    /// Takes the oldest ended holding out.
    pub(super) fn remove_oldest(&mut self, number: u64, ended: &Ended) {
        self.before.pop_front();
        self.forget(ended_id(number), ended);
        if let EndedHolder::Claim { name, .. } = &ended.holder {
            // Only where no newer holding of the name has taken its place.
            self.names
                .remove(name_hash(ended.tenant_serial, name), ended_id(number));
        }
    }

    /// Takes the newest ended holding back.
    pub(super) fn remove_newest(&mut self, tables: &Tables, number: u64, ended: &Ended) {
        let before = self.before.pop_back().flatten();
        self.forget(ended_id(number), ended);
        if let EndedHolder::Claim { name, .. } = &ended.holder {
            let hash = name_hash(ended.tenant_serial, name);
            let there = match before.filter(|before| tables.ended_is_kept(*before)) {
                None => self.names.remove(hash, ended_id(number)),
                Some(before) => self.names.replace(hash, ended_id(number), before),
            };
            assert!(there, "the newest holding of a name is indexed by it");
        }
    }

    fn forget(&mut self, id: u32, ended: &Ended) {
        let there = self
            .generations
            .remove(generation_hash(ended.generation), id);
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
