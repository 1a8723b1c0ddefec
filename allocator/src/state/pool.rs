//! Pools: making roots, carving children, and removing what is empty.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::answer::{ObjectKind, Outcome, Rejection};
use crate::command::{ChildBlock, PoolRef, PoolSource, PoolSpec};
use crate::free::{CidrTrie, Span};
use crate::history::EndReason;
use crate::name::{Labels, Name};
use crate::ordered::Key;
use crate::prefix::Prefix;
use crate::record::{
    Ended, EndedHolder, Extras, Hold, HoldId, Holder, PackedLabels, Pool, PoolId, TenantId, TextId,
};
use crate::view::{AllocationView, EventKind, Phase, PoolView};

use super::State;
use super::claim::{drain_check, family_check, length_check, limit_check};
use super::pool_difference;
use super::pool_fields::{self, Bounds, Parent};
use super::pool_handout::check_handout;
use super::store::{Happened, Who};
use super::views::count;

/// Holders that a refusal to delete a pool names.
pub(super) const HOLDERS_SHOWN: usize = 10;

/// What the creation of a pool comes to.
enum PoolPlan {
    /// It is there already.
    Repeat(PoolId),
    /// It is to be made.
    Make(Box<Make>),
}

/// A pool that is to be made.
struct Make {
    tenant: TenantId,
    fields: pool_fields::Resolved,
    /// The parent of a child pool, and the block to carve from it.
    carve: Option<(PoolId, Prefix)>,
    /// What is withheld, and why.
    withheld: BTreeMap<Prefix, Arc<str>>,
}

impl State {
    pub(super) fn pool_create(
        &mut self,
        who: Who<'_>,
        spec: &PoolSpec,
    ) -> Result<Outcome, Rejection> {
        match self.pool_plan(spec)? {
            PoolPlan::Repeat(id) => Ok(Outcome::PoolRepeated(Box::new(self.pool_view(id)))),
            PoolPlan::Make(make) => {
                let id = self.pool_commit(who, spec, *make);
                Ok(Outcome::PoolCreated(Box::new(self.pool_view(id))))
            }
        }
    }

    fn pool_plan(&self, spec: &PoolSpec) -> Result<PoolPlan, Rejection> {
        pool_fields::check_alone(spec)?;
        let tenant = self.tenant_find(&spec.tenant)?;
        if let Some(id) = self.pool_find(tenant, &spec.name) {
            return match pool_difference::difference(self.tables.pool(id), spec) {
                None => Ok(PoolPlan::Repeat(id)),
                Some(field) => Err(Rejection::AlreadyExists {
                    kind: ObjectKind::Pool,
                    name: spec.name.clone(),
                    field: String::from(field),
                }),
            };
        }
        let make = match &spec.source {
            PoolSource::Root { space, cidrs } => {
                let fields = pool_fields::root(spec, space.as_ref(), cidrs)?;
                check_handout(&spec.handout, fields.family)?;
                let withheld = pool_fields::withheld(spec, &fields)?;
                for block in &fields.blocks {
                    self.root_check(tenant, &fields.space, block.cidr)?;
                }
                self.pool_quota_check(tenant)?;
                Make {
                    tenant,
                    fields,
                    carve: None,
                    withheld,
                }
            }
            PoolSource::Child { parent, block } => self.child_plan(spec, tenant, parent, *block)?,
        };
        Ok(PoolPlan::Make(Box::new(make)))
    }

    fn child_plan(
        &self,
        spec: &PoolSpec,
        tenant: TenantId,
        parent: &PoolRef,
        asked: ChildBlock,
    ) -> Result<Make, Rejection> {
        let parent_id = self.pool_resolve(&spec.tenant, parent)?;
        let parent = self.tables.pool(parent_id);
        pool_fields::check_depth(parent)?;
        family_check("family", spec.family, parent)?;
        let (field, length) = match asked {
            ChildBlock::Length(length) => ("prefixLength", length),
            ChildBlock::Cidr(cidr) => {
                family_check("cidr", Some(cidr.family()), parent)?;
                ("cidr", cidr.length())
            }
        };
        let length = length_check(field, Some(length), parent)?;
        // The bounds follow from the length of the block: they are checked before it is chosen.
        Bounds::of(spec, parent.family, length)?;
        check_handout(&spec.handout, parent.family)?;
        drain_check(parent)?;
        // A block that is next in line has to be found before its gateway and exclusions can be judged;
        // that there is none comes after the quota all the same.
        let block = match asked {
            ChildBlock::Length(_) => {
                self.next_free(parent_id, length, &[Span::ALL])
                    .or_else(|full| {
                        self.pool_quota_check(tenant)?;
                        Err(full)
                    })?
            }
            ChildBlock::Cidr(cidr) => {
                self.inside_check("cidr", parent_id, cidr)?;
                cidr
            }
        };
        let inherited = parent
            .block_of(block)
            .expect("a block that is carved lies in the parent");
        let parent = Parent {
            space: &parent.space,
            block: inherited,
            depth: parent.depth,
        };
        let fields = pool_fields::child(spec, &parent, block)?;
        let withheld = pool_fields::withheld(spec, &fields)?;
        self.exact_check("cidr", parent_id, block)?;
        self.pool_quota_check(tenant)?;
        Ok(Make {
            tenant,
            fields,
            carve: Some((parent_id, block)),
            withheld,
        })
    }

    /// No root pool of the (tenant, space) overlaps the block.
    fn root_check(&self, tenant: TenantId, space: &Name, cidr: Prefix) -> Result<(), Rejection> {
        match self.index.root_overlapping(tenant, space, cidr) {
            None => Ok(()),
            Some((other, pool)) => Err(Rejection::CidrOverlap {
                cidr,
                other,
                pool: self.tables.pool(pool).spec.name.clone(),
            }),
        }
    }

    fn pool_quota_check(&self, tenant: TenantId) -> Result<(), Rejection> {
        let limit = self.tables.tenant(tenant).spec.quota.pools.map(u128::from);
        let used = self.index.usage(tenant).copied().unwrap_or_default();
        limit_check("pools", limit, used.pools.into(), 1)
    }

    fn pool_commit(&mut self, who: Who<'_>, spec: &PoolSpec, make: Make) -> PoolId {
        let revision = self.revision_open();
        let wall_ms = self.meta.clock.wall_ms();
        let text = self.text_intern(spec.name.as_str());
        let pool = self.tables.pools.next_id();
        let hold = |generation, block, pool, holder| Hold {
            block,
            phase: Phase::Allocated,
            returned: false,
            pool,
            generation,
            revision,
            allocated_at_ms: wall_ms,
            holder,
        };
        let carved = make.carve.map(|(parent, block)| {
            let generation = self.generation_next();
            let id = self.hold_insert(hold(generation, block, parent, Holder::Child { pool }));
            match spec.source {
                PoolSource::Child {
                    block: ChildBlock::Length(_),
                    ..
                } => self.content_hand_out(parent, block),
                PoolSource::Child { .. } | PoolSource::Root { .. } => self.content_touch(parent),
            }
            (parent, id, generation)
        });
        let id = self.pool_insert(Pool {
            spec: Arc::new(spec.clone()),
            tenant: make.tenant,
            text,
            space: make.fields.space,
            family: make.fields.family,
            parent: carved.map(|(parent, id, _)| (parent, id)),
            depth: make.fields.depth,
            blocks: make.fields.blocks,
            min_prefix_length: make.fields.bounds.min,
            max_prefix_length: make.fields.bounds.max,
            default_prefix_length: make.fields.bounds.default,
            draining_since_ms: spec.drain.then_some(wall_ms),
            revision,
            created_revision: revision,
            created_at_ms: wall_ms,
            updated_at_ms: wall_ms,
        });
        assert!(id == pool, "a pool gets the id that its hold was given");
        for (block, reason) in make.withheld {
            let generation = self.generation_next();
            self.hold_insert(hold(
                generation,
                block,
                pool,
                Holder::Reservation { reason },
            ));
        }
        self.content_touch(pool);
        let tenant = self.tables.tenant(make.tenant).text;
        let (generation, hold) = carved.map_or((0, 0), |(_, hold, generation)| (generation, hold));
        self.event_push(
            who,
            Happened {
                kind: EventKind::PoolCreated,
                tenant,
                pool: text,
                generation,
                hold,
                ends: false,
            },
        );
        id
    }

    pub(super) fn pool_delete(
        &mut self,
        who: Who<'_>,
        tenant: &Name,
        pool: &Name,
        if_revision: Option<u64>,
    ) -> Result<Outcome, Rejection> {
        let id = self.pool_delete_plan(tenant, pool, if_revision)?;
        Ok(Outcome::PoolDeleted(Box::new(
            self.pool_delete_commit(who, id),
        )))
    }

    fn pool_delete_plan(
        &self,
        tenant: &Name,
        pool: &Name,
        if_revision: Option<u64>,
    ) -> Result<PoolId, Rejection> {
        let id = self.pool_get(tenant, pool)?;
        let current = self.tables.pool(id).revision;
        if let Some(given) = if_revision.filter(|given| *given != current) {
            return Err(Rejection::RevisionMismatch { given, current });
        }
        let index = self.pool_index(id);
        let claims = index.claims.allocated.saturating_add(index.claims.released);
        let children = count(index.children.len());
        if claims > 0 || children > 0 {
            return Err(Rejection::PoolInUse {
                pool: pool.clone(),
                claims,
                children,
                holders: self.first_holders(id),
            });
        }
        Ok(id)
    }

    /// The first holders of a pool by address.
    fn first_holders(&self, pool: PoolId) -> Vec<AllocationView> {
        self.first_holders_of(self.pool_index(pool).tries.iter())
    }

    /// The first holders in some of its blocks, reservations left out. At most as many holds are passed
    /// as a pool can have reservations, and those few.
    pub(super) fn first_holders_of<'a>(
        &self,
        tries: impl Iterator<Item = &'a CidrTrie>,
    ) -> Vec<AllocationView> {
        let mut holders = Vec::new();
        for trie in tries {
            let visited = trie.holds_from(&self.index.nodes, None, &mut |id| {
                if !self.tables.hold(id).is_own_reservation() {
                    holders.push(self.allocation_view(id));
                }
                if holders.len() < HOLDERS_SHOWN {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            if visited.is_break() {
                break;
            }
        }
        holders
    }

    pub(super) fn pool_delete_commit(&mut self, who: Who<'_>, id: PoolId) -> PoolView {
        let revision = self.revision_open();
        let view = self.pool_view(id);
        for reservation in self.all_holds(id) {
            self.hold_remove(reservation);
        }
        let pool = self.tables.pool(id);
        let (tenant, text) = (self.tables.tenant(pool.tenant).text, pool.text);
        let mut happened = Happened {
            kind: EventKind::PoolDeleted,
            tenant,
            pool: text,
            generation: 0,
            hold: 0,
            ends: pool.parent.is_some(),
        };
        match pool.parent {
            None => self.pool_remove(id),
            Some((parent, hold)) => {
                let space = self.space_text(parent);
                let ended = self.ended_child(id, hold, revision, space);
                happened.generation = ended.generation;
                happened.hold = hold;
                self.ended_push(ended);
                self.hold_end(hold);
                self.content_touch(parent);
                self.pool_remove(id);
            }
        }
        // The pool's name stays interned: what held it (the record of its end, or this event) does.
        let text = self.text_intern(view.spec.name.as_str());
        self.event_push(
            who,
            Happened {
                pool: text,
                ..happened
            },
        );
        view
    }

    /// The record of the end of a child pool's holding.
    fn ended_child(&self, id: PoolId, hold: HoldId, revision: u64, space: TextId) -> Ended {
        let (pool, hold) = (self.tables.pool(id), self.tables.hold(hold));
        let parent = self.tables.pool(hold.pool);
        let (subnet, gateway) = self.holder_network(hold);
        let tenant = self.tables.tenant(pool.tenant);
        Ended {
            block: hold.block,
            subnet_length: subnet.length(),
            gateway,
            returned: hold.returned,
            generation: hold.generation,
            revision,
            gone: revision,
            reason: EndReason::PoolDeleted,
            freed: None,
            allocated_at_ms: hold.allocated_at_ms,
            until_ms: self.meta.clock.wall_ms(),
            tenant_serial: tenant.serial,
            tenant: tenant.text,
            pool_tenant: self.tables.tenant(parent.tenant).text,
            pool: parent.text,
            space,
            holder: EndedHolder::Child {
                name: pool.spec.name.clone(),
                extras: child_extras(&pool.spec),
            },
        }
    }

    /// All holds of a pool, by address: of one that is to go, its reservations.
    fn all_holds(&self, pool: PoolId) -> Vec<HoldId> {
        let mut holds = Vec::new();
        for trie in &self.pool_index(pool).tries {
            let visited = trie.holds_from(&self.index.nodes, None, &mut |id| {
                holds.push(id);
                ControlFlow::Continue(())
            });
            assert!(visited.is_continue(), "every hold is visited");
        }
        holds
    }

    /// The pool of that name.
    pub(super) fn pool_find(&self, tenant: TenantId, name: &Name) -> Option<PoolId> {
        self.index.pool_names.get(
            Key::text(u64::from(tenant), name.as_str()),
            self.tables.pool_keys(),
        )
    }

    /// The pool of that name, or the refusal.
    pub(super) fn pool_get(&self, tenant: &Name, pool: &Name) -> Result<PoolId, Rejection> {
        let id = self.tenant_find(tenant)?;
        self.pool_find(id, pool)
            .ok_or_else(|| Rejection::PoolNotFound {
                tenant: tenant.clone(),
                pool: pool.clone(),
            })
    }
}

/// Owner and labels of a child pool, as the record of its end keeps them.
fn child_extras(spec: &PoolSpec) -> Option<Arc<Extras>> {
    (spec.owner.is_some() || !spec.labels.is_empty()).then(|| {
        Arc::new(Extras {
            owner: spec.owner.clone(),
            within: Box::default(),
            selector: None,
            labels: PackedLabels::new(&spec.labels),
            annotations: PackedLabels::new(&Labels::new()),
            description: Box::from(""),
        })
    })
}
