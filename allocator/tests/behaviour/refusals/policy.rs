//! What a pool's policy refuses.

use crate::support::{Harness, bounds, child, claim, release, root, within};

use super::*;

#[test]
fn pools_of_private_addresses() {
    let private = |cidrs: &str| {
        let mut spec = root("p", cidrs);
        spec.private_only = true;
        spec
    };
    for cidrs in [
        "10.0.0.0/8",
        "172.16.0.0/12 192.168.0.0/16 10.255.255.255/32",
        "fc00::/7",
        "fdff:ffff::/32",
    ] {
        let refused = [
            ("11.0.0.0/8", "not_private cidrs[0] 11.0.0.0/8"),
            ("10.0.0.0/7", "not_private cidrs[0] 10.0.0.0/7"),
            ("10.0.0.0/9 172.0.0.0/8", "not_private cidrs[1] 172.0.0.0/8"),
            ("172.32.0.0/16", "not_private cidrs[0] 172.32.0.0/16"),
            ("192.169.0.0/24", "not_private cidrs[0] 192.169.0.0/24"),
            ("0.0.0.0/0", "not_private cidrs[0] 0.0.0.0/0"),
            ("128.0.0.0/1", "not_private cidrs[0] 128.0.0.0/1"),
            ("2001:db8::/32", "not_private cidrs[0] 2001:db8::/32"),
            ("fc00::/6", "not_private cidrs[0] fc00::/6"),
            ("fe80::/10", "not_private cidrs[0] fe80::/10"),
        ];
        let refused = refused.map(|(cidrs, line)| (given(private(cidrs)), line));
        check(|_| {}, private(cidrs), refused.into());
    }
    let mut kid = child("k", "p", "8.8.8.0/24");
    let accepted = kid.clone();
    kid.private_only = true;
    let setup = |harness: &mut Harness| {
        harness.pool(root("p", "8.0.0.0/8"));
    };
    check(
        setup,
        accepted,
        vec![(given(kid), "not_private cidr 8.8.8.0/24")],
    );
}

#[test]
fn usable_addresses_are_for_pools_of_single_addresses() {
    let usable = |default: Option<u8>| {
        let mut spec = bounds(root("p", "10.0.0.0/16"), None, None, default);
        spec.usable_only = true;
        spec
    };
    check(
        |_| {},
        usable(None),
        vec![
            (given(usable(Some(24))), "invalid_field usableOnly"),
            (
                change(usable(None), |spec| spec.max_prefix_length = Some(28)),
                "invalid_field usableOnly",
            ),
        ],
    );
}

#[test]
fn a_draining_pool_gives_nothing_new_and_takes_everything_back() {
    let setup = |harness: &mut Harness| {
        let mut spec = root("p", "10.0.0.0/24");
        harness.pool(spec.clone());
        spec = root("d", "10.1.0.0/24");
        spec.drain = true;
        assert!(harness.pool(spec).draining_since_ms.is_some());
    };
    check(
        setup,
        claim("c", "p", ""),
        vec![
            (given(claim("c", "d", "")), "pool_draining acme d"),
            (
                given(claim("c", "d", "10.1.0.9/32")),
                "pool_draining acme d",
            ),
            // The rules of the pool come first, what is taken after them.
            (
                given(claim("c", "d", "8")),
                "length prefixLength Some(8) 24 32",
            ),
            (
                given(claim("c", "d", "10.2.0.0/32")),
                "pool_draining acme d",
            ),
        ],
    );
    check(
        setup,
        child("k", "p", "28"),
        vec![
            (given(child("k", "d", "28")), "pool_draining acme d"),
            (
                given(child("k", "d", "10.1.0.0/28")),
                "pool_draining acme d",
            ),
        ],
    );
}

#[test]
fn ranges_of_claims() {
    let setup = |harness: &mut Harness| {
        harness.pool(root("p", "10.0.0.0/24 10.0.2.0/24"));
        harness.claim(within(
            claim("there", "p", ""),
            "10.0.0.8-10.0.0.9 10.0.0.16/28",
        ));
        for number in 0..2 {
            harness.claim(within(
                claim(&format!("full{number}"), "p", ""),
                "10.0.2.4/31",
            ));
        }
    };
    let seventeen = vec!["10.0.0.0"; 17].join(" ");
    let sixteen = vec!["10.0.0.0/24"; 16].join(" ");
    check(
        setup,
        within(claim("c", "p", "30"), &sixteen),
        vec![
            (
                given(within(claim("c", "p", ""), &seventeen)),
                "invalid_field within",
            ),
            (
                given(within(claim("c", "p", ""), "10.0.0.0/30 10.0.0.9-10.0.0.8")),
                "invalid_field within[1]",
            ),
            (
                given(within(claim("c", "p", ""), "10.0.0.0-2001:db8::")),
                "invalid_field within[0]",
            ),
            (
                given(within(
                    claim("c", "p", "10.0.0.64/32"),
                    "10.0.0.0/26 10.0.0.65-10.0.0.70",
                )),
                "invalid_field cidr",
            ),
            (
                given(within(
                    claim("c", "p", "10.0.0.0/25"),
                    "10.0.0.0/26 10.0.0.65-10.0.0.127",
                )),
                "invalid_field cidr",
            ),
            (
                given(within(claim("c", "p", "10.0.0.0/25"), "2001:db8::/32")),
                "invalid_field cidr",
            ),
            (
                given(within(claim("c", "p", ""), "10.0.0.0/26 2001:db8::/64")),
                "family_mismatch within[1] IPv6 IPv4",
            ),
            (
                given(within(claim("c", "p", ""), "10.0.1.0/24")),
                "invalid_field within",
            ),
            (
                given(within(claim("c", "p", ""), "10.0.2.4/31")),
                "pool_exhausted 32 509 Some(25)",
            ),
            (
                given(within(claim("c", "p", "30"), "10.0.0.1-10.0.0.6")),
                "pool_exhausted 30 509 Some(25)",
            ),
            (
                given(claim("there", "p", "")),
                "claim_mismatch there within",
            ),
            (
                given(within(claim("there", "p", ""), "10.0.0.8")),
                "claim_mismatch there within",
            ),
        ],
    );
    // The same addresses in other words are the same request.
    let mut harness = Harness::new();
    setup(&mut harness);
    let again = within(
        claim("there", "p", ""),
        "10.0.0.16-10.0.0.31 10.0.0.9 10.0.0.8",
    );
    assert!(matches!(
        harness.ok(again),
        allocator::answer::Outcome::ClaimRepeated(_)
    ));
    harness.ok(release("there", None));
}
