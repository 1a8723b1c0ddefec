//! What the threads of a process have done, by their names: time on a core, time waiting for one, switches.

use std::collections::BTreeMap;
use std::fs;
use std::iter::Sum;
use std::ops::{Add, Sub};

use anyhow::{Context, Result};

/// What threads of one name have done since they began, together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Nanoseconds on a core, in the kernel too.
    pub(crate) running: f64,
    /// Nanoseconds in which a thread could have run and others did.
    pub(crate) waiting: f64,
    /// How often one had nothing more to do, or went to sleep in the kernel.
    pub(crate) voluntary: f64,
    /// How often one was made to give way.
    pub(crate) involuntary: f64,
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            running: self.running + other.running,
            waiting: self.waiting + other.waiting,
            voluntary: self.voluntary + other.voluntary,
            involuntary: self.involuntary + other.involuntary,
        }
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            running: self.running - other.running,
            waiting: self.waiting - other.waiting,
            voluntary: self.voluntary - other.voluntary,
            involuntary: self.involuntary - other.involuntary,
        }
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// The threads of a process by number, each with its name.
#[derive(Debug)]
pub(crate) struct Threads(BTreeMap<String, (String, Usage)>);

impl Threads {
    /// Those that the process has now.
    pub(crate) fn of(process: u32) -> Result<Self> {
        let folder = format!("/proc/{process}/task");
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(&folder).with_context(|| folder.clone())? {
            let number = entry?.file_name().to_string_lossy().into_owned();
            // One that ends meanwhile is left out.
            if let Some(thread) = thread(&format!("{folder}/{number}"))? {
                threads.insert(number, thread);
            }
        }
        Ok(Self(threads))
    }

    /// What they have done since an earlier look, by name. What those did that have ended is not in it.
    pub(crate) fn since(&self, earlier: &Self) -> BTreeMap<String, Usage> {
        let mut by_name: BTreeMap<String, Usage> = BTreeMap::new();
        for (number, (name, usage)) in &self.0 {
            let before = earlier.0.get(number).map(|(_, usage)| *usage);
            let done = by_name.entry(name.clone()).or_default();
            *done = *done + (*usage - before.unwrap_or_default());
        }
        by_name
    }
}

/// A thread's name and what it has done; `None` where it has ended.
fn thread(folder: &str) -> Result<Option<(String, Usage)>> {
    let read = |file: &str| fs::read_to_string(format!("{folder}/{file}"));
    let (Ok(name), Ok(times), Ok(status)) = (read("comm"), read("schedstat"), read("status"))
    else {
        return Ok(None);
    };
    let mut times = times.split_whitespace().map(str::parse);
    let mut time = || {
        times
            .next()
            .context("a time in schedstat")?
            .context("a number")
    };
    let switches = |start: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(start));
        let count = line.with_context(|| format!("{start} in the status of a thread"))?;
        count.trim().parse().context("a number")
    };
    let usage = Usage {
        running: time()?,
        waiting: time()?,
        voluntary: switches("voluntary_ctxt_switches:")?,
        involuntary: switches("nonvoluntary_ctxt_switches:")?,
    };
    Ok(Some((name.trim().to_owned(), usage)))
}
