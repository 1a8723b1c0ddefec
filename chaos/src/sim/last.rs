//! What a node says in the end: all claims, and the digest of its state.

use allocator::filter::ClaimFilter;
use anyhow::{Result, anyhow, bail, ensure};
use node::replica::Replica;
use raft_store::DigestAnswer;

use super::clients::pools;
use crate::history::{Held, What};

/// More than there can be.
const CLAIMS_MAX: usize = 100_000;

/// All claims, and the revision at which they are listed.
pub(super) fn claims(replica: &Replica) -> Result<(u64, Vec<Held>)> {
    replica.applied().read(|state| {
        let mut held = Vec::new();
        let mut after = None;
        loop {
            let filter = ClaimFilter::default();
            let page = state
                .claims(&pools::tenant(), &filter, after.as_ref(), CLAIMS_MAX)
                .map_err(|rejection| anyhow!("{rejection:?}"))?;
            held.extend(page.items.into_iter().map(|claim| Held {
                name: claim.spec.name.to_string(),
                block: claim.block.to_string(),
                generation: claim.generation,
            }));
            ensure!(held.len() < CLAIMS_MAX, "the list has an end");
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((state.revision(), held)),
            }
        }
    })
}

/// The digest at a revision.
pub(super) fn digest(node: u64, revision: u64, replica: &Replica) -> Result<What> {
    match replica.applied().digest_at(Some(revision)) {
        DigestAnswer::At(mark) => Ok(What::Digest {
            node,
            revision,
            index: mark.index,
            digest: format!("{:032x}", mark.digest),
        }),
        other @ (DigestAnswer::NotYet | DigestAnswer::Gone { .. }) => {
            bail!("node {node} has no digest at revision {revision}: {other:?}")
        }
    }
}
