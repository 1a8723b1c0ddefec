//! What a pool hands to its holders beside the block: routes, the resolver, the MTU, and parameters that
//! mean something to holders only. Fields and meaning are those of a result of the CNI specification 1.1.0.
//!
//! 1. Each of the four stands for itself. Absent, it is that of the parent; present it is the pool's own,
//!    also where it is empty: so a child that wants no routes says that it has none.
//! 2. What is in force is found through the parents when it is read: an edit reaches every holder below at
//!    once, and nothing is kept with a claim or a child.
//! 3. It is held once, with the pool: the views of its claims refer to it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::name::Labels;
use crate::prefix::{Address, Family, Prefix};

/// Most routes of a pool.
pub const ROUTES_MAX: usize = 64;
/// Most nameservers, most search domains and most options of a pool's resolver.
pub const DNS_ENTRIES_MAX: usize = 16;
/// Longest domain, in bytes; the shortest is one byte.
pub const DOMAIN_BYTES_MAX: usize = 253;
/// Longest option of a resolver, in bytes; the shortest is one byte.
pub const DNS_OPTION_BYTES_MAX: usize = 255;
/// Most parameters of a pool. Their keys and values have the bounds of labels.
pub const PARAMETERS_MAX: usize = 16;
/// The largest MTU: the longest packet (RFC 791 §3.1).
pub const MTU_MAX: u32 = 65_535;
/// The largest maximum segment size: the option has 16 bits (RFC 9293 §3.7.1).
pub const ADVMSS_MAX: u32 = 65_535;
/// The largest scope of a route: the kernel has 8 bits for it.
pub const SCOPE_MAX: u32 = 255;

/// The smallest MTU of a family: 68 (RFC 791 §3.2), 1,280 (RFC 8200 §5).
pub fn mtu_min(family: Family) -> u32 {
    match family {
        Family::IPv4 => 68,
        Family::IPv6 => 1_280,
    }
}

/// What a pool hands to its holders, as stated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handout {
    /// In the order in which a holder adds them; at most [`ROUTES_MAX`].
    pub routes: Option<Arc<[Route]>>,
    /// The resolver.
    pub dns: Option<Arc<Dns>>,
    /// Of the holder's interface, in bytes: from [`mtu_min`] of the pool's family to [`MTU_MAX`].
    pub mtu: Option<u32>,
    /// At most [`PARAMETERS_MAX`].
    pub parameters: Option<Arc<Labels>>,
}

/// A route that a holder adds. What is absent is left to the holder's system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where it leads, in either family.
    pub dst: Prefix,
    /// The next hop, of the family of `dst`; absent it is the gateway of the block.
    pub gw: Option<Address>,
    /// Along the path, in bytes: as [`Handout::mtu`], for the family of `dst`.
    pub mtu: Option<u32>,
    /// The maximum segment size to tell, in bytes: 1 to [`ADVMSS_MAX`].
    pub advmss: Option<u32>,
    /// Among routes to the same place, the lowest first.
    pub priority: Option<u32>,
    /// The routing table.
    pub table: Option<u32>,
    /// How far it reaches: 0 (everywhere) to [`SCOPE_MAX`] (nowhere).
    pub scope: Option<u32>,
}

impl Route {
    /// What no two routes of a pool share: a kernel takes one of them only.
    pub(crate) fn key(&self) -> (Prefix, Option<u32>, Option<u32>) {
        (self.dst, self.table, self.priority)
    }
}

/// How a holder resolves names. Each list has at most [`DNS_ENTRIES_MAX`] entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// Of either family, the first one first.
    pub nameservers: Vec<Address>,
    /// The domain of short names: at most [`DOMAIN_BYTES_MAX`] bytes.
    pub domain: Option<Box<str>>,
    /// Domains in which short names are looked up: at most [`DOMAIN_BYTES_MAX`] bytes each.
    pub search: Vec<Box<str>>,
    /// `resolv.conf(5)` has them: at most [`DNS_OPTION_BYTES_MAX`] bytes each.
    pub options: Vec<Box<str>>,
}

impl Handout {
    /// All four are there: nothing is left for the parent to say.
    pub(crate) fn is_whole(&self) -> bool {
        self.routes.is_some()
            && self.dns.is_some()
            && self.mtu.is_some()
            && self.parameters.is_some()
    }

    /// What is absent is as `above` says.
    pub(crate) fn inherit(&mut self, above: &Self) {
        let Self {
            routes,
            dns,
            mtu,
            parameters,
        } = self;
        *routes = routes.take().or_else(|| above.routes.clone());
        *dns = dns.take().or_else(|| above.dns.clone());
        *mtu = mtu.or(above.mtu);
        *parameters = parameters.take().or_else(|| above.parameters.clone());
    }
}
