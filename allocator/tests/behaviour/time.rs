//! The log's clock brings nothing early, whatever the wall clocks say and whoever leads.

use allocator::State;
use allocator::command::{ClaimSpec, Command, Entry, Position, Stamp};
use allocator::life::PoolLife;
use allocator::view::Phase;
use proptest::prelude::*;

use crate::support::{TENANT, claim, envelope, living, name, root, tenant};

/// Ten years.
const YEARS_MS: i64 = 10 * 365 * 86_400_000;

/// What happens to the cluster between two entries.
#[derive(Debug, Clone)]
enum Turn {
    /// Real time passes, while the leader leads.
    Pass { ms: u64 },
    /// Real time passes while nobody leads, and another node does then.
    Elect { node: u64, ms: u64 },
    /// A command that was stamped before is appended now, perhaps in another term.
    Late,
    /// A node's wall clock is set, so that the median may jump.
    Wall { by_ms: i64 },
    /// The state goes through its pages, as in a snapshot or a restart.
    Restart,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let one = prop_oneof![
        6 => (0_u64..4_000).prop_map(|ms| Turn::Pass { ms }),
        2 => (1_u64..4, 0_u64..9_000).prop_map(|(node, ms)| Turn::Elect { node, ms }),
        2 => Just(Turn::Late),
        2 => (-YEARS_MS..YEARS_MS).prop_map(|by_ms| Turn::Wall { by_ms }),
        1 => Just(Turn::Restart),
    ];
    prop::collection::vec(one, 1..60)
}

/// A cluster as the clock sees it, with the real time that nobody in it knows.
struct Cluster {
    state: State,
    real_ms: u64,
    wall_ms: i64,
    index: u64,
    term: u64,
    node: u64,
    /// Real time at which the leader took office.
    since_ms: u64,
    /// Stamped and not appended yet.
    late: Stamp,
}

impl Cluster {
    fn new() -> Self {
        Self {
            state: State::new(),
            real_ms: 0,
            wall_ms: 1_700_000_000_000,
            index: 0,
            term: 1,
            node: 1,
            since_ms: 0,
            late: Stamp::default(),
        }
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            clock_term: self.term,
            clock_node: self.node,
            mono_ms: self.real_ms - self.since_ms,
            wall_ms: u64::try_from(self.wall_ms).ok(),
        }
    }

    fn append(&mut self, stamp: Stamp, commands: Vec<Command>) {
        self.index += 1;
        let at = Position {
            term: self.term,
            node: self.node,
            index: self.index,
        };
        let commands = commands.into_iter().map(envelope).collect();
        self.state.apply(at, &Entry { stamp, commands });
        self.state.audit().unwrap();
    }

    fn turn(&mut self, turn: &Turn) {
        match turn {
            Turn::Pass { ms } => {
                self.real_ms += ms;
                self.wall_ms += i64::try_from(*ms).unwrap();
                self.late = self.stamp();
            }
            Turn::Elect { node, ms } => {
                self.real_ms += ms;
                self.wall_ms += i64::try_from(*ms).unwrap();
                (self.term, self.node) = (self.term + 1, *node);
                self.since_ms = self.real_ms;
            }
            Turn::Late => self.append(self.late, vec![Command::Tick]),
            Turn::Wall { by_ms } => self.wall_ms += by_ms,
            Turn::Restart => {
                let digest = self.state.digest();
                let cut = self.state.cut();
                self.state = State::from_pages(cut.pages()).unwrap();
                assert_eq!(self.state.digest(), digest);
            }
        }
        self.append(self.stamp(), vec![Command::Expire { holds_max: 1_000 }]);
    }
}

fn leased() -> ClaimSpec {
    let mut spec = claim("leased", "p", "");
    spec.life.ttl_seconds = Some(30);
    spec
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_ends_before_its_real_time(turns in turns(), begun in 0_usize..20) {
        let mut cluster = Cluster::new();
        let life = PoolLife { grace_seconds: Some(20), ..PoolLife::default() };
        let setup = vec![
            Command::TenantCreate(Box::new(tenant(TENANT))),
            Command::PoolCreate(Box::new(living(root("p", "10.0.0.0/24"), life))),
        ];
        cluster.append(cluster.stamp(), setup);
        let (mut leased_at, mut released_at) = (None, None);
        for (number, turn) in turns.iter().enumerate() {
            if number == begun {
                // One block on a lease of 30 s, and one whose grace of 20 s begins now.
                let commands = vec![
                    Command::ClaimCreate(Box::new(leased())),
                    Command::ClaimCreate(Box::new(claim("kept", "p", ""))),
                    Command::ClaimRelease(crate::support::release("kept", None)),
                ];
                cluster.append(cluster.stamp(), commands);
                (leased_at, released_at) = (Some(cluster.real_ms), Some(cluster.real_ms));
            }
            let before_ms = cluster.state.clock().now_ms();
            cluster.turn(turn);
            prop_assert!(cluster.state.clock().now_ms() >= before_ms);
            prop_assert!(cluster.state.clock().now_ms() <= cluster.real_ms);
            let held = cluster.state.claim(&name(TENANT), &name("leased")).is_ok();
            if let Some(at) = leased_at {
                prop_assert!(held || cluster.real_ms >= at + 30_000);
            }
            let kept = cluster.state.allocation(&name(TENANT), &name("default"), "10.0.0.1/32".parse().unwrap());
            if let Some(at) = released_at {
                let kept = kept.is_ok_and(|view| view.phase == Phase::Released);
                prop_assert!(kept || cluster.real_ms >= at + 20_000);
            }
        }
    }
}

#[test]
fn time_that_one_leader_measured_ends_what_is_due_and_no_other_time_does() {
    let mut cluster = Cluster::new();
    let setup = vec![
        Command::TenantCreate(Box::new(tenant(TENANT))),
        Command::PoolCreate(Box::new(root("p", "10.0.0.0/24"))),
        Command::ClaimCreate(Box::new(leased())),
    ];
    cluster.append(cluster.stamp(), setup);
    let held = |cluster: &Cluster| cluster.state.claim(&name(TENANT), &name("leased")).is_ok();
    cluster.turn(&Turn::Wall { by_ms: YEARS_MS });
    cluster.turn(&Turn::Pass { ms: 29_000 });
    // Stamped at 29 s in term 1, appended in term 2, and again: no time.
    cluster.turn(&Turn::Elect {
        node: 1,
        ms: 60_000,
    });
    for _ in 0..50 {
        cluster.turn(&Turn::Late);
    }
    cluster.turn(&Turn::Wall {
        by_ms: -2 * YEARS_MS,
    });
    cluster.turn(&Turn::Pass { ms: 1_000 });
    // Stamps are whole milliseconds: it may have been given at the end of one, so its last one has to pass, too.
    assert!(held(&cluster));
    cluster.turn(&Turn::Pass { ms: 1 });
    assert!(!held(&cluster));
}

#[test]
fn what_is_due_at_the_very_beginning_is_found() {
    let mut cluster = Cluster::new();
    let mut spec = leased();
    spec.life.ttl_seconds = Some(1);
    let setup = vec![
        Command::TenantCreate(Box::new(tenant(TENANT))),
        Command::PoolCreate(Box::new(root("p", "10.0.0.0/24"))),
        Command::ClaimCreate(Box::new(spec)),
    ];
    cluster.append(cluster.stamp(), setup);
    // Its end is told a second before, which is at once.
    assert_eq!(cluster.state.next_due_ms(), Some(0));
    cluster.turn(&Turn::Pass { ms: 1_000 });
    assert_eq!(cluster.state.next_due_ms(), Some(1_000));
    cluster.turn(&Turn::Pass { ms: 1 });
    assert_eq!(cluster.state.next_due_ms(), None);
}
