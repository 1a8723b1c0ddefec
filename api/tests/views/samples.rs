//! One of each, as the allocator answers it.

use allocator::command::{
    ChildBlock, ClaimSpec, Exclusion, Gateway, PoolCidr, PoolRef, PoolSource, PoolSpec, Quota,
    TenantSpec,
};
use allocator::count::Count;
use allocator::handout::{Dns, Handout, Route};
use allocator::name::{Labels, Name, Owner};
use allocator::prefix::{Family, Prefix};
use allocator::view::{
    AllocationView, Blocks, Capacity, ClaimCounts, ClaimView, Phase, PoolCidrView, PoolView,
    Purpose, TenantView, Usage,
};

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn block(text: &str) -> Prefix {
    text.parse().unwrap()
}

pub(crate) fn labels() -> Labels {
    [("env".into(), "prod".into())].into_iter().collect()
}

pub(crate) fn tenant() -> TenantView {
    TenantView {
        spec: TenantSpec {
            name: name("acme"),
            labels: labels(),
            annotations: Labels::new(),
            description: "".into(),
            quota: Quota {
                claims: Some(100),
                ..Quota::default()
            },
        },
        usage: Usage {
            pools: 1,
            claims: 2,
            ipv4_addresses: 258,
            ipv6_prefixes_64: 0,
        },
        revision: 3,
        created_at_ms: 1_772_366_400_000,
        updated_at_ms: 1_772_366_400_000,
    }
}

pub(crate) fn capacity() -> Capacity {
    Capacity {
        total: Count::new(65_536),
        allocated: Count::new(257),
        in_use: Count::ZERO,
        released: Count::ZERO,
        reserved: Count::new(256),
        available: Count::new(65_023),
    }
}

fn handout() -> Handout {
    let route = Route {
        dst: block("0.0.0.0/0"),
        gw: Some("10.0.0.1".parse().unwrap()),
        mtu: None,
        advmss: None,
        priority: Some(100),
        table: None,
        scope: None,
    };
    Handout {
        routes: Some([route].into()),
        dns: Some(
            Dns {
                nameservers: vec!["10.0.0.53".parse().unwrap()],
                search: vec!["example".into()],
                ..Dns::default()
            }
            .into(),
        ),
        mtu: Some(1_450),
        parameters: Some(Labels::from([("vlan".into(), "7".into())]).into()),
    }
}

pub(crate) fn root() -> PoolView {
    PoolView {
        spec: PoolSpec {
            min_prefix_length: Some(24),
            exclude: vec![Exclusion {
                first: "10.0.0.0".parse().unwrap(),
                last: "10.0.0.255".parse().unwrap(),
                reason: "infrastructure".into(),
                text: "10.0.0.0/24".into(),
            }],
            gateway: Some(Gateway::First),
            handout: handout(),
            life: allocator::life::PoolLife::default(),
            labels: labels(),
            ..PoolSpec::new(
                name("acme"),
                name("p"),
                PoolSource::Root {
                    space: Some(name("default")),
                    cidrs: vec![PoolCidr {
                        cidr: block("10.0.0.0/16"),
                        subnet: None,
                        gateway: Some(Gateway::Last),
                    }],
                },
            )
        },
        space: name("default"),
        cidrs: vec![PoolCidrView {
            cidr: block("10.0.0.0/16"),
            subnet: block("10.0.0.0/16"),
            gateway: Some("10.0.255.254".parse().unwrap()),
        }],
        family: Family::IPv4,
        min_prefix_length: 24,
        max_prefix_length: 32,
        default_prefix_length: Some(32),
        handout: handout(),
        capacity: capacity(),
        blocks: Some(Blocks {
            prefix_length: 32,
            total: Count::new(65_536),
            available: Count::new(65_023),
        }),
        utilization_e4: 39,
        fragmentation_e4: 4_960,
        largest_free_prefix_length: Some(17),
        exhausted_since_ms: None,
        draining_since_ms: None,
        out_of_policy: 0,
        out_of_policy_since_ms: None,
        children: 0,
        claims: ClaimCounts {
            allocated: 2,
            in_use: 0,
            released: 0,
        },
        revision: 4,
        content_revision: 9,
        created_at_ms: 1_772_366_400_000,
        updated_at_ms: 1_772_366_400_000,
    }
}

pub(crate) fn child() -> PoolView {
    let mut view = root();
    view.spec.name = name("c");
    view.spec.source = PoolSource::Child {
        parent: PoolRef {
            tenant: None,
            name: name("p"),
        },
        block: ChildBlock::Length(24),
    };
    view.spec.owner = Some(Owner::new("node-7").unwrap());
    view.spec.exclude.clear();
    view.spec.handout = Handout::default();
    view.cidrs[0].cidr = block("10.0.1.0/24");
    view.exhausted_since_ms = Some(1_772_366_460_000);
    view
}

pub(crate) fn claim() -> ClaimView {
    ClaimView {
        spec: ClaimSpec {
            owner: Some(Owner::new("node-7/eth0").unwrap()),
            life: allocator::life::ClaimLife::default(),
            labels: labels(),
            ..ClaimSpec::new(
                name("acme"),
                name("web-1"),
                PoolRef {
                    tenant: None,
                    name: name("p"),
                },
            )
        },
        pool_tenant: name("acme"),
        pool: name("p"),
        phase: Phase::Allocated,
        block: block("10.0.1.5/32"),
        subnet: block("10.0.0.0/16"),
        gateway: Some("10.0.0.1".parse().unwrap()),
        handout: handout(),
        generation: 7,
        returned: false,
        allocated_at_ms: 1_772_366_400_123,
        first_allocated_at_ms: 1_772_366_400_123,
        previously_released_at_ms: None,
        in_use_at_ms: None,
        expires_at_ms: None,
        expiring_since_ms: None,
        released_at_ms: None,
        reclaim_at_ms: None,
        revision: 9,
    }
}

pub(crate) fn allocation() -> AllocationView {
    AllocationView {
        cidr: block("10.0.1.5/32"),
        space: name("default"),
        tenant: name("acme"),
        pool: name("p"),
        purpose: Purpose::Claim,
        claim: Some((name("acme"), name("web-1"))),
        child: None,
        reason: None,
        owner: Some(Owner::new("node-7/eth0").unwrap()),
        phase: Phase::Allocated,
        generation: 7,
        allocated_at_ms: 1_772_366_400_123,
        expires_at_ms: None,
        released_at_ms: None,
        reclaim_at_ms: None,
        revision: 9,
    }
}
