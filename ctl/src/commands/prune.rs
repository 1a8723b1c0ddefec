//! What `apply --prune` deletes: pools and claims that carry the label and that no file describes.
//!
//! Tenants are never pruned: what a label says of one is too little to end all that it holds.

use std::collections::{BTreeMap, BTreeSet};

use allocator::name::Name;
use client::Filter;

use super::{Context, collect};
use crate::confirm::confirm;
use crate::failure::{Failure, is_outage};
use crate::manifest::{Key, Kind};
use crate::output;
use crate::progress::Progress;

/// What will be deleted, in this order: claims, then pools, children before their parents.
#[derive(Debug, Default)]
pub(super) struct Doomed(Vec<(Key, u64)>);

/// What the selector finds in the tenants of the files, and in that of `--tenant`, and that is not among
/// `kept`. Each with the generation or revision that it was found with: what becomes of it later is not meant.
pub(super) async fn find(
    context: &Context,
    selector: &str,
    kept: BTreeSet<Key>,
) -> Result<Doomed, Failure> {
    let stated = context.settings.stated_tenant();
    let tenants: BTreeSet<Name> = kept
        .iter()
        .map(|key| key.tenant.clone())
        .chain(stated.cloned())
        .collect();
    let (mut claims, mut pools) = (Vec::new(), Vec::new());
    for tenant in &tenants {
        let filter = Filter::new().by("labelSelector", selector);
        let page = |filter: Filter| async move { context.client.claim_list(tenant, &filter).await };
        let found = match collect(filter.clone(), None, page).await {
            Ok((found, _)) => found,
            // A tenant that the files are about to make holds nothing.
            Err(failure) if failure.exit_code() == 4 => continue,
            Err(failure) => return Err(failure),
        };
        claims.extend(found.into_iter().map(|claim| {
            let key = Key {
                kind: Kind::Claim,
                tenant: tenant.clone(),
                name: claim.name,
            };
            (key, claim.status.generation)
        }));
        let page = |filter: Filter| async move { context.client.pool_list(tenant, &filter).await };
        let (found, _) = collect(filter, None, page).await?;
        pools.extend(found.into_iter().map(|pool| {
            let parent = pool.parent.as_ref().and_then(|parent| {
                let of = parent.tenant.as_deref().unwrap_or(tenant.as_str());
                Key::pool(of, &parent.name)
            });
            let key = Key {
                kind: Kind::Pool,
                tenant: tenant.clone(),
                name: pool.name,
            };
            (key, pool.status.revision, parent)
        }));
    }
    let parents: BTreeMap<Key, Key> = pools
        .iter()
        .filter_map(|(key, _, parent)| Some((key.clone(), parent.clone()?)))
        .collect();
    let depth = |key: &Key| {
        std::iter::successors(Some(key), |key| parents.get(*key))
            .take(parents.len() + 1)
            .count()
    };
    pools.sort_by_cached_key(|(key, _, _)| std::cmp::Reverse(depth(key)));
    let pools = pools.into_iter().map(|(key, revision, _)| (key, revision));
    let all = claims.into_iter().chain(pools);
    Ok(Doomed(all.filter(|(key, _)| !kept.contains(key)).collect()))
}

impl Doomed {
    /// How many will be.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Nothing will be.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Shows what will go, and goes on only when the user types how many there are.
    pub(super) async fn confirm(&self, yes: bool) -> Result<(), Failure> {
        if self.is_empty() || yes {
            return Ok(());
        }
        for (key, _) in &self.0 {
            output::note(&format!("no file describes {key}"));
        }
        let count = self.0.len().to_string();
        confirm(&format!("{count} will be deleted"), &count, false).await
    }

    /// Deletes them, each for itself, or asks what that would do; until the cluster serves no longer.
    pub(super) async fn delete(
        self,
        context: &Context,
        dry_run: bool,
    ) -> Vec<(Key, Result<(), client::Error>)> {
        let mut outcomes = Vec::new();
        let progress = Progress::of_things(self.count());
        for (key, fence) in self.0 {
            progress.done(outcomes.len());
            let outcome = match (dry_run, key.kind) {
                // A pool holds what is only to go before it, so that a dry run would be refused.
                (true, _) => Ok(()),
                (false, Kind::Claim) => {
                    let claim = context.client.claim_release(&key.tenant, &key.name, fence);
                    claim.await.map(drop)
                }
                (false, _) => {
                    let client = &context.client;
                    let pool = client.pool_delete(&key.tenant, &key.name, Some(fence));
                    pool.await.map(drop)
                }
            };
            let goes_on = !matches!(&outcome, Err(error) if is_outage(error));
            outcomes.push((key, outcome));
            if !goes_on {
                break;
            }
        }
        progress.end();
        outcomes
    }
}
