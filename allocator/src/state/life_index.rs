//! Where holds are found by their life: what is kept, for whom and since when, and what is due.

use crate::hashed::{Hash, Hashed};
use crate::name::Name;
use crate::ordered::{Key, Ordered};
use crate::prefix::Prefix;
use crate::record::{Claim, Hold, HoldId, PoolId, TenantId};

use super::index::Contradiction;
use super::tables::Tables;

/// See the module. Each of these has only the holds that it concerns: a claim that has no lease and is
/// not kept is in none.
#[derive(Debug, Default)]
pub(super) struct LifeIndex {
    /// Kept blocks by (tenant, pool), holder and length, the one released last first.
    pub(super) kept: Ordered,
    /// Kept blocks by tenant and name of the claim, the one released last first.
    pub(super) names: Ordered,
    /// Kept blocks by generation.
    generations: Hashed,
    /// Holds that the clock will do something to, by when.
    pub(super) due: Ordered,
    /// Holds that will end, by pool and when.
    pub(super) ends: Ordered,
}

/// For whom a block is kept: an owner, or where there is none a claim's name. An owner and a claim of
/// one name are two holders.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holding<'a> {
    pub(super) tenant: TenantId,
    pub(super) pool: PoolId,
    pub(super) owned: bool,
    pub(super) text: &'a str,
}

impl<'a> Holding<'a> {
    fn of(pool: PoolId, claim: &'a Claim) -> Self {
        let owner = claim.owner();
        Self {
            tenant: claim.tenant,
            pool,
            owned: owner.is_some(),
            text: owner.map_or_else(|| claim.name.as_str(), |owner| owner.as_str()),
        }
    }

    /// Ids are below 2^31: one bit is left for the kind.
    fn key(&self, tail: u64) -> Key<'a> {
        let low = u64::from(self.pool) << 1_u32 | u64::from(self.owned);
        Key {
            head: u64::from(self.tenant) << 32_u32 | low,
            text: self.text.as_bytes(),
            tail,
        }
    }
}

/// Bits of the number of a release in a key, below the length of the block.
const SERIAL_BITS: u32 = 56;
/// How many of a holder's kept blocks a claim of it looks at, the last released first.
const LOOKED_AT_MAX: usize = 64;
const SERIAL_MASK: u64 = (1 << SERIAL_BITS) - 1;

/// The later a release, the smaller.
fn lateness(serial: u64) -> u64 {
    SERIAL_MASK.saturating_sub(serial)
}

/// The key of a kept block by its holder.
pub(super) fn kept_key(hold: &Hold) -> Key<'_> {
    let claim = hold.claim().expect("only a claim's block is kept");
    let serial = hold.kept().map_or(0, |kept| kept.serial);
    let length = u64::from(hold.block.length()) << SERIAL_BITS;
    Holding::of(hold.pool, claim).key(length | lateness(serial))
}

/// The key of a kept block by the name of its claim.
pub(super) fn kept_name_key(hold: &Hold) -> Key<'_> {
    let claim = hold.claim().expect("only a claim's block is kept");
    Key {
        tail: lateness(hold.kept().map_or(0, |kept| kept.serial)),
        ..Key::text(u64::from(claim.tenant), claim.name.as_str())
    }
}

/// The key of a hold by when something is to be done about it.
pub(super) fn due_key(id: HoldId, hold: &Hold) -> Key<'static> {
    Key {
        // Above 0, so that what is due at the very beginning comes after the lowest key as well.
        tail: u64::from(id).saturating_add(1),
        ..Key::number(hold.due_ms().unwrap_or(u64::MAX))
    }
}

/// The key of a hold by pool and when it ends.
pub(super) fn end_key(id: HoldId, hold: &Hold) -> Key<'static> {
    let end_ms = hold.end_ms().unwrap_or(u64::MAX);
    Key {
        tail: end_ms << 32_u32 | u64::from(id),
        ..Key::number(u64::from(hold.pool) << 32_u32 | end_ms >> 32_u32)
    }
}

impl LifeIndex {
    pub(super) fn add(
        &mut self,
        tables: &Tables,
        id: HoldId,
        hold: &Hold,
    ) -> Result<(), Contradiction> {
        if hold.kept().is_some() {
            let added = self.kept.insert(kept_key(hold), id, tables.kept_keys())
                && self
                    .names
                    .insert(kept_name_key(hold), id, tables.kept_name_keys());
            if !added {
                return Err("two releases have one number");
            }
            self.generations
                .insert(Hash::of_number(hold.generation), id);
        }
        if hold.due_ms().is_some() {
            let added = self.due.insert(due_key(id, hold), id, tables.due_keys())
                && self.ends.insert(end_key(id, hold), id, tables.end_keys());
            if !added {
                return Err("a hold is due twice");
            }
        }
        Ok(())
    }

    /// The record is still in its table.
    pub(super) fn remove(&mut self, tables: &Tables, id: HoldId, hold: &Hold) {
        if hold.kept().is_some() {
            let removed = [
                self.kept.remove(kept_key(hold), tables.kept_keys()),
                self.names
                    .remove(kept_name_key(hold), tables.kept_name_keys()),
            ];
            let there = self
                .generations
                .remove(Hash::of_number(hold.generation), id);
            assert!(
                removed == [Some(id); 2] && there,
                "a kept block is indexed by its holder, its claim and its generation"
            );
        }
        if hold.due_ms().is_some() {
            let removed = [
                self.due.remove(due_key(id, hold), tables.due_keys()),
                self.ends.remove(end_key(id, hold), tables.end_keys()),
            ];
            assert!(
                removed == [Some(id); 2],
                "what is due is indexed by its time"
            );
        }
    }

    /// The block of a length that the holder released last, of those that will do.
    pub(super) fn kept_for(
        &self,
        tables: &Tables,
        holding: &Holding<'_>,
        length: u8,
        will_do: impl Fn(Prefix) -> bool,
    ) -> Option<HoldId> {
        let first = holding.key(u64::from(length) << SERIAL_BITS);
        let of_holder = |id: &HoldId| {
            let found = kept_key(tables.hold(*id));
            (found.head, found.text) == (first.head, first.text)
                && found.tail >> SERIAL_BITS == u64::from(length)
        };
        self.kept
            .after(first, tables.kept_keys())
            .take(LOOKED_AT_MAX)
            .take_while(of_holder)
            .find(|id| will_do(tables.hold(*id).block))
    }

    /// The block is kept for that holder.
    pub(super) fn is_kept_for(hold: &Hold, holding: &Holding<'_>) -> bool {
        let wanted = holding.key(0);
        hold.kept().is_some() && {
            let found = kept_key(hold);
            (found.head, found.text) == (wanted.head, wanted.text)
        }
    }

    /// The block of a claim's name that was released last.
    pub(super) fn kept_of_name(
        &self,
        tables: &Tables,
        tenant: TenantId,
        name: &Name,
    ) -> Option<HoldId> {
        let first = Key::text(u64::from(tenant), name.as_str());
        let id = self.names.after(first, tables.kept_name_keys()).next()?;
        let found = kept_name_key(tables.hold(id));
        ((found.head, found.text) == (first.head, first.text)).then_some(id)
    }

    /// The kept block of a generation.
    pub(super) fn kept_of_generation(&self, tables: &Tables, generation: u64) -> Option<HoldId> {
        self.generations.find(Hash::of_number(generation), |id| {
            tables.hold(id).generation == generation
        })
    }

    /// The hold that the clock will do something to next.
    pub(super) fn first_due(&self, tables: &Tables) -> Option<HoldId> {
        self.due.after(Key::number(0), tables.due_keys()).next()
    }

    /// The holds of a pool that have an end, the first before the others.
    pub(super) fn ends_of(&self, tables: &Tables, pool: PoolId) -> impl Iterator<Item = HoldId> {
        let first = Key::number(u64::from(pool) << 32_u32);
        self.ends
            .after(first, tables.end_keys())
            .take_while(move |id| tables.hold(*id).pool == pool)
    }

    /// How many kept blocks are indexed by generation.
    pub(super) fn generations(&self) -> u64 {
        self.generations.count()
    }
}
