//! What was said of names and blocks, by whatever answer or event: the material of the checkers that do not search.

use std::collections::{BTreeMap, BTreeSet};

use allocator::prefix::Prefix;

use super::holding::{ends, shows_a_holding};
use super::story::{Ask, At, Fate, Implied, Operation, Part, Shown, Story, Tells};
use super::verdict::Proof;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Observations<'a> {
    /// By name: those of operations in the order in which they were invoked, then those of watches and of lists.
    pub(super) of_names: BTreeMap<&'a str, Vec<Observation>>,
    /// Lookups that showed nothing.
    pub(super) free: Vec<(Prefix, Observation)>,
}

/// Something was said of a name at a revision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation {
    pub(super) invoked: At,
    pub(super) shown: At,
    pub(super) revision: u64,
    pub(super) is_linearizable: bool,
    pub(super) id: Option<u64>,
    pub(super) sees: Sees,
}

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sees {
    /// It holds this generation.
    Holds(u64),
    /// It holds nothing.
    Nothing,
    /// This generation is over.
    Over(u64),
    /// It does not hold this generation.
    Another(u64),
}

impl Observation {
    pub(super) fn proof(&self) -> Vec<Proof> {
        let at = |at: At| Proof {
            id: self.id,
            ..at.proof()
        };
        vec![at(self.invoked), at(self.shown)]
    }

    /// It says that this generation is not held.
    pub(super) fn denies(&self, generation: u64) -> bool {
        match self.sees {
            Sees::Holds(seen) => seen != generation,
            Sees::Nothing => true,
            Sees::Over(seen) | Sees::Another(seen) => seen == generation,
        }
    }

    pub(super) fn words(&self) -> String {
        let what = match self.sees {
            Sees::Holds(generation) => format!("it holds generation {generation}"),
            Sees::Nothing => "it holds nothing".to_owned(),
            Sees::Over(generation) => format!("generation {generation} is over"),
            Sees::Another(generation) => format!("it does not hold generation {generation}"),
        };
        let who = match self.id {
            Some(id) => format!("operation {id}"),
            None => "a watch or list".to_owned(),
        };
        format!("{who} says at revision {} that {what}", self.revision)
    }
}

pub(super) fn observations<'a>(story: &Story<'a>) -> Observations<'a> {
    let mut all = Observations::default();
    for operation in &story.operations {
        all.operation(operation);
    }
    for told in story.watches.values().flatten() {
        let Tells::Event {
            revision, change, ..
        } = told.tells
        else {
            continue;
        };
        if let (Some(name), Some(generation)) = (&change.name, change.generation) {
            let sees = if shows_a_holding(&change.kind) {
                Sees::Holds(generation)
            } else if ends(&change.kind) {
                Sees::Over(generation)
            } else {
                continue;
            };
            let of_name = all.of_names.entry(name).or_default();
            of_name.push(Observation {
                invoked: told.at,
                shown: told.at,
                revision,
                is_linearizable: false,
                id: None,
                sees,
            });
        }
    }
    let asked = story.parts().filter_map(|(_, part)| part.ask.name());
    let names: BTreeSet<&'a str> = asked.collect();
    for list in &story.lists {
        let listed = list.held.keys().copied();
        for name in names
            .iter()
            .copied()
            .chain(listed.filter(|one| !names.contains(one)))
        {
            let held = list.held.get(name);
            let sees = held.map_or(Sees::Nothing, |(_, generation)| Sees::Holds(*generation));
            let of_name = all.of_names.entry(name).or_default();
            of_name.push(Observation {
                invoked: list.at,
                shown: list.at,
                revision: list.revision,
                is_linearizable: false,
                id: None,
                sees,
            });
        }
    }
    all
}

impl<'a> Observations<'a> {
    fn operation(&mut self, operation: &Operation<'a>) {
        let Fate::Answered { at, revision } = operation.fate else {
            return;
        };
        let observation = |sees| Observation {
            invoked: operation.invoked,
            shown: at,
            revision,
            is_linearizable: operation.local().is_none(),
            id: Some(operation.id),
            sees,
        };
        // What the first operations of a batch did to a name is gone where a later one did more to it.
        let mut last: BTreeMap<&'a str, Sees> = BTreeMap::new();
        for part in &operation.parts {
            match said(part) {
                Some((Some(name), sees)) => {
                    last.insert(name, sees);
                }
                Some((None, sees)) => {
                    if let Ask::Lookup { block, .. } = part.ask {
                        self.free.push((block, observation(sees)));
                    }
                }
                None => {}
            }
        }
        for (name, sees) in last {
            let of_name = self.of_names.entry(name).or_default();
            of_name.push(observation(sees));
        }
    }
}

/// What an answer says, and of whom; a lookup that shows nothing speaks of no name.
fn said<'a>(part: &Part<'a>) -> Option<(Option<&'a str>, Sees)> {
    let name = part.ask.name();
    let sees = match part.shown? {
        Shown::HeldBy { name, generation } => return Some((Some(name), Sees::Holds(generation))),
        Shown::Holds { generation, .. }
        | Shown::Found { generation, .. }
        | Shown::Renewed { generation } => Sees::Holds(generation),
        Shown::Released { generation } => Sees::Over(generation),
        Shown::Nothing => Sees::Nothing,
        Shown::Refused { .. } => match (part.implied()?, part.ask) {
            (Implied::Nothing | Implied::Taken, _) => Sees::Nothing,
            (Implied::Another, Ask::Release { generation, .. } | Ask::Renew { generation, .. }) => {
                Sees::Another(generation)
            }
            _ => return None,
        },
    };
    Some((name, sees))
}
