//! What a pool says of grace and leases: what is allowed, and when it is the same.

use crate::life::{PoolLife, ReclaimPolicy};

use super::pool_fields::Problems;

/// What is said of grace and leases does not contradict itself.
pub(super) fn check_life(life: &PoolLife, problems: &mut Problems) {
    if life.grace_max() < life.grace() {
        problems.add(
            &"graceSeconds",
            "it is above the pool's own bound",
            &format_args!("0 to {}", life.grace_max()),
        );
    }
    if life.policy() == ReclaimPolicy::Retain && !life.retain_allowed() {
        problems.add(
            &"reclaimPolicy",
            "the pool does not allow Retain",
            &"Delete, or allowRetain true or absent",
        );
    }
    if life.max_ttl_seconds == Some(0) {
        problems.add(
            &"maxTtlSeconds",
            "a lease of no time holds nothing",
            &format_args!("1 to {}, or absent", u32::MAX),
        );
    }
}

/// The first field in which what is said of grace and leases differs.
pub(super) fn life_difference(there: &PoolLife, asked: &PoolLife) -> Option<&'static str> {
    let fields = [
        ("graceSeconds", there.grace() == asked.grace()),
        ("reclaimPolicy", there.policy() == asked.policy()),
        ("maxGraceSeconds", there.grace_max() == asked.grace_max()),
        (
            "allowRetain",
            there.retain_allowed() == asked.retain_allowed(),
        ),
        (
            "maxTtlSeconds",
            there.max_ttl_seconds == asked.max_ttl_seconds,
        ),
    ];
    fields
        .into_iter()
        .find(|(_, same)| !same)
        .map(|(field, _)| field)
}
