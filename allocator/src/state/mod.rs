//! The state, and what moves it.
//!
//! An entry of the log is applied as [`State::entry_begin`], [`State::command_apply`] for each of its
//! commands, [`State::entry_end`]; readers may look in between, and see the state between two
//! commands. For each kind of command a *plan* looks at the state and either refuses or says what is
//! to be done; a *commit* does it and cannot fail. Writes go through `store` and nowhere else.
//!
//! Invariants, recomputed the slow way by [`State::audit`]:
//! 1. No two holds of a pool overlap, and each lies in one of the pool's blocks.
//! 2. Root pools of one (tenant, space) do not overlap.
//! 3. A child pool is exactly one hold of its parent, of the same family and space, one deeper.
//! 4. `total = allocated + released + reserved + available` for each pool, and each is the sum over
//!    the holds; so are the counts of claims and children and what is held below.
//! 5. Each trie is what its holds make it (see [`crate::free`]).
//! 6. A tenant's usage is the sum over its pools and claims.
//! 7. Every index leads to exactly the records that have its keys.
//! 8. Generations of holds are unique and not above the counter; no revision is above the counter.
//! 9. Events are in order; each with which a holding is gone has its record, and no other record is
//!    kept.
//! 10. A text is interned once, and kept exactly as long as something refers to it.
//! 11. The digest is the sum over all records.
//! 12. The pages of a cut make the same state.
//! 13. What is released is kept: by a grace that has an end, or by `Retain`. Only blocks of claims
//!     are, and a claim that is gone is not found by its name.
//! 14. Only a pool with `NextFit` has a cursor; only one with `LeastUtilized` has its CIDRs in order of
//!     the share that its holds take of each.
//! 15. All that a pool's policy withholds is reserved or, where it was held before, held; nothing else is
//!     reserved. The holders that its policy would not have allowed are counted.
//! 16. A suspect has its scope, a scope its tenant; neither was seen after now.
//! 17. What a pool hands to its holders is within the bounds of [`crate::handout`].

mod ahead;
mod audit;
mod audit_life;
mod audit_owners;
mod audit_pools;
mod batch;
mod cascade;
mod choose;
mod claim;
mod due;
mod durable;
mod edit;
mod ended_blocks;
mod ended_index;
mod events;
mod foreign_index;
mod history;
mod index;
mod layout;
mod life;
mod life_index;
mod list;
mod list_allocations;
mod list_everywhere;
mod list_owned;
mod lookup;
mod map;
mod owner_index;
mod owner_release;
mod past;
mod policy;
mod pool;
mod pool_difference;
mod pool_edit;
mod pool_fields;
mod pool_handout;
mod pool_index;
mod pool_life;
mod reconcile;
mod release;
mod room;
mod select;
mod settings;
mod shares;
mod store;
mod suspect_index;
mod suspect_store;
mod tables;
mod tenant;
mod texts;
mod tree;
mod views;
mod watch;
mod withhold;
mod within;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

pub use audit::AuditFailure;
pub use events::Compacted;

use crate::answer::{Answer, Outcome, Rejection, Swept};
use crate::clock::Clock;
use crate::command::{Command, Entry, Envelope, Position, Stamp};
use crate::digest::Digester;
use crate::pages::LOADED;
use crate::record::{Content, Meta, PoolId, table};

use index::Index;
use store::{Undo, Who};
use tables::Tables;
use texts::TextIndex;

/// The highest version of formats and rules that this crate knows.
pub const VERSION_MAX: u32 = 1;

/// Events that the end of an entry may drop.
const DROPPED_PER_ENTRY: u64 = 256;

/// Everything that is allocated, and to whom.
#[derive(Debug)]
pub struct State {
    meta: Meta,
    tables: Tables,
    index: Index,
    texts: TextIndex,
    /// The digest without the counters, but for what `unsettled` puts off.
    sum: u128,
    /// Contents of pools that have changed since they were added to the sum: as they are in it.
    unsettled: BTreeMap<PoolId, Option<Content>>,
    digester: Digester,
    /// Epoch of what changes now.
    epoch: u64,
    /// How to take back what is being attempted; `None` where nothing need be taken back.
    journal: Option<Vec<Undo>>,
    /// The command at hand has its revision.
    revision_open: bool,
    /// Ordinal of the next event of that revision.
    ordinal: u32,
    /// What the command at hand has done that was due.
    swept: Swept,
    /// How many holds the command at hand has ended and taken back, since that did not help it.
    swept_in_vain: usize,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// The state before the first entry.
    pub fn new() -> Self {
        Self {
            meta: Meta::new(),
            tables: Tables::default(),
            index: Index::default(),
            texts: TextIndex::default(),
            sum: 0,
            unsettled: BTreeMap::new(),
            digester: Digester::default(),
            epoch: LOADED.saturating_add(1),
            journal: None,
            revision_open: false,
            ordinal: 0,
            swept: Swept::default(),
            swept_in_vain: 0,
        }
    }

    /// Begins an entry: moves the clock.
    pub fn entry_begin(&mut self, at: Position, stamp: &Stamp) {
        self.meta.clock.advance(at, stamp);
    }

    /// Applies the next command of the entry.
    pub fn command_apply(&mut self, envelope: &Envelope) -> Answer {
        let before = self.tables.events.end();
        let answer = self.command_do(envelope);
        // A command pays for the events that it adds, and for as many of those that are behind.
        let added = self.tables.events.end().saturating_sub(before);
        self.events_drop(added.saturating_mul(2));
        answer
    }

    fn command_do(&mut self, envelope: &Envelope) -> Answer {
        let who = Who {
            actor: &envelope.actor,
            source: &envelope.source,
        };
        self.revision_open = false;
        self.swept = Swept::default();
        self.swept_in_vain = 0;
        let result = match &envelope.command {
            Command::Tick => Ok(Outcome::Done),
            Command::Form { cluster_id } => self.form(*cluster_id),
            Command::ActivateVersion { version } => self.version_activate(*version),
            Command::TenantCreate(spec) => self.tenant_create(who, spec),
            Command::TenantDelete { tenant } => self.tenant_delete(who, tenant),
            Command::TenantEdit(edit) => self.tenant_edit(who, edit),
            Command::PoolCreate(spec) => self.with_sweep(|state| state.pool_create(who, spec)),
            Command::PoolDelete {
                tenant,
                pool,
                if_revision,
            } => self.pool_delete(who, tenant, pool, *if_revision),
            Command::PoolCascade(cascade) => self.pool_cascade(who, cascade),
            Command::PoolEdit(edit) => self.pool_edit(who, edit),
            Command::ClaimEdit(edit) => self.claim_edit(who, edit),
            Command::ClaimCreate(spec) => self.claim_create(who, spec),
            Command::ClaimRelease(release) => self.claim_release(who, release),
            Command::ClaimConfirm(confirm) => self.claim_confirm(who, confirm),
            Command::ClaimRenew(renew) => self.claim_renew(who, renew),
            Command::AllocationReclaim(reclaim) => self.allocation_reclaim(who, reclaim),
            Command::OwnerRelease(release) => self.owner_release(who, release),
            Command::OwnersReconcile(reconcile) => self.owners_reconcile(who, reconcile),
            Command::Expire { holds_max } => Ok(self.expire(*holds_max)),
            Command::SettingsEdit(edit) => self.settings_edit(edit),
            Command::ClockAdvance { ms } => Ok(self.clock_advance(*ms)),
            Command::Batch {
                tenant,
                atomic: true,
                operations,
            } => self.batch_atomic(who, tenant, operations),
            Command::Batch {
                tenant,
                atomic: false,
                operations,
            } => self.batch_each(who, tenant, operations),
        };
        self.answer(result)
    }

    /// Ends the entry: drops some events that have passed their bounds, so that they go although
    /// nothing new comes.
    pub fn entry_end(&mut self) {
        self.events_drop(DROPPED_PER_ENTRY);
        self.contents_settle();
    }

    /// Applies an entry: one answer for each of its commands.
    pub fn apply(&mut self, at: Position, entry: &Entry) -> Vec<Answer> {
        self.entry_begin(at, &entry.stamp);
        self.look_ahead(&entry.commands);
        let answers = entry
            .commands
            .iter()
            .map(|envelope| self.command_apply(envelope))
            .collect();
        self.entry_end();
        answers
    }

    /// The exact answer that the command would get now. Nothing changes.
    pub fn dry_run(&mut self, envelope: &Envelope) -> Answer {
        let savepoint = self.savepoint();
        let answer = self.command_do(envelope);
        self.savepoint_restore(&savepoint);
        answer
    }

    /// One more for each command that changed something; 0 at the beginning.
    pub fn revision(&self) -> u64 {
        self.meta.revision
    }

    /// The last generation that was given; 0 at the beginning.
    pub fn generation(&self) -> u64 {
        self.meta.generation
    }

    /// Id of the cluster, once it is formed.
    pub fn cluster_id(&self) -> Option<u128> {
        self.meta.cluster_id
    }

    /// The active version of formats and rules.
    pub fn version(&self) -> u32 {
        self.meta.version
    }

    /// The log's clock.
    pub fn clock(&self) -> &Clock {
        &self.meta.clock
    }

    /// How many claims are held, over all tenants.
    pub fn claims_total(&self) -> u64 {
        self.index.claims
    }

    /// Hash of the state: equal on all nodes that have applied the same entries.
    pub fn digest(&self) -> u128 {
        let meta = self.meta_now();
        self.sum_now()
            .wrapping_add(Digester::default().record(table::META, 0, &meta))
    }

    /// The counters, with the bounds of the rings as they are now.
    fn meta_now(&self) -> Meta {
        Meta {
            events: (self.tables.events.first(), self.tables.events.end()),
            ended: (self.tables.ended.first(), self.tables.ended.end()),
            ..self.meta
        }
    }

    fn form(&mut self, cluster_id: u128) -> Result<Outcome, Rejection> {
        match self.meta.cluster_id {
            None => {
                self.revision_open();
                self.meta.cluster_id = Some(cluster_id);
                Ok(Outcome::Done)
            }
            Some(formed) if formed == cluster_id => Ok(Outcome::Done),
            Some(formed) => Err(Rejection::AlreadyFormed { cluster_id: formed }),
        }
    }

    fn version_activate(&mut self, version: u32) -> Result<Outcome, Rejection> {
        let active = self.meta.version;
        if active.checked_add(1) != Some(version) {
            return Err(Rejection::VersionRefused {
                active,
                asked: version,
            });
        }
        self.revision_open();
        self.meta.version = version;
        Ok(Outcome::Done)
    }
}
