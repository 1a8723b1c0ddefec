//! Releases of all that an owner holds.

use allocator::answer::{Outcome, Rejection};
use allocator::owners::{OwnerHoldings, OwnerMatch, OwnerRelease};
use allocator::prefix::Prefix;

use super::Run;

/// Whole segments: `node-1` covers `node-1/eth0`, and never `node-10`.
fn means(owners: &OwnerMatch, owner: &str) -> bool {
    match owners {
        OwnerMatch::Exact(exact) => exact.as_str() == owner,
        OwnerMatch::Prefix(prefix) => {
            let mut segments = owner.split('/');
            prefix
                .as_str()
                .split('/')
                .all(|wanted| segments.next() == Some(wanted))
        }
    }
}

impl Run {
    pub(super) fn compare_owner_release(
        &mut self,
        release: &OwnerRelease,
        result: &Result<Outcome, Rejection>,
    ) {
        let OwnerHoldings::Owned(asked) = &release.what else {
            panic!("{release:?}")
        };
        let mut meant: Vec<(Prefix, String)> = self
            .model
            .claims
            .iter()
            .filter(|claim| {
                let owner = claim.owner.as_deref();
                owner.is_some_and(|owner| means(&asked.owners, owner))
                    && self.world.given[&claim.name] <= asked.as_of_revision
            })
            .map(|claim| (claim.block, claim.name.clone()))
            .collect();
        meant.sort();
        let remaining = asked.limit.map_or(0, |limit| {
            let most = meant.len().min(limit as usize);
            meant.split_off(most).len()
        });
        let Ok(Outcome::OwnerReleased(found)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(
            (found.released, found.remaining, found.already_ended),
            (meant.len() as u64, remaining as u64, 0)
        );
        for (block, text) in meant {
            let claims = &self.model.claims;
            let place = claims.iter().position(|claim| claim.name == text).unwrap();
            self.model.end(place);
            let generation = self.world.generations[&text];
            self.ended.insert((text, generation), block);
            self.world.kept.push((block, generation));
        }
    }
}
