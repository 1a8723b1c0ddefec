//! Batches of claims and releases of one tenant.
//!
//! An atomic batch is one change: its operations are done one after the other, each seeing those
//! before it, and at the first refusal all of them are taken back. The others are one change each.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::answer::{Outcome, Rejection};
use crate::command::{BATCH_OPERATIONS_MAX, Operation};
use crate::name::Name;

use super::State;
use super::claim::invalid;
use super::store::Who;
use super::views::count;

impl State {
    pub(super) fn batch_atomic(
        &mut self,
        who: Who<'_>,
        tenant: &Name,
        operations: &[Operation],
    ) -> Result<Outcome, Rejection> {
        self.batch_check(tenant, operations)?;
        self.look_ahead_in(operations);
        let savepoint = self.savepoint();
        let mut results = Vec::with_capacity(operations.len());
        for operation in operations {
            match self.operation(who, operation) {
                Ok(outcome) => results.push(Ok(outcome)),
                Err(reason) => {
                    self.savepoint_restore(&savepoint);
                    return Err(refused(results.len(), operations.len(), reason));
                }
            }
        }
        self.savepoint_keep(&savepoint);
        Ok(Outcome::Batch(results))
    }

    pub(super) fn batch_each(
        &mut self,
        who: Who<'_>,
        tenant: &Name,
        operations: &[Operation],
    ) -> Result<Outcome, Rejection> {
        self.batch_check(tenant, operations)?;
        self.look_ahead_in(operations);
        let mut results = Vec::with_capacity(operations.len());
        for operation in operations {
            self.revision_open = false;
            results.push(self.operation(who, operation));
        }
        Ok(Outcome::Batch(results))
    }

    fn operation(&mut self, who: Who<'_>, operation: &Operation) -> Result<Outcome, Rejection> {
        match operation {
            Operation::CreateClaim(spec) => self.claim_create(who, spec),
            Operation::ReleaseClaim(release) => self.claim_release(who, release),
        }
    }

    /// What refuses a batch as a whole.
    fn batch_check(&self, tenant: &Name, operations: &[Operation]) -> Result<(), Rejection> {
        if operations.len() > BATCH_OPERATIONS_MAX {
            return Err(Rejection::TooMany {
                what: String::from("operations"),
                count: count(operations.len()),
                limit: count(BATCH_OPERATIONS_MAX),
            });
        }
        self.tenant_find(tenant)?;
        let foreign = operations.iter().position(|operation| match operation {
            Operation::CreateClaim(spec) => spec.tenant != *tenant,
            Operation::ReleaseClaim(release) => release.tenant != *tenant,
        });
        match foreign {
            None => Ok(()),
            Some(place) => {
                let field = format!("operations[{place}].tenant");
                Err(invalid(
                    &field,
                    "it is not the tenant of the batch",
                    format!("{tenant}"),
                ))
            }
        }
    }
}

/// The refusal of an atomic batch: a reason for the culprit, the rest were not applied.
fn refused(failed: usize, operations: usize, reason: Rejection) -> Rejection {
    let mut reasons: Vec<Rejection> = (0..operations).map(|_| Rejection::NotApplied).collect();
    if let Some(culprit) = reasons.get_mut(failed) {
        *culprit = reason;
    }
    Rejection::BatchRefused {
        failed_index: u32::try_from(failed).unwrap_or(u32::MAX),
        reasons,
    }
}
