//! Tells in the log when a pool is filling up.
//!
//! 1. A warning is written when a pool's utilization passes 0.8, 0.9 or 0.95 on its way up; only the
//!    highest of those passed since the last look, and by the leader only.
//! 2. Every node looks, so that a new leader does not tell again what the last one told. What a
//!    node finds in its first round it keeps to itself.
//! 3. One look reads a bounded number of pools, so its cost does not grow with their number; a
//!    round over all of them then takes several looks.

use std::collections::HashMap;
use std::time::Duration;

use allocator::name::Name;
use allocator::view::PoolView;
use raft_store::AppliedState;

use super::pools::{Cursor, next_page};
use crate::logging::events;

/// Between two looks.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
/// Pages of pools read at one look.
const PAGES_PER_LOOK: usize = 64;

/// What passes from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct ExhaustionWatch {
    cursor: Cursor,
    /// How many thresholds each pool is above, where it is above any.
    levels: HashMap<(Name, Name), u8>,
    /// Pools of the round under way that are above a threshold.
    seen: HashMap<(Name, Name), u8>,
    first_round_done: bool,
}

impl ExhaustionWatch {
    /// Looks at the next pools, and tells of those that passed a threshold if `tell`.
    pub(crate) fn look(&mut self, applied: &AppliedState, tell: bool) {
        for _ in 0..PAGES_PER_LOOK {
            for pool in &next_page(applied, &mut self.cursor) {
                let (tenant, name) = (&pool.spec.tenant, &pool.spec.name);
                if self.passed(tenant, name, pool.utilization_e4) && tell {
                    warn(pool);
                }
            }
            if self.cursor.is_none() {
                self.round_ended();
                return;
            }
        }
    }

    /// Whether the pool passed a threshold upwards since it was last seen.
    fn passed(&mut self, tenant: &Name, pool: &Name, utilization_e4: u32) -> bool {
        let level = level(utilization_e4);
        if level == 0 {
            return false;
        }
        let key = (tenant.clone(), pool.clone());
        let before = self.levels.get(&key).copied().unwrap_or(0);
        self.seen.insert(key, level);
        level > before && self.first_round_done
    }

    /// What was not seen again has emptied or is gone.
    fn round_ended(&mut self) {
        self.levels = std::mem::take(&mut self.seen);
        self.first_round_done = true;
    }
}

/// How many of 0.8, 0.9 and 0.95 are reached.
fn level(utilization_e4: u32) -> u8 {
    match utilization_e4 {
        9_500.. => 3,
        9_000.. => 2,
        8_000.. => 1,
        _ => 0,
    }
}

fn warn(pool: &PoolView) {
    let capacity = &pool.capacity;
    let (available, total) = match &pool.blocks {
        Some(blocks) => (blocks.available, blocks.total),
        None => (capacity.available, capacity.total),
    };
    events::approaching_exhaustion(
        pool.spec.tenant.as_str(),
        pool.spec.name.as_str(),
        &available.to_string(),
        &total.to_string(),
        &format!(
            "{}.{:04}",
            pool.utilization_e4 / 10_000,
            pool.utilization_e4 % 10_000
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_told_of_once_for_each_threshold_on_its_way_up() {
        let (tenant, pool) = (Name::new("t").unwrap(), Name::new("p").unwrap());
        // What a round finds, and whether it is told.
        let rounds: &[(u32, bool)] = &[
            (8_500, false), // The first round: who knows since when.
            (8_500, false),
            (9_000, true),
            (9_499, false),
            (9_500, true),
            (10_000, false),
            (9_100, false),
            (9_600, true),
            (7_999, false),
            (9_700, true), // Three thresholds at once are told once.
            (9_700, false),
        ];
        let mut watch = ExhaustionWatch::default();
        for (index, (utilization_e4, told)) in rounds.iter().enumerate() {
            let passed = watch.passed(&tenant, &pool, *utilization_e4);
            assert_eq!(passed, *told, "round {index}");
            watch.round_ended();
        }
    }
}
