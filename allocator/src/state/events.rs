//! The ring of events: what happened, as far back as its bounds reach.

use alloc::boxed::Box;
use core::fmt;

use crate::name::Name;
use crate::record::{Claim, EVENT_WEIGHT, Ended, Event, Extras, Hold};
use crate::view::{ClaimView, EventId, EventView, Page};

use super::State;

/// What was asked for lies before the oldest event that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// The oldest revision whose events are all kept.
    pub oldest: u64,
}

impl fmt::Display for Compacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "events before revision {} are gone", self.oldest)
    }
}

impl core::error::Error for Compacted {}

/// A holding that an event concerns.
pub(super) enum Holding<'a> {
    Held(&'a Hold, &'a Claim),
    Ended(&'a Ended),
}

impl Holding<'_> {
    /// Its use had been confirmed by a revision.
    pub(super) fn used_by(&self, revision: u64) -> bool {
        let life = match self {
            Self::Held(hold, _) => hold.life(),
            Self::Ended(ended) => ended.life(),
        };
        life.is_some_and(|life| life.used_by(revision))
    }

    /// Owner, labels and the like of its holder.
    pub(super) fn extras(&self) -> Option<&Extras> {
        match self {
            Self::Held(_, claim) => claim.extras.as_deref(),
            Self::Ended(ended) => ended.extras(),
        }
    }
}

impl State {
    /// The events after one, or from the oldest on.
    ///
    /// # Errors
    /// [`Compacted`] where events after that one have been dropped.
    pub fn events(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Page<EventView, EventId>, Compacted> {
        let ring = &self.tables.events;
        let first = match after {
            None => ring.first(),
            Some(after) => {
                self.events_reach(after)?;
                self.event_after(after)
            }
        };
        let mut items = alloc::vec::Vec::new();
        let mut number = first;
        while items.len() < limit
            && let Some(event) = ring.get(number)
        {
            items.push(self.event_view(event));
            number = number.saturating_add(1);
        }
        let more = number < ring.end();
        let next = items.last().filter(|_| more).map(|event| event.id);
        Ok(Page { items, next })
    }

    /// Number of the first event after one. They are in order: halving.
    pub(super) fn event_after(&self, after: EventId) -> u64 {
        let ring = &self.tables.events;
        let (mut low, mut high) = (ring.first(), ring.end());
        while low < high {
            let middle = low.midpoint(high);
            if ring.get(middle).is_some_and(|event| event.id() <= after) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    pub(super) fn event_view(&self, event: &Event) -> EventView {
        let name = |id| Name::new(self.tables.text(id)).ok();
        EventView {
            id: event.id(),
            kind: event.kind,
            at_ms: event.at_ms,
            tenant: name(event.tenant).expect("every event is of a tenant"),
            pool: name(event.pool),
            generation: (event.generation != 0).then_some(event.generation),
            claim: self.holding(event).map(Box::new),
            actor: Box::from(self.tables.text(event.actor)),
            source: Box::from(self.tables.text(event.source)),
        }
    }

    fn holding(&self, event: &Event) -> Option<ClaimView> {
        match self.holding_record(event)? {
            Holding::Held(hold, claim) => Some(self.claim_view(hold, claim)),
            Holding::Ended(ended) => self.ended_view(ended),
        }
    }

    /// The holding that an event concerns: as it is, or as it last was; `None` for what a child pool
    /// holds, as long as it does.
    pub(super) fn holding_record(&self, event: &Event) -> Option<Holding<'_>> {
        if event.generation == 0 {
            return None;
        }
        let held = self
            .tables
            .holds
            .get(event.hold)
            .filter(|hold| hold.generation == event.generation);
        if let Some(hold) = held {
            return hold.claim().map(|claim| Holding::Held(hold, claim));
        }
        let ended = self
            .index
            .ended
            .of_generation(&self.tables, event.generation)?;
        Some(Holding::Ended(self.tables.ended_of(ended)))
    }

    /// Drops events that have passed a bound, the oldest first and at most so many, and with each that
    /// ended a holding the record of it.
    pub(super) fn events_drop(&mut self, most: u64) {
        for _ in 0..most {
            if !self.oldest_event_is_due() {
                return;
            }
            let Some(event) = self.event_drop() else {
                return;
            };
            self.meta.dropped = Some(event.id());
            self.meta.dropped_at_ms = event.at_ms;
            if event.ends {
                self.ended_drop();
            }
        }
    }

    fn oldest_event_is_due(&self) -> bool {
        let ring = &self.tables.events;
        let bounds = &self.meta.bounds;
        let Some(oldest) = ring.get(ring.first()) else {
            return false;
        };
        let bytes = ring
            .len()
            .saturating_mul(EVENT_WEIGHT)
            .saturating_add(self.index.ended.bytes);
        let age_ms = self.meta.clock.now_ms().saturating_sub(oldest.now_ms);
        ring.len() > bounds.count || bytes > bounds.bytes || age_ms > bounds.age_ms
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::answer::Rejection;
    use crate::command::{
        ClaimRelease, ClaimSpec, Command, Entry, Envelope, PoolCidr, PoolRef, PoolSource, PoolSpec,
        Position, Quota, Stamp, TenantSpec,
    };
    use crate::name::Labels;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn apply(state: &mut State, mono_ms: u64, commands: Vec<Command>) {
        let envelope = |command| Envelope {
            actor: Box::from("a"),
            source: Box::from("s"),
            command,
        };
        let commands = commands.into_iter().map(envelope).collect();
        let stamp = Stamp {
            clock_term: 1,
            clock_node: 1,
            mono_ms,
            wall_ms: None,
        };
        let answers = state.apply(
            Position {
                term: 1,
                node: 1,
                index: 1,
            },
            &Entry { stamp, commands },
        );
        assert!(
            answers.iter().all(|answer| answer.result.is_ok()),
            "{answers:?}"
        );
        state.audit().unwrap();
    }

    const MAX: u64 = u64::MAX;

    /// A state with a tenant and a pool, which are two events, and bounds on age, number and bytes.
    fn stocked(age_ms: u64, count: u64, bytes: u64) -> State {
        let mut state = State::new();
        let bounds = &mut state.meta.bounds;
        (bounds.age_ms, bounds.count, bounds.bytes) = (age_ms, count, bytes);
        let tenant = TenantSpec {
            name: name("t"),
            labels: Labels::new(),
            annotations: Labels::new(),
            description: Box::from(""),
            quota: Quota::default(),
        };
        let cidr = PoolCidr {
            cidr: "10.0.0.0/24".parse().unwrap(),
            subnet: None,
            gateway: None,
        };
        let pool = PoolSpec::new(
            name("t"),
            name("p"),
            PoolSource::Root {
                space: None,
                cidrs: vec![cidr],
            },
        );
        apply(
            &mut state,
            0,
            vec![
                Command::TenantCreate(Box::new(tenant)),
                Command::PoolCreate(Box::new(pool)),
            ],
        );
        state
    }

    fn claim(text: &str) -> Command {
        Command::ClaimCreate(Box::new(ClaimSpec::new(
            name("t"),
            name(text),
            PoolRef {
                tenant: None,
                name: name("p"),
            },
        )))
    }

    fn release(text: &str) -> Command {
        Command::ClaimRelease(ClaimRelease {
            tenant: name("t"),
            name: name(text),
            generation: None,
        })
    }

    #[test]
    fn events_are_kept_up_to_their_number() {
        let mut state = stocked(MAX, 5, MAX);
        for number in 0..10 {
            apply(
                &mut state,
                0,
                vec![claim(&format!("c{number}")), release(&format!("c{number}"))],
            );
            assert!(state.tables.events.len() <= 5);
            assert!(
                state.tables.ended.len() <= 3,
                "records of ended holdings go with their events"
            );
        }
        assert_eq!(state.events(None, 10).unwrap().items.len(), 5);
    }

    #[test]
    fn events_are_kept_up_to_their_bytes_and_those_of_what_they_tell() {
        let bytes = 1_000;
        let mut state = stocked(MAX, MAX, bytes);
        for number in 0..30 {
            apply(
                &mut state,
                0,
                vec![claim(&format!("c{number}")), release(&format!("c{number}"))],
            );
            let weight = state.tables.events.len() * EVENT_WEIGHT + state.index.ended.bytes;
            assert!(weight <= bytes, "{weight}");
        }
        assert!(state.tables.ended.len() >= 2);
    }

    #[test]
    fn events_are_kept_up_to_their_age_and_what_lies_before_is_told_as_gone() {
        let mut state = stocked(1_000, MAX, MAX);
        apply(&mut state, 100, vec![claim("c"), release("c")]);
        let seen = state.events(None, 3).unwrap().next.unwrap();
        apply(&mut state, 1_000, vec![Command::Tick]);
        assert_eq!(state.events(None, 10).unwrap().items.len(), 4);
        apply(&mut state, 1_001, vec![Command::Tick]);
        assert_eq!(
            state.events(None, 10).unwrap().items.len(),
            2,
            "tenant and pool are a second old"
        );
        assert_eq!(
            state.events(Some(seen), 10).unwrap().items.len(),
            1,
            "what was seen need not be kept"
        );
        apply(&mut state, 1_101, vec![Command::Tick]);
        assert!(state.events(None, 10).unwrap().items.is_empty());
        assert_eq!(state.events(Some(seen), 10), Err(Compacted { oldest: 5 }));
        // The end of the holding is not known any more.
        let gone = state.claim(&name("t"), &name("c"));
        assert!(
            matches!(gone, Err(Rejection::ClaimNotFound { ended: None, .. })),
            "{gone:?}"
        );
    }

    #[test]
    fn an_entry_drops_a_bounded_number_of_events() {
        let mut state = stocked(1_000, MAX, MAX);
        for _ in 0..200 {
            apply(&mut state, 100, vec![claim("c"), release("c")]);
        }
        assert_eq!(state.tables.events.len(), 402);
        apply(&mut state, 10_000, vec![Command::Tick]);
        assert_eq!(
            state.tables.events.len(),
            402 - super::super::DROPPED_PER_ENTRY
        );
        apply(&mut state, 10_000, vec![Command::Tick]);
        assert_eq!(state.tables.events.len(), 0);
    }

    #[test]
    fn a_holding_that_is_gone_from_the_events_does_not_hide_the_one_after_it() {
        let mut state = stocked(MAX, 4, MAX);
        apply(
            &mut state,
            0,
            vec![claim("c"), release("c"), claim("c"), release("c")],
        );
        let last = state.events(None, 10).unwrap().items.pop().unwrap();
        let known = state.claim(&name("t"), &name("c"));
        let Err(Rejection::ClaimNotFound {
            ended: Some(ended), ..
        }) = known
        else {
            panic!("{known:?}")
        };
        assert_eq!(Some(ended.generation), last.generation);
        // One is claimed and released in a dry run: the one before it is found again.
        let both = Command::Batch {
            tenant: name("t"),
            atomic: true,
            operations: vec![
                crate::command::Operation::CreateClaim(match claim("c") {
                    Command::ClaimCreate(spec) => spec,
                    _ => unreachable!("a claim is built"),
                }),
                crate::command::Operation::ReleaseClaim(ClaimRelease {
                    tenant: name("t"),
                    name: name("c"),
                    generation: None,
                }),
            ],
        };
        let answer = state.dry_run(&Envelope {
            actor: Box::from(""),
            source: Box::from(""),
            command: both,
        });
        assert!(answer.result.is_ok());
        assert_eq!(
            state.claim(&name("t"), &name("c")),
            Err(Rejection::ClaimNotFound {
                tenant: name("t"),
                claim: name("c"),
                ended: Some(ended)
            })
        );
        state.audit().unwrap();
    }

    #[test]
    fn a_deletion_that_is_only_tried_leaves_every_text_where_it_was() {
        let mut state = stocked(1_000, MAX, MAX);
        for text in ["u", "v"] {
            let mut spec = TenantSpec::clone(&state.tables.tenant(0).spec);
            spec.name = name(text);
            apply(&mut state, 0, vec![Command::TenantCreate(Box::new(spec))]);
        }
        apply(
            &mut state,
            0,
            vec![Command::TenantDelete { tenant: name("u") }],
        );
        // No event is left: only the tenant refers to its name, and places before that are vacant.
        apply(&mut state, 2_000, vec![Command::Tick]);
        let place = state.texts.find(&state.tables, "v");
        assert!(place > super::super::texts::id_of(state.tables.texts.next_id()));
        let digest = state.digest();
        let command = Command::TenantDelete { tenant: name("v") };
        let answer = state.dry_run(&Envelope {
            actor: Box::from("a"),
            source: Box::from(""),
            command,
        });
        assert!(answer.result.is_ok());
        assert_eq!(
            (state.texts.find(&state.tables, "v"), state.digest()),
            (place, digest)
        );
        state.audit().unwrap();
    }
}
