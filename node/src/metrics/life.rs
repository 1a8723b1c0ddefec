//! What became of blocks with time: counted by the node that answered, or that leads.

use allocator::answer::Swept;

const EXPIRATIONS: &str = "ipam_expirations_total";
const RECLAIMS: &str = "ipam_reclaims_total";
const RETURNS: &str = "ipam_returns_total";

/// A holder got back the block that it had.
pub(crate) fn returned() {
    metrics::counter!(RETURNS).increment(1);
}

/// Kept blocks are free again.
pub(crate) fn reclaimed(count: u32) {
    metrics::counter!(RECLAIMS).increment(u64::from(count));
}

/// What was due has been done.
pub(crate) fn swept(swept: &Swept) {
    if swept.expired > 0 {
        metrics::counter!(EXPIRATIONS).increment(u64::from(swept.expired));
    }
    if swept.reclaimed > 0 {
        reclaimed(swept.reclaimed);
    }
}

pub(super) fn describe() {
    metrics::describe_counter!(EXPIRATIONS, "Leases that were over.");
    metrics::describe_counter!(
        RECLAIMS,
        "Kept blocks that are free again: their grace was over, or an operator reclaimed them."
    );
    metrics::describe_counter!(
        RETURNS,
        "Blocks that went back to the holder that they were kept for."
    );
    // A counter that nothing has happened to is there, and is zero.
    metrics::counter!(EXPIRATIONS).increment(0);
    metrics::counter!(RECLAIMS).increment(0);
    metrics::counter!(RETURNS).increment(0);
}
