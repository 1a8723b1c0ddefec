//! Batches as asked for.

use allocator::command::{self, BATCH_OPERATIONS_MAX, Command, Operation};
use allocator::name::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::{Check, Checked};
use super::claim::{ClaimCreate, generated_name};
use crate::json;
use crate::problem::Problem;

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

impl Batch {
    /// The command that a body asks for in `tenant`. A claim without a name gets one from `random`,
    /// 128 random bits.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8], tenant: &Name, random: u128) -> Result<Command, Problem> {
        let document: Self = json::decode(body)?;
        let mut check = Check::default();
        let operations = document.checked(&mut check, tenant, random);
        let (tenant, atomic) = (tenant.clone(), document.atomic);
        check.finish(operations.map(|operations| Command::Batch {
            tenant,
            atomic,
            operations,
        }))
    }

    /// Every operation checked, also after the first that fails.
    fn checked(&self, check: &mut Check, tenant: &Name, random: u128) -> Checked<Vec<Operation>> {
        let count = self.operations.len();
        if count == 0 || count > BATCH_OPERATIONS_MAX {
            let allowed = format!("1 to {BATCH_OPERATIONS_MAX} operations");
            return check.refuse(
                "operations",
                format_args!("has {count} operations"),
                allowed,
            );
        }
        let names = (0_u128..).map(|number| generated_name(random.wrapping_add(number)));
        let operations = self.operations.iter().zip(names).enumerate();
        let checked: Vec<Checked<Operation>> = operations
            .map(|(index, (operation, name))| operation.checked(check, index, tenant, name))
            .collect();
        checked.into_iter().collect()
    }
}

impl BatchOperation {
    fn checked(
        &self,
        check: &mut Check,
        index: usize,
        tenant: &Name,
        fallback: Name,
    ) -> Checked<Operation> {
        let place = format!("operations[{index}]");
        let operation = match (&self.create_claim, &self.release_claim) {
            (Some(create), None) => {
                check.enter(format!("{place}.createClaim."));
                create
                    .spec(check, tenant, fallback)
                    .map(|spec| Operation::CreateClaim(Box::new(spec)))
            }
            (None, Some(release)) => {
                check.enter(format!("{place}.releaseClaim."));
                let name = check.name("name", &release.name);
                name.map(|name| {
                    Operation::ReleaseClaim(command::ClaimRelease {
                        tenant: tenant.clone(),
                        name,
                        generation: release.generation,
                    })
                })
            }
            (None, None) => check.refuse(
                &place,
                "is empty",
                "exactly one of createClaim, releaseClaim",
            ),
            (Some(_), Some(_)) => check.refuse(
                &place,
                "states two operations",
                "exactly one of createClaim, releaseClaim",
            ),
        };
        check.enter(String::new());
        operation
    }
}
