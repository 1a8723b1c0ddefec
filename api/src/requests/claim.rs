//! Claims as asked for, and the names of those that state none.

use std::fmt;

use allocator::command::{ClaimFrom, ClaimSpec, Command};
use allocator::life::{ClaimLife, ReclaimPolicy};
use allocator::name::Name;
use allocator::prefix::Family;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::{Check, Checked, each};
use crate::fields::{ClaimPurpose, Ignored, Labels, PoolRef};
use crate::headers;
use crate::json;
use crate::pool_selector::PoolSelector;
use crate::problem::Problem;

/// A claim for a block. Its name is its idempotency key: asked for again in the same way it is
/// answered with the block that it has (200 instead of 201).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimCreate {
    /// Its name, unique in the tenant. Absent: derived from the header `Idempotency-Key`; without
    /// that, made by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::scalar::name_schema)]
    pub name: Option<String>,
    /// The pool to take from: either this or `poolSelector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolRef>,
    /// Which pools may serve it: the first that can, by `priority` and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_selector: Option<PoolSelector>,
    /// `Reservation` withholds the block from automatic allocation: outside of the pool's length bounds,
    /// counted as reserved, kept for nobody once it is released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<ClaimPurpose>,
    /// The length wanted; the pool's default where neither this nor `cidr` is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_length: Option<u8>,
    /// Exactly this block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// Where the block must lie: at most 16 CIDRs, addresses or ranges `first-last`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<String>,
    /// The family as a check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::scalar::family_schema)]
    pub family: Option<Family>,
    /// Key of the holder, `/`-separated, the widest part first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its time limit: it is renewed, or it expires. The pool's longest when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// For how long its block is kept once it is released; as the pool says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
    /// What becomes of its block then; as the pool says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::scalar::reclaim_policy_schema)]
    pub reclaim_policy: Option<ReclaimPolicy>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    /// What it is for, in at most 1,024 bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Accepted and ignored.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Object)]
    pub status: Ignored,
}

/// What gives a name to a claim that states none.
#[derive(Clone, Copy)]
pub struct Naming<'a> {
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<&'a [u8]>,
    /// Draws 128 random bits, for a name made by the server.
    pub random: &'a dyn Fn() -> u128,
}

impl fmt::Debug for Naming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Naming")
            .field("idempotency_key", &self.idempotency_key)
            .finish_non_exhaustive()
    }
}

/// The name that the server makes from random bits.
pub fn generated_name(random: u128) -> Name {
    Name::new(&format!("claim-{random:032x}")).expect("claim- and hex digits are a name")
}

impl ClaimCreate {
    /// The command that a body asks for in `tenant`.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`; `invalid_parameter` for an `Idempotency-Key` beside a name.
    pub fn parse(body: &[u8], tenant: &Name, naming: Naming<'_>) -> Result<Command, Problem> {
        let document: Self = json::decode(body)?;
        let by_key = match (&document.name, naming.idempotency_key) {
            (Some(_), key) => {
                headers::refuse_idempotency_key(key)?;
                None
            }
            (None, Some(key)) => Some(headers::name_of_idempotency_key(key)?),
            (None, None) => None,
        };
        let fallback = || by_key.unwrap_or_else(|| generated_name((naming.random)()));
        let mut check = Check::default();
        let spec = document.spec(&mut check, tenant, fallback);
        check
            .finish(spec)
            .map(|spec| Command::ClaimCreate(Box::new(spec)))
    }

    /// `fallback` gives its name where it states none.
    pub(super) fn spec(
        &self,
        check: &mut Check,
        tenant: &Name,
        fallback: impl FnOnce() -> Name,
    ) -> Checked<ClaimSpec> {
        let name = check.optional_name("name", self.name.as_deref());
        let from = self.from(check);
        let prefix_length = check.optional_prefix_length("prefixLength", self.prefix_length);
        let cidr = check.optional_prefix("cidr", self.cidr.as_deref());
        if self.prefix_length.is_some() && self.cidr.is_some() {
            check.note(
                "cidr",
                "is stated beside prefixLength",
                "either prefixLength or cidr",
            );
        }
        let within = each(&self.within, |index, item| {
            check.range(&format!("within[{index}]"), item)
        });
        let owner = check.optional_owner("owner", self.owner.as_deref());
        let labels = check.labels("labels", &self.labels);
        let annotations = check.labels("annotations", &self.annotations);
        let description = check.text("description", &self.description);
        Ok(ClaimSpec {
            tenant: tenant.clone(),
            name: name?.unwrap_or_else(fallback),
            from: from?,
            reservation: self.purpose == Some(ClaimPurpose::Reservation),
            prefix_length: prefix_length?,
            cidr: cidr?,
            within: within?,
            family: self.family,
            owner: owner?,
            life: ClaimLife {
                ttl_seconds: self.ttl_seconds,
                grace_seconds: self.grace_seconds,
                reclaim_policy: self.reclaim_policy,
            },
            labels: labels?,
            annotations: annotations?,
            description: description?,
        })
    }

    fn from(&self, check: &mut Check) -> Checked<ClaimFrom> {
        match (&self.pool, &self.pool_selector) {
            (Some(pool), None) => check.pool_ref("pool", pool).map(ClaimFrom::Pool),
            (None, Some(selector)) => check
                .pool_selector("poolSelector", selector)
                .map(ClaimFrom::Selector),
            (None, None) => check.refuse("pool", "is missing", "either pool or poolSelector"),
            (Some(_), Some(_)) => check.refuse(
                "poolSelector",
                "is stated beside pool",
                "either pool or poolSelector",
            ),
        }
    }
}
