//! Edits: merge patches (RFC 7396) as typed changes, which the state machine applies to what is there.
//!
//! A change carries the value that a field gets; one that was `null` in the patch carries what an absent
//! field means. Fields that are immutable can be stated too, as long as they say what is there.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::command::{
    Exclusion, Gateway, PoolCidr, PoolRef, PoolSelector, Range, Sharing, Strategy,
};
use crate::handout::Route;
use crate::life::ReclaimPolicy;
use crate::name::{Labels, Name, Owner};
use crate::prefix::{Address, Family, Prefix};

/// An edit of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantEdit {
    /// The tenant.
    pub tenant: Name,
    /// What changes, in order.
    pub changes: Vec<TenantChange>,
}

/// One field of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TenantChange {
    /// Immutable.
    Name(Option<Name>),
    /// Its labels.
    Labels(LabelsChange),
    /// Its annotations.
    Annotations(LabelsChange),
    /// What it is for.
    Description(Box<str>),
    /// Most pools.
    QuotaPools(Option<u64>),
    /// Most claims.
    QuotaClaims(Option<u64>),
    /// Most IPv4 addresses in claims.
    QuotaIpv4Addresses(Option<u64>),
    /// Most IPv6 claims in units of a /64.
    QuotaIpv6Prefixes64(Option<u128>),
}

/// An edit of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolEdit {
    /// The pool's tenant.
    pub tenant: Name,
    /// The pool.
    pub pool: Name,
    /// Refused unless the pool's own revision is this one.
    pub if_revision: Option<u64>,
    /// What changes, in order.
    pub changes: Vec<PoolChange>,
}

/// One field of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolChange {
    /// Immutable.
    Name(Option<Name>),
    /// Immutable.
    Space(Option<Name>),
    /// Immutable.
    Family(Option<Family>),
    /// Immutable.
    Parent(Option<PoolRef>),
    /// Immutable.
    PrefixLength(Option<u8>),
    /// Immutable: the block of a child.
    Cidr(Option<Prefix>),
    /// Immutable.
    Owner(Option<Owner>),
    /// The blocks of a root: it grows by those that are new and shrinks by those that are left out.
    Cidrs(Vec<PoolCidr>),
    /// Smallest number that may be asked for.
    MinPrefixLength(Option<u8>),
    /// Largest number that may be asked for.
    MaxPrefixLength(Option<u8>),
    /// What a claim that names no length gets.
    DefaultPrefixLength(Option<u8>),
    /// Which free block is handed out.
    Strategy(Strategy),
    /// Addresses that no holder can use are withheld.
    UsableOnly(bool),
    /// Every CIDR is private.
    PrivateOnly(bool),
    /// Nothing new is handed out.
    Drain(bool),
    /// Which other tenants may take from it from now on.
    SharedWith(Sharing),
    /// Its place among the candidates of a selector.
    Priority(u16),
    /// What is withheld.
    Exclude(Vec<Exclusion>),
    /// The on-link prefix.
    Subnet(Option<Prefix>),
    /// The gateway.
    Gateway(Option<Gateway>),
    /// All routes that holders get; none is as the parent says, like the next three.
    Routes(Option<Vec<Route>>),
    /// Parts of the resolver that holders get.
    Dns(Option<Vec<DnsChange>>),
    /// The MTU of a holder's interface.
    Mtu(Option<u32>),
    /// Parameters that mean something to holders only.
    Parameters(Option<LabelsChange>),
    /// For how long a released block is kept for its holder: of blocks that are released from now on.
    GraceSeconds(Option<u32>),
    /// What becomes of it then.
    ReclaimPolicy(Option<ReclaimPolicy>),
    /// The longest grace that a claim may state from now on.
    MaxGraceSeconds(Option<u32>),
    /// A claim may state `Retain` from now on.
    AllowRetain(Option<bool>),
    /// The longest lease from now on.
    MaxTtlSeconds(Option<u32>),
    /// Its labels.
    Labels(LabelsChange),
    /// Its annotations.
    Annotations(LabelsChange),
    /// What it is for.
    Description(Box<str>),
}

/// One part of a pool's resolver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DnsChange {
    /// All nameservers.
    Nameservers(Vec<Address>),
    /// The domain of short names.
    Domain(Option<Box<str>>),
    /// All domains in which short names are looked up.
    Search(Vec<Box<str>>),
    /// All options.
    Options(Vec<Box<str>>),
}

/// An edit of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimEdit {
    /// The claim's tenant.
    pub tenant: Name,
    /// The claim.
    pub name: Name,
    /// What changes, in order.
    pub changes: Vec<ClaimChange>,
}

/// One field of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimChange {
    /// Immutable.
    Name(Option<Name>),
    /// Immutable: as asked for, or the pool that it is from.
    Pool(Option<PoolRef>),
    /// Immutable.
    PoolSelector(Option<Box<PoolSelector>>),
    /// Immutable: whether it withholds its block.
    Reservation(bool),
    /// Immutable: as asked for, or that of its block.
    PrefixLength(Option<u8>),
    /// Immutable: as asked for, or its block.
    Cidr(Option<Prefix>),
    /// Immutable.
    Within(Vec<Range>),
    /// Immutable: as asked for, or that of its block.
    Family(Option<Family>),
    /// Immutable.
    Owner(Option<Owner>),
    /// The length of the lease: another one begins a lease now, none ends it.
    TtlSeconds(Option<u32>),
    /// For how long the block is kept once it is released.
    GraceSeconds(Option<u32>),
    /// What becomes of the block then.
    ReclaimPolicy(Option<ReclaimPolicy>),
    /// Its labels.
    Labels(LabelsChange),
    /// Its annotations.
    Annotations(LabelsChange),
    /// What it is for.
    Description(Box<str>),
}

/// A change of labels, annotations or parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelsChange {
    /// None of those that are there stays.
    pub clear: bool,
    /// Keys that get a value, or go.
    pub entries: Vec<(Box<str>, Option<Box<str>>)>,
}

impl LabelsChange {
    /// What becomes of labels.
    pub(crate) fn apply(&self, labels: &mut Labels) {
        if self.clear {
            labels.clear();
        }
        for (key, value) in &self.entries {
            match value {
                Some(value) => {
                    labels.insert(key.clone(), value.clone());
                }
                None => {
                    labels.remove(key);
                }
            }
        }
    }
}
