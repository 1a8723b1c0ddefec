//! What pools hand to their holders, as large as it may be, through the log, a checkpoint and a snapshot.

use allocator::command::{
    ClaimSpec, Command, Entry, Envelope, PoolCidr, PoolRef, PoolSource, PoolSpec, Quota, Stamp,
    TenantSpec,
};
use allocator::handout::{
    DNS_ENTRIES_MAX, DNS_OPTION_BYTES_MAX, DOMAIN_BYTES_MAX, Dns, Handout, PARAMETERS_MAX,
    ROUTES_MAX, Route,
};
use allocator::name::{LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX, Labels, Name};
use openraft::EntryPayload;
use raft_store::Store;
use raft_store::types::{LogEntry, Payload};

use crate::world::{World, build, commit, digest, install, log_id, simulate};

/// More than one page of them.
const POOLS: u8 = 9;

fn name(text: &str) -> Name {
    Name::new(text).expect("the test's names are names")
}

/// All that a pool can hand out.
fn most() -> Handout {
    let words = |bytes: usize| vec![Box::from("x".repeat(bytes)); DNS_ENTRIES_MAX];
    let route = |table: usize| Route {
        dst: "2001:db8::/32".parse().expect("a CIDR"),
        gw: Some("fe80::1".parse().expect("an address")),
        mtu: Some(1_280),
        advmss: Some(1_220),
        priority: Some(u32::MAX),
        table: u32::try_from(table).ok(),
        scope: Some(255),
    };
    let parameter = |number: usize| {
        let key = format!("{number:0>LABEL_KEY_BYTES_MAX$}");
        (key.into(), "v".repeat(LABEL_VALUE_BYTES_MAX).into())
    };
    let dns = Dns {
        nameservers: vec!["2001:db8::53".parse().expect("an address"); DNS_ENTRIES_MAX],
        domain: Some("d".repeat(DOMAIN_BYTES_MAX).into()),
        search: words(DOMAIN_BYTES_MAX),
        options: words(DNS_OPTION_BYTES_MAX),
    };
    let parameters: Labels = (0..PARAMETERS_MAX).map(parameter).collect();
    Handout {
        routes: Some((0..ROUTES_MAX).map(route).collect()),
        dns: Some(dns.into()),
        mtu: Some(1_450),
        parameters: Some(parameters.into()),
    }
}

/// A tenant, its pools with all that they can hand out, and a claim from the last one.
fn entry() -> LogEntry {
    let mut commands = vec![Command::TenantCreate(Box::new(TenantSpec {
        name: name("t"),
        labels: Labels::new(),
        annotations: Labels::new(),
        description: "".into(),
        quota: Quota::default(),
    }))];
    for number in 0..POOLS {
        let source = PoolSource::Root {
            space: None,
            cidrs: vec![PoolCidr {
                cidr: format!("10.{number}.0.0/16").parse().expect("a CIDR"),
                subnet: None,
                gateway: None,
            }],
        };
        commands.push(Command::PoolCreate(Box::new(PoolSpec {
            handout: most(),
            ..PoolSpec::new(name("t"), name(&format!("p{number}")), source)
        })));
    }
    let pool = PoolRef {
        tenant: None,
        name: name(&format!("p{}", POOLS - 1)),
    };
    commands.push(Command::ClaimCreate(Box::new(ClaimSpec::new(
        name("t"),
        name("c"),
        pool,
    ))));
    let envelope = |command| Envelope {
        actor: "".into(),
        source: "".into(),
        command,
    };
    let entry = Entry {
        stamp: Stamp::default(),
        commands: commands.into_iter().map(envelope).collect(),
    };
    LogEntry {
        log_id: log_id(1, 1),
        payload: EntryPayload::Normal(Payload::encode(&entry).expect("it fits into an entry")),
    }
}

fn assert_handed_out(store: &Store) {
    store.applied.read(|state| {
        let claim = state
            .claim(&name("t"), &name("c"))
            .expect("the claim is there");
        assert_eq!(claim.handout, most());
        state.audit().expect("the state is sound");
    });
}

#[test]
fn the_most_that_can_be_handed_out_survives_a_restart_and_a_snapshot() {
    let world = World::new(1);
    let expected = simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, [entry()]).await;
        assert_handed_out(&store);
        assert!(store.control.checkpoint().await);
        digest(&store)
    });
    world.crash();
    let (snapshot, bytes) = simulate(async {
        let mut store = world.open().expect("the directory opens again");
        assert_eq!(store.applied.last(), Some(log_id(1, 1)));
        assert_eq!(digest(&store), expected);
        assert_handed_out(&store);
        let snapshot = build(&mut store).await;
        let size = snapshot.snapshot.size().expect("it is open");
        let mut bytes = vec![0; usize::try_from(size).expect("it is small")];
        let read = snapshot.snapshot.read_at(0, &mut bytes);
        read.expect("it can be read");
        (snapshot, bytes)
    });
    let other = World::new(2);
    simulate(async {
        let mut store = other.open().expect("a new directory opens");
        let installed = install(&mut store, &snapshot, &bytes).await;
        installed.expect("the snapshot is sound");
        assert_eq!(digest(&store), expected);
        assert_handed_out(&store);
    });
}
