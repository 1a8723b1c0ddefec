//! A small allocator that keeps every promise, in the order in which things take effect.

use std::collections::{BTreeMap, BTreeSet};

use chaos::history::{Change, Held, Op, PoolFact, Reply};

/// What is held, and what was.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) revision: u64,
    generation: u64,
    held: BTreeMap<String, Hold>,
    /// Blocks within their grace: for whom, and until when.
    kept: BTreeMap<String, (String, u64)>,
    ended: BTreeSet<u64>,
    /// What each name held from a revision on.
    past: BTreeMap<String, Vec<(u64, Option<Held>)>>,
    /// Every change with its revision and ordinal.
    pub(crate) changes: Vec<(u64, u64, Change)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) held: Held,
    pub(crate) pool: usize,
    pub(crate) lease_ends_us: Option<u64>,
}

/// Blocks of single addresses, and exact ones that may be wider.
pub(crate) fn pools() -> Vec<PoolFact> {
    let pool = |name: &str, cidr: &str, grace_ms| PoolFact {
        name: name.to_owned(),
        cidrs: vec![cidr.to_owned()],
        prefix_length: 32,
        grace_ms,
    };
    vec![
        pool("full", "10.0.0.0/29", 0),
        pool("kept", "10.1.0.0/28", 2_000),
        pool("wide", "10.2.0.0/16", 0),
    ]
}

impl World {
    /// Applies an operation at a time; its answer, with the revision behind it.
    pub(crate) fn apply(&mut self, op: &Op, now_us: u64) -> Reply {
        let mut changes = Vec::new();
        let answer = match op {
            Op::Batch { operations } => self.batch(operations, now_us, &mut changes),
            one => self.one(one, now_us, &mut changes),
        };
        self.commit(changes);
        let answer = answer.unwrap_or_else(|code| Reply::Refused {
            code: code.to_owned(),
            revision: 0,
        });
        at_revision(answer, self.revision)
    }

    /// Does what is due, each by itself; so late as the caller calls it.
    pub(crate) fn expire(&mut self, now_us: u64) {
        let over = self.held.iter().find(|(_, hold)| {
            let ends = hold.lease_ends_us;
            ends.is_some_and(|ends| ends <= now_us)
        });
        if let Some(name) = over.map(|(name, _)| name.clone()) {
            let mut changes = Vec::new();
            self.end(&name, "expired", now_us, &mut changes);
            self.commit(changes);
            return;
        }
        let done = self.kept.iter().find(|(_, (_, until))| *until <= now_us);
        if let Some(block) = done.map(|(block, _)| block.clone()) {
            self.kept.remove(&block);
            let change = Change {
                kind: "reclaimed".to_owned(),
                block,
                name: None,
                generation: None,
            };
            self.commit(vec![change]);
        }
    }

    /// What a name held at a revision.
    pub(crate) fn held_at(&self, name: &str, revision: u64) -> Option<&Held> {
        let past = self.past.get(name)?;
        let behind = past.partition_point(|(since, _)| *since <= revision);
        past.get(behind.checked_sub(1)?)?.1.as_ref()
    }

    /// Who held a block, or one around it, at a revision.
    pub(crate) fn holder_at(&self, block: &str, revision: u64) -> Option<&Held> {
        let names = self.past.keys();
        let mut held = names.filter_map(|name| self.held_at(name, revision));
        held.find(|held| contains(&held.block, block))
    }

    pub(crate) fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.held.values()
    }

    /// All of it, or none.
    fn batch(
        &mut self,
        operations: &[Op],
        now_us: u64,
        changes: &mut Vec<Change>,
    ) -> Result<Reply, &'static str> {
        let before = (
            self.generation,
            self.held.clone(),
            self.kept.clone(),
            self.ended.clone(),
        );
        let replies: Result<Vec<Reply>, &'static str> = operations
            .iter()
            .map(|one| self.one(one, now_us, changes))
            .collect();
        if replies.is_err() {
            (self.generation, self.held, self.kept, self.ended) = before;
            changes.clear();
        }
        Ok(Reply::Batch {
            replies: replies?,
            revision: 0,
        })
    }

    fn one(
        &mut self,
        op: &Op,
        now_us: u64,
        changes: &mut Vec<Change>,
    ) -> Result<Reply, &'static str> {
        match op {
            Op::Claim {
                name,
                pool,
                cidr,
                ttl_ms,
            } => self.claim(name, pool, cidr.as_deref(), (*ttl_ms, now_us), changes),
            Op::Release { name, generation } => {
                let held = self.held.get(name).map(|hold| hold.held.generation);
                if held == Some(*generation) {
                    self.end(name, "released", now_us, changes);
                } else if !self.ended.contains(generation) {
                    return Err(if held.is_some() {
                        "generation_stale"
                    } else {
                        "claim_not_found"
                    });
                }
                Ok(Reply::Released {
                    generation: *generation,
                    revision: 0,
                })
            }
            Op::Renew {
                name,
                generation,
                ttl_ms,
            } => {
                let hold = self.held.get_mut(name).ok_or("claim_not_found")?;
                if hold.held.generation != *generation {
                    return Err("generation_stale");
                }
                hold.lease_ends_us = Some(now_us + ttl_ms * 1_000);
                changes.push(change("renewed", &hold.held));
                Ok(Reply::Renewed {
                    generation: *generation,
                    revision: 0,
                })
            }
            Op::Get { name, .. } => Ok(found(self.held.get(name).map(|hold| &hold.held))),
            Op::Lookup { block, .. } => {
                let mut held = self.held.values();
                let holder = held.find(|hold| contains(&hold.held.block, block));
                Ok(held_by(holder.map(|hold| &hold.held)))
            }
            Op::Batch { .. } => Err("invalid_field"),
        }
    }

    fn claim(
        &mut self,
        name: &str,
        pool: &str,
        cidr: Option<&str>,
        (ttl_ms, now_us): (Option<u64>, u64),
        changes: &mut Vec<Change>,
    ) -> Result<Reply, &'static str> {
        let (mut kind, mut is_new) = ("allocated", false);
        if !self.held.contains_key(name) {
            let place = pools().iter().position(|fact| fact.name == pool);
            let place = place.ok_or("pool_not_found")?;
            let own = self.kept.iter().find(|(block, (who, _))| {
                who == name && cidr.is_none_or(|cidr| cidr == block.as_str())
            });
            let block = match (own.map(|(block, _)| block.clone()), cidr) {
                (Some(block), _) => {
                    kind = "returned";
                    self.kept.remove(&block);
                    block
                }
                (None, Some(cidr)) if self.is_taken(cidr) => return Err("address_taken"),
                (None, Some(cidr)) => cidr.to_owned(),
                (None, None) => {
                    let mut free = addresses(place).into_iter();
                    free.find(|block| !self.is_taken(block))
                        .ok_or("pool_exhausted")?
                }
            };
            self.generation += 1;
            is_new = true;
            let held = Held {
                name: name.to_owned(),
                block,
                generation: self.generation,
            };
            changes.push(change(kind, &held));
            let lease_ends_us = ttl_ms.map(|ttl| now_us + ttl * 1_000);
            let new = Hold {
                held,
                pool: place,
                lease_ends_us,
            };
            self.held.insert(name.to_owned(), new);
        }
        let held = &self.held[name].held;
        Ok(Reply::Holds {
            block: held.block.clone(),
            generation: held.generation,
            new: is_new,
            revision: 0,
        })
    }

    fn end(&mut self, name: &str, kind: &str, now_us: u64, changes: &mut Vec<Change>) {
        if let Some(hold) = self.held.remove(name) {
            let grace_us = pools()[hold.pool].grace_ms * 1_000;
            if grace_us > 0 {
                let kept = (name.to_owned(), now_us + grace_us);
                self.kept.insert(hold.held.block.clone(), kept);
            }
            self.ended.insert(hold.held.generation);
            changes.push(change(kind, &hold.held));
        }
    }

    fn is_taken(&self, block: &str) -> bool {
        let held = self.held.values().map(|hold| hold.held.block.as_str());
        let mut all = held.chain(self.kept.keys().map(String::as_str));
        all.any(|other| overlap(other, block))
    }

    fn commit(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        self.revision += 1;
        for (ordinal, change) in (0..).zip(changes) {
            if let Some(name) = &change.name {
                let held = self.held.get(name).map(|hold| hold.held.clone());
                let past = self.past.entry(name.clone()).or_default();
                past.push((self.revision, held));
            }
            self.changes.push((self.revision, ordinal, change));
        }
    }
}

/// An answer to a read, as it is at any revision.
pub(crate) fn found(held: Option<&Held>) -> Reply {
    match held {
        Some(held) => Reply::Found {
            block: held.block.clone(),
            generation: held.generation,
            revision: 0,
        },
        None => Reply::Nothing { revision: 0 },
    }
}

/// The same for a lookup.
pub(crate) fn held_by(held: Option<&Held>) -> Reply {
    match held {
        Some(held) => Reply::HeldBy {
            name: held.name.clone(),
            generation: held.generation,
            revision: 0,
        },
        None => Reply::Nothing { revision: 0 },
    }
}

/// The answer of a state of that revision.
pub(crate) fn at_revision(mut reply: Reply, now: u64) -> Reply {
    match &mut reply {
        Reply::Holds { revision, .. }
        | Reply::Released { revision, .. }
        | Reply::Renewed { revision, .. }
        | Reply::Batch { revision, .. }
        | Reply::Found { revision, .. }
        | Reply::HeldBy { revision, .. }
        | Reply::Nothing { revision }
        | Reply::Refused { revision, .. } => *revision = now,
    }
    reply
}

fn change(kind: &str, held: &Held) -> Change {
    Change {
        kind: kind.to_owned(),
        block: held.block.clone(),
        name: Some(held.name.clone()),
        generation: Some(held.generation),
    }
}

fn addresses(pool: usize) -> Vec<String> {
    let count = [8, 16, 4_096][pool];
    let address = |number: usize| format!("10.{pool}.{}.{}/32", number / 256, number % 256);
    (0..count).map(address).collect()
}

fn overlap(one: &str, other: &str) -> bool {
    contains(one, other) || contains(other, one)
}

/// Blocks here are all IPv4.
fn contains(around: &str, block: &str) -> bool {
    let span = |block: &str| {
        let (address, length) = block.split_once('/').expect("a CIDR");
        let bytes = address.split('.').map(str::parse::<u64>);
        let number = bytes.fold(0, |sum, byte| sum * 256 + byte.expect("a byte"));
        let size = 1_u64 << (32 - length.parse::<u32>().expect("a length"));
        (number, number + size)
    };
    let ((from, to), (first, last)) = (span(around), span(block));
    from <= first && last <= to
}
