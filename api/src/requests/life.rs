//! What is asked in the life of a block: confirmations, renewals, reclaims, and time for tests.

use allocator::command::{self, Command, SPACE_DEFAULT};
use allocator::name::Name;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use crate::json;
use crate::problem::Problem;

/// Furthest that the log's clock is moved at once: a hundred years.
const ADVANCE_MS_MAX: u64 = 100 * 365 * 86_400_000;

/// Tells that a holder uses its block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimConfirm {
    /// The claim's owner, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The holding that is meant; without it, whatever the name holds now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// Begins a lease anew, from now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimRenew {
    /// The claim's owner, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The holding that is meant; without it, whatever the name holds now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The length of the lease from now on; without it, the length that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
}

/// Ends the grace of a released block before its time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllocationReclaim {
    /// The block.
    pub cidr: String,
    /// The routing domain; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// The holding that was released.
    pub generation: u64,
}

/// Moves the log's clock, in a cluster under test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClockAdvance {
    /// Forward by so many milliseconds.
    #[schema(minimum = 1)]
    pub ms: u64,
}

/// A body of which nothing need be said: none at all is an empty document.
fn document<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() {
        return Ok(T::default());
    }
    json::decode(body)
}

impl ClaimConfirm {
    /// The command that a body asks for of a claim of `tenant`.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8], tenant: &Name, claim: &Name) -> Result<Command, Problem> {
        let document: Self = document(body)?;
        let mut check = Check::default();
        let owner = check.optional_owner("owner", document.owner.as_deref());
        Ok(Command::ClaimConfirm(command::ClaimConfirm {
            tenant: tenant.clone(),
            name: claim.clone(),
            owner: check.finish(owner)?,
            generation: document.generation,
        }))
    }
}

impl ClaimRenew {
    /// The command that a body asks for of a claim of `tenant`.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8], tenant: &Name, claim: &Name) -> Result<Command, Problem> {
        let document: Self = document(body)?;
        let mut check = Check::default();
        let owner = check.optional_owner("owner", document.owner.as_deref());
        Ok(Command::ClaimRenew(command::ClaimRenew {
            tenant: tenant.clone(),
            name: claim.clone(),
            owner: check.finish(owner)?,
            generation: document.generation,
            ttl_seconds: document.ttl_seconds,
        }))
    }
}

impl AllocationReclaim {
    /// The command that a body asks for in the pools of `tenant`.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8], tenant: &Name) -> Result<Command, Problem> {
        let document: Self = json::decode(body)?;
        let mut check = Check::default();
        let cidr = check.prefix("cidr", &document.cidr);
        let space = check.name("space", document.space.as_deref().unwrap_or(SPACE_DEFAULT));
        let found = cidr.and_then(|cidr| Ok((cidr, space?)));
        let (cidr, space) = check.finish(found)?;
        Ok(Command::AllocationReclaim(command::AllocationReclaim {
            tenant: tenant.clone(),
            space,
            cidr,
            generation: document.generation,
        }))
    }
}

impl ClockAdvance {
    /// The command that a body asks for.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8]) -> Result<Command, Problem> {
        let document: Self = json::decode(body)?;
        let mut check = Check::default();
        if document.ms == 0 || document.ms > ADVANCE_MS_MAX {
            check.note(
                "ms",
                format_args!("is {}", document.ms),
                format_args!("1 to {ADVANCE_MS_MAX}"),
            );
        }
        check.finish(Ok(Command::ClockAdvance { ms: document.ms }))
    }
}
