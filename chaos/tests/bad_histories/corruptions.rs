//! What can be done to a right history so that it is certainly wrong, each kind with the checker that must say so.
//!
//! A kind that finds nothing in a history to do its harm to leaves it alone.

use std::collections::{BTreeMap, BTreeSet};

use chaos::history::{Consistency, Line, Op, Reply, What};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// A kind of corruption: its name, who must notice, and what it does.
pub(crate) type Corruption = (
    &'static str,
    &'static str,
    fn(&Facts<'_>, &mut StdRng) -> Option<Vec<Line>>,
);

pub(crate) const CORRUPTIONS: &[Corruption] = &[
    ("a lost claim", "final_lists", lost_claim),
    (
        "a claim lost to a read",
        "linearizable_names",
        lost_to_a_read,
    ),
    ("a double hold", "no_double_hold", double_hold),
    (
        "an overlapping hold",
        "linearizable_blocks",
        overlapping_hold,
    ),
    ("a stale read", "linearizable_names", stale_read),
    ("an early reuse", "no_early_reuse", early_reuse),
    ("an early end of a lease", "acknowledged_stays", early_end),
    ("a gap in a watch", "watches", watch_gap),
    ("a repeat in a watch", "watches", watch_repeat),
    ("a reused generation", "generations", reused_generation),
    ("a revision that goes back", "revisions", revision_back),
    ("two changes of one revision", "revisions", revision_twice),
    ("a local read behind", "local_reads", local_behind),
    ("a local read of another state", "agreement", local_wrong),
    ("different digests", "digests", other_digest),
    ("a release undone", "final_lists", release_undone),
    ("half a batch", "whole_batches", half_batch),
    ("a failed claim that holds", "nothing_unasked", failed_holds),
];

/// What is known of a right history.
pub(crate) struct Facts<'a> {
    lines: &'a [Line],
    ops: BTreeMap<u64, &'a Op>,
    /// New holdings that were acknowledged.
    given: Vec<Given>,
    /// Generations whose release or renewal anybody asked for.
    touched: BTreeSet<u64>,
    revision: u64,
    generation: u64,
}

#[derive(Clone)]
struct Given {
    /// Place of the answer.
    place: usize,
    id: u64,
    name: String,
    block: String,
    generation: u64,
    ttl_ms: Option<u64>,
    in_batch: bool,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(lines: &'a [Line]) -> Self {
        let mut facts = Self {
            lines,
            ops: BTreeMap::new(),
            given: Vec::new(),
            touched: BTreeSet::new(),
            revision: 0,
            generation: 0,
        };
        for (place, line) in lines.iter().enumerate() {
            match &line.what {
                What::Invoke { id, op, .. } => {
                    facts.ops.insert(*id, op);
                    for op in parts(op) {
                        if let Op::Release { generation, .. } | Op::Renew { generation, .. } = op {
                            facts.touched.insert(*generation);
                        }
                    }
                }
                What::Ok { id, reply } => facts.answer(place, *id, reply),
                What::Claims {
                    revision, claims, ..
                } => {
                    facts.revision = facts.revision.max(*revision);
                    for held in claims {
                        facts.generation = facts.generation.max(held.generation);
                    }
                }
                _ => {}
            }
        }
        facts
    }

    fn answer(&mut self, place: usize, id: u64, reply: &Reply) {
        self.revision = self.revision.max(reply.revision());
        let op = self.ops[&id];
        let (in_batch, replies) = match reply {
            Reply::Batch { replies, .. } => (true, &replies[..]),
            one => (false, std::slice::from_ref(one)),
        };
        for (op, reply) in parts(op).iter().zip(replies) {
            if let (
                Op::Claim { name, ttl_ms, .. },
                Reply::Holds {
                    block,
                    generation,
                    new: true,
                    ..
                },
            ) = (op, reply)
            {
                self.generation = self.generation.max(*generation);
                self.given.push(Given {
                    place,
                    id,
                    name: name.clone(),
                    block: block.clone(),
                    generation: *generation,
                    ttl_ms: *ttl_ms,
                    in_batch,
                });
            }
        }
    }

    /// What nothing can have ended.
    fn lasting(&self) -> Vec<&Given> {
        let given = self.given.iter();
        let lasting =
            given.filter(|one| one.ttl_ms.is_none() && !self.touched.contains(&one.generation));
        lasting.collect()
    }

    /// Acknowledged releases: name, generation, place of the answer.
    fn released(&self) -> Vec<(&'a str, u64, usize)> {
        let answers = self.lines.iter().enumerate();
        let released = answers.filter_map(|(place, line)| match &line.what {
            What::Ok {
                id,
                reply: Reply::Released { generation, .. },
            } => match self.ops[id] {
                Op::Release { name, .. } => Some((name.as_str(), *generation, place)),
                _ => None,
            },
            _ => None,
        });
        released.collect()
    }

    /// The history with an operation that is asked and answered behind a line.
    fn with(&self, behind: usize, op: Op, reply: Reply) -> Vec<Line> {
        let mut lines = self.lines.to_vec();
        let at_us = lines[behind].at_us;
        let id = 1_000_000;
        let invoke = What::Invoke {
            id,
            client: id,
            node: 1,
            op,
        };
        let both = [invoke, What::Ok { id, reply }];
        let both = both.map(|what| Line { at_us, what });
        let rest = lines.split_off(behind + 1);
        lines.extend(both);
        lines.extend(rest);
        lines
    }

    /// The greatest revision that anybody was shown up to a line.
    fn revision_at(&self, behind: usize) -> u64 {
        let shown = self.lines[..=behind].iter().map(|line| match &line.what {
            What::Ok { reply, .. } => reply.revision(),
            What::Watched { revision, .. } => *revision,
            _ => 0,
        });
        shown.max().unwrap_or(0)
    }

    /// The history with each list changed.
    fn with_lists(&self, change: impl Fn(&mut Vec<chaos::history::Held>)) -> Vec<Line> {
        let mut lines = self.lines.to_vec();
        for line in &mut lines {
            if let What::Claims { claims, .. } = &mut line.what {
                change(claims);
            }
        }
        lines
    }

    fn with_line(&self, place: usize, change: impl FnOnce(&mut What)) -> Vec<Line> {
        let mut lines = self.lines.to_vec();
        change(&mut lines[place].what);
        lines
    }

    /// Places of lines of a kind.
    fn places(&self, is: impl Fn(&What) -> bool) -> Vec<usize> {
        let lines = self.lines.iter().enumerate();
        let places = lines.filter(|(_, line)| is(&line.what));
        places.map(|(place, _)| place).collect()
    }

    fn last_answer(&self) -> usize {
        let answers = self.places(|what| matches!(what, What::Ok { .. }));
        answers.last().copied().unwrap_or(0)
    }

    fn local_read(&self, id: u64) -> Option<u64> {
        match self.ops.get(&id)? {
            Op::Get {
                consistency: Consistency::Local { min_revision },
                ..
            } => Some(*min_revision),
            _ => None,
        }
    }
}

fn parts(op: &Op) -> &[Op] {
    match op {
        Op::Batch { operations } => operations,
        one => std::slice::from_ref(one),
    }
}

fn get(name: &str) -> Op {
    Op::Get {
        name: name.to_owned(),
        consistency: Consistency::Linearizable,
    }
}

/// A claim of a name that asks for nothing else.
fn thief(block: &str) -> Op {
    Op::Claim {
        name: "thief".to_owned(),
        pool: "wide".to_owned(),
        cidr: Some(block.to_owned()),
        ttl_ms: None,
    }
}

fn lost_claim(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let lost = (*facts.lasting().choose(random)?).clone();
    Some(facts.with_lists(|claims| claims.retain(|held| held.name != lost.name)))
}

fn lost_to_a_read(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let lost = (*facts.lasting().choose(random)?).clone();
    let behind = random.random_range(lost.place..=facts.last_answer());
    let revision = facts.revision_at(behind);
    Some(facts.with(behind, get(&lost.name), Reply::Nothing { revision }))
}

fn stolen(facts: &Facts<'_>, behind: usize, block: &str) -> Vec<Line> {
    let reply = Reply::Holds {
        block: block.to_owned(),
        generation: facts.generation + 1,
        new: true,
        revision: facts.revision + 1,
    };
    facts.with(behind, thief(block), reply)
}

fn double_hold(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let lasting = facts.lasting();
    Some(stolen(
        facts,
        facts.last_answer(),
        &lasting.choose(random)?.block,
    ))
}

fn overlapping_hold(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let lasting = facts.lasting();
    let block = &lasting.choose(random)?.block;
    let (network, _) = block.rsplit_once('.')?;
    Some(stolen(
        facts,
        facts.last_answer(),
        &format!("{network}.0/24"),
    ))
}

fn stale_read(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let (name, generation, place) = *facts.released().choose(random)?;
    let known = facts
        .given
        .iter()
        .find(|one| one.generation == generation)?;
    let behind = random.random_range(place..=facts.last_answer());
    let reply = Reply::Found {
        block: known.block.clone(),
        generation,
        revision: facts.revision_at(behind),
    };
    Some(facts.with(behind, get(name), reply))
}

fn early_reuse(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let released = facts.released();
    let kept: Vec<(&Given, usize)> = released
        .iter()
        .filter_map(|(_, generation, place)| {
            let given = facts
                .given
                .iter()
                .find(|one| one.generation == *generation)?;
            // The first that was done about it, and a moment ago.
            let first = facts.places(|what| match what {
                What::Invoke { op, .. } => parts(op).iter().any(|op| match op {
                    Op::Release {
                        generation: one, ..
                    }
                    | Op::Renew {
                        generation: one, ..
                    } => one == generation,
                    _ => false,
                }),
                _ => false,
            });
            let is_first =
                facts.lines[*place].at_us - facts.lines[*first.first()?].at_us < 1_000_000;
            let is_kept = given.block.starts_with("10.1.") && given.ttl_ms.is_none();
            // Whoever is given it now has the next generation of that block.
            let is_last = facts.lines.iter().all(|line| match &line.what {
                What::Watched {
                    change: Some(change),
                    ..
                } => change.block != given.block || change.generation <= Some(*generation),
                _ => true,
            });
            (is_first && is_kept && is_last).then_some((given, *place))
        })
        .collect();
    let (given, place) = *kept.choose(random)?;
    Some(stolen(facts, place, &given.block))
}

fn early_end(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let leased: Vec<&Given> = facts
        .given
        .iter()
        .filter(|one| {
            let invoked =
                facts.places(|what| matches!(what, What::Invoke { id, .. } if *id == one.id));
            let asked_us = facts.lines[invoked[0]].at_us;
            let ends_us = one.ttl_ms.map(|ttl| asked_us + ttl * 1_000);
            let is_free = !facts.touched.contains(&one.generation);
            is_free && ends_us.is_some_and(|ends| facts.lines[one.place].at_us < ends)
        })
        .collect();
    let given = leased.choose(random)?;
    let revision = facts.revision_at(given.place);
    Some(facts.with(given.place, get(&given.name), Reply::Nothing { revision }))
}

fn watch_gap(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    // One behind which the same watch comes further before it breaks off; the other watch tells it still.
    let told = facts.places(|what| {
        matches!(
            what,
            What::Watched {
                change: Some(_),
                ..
            }
        )
    });
    let place = *told.choose(random)?;
    let What::Watched {
        watch, revision, ..
    } = facts.lines[place].what
    else {
        return None;
    };
    let goes_on = facts.lines[place + 1..]
        .iter()
        .find_map(|line| match &line.what {
            What::Watching { watch: other, .. } if *other == watch => Some(false),
            What::Watched {
                watch: other,
                revision: next,
                change,
                ..
            } if *other == watch && (*next > revision || change.is_none()) => Some(true),
            _ => None,
        })?;
    let mut lines = facts.lines.to_vec();
    lines.remove(place);
    goes_on.then_some(lines)
}

fn watch_repeat(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let told = facts.places(|what| {
        matches!(
            what,
            What::Watched {
                change: Some(_),
                ..
            }
        )
    });
    let place = *told.choose(random)?;
    let mut lines = facts.lines.to_vec();
    lines.insert(place + 1, lines[place].clone());
    Some(lines)
}

fn reused_generation(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let alone: Vec<&Given> = facts.given.iter().filter(|one| !one.in_batch).collect();
    let (one, other) = (alone.choose(random)?, alone.choose(random)?);
    let is_other = one.name != other.name;
    is_other.then(|| {
        facts.with_line(one.place, |what| {
            if let What::Ok {
                reply: Reply::Holds { generation, .. },
                ..
            } = what
            {
                *generation = other.generation;
            }
        })
    })
}

fn revision_back(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let behind = random.random_range(1..=facts.last_answer());
    let revision = facts.revision_at(behind).checked_sub(1)?;
    let reply = Reply::Nothing { revision };
    Some(facts.with(behind, get("nobody"), reply))
}

fn revision_twice(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let alone: Vec<&Given> = facts.given.iter().filter(|one| !one.in_batch).collect();
    let (one, other) = (alone.choose(random)?, alone.choose(random)?);
    let What::Ok { reply, .. } = &facts.lines[other.place].what else {
        return None;
    };
    let taken = reply.revision();
    (one.place != other.place).then(|| {
        facts.with_line(one.place, |what| {
            if let What::Ok {
                reply: Reply::Holds { revision, .. },
                ..
            } = what
            {
                *revision = taken;
            }
        })
    })
}

fn local_behind(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let reads = facts.places(|what| match what {
        What::Ok { id, .. } => facts.local_read(*id).is_some_and(|least| least > 0),
        _ => false,
    });
    let place = *reads.choose(random)?;
    Some(facts.with_line(place, |what| {
        if let What::Ok { id, reply } = what {
            let least = facts.local_read(*id).unwrap_or(1);
            *reply = super::world::at_revision(reply.clone(), least - 1);
        }
    }))
}

fn local_wrong(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let lasting = facts.lasting();
    let given = *lasting.choose(random)?;
    let get = Op::Get {
        name: given.name.clone(),
        consistency: Consistency::Local { min_revision: 0 },
    };
    let reply = Reply::Nothing {
        revision: facts.revision,
    };
    Some(facts.with(facts.last_answer(), get, reply))
}

fn other_digest(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let digests = facts.places(|what| matches!(what, What::Digest { .. }));
    let place = *digests.choose(random)?;
    Some(facts.with_line(place, |what| {
        if let What::Digest { digest, .. } = what {
            "another".clone_into(digest);
        }
    }))
}

fn release_undone(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let released = facts.released();
    let (name, generation, _) = *released.choose(random)?;
    let known = facts
        .given
        .iter()
        .find(|one| one.generation == generation)?;
    let held = chaos::history::Held {
        name: name.to_owned(),
        block: known.block.clone(),
        generation,
    };
    Some(facts.with_lists(|claims| {
        claims.retain(|other| other.name != held.name);
        claims.push(held.clone());
    }))
}

fn half_batch(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let lasting = facts.lasting();
    let batched: Vec<&&Given> = lasting.iter().filter(|one| one.in_batch).collect();
    let lost = (**batched.choose(random)?).clone();
    Some(facts.with_lists(|claims| claims.retain(|held| held.name != lost.name)))
}

fn failed_holds(facts: &Facts<'_>, random: &mut StdRng) -> Option<Vec<Line>> {
    let lasting = facts.lasting();
    let given = *lasting
        .iter()
        .filter(|one| !one.in_batch)
        .collect::<Vec<_>>()
        .choose(random)?;
    // Nothing else of that name may be the source.
    let is_open = |id: u64| {
        !facts.lines.iter().any(|line| {
            matches!(&line.what, What::Ok { id: one, .. } | What::Fail { id: one, .. } if *one == id)
        })
    };
    let may_be_another = facts.ops.iter().any(|(id, op)| {
        let claims = parts(op).iter();
        let mut same =
            claims.filter(|op| matches!(op, Op::Claim { name, .. } if *name == given.name));
        same.next().is_some() && is_open(*id)
    });
    (!may_be_another).then(|| {
        facts.with_line(given.place, |what| {
            *what = What::Fail {
                id: given.id,
                code: "no_leader".to_owned(),
            };
        })
    })
}
