//! A store in memory that forgets what was not synced: the simulation's.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{AppliedBackend, AppliedStore, RowChange, RowVisitor};
use crate::env::sim::SimRng;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store that outlives the simulated process. Clones are the same store.
#[derive(Debug, Clone)]
pub struct MemoryBackend(Arc<Mutex<Memory>>);

#[derive(Debug, Clone)]
struct Memory {
    rng: SimRng,
    current: Rows,
    durable: Rows,
    pending: Vec<Vec<RowChange>>,
    aside: u32,
    completed: bool,
    generation: u64,
}

impl Memory {
    fn sync(&mut self) {
        for batch in std::mem::take(&mut self.pending) {
            apply(&mut self.durable, batch);
        }
    }
}

impl MemoryBackend {
    /// An empty store whose losses follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Memory {
            rng: SimRng::new(seed),
            current: Rows::new(),
            durable: Rows::new(),
            pending: Vec::new(),
            aside: 0,
            completed: false,
            generation: 0,
        })))
    }

    /// A copy of this store as it is, which goes its own way from here on.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        let copy = Memory {
            rng: SimRng::new(seed),
            ..self.0.lock().clone()
        };
        Self(Arc::new(Mutex::new(copy)))
    }

    /// The power goes: of the batches that were not synced only the first so many stay.
    pub fn crash(&self) {
        let mut memory = self.0.lock();
        memory.generation += 1;
        let waiting = memory.pending.len() as u64;
        let kept = memory.rng.below(waiting + 1);
        for (position, batch) in std::mem::take(&mut memory.pending).into_iter().enumerate() {
            if (position as u64) < kept {
                apply(&mut memory.durable, batch);
            }
        }
        memory.current = memory.durable.clone();
    }

    /// Damages one byte at rest: of the value of row number `row`, counted round, at `offset`,
    /// counted round, too. False when there is no row.
    pub fn damage(&self, row: usize, offset: usize, mask: u8) -> bool {
        let mut memory = self.0.lock();
        let rows = memory.durable.len();
        let Some(value) = memory.durable.values_mut().nth(row % rows.max(1)) else {
            return false;
        };
        let size = value.len();
        value[offset % size] ^= mask;
        memory.current = memory.durable.clone();
        true
    }

    /// Removes one row at rest, counted round. False when there is none.
    pub fn lose(&self, row: usize) -> bool {
        let mut memory = self.0.lock();
        let rows = memory.durable.len();
        let Some(key) = memory.durable.keys().nth(row % rows.max(1)).cloned() else {
            return false;
        };
        memory.durable.remove(&key);
        memory.current = memory.durable.clone();
        true
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.0.lock().current.len()
    }

    /// How often the store was moved aside.
    pub fn moved_aside(&self) -> u32 {
        self.0.lock().aside
    }
}

impl AppliedBackend for MemoryBackend {
    fn open(&self) -> io::Result<Box<dyn AppliedStore>> {
        let mut memory = self.0.lock();
        // As sled's file is: what an earlier process has left is synced before anybody counts on it.
        memory.sync();
        let generation = memory.generation;
        Ok(Box::new(MemoryStore {
            memory: Arc::clone(&self.0),
            generation,
        }))
    }

    fn move_aside(&self, _reason: &str) -> io::Result<()> {
        let mut memory = self.0.lock();
        memory.aside += 1;
        memory.completed = false;
        memory.current.clear();
        memory.durable.clear();
        memory.pending.clear();
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryStore {
    memory: Arc<Mutex<Memory>>,
    generation: u64,
}

impl MemoryStore {
    fn alive<R>(&self, act: impl FnOnce(&mut Memory) -> R) -> io::Result<R> {
        let mut memory = self.memory.lock();
        if memory.generation == self.generation {
            Ok(act(&mut memory))
        } else {
            Err(io::Error::other(
                "the simulated process that opened this store is dead",
            ))
        }
    }
}

impl AppliedStore for MemoryStore {
    fn scan(&mut self, visit: &mut RowVisitor<'_>) -> io::Result<()> {
        self.alive(|memory| {
            for (key, value) in &memory.current {
                visit(key, value);
            }
        })
    }

    fn write(&mut self, changes: Vec<RowChange>) -> io::Result<()> {
        self.alive(|memory| {
            apply(&mut memory.current, changes.clone());
            memory.pending.push(changes);
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.alive(Memory::sync)
    }

    fn confirm(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn completed(&mut self) -> io::Result<()> {
        self.alive(|memory| memory.completed = true)
    }

    fn was_completed(&self) -> bool {
        self.memory.lock().completed
    }
}

fn apply(rows: &mut Rows, batch: Vec<RowChange>) {
    for (key, value) in batch {
        match value {
            Some(value) => rows.insert(key, value),
            None => rows.remove(&key),
        };
    }
}
