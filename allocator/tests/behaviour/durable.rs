//! Cuts, pages and replay.

use std::collections::BTreeMap;

use allocator::State;
use allocator::command::{Command, Position};
use allocator::pages::{Cut, LOADED, LoadError, Page, PageChange, PageKey};
use proptest::prelude::*;

use crate::model::{World, commands, strategies};
use crate::support::{
    Given, Harness, TENANT, batch, child, claim, create_claim, entry, name, release, root, tenant,
};

/// A store of pages, as a disk would hold them: bytes by key.
#[derive(Default, Clone)]
struct Store(BTreeMap<PageKey, Vec<u8>>);

impl Store {
    /// Brings the store up to a cut, from an earlier one.
    fn write(&mut self, cut: &Cut, since: u64) -> usize {
        let mut written = 0;
        for change in cut.pages_since(since) {
            match change {
                PageChange::Put(key, page) => {
                    written += 1;
                    self.0.insert(key, serde_json::to_vec(&page).unwrap());
                }
                PageChange::Removed(key) => {
                    self.0.remove(&key);
                }
                PageChange::RemovedBefore(key) => self
                    .0
                    .retain(|there, _| there.table != key.table || *there >= key),
            }
        }
        written
    }

    fn pages(&self) -> Vec<(PageKey, Page)> {
        self.0
            .iter()
            .map(|(key, bytes)| (*key, serde_json::from_slice(bytes).unwrap()))
            .collect()
    }

    fn load(&self) -> Result<State, LoadError> {
        State::from_pages(self.pages())
    }
}

fn apply(state: &mut State, index: u64, command: &Command) -> allocator::answer::Answer {
    let mut answers = state.apply(
        Position {
            term: 1,
            node: 1,
            index,
        },
        &entry(index * 10, vec![command.clone()]),
    );
    answers.pop().unwrap()
}

proptest! {
    // About 103,000 commands: 29.5 a case on average.
    #![proptest_config(ProptestConfig { cases: 3_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_log_makes_the_same_state_with_or_without_pages_between(commands in commands(60), strategy in strategies(), every in 3_u64..9) {
        let world = World::new(strategy);
        let log: Vec<Command> = world.setup().into_iter().chain(commands.iter().filter_map(|one| world.command(one))).collect();
        let (mut one, mut other, mut third) = (State::new(), State::new(), State::new());
        let (mut steps, mut since) = (Store::default(), 0);
        let mut cuts: Vec<(Cut, u128)> = Vec::new();
        for (index, command) in (1..).zip(&log) {
            let answer = apply(&mut one, index, command);
            prop_assert_eq!(&apply(&mut other, index, command), &answer);
            prop_assert_eq!(&apply(&mut third, index, command), &answer);
            prop_assert_eq!(one.digest(), other.digest());
            prop_assert_eq!(one.digest(), third.digest());
            if index % every == 0 {
                // From a cut of everything.
                let cut = other.cut();
                prop_assert_eq!(cut.digest(), one.digest());
                let mut full = Store::default();
                full.write(&cut, 0);
                other = full.load().unwrap();
                other.audit().unwrap();
                // From the changes since the cut before, in a state that goes on.
                let cut = third.cut();
                steps.write(&cut, since);
                since = cut.epoch();
                let loaded = steps.load().unwrap();
                prop_assert_eq!(loaded.digest(), one.digest());
                if index % (every * 3) == 0 {
                    third = loaded;
                    since = LOADED;
                }
                cuts.push((cut, one.digest()));
            }
        }
        for (cut, digest) in cuts {
            State::audit_cut(&cut).unwrap();
            prop_assert_eq!(cut.digest(), digest, "a cut stays as it was");
        }
    }
}

fn stocked() -> State {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/16"));
    harness.pool(child("kid", "p", "24"));
    for number in 0..100 {
        harness.take(&format!("c{number}"), "p", "");
    }
    harness.release("c50");
    harness.state
}

#[test]
fn little_is_written_for_a_little_change() {
    let mut state = stocked();
    let mut store = Store::default();
    let first = state.cut();
    let all = store.write(&first, 0);
    assert!(all > 10, "{all}");
    apply(
        &mut state,
        1_000,
        &Command::ClaimRelease(release("c7", None)),
    );
    let second = state.cut();
    // The counters, the content of the pool, the hold, its event, and its record.
    assert_eq!(store.write(&second, first.epoch()), 5);
    assert_eq!(store.load().unwrap().digest(), state.digest());
    let third = state.cut();
    assert_eq!(
        store.write(&third, second.epoch()),
        1,
        "the counters are always written"
    );
}

#[test]
fn damaged_pages_are_not_a_state() {
    let mut state = stocked();
    let mut store = Store::default();
    store.write(&state.cut(), 0);
    let digest = store.load().unwrap().digest();
    assert_eq!(digest, state.digest());
    let meta = PageKey { table: 0, index: 0 };
    let load = |pages: Vec<(PageKey, Page)>| State::from_pages(pages).map(|state| state.digest());
    for (key, _) in store.pages() {
        let without: Vec<_> = store
            .pages()
            .into_iter()
            .filter(|(there, _)| *there != key)
            .collect();
        let expected_missing = load(without).unwrap_err();
        assert_eq!(
            expected_missing == LoadError::MetaMissing,
            key == meta,
            "{key:?}: {expected_missing}"
        );
        let twice: Vec<_> = store
            .pages()
            .into_iter()
            .chain(store.pages().into_iter().filter(|(there, _)| *there == key))
            .collect();
        assert_eq!(load(twice), Err(LoadError::PageMisplaced(key)));
        let elsewhere = |(there, page)| {
            (
                if there == key {
                    PageKey { table: 77, ..key }
                } else {
                    there
                },
                page,
            )
        };
        assert!(matches!(
            load(store.pages().into_iter().map(elsewhere).collect()),
            Err(LoadError::PageMisplaced(_))
        ));
    }
    let far = |(there, page): (PageKey, Page)| {
        (
            if there.table == 4 {
                PageKey {
                    index: u64::MAX - there.index,
                    ..there
                }
            } else {
                there
            },
            page,
        )
    };
    assert!(load(store.pages().into_iter().map(far).collect()).is_err());
}

#[test]
fn a_byte_of_a_record_that_changed_is_found_by_the_digest() {
    let mut state = stocked();
    let mut store = Store::default();
    store.write(&state.cut(), 0);
    let mut changed = 0;
    for (key, bytes) in store.0.clone() {
        let text = String::from_utf8(bytes).unwrap();
        if let Some(damaged) = text.contains("c42").then(|| text.replace("c42", "c4x")) {
            changed += 1;
            let mut damaged_store = store.clone();
            damaged_store.0.insert(key, damaged.into_bytes());
            assert!(matches!(
                damaged_store.load(),
                Err(LoadError::DigestMismatch { .. })
            ));
        }
    }
    assert_eq!(changed, 1);
}

#[test]
fn a_loaded_state_gives_the_ids_that_the_other_would_give() {
    let mut state = stocked();
    for number in [3, 9, 60, 61, 62] {
        apply(
            &mut state,
            2_000 + number,
            &Command::ClaimRelease(release(&format!("c{number}"), None)),
        );
    }
    let mut store = Store::default();
    store.write(&state.cut(), 0);
    let mut loaded = store.load().unwrap();
    for index in 3_000..3_020 {
        let command = Command::ClaimCreate(Box::new(claim(&format!("new{index}"), "p", "")));
        assert_eq!(
            apply(&mut state, index, &command),
            apply(&mut loaded, index, &command)
        );
        assert_eq!(state.digest(), loaded.digest());
    }
}

#[test]
fn a_refused_batch_leaves_the_pages_as_they_were() {
    let mut state = stocked();
    let mut store = Store::default();
    let first = state.cut();
    store.write(&first, 0);
    let digest = state.digest();
    let mut operations: Vec<_> = (0..300)
        .map(|number| create_claim(&format!("n{number}"), "p", ""))
        .collect();
    operations.push(create_claim("bad", "nothing", ""));
    let Given(command) = batch(true, operations).into();
    let answer = state.command_apply(&crate::support::envelope(command));
    assert!(answer.result.is_err());
    assert_eq!(state.digest(), digest);
    store.write(&state.cut(), first.epoch());
    assert_eq!(store.load().unwrap().digest(), digest);
}

#[test]
fn the_digest_tells_states_apart() {
    let digest = |commands: Vec<Command>| {
        let mut state = State::new();
        for (index, command) in (1..).zip(commands) {
            apply(&mut state, index, &command);
        }
        state.digest()
    };
    let tenant = || Command::TenantCreate(Box::new(tenant(TENANT)));
    let digests = [
        digest(vec![]),
        digest(vec![Command::Tick]),
        digest(vec![Command::Tick, Command::Tick]),
        digest(vec![Command::Form { cluster_id: 1 }]),
        digest(vec![Command::Form { cluster_id: 2 }]),
        digest(vec![tenant()]),
        digest(vec![
            tenant(),
            Command::TenantDelete {
                tenant: name(TENANT),
            },
        ]),
    ];
    for (place, one) in digests.iter().enumerate() {
        assert!(!digests[..place].contains(one), "{place}");
    }
}
