//! Looking ahead: what the next commands will look for is read beforehand, many at a time.
//!
//! Where a million blocks are held, a search waits for memory at every other step, and the next step
//! does not know where to go before. The searches of several commands do not wait for each other. So
//! they are done side by side first, for what they bring near; each command then searches for itself, and
//! what it does rests on nothing that was read here.

use alloc::vec::Vec;
use core::hint::black_box;

use crate::command::{Command, Envelope, Operation};
use crate::name::Name;
use crate::ordered::Key;
use crate::prefix::Prefix;
use crate::record::{HoldId, PoolId, TenantId};

use super::State;

/// Claims below which all that is searched is near anyway.
const CLAIMS_MIN: u64 = 20_000;
/// Commands below which there is hardly anything to be done side by side.
const COMMANDS_MIN: usize = 4;
/// Searches side by side: more than memory answers at a time, and few enough that the first of them is
/// still near when its command comes.
const SEARCHES: usize = 32;

impl State {
    /// Brings near what commands that are about to be applied will look for. Nothing depends on it.
    pub fn look_ahead(&self, commands: &[Envelope]) {
        let names = commands.iter().filter_map(|one| match &one.command {
            Command::ClaimCreate(spec) => Some((&spec.tenant, &spec.name)),
            Command::ClaimRelease(release) => Some((&release.tenant, &release.name)),
            _ => None,
        });
        self.look_at(names, commands.len());
    }

    /// The same of the operations of a batch.
    pub(super) fn look_ahead_in(&self, operations: &[Operation]) {
        let names = operations.iter().map(|operation| match operation {
            Operation::CreateClaim(spec) => (&spec.tenant, &spec.name),
            Operation::ReleaseClaim(release) => (&release.tenant, &release.name),
        });
        self.look_at(names, operations.len());
    }

    fn look_at<'c>(&self, names: impl Iterator<Item = (&'c Name, &'c Name)>, commands: usize) {
        if commands < COMMANDS_MIN || self.index.claims < CLAIMS_MIN {
            return;
        }
        let mut last: Option<(&Name, TenantId)> = None;
        let mut keys: Vec<Key<'_>> = Vec::with_capacity(SEARCHES);
        for (tenant, name) in names {
            let id = match last {
                Some((there, id)) if there == tenant => Some(id),
                _ => self.tenant_find(tenant).ok(),
            };
            let Some(id) = id else {
                continue;
            };
            last = Some((tenant, id));
            keys.push(Key::text(u64::from(id), name.as_str()));
            if keys.len() == SEARCHES {
                self.look_at_claims(&keys);
                keys.clear();
            }
        }
        self.look_at_claims(&keys);
    }

    /// Looks at where claims of these names stand or would stand, at the holds there, and at where the
    /// blocks of those that are there hang in the free space.
    fn look_at_claims(&self, keys: &[Key<'_>]) {
        let found: Vec<HoldId> = self.index.claim_names.nearest_of(keys).collect();
        let mut pool: Option<PoolId> = None;
        let mut blocks: Vec<Prefix> = Vec::with_capacity(keys.len());
        for id in found {
            let hold = self.tables.hold(id);
            let text = hold.claim().map(|claim| claim.name.as_str());
            black_box(text.and_then(|text| text.bytes().next()));
            if *pool.get_or_insert(hold.pool) == hold.pool {
                blocks.push(hold.block);
            }
        }
        let trie = pool.and_then(|pool| self.index.pool(pool)?.trie(*blocks.first()?));
        if let Some(trie) = trie {
            blocks.retain(|block| trie.cidr().contains(*block));
            black_box(trie.look_at(&self.index.nodes, &blocks));
        }
    }
}
