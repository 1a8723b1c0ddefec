//! What is asked of all that an owner holds.

use allocator::command::{Command, SPACE_DEFAULT};
use allocator::name::Name;
use allocator::owners::{self, OwnedBefore, OwnerHoldings, OwnerMatch, RELEASE_BLOCKS_MAX};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::{Check, Checked, each};
use crate::fields::PoolRef;
use crate::json;
use crate::problem::Problem;

/// Most pools that a release names.
const POOLS_MAX: usize = 64;

/// Gives back what an owner holds (`owner` or `ownerPrefix`, with `asOfRevision`), or some holdings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnerRelease {
    /// What this owner holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What this owner holds, and all whose first segments it is: `node-1` covers `node-1/eth0`, never
    /// `node-10/eth0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_prefix: Option<String>,
    /// Only what was given at or before this revision, so that a late repeat frees nothing newer.
    /// Required beside `owner` and `ownerPrefix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of_revision: Option<u64>,
    /// At most so many blocks, the first in order of address. Without it all, unless they are more than
    /// 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub limit: Option<u32>,
    /// Only what is held from these pools, and not from those under them; 1 to 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pools: Option<Vec<PoolRef>>,
    /// Exactly these holdings, at most 10,000. One that has already ended counts as done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdings: Option<Vec<HoldingRef>>,
}

/// One holding: a block, and the generation that fences it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldingRef {
    /// Tenant of the pool, where it is another's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The routing domain; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// The block.
    pub cidr: String,
    /// The holding.
    pub generation: u64,
}

impl OwnerRelease {
    /// The command that a body asks for in `tenant`.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8], tenant: &Name) -> Result<Command, Problem> {
        let document: Self = json::decode(body)?;
        let mut check = Check::default();
        let what = document.what(&mut check);
        Ok(Command::OwnerRelease(Box::new(owners::OwnerRelease {
            tenant: tenant.clone(),
            what: check.finish(what)?,
        })))
    }

    fn what(&self, check: &mut Check) -> Checked<OwnerHoldings> {
        const ONE_OF: &str = "exactly one of owner, ownerPrefix and holdings";
        match (&self.owner, &self.owner_prefix, &self.holdings) {
            (Some(owner), None, None) => {
                let owner = check.owner("owner", owner);
                self.owned(check, owner.map(OwnerMatch::Exact))
            }
            (None, Some(prefix), None) => {
                let prefix = check.owner("ownerPrefix", prefix);
                self.owned(check, prefix.map(OwnerMatch::Prefix))
            }
            (None, None, Some(holdings)) => self.listed(check, holdings),
            (None, None, None) => check.refuse("owner", "is missing", ONE_OF),
            (_, _, Some(_)) => check.refuse("holdings", "is not alone", ONE_OF),
            (_, _, None) => check.refuse("ownerPrefix", "is not alone", ONE_OF),
        }
    }

    fn owned(&self, check: &mut Check, owners: Checked<OwnerMatch>) -> Checked<OwnerHoldings> {
        let as_of_revision = match self.as_of_revision {
            Some(revision) => Ok(revision),
            None => check.refuse(
                "asOfRevision",
                "is missing",
                "the revision at which the owner's holdings were read",
            ),
        };
        let limit = check.release_limit("limit", self.limit);
        let pools = match &self.pools {
            None => Ok(Vec::new()),
            Some(pools) if (1..=POOLS_MAX).contains(&pools.len()) => each(pools, |place, pool| {
                check.pool_ref(&format!("pools[{place}]"), pool)
            }),
            Some(pools) => check.refuse(
                "pools",
                format_args!("has {} entries", pools.len()),
                format_args!("1 to {POOLS_MAX}, or absent"),
            ),
        };
        Ok(OwnerHoldings::Owned(OwnedBefore {
            owners: owners?,
            as_of_revision: as_of_revision?,
            limit: limit?,
            pools: pools?,
        }))
    }

    fn listed(&self, check: &mut Check, holdings: &[HoldingRef]) -> Checked<OwnerHoldings> {
        let beside = [
            ("asOfRevision", self.as_of_revision.is_some()),
            ("limit", self.limit.is_some()),
            ("pools", self.pools.is_some()),
        ];
        for (field, _) in beside.into_iter().filter(|(_, stated)| *stated) {
            check.note(
                field,
                "means nothing beside holdings",
                "owner or ownerPrefix beside it",
            );
        }
        let holdings = each(holdings, |place, holding| {
            holding.check(check, &format!("holdings[{place}]"))
        });
        Ok(OwnerHoldings::Listed(holdings?))
    }
}

impl HoldingRef {
    fn check(&self, check: &mut Check, place: &str) -> Checked<owners::HoldingRef> {
        let tenant = check.optional_name(&format!("{place}.tenant"), self.tenant.as_deref());
        let space = self.space.as_deref().unwrap_or(SPACE_DEFAULT);
        let space = check.name(&format!("{place}.space"), space);
        let cidr = check.prefix(&format!("{place}.cidr"), &self.cidr);
        Ok(owners::HoldingRef {
            tenant: tenant?,
            space: space?,
            cidr: cidr?,
            generation: self.generation,
        })
    }
}

impl Check {
    /// A bound on how many blocks a command gives back.
    fn release_limit(&mut self, field: &str, limit: Option<u32>) -> Checked<Option<u32>> {
        match limit {
            Some(limit) if !(1..=RELEASE_BLOCKS_MAX).contains(&limit) => self.refuse(
                field,
                format_args!("is {limit}"),
                format_args!("1 to {RELEASE_BLOCKS_MAX}"),
            ),
            limit => Ok(limit),
        }
    }
}
