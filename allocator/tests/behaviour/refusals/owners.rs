//! Releases of what owners hold.

use allocator::cascade::PoolCascade;
use allocator::command::{Command, PoolRef};
use allocator::owners::{OwnedBefore, OwnerHoldings, OwnerMatch, OwnerRelease};
use allocator::reconcile::{Live, Reconcile, Scope};

use crate::cascade::cascade;
use crate::owners::{listed, own, owned};
use crate::reconcile::live;
use crate::support::{Harness, child, labels, name, owner, root};

use super::*;

fn setup(harness: &mut Harness) {
    harness.pool(root("p", "10.0.0.0/24"));
    harness.pool(root("q", "10.1.0.0/24"));
    own(harness, "a", "p", "node-1");
    harness.pool(child("c", "q", "28"));
}

#[test]
fn releases_of_an_owner() {
    let with = |change: fn(&mut OwnerRelease, &mut OwnedBefore)| {
        let mut command = owned(OwnerMatch::Prefix(owner("node-1")), 4, Some(10_000));
        if let Command::OwnerRelease(release) = &mut command
            && let OwnerHoldings::Owned(mut owned) = release.what.clone()
        {
            owned.pools = vec![PoolRef {
                tenant: None,
                name: name("p"),
            }];
            change(release, &mut owned);
            release.what = OwnerHoldings::Owned(owned);
        }
        command
    };
    check(
        setup,
        with(|_, _| {}),
        vec![
            (
                given(with(|release, _| release.tenant = name("nobody"))),
                "tenant_not_found nobody",
            ),
            (
                given(with(|_, owned| owned.as_of_revision = 6)),
                "invalid_field asOfRevision",
            ),
            (
                given(with(|_, owned| owned.limit = Some(0))),
                "invalid_field limit",
            ),
            (
                given(with(|_, owned| owned.limit = Some(10_001))),
                "invalid_field limit",
            ),
            (
                given(with(|_, owned| owned.pools[0].name = name("nothing"))),
                "pool_not_found acme nothing",
            ),
            (
                given(with(|_, owned| owned.pools[0].tenant = Some(name("other")))),
                "pool_not_found other p",
            ),
        ],
    );
}

#[test]
fn releases_of_holdings() {
    let too_many = vec![("10.0.0.0/32", 1); 10_001];
    let mut nowhere = listed(&[("10.0.0.0/32", 1)]);
    if let Command::OwnerRelease(release) = &mut nowhere {
        release.tenant = name("nobody");
    }
    check(
        setup,
        listed(&[("10.0.0.0/32", 1)]),
        vec![
            (given(nowhere), "tenant_not_found nobody"),
            (given(listed(&too_many)), "too_many holdings 10001 10000"),
            (
                given(listed(&[("10.0.0.0/32", 1), ("10.0.0.1/32", 3)])),
                "invalid_field holdings[1].generation",
            ),
            (
                given(listed(&[("10.0.0.0/32", 0)])),
                "invalid_field holdings[0].generation",
            ),
            // A child pool holds it, not a claim.
            (
                given(listed(&[("10.0.0.0/32", 1), ("10.1.0.0/28", 2)])),
                "invalid_field holdings[1].cidr",
            ),
        ],
    );
}

#[test]
fn cascades() {
    let with = |change: fn(&mut PoolCascade)| {
        let mut command = cascade("q", 5, Some(10_000));
        if let Command::PoolCascade(cascade) = &mut command {
            cascade.if_revision = Some(3);
            change(cascade);
        }
        command
    };
    check(
        setup,
        with(|_| {}),
        vec![
            (
                given(with(|cascade| cascade.as_of_revision = 6)),
                "invalid_field asOfRevision",
            ),
            (
                given(with(|cascade| cascade.limit = Some(0))),
                "invalid_field limit",
            ),
            (
                given(with(|cascade| cascade.limit = Some(10_001))),
                "invalid_field limit",
            ),
            (
                given(with(|cascade| cascade.tenant = name("nobody"))),
                "tenant_not_found nobody",
            ),
            (
                given(with(|cascade| cascade.pool = name("nothing"))),
                "pool_not_found acme nothing",
            ),
            (
                given(with(|cascade| cascade.if_revision = Some(4))),
                "revision_mismatch 4 3",
            ),
        ],
    );
}

#[test]
fn live_sets() {
    let with = |change: fn(&mut Reconcile)| {
        let mut asked = live("", 1, 2, 0);
        (asked.as_of_revision, asked.release_at_most) = (Some(5), Some(1));
        change(&mut asked);
        crate::reconcile::given(asked)
    };
    check(
        setup,
        with(|_| {}),
        vec![
            (
                given(with(|asked| asked.as_of_revision = Some(6))),
                "invalid_field asOfRevision",
            ),
            (
                given(with(|asked| asked.sightings = 0)),
                "invalid_field sightings",
            ),
            (
                given(with(|asked| asked.sightings = 3)),
                "invalid_field sightings",
            ),
            (
                given(with(|asked| asked.scope = Scope::Labels(labels(&[])))),
                "invalid_field scope.labels",
            ),
            (
                given(with(|asked| {
                    asked.live = Live::Owners(vec![owner("node-1"); 5_001]);
                })),
                "too_many live 5001 5000",
            ),
            (
                given(with(|asked| {
                    asked.live = Live::Claims(vec![name("a"); 5_001]);
                })),
                "too_many liveClaims 5001 5000",
            ),
            (
                given(with(|asked| asked.tenant = name("nobody"))),
                "tenant_not_found nobody",
            ),
            (
                given(with(|asked| {
                    (asked.sightings, asked.release_at_most) = (1, Some(0));
                })),
                "too_many_suspects 1 0",
            ),
        ],
    );
}
