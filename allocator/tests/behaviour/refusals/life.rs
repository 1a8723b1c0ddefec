//! Grace, leases, confirmations and reclaims.

use allocator::command::{AllocationReclaim, ClaimConfirm, ClaimRenew, Command};
use allocator::life::{PoolLife, ReclaimPolicy};

use crate::support::{Harness, TENANT, block, claim, living, name, owner, root};

use super::*;

#[test]
fn pools_with_a_life() {
    let spec = living(
        root("p", "10.0.0.0/24"),
        PoolLife {
            grace_seconds: Some(10),
            reclaim_policy: Some(ReclaimPolicy::Retain),
            max_grace_seconds: Some(10),
            allow_retain: Some(true),
            max_ttl_seconds: Some(1),
        },
    );
    check(
        |_| {},
        spec.clone(),
        vec![
            (
                change(spec.clone(), |spec| spec.life.max_grace_seconds = Some(9)),
                "invalid_field graceSeconds",
            ),
            (
                change(spec.clone(), |spec| spec.life.allow_retain = Some(false)),
                "invalid_field reclaimPolicy",
            ),
            (
                change(spec, |spec| spec.life.max_ttl_seconds = Some(0)),
                "invalid_field maxTtlSeconds",
            ),
        ],
    );
}

#[test]
fn claims_with_a_life() {
    let setup = |harness: &mut Harness| {
        let life = PoolLife {
            grace_seconds: Some(10),
            max_ttl_seconds: Some(60),
            ..PoolLife::default()
        };
        harness.pool(living(root("p", "10.0.0.0/24"), life));
        harness.take("there", "p", "");
    };
    let with = |change: fn(&mut allocator::command::ClaimSpec)| {
        let mut spec = claim("c", "p", "");
        (spec.life.ttl_seconds, spec.life.grace_seconds) = (Some(60), Some(10));
        spec.life.reclaim_policy = Some(ReclaimPolicy::Delete);
        change(&mut spec);
        spec
    };
    check(
        setup,
        with(|_| {}),
        vec![
            (
                given(with(|spec| spec.name = name("there"))),
                "claim_mismatch there graceSeconds",
            ),
            (
                given(with(|spec| {
                    spec.name = name("there");
                    spec.life.grace_seconds = None;
                })),
                "claim_mismatch there reclaimPolicy",
            ),
            (
                given(with(|spec| spec.prefix_length = Some(33))),
                "length prefixLength Some(33) 24 32",
            ),
            (
                given(with(|spec| spec.life.ttl_seconds = Some(0))),
                "invalid_field ttlSeconds",
            ),
            (
                given(with(|spec| spec.life.ttl_seconds = Some(61))),
                "invalid_field ttlSeconds",
            ),
            (
                given(with(|spec| spec.life.grace_seconds = Some(11))),
                "invalid_field graceSeconds",
            ),
            (
                given(with(|spec| {
                    spec.life.reclaim_policy = Some(ReclaimPolicy::Retain);
                })),
                "invalid_field reclaimPolicy",
            ),
        ],
    );
}

#[test]
fn confirmations_and_renewals() {
    let setup = |harness: &mut Harness| {
        let life = PoolLife {
            max_ttl_seconds: Some(60),
            ..PoolLife::default()
        };
        harness.pool(living(root("p", "10.0.0.0/24"), life));
        let mut spec = claim("c", "p", "");
        spec.owner = Some(owner("node-1"));
        harness.claim(spec);
        harness.take("unowned", "p", "");
    };
    let confirm = |tenant: &str, text: &str, key: Option<&str>, generation| {
        Command::ClaimConfirm(ClaimConfirm {
            tenant: name(tenant),
            name: name(text),
            owner: key.map(owner),
            generation,
        })
    };
    let renew = |text: &str, key: Option<&str>, generation, ttl_seconds| {
        Command::ClaimRenew(ClaimRenew {
            tenant: name(TENANT),
            name: name(text),
            owner: key.map(owner),
            generation,
            ttl_seconds,
        })
    };
    let one = Some("node-1");
    check(
        setup,
        confirm(TENANT, "c", one, Some(1)),
        vec![
            (
                given(confirm("nobody", "c", one, Some(1))),
                "tenant_not_found nobody",
            ),
            (
                given(confirm(TENANT, "d", one, Some(1))),
                "claim_not_found d 0",
            ),
            (
                given(confirm(TENANT, "c", None, Some(1))),
                "not_the_holder c",
            ),
            // Another's generation is nobody's business.
            (
                given(confirm(TENANT, "c", Some("node-10"), Some(9))),
                "not_the_holder c",
            ),
            (
                given(confirm(TENANT, "unowned", one, None)),
                "not_the_holder unowned",
            ),
            (
                given(confirm(TENANT, "c", one, Some(2))),
                "generation_stale 2 Some(1)",
            ),
        ],
    );
    check(
        setup,
        renew("c", one, Some(1), Some(60)),
        vec![
            (
                given(renew("d", one, Some(1), Some(60))),
                "claim_not_found d 0",
            ),
            (
                given(renew("c", None, Some(1), Some(60))),
                "not_the_holder c",
            ),
            (
                given(renew("c", one, Some(2), Some(60))),
                "generation_stale 2 Some(1)",
            ),
            (
                given(renew("c", one, Some(1), Some(0))),
                "invalid_field ttlSeconds",
            ),
            (
                given(renew("c", one, Some(1), Some(61))),
                "invalid_field ttlSeconds",
            ),
        ],
    );
}

#[test]
fn reclaims() {
    let setup = |harness: &mut Harness| {
        let life = PoolLife {
            grace_seconds: Some(10),
            ..PoolLife::default()
        };
        harness.pool(living(root("p", "10.0.0.0/24"), life));
        harness.take("a", "p", "");
        harness.take("b", "p", "");
        harness.release("a");
    };
    let reclaim = |tenant: &str, space: &str, cidr: &str, generation| {
        Command::AllocationReclaim(AllocationReclaim {
            tenant: name(tenant),
            space: name(space),
            cidr: block(cidr),
            generation,
        })
    };
    check(
        setup,
        reclaim(TENANT, "default", "10.0.0.0/32", 1),
        vec![
            (
                given(reclaim("nobody", "default", "10.0.0.0/32", 1)),
                "tenant_not_found nobody",
            ),
            (
                given(reclaim(TENANT, "other", "10.0.0.0/32", 1)),
                "allocation_not_found other 10.0.0.0/32",
            ),
            (
                given(reclaim(TENANT, "default", "10.0.0.2/32", 1)),
                "allocation_not_found default 10.0.0.2/32",
            ),
            (
                given(reclaim(TENANT, "default", "10.0.0.0/32", 2)),
                "generation_stale 2 Some(1)",
            ),
            (
                given(reclaim(TENANT, "default", "10.0.0.1/32", 2)),
                "not_released 10.0.0.1/32 Allocated",
            ),
        ],
    );
}
