//! From lines to a story; whatever is no history by its format is noted here.

use std::collections::BTreeMap;

use allocator::prefix::Prefix;

use super::holding::{ends, shows_a_holding};
use super::story::{
    Ask, At, DigestShown, Fate, List, Operation, Part, Pool, Shown, Story, Tells, Told,
};
use super::verdict::Notes;
use crate::history::{Change, Consistency, Held, Line, Op, PoolFact, Reply, What};

/// The version of the format that is read.
const FORMAT: u32 = 1;

pub(super) struct Parser<'n, 'a> {
    notes: &'n mut Notes,
    story: Story<'a>,
    /// Place of an operation by its id, and whether something was said to it.
    asked: BTreeMap<u64, (usize, bool)>,
}

impl<'n, 'a> Parser<'n, 'a> {
    pub(super) fn new(notes: &'n mut Notes) -> Self {
        Self {
            notes,
            story: Story::default(),
            asked: BTreeMap::new(),
        }
    }

    pub(super) fn read(mut self, lines: &'a [Line]) -> Story<'a> {
        self.notes.looked_at("lines", lines.len());
        if !matches!(
            lines.first().map(|line| &line.what),
            Some(What::Run { format: FORMAT, .. })
        ) {
            let says = format!("the first line is not a `run` of format {FORMAT}");
            self.notes.wrong(says, []);
        }
        for (place, line) in lines.iter().enumerate() {
            let at = At {
                line: place + 1,
                us: line.at_us,
            };
            self.line(at, &line.what);
        }
        self.notes
            .looked_at("operations", self.story.operations.len());
        self.story
    }

    fn line(&mut self, at: At, what: &'a What) {
        match what {
            What::Run { pools, .. } => {
                for pool in pools {
                    self.pool(at, pool);
                }
            }
            What::Invoke { id, op, .. } => self.invoke(at, *id, op),
            What::Ok { id, reply } => self.answer(at, *id, reply),
            What::Fail { id, .. } => {
                if let Some(place) = self.question(at, *id) {
                    self.story.operations[place].fate = Fate::Failed;
                }
            }
            What::Unknown { id, .. } => drop(self.question(at, *id)),
            What::Fault { .. } | What::Leader { .. } => {}
            What::Watching {
                watch,
                from_revision,
                ..
            } => self.tell(at, *watch, Tells::From(*from_revision)),
            What::Watched {
                watch,
                revision,
                change: None,
                ..
            } => self.tell(at, *watch, Tells::Bookmark(*revision)),
            What::Watched {
                watch,
                revision,
                ordinal,
                change: Some(change),
            } => self.event(at, *watch, (*revision, *ordinal), change),
            What::Digest {
                node,
                revision,
                index,
                digest,
            } => self.story.digests.push(DigestShown {
                at,
                node: *node,
                revision: *revision,
                index: *index,
                digest,
            }),
            What::Claims {
                node,
                revision,
                claims,
            } => self.list(at, *node, *revision, claims),
        }
    }

    fn pool(&mut self, at: At, fact: &'a PoolFact) {
        let cidrs = fact.cidrs.iter();
        let cidrs = cidrs.filter_map(|cidr| self.block(at, cidr)).collect();
        let pool = Pool {
            cidrs,
            prefix_length: fact.prefix_length,
            grace_us: fact.grace_ms.saturating_mul(1_000),
        };
        self.story.pools.insert(&fact.name, pool);
    }

    fn invoke(&mut self, at: At, id: u64, op: &'a Op) {
        let (is_batch, asks) = match op {
            Op::Batch { operations } => (true, self.asks(at, operations)),
            one => (false, self.asks(at, std::slice::from_ref(one))),
        };
        let Some(asks) = asks else {
            return;
        };
        let parts = asks.into_iter().map(|ask| Part { ask, shown: None });
        let place = self.story.operations.len();
        if self.asked.insert(id, (place, false)).is_some() {
            self.wrong(at, format!("two operations have the id {id}"));
        }
        self.story.operations.push(Operation {
            id,
            invoked: at,
            fate: Fate::Open,
            parts: parts.collect(),
            is_batch,
        });
    }

    fn asks(&mut self, at: At, ops: &'a [Op]) -> Option<Vec<Ask<'a>>> {
        let asks = ops.iter().map(|op| self.ask(at, op)).collect();
        if ops.is_empty() {
            self.wrong(at, "a batch has no operations".to_owned());
        }
        asks
    }

    fn ask(&mut self, at: At, op: &'a Op) -> Option<Ask<'a>> {
        Some(match op {
            Op::Claim {
                name,
                pool,
                cidr,
                ttl_ms,
            } => {
                if !self.story.pools.contains_key(pool.as_str()) {
                    self.wrong(
                        at,
                        format!("a claim is from {pool}, which `run` does not name"),
                    );
                }
                let cidr = match cidr {
                    None => None,
                    Some(cidr) => Some(self.block(at, cidr)?),
                };
                Ask::Claim {
                    name,
                    pool,
                    cidr,
                    ttl_us: ttl_ms.map(|ms| ms.saturating_mul(1_000)),
                }
            }
            Op::Release { name, generation } => Ask::Release {
                name,
                generation: *generation,
            },
            Op::Renew {
                name,
                generation,
                ttl_ms,
            } => Ask::Renew {
                name,
                generation: *generation,
                ttl_us: ttl_ms.saturating_mul(1_000),
            },
            Op::Get { name, consistency } => Ask::Get {
                name,
                local: local(*consistency),
            },
            Op::Lookup { block, consistency } => Ask::Lookup {
                block: self.block(at, block)?,
                local: local(*consistency),
            },
            Op::Batch { .. } => {
                self.wrong(at, "a batch is inside a batch".to_owned());
                return None;
            }
        })
    }

    /// The question that something is said to, for the first time.
    fn question(&mut self, at: At, id: u64) -> Option<usize> {
        match self.asked.get_mut(&id) {
            None => {
                self.wrong(
                    at,
                    format!("something is said to {id}, which was not asked"),
                );
                None
            }
            Some((place, said)) => {
                let (place, before) = (*place, std::mem::replace(said, true));
                let operation = &self.story.operations[place];
                if before {
                    self.wrong(at, format!("operation {id} was answered before"));
                    return None;
                }
                if at.us < operation.invoked.us {
                    let says = format!("operation {id} was answered before it was asked");
                    self.wrong(at, says);
                }
                Some(place)
            }
        }
    }

    fn answer(&mut self, at: At, id: u64, reply: &'a Reply) {
        let Some(place) = self.question(at, id) else {
            return;
        };
        let revision = reply.revision();
        let is_batch = self.story.operations[place].is_batch;
        let replies = match reply {
            Reply::Refused { .. } if is_batch => {
                self.story.operations[place].fate = Fate::BatchRefused { at, revision };
                return;
            }
            Reply::Batch { replies, .. } if is_batch => &replies[..],
            one if !is_batch => std::slice::from_ref(one),
            _ => &[],
        };
        let shown: Option<Vec<Shown<'a>>> =
            replies.iter().map(|reply| self.shown(at, reply)).collect();
        let operation = &self.story.operations[place];
        let answers = shown.unwrap_or_default();
        let fits = answers.len() == operation.parts.len()
            && operation
                .parts
                .iter()
                .zip(&answers)
                .all(|(part, shown)| is_answer_to(part.ask, *shown, is_batch));
        if !fits {
            let says = format!("operation {id} was given an answer that is none to its question");
            self.wrong(at, says);
            return;
        }
        let operation = &mut self.story.operations[place];
        operation.fate = Fate::Answered { at, revision };
        for (part, shown) in operation.parts.iter_mut().zip(answers) {
            part.shown = Some(shown);
        }
    }

    fn shown(&mut self, at: At, reply: &'a Reply) -> Option<Shown<'a>> {
        Some(match reply {
            Reply::Holds {
                block,
                generation,
                new,
                ..
            } => Shown::Holds {
                block: self.block(at, block)?,
                generation: *generation,
                new: *new,
            },
            Reply::Released { generation, .. } => Shown::Released {
                generation: *generation,
            },
            Reply::Renewed { generation, .. } => Shown::Renewed {
                generation: *generation,
            },
            Reply::Found {
                block, generation, ..
            } => Shown::Found {
                block: self.block(at, block)?,
                generation: *generation,
            },
            Reply::HeldBy {
                name, generation, ..
            } => Shown::HeldBy {
                name,
                generation: *generation,
            },
            Reply::Nothing { .. } => Shown::Nothing,
            Reply::Refused { code, .. } => Shown::Refused { code },
            Reply::Batch { .. } => return None,
        })
    }

    fn event(&mut self, at: At, watch: u64, (revision, ordinal): (u64, u64), change: &'a Change) {
        // What happens to pools and tenants has no block.
        let concerns_a_block =
            shows_a_holding(&change.kind) || ends(&change.kind) || change.kind == "reclaimed";
        let block = if concerns_a_block {
            self.block(at, &change.block)
        } else {
            None
        };
        let event = Tells::Event {
            revision,
            ordinal,
            change,
            block,
        };
        self.tell(at, watch, event);
    }

    fn tell(&mut self, at: At, watch: u64, tells: Tells<'a>) {
        let told = self.story.watches.entry(watch).or_default();
        let begins = matches!(tells, Tells::From(_));
        let is_first = told.is_empty();
        told.push(Told { at, tells });
        if is_first && !begins {
            self.wrong(
                at,
                format!("watch {watch} tells something before it begins"),
            );
        }
    }

    fn list(&mut self, at: At, node: u64, revision: u64, claims: &'a [Held]) {
        let mut held = BTreeMap::new();
        for claim in claims {
            let Some(block) = self.block(at, &claim.block) else {
                continue;
            };
            let before = held.insert(claim.name.as_str(), (block, claim.generation));
            if before.is_some() {
                self.wrong(at, format!("node {node} lists {} twice", claim.name));
            }
        }
        self.story.lists.push(List {
            at,
            node,
            revision,
            held,
        });
    }

    fn block(&mut self, at: At, text: &str) -> Option<Prefix> {
        let parsed = text.parse();
        if parsed.is_err() {
            self.wrong(at, format!("{text} is not a block"));
        }
        parsed.ok()
    }

    fn wrong(&mut self, at: At, says: String) {
        self.notes.wrong(says, [at.proof()]);
    }
}

fn local(consistency: Consistency) -> Option<u64> {
    match consistency {
        Consistency::Linearizable => None,
        Consistency::Local { min_revision } => Some(min_revision),
    }
}

/// Whether an answer is one to that question at all; inside a batch nothing is refused by itself.
fn is_answer_to(ask: Ask<'_>, shown: Shown<'_>, in_batch: bool) -> bool {
    match (ask, shown) {
        (_, Shown::Refused { .. }) => !in_batch,
        (Ask::Claim { .. }, Shown::Holds { .. })
        | (Ask::Get { .. }, Shown::Found { .. } | Shown::Nothing)
        | (Ask::Lookup { .. }, Shown::HeldBy { .. } | Shown::Nothing) => true,
        (Ask::Release { generation, .. }, Shown::Released { generation: told })
        | (Ask::Renew { generation, .. }, Shown::Renewed { generation: told }) => {
            generation == told
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::history;

    fn wrong(text: &str) -> Vec<String> {
        let lines = history(text);
        let mut notes = Notes::new("well_formed", "");
        Story::read(&lines, &mut notes);
        notes.sentences().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn questions_are_joined_to_their_answers() {
        let lines = history(
            "0-9 claim a p ttl=5 => holds 10.0.0.1/32 7 new @3\n\
             1-2 release b 4 => failed\n\
             3-4 batch claim c p ; release d 5 => holds 10.0.0.2/32 8 new ; released 5 @4\n\
             5-6 batch claim c p ; release d 5 => refused address_taken @4\n\
             7- get a local=3",
        );
        let mut notes = Notes::new("well_formed", "");
        let story = Story::read(&lines, &mut notes);
        assert_eq!(notes.sentences(), [] as [&str; 0]);
        let words: Vec<String> = story.operations.iter().map(Operation::words).collect();
        assert_eq!(
            words,
            [
                "operation 0 (claim a from p -> holds 10.0.0.1/32 generation 7 new at revision 3)",
                "operation 1 (release b generation 4 which failed)",
                "operation 2 (batch [claim c from p -> holds 10.0.0.2/32 generation 8 new; \
                 release d generation 5 -> released generation 5] at revision 4)",
                "operation 3 (batch [claim c from p; release d generation 5] refused at revision 4)",
                "operation 4 (get a (local, of revision 3 or later) whose outcome is unknown)",
            ]
        );
    }

    #[test]
    fn what_is_no_history_is_named() {
        for (text, expected) in [
            (
                "0-1 get a => holds 10.0.0.1/32 7 new @3",
                "operation 0 was given an answer that is none to its question",
            ),
            (
                "0-1 release a 4 => released 5 @3",
                "operation 0 was given an answer that is none to its question",
            ),
            (
                "0-1 claim a q => refused pool_not_found @1",
                "a claim is from q, which `run` does not name",
            ),
            (
                "0-1 claim a p cidr=10.0.0.1/24 => refused address_taken @1",
                "10.0.0.1/24 is not a block",
            ),
            (
                "5 watched 1 3 bookmark",
                "watch 1 tells something before it begins",
            ),
            (
                "5 claims 1 @3 a=10.0.0.1/32#1 a=10.0.0.2/32#2",
                "node 1 lists a twice",
            ),
        ] {
            assert_eq!(
                wrong(text).first().map(String::as_str),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn an_answer_without_a_question_and_a_second_answer_are_named() {
        let mut lines = history("0-1 get a => nothing @3");
        lines.extend_from_within(2..3);
        lines.push(Line {
            at_us: 9,
            what: What::Fail {
                id: 99,
                code: String::new(),
            },
        });
        let mut notes = Notes::new("well_formed", "");
        Story::read(&lines, &mut notes);
        assert_eq!(
            notes.sentences(),
            [
                "operation 0 was answered before",
                "something is said to 99, which was not asked"
            ]
        );
        let mut notes = Notes::new("well_formed", "");
        Story::read(&lines[1..], &mut notes);
        assert_eq!(
            notes.sentences()[0],
            "the first line is not a `run` of format 1"
        );
    }
}
