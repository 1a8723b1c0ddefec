//! What `apply` answers: an outcome or a rejection, each at a revision.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::cascade::PoolCascaded;
use crate::count::Count;
use crate::name::Name;
use crate::owners::OwnerReleased;
use crate::prefix::{Family, Prefix};
use crate::reconcile::Reconciled;
use crate::settings::Settings;
use crate::view::{AllocationView, ClaimView, PoolView, TenantView};

/// The answer to one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The revision of the state after the command.
    pub revision: u64,
    /// What came of it.
    pub result: Result<Outcome, Rejection>,
    /// What was due and has been done on the way, by an expiry step or for a claim without room.
    pub swept: Swept,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A tick, a formation or an activation: nothing to show.
    Done,
    /// A tenant was made.
    TenantCreated(Box<TenantView>),
    /// The same tenant was there already.
    TenantRepeated(Box<TenantView>),
    /// A tenant was removed; as it last was.
    TenantDeleted(Box<TenantView>),
    /// A pool was made.
    PoolCreated(Box<PoolView>),
    /// The same pool was there already.
    PoolRepeated(Box<PoolView>),
    /// A pool was edited, or was so already.
    PoolEdited(Box<PoolView>),
    /// A tenant was edited, or was so already.
    TenantEdited(Box<TenantView>),
    /// A claim was edited, or was so already.
    ClaimEdited(Box<ClaimView>),
    /// A pool was removed; as it last was.
    PoolDeleted(Box<PoolView>),
    /// What is under a pool was given back, and the pool removed once nothing was left.
    PoolCascaded(Box<PoolCascaded>),
    /// A block was taken.
    ClaimCreated(Box<ClaimView>),
    /// The same claim was there already, with the block that it has.
    ClaimRepeated(Box<ClaimView>),
    /// A block was given back; the claim as it last was.
    ClaimReleased(Box<ClaimView>),
    /// The holding of that generation had ended before; as it last was.
    ClaimAlreadyReleased(Box<ClaimView>),
    /// The block is in use, from now on or from before.
    ClaimConfirmed(Box<ClaimView>),
    /// The lease began anew.
    ClaimRenewed(Box<ClaimView>),
    /// A kept block is free again; the allocation as it last was.
    AllocationReclaimed(Box<AllocationView>),
    /// What an owner held was given back.
    OwnerReleased(Box<OwnerReleased>),
    /// A live set was taken note of, and what others held given back.
    Reconciled(Box<Reconciled>),
    /// What was due has been done.
    Expired(Swept),
    /// The log's clock was moved: by so many milliseconds in all since the cluster was formed.
    ClockAdvanced {
        /// The sum of all such moves.
        advanced_ms: u64,
    },
    /// The cluster's settings were edited, or were so already.
    SettingsEdited(Settings),
    /// One result for each operation. An atomic batch that was refused is
    /// [`Rejection::BatchRefused`] instead.
    Batch(Vec<Result<Outcome, Rejection>>),
}

/// How many holds the log's clock has done something to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// Leases whose coming end was told.
    pub expiring: u32,
    /// Leases that were over.
    pub expired: u32,
    /// Blocks whose grace was over.
    pub reclaimed: u32,
    /// More is due now.
    pub more: bool,
}

/// Why a command was refused. Each is a value: replicated, the same on every node, and nothing
/// changed. Where several would apply, what can be told without the state comes first, then whether the
/// names exist and whether it is a repeat, then the rules of the pool, then what is taken, then quotas,
/// and that there is no room comes last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rejection {
    /// The version is not the active one plus 1.
    VersionRefused {
        /// The active version.
        active: u32,
        /// The one asked for.
        asked: u32,
    },
    /// The cluster has its id already.
    AlreadyFormed {
        /// The id that it has.
        cluster_id: u128,
    },
    /// Fields that contradict each other or the object they refer to.
    InvalidField(Vec<FieldProblem>),
    /// No such tenant, or not for this caller.
    TenantNotFound {
        /// The name.
        tenant: Name,
    },
    /// No such pool, or not for this caller.
    PoolNotFound {
        /// Its tenant.
        tenant: Name,
        /// The name.
        pool: Name,
    },
    /// No such claim.
    ClaimNotFound {
        /// Its tenant.
        tenant: Name,
        /// The name.
        claim: Name,
        /// The last holding under that name, while the events reach back.
        ended: Option<Box<ClaimView>>,
    },
    /// No pool of the tenant's space holds exactly that block.
    AllocationNotFound {
        /// The tenant.
        tenant: Name,
        /// The routing domain.
        space: Name,
        /// The block.
        cidr: Prefix,
    },
    /// The name is taken by something of other content.
    AlreadyExists {
        /// `tenant` or `pool`.
        kind: ObjectKind,
        /// The name.
        name: Name,
        /// The first field that differs, in the API's spelling.
        field: String,
    },
    /// The claim's name is taken by a claim that was asked for otherwise.
    ClaimMismatch {
        /// The name.
        claim: Name,
        /// The first field that differs, in the API's spelling.
        field: String,
    },
    /// The generation is not the claim's.
    GenerationStale {
        /// The one given.
        given: u64,
        /// The one that the claim has, if it exists.
        current: Option<u64>,
    },
    /// The claim has another owner than the one that was given, or none was given.
    NotTheHolder {
        /// The claim.
        claim: Name,
    },
    /// The block is held, not kept for a holder that left: there is nothing to reclaim.
    NotReleased {
        /// What holds it.
        held: Box<AllocationView>,
    },
    /// The pool's revision is not the one that the caller saw.
    RevisionMismatch {
        /// The one given.
        given: u64,
        /// The one that the pool has.
        current: u64,
    },
    /// The family is not the pool's.
    FamilyMismatch {
        /// The field that says so.
        field: String,
        /// The family asked for.
        asked: Family,
        /// The pool's.
        pool: Family,
    },
    /// The length is outside the pool's bounds.
    PrefixLengthOutOfBounds {
        /// The field that says so.
        field: String,
        /// The length asked for; `None` where none was named and the pool has no default.
        asked: Option<u8>,
        /// The pool's smallest number.
        min: u8,
        /// The pool's largest number.
        max: u8,
    },
    /// The gateway is neither in the subnet nor link-local.
    GatewayNotInSubnet {
        /// The field that says so.
        field: String,
        /// The gateway.
        gateway: crate::prefix::Address,
        /// The subnet.
        subnet: Prefix,
    },
    /// The pool is for private addresses only (RFC 1918, RFC 4193).
    NotPrivate {
        /// The field that says otherwise.
        field: String,
        /// The block that is not private.
        cidr: Prefix,
    },
    /// The pool hands out nothing new.
    PoolDraining {
        /// The pool's tenant.
        tenant: Name,
        /// The pool.
        pool: Name,
    },
    /// A root block overlaps one of the same tenant and space.
    CidrOverlap {
        /// The block asked for.
        cidr: Prefix,
        /// The one that is there.
        other: Prefix,
        /// The pool that has it.
        pool: Name,
    },
    /// The exact block is held, in whole or in part.
    AddressTaken {
        /// The block asked for.
        cidr: Prefix,
        /// The first one (by address) that stands in the way.
        held: Box<AllocationView>,
    },
    /// The quota would be exceeded.
    QuotaExceeded {
        /// Which one, in the API's spelling.
        quota: String,
        /// Its limit.
        limit: u128,
        /// What is used.
        used: u128,
        /// What was asked on top.
        asked: u128,
    },
    /// The pool holds something.
    PoolInUse {
        /// The pool.
        pool: Name,
        /// Claims in it (released ones within their grace included).
        claims: u64,
        /// Child pools in it.
        children: u64,
        /// The first ten holders, by address.
        holders: Vec<AllocationView>,
    },
    /// A block that the pool was to lose holds something.
    CidrInUse {
        /// The pool.
        pool: Name,
        /// The block.
        cidr: Prefix,
        /// The first ten holders in it, by address.
        holders: Vec<AllocationView>,
    },
    /// The tenant has pools or claims.
    TenantInUse {
        /// The tenant.
        tenant: Name,
        /// Its pools.
        pools: u64,
        /// Its claims.
        claims: u64,
    },
    /// No pool that the caller may see matches the selector.
    NoPoolMatches {
        /// The tenant whose pools were looked at.
        tenant: Name,
    },
    /// No free block of that length.
    PoolExhausted {
        /// The pool's tenant.
        tenant: Name,
        /// The pool.
        pool: Name,
        /// The length asked for.
        prefix_length: u8,
        /// Free addresses in total.
        free: Count,
        /// Length of the largest free block; `None` when nothing is free.
        largest_free_prefix_length: Option<u8>,
        /// The figures are the whole pool's, but the block was to lie within some ranges of it.
        within: bool,
    },
    /// A live set is older than the last one of its scope.
    EpochStale {
        /// The epoch given.
        given: u64,
        /// The last one that was accepted.
        current: u64,
    },
    /// A live set would release more blocks than its caller expects.
    TooManySuspects {
        /// How many.
        count: u64,
        /// How many it expects at most.
        limit: u64,
    },
    /// More than one command may touch or hold.
    TooMany {
        /// What there are too many of, in the API's spelling.
        what: String,
        /// How many there would be.
        count: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// An atomic batch was refused because of at least one of its operations.
    BatchRefused {
        /// Index of the first operation that was refused.
        failed_index: u32,
        /// Why; one for each operation, `NotApplied` for those that were not at fault.
        reasons: Vec<Rejection>,
    },
    /// The operation was not at fault, but the atomic batch that it is part of was refused.
    NotApplied,
}

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectKind {
    /// A tenant.
    Tenant,
    /// A pool.
    Pool,
}

/// A field, what is wrong with it and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// The field in the API's spelling: `cidrs[1]`, `exclude[0]`.
    pub field: String,
    /// What is wrong, as a clause.
    pub problem: String,
    /// What would be right, as a clause.
    pub allowed: String,
}
