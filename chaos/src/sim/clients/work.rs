//! What a client asks for next.

use rand::Rng;
use rand::seq::IteratorRandom;

use super::{Client, pools};
use crate::history::{Consistency, Op};
use crate::sim::book::Pages;

impl Client {
    /// Draws the next thing to ask for; `None` for an edit of a pool, which is no holder's affair.
    pub(super) fn draw(&mut self) -> Option<Op> {
        let book = self.book.clone();
        let mut book = book.lock();
        Some(match self.random.random_range(0..100) {
            0..40 => self.claim(&mut book),
            40..62 => match self.release(&book) {
                Some(release) => release,
                None => self.claim(&mut book),
            },
            62..71 => self.renew(&book)?,
            71..78 => self.batch(&mut book),
            78..97 => self.look(&book),
            _ => return None,
        })
    }

    fn claim(&mut self, book: &mut Pages) -> Op {
        let name = if self.random.random_bool(0.3) {
            book.names += 1;
            format!("many-{}", book.names)
        } else {
            self.contended()
        };
        claim_of(name)
    }

    fn contended(&mut self) -> String {
        let (pool, names) = pools::CONTENDED[self.random.random_range(..pools::CONTENDED.len())];
        format!("{pool}-{}", self.random.random_range(..names))
    }

    fn release(&mut self, book: &Pages) -> Option<Op> {
        let (name, (_, generation)) = book.heard.iter().choose(&mut self.random)?;
        Some(Op::Release {
            name: name.clone(),
            generation: *generation,
        })
    }

    fn renew(&mut self, book: &Pages) -> Option<Op> {
        let leases = book
            .heard
            .iter()
            .filter(|(name, _)| (pools::RULES.ttl_ms)(name).is_some());
        let (name, (_, generation)) = leases.choose(&mut self.random)?;
        Some(Op::Renew {
            name: name.clone(),
            generation: *generation,
            ttl_ms: (pools::RULES.ttl_ms)(name)?,
        })
    }

    /// Moves a name's block to others, all or nothing.
    fn batch(&mut self, book: &mut Pages) -> Op {
        let mut operations: Vec<Op> = self.release(book).into_iter().collect();
        let released = operations.first().map(|op| name_of(op).to_owned());
        for _ in 0..self.random.random_range(1..=2) {
            let claim = self.claim(book);
            let twice = operations.iter().any(|op| name_of(op) == name_of(&claim));
            if !twice && released.as_deref() != Some(name_of(&claim)) {
                operations.push(claim);
            }
        }
        Op::Batch { operations }
    }

    fn look(&mut self, book: &Pages) -> Op {
        let consistency = if self.random.random_bool(0.5) {
            Consistency::Linearizable
        } else {
            let min_revision = if self.random.random_bool(0.7) {
                self.seen
            } else {
                0
            };
            Consistency::Local { min_revision }
        };
        let heard = book.heard.iter().choose(&mut self.random);
        match heard {
            Some((_, (block, _))) if self.random.random_bool(0.3) => Op::Lookup {
                block: block.clone(),
                consistency,
            },
            Some((name, _)) if self.random.random_bool(0.5) => Op::Get {
                name: name.clone(),
                consistency,
            },
            _ => Op::Get {
                name: self.contended(),
                consistency,
            },
        }
    }
}

fn claim_of(name: String) -> Op {
    Op::Claim {
        pool: pools::pool_of(&name).to_owned(),
        cidr: pools::cidr_of(&name),
        ttl_ms: (pools::RULES.ttl_ms)(&name),
        name,
    }
}

fn name_of(op: &Op) -> &str {
    match op {
        Op::Claim { name, .. }
        | Op::Release { name, .. }
        | Op::Renew { name, .. }
        | Op::Get { name, .. } => name,
        Op::Batch { .. } | Op::Lookup { .. } => "",
    }
}
