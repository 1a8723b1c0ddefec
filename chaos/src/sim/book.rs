//! What the world knows about itself: invariants, history, what clients know of each other's claims.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clients::pools;
use super::operator::Order;
use super::trace::Trace;
use crate::history::Recorder;
use crate::invariants::Invariants;

/// The book; clones are the same one.
#[derive(Clone)]
pub(super) struct Book(Arc<Mutex<Pages>>);

/// What stands in it.
pub(super) struct Pages {
    pub(super) invariants: Invariants,
    pub(super) history: Recorder,
    pub(super) trace: Trace,
    /// The tenant and its pools are there.
    pub(super) have_pools: bool,
    /// Nobody asks for anything any more.
    pub(super) closed: bool,
    /// Blocks that names were last heard to hold, with the generation.
    pub(super) heard: BTreeMap<String, (String, u64)>,
    /// Names that were made up so far.
    pub(super) names: u64,
    pub(super) order: Option<Order>,
    pub(super) acknowledged: u64,
    pub(super) claims: u64,
    pub(super) unknown: u64,
    pub(super) not_proposed: u64,
}

impl Book {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Pages {
            invariants: Invariants::new(pools::RULES),
            history: Recorder::default(),
            trace: Trace::default(),
            have_pools: false,
            closed: false,
            heard: BTreeMap::new(),
            names: 0,
            order: None,
            acknowledged: 0,
            claims: 0,
            unknown: 0,
            not_proposed: 0,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
