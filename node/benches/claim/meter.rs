//! Counts what runs: time, allocations, instructions.

use std::alloc::System;
use std::hint::black_box;
use std::process::Command;

use stats_alloc::{INSTRUMENTED_SYSTEM, Stats, StatsAlloc};
use tokio::time::Instant;

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The switches by which this program is run for its instructions.
pub(crate) const STAGE: &str = "--stage";
pub(crate) const TIMES: &str = "--times";
/// Runs whose instructions are counted: those of the fewer are taken off those of the more.
const FEWER: usize = 100;
const MORE: usize = 600;

/// Allocations, and the bytes that were asked for. One that is grown counts as another, with what was added.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
}

impl Counted {
    /// What all threads of this process allocate while `work` runs, for each of `times`.
    pub(crate) fn of<R>(times: usize, work: impl FnOnce() -> R) -> (Self, R) {
        let before = MEMORY.stats();
        let result = work();
        let Stats {
            allocations,
            reallocations,
            bytes_allocated,
            ..
        } = MEMORY.stats() - before;
        let each = |count: usize| float(count) / float(times);
        let counted = Self {
            allocations: each(allocations + reallocations),
            bytes: each(bytes_allocated),
        };
        (counted, result)
    }
}

/// What one run costs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Found {
    pub(crate) nanoseconds: f64,
    pub(crate) counted: Counted,
}

/// Runs a stage.
pub(crate) struct Meter {
    /// How often it is made ready,
    made: usize,
    /// and how often it runs.
    times: usize,
    found: Found,
}

impl Meter {
    pub(crate) fn timing(times: usize) -> Self {
        Self {
            made: times,
            times,
            found: Found::default(),
        }
    }

    /// As much is made ready however often it runs.
    pub(crate) fn counting(times: usize) -> Self {
        Self {
            made: MORE,
            ..Self::timing(times)
        }
    }

    /// Makes ready what runs take, then runs on it.
    pub(crate) fn run<T, R>(&mut self, make: impl FnMut(usize) -> T, mut one: impl FnMut(T) -> R) {
        let mut ready: Vec<T> = (0..self.made).map(make).collect();
        let left = ready.split_off(self.times);
        let (counted, took) = Counted::of(self.times, || {
            let started = Instant::now();
            for each in ready {
                black_box(one(black_box(each)));
            }
            started.elapsed()
        });
        // Freeing them would be counted where fewer ran.
        std::mem::forget(left);
        self.found = Found {
            nanoseconds: took.as_secs_f64() * 1e9 / float(self.times),
            counted,
        };
    }

    pub(crate) fn found(&self) -> Found {
        self.found
    }
}

/// Instructions of one run of a stage; `None` without `valgrind`.
pub(crate) fn instructions(stage: usize) -> Option<f64> {
    let all = |times: usize| {
        let output = Command::new("valgrind")
            .args([
                "--tool=cachegrind",
                "--cache-sim=no",
                "--cachegrind-out-file=/dev/null",
            ])
            .arg(std::env::current_exe().ok()?)
            .args([STAGE, &stage.to_string(), TIMES, &times.to_string()])
            .output()
            .ok()?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = told.lines().find(|line| line.contains("I   refs:"))?;
        let digits: String = line
            .rsplit(':')
            .next()?
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        digits.parse::<usize>().ok()
    };
    let (fewer, more) = (all(FEWER)?, all(MORE)?);
    Some(float(more.checked_sub(fewer)?) / float(MORE - FEWER))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}
