//! The innermost pool around a block.

use std::collections::BTreeMap;

use allocator::name::Name;
use allocator::prefix::Prefix;
use client::Filter;

use crate::commands::{Context, collect};
use crate::failure::Failure;

/// The blocks of a tenant's pools in one space.
#[derive(Debug)]
pub(super) struct Pools(BTreeMap<Prefix, Name>);

impl Pools {
    /// As they are now.
    pub(super) async fn load(context: &Context, space: &Name) -> Result<Self, Failure> {
        let tenant = context.tenant()?;
        let filter = Filter::new().by("space", space.as_str());
        let page = |filter: Filter| async move { context.client.pool_list(tenant, &filter).await };
        let (pools, _) = collect(filter, None, page).await?;
        Ok(Self::of(pools.into_iter().flat_map(|pool| {
            let blocks = pool.status.allocated_cidrs.into_iter();
            blocks.map(move |block| (block.0, pool.name.clone()))
        })))
    }

    fn of(blocks: impl IntoIterator<Item = (Prefix, Name)>) -> Self {
        Self(blocks.into_iter().collect())
    }

    /// The pool of the smallest block that contains it. A block that is a child pool's own is asked from its
    /// pool, which has it whole.
    pub(super) fn innermost(&self, block: Prefix) -> Option<&Name> {
        let wider = std::iter::successors(Some(block), |block| block.parent());
        wider.into_iter().find_map(|block| self.0.get(&block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_block_around_it_counts() {
        let pools = [
            ("10.0.0.0/8", "root"),
            ("10.1.0.0/16", "child"),
            ("::/0", "six"),
        ];
        let pools = Pools::of(
            pools.map(|(block, name)| (block.parse().unwrap(), Name::new(name).unwrap())),
        );
        for (block, expected) in [
            ("10.1.2.3/32", Some("child")),
            ("10.1.0.0/16", Some("child")),
            ("10.0.0.0/15", Some("root")),
            ("10.2.0.0/24", Some("root")),
            ("0.0.0.0/0", None),
            ("11.0.0.0/24", None),
            ("2001:db8::/64", Some("six")),
        ] {
            let found = pools.innermost(block.parse().unwrap());
            assert_eq!(found.map(Name::as_str), expected, "{block}");
        }
    }
}
