//! Who has an address, and a pool with what lies below it.

use allocator::name::Name;
use allocator::view::{self, LookupView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Allocation, Capacity, Claim};
use crate::fields::{Labels, PoolRef};
use crate::problem::Viewer;
use crate::scalar::{Cidr, Decimal, Ratio};

/// Who has an address or block, at present.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lookup {
    /// What was asked.
    pub cidr: Cidr,
    /// In which routing domain.
    #[schema(value_type = String)]
    pub space: Name,
    /// The pools that contain it, the root first; empty where none does.
    pub pools: Vec<PoolRef>,
    /// The allocation that contains it in the innermost pool; for exactly a child pool's block, that
    /// of the child. Absent where nothing holds it as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation: Option<Allocation>,
    /// `true` where nothing holds it as a whole, but something inside it is held; absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(default = false)]
    pub held_in_part: bool,
    /// The claim that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// The revision that is shown.
    pub revision: u64,
}

impl Lookup {
    /// As `viewer` may see it.
    pub fn of(view: &LookupView, space: &Name, viewer: Viewer<'_>, revision: u64) -> Self {
        let pools = view.pools.iter().map(|(tenant, name)| match viewer {
            Viewer::Admin => PoolRef {
                tenant: Some(tenant.to_string()),
                name: name.to_string(),
            },
            Viewer::Tenant(own) => PoolRef::seen_from(own, tenant, name),
        });
        Self {
            cidr: Cidr(view.query),
            space: space.clone(),
            pools: pools.collect(),
            allocation: view
                .allocation
                .as_ref()
                .map(|one| Allocation::of(one, viewer)),
            held_in_part: view.held_in_part,
            claim: view
                .claim
                .as_deref()
                .filter(|claim| viewer.sees(&claim.spec.tenant))
                .map(Claim::from),
            revision,
        }
    }
}

/// A pool with its descendants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolTree {
    /// The pool itself.
    #[serde(flatten)]
    pub pool: TreeNode,
    /// The revision that is shown.
    pub revision: u64,
}

/// A pool in a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TreeNode {
    /// Its name; absent for another tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Name>,
    /// Its tenant, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tenant: Option<Name>,
    /// Its blocks.
    pub cidrs: Vec<Cidr>,
    /// Its addresses.
    pub capacity: Capacity,
    /// (allocated + released) / (total − reserved).
    pub utilization: Ratio,
    /// Addresses that claims really hold, in it and below it.
    pub held_below: Decimal,
    /// Its labels.
    #[serde(default)]
    pub labels: Labels,
    /// How many child pools it has.
    pub children_total: u64,
    /// Its child pools, by address; fewer than `childrenTotal` where the tree would be too large.
    #[schema(no_recursion)]
    pub children: Vec<TreeNode>,
}

impl PoolTree {
    /// As `viewer` may see it.
    pub fn of(tree: &view::TreeNode, viewer: Viewer<'_>, revision: u64) -> Self {
        Self {
            pool: TreeNode::of(tree, viewer),
            revision,
        }
    }
}

impl TreeNode {
    /// Pools nest at most 16 deep, which bounds the recursion.
    fn of(node: &view::TreeNode, viewer: Viewer<'_>) -> Self {
        let seen = viewer.sees(&node.tenant);
        Self {
            name: seen.then(|| node.name.clone()),
            tenant: (!seen).then(|| node.tenant.clone()),
            cidrs: node.cidrs.iter().copied().map(Cidr).collect(),
            capacity: Capacity::from(&node.capacity),
            utilization: Ratio(node.utilization_e4),
            held_below: Decimal(node.held_below),
            labels: if seen {
                Labels::from(&node.labels)
            } else {
                Labels::default()
            },
            children_total: node.children_total,
            children: node
                .children
                .iter()
                .map(|child| Self::of(child, viewer))
                .collect(),
        }
    }
}
