//! Edits as asked for: merge patches (RFC 7396). An absent field stays, one that is `null` gets what an
//! absent one means when the object is made, any other gets the value; of labels, annotations and the
//! quota each key for itself, of arrays the whole. An immutable field may say what is there.

use allocator::command::{Command, PRIORITY_DEFAULT, Range, Strategy};
use allocator::edit::{
    ClaimChange, ClaimEdit, LabelsChange, PoolChange, PoolEdit, TenantChange, TenantEdit,
};
use allocator::life::ReclaimPolicy;
use allocator::name::Name;
use allocator::prefix::Family;
use serde::Deserialize;
use utoipa::ToSchema;

use super::check::{Check, Checked, each};
use super::handout::Stated;
use super::pool::checked_cidrs;
use super::tenant::Quota;
use crate::fields::{self, ClaimPurpose, Exclusion, Ignored, Labels, PoolRef};
use crate::handout::{Dns, Route};
use crate::json::{self, Nulls};
use crate::pool_selector::PoolSelector;
use crate::problem::Problem;

/// An edit of a tenant, as a merge patch.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantPatch {
    /// Immutable.
    pub name: Option<String>,
    /// Key by key; one that is `null` goes.
    pub labels: Option<Labels>,
    /// Key by key; one that is `null` goes.
    pub annotations: Option<Labels>,
    /// What it is for.
    pub description: Option<String>,
    /// Bound by bound; one that is `null` goes. What is held above a bound stays.
    pub quota: Option<Quota>,
    /// Accepted and ignored.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub status: Ignored,
}

/// An edit of a pool, as a merge patch. Nobody is renumbered: holders that the new policy would not have
/// allowed stay, and are counted in `status.outOfPolicy`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolPatch {
    /// Immutable.
    pub name: Option<String>,
    /// Immutable.
    pub space: Option<String>,
    /// Immutable.
    #[schema(schema_with = crate::scalar::family_schema)]
    pub family: Option<Family>,
    /// Immutable.
    pub parent: Option<PoolRef>,
    /// Immutable.
    pub prefix_length: Option<u8>,
    /// Immutable: the block of a child.
    pub cidr: Option<String>,
    /// Immutable.
    pub owner: Option<String>,
    /// All blocks of a root pool: it grows by those that are new and shrinks by those that are left out,
    /// which must hold nothing.
    pub cidrs: Option<Vec<fields::PoolCidr>>,
    /// The smallest number (the largest block) that may be asked for.
    pub min_prefix_length: Option<u8>,
    /// The largest number (the smallest block) that may be asked for.
    pub max_prefix_length: Option<u8>,
    /// What a claim that names no length gets.
    pub default_prefix_length: Option<u8>,
    /// Which free block is handed out.
    #[schema(schema_with = crate::scalar::strategy_schema)]
    pub strategy: Option<Strategy>,
    /// Withhold the addresses that no holder can use.
    pub usable_only: Option<bool>,
    /// Refuse CIDRs that are neither RFC 1918 nor RFC 4193.
    pub private_only: Option<bool>,
    /// Hand out nothing new.
    pub drain: Option<bool>,
    /// All tenants that may take from it, or `["*"]`. Whoever is left out takes nothing new.
    pub shared_with: Option<Vec<String>>,
    /// Its place among the candidates of a selector, the lowest first.
    #[schema(maximum = 1000)]
    pub priority: Option<u16>,
    /// All that is withheld from allocation.
    pub exclude: Option<Vec<Exclusion>>,
    /// The on-link prefix that a holder configures.
    pub subnet: Option<String>,
    /// `first`, `last`, an address of the subnet or a link-local one.
    pub gateway: Option<String>,
    /// All routes that holders get; `null` is as the parent says, like that of the next three.
    pub routes: Option<Vec<Route>>,
    /// The resolver that holders get, key by key; one that is `null` goes.
    pub dns: Option<Dns>,
    /// The MTU of a holder's interface, in bytes.
    #[schema(minimum = 68, maximum = 65535)]
    pub mtu: Option<u32>,
    /// Strings that mean something to holders only, key by key; one that is `null` goes.
    pub parameters: Option<Labels>,
    /// For how long blocks that are released from now on are kept for their holders.
    pub grace_seconds: Option<u32>,
    /// What becomes of them then.
    #[schema(schema_with = crate::scalar::reclaim_policy_schema)]
    pub reclaim_policy: Option<ReclaimPolicy>,
    /// The longest grace that a claim may state from now on.
    pub max_grace_seconds: Option<u32>,
    /// A claim may state `Retain` from now on.
    pub allow_retain: Option<bool>,
    /// The longest lease from now on; those that are running stay as they are.
    pub max_ttl_seconds: Option<u32>,
    /// Key by key; one that is `null` goes.
    pub labels: Option<Labels>,
    /// Key by key; one that is `null` goes.
    pub annotations: Option<Labels>,
    /// What it is for.
    pub description: Option<String>,
    /// Accepted and ignored.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub status: Ignored,
}

/// An edit of a claim, as a merge patch: what it says of itself.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimPatch {
    /// Immutable.
    pub name: Option<String>,
    /// Immutable: as asked for, or the pool that it is from.
    pub pool: Option<PoolRef>,
    /// Immutable.
    pub pool_selector: Option<PoolSelector>,
    /// Immutable.
    pub purpose: Option<ClaimPurpose>,
    /// Immutable: as asked for, or that of its block.
    pub prefix_length: Option<u8>,
    /// Immutable: as asked for, or its block.
    pub cidr: Option<String>,
    /// Immutable.
    pub within: Option<Vec<String>>,
    /// Immutable: as asked for, or that of its block.
    #[schema(schema_with = crate::scalar::family_schema)]
    pub family: Option<Family>,
    /// Immutable.
    pub owner: Option<String>,
    /// The length of its lease: another one begins a lease now; `null` ends it, or gives it the pool's
    /// longest.
    pub ttl_seconds: Option<u32>,
    /// For how long its block is kept once it is released.
    pub grace_seconds: Option<u32>,
    /// What becomes of its block then.
    #[schema(schema_with = crate::scalar::reclaim_policy_schema)]
    pub reclaim_policy: Option<ReclaimPolicy>,
    /// Key by key; one that is `null` goes.
    pub labels: Option<Labels>,
    /// Key by key; one that is `null` goes.
    pub annotations: Option<Labels>,
    /// What it is for.
    pub description: Option<String>,
    /// Accepted and ignored.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub status: Ignored,
}

/// Collects the changes of a patch.
pub(super) struct Patch<C> {
    check: Check,
    pub(super) nulls: Nulls,
    changes: Vec<C>,
}

impl<C> Patch<C> {
    fn new(nulls: Nulls) -> Self {
        Self {
            check: Check::default(),
            nulls,
            changes: Vec::new(),
        }
    }

    /// A field: its value where it has one, nothing where it is `null`; absent it changes nothing.
    pub(super) fn field<T, U>(
        &mut self,
        field: &str,
        value: Option<T>,
        read: impl FnOnce(&mut Check, T) -> Checked<U>,
        change: impl FnOnce(Option<U>) -> C,
    ) {
        match value {
            Some(value) => {
                if let Ok(value) = read(&mut self.check, value) {
                    self.changes.push(change(Some(value)));
                }
            }
            None if self.nulls.has(field, None) => self.changes.push(change(None)),
            None => {}
        }
    }

    /// The same for a value that is right as it is.
    pub(super) fn plain<T>(
        &mut self,
        field: &str,
        value: Option<T>,
        change: impl FnOnce(Option<T>) -> C,
    ) {
        self.field(field, value, |_, value| Ok(value), change);
    }

    fn labels(
        &mut self,
        field: &str,
        labels: Option<Labels>,
        change: impl FnOnce(LabelsChange) -> C,
    ) {
        let clear = self.nulls.has(field, None);
        if labels.is_none() && !clear {
            return;
        }
        let Ok(set) = self.check.labels(field, &labels.unwrap_or_default()) else {
            return;
        };
        let set = set.into_iter().map(|(key, value)| (key, Some(value)));
        let gone = self.nulls.below(field).map(|key| (key.into(), None));
        self.changes.push(change(LabelsChange {
            clear,
            entries: set.chain(gone).collect(),
        }));
    }

    fn finish(self) -> Result<Vec<C>, Problem> {
        self.check.finish(Ok(self.changes))
    }
}

/// The fields that all objects have.
macro_rules! about {
    ($patch:ident, $document:ident, $change:ident) => {
        $patch.labels("labels", $document.labels, $change::Labels);
        $patch.labels("annotations", $document.annotations, $change::Annotations);
        $patch.field(
            "description",
            $document.description,
            |check, text| check.text("description", &text),
            |text| $change::Description(text.unwrap_or_default()),
        );
    };
}

impl TenantPatch {
    /// The command that a body asks for.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8], tenant: &Name) -> Result<Command, Problem> {
        let (document, nulls): (Self, _) =
            json::decode_patch(body, &["labels", "annotations"], &["quota"])?;
        let mut patch = Patch::new(nulls);
        patch.field(
            "name",
            document.name,
            |check, text| check.name("name", &text),
            TenantChange::Name,
        );
        about!(patch, document, TenantChange);
        let clear = patch.nulls.has("quota", None);
        let quota = document.quota.unwrap_or_default();
        let bounds = [
            (
                "pools",
                quota.pools,
                TenantChange::QuotaPools as fn(Option<u64>) -> TenantChange,
            ),
            ("claims", quota.claims, TenantChange::QuotaClaims),
            (
                "ipv4Addresses",
                quota.ipv4_addresses,
                TenantChange::QuotaIpv4Addresses,
            ),
            ("ipv6Prefixes64", quota.ipv6_prefixes_64, |limit| {
                TenantChange::QuotaIpv6Prefixes64(limit.map(u128::from))
            }),
        ];
        for (bound, limit, change) in bounds {
            if limit.is_some() || clear || patch.nulls.has("quota", Some(bound)) {
                patch.changes.push(change(limit));
            }
        }
        let changes = patch.finish()?;
        Ok(Command::TenantEdit(Box::new(TenantEdit {
            tenant: tenant.clone(),
            changes,
        })))
    }
}

impl PoolPatch {
    /// The command that a body asks for.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(
        body: &[u8],
        tenant: &Name,
        pool: &Name,
        if_revision: Option<u64>,
    ) -> Result<Command, Problem> {
        let maps = ["labels", "annotations", "parameters"];
        let (document, nulls) = json::decode_patch(body, &maps, &["dns"])?;
        let mut patch = Patch::new(nulls);
        Self::fixed(&document, &mut patch);
        Self::policy(document, &mut patch);
        let changes = patch.finish()?;
        Ok(Command::PoolEdit(Box::new(PoolEdit {
            tenant: tenant.clone(),
            pool: pool.clone(),
            if_revision,
            changes,
        })))
    }

    fn fixed(document: &Self, patch: &mut Patch<PoolChange>) {
        patch.field(
            "name",
            document.name.as_deref(),
            |check, text| check.name("name", text),
            PoolChange::Name,
        );
        patch.field(
            "space",
            document.space.as_deref(),
            |check, text| check.name("space", text),
            PoolChange::Space,
        );
        patch.plain("family", document.family, PoolChange::Family);
        patch.field(
            "parent",
            document.parent.as_ref(),
            |check, parent| check.pool_ref("parent", parent),
            PoolChange::Parent,
        );
        patch.plain(
            "prefixLength",
            document.prefix_length,
            PoolChange::PrefixLength,
        );
        patch.field(
            "cidr",
            document.cidr.as_deref(),
            |check, text| check.prefix("cidr", text),
            PoolChange::Cidr,
        );
        patch.field(
            "owner",
            document.owner.as_deref(),
            |check, text| check.optional_owner("owner", Some(text)),
            |owner| PoolChange::Owner(owner.flatten()),
        );
    }

    fn policy(document: Self, patch: &mut Patch<PoolChange>) {
        patch.field(
            "cidrs",
            document.cidrs,
            |check, cidrs| checked_cidrs(check, &cidrs),
            |cidrs| PoolChange::Cidrs(cidrs.unwrap_or_default()),
        );
        let lengths = [
            (
                "minPrefixLength",
                document.min_prefix_length,
                PoolChange::MinPrefixLength as fn(Option<u8>) -> PoolChange,
            ),
            (
                "maxPrefixLength",
                document.max_prefix_length,
                PoolChange::MaxPrefixLength,
            ),
            (
                "defaultPrefixLength",
                document.default_prefix_length,
                PoolChange::DefaultPrefixLength,
            ),
        ];
        for (field, length, change) in lengths {
            let read =
                |check: &mut Check, length| check.optional_prefix_length(field, Some(length));
            patch.field(field, length, read, |length| change(length.flatten()));
        }
        patch.plain("strategy", document.strategy, |strategy| {
            PoolChange::Strategy(strategy.unwrap_or_default())
        });
        let flags = [
            (
                "usableOnly",
                document.usable_only,
                PoolChange::UsableOnly as fn(bool) -> PoolChange,
            ),
            (
                "privateOnly",
                document.private_only,
                PoolChange::PrivateOnly,
            ),
            ("drain", document.drain, PoolChange::Drain),
        ];
        for (field, flag, change) in flags {
            patch.plain(field, flag, |flag| change(flag.unwrap_or_default()));
        }
        patch.field(
            "sharedWith",
            document.shared_with,
            |check, tenants| check.sharing("sharedWith", &tenants),
            |sharing| PoolChange::SharedWith(sharing.unwrap_or_default()),
        );
        patch.field(
            "priority",
            document.priority,
            |check, priority| check.optional_priority("priority", Some(priority)),
            |priority| PoolChange::Priority(priority.flatten().unwrap_or(PRIORITY_DEFAULT)),
        );
        patch.field(
            "exclude",
            document.exclude,
            |check, exclude| {
                each(&exclude, |index, item| {
                    check.exclusion(&format!("exclude[{index}]"), item)
                })
            },
            |exclude| PoolChange::Exclude(exclude.unwrap_or_default()),
        );
        patch.field(
            "subnet",
            document.subnet,
            |check, text| check.prefix("subnet", &text),
            PoolChange::Subnet,
        );
        patch.field(
            "gateway",
            document.gateway,
            |check, text| check.optional_gateway("gateway", Some(&text)),
            |gateway| PoolChange::Gateway(gateway.flatten()),
        );
        Stated {
            routes: document.routes.as_deref(),
            dns: document.dns.as_ref(),
            mtu: document.mtu,
            parameters: document.parameters.as_ref(),
        }
        .patch(patch);
        let times = [
            (
                "graceSeconds",
                document.grace_seconds,
                PoolChange::GraceSeconds as fn(Option<u32>) -> PoolChange,
            ),
            (
                "maxGraceSeconds",
                document.max_grace_seconds,
                PoolChange::MaxGraceSeconds,
            ),
            (
                "maxTtlSeconds",
                document.max_ttl_seconds,
                PoolChange::MaxTtlSeconds,
            ),
        ];
        for (field, seconds, change) in times {
            patch.plain(field, seconds, change);
        }
        patch.plain(
            "reclaimPolicy",
            document.reclaim_policy,
            PoolChange::ReclaimPolicy,
        );
        patch.plain(
            "allowRetain",
            document.allow_retain,
            PoolChange::AllowRetain,
        );
        about!(patch, document, PoolChange);
    }
}

impl ClaimPatch {
    /// The command that a body asks for.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8], tenant: &Name, claim: &Name) -> Result<Command, Problem> {
        let (document, nulls): (Self, _) =
            json::decode_patch(body, &["labels", "annotations"], &[])?;
        let mut patch = Patch::new(nulls);
        patch.field(
            "name",
            document.name,
            |check, text| check.name("name", &text),
            ClaimChange::Name,
        );
        patch.field(
            "pool",
            document.pool,
            |check, pool| check.pool_ref("pool", &pool),
            ClaimChange::Pool,
        );
        patch.field(
            "poolSelector",
            document.pool_selector,
            |check, selector| check.pool_selector("poolSelector", &selector),
            ClaimChange::PoolSelector,
        );
        patch.plain("purpose", document.purpose, |purpose| {
            ClaimChange::Reservation(purpose == Some(ClaimPurpose::Reservation))
        });
        patch.plain(
            "prefixLength",
            document.prefix_length,
            ClaimChange::PrefixLength,
        );
        patch.field(
            "cidr",
            document.cidr,
            |check, text| check.prefix("cidr", &text),
            ClaimChange::Cidr,
        );
        patch.field(
            "within",
            document.within,
            |check, within| {
                each(&within, |index, item| {
                    check.range(&format!("within[{index}]"), item)
                })
            },
            |within: Option<Vec<Range>>| ClaimChange::Within(within.unwrap_or_default()),
        );
        patch.plain("family", document.family, ClaimChange::Family);
        patch.field(
            "owner",
            document.owner,
            |check, text| check.optional_owner("owner", Some(&text)),
            |owner| ClaimChange::Owner(owner.flatten()),
        );
        patch.plain("ttlSeconds", document.ttl_seconds, ClaimChange::TtlSeconds);
        patch.plain(
            "graceSeconds",
            document.grace_seconds,
            ClaimChange::GraceSeconds,
        );
        patch.plain(
            "reclaimPolicy",
            document.reclaim_policy,
            ClaimChange::ReclaimPolicy,
        );
        about!(patch, document, ClaimChange);
        let changes = patch.finish()?;
        Ok(Command::ClaimEdit(Box::new(ClaimEdit {
            tenant: tenant.clone(),
            name: claim.clone(),
            changes,
        })))
    }
}
