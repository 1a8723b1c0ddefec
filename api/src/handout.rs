//! What a pool hands to its holders beside the block, as requests state it and views show it. The names
//! are those of a result of the CNI specification 1.1.0.

use allocator::handout::{self, Handout};
use allocator::prefix::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A route that a holder adds. What is absent is left to the holder's system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Where it leads: a CIDR of either family.
    #[schema(example = "10.0.0.0/8")]
    pub dst: String,
    /// The next hop, of the family of `dst`; absent it is the gateway of the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gw: Option<String>,
    /// The MTU along the path, in bytes: from 68 where `dst` is IPv4, from 1280 where it is IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 68, maximum = 65535)]
    pub mtu: Option<u32>,
    /// The maximum segment size to tell, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 65535)]
    pub advmss: Option<u32>,
    /// Among routes to the same place, the lowest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// The routing table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<u32>,
    /// How far it reaches: 0 (everywhere) to 255 (nowhere).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 255)]
    pub scope: Option<u32>,
}

/// How a holder resolves names. Each list has at most 16 entries; domains have at most 253 bytes, options
/// 255, of printable ASCII without spaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// Addresses of either family, the first one first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nameservers: Option<Vec<String>>,
    /// The domain of short names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Domains in which short names are looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Vec<String>>,
    /// Options of `resolv.conf(5)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
}

impl From<&handout::Route> for Route {
    fn from(route: &handout::Route) -> Self {
        Self {
            dst: route.dst.to_string(),
            gw: route.gw.as_ref().map(Address::to_string),
            mtu: route.mtu,
            advmss: route.advmss,
            priority: route.priority,
            table: route.table,
            scope: route.scope,
        }
    }
}

impl From<&handout::Dns> for Dns {
    fn from(dns: &handout::Dns) -> Self {
        Self {
            nameservers: shown(&dns.nameservers),
            domain: dns.domain.as_ref().map(ToString::to_string),
            search: shown(&dns.search),
            options: shown(&dns.options),
        }
    }
}

/// The routes of a pool, in order; `None` where it says nothing of them.
pub(crate) fn routes_of(handout: &Handout) -> Option<Vec<Route>> {
    let routes = handout.routes.as_deref()?;
    Some(routes.iter().map(Route::from).collect())
}

/// An empty list is not shown.
fn shown<T: ToString>(items: &[T]) -> Option<Vec<String>> {
    (!items.is_empty()).then(|| items.iter().map(T::to_string).collect())
}
