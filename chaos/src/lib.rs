//! Faults, and what must hold all the same.
//!
//! [`sim`] runs three nodes in one thread, on simulated disks and a simulated network, where a seed decides everything.
//! [`power_loss`] takes the disks of real daemons away at one instant. What must hold is in [`invariants`], a file each.

pub mod invariants;
pub mod power_loss;
pub mod sim;
