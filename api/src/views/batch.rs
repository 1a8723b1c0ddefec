//! What came of a batch.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Claim;
use crate::problem::Problem;

/// What came of a batch: one result for each operation, in the same order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// The results.
    pub results: Vec<BatchResult>,
}

/// What came of one operation: `body` or `problem`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchResult {
    /// The status that the operation alone would have been answered with.
    pub status: u16,
    /// The claim as it is, or as it last was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<Claim>>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Box<Problem>>,
}

impl BatchResult {
    /// An operation that was done.
    pub fn done(status: u16, claim: Claim) -> Self {
        Self {
            status,
            body: Some(Box::new(claim)),
            problem: None,
        }
    }

    /// An operation that was refused.
    pub fn refused(problem: Problem) -> Self {
        Self {
            status: problem.status,
            body: None,
            problem: Some(Box::new(problem)),
        }
    }
}
