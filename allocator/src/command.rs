//! What the log carries: entries, and the commands in them.
//!
//! Syntax is already checked when a command is built (its fields are parsed types); everything that
//! depends on the state is decided by `apply`.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::cascade::PoolCascade;
use crate::edit::{ClaimEdit, PoolEdit, TenantEdit};
use crate::filter::{LabelRequirement, LabelSelector};
use crate::handout::Handout;
use crate::life::{ClaimLife, PoolLife};
use crate::name::{Labels, Name, Owner};
use crate::owners::OwnerRelease;
use crate::prefix::{Address, Family, Prefix};
use crate::reconcile::Reconcile;
use crate::settings::SettingsEdit;

/// Priority of a pool that states none.
pub const PRIORITY_DEFAULT: u16 = 100;
/// Highest priority of a pool.
pub const PRIORITY_MAX: u16 = 1_000;
/// Most commands in one entry.
pub const ENTRY_COMMANDS_MAX: usize = 1_024;
/// Most operations in one batch.
pub const BATCH_OPERATIONS_MAX: usize = 1_000;
/// Most holds that one [`Command::Expire`] ends or tells of.
pub const EXPIRE_HOLDS_MAX: u32 = 1_000;
/// The routing domain of a root pool that names none.
pub const SPACE_DEFAULT: &str = "default";

/// Where in the log an entry stands: the leadership that appended it, and its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Term of the leader that appended the entry.
    pub term: u64,
    /// Id of that leader.
    pub node: u64,
    /// Index in the log.
    pub index: u64,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The times that the leader put on it.
    pub stamp: Stamp,
    /// The commands, in order; at most [`ENTRY_COMMANDS_MAX`].
    pub commands: Vec<Envelope>,
}

/// The time that has passed, as the proposing leader measured it (DESIGN §2, the log's clock).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Term of the leadership for which the entry was stamped.
    pub clock_term: u64,
    /// The leader of that term.
    pub clock_node: u64,
    /// Milliseconds of that leader's monotonic clock since it took office.
    pub mono_ms: u64,
    /// Wall time for people: milliseconds since the Unix epoch, the lower median of a quorum;
    /// `None` where no quorum of readings was at hand.
    pub wall_ms: Option<u64>,
}

/// A command and who sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The subject that sent it; empty while access control is off.
    pub actor: Box<str>,
    /// Where it came from, such as the client's address; may be empty.
    pub source: Box<str>,
    /// What is asked.
    pub command: Command,
}

/// What can be asked of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Nothing but the passing of time.
    Tick,
    /// The first command of a new cluster: its id, drawn by the node that formed it.
    Form {
        /// 128 random bits.
        cluster_id: u128,
    },
    /// Switches to the next version of formats and rules; refused unless it is the active one plus 1.
    ActivateVersion {
        /// The version to activate.
        version: u32,
    },
    /// Makes a tenant.
    TenantCreate(Box<TenantSpec>),
    /// Removes an empty tenant.
    TenantDelete {
        /// Its name.
        tenant: Name,
    },
    /// Edits a tenant.
    TenantEdit(Box<TenantEdit>),
    /// Makes a root or child pool.
    PoolCreate(Box<PoolSpec>),
    /// Removes a pool that holds nothing.
    PoolDelete {
        /// Its tenant.
        tenant: Name,
        /// Its name.
        pool: Name,
        /// Refused unless the pool's own revision is this one.
        if_revision: Option<u64>,
    },
    /// Removes a pool with what is under it.
    PoolCascade(PoolCascade),
    /// Edits a pool. Nobody is renumbered.
    PoolEdit(Box<PoolEdit>),
    /// Edits what a claim says of itself.
    ClaimEdit(Box<ClaimEdit>),
    /// Takes a block.
    ClaimCreate(Box<ClaimSpec>),
    /// Gives a block back.
    ClaimRelease(ClaimRelease),
    /// Tells that the holder uses its block.
    ClaimConfirm(ClaimConfirm),
    /// Begins a claim's lease anew, from now.
    ClaimRenew(ClaimRenew),
    /// Ends the grace of a released block before its time.
    AllocationReclaim(AllocationReclaim),
    /// Gives back what an owner holds, or some holdings.
    OwnerRelease(Box<OwnerRelease>),
    /// Declares who is there, and gives back what others hold.
    OwnersReconcile(Box<Reconcile>),
    /// Does what the log's clock says is due: leases that are over, or soon will be, and blocks whose
    /// grace is over. The earliest first; what is left is done by the next one.
    Expire {
        /// At most so many holds, and never more than [`EXPIRE_HOLDS_MAX`].
        holds_max: u32,
    },
    /// Moves the log's clock forward, for tests; the state shows it for ever.
    ClockAdvance {
        /// By so many milliseconds.
        ms: u64,
    },
    /// Edits the cluster's settings.
    SettingsEdit(SettingsEdit),
    /// Several claims and releases of one tenant.
    Batch {
        /// The tenant of all operations.
        tenant: Name,
        /// All or none, as one revision; otherwise each on its own, in order.
        atomic: bool,
        /// At most [`BATCH_OPERATIONS_MAX`].
        operations: Vec<Operation>,
    },
}

/// One operation of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Takes a block.
    CreateClaim(Box<ClaimSpec>),
    /// Gives a block back; one that has already ended counts as done.
    ReleaseClaim(ClaimRelease),
}

/// A tenant as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSpec {
    /// Its name.
    pub name: Name,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// What it is for.
    pub description: Box<str>,
    /// Its bounds.
    pub quota: Quota,
}

/// Bounds on what a tenant may hold; `None` is without bound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Pools.
    pub pools: Option<u64>,
    /// Claims.
    pub claims: Option<u64>,
    /// IPv4 addresses in claims.
    pub ipv4_addresses: Option<u64>,
    /// IPv6 claims in units of a /64: max(1, 2^(64-length)) each.
    pub ipv6_prefixes_64: Option<u128>,
}

/// A pool as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSpec {
    /// The tenant that will own it.
    pub tenant: Name,
    /// Its name.
    pub name: Name,
    /// Root or child.
    pub source: PoolSource,
    /// The family as a check; otherwise told by the blocks.
    pub family: Option<Family>,
    /// The holder of a child pool.
    pub owner: Option<Owner>,
    /// Smallest number (largest block) that may be asked for.
    pub min_prefix_length: Option<u8>,
    /// Largest number (smallest block) that may be asked for.
    pub max_prefix_length: Option<u8>,
    /// What a claim that names no length gets.
    pub default_prefix_length: Option<u8>,
    /// Which free block is handed out.
    pub strategy: Strategy,
    /// A pool of single addresses withholds those that no holder can use: in IPv4 the network and
    /// broadcast addresses, in IPv6 the subnet-router anycast address.
    pub usable_only: bool,
    /// Every CIDR is RFC 1918 or RFC 4193.
    pub private_only: bool,
    /// Nothing new is handed out.
    pub drain: bool,
    /// Which other tenants may take from it.
    pub shared_with: Sharing,
    /// Its place among the candidates of a selector, the lowest first: 0 to [`PRIORITY_MAX`].
    pub priority: u16,
    /// What is withheld from allocation.
    pub exclude: Vec<Exclusion>,
    /// The on-link prefix that a holder configures, where it is not the CIDR itself.
    pub subnet: Option<Prefix>,
    /// The gateway that a holder configures.
    pub gateway: Option<Gateway>,
    /// What else a holder gets with its block.
    pub handout: Handout,
    /// How long its blocks are held, and kept afterwards.
    pub life: PoolLife,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// What it is for.
    pub description: Box<str>,
}

impl PoolSpec {
    /// A pool of which nothing is stated but where its space comes from.
    pub fn new(tenant: Name, name: Name, source: PoolSource) -> Self {
        Self {
            tenant,
            name,
            source,
            family: None,
            owner: None,
            min_prefix_length: None,
            max_prefix_length: None,
            default_prefix_length: None,
            strategy: Strategy::default(),
            usable_only: false,
            private_only: false,
            drain: false,
            shared_with: Sharing::default(),
            priority: PRIORITY_DEFAULT,
            exclude: Vec::new(),
            subnet: None,
            gateway: None,
            handout: Handout::default(),
            life: PoolLife::default(),
            labels: Labels::new(),
            annotations: Labels::new(),
            description: Box::from(""),
        }
    }
}

/// Which other tenants may take claims and child pools from a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sharing {
    /// None: it is private.
    #[default]
    Private,
    /// These; they need not be there yet.
    With(BTreeSet<Name>),
    /// All.
    Everyone,
}

impl Sharing {
    /// Most tenants that can be named.
    pub const TENANTS_MAX: usize = 1_000;

    /// These tenants; private where there are none.
    pub fn with(tenants: BTreeSet<Name>) -> Self {
        if tenants.is_empty() {
            Self::Private
        } else {
            Self::With(tenants)
        }
    }

    /// Another tenant may use the pool.
    pub fn allows(&self, tenant: &Name) -> bool {
        match self {
            Self::Private => false,
            Self::With(tenants) => tenants.contains(tenant),
            Self::Everyone => true,
        }
    }
}

/// Which of the free blocks that would do is handed out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// The one with the lowest address.
    #[default]
    FirstFit,
    /// The one in the smallest hole, so that large holes last; of equal ones the lowest.
    BestFit,
    /// The next one after the last that was handed out, so that a freed one rests longest.
    NextFit,
    /// The lowest one in the CIDR of which the smallest share is held.
    LeastUtilized,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::FirstFit,
        Self::BestFit,
        Self::NextFit,
        Self::LeastUtilized,
    ];
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstFit => "FirstFit",
            Self::BestFit => "BestFit",
            Self::NextFit => "NextFit",
            Self::LeastUtilized => "LeastUtilized",
        })
    }
}

/// Where a pool's address space comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolSource {
    /// Stated by the user.
    Root {
        /// The routing domain; [`SPACE_DEFAULT`] when absent.
        space: Option<Name>,
        /// One or more, of one family.
        cidrs: Vec<PoolCidr>,
    },
    /// Carved from another pool in the same write.
    Child {
        /// The parent.
        parent: PoolRef,
        /// The next free block of a length, or a stated one.
        block: ChildBlock,
    },
}

/// One CIDR of a root pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolCidr {
    /// The block.
    pub cidr: Prefix,
    /// Its own on-link prefix.
    pub subnet: Option<Prefix>,
    /// Its own gateway.
    pub gateway: Option<Gateway>,
}

/// Which block a child pool gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildBlock {
    /// The next free one of this length.
    Length(u8),
    /// Exactly this one.
    Cidr(Prefix),
}

/// A pool by name, in the caller's tenant unless another is named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PoolRef {
    /// Its tenant, where it is another's shared pool.
    pub tenant: Option<Name>,
    /// Its name.
    pub name: Name,
}

/// Something that is withheld: a run of addresses, first and last inclusive, of one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// The first address.
    pub first: Address,
    /// The last address, not below the first.
    pub last: Address,
    /// Why; may be empty.
    pub reason: Box<str>,
    /// As the user wrote it, so that it is shown back in the same form.
    pub text: Box<str>,
}

/// A run of addresses of one family, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Range {
    /// The first address.
    pub first: Address,
    /// The last address, not below the first.
    pub last: Address,
}

impl From<Prefix> for Range {
    fn from(prefix: Prefix) -> Self {
        Self {
            first: prefix.first(),
            last: prefix.last(),
        }
    }
}

/// An address, a CIDR, or `first-last`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return self.first.fmt(f);
        }
        let cidr = (0..Family::of(self.first).bits())
            .filter_map(|length| Prefix::new(self.first, length).ok())
            .find(|cidr| cidr.last() == self.last);
        match cidr {
            Some(cidr) => cidr.fmt(f),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// A gateway as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gateway {
    /// The first usable address of the subnet.
    First,
    /// The last usable address of the subnet.
    Last,
    /// This one: in the subnet, or link-local.
    Address(Address),
}

/// Which pool a claim is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimFrom {
    /// This one.
    Pool(PoolRef),
    /// The first that can satisfy the claim, of those that match.
    Selector(Box<PoolSelector>),
}

/// Which pools may serve a claim: tried by priority, then by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSelector {
    /// Of this tenant, as far as they are shared with the claim's; its own where absent.
    pub tenant: Option<Name>,
    /// Of this family.
    pub family: Option<Family>,
    /// Whose labels match; in order, so that equal selectors are equal however they were written.
    pub labels: LabelSelector,
}

impl PoolSelector {
    /// Bytes of its texts.
    pub(crate) fn bytes(&self) -> usize {
        let tenant = self.tenant.as_ref().map_or(0, |name| name.as_str().len());
        let requirements = self.labels.requirements.iter().map(LabelRequirement::bytes);
        requirements.fold(tenant, usize::saturating_add)
    }
}

/// A claim as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimSpec {
    /// The tenant that will own it.
    pub tenant: Name,
    /// Its name: the idempotency key.
    pub name: Name,
    /// The pool to take from.
    pub from: ClaimFrom,
    /// It withholds its block from automatic allocation: outside of the pool's length bounds, counted as
    /// reserved, without grace.
    pub reservation: bool,
    /// The length wanted; the pool's default where neither this nor `cidr` is given.
    pub prefix_length: Option<u8>,
    /// Exactly this block.
    pub cidr: Option<Prefix>,
    /// Where the block must lie, in any of them together; anywhere where there is none.
    pub within: Vec<Range>,
    /// The family as a check.
    pub family: Option<Family>,
    /// Key of the holder.
    pub owner: Option<Owner>,
    /// How long it is held, and kept afterwards.
    pub life: ClaimLife,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// What it is for.
    pub description: Box<str>,
}

impl ClaimSpec {
    /// The pool that it names, if it names one.
    pub fn pool(&self) -> Option<&PoolRef> {
        match &self.from {
            ClaimFrom::Pool(pool) => Some(pool),
            ClaimFrom::Selector(_) => None,
        }
    }

    /// A claim that states nothing but its pool.
    pub fn new(tenant: Name, name: Name, pool: PoolRef) -> Self {
        Self {
            tenant,
            name,
            from: ClaimFrom::Pool(pool),
            reservation: false,
            prefix_length: None,
            cidr: None,
            within: Vec::new(),
            family: None,
            owner: None,
            life: ClaimLife::default(),
            labels: Labels::new(),
            annotations: Labels::new(),
            description: Box::from(""),
        }
    }
}

/// A release as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRelease {
    /// The claim's tenant.
    pub tenant: Name,
    /// The claim.
    pub name: Name,
    /// The holding that is meant; without it, whatever the name holds now.
    pub generation: Option<u64>,
}

/// A confirmation as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimConfirm {
    /// The claim's tenant.
    pub tenant: Name,
    /// The claim.
    pub name: Name,
    /// Who asks: the claim's owner, if it has one.
    pub owner: Option<Owner>,
    /// The holding that is meant; without it, whatever the name holds now.
    pub generation: Option<u64>,
}

/// A renewal as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRenew {
    /// The claim's tenant.
    pub tenant: Name,
    /// The claim.
    pub name: Name,
    /// Who asks: the claim's owner, if it has one.
    pub owner: Option<Owner>,
    /// The holding that is meant; without it, whatever the name holds now.
    pub generation: Option<u64>,
    /// The length of the lease from now on; without it, the length that it has.
    pub ttl_seconds: Option<u32>,
}

/// An early reclaim as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationReclaim {
    /// Tenant of the pool that the block is kept in.
    pub tenant: Name,
    /// The routing domain.
    pub space: Name,
    /// The block.
    pub cidr: Prefix,
    /// The holding that was released.
    pub generation: u64,
}
