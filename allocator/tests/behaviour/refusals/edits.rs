//! Edits that are refused.

use allocator::command::{Gateway, PoolRef};
use allocator::edit::{
    ClaimChange, ClaimEdit, LabelsChange, PoolChange, PoolEdit, TenantChange, TenantEdit,
};
use allocator::prefix::Family;

use crate::support::{
    Harness, TENANT, address, block, bounds, child, cidrs, exclusions, name, owner, pool_edit,
    root, tenant,
};

use super::*;

fn many_labels() -> LabelsChange {
    LabelsChange {
        clear: false,
        entries: (0..65)
            .map(|number| (format!("k{number}").into(), Some("v".into())))
            .collect(),
    }
}

#[test]
fn edits_of_pools() {
    let setup = |harness: &mut Harness| {
        harness.pool(bounds(
            root("p", "10.0.0.0/24 10.0.1.0/24"),
            None,
            None,
            Some(28),
        ));
        harness.pool(root("other", "10.9.0.0/16"));
        harness.take("c", "p", "10.0.1.16/28");
        harness.pool(child("kid", "p", "10.0.1.32/28"));
    };
    let edit = |change: PoolChange| given(pool_edit("p", vec![change]));
    let mut stale = PoolEdit {
        tenant: name(TENANT),
        pool: name("p"),
        if_revision: Some(1),
        changes: vec![],
    };
    let stale_one = given(Command::PoolEdit(Box::new(stale.clone())));
    stale.tenant = name("nobody");
    let many: Vec<String> = (0..=256)
        .map(|number| format!("10.{}.{}.0/24", 100 + number / 256, number % 256))
        .collect();
    check(
        setup,
        pool_edit(
            "p",
            vec![
                cidrs("10.0.1.0/24 10.2.0.0/20"),
                PoolChange::MinPrefixLength(Some(20)),
                PoolChange::Drain(true),
            ],
        ),
        vec![
            (
                given(Command::PoolEdit(Box::new(stale))),
                "tenant_not_found nobody",
            ),
            (
                given(pool_edit("nothing", vec![])),
                "pool_not_found acme nothing",
            ),
            (stale_one, "revision_mismatch 1 2"),
            // What is immutable is told all at once.
            (
                given(pool_edit(
                    "p",
                    vec![
                        PoolChange::Name(Some(name("q"))),
                        PoolChange::Space(Some(name("blue"))),
                        PoolChange::Family(Some(Family::IPv6)),
                        PoolChange::Parent(Some(PoolRef {
                            tenant: None,
                            name: name("other"),
                        })),
                        PoolChange::PrefixLength(Some(24)),
                        PoolChange::Cidr(Some(block("10.0.0.0/24"))),
                        PoolChange::Owner(Some(owner("node-1"))),
                    ],
                )),
                "invalid_field name space family parent prefixLength cidr owner",
            ),
            (edit(PoolChange::Name(None)), "invalid_field name"),
            (edit(cidrs("")), "invalid_field cidrs"),
            (edit(cidrs(&many.join(" "))), "invalid_field cidrs"),
            (
                edit(cidrs("10.0.0.0/24 10.0.1.0/24 10.0.0.0/25")),
                "invalid_field cidrs[2]",
            ),
            (
                edit(cidrs("10.0.0.0/24 10.0.1.0/24 2001:db8::/64")),
                "family_mismatch cidrs[2] IPv6 IPv4",
            ),
            (
                edit(PoolChange::MinPrefixLength(Some(23))),
                "invalid_field minPrefixLength",
            ),
            (
                edit(PoolChange::MaxPrefixLength(Some(23))),
                "invalid_field maxPrefixLength",
            ),
            (
                edit(PoolChange::MaxPrefixLength(Some(27))),
                "invalid_field defaultPrefixLength",
            ),
            (
                edit(PoolChange::DefaultPrefixLength(Some(33))),
                "invalid_field defaultPrefixLength",
            ),
            (
                edit(PoolChange::UsableOnly(true)),
                "invalid_field usableOnly",
            ),
            (
                given(pool_edit(
                    "p",
                    vec![
                        PoolChange::PrivateOnly(true),
                        cidrs("10.0.0.0/24 10.0.1.0/24 8.0.0.0/24"),
                    ],
                )),
                "not_private cidrs[2] 8.0.0.0/24",
            ),
            (
                edit(PoolChange::Subnet(Some(block("10.0.0.0/25")))),
                "invalid_field subnet",
            ),
            (
                edit(PoolChange::Gateway(Some(Gateway::Address(address(
                    "10.7.0.1",
                ))))),
                "gateway gateway 10.7.0.1 10.0.0.0/24",
            ),
            (
                edit(exclusions(&[("10.0.2.0", "")])),
                "invalid_field exclude[0]",
            ),
            (
                edit(exclusions(&vec![("10.0.0.1", ""); 1_001])),
                "invalid_field exclude",
            ),
            (
                edit(PoolChange::Labels(many_labels())),
                "invalid_field labels",
            ),
            (
                edit(PoolChange::Annotations(many_labels())),
                "invalid_field annotations",
            ),
            (
                edit(cidrs("10.0.0.0/24 10.0.1.0/24 10.9.1.0/24")),
                "cidr_overlap 10.9.1.0/24 10.9.0.0/16 other",
            ),
            (
                edit(cidrs("10.0.0.0/24 10.0.1.0/24 10.8.0.0/15")),
                "cidr_overlap 10.8.0.0/15 10.9.0.0/16 other",
            ),
            (edit(cidrs("10.0.0.0/24")), "cidr_in_use 10.0.1.0/24 2"),
            (
                edit(cidrs("10.0.0.0/24 10.3.0.0/24")),
                "cidr_in_use 10.0.1.0/24 2",
            ),
        ],
    );
}

#[test]
fn edits_of_child_pools() {
    let setup = |harness: &mut Harness| {
        harness.pool(root("p", "10.0.0.0/16"));
        let mut spec = child("kid", "p", "24");
        spec.owner = Some(owner("node-1"));
        harness.pool(spec);
    };
    let edit = |change: PoolChange| given(pool_edit("kid", vec![change]));
    check(
        setup,
        // What was read can be sent back.
        pool_edit(
            "kid",
            vec![
                PoolChange::Name(Some(name("kid"))),
                PoolChange::Family(Some(Family::IPv4)),
                PoolChange::Parent(Some(PoolRef {
                    tenant: Some(name(TENANT)),
                    name: name("p"),
                })),
                PoolChange::PrefixLength(Some(24)),
                PoolChange::Cidr(None),
                PoolChange::Owner(Some(owner("node-1"))),
                PoolChange::Space(None),
                PoolChange::MaxPrefixLength(Some(28)),
            ],
        ),
        vec![
            (edit(PoolChange::Owner(None)), "invalid_field owner"),
            (
                edit(PoolChange::PrefixLength(None)),
                "invalid_field prefixLength",
            ),
            (edit(PoolChange::Parent(None)), "invalid_field parent"),
            (edit(cidrs("10.0.1.0/24")), "invalid_field cidrs"),
            (
                edit(PoolChange::MinPrefixLength(Some(23))),
                "invalid_field minPrefixLength",
            ),
        ],
    );
}

#[test]
fn edits_of_tenants_and_claims() {
    let setup = |harness: &mut Harness| {
        harness.ok(tenant("other"));
        harness.pool(root("p", "10.0.0.0/24"));
        harness.take("c", "p", "28");
    };
    let tenant_edit = |changes: Vec<TenantChange>| {
        given(Command::TenantEdit(Box::new(TenantEdit {
            tenant: name(TENANT),
            changes,
        })))
    };
    check(
        setup,
        tenant_edit(vec![
            TenantChange::Name(Some(name(TENANT))),
            TenantChange::QuotaClaims(Some(0)),
        ]),
        vec![
            (
                given(Command::TenantEdit(Box::new(TenantEdit {
                    tenant: name("nobody"),
                    changes: vec![],
                }))),
                "tenant_not_found nobody",
            ),
            (
                tenant_edit(vec![TenantChange::Name(Some(name("other")))]),
                "invalid_field name",
            ),
            (
                tenant_edit(vec![TenantChange::Labels(many_labels())]),
                "invalid_field labels",
            ),
        ],
    );
    let claim_edit = |text: &str, changes: Vec<ClaimChange>| {
        given(Command::ClaimEdit(Box::new(ClaimEdit {
            tenant: name(TENANT),
            name: name(text),
            changes,
        })))
    };
    let pool = |text: &str| PoolRef {
        tenant: None,
        name: name(text),
    };
    check(
        setup,
        claim_edit(
            "c",
            vec![
                ClaimChange::Name(Some(name("c"))),
                ClaimChange::Pool(Some(pool("p"))),
                ClaimChange::PrefixLength(Some(28)),
                ClaimChange::Cidr(Some(block("10.0.0.0/28"))),
                ClaimChange::Within(vec![]),
                ClaimChange::Family(Some(Family::IPv4)),
                ClaimChange::Owner(None),
                ClaimChange::Description("d".into()),
            ],
        ),
        vec![
            (claim_edit("nothing", vec![]), "claim_not_found nothing 0"),
            (
                claim_edit(
                    "c",
                    vec![
                        ClaimChange::Name(Some(name("d"))),
                        ClaimChange::Pool(Some(pool("q"))),
                        ClaimChange::PrefixLength(Some(29)),
                        ClaimChange::Cidr(Some(block("10.0.0.16/28"))),
                        ClaimChange::Within(vec![block("10.0.0.0/28").into()]),
                        ClaimChange::Family(Some(Family::IPv6)),
                        ClaimChange::Owner(Some(owner("n"))),
                    ],
                ),
                "invalid_field name pool prefixLength cidr within family owner",
            ),
            (
                claim_edit("c", vec![ClaimChange::Pool(None)]),
                "invalid_field pool",
            ),
            (
                claim_edit("c", vec![ClaimChange::Annotations(many_labels())]),
                "invalid_field annotations",
            ),
        ],
    );
}
