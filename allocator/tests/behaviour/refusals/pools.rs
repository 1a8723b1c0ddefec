//! Pools: roots, children, deletion.

use allocator::answer::Rejection;
use allocator::command::{ChildBlock, Command, Gateway, PoolRef, PoolSource};
use allocator::prefix::Family;

use crate::support::{
    Harness, TENANT, address, block, bounds, child, exclude, gateway, name, pool_delete, root,
};

use super::*;

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
                "invalid_field exclude",
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
            // What can be told without the state comes before what is taken.
            (
                given(exclude(
                    root("p", "10.0.0.0/24 10.9.9.0/24"),
                    &[("10.0.1.0", "")],
                )),
                "invalid_field exclude[0]",
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
            (
                given(exclude(
                    child("kid", "p", "10.0.1.0/24"),
                    &[("10.0.0.1", "")],
                )),
                "invalid_field exclude[0]",
            ),
        ],
    );
}

#[test]
fn the_rules_of_a_pool_come_before_what_is_taken_and_the_quota_and_that_before_a_lack_of_room() {
    let mut harness = Harness::new();
    let mut tenant = crate::support::tenant("small");
    tenant.quota.pools = Some(2);
    harness.ok(tenant);
    let of_small = |mut spec: PoolSpec| {
        spec.tenant = name("small");
        spec
    };
    harness.pool(of_small(root("p", "10.0.0.0/24")));
    harness.pool(of_small(child("kid", "p", "25")));
    let refusal = |harness: &mut Harness, spec| line(&harness.refused(of_small(spec)));
    let outside = |spec| exclude(spec, &[("192.0.2.1", "")]);
    for (spec, expected) in [
        (outside(child("k", "p", "25")), "invalid_field exclude[0]"),
        (
            outside(child("k", "p", "10.0.0.0/25")),
            "invalid_field exclude[0]",
        ),
        (
            child("k", "p", "10.0.0.0/25"),
            "address_taken 10.0.0.0/25 10.0.0.0/25",
        ),
        (child("k", "p", "25"), "quota pools 2 2 1"),
        (child("k", "p", "24"), "quota pools 2 2 1"),
        (
            outside(root("k", "10.1.0.0/24")),
            "invalid_field exclude[0]",
        ),
        (root("k", "10.1.0.0/24"), "quota pools 2 2 1"),
    ] {
        assert_eq!(refusal(&mut harness, spec), expected);
    }
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
