//! How long the state's lock is held and waited for, as a histogram.

use raft_store::{AppliedState, LOCK_BOUNDS, LockUse};

use super::exposition::Exposition;

const NAME: &str = "ipam_state_lock_seconds";
const BUCKET: &str = "ipam_state_lock_seconds_bucket";
const SUM: &str = "ipam_state_lock_seconds_sum";
const COUNT: &str = "ipam_state_lock_seconds_count";

/// Writes it.
pub(super) fn write(out: &mut Exposition, applied: &AppliedState) {
    let help = "For how long the state's lock was held by a reader or to apply, or applying waited for it.";
    out.metric(NAME, "histogram", help);
    for what in LockUse::ALL {
        let counts = applied.lock_counts(what);
        let labelled = ("use", label(what));
        let bounds = LOCK_BOUNDS.map(|bound| bound.as_secs_f64().to_string());
        let bounds = bounds.iter().map(String::as_str).chain(["+Inf"]);
        let mut so_far = 0;
        for (bound, count) in bounds.zip(counts.buckets) {
            so_far += count;
            out.sample(BUCKET, &[labelled, ("le", bound)], float(so_far));
        }
        out.sample(SUM, &[labelled], counts.total.as_secs_f64());
        out.sample(COUNT, &[labelled], float(so_far));
    }
}

fn label(what: LockUse) -> &'static str {
    match what {
        LockUse::ReadHeld => "read_held",
        LockUse::ApplyHeld => "apply_held",
        LockUse::ApplyWaited => "apply_waited",
    }
}

#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
fn float(count: u64) -> f64 {
    count as f64
}
