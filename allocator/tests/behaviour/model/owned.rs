//! Releases of all that an owner holds, and of all that is under a pool.

use allocator::answer::{Outcome, Rejection};
use allocator::cascade::PoolCascade;
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

    pub(super) fn compare_cascade(
        &mut self,
        cascade: &PoolCascade,
        result: &Result<Outcome, Rejection>,
    ) {
        let text = cascade.pool.to_string();
        if self.model.pool(&text).is_none() {
            assert!(matches!(result, Err(Rejection::PoolNotFound { .. })));
            return;
        }
        // A child stands behind its parent.
        let mut gone = vec![text];
        for pool in &self.model.pools {
            if pool
                .parent
                .as_ref()
                .is_some_and(|parent| gone.contains(parent))
            {
                gone.push(pool.name.clone());
            }
        }
        let claims = self
            .model
            .claims
            .extract_if(.., |claim| gone.contains(&claim.pool));
        let ended: Vec<(String, Prefix)> = claims.map(|claim| (claim.name, claim.block)).collect();
        let kept = self.model.kept.len();
        self.model.kept.retain(|kept| !gone.contains(&kept.pool));
        let kept = kept - self.model.kept.len();
        self.model.pools.retain(|pool| !gone.contains(&pool.name));
        let Ok(Outcome::PoolCascaded(found)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(
            (found.released, found.reclaimed as usize, found.deleted),
            ((ended.len() + kept + gone.len() - 1) as u64, kept, true)
        );
        for (text, block) in ended {
            let generation = self.world.generations[&text];
            self.ended.insert((text, generation), block);
        }
    }
}
