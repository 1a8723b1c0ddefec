//! Faults, and what must hold all the same.
//!
//! [`sim`] runs three to five nodes in one thread, on simulated disks and a simulated network, where a seed decides everything.
//! [`power_loss`] takes the disks of real daemons away at one instant, and [`real`] does all that can be done to them while
//! clients write a [`history`]. What must hold is in [`invariants`], a file each; [`checkers`] judge a history, and a [`report`]
//! says what was done and what held. [`fuzz`] gives any bytes at all to whatever reads some from outside.

pub mod checkers;
pub mod fuzz;
pub mod history;
pub mod invariants;
pub mod power_loss;
pub mod real;
pub mod report;
pub mod sim;
