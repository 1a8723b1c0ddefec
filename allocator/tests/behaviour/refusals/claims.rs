//! Claims, releases, quotas, batches, and the commands of the cluster.

use allocator::command::Command;
use allocator::prefix::Family;

use crate::support::{
    Harness, TENANT, batch, block, bounds, child, claim, create_claim, from_pool, name,
    pool_delete, release, release_claim, root, tenant,
};

use super::*;

#[test]
fn claims() {
    let setup = |harness: &mut Harness| {
        harness.pool(bounds(root("p", "10.0.0.0/24"), Some(25), Some(28), None));
        harness.take("there", "p", "25");
    };
    let mut length_and_cidr = claim("c", "p", "10.0.0.128/26");
    length_and_cidr.prefix_length = Some(27);
    let mut family = claim("c", "p", "26");
    family.family = Some(Family::IPv6);
    let mut foreign = claim("c", "p", "26");
    foreign.from = from_pool("other/p");
    let mut nobody = claim("c", "p", "26");
    nobody.tenant = name("nobody");
    check(
        setup,
        claim("c", "p", "10.0.0.128/25"),
        vec![
            (given(length_and_cidr), "invalid_field prefixLength"),
            (given(nobody), "tenant_not_found nobody"),
            (
                given(claim("c", "nothing", "26")),
                "pool_not_found acme nothing",
            ),
            (given(foreign), "pool_not_found other p"),
            (
                given(claim("there", "p", "26")),
                "claim_mismatch there prefixLength",
            ),
            (given(family), "family_mismatch family IPv6 IPv4"),
            (
                given(claim("c", "p", "2001:db8::/64")),
                "family_mismatch cidr IPv6 IPv4",
            ),
            (given(claim("c", "p", "")), "length prefixLength None 25 28"),
            (
                given(claim("c", "p", "0")),
                "length prefixLength Some(0) 25 28",
            ),
            (
                given(claim("c", "p", "24")),
                "length prefixLength Some(24) 25 28",
            ),
            (
                given(claim("c", "p", "29")),
                "length prefixLength Some(29) 25 28",
            ),
            (
                given(claim("c", "p", "255")),
                "length prefixLength Some(255) 25 28",
            ),
            (
                given(claim("c", "p", "10.0.0.128/29")),
                "length cidr Some(29) 25 28",
            ),
            (given(claim("c", "p", "10.0.1.0/26")), "invalid_field cidr"),
            (
                given(claim("c", "p", "10.0.0.64/26")),
                "address_taken 10.0.0.64/26 10.0.0.0/25",
            ),
        ],
    );
    let mut harness = Harness::new();
    setup(&mut harness);
    harness.take("c", "p", "26");
    assert_eq!(
        line(&harness.refused(claim("d", "p", "25"))),
        "pool_exhausted 25 64 Some(26)"
    );
    assert_eq!(harness.take("d", "p", "26"), "10.0.0.192/26");
}

#[test]
fn the_first_field_that_differs_is_named() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    harness.pool(root("q", "10.1.0.0/24"));
    let spec = || {
        let mut spec = claim("c", "p", "28");
        spec.owner = Some(crate::support::owner("node-1"));
        spec.family = Some(Family::IPv4);
        spec
    };
    harness.claim(spec());
    let changes: [(Change, &str); 9] = [
        (|spec| spec.from = from_pool("q"), "pool"),
        (|spec| spec.from = from_pool("nothing"), "pool"),
        (|spec| spec.from = from_pool("other/p"), "pool"),
        (|spec| spec.prefix_length = Some(27), "prefixLength"),
        (|spec| spec.prefix_length = None, "prefixLength"),
        (|spec| spec.cidr = Some(block("10.0.0.0/28")), "cidr"),
        (|spec| spec.family = None, "family"),
        (|spec| spec.owner = None, "owner"),
        (
            |spec| (spec.prefix_length, spec.owner) = (None, None),
            "prefixLength",
        ),
    ];
    for (change, field) in changes {
        let mut other = spec();
        change(&mut other);
        assert_eq!(
            line(&harness.refused(other)),
            format!("claim_mismatch c {field}")
        );
    }
    let mut same = spec();
    same.from = from_pool(&format!("{TENANT}/p"));
    harness.ok(same);
}

#[test]
fn releases() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    assert_eq!(
        line(&harness.refused(release("c", None))),
        "claim_not_found c 0"
    );
    assert_eq!(
        line(&harness.refused(release("c", Some(1)))),
        "claim_not_found c 0"
    );
    let first = harness.claim(claim("c", "p", "")).generation;
    assert_eq!(
        line(&harness.refused(release("c", Some(first + 1)))),
        format!("generation_stale {} Some({first})", first + 1)
    );
    harness.ok(release("c", Some(first)));
    assert_eq!(
        line(&harness.refused(release("c", None))),
        format!("claim_not_found c {first}")
    );
    assert_eq!(
        line(&harness.refused(release("c", Some(first + 1)))),
        format!("claim_not_found c {first}")
    );
    let mut nobody = release("c", None);
    nobody.tenant = name("nobody");
    assert_eq!(line(&harness.refused(nobody)), "tenant_not_found nobody");
}

#[test]
fn quotas() {
    // Of which quota, its limit, the claims that pass, the one that does not, its refusal.
    let table = [
        ("claims", 2, "32 32", "32", "quota claims 2 2 1"),
        ("ipv4", 20, "28 30", "32", "quota ipv4Addresses 20 20 1"),
        ("ipv4", 20, "28", "29", "quota ipv4Addresses 20 16 8"),
        (
            "ipv6",
            3,
            "2001:db8::/63 2001:db8:1::/128",
            "2001:db8:2::/64",
            "quota ipv6Prefixes64 3 3 1",
        ),
        (
            "ipv6",
            3,
            "2001:db8::/64",
            "2001:db8:2::/62",
            "quota ipv6Prefixes64 3 1 4",
        ),
    ];
    for (quota, limit, pass, refused, expected) in table {
        let mut harness = Harness::default();
        let mut spec = tenant(TENANT);
        match quota {
            "claims" => spec.quota.claims = Some(limit),
            "ipv4" => spec.quota.ipv4_addresses = Some(limit),
            _ => spec.quota.ipv6_prefixes_64 = Some(u128::from(limit)),
        }
        harness.ok(spec);
        harness.pool(root(
            "p",
            if quota == "ipv6" {
                "2001:db8::/32"
            } else {
                "10.0.0.0/16"
            },
        ));
        let asked: Vec<_> = pass
            .split(' ')
            .enumerate()
            .map(|(place, wanted)| (format!("c{place}"), wanted))
            .collect();
        for (text, wanted) in &asked {
            harness.take(text, "p", wanted);
        }
        assert_eq!(
            line(&harness.refused(claim("more", "p", refused))),
            expected
        );
        for (text, _) in &asked {
            harness.release(text);
        }
        harness.claim(claim("more", "p", refused.replace("/62", "/63").as_str()));
    }
    let mut harness = Harness::default();
    let mut spec = tenant(TENANT);
    spec.quota.pools = Some(2);
    harness.ok(spec);
    harness.pool(root("p", "10.0.0.0/16"));
    harness.pool(child("kid", "p", "24"));
    assert_eq!(
        line(&harness.refused(root("q", "10.1.0.0/16"))),
        "quota pools 2 2 1"
    );
    assert_eq!(
        line(&harness.refused(child("kid2", "p", "24"))),
        "quota pools 2 2 1"
    );
    harness.ok(pool_delete("kid"));
    harness.pool(root("q", "10.1.0.0/16"));
}

#[test]
fn batches() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/31"));
    let too_many = (0..1_001)
        .map(|number| create_claim(&format!("c{number}"), "p", ""))
        .collect();
    assert_eq!(
        line(&harness.refused(batch(true, too_many))),
        "too_many operations 1001 1000"
    );
    let three = || {
        (0..3)
            .map(|number| create_claim(&format!("c{number}"), "p", ""))
            .collect()
    };
    assert_eq!(
        line(&harness.refused(batch(true, three()))),
        "batch 2 [not_applied; not_applied; pool_exhausted 32 0 None]"
    );
    let foreign = Command::Batch {
        tenant: name("nobody"),
        atomic: true,
        operations: three(),
    };
    assert_eq!(line(&harness.refused(foreign)), "tenant_not_found nobody");
    let mut other = claim("c", "p", "");
    other.tenant = name("other");
    let operations = vec![
        create_claim("c0", "p", ""),
        allocator::command::Operation::CreateClaim(Box::new(other)),
    ];
    assert_eq!(
        line(&harness.refused(batch(false, operations))),
        "invalid_field operations[1].tenant"
    );
    let absent = vec![
        create_claim("c0", "p", ""),
        release_claim("absent", None),
        create_claim("c1", "p", ""),
    ];
    assert_eq!(
        line(&harness.refused(batch(true, absent))),
        "batch 1 [not_applied; claim_not_found absent 0; not_applied]"
    );
    harness.ok(batch(
        true,
        vec![create_claim("c0", "p", ""), create_claim("c1", "p", "")],
    ));
}

#[test]
fn the_cluster_is_formed_once_and_versions_follow_each_other() {
    let mut harness = Harness::new();
    assert_eq!(harness.state.cluster_id(), None);
    harness.ok(Command::Form { cluster_id: 7 });
    let revision = harness.state.revision();
    harness.ok(Command::Form { cluster_id: 7 });
    harness.ok(Command::Tick);
    assert_eq!(harness.state.revision(), revision);
    assert_eq!(
        line(&harness.refused(Command::Form { cluster_id: 8 })),
        "already_formed 7"
    );
    assert_eq!(harness.state.cluster_id(), Some(7));
    for version in [0, 1, 3, u32::MAX] {
        let refused = harness.refused(Command::ActivateVersion { version });
        assert_eq!(line(&refused), format!("version_refused 1 {version}"));
    }
    harness.ok(Command::ActivateVersion { version: 2 });
    assert_eq!(harness.state.version(), 2);
}
