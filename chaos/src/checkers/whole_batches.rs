//! A batch is done as a whole or not at all.
//!
//! That it was done is known of one that was acknowledged; of one of unknown outcome it is known where something was
//! seen that only this batch can have done. Then all the rest of it must be done by that revision.

use super::Case;
use super::holding::{Holding, NEVER_US};
use super::observations::{Observation, Sees};
use super::story::{Ask, Fate, Operation, Shown};
use super::verdict::{Notes, Proof};

const NAME: &str = "whole_batches";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let mut notes = Notes::new(NAME, "a batch is done as a whole or not at all");
    for operation in case.story.operations.iter().filter(|one| one.is_batch) {
        notes.looked_at("batches", 1);
        let done = match operation.fate {
            Fate::Answered { revision, .. } => Some((revision, operation.proof())),
            Fate::Open => seen_by(case, operation),
            Fate::BatchRefused { .. } | Fate::Failed => {
                undone(&mut notes, case, operation);
                None
            }
        };
        if let Some((revision, proof)) = done {
            notes.looked_at("batches that were done", 1);
            whole(&mut notes, case, operation, revision, &proof);
        }
    }
    notes
}

/// The least revision at which something was seen that only this batch can have done.
fn seen_by(case: &Case<'_>, batch: &Operation<'_>) -> Option<(u64, Vec<Proof>)> {
    let seen = batch.parts.iter().filter_map(|part| match part.ask {
        Ask::Claim { name, .. } => {
            let holding = only_holding_of(case, batch, name)?;
            Some((holding.revisions.0, holding.proof_of_revisions()))
        }
        Ask::Release { name, generation } => {
            let holding = case.holdings.get(generation)?;
            let is_only = holding.endings.len() == 1
                && holding.terms.iter().all(|term| term.ends_us == NEVER_US);
            let gone = said_of(case, name)
                .find(|seen| seen.denies(generation) && seen.revision >= holding.revisions.0)?;
            is_only.then(|| (gone.revision, gone.proof()))
        }
        Ask::Renew { .. } | Ask::Get { .. } | Ask::Lookup { .. } => None,
    });
    seen.min_by_key(|(revision, _)| *revision)
}

/// What the batch gave to a name, if nothing else can have given it.
fn only_holding_of<'c, 'a>(
    case: &'c Case<'a>,
    batch: &Operation<'_>,
    name: &str,
) -> Option<&'c Holding<'a>> {
    let mut claims = case.parts_of(name).filter(|(operation, part)| {
        let is_claim = matches!(part.ask, Ask::Claim { .. });
        is_claim && (operation.is_open() || operation.id == batch.id)
    });
    let (claims, more) = (claims.next(), claims.next());
    let mut held = case.holdings.of_name(name);
    let holding = held.find(|one| one.given.is_empty())?;
    (claims.is_some_and(|(one, _)| one.id == batch.id) && more.is_none()).then_some(holding)
}

/// Nothing of a batch that was not done may be seen.
fn undone(notes: &mut Notes, case: &Case<'_>, batch: &Operation<'_>) {
    for part in &batch.parts {
        if let Ask::Claim { name, .. } = part.ask
            && let Some(holding) = only_holding_of(case, batch, name)
        {
            let says = format!(
                "{} was not done, but {name} holds {} (generation {}), which nothing else can have given it",
                batch.words(),
                holding.block,
                holding.generation
            );
            notes.wrong(says, batch.proof().into_iter().chain(holding.proof()));
        }
    }
}

/// Each part of a batch that was done by a revision is seen to be done from there on.
fn whole(
    notes: &mut Notes,
    case: &Case<'_>,
    batch: &Operation<'_>,
    revision: u64,
    proof: &[Proof],
) {
    for part in &batch.parts {
        let missing = match (part.ask, part.shown) {
            (Ask::Claim { name, .. }, shown) => missing_claim(case, batch, name, shown, revision),
            (Ask::Release { name, generation }, _) => {
                let still = said_of(case, name)
                    .find(|seen| seen.revision >= revision && seen.sees == Sees::Holds(generation));
                still.map(|seen| (name, *seen))
            }
            (Ask::Renew { .. } | Ask::Get { .. } | Ask::Lookup { .. }, _) => None,
        };
        if let Some((name, seen)) = missing {
            let says = format!(
                "{} was done by revision {revision}, but not for {name}: {}",
                batch.words(),
                seen.words()
            );
            notes.wrong(says, proof.iter().copied().chain(seen.proof()));
        }
    }
}

fn missing_claim<'a>(
    case: &Case<'a>,
    batch: &Operation<'_>,
    name: &'a str,
    shown: Option<Shown<'_>>,
    revision: u64,
) -> Option<(&'a str, Observation)> {
    let may_be_over = |seen: &Observation| match shown {
        Some(Shown::Holds { generation, .. }) => case
            .holdings
            .get(generation)
            .is_none_or(|holding| holding.may_end_us <= seen.shown.us),
        // Which generation it was is not known: anything that was tried meanwhile may have ended it.
        _ => case.parts_of(name).any(|(operation, part)| {
            let tried = operation.invoked <= seen.shown
                && operation
                    .answered()
                    .is_none_or(|(at, _)| batch.invoked <= at)
                && operation.fate != Fate::Failed;
            match part.ask {
                Ask::Release { .. } => tried,
                Ask::Claim { ttl_us, .. } => ttl_us.is_some(),
                Ask::Renew { .. } => true,
                Ask::Get { .. } | Ask::Lookup { .. } => false,
            }
        }),
    };
    let denied = |seen: &Observation| match shown {
        Some(Shown::Holds { generation, .. }) => seen.denies(generation),
        _ => seen.sees == Sees::Nothing,
    };
    let seen = said_of(case, name)
        .find(|seen| seen.revision >= revision && denied(seen) && !may_be_over(seen))?;
    Some((name, *seen))
}

/// What was said of a name.
fn said_of<'c>(case: &'c Case<'_>, name: &str) -> impl Iterator<Item = &'c Observation> {
    let said = case.observations.of_names.get(name);
    said.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn a_batch_is_done_as_a_whole() {
        let held = "1-2 claim c p => holds 10.0.0.9/32 6 new @2\n";
        let done = "3-4 batch claim a p ; release c 6 ; claim b p => \
                    holds 10.0.0.1/32 7 new ; released 6 ; holds 10.0.0.2/32 8 new @3\n";
        let unknown = "3- batch claim a p ; release c 6 ; claim b p\n";
        let refused = "3-4 batch claim a p ; release c 6 => refused pool_exhausted @3\n";
        for (bad, good) in [
            (
                format!("{done}5-6 get b => nothing @3"),
                format!("{done}4- release b 8\n5-6 get b => nothing @4"),
            ),
            (
                format!("{done}5-6 get c local=0 => found 10.0.0.9/32 6 @3"),
                format!("{done}5-6 get c local=0 => found 10.0.0.9/32 6 @2"),
            ),
            (
                format!("{unknown}5-6 get a => found 10.0.0.1/32 7 @3\n5-6 get b => nothing @3"),
                format!("{unknown}5-6 get a => found 10.0.0.1/32 7 @4\n5-6 get b => nothing @3"),
            ),
            (
                format!(
                    "{unknown}5-6 get a => found 10.0.0.1/32 7 @3\n7-8 get c => found 10.0.0.9/32 6 @3"
                ),
                format!("{unknown}5-6 get a => found 10.0.0.1/32 7 @3\n7-8 get c => nothing @3"),
            ),
            (
                format!("{unknown}5-6 get c => nothing @3\n7-8 get a => nothing @3"),
                format!("{unknown}5-6 get c => nothing @3\n7-8 get b => found 10.0.0.2/32 8 @3"),
            ),
            (
                format!("{refused}5-6 get a => found 10.0.0.1/32 7 @3"),
                format!("{refused}4- claim a p\n5-6 get a => found 10.0.0.1/32 7 @3"),
            ),
        ] {
            tells_apart(
                check,
                (&format!("{held}{bad}"), "batch ["),
                &format!("{held}{good}"),
            );
        }
    }
}
