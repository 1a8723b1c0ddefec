//! Faults, and what must hold all the same.
//!
//! [`sim`] runs three to five nodes in one thread, on simulated disks and a simulated network, where a seed decides everything.
//! [`power_loss`] takes the disks of real daemons away at one instant, and [`real`] does all that can be done to them while
//! clients write a [`history`]. What must hold is in [`invariants`], a file each.
//! What clients were told is a [`history`]; [`checkers`] judge it, and a [`report`] says what was done and what held.

pub mod checkers;
pub mod history;
pub mod invariants;
pub mod power_loss;
pub mod real;
pub mod report;
pub mod sim;
