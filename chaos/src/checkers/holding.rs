//! One holding: who had what, when that was seen, and the earliest moment at which it may have ended.

use allocator::prefix::Prefix;

use super::story::At;
use super::verdict::Proof;

/// Stands for "never", in microseconds.
pub(super) const NEVER_US: u64 = u64::MAX;

/// One holding.
#[derive(Debug)]
pub(super) struct Holding<'a> {
    pub(super) generation: u64,
    pub(super) name: &'a str,
    pub(super) block: Prefix,
    /// The acknowledged claims that it was given by: one, or something is wrong; none, where the claim's outcome was
    /// unknown.
    pub(super) given: Vec<Given>,
    /// In the order of the lines.
    pub(super) sightings: Vec<Sighting>,
    /// Attempts to end it, in the order in which they were invoked.
    pub(super) endings: Vec<Ending>,
    /// What set a lease: the claim, and renewals.
    pub(super) terms: Vec<Term>,
    /// When the lease that it was given with may end.
    pub(super) first_lease_ends_us: u64,
    /// Earliest time at which it may have ended; [`NEVER_US`] where nothing can have ended it.
    pub(super) may_end_us: u64,
    /// The least and the greatest revision at which it was seen.
    pub(super) revisions: (u64, u64),
    /// For how long its block is kept afterwards for the same name.
    pub(super) grace_us: u64,
}

/// An acknowledged claim that was given something new.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub(super) id: u64,
    pub(super) invoked: At,
    pub(super) answered: At,
    pub(super) revision: u64,
}

/// Somebody was told of a holding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    pub(super) invoked: At,
    pub(super) shown: At,
    pub(super) revision: u64,
    /// It was so at some time between the two, not only before.
    pub(super) is_linearizable: bool,
    pub(super) id: Option<u64>,
}

/// Somebody asked for the end of a holding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    pub(super) id: u64,
    pub(super) invoked: At,
    /// When it was acknowledged, and the state that was shown.
    pub(super) done: Option<(At, u64)>,
}

/// A lease, or the lack of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    pub(super) invoked: At,
    /// Absent where the outcome is unknown.
    pub(super) answered: Option<At>,
    /// Not before this; [`NEVER_US`] without a lease.
    pub(super) ends_us: u64,
}

impl<'a> Holding<'a> {
    pub(super) fn new(generation: u64, name: &'a str, block: Prefix) -> Self {
        Self {
            generation,
            name,
            block,
            given: Vec::new(),
            sightings: Vec::new(),
            endings: Vec::new(),
            terms: Vec::new(),
            first_lease_ends_us: NEVER_US,
            may_end_us: NEVER_US,
            revisions: (u64::MAX, 0),
            grace_us: 0,
        }
    }

    /// The first line that shows it.
    pub(super) fn first_shown(&self) -> At {
        let first = self.sightings.first().map(|sighting| sighting.shown);
        first.unwrap_or(At { line: 0, us: 0 })
    }

    /// The first of the sightings at its least revision, and the first of those at its greatest.
    pub(super) fn proof_of_revisions(&self) -> Vec<Proof> {
        let (least, most) = self.revisions;
        let at = |revision| {
            let mut seen = self.sightings.iter();
            seen.find(|sighting| sighting.revision == revision)
        };
        let ends = [at(least), at(most)].into_iter().flatten();
        ends.map(Sighting::proof).collect()
    }

    /// The lines that show that it was given, and that something may have ended it.
    pub(super) fn proof(&self) -> Vec<Proof> {
        let first = self.sightings.first().map(Sighting::proof);
        let ending = self.endings.first();
        let ending = ending.map(|ending| ending.invoked.proof_of(ending.id));
        first.into_iter().chain(ending).collect()
    }

    /// It was released by an acknowledged release that no other attempt and no lease can have come before: then the
    /// release changed something, and shows its own revision.
    pub(super) fn sure_release(&self) -> Option<(Ending, u64)> {
        match &self.endings[..] {
            [one] if self.terms.iter().all(|term| term.ends_us == NEVER_US) => {
                one.done.map(|(_, revision)| (*one, revision))
            }
            _ => None,
        }
    }

    /// The least revision at which it was surely over, by an acknowledged release.
    pub(super) fn over_at(&self) -> Option<(u64, Ending)> {
        let done = self
            .endings
            .iter()
            .filter_map(|ending| ending.done.map(|(_, revision)| (revision, *ending)));
        done.min_by_key(|(revision, _)| *revision)
    }

    /// When it may have ended by something whose outcome nobody knows: a release, or a renewal to a shorter lease.
    pub(super) fn may_end_unknown_us(&self) -> u64 {
        let releases = self
            .endings
            .iter()
            .filter(|ending| ending.done.is_none())
            .map(|ending| ending.invoked.us);
        let renewals = self
            .terms
            .iter()
            .filter(|term| term.answered.is_none() && term.ends_us != NEVER_US)
            .map(|term| term.ends_us);
        releases.chain(renewals).min().unwrap_or(NEVER_US)
    }

    pub(super) fn given_with(&mut self, term: Option<Term>) {
        if let Some(term) = term {
            self.first_lease_ends_us = term.ends_us;
            self.terms.push(term);
        }
    }

    /// When its end was first asked for, or its lease may have been over: what comes after its end counts from then,
    /// also where it took effect later. (A leader counts the grace from when it takes a release in.)
    pub(super) fn asked_or_over(&self) -> u64 {
        let released = self.endings.iter().map(|ending| ending.invoked.us).min();
        released.unwrap_or(NEVER_US).min(self.lease_may_end())
    }

    /// See [`Self::may_end_us`].
    pub(super) fn may_end(&self) -> u64 {
        // Whatever was tried before: then it was still held.
        let held = self
            .sightings
            .iter()
            .filter(|sighting| sighting.is_linearizable)
            .map(|sighting| sighting.invoked.us)
            .max();
        self.asked_or_over().max(held.unwrap_or(0))
    }

    /// The lease in force is that of the last renewal; of those that overlap, either may be the last.
    fn lease_may_end(&self) -> u64 {
        let done: Vec<(At, At, u64)> = self
            .terms
            .iter()
            .filter_map(|term| Some((term.invoked, term.answered?, term.ends_us)))
            .collect();
        let last_invoked = done.iter().map(|(invoked, ..)| *invoked).max();
        let may_be_last = done
            .iter()
            .filter(|(_, answered, _)| last_invoked.is_none_or(|last| last <= *answered))
            .map(|(.., ends_us)| *ends_us);
        let unknown = self
            .terms
            .iter()
            .filter(|term| term.answered.is_none())
            .map(|term| term.ends_us);
        may_be_last.chain(unknown).min().unwrap_or(NEVER_US)
    }
}

impl Sighting {
    pub(super) fn proof(&self) -> Proof {
        Proof {
            id: self.id,
            ..self.shown.proof()
        }
    }
}

/// A change that says that the holding goes on behind it.
pub(super) fn shows_a_holding(kind: &str) -> bool {
    matches!(
        kind,
        "allocated" | "returned" | "renewed" | "confirmed" | "expiring"
    )
}

/// A change that gives a block to a name.
pub(super) fn gives(kind: &str) -> bool {
    matches!(kind, "allocated" | "returned")
}

/// A change that ends a holding.
pub(super) fn ends(kind: &str) -> bool {
    matches!(kind, "released" | "expired")
}
