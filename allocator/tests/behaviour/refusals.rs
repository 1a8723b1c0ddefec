//! Refusals: each beside the accepted command that it differs from in one thing, in order of
//! precedence. That a refusal changes nothing is checked by the harness.

use allocator::answer::Rejection;
use allocator::command::{ChildBlock, Command, Gateway, PoolRef, PoolSource, PoolSpec};
use allocator::prefix::Family;

use crate::support::{
    Given, Harness, TENANT, address, batch, block, bounds, child, claim, create_claim, exclude,
    gateway, name, pool_delete, release, release_claim, root, tenant,
};

/// A change of a claim that is asked for again.
type Change = fn(&mut allocator::command::ClaimSpec);

/// One line for a refusal: its name, and what it names.
fn line(rejection: &Rejection) -> String {
    match rejection {
        Rejection::VersionRefused { active, asked } => format!("version_refused {active} {asked}"),
        Rejection::AlreadyFormed { cluster_id } => format!("already_formed {cluster_id}"),
        Rejection::InvalidField(problems) => {
            let fields: Vec<&str> = problems
                .iter()
                .map(|problem| problem.field.as_str())
                .collect();
            format!("invalid_field {}", fields.join(" "))
        }
        Rejection::TenantNotFound { tenant } => format!("tenant_not_found {tenant}"),
        Rejection::PoolNotFound { tenant, pool } => format!("pool_not_found {tenant} {pool}"),
        Rejection::ClaimNotFound { claim, ended, .. } => {
            format!(
                "claim_not_found {claim} {}",
                ended.as_ref().map_or(0, |ended| ended.generation)
            )
        }
        Rejection::AllocationNotFound { space, cidr, .. } => {
            format!("allocation_not_found {space} {cidr}")
        }
        Rejection::AlreadyExists { name, field, .. } => format!("already_exists {name} {field}"),
        Rejection::ClaimMismatch { claim, field } => format!("claim_mismatch {claim} {field}"),
        Rejection::GenerationStale { given, current } => {
            format!("generation_stale {given} {current:?}")
        }
        Rejection::RevisionMismatch { given, current } => {
            format!("revision_mismatch {given} {current}")
        }
        Rejection::FamilyMismatch { field, asked, pool } => {
            format!("family_mismatch {field} {asked} {pool}")
        }
        Rejection::PrefixLengthOutOfBounds {
            field,
            asked,
            min,
            max,
        } => format!("length {field} {asked:?} {min} {max}"),
        Rejection::GatewayNotInSubnet {
            field,
            gateway,
            subnet,
        } => format!("gateway {field} {gateway} {subnet}"),
        Rejection::CidrOverlap { cidr, other, pool } => {
            format!("cidr_overlap {cidr} {other} {pool}")
        }
        Rejection::AddressTaken { cidr, held } => format!("address_taken {cidr} {}", held.cidr),
        Rejection::QuotaExceeded {
            quota,
            limit,
            used,
            asked,
        } => format!("quota {quota} {limit} {used} {asked}"),
        Rejection::PoolInUse {
            claims,
            children,
            holders,
            ..
        } => format!("pool_in_use {claims} {children} {}", holders.len()),
        Rejection::TenantInUse { pools, claims, .. } => format!("tenant_in_use {pools} {claims}"),
        Rejection::PoolExhausted {
            prefix_length,
            free,
            largest_free_prefix_length,
            ..
        } => {
            format!("pool_exhausted {prefix_length} {free} {largest_free_prefix_length:?}")
        }
        Rejection::TooMany { what, count, limit } => format!("too_many {what} {count} {limit}"),
        Rejection::BatchRefused {
            failed_index,
            reasons,
        } => {
            let reasons: Vec<String> = reasons.iter().map(line).collect();
            format!("batch {failed_index} [{}]", reasons.join("; "))
        }
        Rejection::NotApplied => String::from("not_applied"),
    }
}

/// Each row on a fresh state: the accepted command (as a dry run), then the refused ones.
fn check(setup: impl Fn(&mut Harness), accepted: impl Into<Given>, refused: Vec<(Given, &str)>) {
    let mut harness = Harness::new();
    setup(&mut harness);
    for (given, expected) in refused {
        assert_eq!(line(&harness.refused(given)), expected);
    }
    harness.ok(accepted);
}

fn given(command: impl Into<Given>) -> Given {
    command.into()
}

fn change(mut spec: PoolSpec, change: impl FnOnce(&mut PoolSpec)) -> Given {
    change(&mut spec);
    Given(Command::PoolCreate(Box::new(spec)))
}

#[test]
fn root_pools() {
    let setup = |harness: &mut Harness| {
        harness.pool(root("there", "10.9.0.0/16"));
    };
    let many: Vec<String> = (0..=256)
        .map(|number| format!("10.{}.{}.0/24", 100 + number / 256, number % 256))
        .collect();
    let too_many_exclusions = vec![("10.0.0.1", "x"); 1_001];
    let one = || root("p", "10.0.0.0/24 10.1.0.0/26");
    check(
        setup,
        one(),
        vec![
            (given(root("p", "")), "invalid_field cidrs"),
            (given(root("p", &many.join(" "))), "invalid_field cidrs"),
            (
                given(exclude(one(), &too_many_exclusions)),
                "too_many exclude 1001 1000",
            ),
            (
                given(exclude(one(), &[("10.0.0.9-10.0.0.1", "")])),
                "invalid_field exclude[0]",
            ),
            (
                change(one(), |spec| {
                    spec.owner = Some(crate::support::owner("node-1"));
                }),
                "invalid_field owner",
            ),
            (
                change(one(), |spec| spec.tenant = name("nobody")),
                "tenant_not_found nobody",
            ),
            (
                given(root("there", "10.0.0.0/24")),
                "already_exists there cidrs",
            ),
            (
                change(one(), |spec| spec.family = Some(Family::IPv6)),
                "family_mismatch family IPv6 IPv4",
            ),
            (
                given(root("p", "10.0.0.0/24 2001:db8::/64")),
                "family_mismatch cidrs[1] IPv6 IPv4",
            ),
            (
                given(root("p", "10.0.0.0/24 10.0.0.128/25")),
                "invalid_field cidrs[1]",
            ),
            (
                given(root("p", "10.0.0.0/25 10.2.0.0/24 10.0.0.0/24")),
                "invalid_field cidrs[0]",
            ),
            (
                given(bounds(one(), Some(23), None, None)),
                "invalid_field minPrefixLength",
            ),
            (
                given(bounds(one(), Some(33), None, None)),
                "invalid_field minPrefixLength",
            ),
            (
                given(bounds(one(), Some(28), Some(27), None)),
                "invalid_field maxPrefixLength",
            ),
            (
                given(bounds(one(), None, Some(33), None)),
                "invalid_field maxPrefixLength",
            ),
            (
                given(bounds(one(), Some(26), Some(28), Some(25))),
                "invalid_field defaultPrefixLength",
            ),
            (
                given(bounds(one(), Some(26), Some(28), Some(29))),
                "invalid_field defaultPrefixLength",
            ),
            (
                given(bounds(one(), None, None, Some(23))),
                "invalid_field defaultPrefixLength",
            ),
            (
                change(one(), |spec| spec.subnet = Some(block("10.0.0.0/24"))),
                "invalid_field subnet",
            ),
            (
                change(one(), |spec| spec.subnet = Some(block("2001:db8::/32"))),
                "family_mismatch subnet IPv6 IPv4",
            ),
            (
                given(gateway(one(), Gateway::Address(address("10.0.0.1")))),
                "gateway gateway 10.0.0.1 10.1.0.0/26",
            ),
            (
                given(gateway(one(), Gateway::Address(address("fe80::1")))),
                "family_mismatch gateway IPv6 IPv4",
            ),
            (
                given(root("p", "10.8.0.0/15")),
                "cidr_overlap 10.8.0.0/15 10.9.0.0/16 there",
            ),
            (
                given(root("p", "10.0.0.0/24 10.9.9.0/24")),
                "cidr_overlap 10.9.9.0/24 10.9.0.0/16 there",
            ),
            (
                given(exclude(one(), &[("10.0.0.1", ""), ("2001:db8::1", "")])),
                "family_mismatch exclude[1] IPv6 IPv4",
            ),
            (
                given(exclude(
                    one(),
                    &[("10.0.0.1", ""), ("10.0.0.250-10.0.1.3", "")],
                )),
                "invalid_field exclude[1]",
            ),
        ],
    );
}

#[test]
fn the_fields_of_one_cidr_are_named() {
    let setup = |_: &mut Harness| {};
    let spec = |subnet: &str, rule: Gateway| {
        let mut spec = root("p", "10.0.0.0/24 10.1.0.0/24");
        if let PoolSource::Root { cidrs, .. } = &mut spec.source {
            cidrs[1].subnet = Some(block(subnet));
            cidrs[1].gateway = Some(rule);
        }
        spec
    };
    check(
        setup,
        spec("10.1.0.0/16", Gateway::Address(address("10.1.200.1"))),
        vec![
            (
                given(spec("10.1.0.0/25", Gateway::First)),
                "invalid_field cidrs[1].subnet",
            ),
            (
                given(spec("10.1.0.0/16", Gateway::Address(address("10.2.0.1")))),
                "gateway cidrs[1].gateway 10.2.0.1 10.1.0.0/16",
            ),
        ],
    );
}

#[test]
fn child_pools() {
    let setup = |harness: &mut Harness| {
        harness.pool(bounds(root("p", "10.0.0.0/22"), Some(24), Some(26), None));
        harness.pool(child("there", "p", "10.0.1.0/24"));
    };
    let foreign = PoolRef {
        tenant: Some(name("other")),
        name: name("p"),
    };
    check(
        setup,
        child("kid", "p", "10.0.2.0/24"),
        vec![
            (
                given(child("kid", "nothing", "24")),
                "pool_not_found acme nothing",
            ),
            (
                change(child("kid", "p", "24"), |spec| {
                    spec.source = PoolSource::Child {
                        parent: foreign,
                        block: ChildBlock::Length(24),
                    };
                }),
                "pool_not_found other p",
            ),
            (
                given(child("there", "p", "10.0.2.0/24")),
                "already_exists there cidr",
            ),
            (
                given(child("there", "p", "24")),
                "already_exists there prefixLength",
            ),
            (
                given(root("there", "10.0.2.0/24")),
                "already_exists there parent",
            ),
            (
                change(child("kid", "p", "24"), |spec| {
                    spec.family = Some(Family::IPv6);
                }),
                "family_mismatch family IPv6 IPv4",
            ),
            (
                given(child("kid", "p", "2001:db8::/64")),
                "family_mismatch cidr IPv6 IPv4",
            ),
            (
                given(child("kid", "p", "23")),
                "length prefixLength Some(23) 24 26",
            ),
            (
                given(child("kid", "p", "27")),
                "length prefixLength Some(27) 24 26",
            ),
            (
                given(child("kid", "p", "10.0.2.0/23")),
                "length cidr Some(23) 24 26",
            ),
            (
                given(bounds(child("kid", "p", "24"), Some(23), None, None)),
                "invalid_field minPrefixLength",
            ),
            (
                given(child("kid", "p", "10.1.0.0/24")),
                "invalid_field cidr",
            ),
            (
                given(child("kid", "p", "10.0.1.64/26")),
                "address_taken 10.0.1.64/26 10.0.1.0/24",
            ),
            (
                change(child("kid", "p", "10.0.2.0/24"), |spec| {
                    spec.subnet = Some(block("10.0.2.0/25"));
                }),
                "invalid_field subnet",
            ),
            (
                given(gateway(
                    child("kid", "p", "10.0.2.0/24"),
                    Gateway::Address(address("10.0.0.1")),
                )),
                "gateway gateway 10.0.0.1 10.0.2.0/24",
            ),
            (
                given(exclude(
                    child("kid", "p", "10.0.2.0/24"),
                    &[("10.0.0.1", "")],
                )),
                "invalid_field exclude[0]",
            ),
        ],
    );
}

#[test]
fn pools_nest_sixteen_deep() {
    let mut harness = Harness::new();
    harness.pool(root("p1", "10.0.0.0/8"));
    for depth in 2..=16 {
        harness.pool(child(
            &format!("p{depth}"),
            &format!("p{}", depth - 1),
            &format!("{}", 7 + depth),
        ));
    }
    assert_eq!(
        line(&harness.refused(child("p17", "p16", "24"))),
        "invalid_field parent"
    );
    assert_eq!(harness.take("c", "p16", ""), "10.0.0.0/32");
    assert_eq!(
        line(&harness.refused(child("kid", "p16", "32"))),
        "invalid_field parent"
    );
}

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
    foreign.pool.tenant = Some(name("other"));
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
        (|spec| spec.pool.name = name("q"), "pool"),
        (|spec| spec.pool.name = name("nothing"), "pool"),
        (|spec| spec.pool.tenant = Some(name("other")), "pool"),
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
    same.pool.tenant = Some(name(TENANT));
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
fn deletions() {
    let mut harness = Harness::new();
    let delete_tenant = || Command::TenantDelete {
        tenant: name(TENANT),
    };
    harness.pool(root("p", "10.0.0.0/24"));
    harness.pool(child("kid", "p", "26"));
    for number in 0..12 {
        harness.take(&format!("c{number}"), "p", "");
    }
    assert_eq!(
        line(&harness.refused(pool_delete("p"))),
        "pool_in_use 12 1 10"
    );
    let Rejection::PoolInUse { holders, .. } = harness.refused(pool_delete("p")) else {
        panic!()
    };
    assert_eq!(holders[0].child, Some((name(TENANT), name("kid"))));
    assert_eq!(holders[1].cidr, block("10.0.0.64/32"));
    assert_eq!(
        line(&harness.refused(delete_tenant())),
        "tenant_in_use 2 12"
    );
    assert_eq!(
        line(&harness.refused(pool_delete("nothing"))),
        "pool_not_found acme nothing"
    );
    for number in 0..12 {
        harness.release(&format!("c{number}"));
    }
    assert_eq!(
        line(&harness.refused(pool_delete("p"))),
        "pool_in_use 0 1 1"
    );
    harness.ok(pool_delete("kid"));
    let revision = harness.view("p").revision;
    let stale = Command::PoolDelete {
        tenant: name(TENANT),
        pool: name("p"),
        if_revision: Some(revision + 1),
    };
    assert_eq!(
        line(&harness.refused(stale)),
        format!("revision_mismatch {} {revision}", revision + 1)
    );
    harness.ok(Command::PoolDelete {
        tenant: name(TENANT),
        pool: name("p"),
        if_revision: Some(revision),
    });
    harness.ok(delete_tenant());
    assert_eq!(
        line(&harness.refused(delete_tenant())),
        "tenant_not_found acme"
    );
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
