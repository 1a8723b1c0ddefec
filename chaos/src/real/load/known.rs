//! What clients have been told of holdings, shared by all of them: any may release what another claimed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::history::{Op, Reply};

/// Holdings of a name that are remembered, the latest last: an old one is a wrong one to release, which must not be.
const HOLDINGS: usize = 3;

/// Generations by name, as they were told.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<BTreeMap<String, VecDeque<u64>>>);

impl Known {
    /// Remembers what an answer tells of holdings.
    pub(super) fn learn(&self, op: &Op, reply: &Reply) {
        match (op, reply) {
            (Op::Batch { operations }, Reply::Batch { replies, .. }) => {
                for (op, reply) in operations.iter().zip(replies) {
                    self.learn(op, reply);
                }
            }
            (
                Op::Claim { name, .. } | Op::Get { name, .. },
                Reply::Holds { generation, .. } | Reply::Found { generation, .. },
            )
            | (
                Op::Lookup { .. },
                Reply::HeldBy {
                    name, generation, ..
                },
            ) => {
                self.holds(name, *generation);
            }
            _ => {}
        }
    }

    fn holds(&self, name: &str, generation: u64) {
        let mut known = self.lock();
        let holdings = known.entry(name.to_owned()).or_default();
        // An answer that was long on its way may tell of an older one.
        if holdings.back().is_none_or(|latest| *latest < generation) {
            holdings.push_back(generation);
        }
        if holdings.len() > HOLDINGS {
            holdings.pop_front();
        }
    }

    /// The latest holding of a name.
    pub(super) fn latest(&self, name: &str) -> Option<u64> {
        self.lock().get(name)?.back().copied()
    }

    /// The oldest holding of a name that is remembered.
    pub(super) fn oldest(&self, name: &str) -> Option<u64> {
        self.lock().get(name)?.front().copied()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, VecDeque<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
