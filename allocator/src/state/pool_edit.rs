//! Editing a pool. Nobody is renumbered: what the new policy would not have allowed stays, and is counted.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::answer::{Outcome, Rejection};
use crate::command::{ChildBlock, PoolSource, PoolSpec};
use crate::edit::{PoolChange, PoolEdit};
use crate::name::Name;
use crate::planted::{Bug, planted};
use crate::prefix::Prefix;
use crate::record::{HoldId, Pool, PoolId, TenantId};
use crate::view::EventKind;

use super::State;
use super::claim::family_check;
use super::edit::{Fixed, labels_check};
use super::pool_difference::same_pool;
use super::pool_fields::{self, Bounds, Parent, Resolved};
use super::pool_handout::{check_handout, dns_changed, parameters_changed};
use super::store::{Happened, Who};

/// What an edit comes to.
struct Edited {
    id: PoolId,
    spec: PoolSpec,
    fields: Resolved,
    /// Reservations that go, and those that come.
    freed: Vec<HoldId>,
    reserved: BTreeMap<Prefix, Arc<str>>,
}

impl State {
    pub(super) fn pool_edit(
        &mut self,
        who: Who<'_>,
        edit: &PoolEdit,
    ) -> Result<Outcome, Rejection> {
        let id = self.pool_get(&edit.tenant, &edit.pool)?;
        let pool = self.tables.pool(id);
        if let Some(given) = edit.if_revision.filter(|given| *given != pool.revision) {
            return Err(Rejection::RevisionMismatch {
                given,
                current: pool.revision,
            });
        }
        let spec = changed(pool, &edit.changes)?;
        if spec != *pool.spec {
            let edited = self.pool_edit_plan(id, spec)?;
            self.pool_edit_commit(who, edited);
            if planted(Bug::RenumberedOnEdit) {
                self.renumber(who, id)?;
            }
        }
        Ok(Outcome::PoolEdited(Box::new(self.pool_view(id))))
    }

    /// The planted bug of that name: a holder of the pool has to take what it gets now.
    fn renumber(&mut self, who: Who<'_>, pool: PoolId) -> Result<(), Rejection> {
        let held = self.tables.holds.iter().find_map(|(id, hold)| {
            let claim = hold.claim().filter(|_| hold.kept().is_none())?;
            (hold.pool == pool).then(|| (id, self.claim_view(hold, claim).spec))
        });
        if let Some((id, spec)) = held {
            self.release_commit(who, id, EventKind::Released);
            self.claim_create(who, &spec)?;
        }
        Ok(())
    }

    fn pool_edit_plan(&self, id: PoolId, spec: PoolSpec) -> Result<Edited, Rejection> {
        let pool = self.tables.pool(id);
        pool_fields::check_alone(&spec)?;
        let fields = match &spec.source {
            PoolSource::Root { space, cidrs } => {
                for (place, one) in cidrs.iter().enumerate() {
                    family_check(&format!("cidrs[{place}]"), Some(one.cidr.family()), pool)?;
                }
                pool_fields::root(&spec, space.as_ref(), cidrs)?
            }
            PoolSource::Child { .. } => self.child_fields(pool, &spec)?,
        };
        check_handout(&spec.handout, fields.family)?;
        let withheld = pool_fields::withheld(&spec, &fields)?;
        if pool.parent.is_none() {
            for block in &fields.blocks {
                self.root_conflict(pool.tenant, &pool.space, block.cidr, id)?;
            }
        }
        for block in &pool.blocks {
            if fields.blocks.iter().all(|kept| kept.cidr != block.cidr) {
                self.unheld_check(id, block.cidr)?;
            }
        }
        let mut reserved = self.reservations(id, &withheld)?;
        let mut freed = Vec::new();
        // A CIDR that goes takes its reservations along, though another one may withhold the same.
        let stays = |block: Prefix| {
            let cidr = pool.block_of(block).map(|block| block.cidr);
            fields.blocks.iter().any(|after| Some(after.cidr) == cidr)
        };
        for (block, hold) in &self.pool_index(id).withheld {
            match (reserved.get(block), &self.tables.hold(*hold).holder) {
                (Some(reason), crate::record::Holder::Reservation { reason: there })
                    if reason == there && stays(*block) =>
                {
                    reserved.remove(block);
                }
                _ => freed.push(*hold),
            }
        }
        Ok(Edited {
            id,
            spec,
            fields,
            freed,
            reserved,
        })
    }

    /// The fields of a child. What it has from its parent it took when it was carved; it takes it anew
    /// only when its own subnet or gateway is edited.
    fn child_fields(&self, pool: &Pool, spec: &PoolSpec) -> Result<Resolved, Rejection> {
        let block = pool.blocks.first().expect("a child has its block");
        if spec.subnet != pool.spec.subnet || spec.gateway != pool.spec.gateway {
            let (parent, _) = pool.parent.expect("a child has a parent");
            let parent = self.tables.pool(parent);
            let parent = Parent {
                space: &parent.space,
                block: parent
                    .block_of(block.cidr)
                    .expect("a child lies in its parent"),
                depth: parent.depth,
            };
            return pool_fields::child(spec, &parent, block.cidr);
        }
        pool_fields::check_private("privateOnly", block.cidr, spec)?;
        Ok(Resolved {
            space: pool.space.clone(),
            family: pool.family,
            depth: pool.depth,
            blocks: pool.blocks.clone(),
            bounds: Bounds::of(spec, pool.family, block.cidr.length())?,
        })
    }

    /// No other root pool of the (tenant, space) overlaps the block.
    fn root_conflict(
        &self,
        tenant: TenantId,
        space: &Name,
        cidr: Prefix,
        own: PoolId,
    ) -> Result<(), Rejection> {
        let around = self.index.root_overlapping(tenant, space, cidr);
        // At most the pool's own blocks are passed over.
        let inside = self.index.roots_inside(tenant, space, cidr);
        match around
            .into_iter()
            .chain(inside)
            .find(|(_, pool)| *pool != own)
        {
            None => Ok(()),
            Some((other, pool)) => Err(Rejection::CidrOverlap {
                cidr,
                other,
                pool: self.tables.pool(pool).spec.name.clone(),
            }),
        }
    }

    /// Nothing but what the pool itself withholds is held of one of its blocks.
    fn unheld_check(&self, id: PoolId, cidr: Prefix) -> Result<(), Rejection> {
        let trie = self.pool_index(id).trie(cidr);
        let holders = self.first_holders_of(trie.into_iter());
        if holders.is_empty() {
            return Ok(());
        }
        Err(Rejection::CidrInUse {
            pool: self.tables.pool(id).spec.name.clone(),
            cidr,
            holders,
        })
    }

    fn pool_edit_commit(&mut self, who: Who<'_>, edited: Edited) {
        let id = edited.id;
        let revision = self.revision_open();
        let wall_ms = self.meta.clock.wall_ms();
        for hold in edited.freed {
            self.hold_remove(hold);
        }
        let before = self.tables.pool(id).clone();
        let (tenant, text) = (self.tables.tenant(before.tenant).text, before.text);
        let draining_since_ms = before.draining_since_ms.or(Some(wall_ms));
        let holds_otherwise = before.blocks != edited.fields.blocks
            || before.spec.strategy != edited.spec.strategy
            || before.spec.exclude != edited.spec.exclude
            || before.spec.usable_only != edited.spec.usable_only
            || before.min_prefix_length != edited.fields.bounds.min
            || before.max_prefix_length != edited.fields.bounds.max
            || before.default_prefix_length != edited.fields.bounds.default;
        self.pool_replace(
            id,
            Pool {
                draining_since_ms: draining_since_ms.filter(|_| edited.spec.drain),
                spec: Arc::new(edited.spec),
                blocks: edited.fields.blocks,
                min_prefix_length: edited.fields.bounds.min,
                max_prefix_length: edited.fields.bounds.max,
                default_prefix_length: edited.fields.bounds.default,
                revision,
                updated_at_ms: wall_ms,
                ..before
            },
        );
        for (block, reason) in edited.reserved {
            self.reserve(id, block, reason);
        }
        if holds_otherwise {
            self.content_touch(id);
        }
        self.event_push(
            who,
            Happened {
                kind: EventKind::PoolChanged,
                tenant,
                pool: text,
                generation: 0,
                hold: 0,
                ends: false,
            },
        );
    }
}

/// What the pool is asked to be after the changes.
fn changed(pool: &Pool, changes: &[PoolChange]) -> Result<PoolSpec, Rejection> {
    let mut spec = PoolSpec::clone(&pool.spec);
    let mut fixed = Fixed::default();
    for change in changes {
        match change {
            PoolChange::Name(name) => fixed.field("name", name.as_ref() == Some(&spec.name)),
            PoolChange::Space(space) => {
                let default = space.is_none()
                    && (pool.parent.is_some()
                        || pool.space.as_str() == crate::command::SPACE_DEFAULT);
                fixed.field("space", default || space.as_ref() == Some(&pool.space));
            }
            PoolChange::Family(family) => {
                fixed.field("family", family.is_none_or(|family| family == pool.family));
            }
            PoolChange::Parent(parent) => {
                let same = match (&spec.source, parent) {
                    (PoolSource::Root { .. }, None) => true,
                    (PoolSource::Child { parent: there, .. }, Some(parent)) => {
                        same_pool(there, parent, &spec.tenant)
                    }
                    (PoolSource::Root { .. }, Some(_)) | (PoolSource::Child { .. }, None) => false,
                };
                fixed.field("parent", same);
            }
            PoolChange::PrefixLength(length) => {
                fixed.field("prefixLength", *length == child_block(&spec.source).0);
            }
            PoolChange::Cidr(cidr) => fixed.field("cidr", *cidr == child_block(&spec.source).1),
            PoolChange::Owner(owner) => fixed.field("owner", *owner == spec.owner),
            PoolChange::Cidrs(asked) => match &mut spec.source {
                PoolSource::Root { cidrs, .. } => cidrs.clone_from(asked),
                PoolSource::Child { .. } => fixed.field("cidrs", asked.is_empty()),
            },
            PoolChange::MinPrefixLength(length) => spec.min_prefix_length = *length,
            PoolChange::MaxPrefixLength(length) => spec.max_prefix_length = *length,
            PoolChange::DefaultPrefixLength(length) => spec.default_prefix_length = *length,
            PoolChange::Strategy(strategy) => spec.strategy = *strategy,
            PoolChange::UsableOnly(usable_only) => spec.usable_only = *usable_only,
            PoolChange::PrivateOnly(private_only) => spec.private_only = *private_only,
            PoolChange::Drain(drain) => spec.drain = *drain,
            PoolChange::Priority(priority) => spec.priority = *priority,
            PoolChange::SharedWith(sharing) => spec.shared_with.clone_from(sharing),
            PoolChange::Exclude(exclude) => spec.exclude.clone_from(exclude),
            PoolChange::Subnet(subnet) => spec.subnet = *subnet,
            PoolChange::Gateway(gateway) => spec.gateway = *gateway,
            PoolChange::Routes(routes) => {
                spec.handout.routes = routes.as_deref().map(Arc::from);
            }
            PoolChange::Dns(parts) => dns_changed(&mut spec.handout.dns, parts.as_deref()),
            PoolChange::Mtu(mtu) => spec.handout.mtu = *mtu,
            PoolChange::Parameters(change) => {
                parameters_changed(&mut spec.handout.parameters, change.as_ref());
            }
            PoolChange::GraceSeconds(grace) => spec.life.grace_seconds = *grace,
            PoolChange::ReclaimPolicy(policy) => spec.life.reclaim_policy = *policy,
            PoolChange::MaxGraceSeconds(longest) => spec.life.max_grace_seconds = *longest,
            PoolChange::AllowRetain(allowed) => spec.life.allow_retain = *allowed,
            PoolChange::MaxTtlSeconds(longest) => spec.life.max_ttl_seconds = *longest,
            PoolChange::Labels(labels) => labels.apply(&mut spec.labels),
            PoolChange::Annotations(annotations) => annotations.apply(&mut spec.annotations),
            PoolChange::Description(description) => spec.description.clone_from(description),
        }
    }
    fixed.check()?;
    labels_check(&[
        ("labels", spec.labels.len()),
        ("annotations", spec.annotations.len()),
    ])?;
    Ok(spec)
}

/// The length and the block that a child was carved by.
fn child_block(source: &PoolSource) -> (Option<u8>, Option<Prefix>) {
    match source {
        PoolSource::Root { .. } => (None, None),
        PoolSource::Child {
            block: ChildBlock::Length(length),
            ..
        } => (Some(*length), None),
        PoolSource::Child {
            block: ChildBlock::Cidr(cidr),
            ..
        } => (None, Some(*cidr)),
    }
}
