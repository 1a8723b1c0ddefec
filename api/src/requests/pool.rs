//! Pools as asked for.

use allocator::command::{
    ChildBlock, Command, PRIORITY_DEFAULT, PoolCidr, PoolSource, PoolSpec, Strategy,
};
use allocator::life::{PoolLife, ReclaimPolicy};
use allocator::name::Name;
use allocator::prefix::Family;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::{Check, Checked, each};
use super::handout::Stated;
use crate::fields::{self, Exclusion, Ignored, Labels, PoolRef};
use crate::handout::{Dns, Route};
use crate::json;
use crate::problem::Problem;

/// The space of a root pool that states none.
const SPACE_DEFAULT: &str = "default";

/// A pool to make: a root with `cidrs`, or a child of `parent` with `prefixLength` or `cidr`.
/// Making it again with the same content is 200.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolCreate {
    /// Its name, unique in its tenant.
    #[schema(schema_with = crate::scalar::name_schema)]
    pub name: String,
    /// The routing domain of a root pool; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// The blocks of a root pool: at least one, of one family, none overlapping another root of the
    /// tenant and space.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<fields::PoolCidr>,
    /// The family as a check; otherwise told by the blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::scalar::family_schema)]
    pub family: Option<Family>,
    /// The pool from which a child is carved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PoolRef>,
    /// A child's length: it gets the next free block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_length: Option<u8>,
    /// A child's exact block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// Key of a child pool's holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The smallest number (the largest block) that may be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_prefix_length: Option<u8>,
    /// The largest number (the smallest block) that may be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_prefix_length: Option<u8>,
    /// What a claim that names no length gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_prefix_length: Option<u8>,
    /// Which free block is handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::scalar::strategy_schema)]
    pub strategy: Option<Strategy>,
    /// In a pool of single addresses: withhold those that no holder can use (in IPv4 the network and
    /// broadcast addresses, in IPv6 the subnet-router anycast address).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub usable_only: bool,
    /// Refuse CIDRs that are neither RFC 1918 nor RFC 4193.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private_only: bool,
    /// Hand out nothing new; what is held stays, and can be given back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drain: bool,
    /// Tenants that may take claims and child pools from it, or `["*"]` for all; private when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
    /// Its place among the candidates of a selector, the lowest first; 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1000)]
    pub priority: Option<u16>,
    /// What is withheld from allocation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Exclusion>,
    /// The on-link prefix that a holder configures, where it is not the CIDR itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// `first`, `last`, an address of the subnet or a link-local one; absent is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Routes that its holders get, in order, at most 64. Each of this field and the next three is
    /// that of the parent where it is absent; an empty one is the pool's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<Route>>,
    /// The resolver that its holders get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// The MTU of a holder's interface, in bytes: from 68 in an IPv4 pool, from 1280 in an IPv6 pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 68, maximum = 65535)]
    pub mtu: Option<u32>,
    /// At most 16 strings that mean something to holders only, such as `interface`, `gatewayMac` or
    /// `vlan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Labels>,
    /// For how long a released block is kept for its holder; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
    /// What becomes of a released block; `Delete` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::scalar::reclaim_policy_schema)]
    pub reclaim_policy: Option<ReclaimPolicy>,
    /// The longest grace that a claim may state; the pool's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_grace_seconds: Option<u32>,
    /// A claim may state `Retain`; where that is the pool's own policy when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_retain: Option<bool>,
    /// The longest lease; a claim that states none gets it. Absent: leases are not required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl_seconds: Option<u32>,
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

impl PoolCreate {
    /// The command that a body asks for in `tenant`.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8], tenant: &Name) -> Result<Command, Problem> {
        let document: Self = json::decode(body)?;
        let mut check = Check::default();
        let spec = document.spec(&mut check, tenant);
        check
            .finish(spec)
            .map(|spec| Command::PoolCreate(Box::new(spec)))
    }

    fn spec(&self, check: &mut Check, tenant: &Name) -> Checked<PoolSpec> {
        let name = check.name("name", &self.name);
        let source = self.source(check);
        let owner = check.optional_owner("owner", self.owner.as_deref());
        let min = check.optional_prefix_length("minPrefixLength", self.min_prefix_length);
        let max = check.optional_prefix_length("maxPrefixLength", self.max_prefix_length);
        let default =
            check.optional_prefix_length("defaultPrefixLength", self.default_prefix_length);
        let shared_with = check.sharing("sharedWith", &self.shared_with);
        let priority = check.optional_priority("priority", self.priority);
        let exclude = each(&self.exclude, |index, item| {
            check.exclusion(&format!("exclude[{index}]"), item)
        });
        let subnet = check.optional_prefix("subnet", self.subnet.as_deref());
        let gateway = check.optional_gateway("gateway", self.gateway.as_deref());
        let handout = Stated {
            routes: self.routes.as_deref(),
            dns: self.dns.as_ref(),
            mtu: self.mtu,
            parameters: self.parameters.as_ref(),
        }
        .read(check);
        let labels = check.labels("labels", &self.labels);
        let annotations = check.labels("annotations", &self.annotations);
        let description = check.text("description", &self.description);
        Ok(PoolSpec {
            tenant: tenant.clone(),
            name: name?,
            source: source?,
            family: self.family,
            owner: owner?,
            min_prefix_length: min?,
            max_prefix_length: max?,
            default_prefix_length: default?,
            strategy: self.strategy.unwrap_or_default(),
            usable_only: self.usable_only,
            private_only: self.private_only,
            drain: self.drain,
            shared_with: shared_with?,
            priority: priority?.unwrap_or(PRIORITY_DEFAULT),
            exclude: exclude?,
            subnet: subnet?,
            gateway: gateway?,
            handout: handout?,
            life: PoolLife {
                grace_seconds: self.grace_seconds,
                reclaim_policy: self.reclaim_policy,
                max_grace_seconds: self.max_grace_seconds,
                allow_retain: self.allow_retain,
                max_ttl_seconds: self.max_ttl_seconds,
            },
            labels: labels?,
            annotations: annotations?,
            description: description?,
        })
    }

    fn source(&self, check: &mut Check) -> Checked<PoolSource> {
        match (&self.parent, self.cidrs.is_empty()) {
            (None, false) => self.root(check),
            (Some(parent), true) => self.child(check, parent),
            (None, true) => check.refuse(
                "cidrs",
                "is missing",
                "the cidrs of a root pool, or the parent of a child pool",
            ),
            (Some(_), false) => {
                check.refuse("parent", "is stated beside cidrs", "either cidrs or parent")
            }
        }
    }

    fn root(&self, check: &mut Check) -> Checked<PoolSource> {
        let of_children = [
            ("prefixLength", self.prefix_length.is_some()),
            ("cidr", self.cidr.is_some()),
            ("owner", self.owner.is_some()),
        ];
        for (field, _) in of_children.iter().filter(|(_, stated)| *stated) {
            check.note(field, "is stated for a root pool", "only beside parent");
        }
        let space = check.name("space", self.space.as_deref().unwrap_or(SPACE_DEFAULT));
        let cidrs = checked_cidrs(check, &self.cidrs);
        Ok(PoolSource::Root {
            space: Some(space?),
            cidrs: cidrs?,
        })
    }

    fn child(&self, check: &mut Check, parent: &PoolRef) -> Checked<PoolSource> {
        if self.space.is_some() {
            check.note(
                "space",
                "is stated for a child pool",
                "only for a root pool; a child has its parent's",
            );
        }
        let parent = check.pool_ref("parent", parent);
        let length = check.optional_prefix_length("prefixLength", self.prefix_length);
        let cidr = check.optional_prefix("cidr", self.cidr.as_deref());
        let block = match (length?, cidr?) {
            (Some(length), None) => ChildBlock::Length(length),
            (None, Some(cidr)) => ChildBlock::Cidr(cidr),
            (None, None) => {
                return check.refuse(
                    "prefixLength",
                    "is missing",
                    "beside parent: prefixLength or cidr",
                );
            }
            (Some(_), Some(_)) => {
                return check.refuse(
                    "cidr",
                    "is stated beside prefixLength",
                    "either prefixLength or cidr",
                );
            }
        };
        Ok(PoolSource::Child {
            parent: parent?,
            block,
        })
    }
}

/// The blocks of a root pool.
pub(super) fn checked_cidrs(
    check: &mut Check,
    cidrs: &[fields::PoolCidr],
) -> Checked<Vec<PoolCidr>> {
    each(cidrs, |index, item| {
        let place = match (&item.subnet, &item.gateway) {
            (None, None) => format!("cidrs[{index}]"),
            _ => format!("cidrs[{index}].cidr"),
        };
        let cidr = check.prefix(&place, &item.cidr);
        let subnet =
            check.optional_prefix(&format!("cidrs[{index}].subnet"), item.subnet.as_deref());
        let gateway =
            check.optional_gateway(&format!("cidrs[{index}].gateway"), item.gateway.as_deref());
        Ok(PoolCidr {
            cidr: cidr?,
            subnet: subnet?,
            gateway: gateway?,
        })
    })
}
