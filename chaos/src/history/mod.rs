//! What clients asked for and were told, what was broken meanwhile, and who led: a history that any checker can read.
//!
//! A history is a text of JSON lines, in order of time; `docs/history.md` says what each line means. The simulation and
//! the harness of real processes write the same lines, so that the same checkers judge both.

mod record;
mod recorder;

pub use record::{Change, Consistency, Held, Line, Op, PoolFact, Reply, Stage, What};
pub use recorder::{Recorder, read};
