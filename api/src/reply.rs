//! The answer of the state machine as the answer of the API: the third beat of every mutation.

use allocator::answer::{Answer, Outcome, Rejection};
use serde::Serialize;

use crate::problem::{Problem, Viewer};
use crate::views::{
    self, Allocation, Batch, BatchResult, Claim, ClockAdvanced, OwnerReleased, Pool, PoolCascaded,
    Reconciled, Settings, Tenant,
};

/// A mutation that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// 201 where something was made, else 200.
    pub status: u16,
    /// The revision after it, for the header.
    pub revision: u64,
    /// What to show.
    pub body: Body,
}

/// What a mutation shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// A tenant.
    Tenant(Box<Tenant>),
    /// A pool.
    Pool(Box<Pool>),
    /// What came of a cascade.
    Cascade(PoolCascaded),
    /// A claim.
    Claim(Box<Claim>),
    /// An allocation.
    Allocation(Box<Allocation>),
    /// The log's clock.
    Clock(ClockAdvanced),
    /// What an owner gave back.
    OwnerReleased(OwnerReleased),
    /// What came of a live set.
    Reconciled(Reconciled),
    /// The cluster's settings.
    Settings(Settings),
    /// What came of a batch.
    Batch(Batch),
    /// Nothing but that it was done.
    Done {},
}

impl Reply {
    /// What to answer, as far as `viewer` may see it.
    ///
    /// # Errors
    /// The problem that the refusal is.
    pub fn of(answer: &Answer, viewer: Viewer<'_>) -> Result<Self, Problem> {
        match &answer.result {
            Ok(outcome) => {
                let (status, body) = shown(outcome, answer.revision, viewer);
                Ok(Self {
                    status,
                    revision: answer.revision,
                    body,
                })
            }
            Err(rejection) => Err(Problem::from_rejection(rejection, answer.revision, viewer)),
        }
    }
}

fn shown(outcome: &Outcome, revision: u64, viewer: Viewer<'_>) -> (u16, Body) {
    match outcome {
        Outcome::Done | Outcome::Expired(_) => (200, Body::Done {}),
        Outcome::AllocationReclaimed(view) => {
            let allocation = Allocation::of(view, viewer);
            (200, Body::Allocation(Box::new(allocation)))
        }
        Outcome::Reconciled(reconciled) => {
            let own = match viewer {
                Viewer::Tenant(own) => Some(own),
                Viewer::Admin => None,
            };
            let reconciled = Reconciled::of(reconciled, own, revision);
            (200, Body::Reconciled(reconciled))
        }
        Outcome::PoolCascaded(cascaded) => {
            let cascaded = PoolCascaded::of(cascaded, revision);
            (200, Body::Cascade(cascaded))
        }
        Outcome::OwnerReleased(released) => {
            let released = OwnerReleased::of(released, revision);
            (200, Body::OwnerReleased(released))
        }
        Outcome::SettingsEdited(settings) => (200, Body::Settings(Settings::from(settings))),
        Outcome::ClockAdvanced { advanced_ms } => {
            let clock = ClockAdvanced {
                clock_advanced_ms: *advanced_ms,
                revision,
            };
            (200, Body::Clock(clock))
        }
        Outcome::TenantCreated(view) => (201, Body::Tenant(Box::new(Tenant::from(&**view)))),
        Outcome::TenantRepeated(view)
        | Outcome::TenantEdited(view)
        | Outcome::TenantDeleted(view) => (200, Body::Tenant(Box::new(Tenant::from(&**view)))),
        Outcome::PoolCreated(view) => (201, Body::Pool(Box::new(Pool::from(&**view)))),
        Outcome::PoolRepeated(view) | Outcome::PoolEdited(view) | Outcome::PoolDeleted(view) => {
            (200, Body::Pool(Box::new(Pool::from(&**view))))
        }
        Outcome::ClaimCreated(view) => (201, Body::Claim(Box::new(Claim::from(&**view)))),
        Outcome::ClaimRepeated(view)
        | Outcome::ClaimEdited(view)
        | Outcome::ClaimReleased(view)
        | Outcome::ClaimConfirmed(view)
        | Outcome::ClaimRenewed(view)
        | Outcome::ClaimAlreadyReleased(view) => (200, Body::Claim(Box::new(Claim::from(&**view)))),
        Outcome::Batch(results) => {
            let results = results
                .iter()
                .map(|result| batch_result(result, revision, viewer))
                .collect();
            (200, Body::Batch(views::Batch { results }))
        }
    }
}

fn batch_result(
    result: &Result<Outcome, Rejection>,
    revision: u64,
    viewer: Viewer<'_>,
) -> BatchResult {
    match result {
        Ok(outcome) => match shown(outcome, revision, viewer) {
            (status, Body::Claim(claim)) => BatchResult::done(status, *claim),
            (_, _) => unreachable!("the operations of a batch are claims and releases"),
        },
        Err(rejection) => {
            BatchResult::refused(Problem::from_rejection(rejection, revision, viewer))
        }
    }
}
