//! Settings: how far back the past reaches.

use allocator::State;
use allocator::answer::{Outcome, Rejection};
use allocator::command::Command;
use allocator::history::{HistoryFilter, Moment, PastError};
use allocator::settings::{SettingChange, Settings, SettingsEdit};
use allocator::view::EventId;
use allocator::watch::EventFilter;

use crate::support::{Harness, TENANT, batch, block, create_claim, name, release_claim, root};

fn edit(edit: SettingsEdit) -> Command {
    Command::SettingsEdit(edit)
}

fn count(to: u64) -> Command {
    edit(SettingsEdit {
        events_max_count: SettingChange::To(to),
        ..SettingsEdit::default()
    })
}

#[test]
fn settings_are_edited_within_their_bounds_and_reset() {
    let mut harness = Harness::new();
    assert_eq!(harness.state.settings(), Settings::default());
    let all = SettingsEdit {
        events_max_age_seconds: SettingChange::To(60),
        events_max_count: SettingChange::To(100_000_000),
        events_max_bytes: SettingChange::To(1 << 20),
    };
    let expected = Settings {
        events_max_age_seconds: 60,
        events_max_count: 100_000_000,
        events_max_bytes: 1 << 20,
    };
    let revision = harness.state.revision();
    assert_eq!(harness.ok(edit(all)), Outcome::SettingsEdited(expected));
    assert_eq!(harness.ok(edit(all)), Outcome::SettingsEdited(expected));
    assert_eq!(harness.state.revision(), revision + 1);
    let loaded = State::from_pages(harness.state.cut().pages()).unwrap();
    assert_eq!(loaded.settings(), expected);
    let wrong = SettingsEdit {
        events_max_age_seconds: SettingChange::To(59),
        events_max_count: SettingChange::To(100_000_001),
        events_max_bytes: SettingChange::To((1 << 20) - 1),
    };
    let Rejection::InvalidField(fields) = harness.refused(edit(wrong)) else {
        panic!("the fields are named")
    };
    let fields: Vec<String> = fields.into_iter().map(|field| field.field).collect();
    assert_eq!(
        fields,
        ["eventsMaxAgeSeconds", "eventsMaxCount", "eventsMaxBytes"]
    );
    assert_eq!(harness.state.settings(), expected);
    let reset = SettingsEdit {
        events_max_count: SettingChange::Reset,
        ..SettingsEdit::default()
    };
    harness.ok(edit(reset));
    assert_eq!(harness.state.settings().events_max_count, 1_000_000);
}

#[test]
fn what_lies_before_the_bounds_is_gone_and_said_to_be_gone() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    harness.ok(count(1_000));
    let held = harness.take("held", "p", "10.0.0.200/32");
    let (given, given_ms) = (harness.state.revision(), harness.state.clock().wall_ms());
    let both = || vec![create_claim("c", "p", ""), release_claim("c", None)];
    let mut last = 0;
    for _ in 0..6 {
        let many: Vec<_> = (0..125).flat_map(|_| both()).collect();
        harness.ok(batch(false, many));
        last = harness.state.revision();
    }
    let state = &harness.state;
    let ask = |moment| {
        let (tenant, space) = (name(TENANT), name("default"));
        state.lookup_at(&tenant, &space, block(&held), moment)
    };
    let watched = state.watch(EventId::end_of(given), &EventFilter::default(), 10);
    let oldest = watched.unwrap_err().oldest;
    assert!(given < oldest && oldest < last, "{given} {oldest} {last}");
    for moment in [Moment::Revision(given), Moment::Time(given_ms)] {
        let Err(PastError::Compacted(compacted)) = ask(moment) else {
            panic!("it is not known who had it at {moment:?}")
        };
        assert_eq!(compacted.oldest, oldest);
    }
    // What began before that, and goes on, is known.
    let had = ask(Moment::Revision(oldest)).unwrap().lookup.claim.unwrap();
    assert_eq!(had.spec.name, name("held"));
    let page = state.history(&HistoryFilter::default(), None, 2_000);
    let held = page.items.last().unwrap();
    assert_eq!((&held.holder.1, held.from_revision), (&name("held"), None));
    assert!(page.items.len() < 600, "{}", page.items.len());
    assert!(
        state
            .watch(EventId::end_of(oldest), &EventFilter::default(), 10)
            .is_ok()
    );
}
