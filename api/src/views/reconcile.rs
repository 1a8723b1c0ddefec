//! What came of a declared live set.

use allocator::name::Name;
use allocator::reconcile::{self, SuspectHolder};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fields::PoolRef;
use crate::scalar::{Cidr, name_schema};

/// What a live set came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reconciled {
    /// Who holds something in the scope, is not there, and keeps it for now: the first 1,000.
    pub suspects: Vec<Suspect>,
    /// How many suspects there are.
    pub suspects_total: u64,
    /// What was released, by address.
    pub released: Vec<ReleasedHolding>,
    /// Who is there and holds nothing.
    pub missing: Vec<String>,
    /// The epoch was the last one already: nothing was counted and nothing released.
    pub repeated: bool,
    /// The revision after it.
    pub revision: u64,
}

/// A holder that is not there: an owner, or a claim that has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspect {
    /// The owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The claim, where it has no owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = name_schema)]
    pub claim: Option<Name>,
    /// Blocks that it holds in the scope.
    pub blocks: u64,
    /// In how many calls it was one.
    pub sightings: u32,
    /// For how many seconds it has been one, by the log's clock.
    pub suspect_for_seconds: u64,
}

/// A holding that was released: as `owners/release` takes it in `holdings`, and whose it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleasedHolding {
    /// The block.
    pub cidr: Cidr,
    /// The routing domain.
    #[schema(schema_with = name_schema)]
    pub space: Name,
    /// The holding.
    pub generation: u64,
    /// The claim.
    #[schema(schema_with = name_schema)]
    pub claim: Name,
    /// Its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The pool that it was held from.
    pub pool: PoolRef,
}

impl Reconciled {
    /// As answered at a revision to somebody of tenant `own`.
    pub fn of(reconciled: &reconcile::Reconciled, own: Option<&Name>, revision: u64) -> Self {
        let released = reconciled.released.iter();
        Self {
            suspects: reconciled.suspects.iter().map(Suspect::from).collect(),
            suspects_total: reconciled.suspects_total,
            released: released.map(|one| ReleasedHolding::of(one, own)).collect(),
            missing: reconciled.missing.iter().map(ToString::to_string).collect(),
            repeated: reconciled.repeated,
            revision,
        }
    }
}

impl From<&reconcile::SuspectView> for Suspect {
    fn from(view: &reconcile::SuspectView) -> Self {
        let (owner, claim) = match &view.holder {
            SuspectHolder::Owner(owner) => (Some(owner.to_string()), None),
            SuspectHolder::Claim(name) => (None, Some(name.clone())),
        };
        Self {
            owner,
            claim,
            blocks: view.blocks,
            sightings: view.sightings,
            suspect_for_seconds: view.age_ms / 1_000,
        }
    }
}

impl ReleasedHolding {
    fn of(holding: &reconcile::ReleasedHolding, own: Option<&Name>) -> Self {
        Self {
            cidr: Cidr(holding.cidr),
            space: holding.space.clone(),
            generation: holding.generation,
            claim: holding.claim.clone(),
            owner: holding.owner.as_ref().map(ToString::to_string),
            pool: match own {
                Some(own) => PoolRef::seen_from(own, &holding.pool_tenant, &holding.pool),
                None => PoolRef {
                    tenant: Some(holding.pool_tenant.to_string()),
                    name: holding.pool.to_string(),
                },
            },
        }
    }
}
