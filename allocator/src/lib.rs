//! The allocator: one deterministic state machine that owns the numbering.
//!
//! `State::apply` takes a log entry and answers each of its commands. The state after an entry
//! depends on the state before it and on the entry, and on nothing else: this crate has no clock,
//! no randomness, no threads, no IO and, being `no_std`, cannot get at any of them.
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        clippy::float_arithmetic
    )
)]

extern crate alloc;

pub mod answer;
pub mod cascade;
pub mod clock;
pub mod command;
pub mod count;
mod digest;
pub mod edit;
pub mod filter;
pub mod free;
pub mod handout;
mod hashed;
pub mod history;
pub mod life;
pub mod name;
mod ordered;
pub mod owners;
mod paged;
pub mod pages;
pub mod planted;
pub mod prefix;
pub mod reconcile;
mod record;
pub mod settings;
pub mod state;
pub mod together;
pub mod view;
pub mod watch;

pub use state::State;
