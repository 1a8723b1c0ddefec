//! What a client asks for next.

use rand::Rng;
use rand::rngs::StdRng;

use super::known::Known;
use super::names::{self, Group, Subject};
use crate::history::{Consistency, Op};

/// Names of its own that a client holds at most.
const OWN_MAX: usize = 20;

/// What one client draws from.
#[derive(Debug)]
pub(super) struct Draw {
    client: u64,
    random: StdRng,
    /// Names of its own, oldest first, as far as it has not tried to release them.
    own: Vec<Subject>,
    next_own: u64,
}

impl Draw {
    pub(super) fn new(client: u64, random: StdRng) -> Self {
        Self {
            client,
            random,
            own: Vec::new(),
            next_own: 0,
        }
    }

    /// The next operation of a client that has seen a revision.
    pub(super) fn next(&mut self, known: &Known, seen: u64) -> Op {
        match self.random.random_range(0..100) {
            0..20 => self.of_group(Group::Hot, [45, 20, 0, 25], known, seen),
            20..38 => self.of_group(Group::Exact, [45, 25, 0, 15], known, seen),
            38..52 => self.of_group(Group::Crowd, [60, 12, 0, 14], known, seen),
            52..62 => self.of_group(Group::Kept, [45, 25, 0, 15], known, seen),
            62..76 => self.of_group(Group::Lease, [35, 5, 40, 20], known, seen),
            76..90 => self.own(known, seen),
            _ => self.batch(known),
        }
    }

    /// A number below `bound`; for all that is not drawn from the weights above.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.random.random_range(0..bound)
    }

    /// About a name of a group: so many of a hundred are claims, releases, renewals and reads of the name; the rest are
    /// reads of a block.
    fn of_group(&mut self, group: Group, shares: [u64; 4], known: &Known, seen: u64) -> Op {
        let number = self.below(group.len());
        let subject = group.subject(number);
        let drawn = self.below(100);
        let [claims, releases, renewals, gets] = shares;
        let (to_release, to_renew) = (claims + releases, claims + releases + renewals);
        if drawn < claims {
            return subject.claim();
        }
        if drawn < to_release {
            return self.release(&subject, known);
        }
        if drawn < to_renew {
            return renewal(&subject, number, known);
        }
        let block = self.below(u64::MAX);
        match subject.some_block(block) {
            Some(block) if drawn >= to_renew + gets => Op::Lookup {
                block,
                consistency: self.consistency(seen),
            },
            _ => self.get(subject.name, seen),
        }
    }

    fn own(&mut self, known: &Known, seen: u64) -> Op {
        let drawn = self.below(100);
        if self.own.is_empty() || (drawn < 50 && self.own.len() < OWN_MAX) {
            return self.own_new().claim();
        }
        let number = self.below(self.own.len() as u64);
        let place = usize::try_from(number).unwrap_or(0);
        match drawn {
            0..20 => self.own[place].claim(),
            20..60 => self.get(self.own[place].name.clone(), seen),
            _ => {
                let subject = self.own.remove(place);
                self.release(&subject, known)
            }
        }
    }

    fn own_new(&mut self) -> Subject {
        let subject = names::own(self.client, self.next_own);
        self.next_own += 1;
        self.own.push(subject.clone());
        subject
    }

    /// Two operations or three; no name twice.
    fn batch(&mut self, known: &Known) -> Op {
        let (hot, exact) = (self.one_of(Group::Hot), self.one_of(Group::Exact));
        let operations = match self.below(4) {
            0 => vec![self.own_new().claim(), self.own_new().claim()],
            1 if !self.own.is_empty() => {
                let left = self.own.remove(0);
                let release = self.release(&left, known);
                vec![release, self.own_new().claim()]
            }
            2 => vec![hot.claim(), exact.claim()],
            _ => {
                let crowd = self.one_of(Group::Crowd);
                let release = self.release(&hot, known);
                vec![release, crowd.claim(), self.own_new().claim()]
            }
        };
        Op::Batch { operations }
    }

    fn one_of(&mut self, group: Group) -> Subject {
        let number = self.below(group.len());
        group.subject(number)
    }

    /// A release of the holding that is known; of an older one now and then. A claim where none is known.
    fn release(&mut self, subject: &Subject, known: &Known) -> Op {
        let generation = if self.below(10) == 0 {
            known.oldest(&subject.name)
        } else {
            known.latest(&subject.name)
        };
        match generation {
            Some(generation) => Op::Release {
                name: subject.name.clone(),
                generation,
            },
            None => subject.claim(),
        }
    }

    fn get(&mut self, name: String, seen: u64) -> Op {
        Op::Get {
            name,
            consistency: self.consistency(seen),
        }
    }

    fn consistency(&mut self, seen: u64) -> Consistency {
        match self.below(4) {
            0..2 => Consistency::Linearizable,
            2 => Consistency::Local { min_revision: seen },
            _ => Consistency::Local { min_revision: 0 },
        }
    }
}

/// The renewal of a lease that is renewed; a claim where none is held, as far as is known.
fn renewal(subject: &Subject, number: u64, known: &Known) -> Op {
    match (known.latest(&subject.name), subject.ttl_ms) {
        (Some(generation), Some(ttl_ms)) if names::is_renewed(number) => Op::Renew {
            name: subject.name.clone(),
            generation,
            ttl_ms,
        },
        _ => subject.claim(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use rand::SeedableRng;

    use super::*;
    use crate::history::Reply;

    const DRAWN: usize = 20_000;

    /// What a client draws whose claims are all granted.
    fn drawn() -> Vec<Op> {
        let known = Known::default();
        let mut draw = Draw::new(1, StdRng::seed_from_u64(1));
        (0..DRAWN)
            .map(|number| {
                let op = draw.next(&known, 77);
                let generation = number as u64 + 1;
                let held = Reply::Found {
                    block: String::new(),
                    generation,
                    revision: 1,
                };
                known.learn(&op, &held);
                op
            })
            .collect()
    }

    fn each(op: &Op) -> Vec<&Op> {
        match op {
            Op::Batch { operations } => operations.iter().collect(),
            one => vec![one],
        }
    }

    #[test]
    fn a_third_and_more_of_all_operations_is_contended() {
        let contended = drawn().iter().filter(|op| names::is_contended(op)).count();
        assert!(contended * 100 / DRAWN > 33, "{contended} of {DRAWN}");
    }

    #[test]
    fn everything_is_asked_for() {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for op in &drawn() {
            let word = match op {
                Op::Claim { cidr: Some(_), .. } => "exact claim",
                Op::Claim {
                    ttl_ms: Some(_), ..
                } => "leased claim",
                Op::Claim { .. } => "claim",
                Op::Release { .. } => "release",
                Op::Renew { .. } => "renew",
                Op::Batch { .. } => "batch",
                Op::Get { consistency, .. } | Op::Lookup { consistency, .. } => match consistency {
                    Consistency::Linearizable => "linearizable read",
                    Consistency::Local { min_revision: 0 } => "local read",
                    Consistency::Local { .. } => "local read of a revision",
                },
            };
            *seen.entry(word).or_default() += 1;
        }
        assert_eq!(seen.len(), 9, "{seen:?}");
        assert!(seen.values().all(|count| *count > DRAWN / 100), "{seen:?}");
    }

    #[test]
    fn all_claims_of_a_name_ask_for_the_same_and_a_batch_has_no_name_twice() {
        let mut asked: BTreeMap<String, Op> = BTreeMap::new();
        for op in &drawn() {
            let mut names = BTreeSet::new();
            for one in each(op) {
                let (Op::Claim { name, .. } | Op::Release { name, .. }) = one else {
                    continue;
                };
                assert!(names.insert(name.clone()), "{op:?}");
                if matches!(one, Op::Claim { .. }) {
                    let before = asked.insert(name.clone(), one.clone());
                    assert!(before.is_none_or(|before| before == *one), "{one:?}");
                }
            }
        }
    }
}
