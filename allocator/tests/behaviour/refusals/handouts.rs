//! Bounds of what a pool hands out: what is just allowed is accepted, what is just beyond is refused.

use allocator::answer::Rejection;
use allocator::edit::{DnsChange, LabelsChange, PoolChange};
use allocator::handout::{Dns, Handout, Route};
use allocator::name::Labels;

use crate::handouts::{handing, route};
use crate::support::{Harness, address, child, labels, pool_edit, root};

use super::line;

const V4: &str = "10.0.0.0/16";
const V6: &str = "2001:db8::/64";

fn with_mtu(mtu: u32) -> Handout {
    Handout {
        mtu: Some(mtu),
        ..Handout::default()
    }
}

fn with_routes(routes: Vec<Route>) -> Handout {
    Handout {
        routes: Some(routes.into()),
        ..Handout::default()
    }
}

fn with_route(dst: &str, change: impl FnOnce(&mut Route)) -> Handout {
    let mut one = route(dst, "");
    change(&mut one);
    with_routes(vec![one])
}

fn with_dns(change: impl FnOnce(&mut Dns)) -> Handout {
    let mut dns = Dns::default();
    change(&mut dns);
    Handout {
        dns: Some(dns.into()),
        ..Handout::default()
    }
}

fn with_parameters(parameters: Labels) -> Handout {
    Handout {
        parameters: Some(parameters.into()),
        ..Handout::default()
    }
}

fn many_routes(number: u8) -> Handout {
    with_routes(
        (0..number)
            .map(|number| route(&format!("10.{number}.0.0/16"), ""))
            .collect(),
    )
}

fn words(number: usize, bytes: usize) -> Vec<Box<str>> {
    vec!["x".repeat(bytes).into(); number]
}

fn numbered(number: usize) -> Labels {
    (0..number)
        .map(|number| (format!("k{number}").into(), "v".into()))
        .collect()
}

/// CIDR, what is just accepted, what is just refused, and the field that is named.
fn table() -> Vec<(&'static str, Handout, Handout, &'static str)> {
    let twice = |change: fn(&mut Route)| {
        let mut second = route("10.9.0.0/16", "10.0.0.2");
        change(&mut second);
        with_routes(vec![route("10.9.0.0/16", "10.0.0.1"), second])
    };
    let nameservers = |number| with_dns(|dns| dns.nameservers = vec![address("10.0.0.53"); number]);
    vec![
        (V4, with_mtu(68), with_mtu(67), "mtu"),
        (V4, with_mtu(65_535), with_mtu(65_536), "mtu"),
        (V6, with_mtu(1_280), with_mtu(1_279), "mtu"),
        (V4, many_routes(64), many_routes(65), "routes"),
        (
            V4,
            with_route("10.9.0.0/16", |one| one.gw = Some(address("10.0.0.1"))),
            with_route("10.9.0.0/16", |one| one.gw = Some(address("fe80::1"))),
            "routes[0].gw",
        ),
        // A route leads into either family; its parts are of that family.
        (
            V4,
            with_route("::/0", |one| one.gw = Some(address("fe80::1"))),
            with_route("::/0", |one| one.gw = Some(address("10.0.0.1"))),
            "routes[0].gw",
        ),
        (
            V4,
            with_route("::/0", |one| one.mtu = Some(1_280)),
            with_route("::/0", |one| one.mtu = Some(1_279)),
            "routes[0].mtu",
        ),
        (
            V6,
            with_route("0.0.0.0/0", |one| one.mtu = Some(68)),
            with_route("0.0.0.0/0", |one| one.mtu = Some(67)),
            "routes[0].mtu",
        ),
        (
            V4,
            with_route("0.0.0.0/0", |one| one.advmss = Some(1)),
            with_route("0.0.0.0/0", |one| one.advmss = Some(0)),
            "routes[0].advmss",
        ),
        (
            V4,
            with_route("0.0.0.0/0", |one| one.advmss = Some(65_535)),
            with_route("0.0.0.0/0", |one| one.advmss = Some(65_536)),
            "routes[0].advmss",
        ),
        (
            V4,
            with_route("0.0.0.0/0", |one| one.scope = Some(255)),
            with_route("0.0.0.0/0", |one| one.scope = Some(256)),
            "routes[0].scope",
        ),
        (
            V4,
            twice(|one| one.priority = Some(1)),
            twice(|_| {}),
            "routes[1]",
        ),
        (
            V4,
            twice(|one| one.table = Some(u32::MAX)),
            twice(|one| one.mtu = Some(1_400)),
            "routes[1]",
        ),
        (V4, nameservers(16), nameservers(17), "dns.nameservers"),
        (
            V4,
            with_dns(|dns| dns.search = words(16, 253)),
            with_dns(|dns| dns.search = words(17, 253)),
            "dns.search",
        ),
        (
            V4,
            with_dns(|dns| dns.options = words(16, 255)),
            with_dns(|dns| dns.options = words(17, 255)),
            "dns.options",
        ),
        (
            V4,
            with_dns(|dns| dns.search = words(1, 253)),
            with_dns(|dns| dns.search = words(1, 254)),
            "dns.search[0]",
        ),
        (
            V4,
            with_dns(|dns| dns.options = words(1, 255)),
            with_dns(|dns| dns.options = words(1, 256)),
            "dns.options[0]",
        ),
        (
            V4,
            with_dns(|dns| dns.domain = Some("cluster.local".into())),
            with_dns(|dns| dns.domain = Some("cluster local".into())),
            "dns.domain",
        ),
        (
            V4,
            with_dns(|dns| dns.domain = Some(".".into())),
            with_dns(|dns| dns.domain = Some("".into())),
            "dns.domain",
        ),
        (
            V4,
            with_dns(|dns| dns.options = vec!["ndots:5".into()]),
            with_dns(|dns| dns.options = vec!["ndots:5\nnameserver 192.0.2.1".into()]),
            "dns.options[0]",
        ),
        (
            V4,
            with_parameters(numbered(16)),
            with_parameters(numbered(17)),
            "parameters",
        ),
        (
            V4,
            with_parameters(labels(&[(&"k".repeat(63), "")])),
            with_parameters(labels(&[(&"k".repeat(64), "")])),
            "parameters",
        ),
        (
            V4,
            with_parameters(labels(&[("k", "")])),
            with_parameters(labels(&[("", "")])),
            "parameters",
        ),
        (
            V4,
            with_parameters(labels(&[("k", &"v".repeat(255))])),
            with_parameters(labels(&[("k", &"v".repeat(256))])),
            "parameters.k",
        ),
    ]
}

/// The same as changes of a pool that states nothing.
fn changes(handout: &Handout) -> Vec<PoolChange> {
    let Handout {
        routes,
        dns,
        mtu,
        parameters,
    } = handout.clone();
    let dns = dns.map(|dns| {
        let dns = Dns::clone(&dns);
        PoolChange::Dns(Some(vec![
            DnsChange::Nameservers(dns.nameservers),
            DnsChange::Domain(dns.domain),
            DnsChange::Search(dns.search),
            DnsChange::Options(dns.options),
        ]))
    });
    let entries = |labels: &Labels| LabelsChange {
        clear: false,
        entries: labels
            .iter()
            .map(|(key, value)| (key.clone(), Some(value.clone())))
            .collect(),
    };
    let parameters = parameters.map(|labels| PoolChange::Parameters(Some(entries(&labels))));
    let routes = routes.map(|routes| PoolChange::Routes(Some(routes.to_vec())));
    let mtu = mtu.map(|mtu| PoolChange::Mtu(Some(mtu)));
    [routes, dns, mtu, parameters]
        .into_iter()
        .flatten()
        .collect()
}

fn assert_refused(rejection: &Rejection, field: &str) {
    assert_eq!(line(rejection), format!("invalid_field {field}"));
}

#[test]
fn what_a_root_or_a_child_hands_out_at_its_creation_and_later() {
    for (cidr, allowed, beyond, field) in table() {
        let mut harness = Harness::new();
        let length = if cidr == V4 { "24" } else { "80" };
        harness.pool(handing(root("p", cidr), allowed.clone()));
        harness.pool(handing(child("kid", "p", length), allowed.clone()));
        let there = root(
            "plain",
            if cidr == V4 {
                "10.1.0.0/16"
            } else {
                "2001:db8:1::/64"
            },
        );
        harness.pool(there.clone());
        harness.edit("plain", changes(&allowed));
        harness.edit(
            "plain",
            vec![PoolChange::Routes(None), PoolChange::Dns(None)],
        );

        let mut other = handing(there, beyond.clone());
        other.name = crate::support::name("q");
        other.source = root(
            "q",
            if cidr == V4 {
                "10.2.0.0/16"
            } else {
                "2001:db8:2::/64"
            },
        )
        .source;
        assert_refused(&harness.refused(other), field);
        let kid = handing(child("other", "p", length), beyond.clone());
        assert_refused(&harness.refused(kid), field);
        let edit = pool_edit("plain", changes(&beyond));
        assert_refused(&harness.refused(edit), field);
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let mut harness = Harness::new();
    let wrong = Handout {
        mtu: Some(1),
        ..with_route("10.9.0.0/16", |one| {
            (one.gw, one.scope) = (Some(address("fe80::1")), Some(256));
        })
    };
    let spec = handing(root("p", V4), wrong);
    assert_refused(&harness.refused(spec), "mtu routes[0].gw routes[0].scope");
    // Parameters that come to too many one by one are refused too.
    harness.pool(handing(root("p", V4), with_parameters(numbered(16))));
    let more = LabelsChange {
        clear: false,
        entries: vec![("one-more".into(), Some("v".into()))],
    };
    let edit = pool_edit("p", vec![PoolChange::Parameters(Some(more))]);
    assert_refused(&harness.refused(edit), "parameters");
}
