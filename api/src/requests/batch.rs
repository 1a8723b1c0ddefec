//! Batches as asked for.
//!
//! A fault of the document as a whole (what is no batch, or has an operation that is none of those
//! there are) refuses all of it. What is wrong inside of an operation refuses that one, in the same
//! way as the state refuses it: an atomic batch with it, the others around it.

use std::collections::BTreeMap;

use allocator::command::{self, BATCH_OPERATIONS_MAX, Command, Operation};
use allocator::name::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::{Check, Checked};
use super::claim::{ClaimCreate, generated_name};
use crate::json::{self, Tree};
use crate::problem::Problem;
use crate::views::BatchResult;

/// Several claims and releases in one request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Batch {
    /// All or none, in one write; otherwise each on its own, in order.
    pub atomic: bool,
    /// 1 to 1,000.
    #[schema(min_items = 1, max_items = 1000)]
    pub operations: Vec<BatchOperation>,
}

/// One operation: exactly one of the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(min_properties = 1, max_properties = 1)]
pub struct BatchOperation {
    /// Takes a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_claim: Option<ClaimCreate>,
    /// Gives a block back; one that has already ended counts as done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_claim: Option<ClaimRelease>,
}

/// A claim to release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimRelease {
    /// The claim.
    #[schema(schema_with = crate::scalar::name_schema)]
    pub name: String,
    /// The holding that is meant. Without it, whatever the name holds by then: not safe to retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// A batch as it was read: what is wrong with one operation is known of that one only.
#[derive(Debug)]
pub struct BatchRead {
    tenant: Name,
    atomic: bool,
    operations: Vec<Result<Operation, Problem>>,
}

/// The operations of a batch that were refused before it was proposed, by their place.
#[derive(Debug, Default)]
pub struct RefusedOperations(BTreeMap<usize, Problem>);

/// The document, with its operations still to be read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    atomic: bool,
    operations: Vec<DocumentOperation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DocumentOperation {
    create_claim: Option<Tree>,
    release_claim: Option<Tree>,
}

/// What an operation asks for, still to be read.
enum Asked {
    CreateClaim(Tree),
    ReleaseClaim(Tree),
}

impl Batch {
    /// Reads a batch of `tenant`. A claim without a name gets one from `random`, 128 random bits.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`: the document as a whole. An operation that is one of those
    /// there are and is wrong in itself is told by [`BatchRead::split`].
    pub fn parse(body: &[u8], tenant: &Name, random: u128) -> Result<BatchRead, Problem> {
        let document: Document = json::decode(body)?;
        let mut check = Check::default();
        let asked = asked(&mut check, document.operations);
        let numbers = (0_u128..).map(|number| random.wrapping_add(number));
        let operations = check.finish(asked)?.into_iter().zip(numbers).enumerate();
        Ok(BatchRead {
            tenant: tenant.clone(),
            atomic: document.atomic,
            operations: operations
                .map(|(index, (asked, random))| asked.read(index, tenant, random))
                .collect(),
        })
    }
}

impl BatchRead {
    /// The command for the operations that are in order, and those that are not.
    ///
    /// # Errors
    /// The refusal of an atomic batch that has one that is not, at `revision`.
    pub fn split(self, revision: u64) -> Result<(Command, RefusedOperations), Problem> {
        let culprit = self.operations.iter().position(Result::is_err);
        if let Some(failed) = culprit.filter(|_| self.atomic) {
            let failed_index = u32::try_from(failed).unwrap_or(u32::MAX);
            let problems = self
                .operations
                .into_iter()
                .map(|operation| match operation {
                    Ok(_) => Problem::not_applied(),
                    Err(problem) => problem,
                });
            return Err(Problem::batch_refused(
                failed_index,
                problems.collect(),
                revision,
            ));
        }
        let mut refused = RefusedOperations::default();
        let mut operations = Vec::with_capacity(self.operations.len());
        for (index, operation) in self.operations.into_iter().enumerate() {
            match operation {
                Ok(operation) => operations.push(operation),
                Err(problem) => {
                    refused.0.insert(index, problem.at_revision(revision));
                }
            }
        }
        let command = Command::Batch {
            tenant: self.tenant,
            atomic: self.atomic,
            operations,
        };
        Ok((command, refused))
    }
}

impl RefusedOperations {
    /// The results of all operations, in the order in which they were asked for; `answered` are those
    /// of the operations that were proposed.
    pub fn merge(mut self, answered: Vec<BatchResult>) -> Vec<BatchResult> {
        let mut answered = answered.into_iter();
        let mut results = Vec::with_capacity(answered.len() + self.0.len());
        loop {
            let refused = self.0.remove(&results.len()).map(BatchResult::refused);
            match refused.or_else(|| answered.next()) {
                Some(result) => results.push(result),
                None => return results,
            }
        }
    }
}

/// Which operations there are; looks at all of them, also after the first that is none.
fn asked(check: &mut Check, operations: Vec<DocumentOperation>) -> Checked<Vec<Asked>> {
    let count = operations.len();
    if count == 0 || count > BATCH_OPERATIONS_MAX {
        let allowed = format!("1 to {BATCH_OPERATIONS_MAX} operations");
        return check.refuse(
            "operations",
            format_args!("has {count} operations"),
            allowed,
        );
    }
    let asked: Vec<Checked<Asked>> = operations
        .into_iter()
        .enumerate()
        .map(|(index, operation)| {
            let problem = match (operation.create_claim, operation.release_claim) {
                (Some(create), None) => return Ok(Asked::CreateClaim(create)),
                (None, Some(release)) => return Ok(Asked::ReleaseClaim(release)),
                (None, None) => "is empty",
                (Some(_), Some(_)) => "states two operations",
            };
            check.refuse(
                &format!("operations[{index}]"),
                problem,
                "exactly one of createClaim, releaseClaim",
            )
        })
        .collect();
    asked.into_iter().collect()
}

impl Asked {
    /// A claim that states no name gets one from `random`.
    fn read(self, index: usize, tenant: &Name, random: u128) -> Result<Operation, Problem> {
        let mut check = Check::default();
        let operation = match self {
            Self::CreateClaim(part) => {
                let place = format!("operations[{index}].createClaim");
                let create: ClaimCreate = json::read(part, &place)?;
                check.enter(place + ".");
                create
                    .spec(&mut check, tenant, || generated_name(random))
                    .map(|spec| Operation::CreateClaim(Box::new(spec)))
            }
            Self::ReleaseClaim(part) => {
                let place = format!("operations[{index}].releaseClaim");
                let release: ClaimRelease = json::read(part, &place)?;
                check.enter(place + ".");
                check.name("name", &release.name).map(|name| {
                    Operation::ReleaseClaim(command::ClaimRelease {
                        tenant: tenant.clone(),
                        name,
                        generation: release.generation,
                    })
                })
            }
        };
        check.finish(operation)
    }
}
