//! The allocator: one deterministic state machine that owns the numbering.
//!
//! `State::apply` takes a log entry and answers each of its commands. The state after an entry
//! depends on the state before it and on the entry, and on nothing else: this crate has no clock,
//! no randomness, no threads, no IO and, being `no_std`, cannot get at any of them.
#![no_std]

extern crate alloc;

pub mod answer;
pub mod command;
pub mod count;
pub mod name;
pub mod prefix;
pub mod view;
