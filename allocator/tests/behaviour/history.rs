//! The past: who held what, from when to when; who had an address at any revision and time.

use allocator::State;
use allocator::command::{AllocationReclaim, Command};
use allocator::filter::AllocationFilter;
use allocator::history::{
    EndReason, FreedBy, HistoryFilter, HistoryKey, HoldingView, Moment, PastError,
};
use allocator::life::{ClaimLife, PoolLife, ReclaimPolicy};
use allocator::name::Name;
use allocator::prefix::Prefix;
use allocator::view::{LookupView, Phase, Purpose};
use proptest::prelude::*;

use crate::model::{World, commands, strategies};
use crate::support::{
    Harness, TENANT, block, child, claim, labels, living, name, owner, pool_delete, release, root,
};

/// All pages of the list.
fn all(state: &State, filter: &HistoryFilter, limit: usize) -> Vec<HoldingView> {
    let (mut holdings, mut after) = (Vec::new(), None::<HistoryKey>);
    loop {
        let page = state.history(filter, after.as_ref(), limit);
        holdings.extend(page.items);
        match page.next {
            Some(next) => {
                assert!(after.is_none_or(|after| after < next), "it goes on");
                after = Some(next);
            }
            None => return holdings,
        }
    }
}

/// The same filter, as the slow way judges it.
type Passes = Box<dyn Fn(&HoldingView) -> bool>;

fn acme() -> HistoryFilter {
    HistoryFilter {
        tenant: Some(name(TENANT)),
        ..HistoryFilter::default()
    }
}

/// What is asked again later: who it was, by which holding, in which phase.
fn told(view: &LookupView) -> String {
    let allocation = view.allocation.as_ref().map(|held| {
        format!(
            "{:?} {:?} {:?} {} {:?} {} {}",
            held.claim, held.child, held.owner, held.generation, held.phase, held.cidr, held.pool
        )
    });
    let claim = view.claim.as_ref().map(|claim| {
        format!(
            "{} {} {:?} {:?}",
            claim.spec.name, claim.generation, claim.phase, claim.in_use_at_ms
        )
    });
    // Of a root that held nothing there, and has lost those addresses since, nothing is known.
    let pools = if allocation.is_none() && view.pools.len() < 2 {
        &[]
    } else {
        &view.pools[..]
    };
    format!("{pools:?} {allocation:?} {claim:?}")
}

fn is_reserved(view: &LookupView) -> bool {
    let held = view.allocation.as_ref();
    held.is_some_and(|held| held.purpose == Purpose::Reservation)
}

/// A claim or child pool holds something inside a block.
fn holds_inside(state: &State, query: Prefix) -> bool {
    let filter = AllocationFilter {
        within: Some(query),
        ..AllocationFilter::default()
    };
    let page = state
        .allocations(&name(TENANT), &filter, None, 2_000)
        .unwrap();
    assert_eq!(page.next, None);
    page.items
        .iter()
        .any(|held| held.purpose != Purpose::Reservation)
}

fn questions() -> Vec<Prefix> {
    let mut questions: Vec<Prefix> = (0..32)
        .map(|last| block(&format!("10.0.0.{last}/32")))
        .collect();
    questions.extend(
        [
            "10.0.0.0/27",
            "10.0.0.16/28",
            "10.0.0.8/30",
            "10.0.9.0/32",
            "10.0.9.8/29",
            "10.0.0.0/8",
            "2001:db8::ffc0/128",
            "2001:db8::ffc0/123",
            "2001:db8::ffd0/127",
            "192.0.2.1/32",
        ]
        .map(block),
    );
    questions
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_had_an_address_is_told_of_every_revision_as_it_was_told_then(commands in commands(70), strategy in strategies()) {
        let (space, tenant) = (name("default"), name(TENANT));
        let mut harness = Harness::default();
        let world = World::new(strategy);
        for command in world.setup() {
            harness.ok(command);
        }
        let mut then = Vec::new();
        for one in &commands {
            let Some(command) = world.command(one) else { continue };
            let before = harness.state.revision();
            harness.answer(command).result.ok();
            let revision = harness.state.revision();
            if revision == before {
                continue;
            }
            // A command that is not atomic has several revisions: the last of them is asked.
            let wall_ms = harness.state.clock().wall_ms();
            for query in questions() {
                let view = harness.state.lookup(&tenant, &space, query).unwrap();
                let inside = view.held_in_part && holds_inside(&harness.state, query);
                then.push((revision, wall_ms, query, view, inside));
            }
        }
        let pages: Vec<_> = harness.state.cut().pages().collect();
        let other = State::from_pages(pages).unwrap();
        for (revision, wall_ms, query, view, inside) in &then {
            if is_reserved(view) {
                continue;
            }
            for state in [&harness.state, &other] {
                let past = state.lookup_at(&tenant, &space, *query, Moment::Revision(*revision)).unwrap();
                prop_assert_eq!(told(&past.lookup), told(view), "{} at {}", query, revision);
                // What was withheld then, and is no more, is not known.
                let in_part = past.lookup.held_in_part;
                prop_assert!((*inside <= in_part) && (in_part <= view.held_in_part), "{} at {}", query, revision);
            }
            let past = other.lookup_at(&tenant, &space, *query, Moment::Time(*wall_ms)).unwrap();
            prop_assert_eq!(told(&past.lookup), told(view), "{} at {} ms", query, wall_ms);
        }
    }

    #[test]
    fn every_holding_is_listed_once_and_a_filter_is_a_part_of_the_list(commands in commands(70), strategy in strategies()) {
        use allocator::view::EventKind::{Allocated, PoolCreated, Returned};
        let mut harness = Harness::default();
        let world = World::new(strategy);
        for command in world.setup().into_iter().chain(commands.iter().filter_map(|one| world.command(one))) {
            harness.answer(command).result.ok();
        }
        let state = &harness.state;
        let list = all(state, &acme(), 1_000);
        let mut generations: Vec<u64> = list.iter().map(|holding| holding.generation).collect();
        generations.sort_unstable();
        let given: Vec<u64> = state.events(None, 100_000).unwrap().items.iter()
            .filter(|event| matches!(event.kind, Allocated | Returned | PoolCreated))
            .filter_map(|event| event.generation)
            .collect();
        prop_assert_eq!(generations, given);
        prop_assert_eq!(&all(state, &HistoryFilter::default(), 3), &list);
        for holding in &list {
            let from = holding.from_revision.unwrap();
            let end = holding.end.as_ref();
            prop_assert!(end.is_none_or(|end| from <= end.revision && end.gone_revision.is_none_or(|gone| end.revision <= gone)));
        }
        let cidr = block("10.0.0.8/29");
        let filters: Vec<(HistoryFilter, Passes)> = vec![
            (HistoryFilter { cidr: Some(cidr), ..acme() }, Box::new(move |one| one.cidr.overlaps(cidr))),
            (HistoryFilter { cidr: Some(block("10.0.9.1/32")), ..acme() }, Box::new(|one| one.cidr.overlaps(block("10.0.9.1/32")))),
            (HistoryFilter { claim: Some(name("c3")), ..acme() }, Box::new(|one| one.purpose == Purpose::Claim && one.holder.1 == name("c3"))),
            (HistoryFilter { pool: Some(name("pool0")), ..acme() }, Box::new(|one| one.pool == name("pool0"))),
            (HistoryFilter { owner: Some(owner("owner1")), ..acme() }, Box::new(|one| one.owner == Some(owner("owner1")))),
            (HistoryFilter { space: Some(name("elsewhere")), ..acme() }, Box::new(|_| false)),
            (HistoryFilter { tenant: Some(name("nobody")), ..acme() }, Box::new(|_| false)),
        ];
        for (filter, passes) in filters {
            let expected: Vec<HoldingView> = list.iter().filter(|one| passes(one)).cloned().collect();
            prop_assert_eq!(&all(state, &filter, 2), &expected, "{:?}", filter);
        }
    }
}

/// One line for each holding.
fn lines(holdings: &[HoldingView]) -> Vec<String> {
    holdings
        .iter()
        .map(|one| {
            let end = one.end.as_ref().map_or_else(
                || "goes on".to_owned(),
                |end| format!("{:?} {:?}", end.reason, end.freed),
            );
            let owner = one.owner.as_ref().map_or("-", |owner| owner.as_str());
            format!("{} {} {} {owner} {end}", one.cidr, one.pool, one.holder.1)
        })
        .collect()
}

#[test]
fn a_holding_says_why_it_ended() {
    let mut harness = Harness::new();
    let life = PoolLife {
        grace_seconds: Some(60),
        allow_retain: Some(true),
        ..PoolLife::default()
    };
    harness.pool(living(root("p", "10.0.0.0/28"), life));
    let leased = ClaimLife {
        ttl_seconds: Some(10),
        grace_seconds: Some(0),
        ..ClaimLife::default()
    };
    let mut expired = claim("expired", "p", "");
    expired.life = leased;
    harness.claim(expired);
    harness.later(10_000);
    harness.expire();
    harness.take("returned", "p", "");
    harness.ok(release("returned", None));
    harness.take("returned", "p", "");
    harness.ok(release("returned", None));
    harness.later(60_000);
    harness.expire();
    let mut retained = claim("retained", "p", "");
    retained.life.reclaim_policy = Some(ReclaimPolicy::Retain);
    let generation = harness.claim(retained).generation;
    harness.ok(release("retained", None));
    let kept = all(&harness.state, &acme(), 10).pop().unwrap();
    assert_eq!(
        (kept.generation, kept.end.unwrap().gone_revision),
        (generation, None)
    );
    harness.ok(Command::AllocationReclaim(AllocationReclaim {
        tenant: name(TENANT),
        space: name("default"),
        cidr: block("10.0.0.0/32"),
        generation,
    }));
    let mut carved = child("kid", "p", "30");
    carved.owner = Some(owner("node-1"));
    carved.labels = labels(&[("zone", "a")]);
    harness.pool(carved);
    harness.ok(pool_delete("kid"));
    harness.take("held", "p", "");
    let list = all(&harness.state, &acme(), 10);
    assert_eq!(
        lines(&list),
        [
            "10.0.0.0/32 p expired - Expired None",
            "10.0.0.0/32 p returned - Released Some(Return)",
            "10.0.0.0/32 p returned - Released Some(Reclaim)",
            "10.0.0.0/32 p retained - Released Some(Reclaim)",
            "10.0.0.0/30 p kid node-1 PoolDeleted None",
            "10.0.0.0/32 p held - goes on",
        ]
    );
    assert_eq!(list[4].labels, labels(&[("zone", "a")]));
    let returned = list[1].end.as_ref().unwrap();
    assert_eq!(
        (returned.reason, returned.freed),
        (EndReason::Released, Some(FreedBy::Return))
    );
    assert_eq!(returned.gone_revision, list[2].from_revision);
}

#[test]
fn who_had_it_is_told_after_the_claim_its_pool_and_its_tenants_other_pools_are_gone() {
    let mut harness = Harness::new();
    harness.pool(root("site", "10.0.0.0/24"));
    harness.pool(child("racks", "site", "28"));
    let mut web = claim("web", "racks", "");
    web.owner = Some(owner("node-1/eth0"));
    web.labels = labels(&[("app", "web")]);
    harness.claim(web);
    let (revision, wall_ms) = (harness.state.revision(), harness.state.clock().wall_ms());
    harness.ok(release("web", None));
    harness.ok(pool_delete("racks"));
    harness.ok(pool_delete("site"));
    // The same addresses are another's by now.
    harness.pool(root("later", "10.0.0.0/24"));
    harness.take("other", "later", "10.0.0.0/32");
    let ask = |query: &str, moment| {
        let (tenant, space) = (name(TENANT), name("default"));
        harness
            .state
            .lookup_at(&tenant, &space, block(query), moment)
    };
    for moment in [Moment::Revision(revision), Moment::Time(wall_ms)] {
        let past = ask("10.0.0.0/32", moment).unwrap();
        assert_eq!(past.revision, revision);
        let pools: Vec<&str> = past
            .lookup
            .pools
            .iter()
            .map(|pool| pool.1.as_str())
            .collect();
        assert_eq!(pools, ["site", "racks"]);
        let had = past.lookup.claim.unwrap();
        assert_eq!(
            (had.spec.name, had.spec.owner, had.spec.labels),
            (
                name("web"),
                Some(owner("node-1/eth0")),
                labels(&[("app", "web")])
            )
        );
    }
    let free = ask("10.0.0.9/32", Moment::Revision(revision)).unwrap();
    let pools: Vec<&str> = free
        .lookup
        .pools
        .iter()
        .map(|pool| pool.1.as_str())
        .collect();
    assert_eq!(
        (pools, free.lookup.allocation),
        (vec!["site", "racks"], None)
    );
    let part = ask("10.0.0.0/24", Moment::Revision(revision)).unwrap();
    assert!(part.lookup.held_in_part && part.lookup.allocation.is_none());
    let now = ask("10.0.0.0/32", Moment::Time(u64::MAX)).unwrap();
    assert_eq!(now.lookup.claim.unwrap().spec.name, name("other"));
    let before = ask("10.0.0.0/32", Moment::Revision(0)).unwrap();
    assert_eq!((before.lookup.pools, before.lookup.claim), (vec![], None));
    let present = harness.state.revision();
    assert_eq!(
        ask("10.0.0.0/32", Moment::Revision(present + 1)),
        Err(PastError::NotReached(present))
    );
    let nobody: Name = name("nobody");
    let refused = harness.state.lookup_at(
        &nobody,
        &name("default"),
        block("10.0.0.0/32"),
        Moment::Revision(1),
    );
    assert!(matches!(refused, Err(PastError::Refused(_))), "{refused:?}");
}

#[test]
fn a_wide_block_of_many_cidrs_is_looked_through_once() {
    let mut harness = Harness::new();
    let cidrs: Vec<String> = (0..256)
        .map(|number| format!("10.0.{number}.0/24"))
        .collect();
    harness.pool(root("p", &cidrs.join(" ")));
    let before = Moment::Revision(harness.state.revision());
    for number in 0..8 {
        harness.take(&format!("c{number}"), "p", "");
    }
    let after = Moment::Revision(harness.state.revision());
    for (moment, expected) in [(before, false), (after, true)] {
        let past = harness.state.lookup_at(
            &name(TENANT),
            &name("default"),
            block("10.0.0.0/16"),
            moment,
        );
        assert_eq!(past.unwrap().lookup.held_in_part, expected);
    }
}

#[test]
fn what_came_later_at_one_wall_time_is_not_told_of_the_revision_before() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/30"));
    let confirm = Command::ClaimConfirm(allocator::command::ClaimConfirm {
        tenant: name(TENANT),
        name: name("c"),
        owner: None,
        generation: None,
    });
    let take = crate::support::Given::from(claim("c", "p", "")).0;
    harness.together(vec![take, confirm]);
    let (confirmed, wall_ms) = (harness.state.revision(), harness.state.clock().wall_ms());
    let given = confirmed - 1;
    let ask = |harness: &Harness, revision| {
        let moment = Moment::Revision(revision);
        let query = block("10.0.0.0/32");
        let past = harness
            .state
            .lookup_at(&name(TENANT), &name("default"), query, moment);
        let claim = past.unwrap().lookup.claim.unwrap();
        (claim.phase, claim.in_use_at_ms)
    };
    for _ in 0..2 {
        assert_eq!(ask(&harness, given), (Phase::Allocated, None));
        assert_eq!(ask(&harness, confirmed), (Phase::InUse, Some(wall_ms)));
        // The same after it has ended.
        if harness.state.claim(&name(TENANT), &name("c")).is_ok() {
            harness.release("c");
        }
    }
}
