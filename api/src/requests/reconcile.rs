//! Declared live sets: who is still there.

use allocator::command::Command;
use allocator::name::Name;
use allocator::reconcile::{self, LIVE_MAX, Live, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::{Check, Checked, each};
use crate::fields::Labels;
use crate::json;
use crate::problem::Problem;

/// In how many calls a holder has to be a suspect where it is not stated.
const SIGHTINGS_DEFAULT: u8 = 2;

/// Declares who is there in a scope. What the others hold there is released, once they were not there
/// in enough calls and for long enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnersReconcile {
    /// The claims that it is about.
    pub scope: ReconcileScope,
    /// The owners that are there, each exactly as its claims state it; at most 5,000, and none is
    /// meaningful. Claims without an owner are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Vec<String>>,
    /// In place of `live`: the claims that are there. An owner is there as long as one of its claims is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_claims: Option<Vec<String>>,
    /// Grows from call to call of one scope. A repeat of the last one changes nothing; an older one is
    /// 412.
    pub epoch: u64,
    /// For how many seconds, by the log's clock, a holder has to be a suspect before it is released; 0
    /// where it is not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
    /// In how many calls a holder has to be a suspect before it is released: 1 or 2, which is the
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 2)]
    pub sightings: Option<u8>,
    /// Rather nothing than more blocks than this: 409 `too_many_suspects`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_at_most: Option<u64>,
    /// The revision that the caller had seen when it listed who is there: who was given something or
    /// did something later is no suspect in this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of_revision: Option<u64>,
    /// As the parameter `dryRun`: the exact answer, and nothing changes.
    #[serde(default)]
    pub dry_run: bool,
}

/// The claims that a live set is about: `{ownerPrefix}` or `{labels}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReconcileScope {
    /// Those of this owner and of all whose first segments it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_prefix: Option<String>,
    /// Those that have all these labels; at least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
}

impl OwnersReconcile {
    /// The command that a body asks for in `tenant`, and whether it is to be tried only.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8], tenant: &Name) -> Result<(Command, bool), Problem> {
        let document: Self = json::decode(body)?;
        let mut check = Check::default();
        let (scope, live) = (document.scope(&mut check), document.live(&mut check));
        let sightings = document.sightings.unwrap_or(SIGHTINGS_DEFAULT);
        if !(1..=2).contains(&sightings) {
            check.note("sightings", format_args!("is {sightings}"), "1 or 2");
        }
        let both = scope.and_then(|scope| Ok((scope, live?)));
        let (scope, live) = check.finish(both)?;
        let reconcile = reconcile::Reconcile {
            tenant: tenant.clone(),
            scope,
            live,
            epoch: document.epoch,
            grace_seconds: document.grace_seconds.unwrap_or(0),
            sightings,
            release_at_most: document.release_at_most,
            as_of_revision: document.as_of_revision,
        };
        Ok((
            Command::OwnersReconcile(Box::new(reconcile)),
            document.dry_run,
        ))
    }

    fn scope(&self, check: &mut Check) -> Checked<Scope> {
        const ONE_OF: &str = "exactly one of ownerPrefix and labels";
        match (&self.scope.owner_prefix, &self.scope.labels) {
            (Some(prefix), None) => check
                .owner("scope.ownerPrefix", prefix)
                .map(Scope::OwnerPrefix),
            (None, Some(labels)) if labels.is_empty() => {
                check.refuse("scope.labels", "is empty", "at least one label")
            }
            (None, Some(labels)) => check.labels("scope.labels", labels).map(Scope::Labels),
            (None, None) => check.refuse("scope", "is empty", ONE_OF),
            (Some(_), Some(_)) => check.refuse("scope", "has both", ONE_OF),
        }
    }

    fn live(&self, check: &mut Check) -> Checked<Live> {
        const ONE_OF: &str = "exactly one of live and liveClaims";
        let few = |check: &mut Check, field: &str, live: &[String]| {
            if live.len() <= LIVE_MAX {
                return Ok(());
            }
            check.refuse(
                field,
                format_args!("has {} entries", live.len()),
                format_args!("at most {LIVE_MAX}; divide the scope"),
            )
        };
        match (&self.live, &self.live_claims) {
            (Some(owners), None) => {
                few(check, "live", owners)?;
                each(owners, |place, owner| {
                    check.owner(&format!("live[{place}]"), owner)
                })
                .map(Live::Owners)
            }
            (None, Some(claims)) => {
                few(check, "liveClaims", claims)?;
                each(claims, |place, claim| {
                    check.name(&format!("liveClaims[{place}]"), claim)
                })
                .map(Live::Claims)
            }
            (None, None) => check.refuse("live", "is missing", ONE_OF),
            (Some(_), Some(_)) => check.refuse("liveClaims", "stands beside live", ONE_OF),
        }
    }
}
