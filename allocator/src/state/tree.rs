//! A pool with what is below it.

use alloc::vec::Vec;

use crate::answer::Rejection;
use crate::name::Name;
use crate::record::PoolId;
use crate::view::TreeNode;

use super::State;
use super::views::{capacity, count, utilization_e4};

/// Most pools of a tree.
const TREE_POOLS_MAX: usize = 1_000;

impl State {
    /// A pool with its descendants, at most 1,000 pools: where there are more, those nearer to the
    /// root come first, and `children_total` tells how many each has.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`], [`Rejection::PoolNotFound`].
    pub fn tree(&self, tenant: &Name, pool: &Name) -> Result<TreeNode, Rejection> {
        let top = self.pool_get(tenant, pool)?;
        let owner = self.tables.pool(top).tenant;
        // Breadth first: each pool with the place of its parent, which stands before it.
        let mut order: Vec<(PoolId, Option<usize>)> = Vec::from([(top, None)]);
        let mut place = 0_usize;
        while let Some((id, _)) = order.get(place) {
            let room = TREE_POOLS_MAX.saturating_sub(order.len());
            // What another tenant does inside its own pool is its own affair.
            let seen = self.tables.pool(*id).tenant == owner;
            let room = if seen { room } else { 0 };
            let children = self.pool_index(*id).children.iter().take(room);
            let children: Vec<_> = children.map(|(_, child)| (*child, Some(place))).collect();
            order.extend(children);
            place = place.saturating_add(1);
        }
        // From the last to the first: each is complete when it goes to its parent.
        let mut nodes: Vec<TreeNode> = order.iter().map(|(id, _)| self.tree_node(*id)).collect();
        while nodes.len() > 1
            && let Some(mut node) = nodes.pop()
        {
            node.children.reverse();
            let parent = order.get(nodes.len()).and_then(|(_, parent)| *parent);
            if let Some(parent) = parent.and_then(|parent| nodes.get_mut(parent)) {
                parent.children.push(node);
            }
        }
        let mut node = nodes.pop().expect("a tree has its root");
        node.children.reverse();
        Ok(node)
    }

    fn tree_node(&self, id: PoolId) -> TreeNode {
        let pool = self.tables.pool(id);
        let index = self.pool_index(id);
        let capacity = capacity(index);
        TreeNode {
            tenant: pool.spec.tenant.clone(),
            name: pool.spec.name.clone(),
            cidrs: pool.blocks.iter().map(|block| block.cidr).collect(),
            capacity,
            utilization_e4: utilization_e4(&capacity),
            held_below: index.held_below,
            labels: pool.spec.labels.clone(),
            children_total: count(index.children.len()),
            children: Vec::new(),
        }
    }
}
