//! The state machine's refusals as problems.
//!
//! Invariant: every [`Rejection`] has its arm; a new one does not compile until it is mapped.

use allocator::answer::{ObjectKind, Rejection};
use allocator::prefix::Prefix;
use allocator::view::{AllocationView, Purpose};
use serde_json::{Value, json};

use super::{Code, Problem, Viewer};
use crate::scalar::{Hex128, saturated};
use crate::views;

impl Problem {
    /// A refusal at `revision`, as far as `viewer` may know of it.
    pub fn from_rejection(rejection: &Rejection, revision: u64, viewer: Viewer<'_>) -> Self {
        match rejection {
            Rejection::BatchRefused {
                failed_index,
                reasons,
            } => {
                let problems = reasons.iter().map(|reason| problem_of(reason, viewer));
                Self::batch_refused(*failed_index, problems.collect(), revision)
            }
            single => problem_of(single, viewer).at_revision(revision),
        }
    }
}

fn problem_of(rejection: &Rejection, viewer: Viewer<'_>) -> Problem {
    match rejection {
        Rejection::VersionRefused { active, asked } => {
            let detail =
                format!("Version {asked} cannot be activated: the active one is {active}.");
            Problem::new(Code::VersionRefused, detail)
                .with("active", *active)
                .with("asked", *asked)
        }
        Rejection::AlreadyFormed { cluster_id } => {
            let id = Hex128(*cluster_id).to_string();
            Problem::new(
                Code::AlreadyFormed,
                format!("The cluster has the id {id} already."),
            )
            .with("clusterId", id)
        }
        Rejection::InvalidField(fields) => Problem::invalid_fields(fields),
        Rejection::TenantNotFound { tenant } => Problem::new(
            Code::TenantNotFound,
            format!("There is no tenant {tenant}."),
        )
        .with("tenant", tenant.as_str()),
        Rejection::PoolNotFound { tenant, pool } => Problem::new(
            Code::PoolNotFound,
            format!("There is no pool {pool} in tenant {tenant}."),
        )
        .with("tenant", tenant.as_str())
        .with("pool", pool.as_str()),
        Rejection::ClaimNotFound {
            tenant,
            claim,
            ended,
        } => {
            let detail = match ended {
                Some(ended) => format!(
                    "There is no claim {claim} in tenant {tenant}; its last holding, {} with generation {}, has ended.",
                    ended.block, ended.generation
                ),
                None => format!("There is no claim {claim} in tenant {tenant}."),
            };
            Problem::new(Code::ClaimNotFound, detail)
                .with("tenant", tenant.as_str())
                .with("claim", claim.as_str())
                .with(
                    "ended",
                    ended
                        .as_deref()
                        .map_or(Value::Null, |view| json!(views::Claim::from(view))),
                )
        }
        Rejection::AllocationNotFound {
            tenant,
            space,
            cidr,
        } => Problem::allocation_not_found(cidr, space).with("tenant", tenant.as_str()),
        Rejection::AlreadyExists { kind, name, field } => {
            let kind = match kind {
                ObjectKind::Tenant => "tenant",
                ObjectKind::Pool => "pool",
            };
            Problem::new(
                Code::AlreadyExists,
                format!("The {kind} {name} exists already with another {field}."),
            )
            .with("kind", kind)
            .with("name", name.as_str())
            .with("field", field.as_str())
        }
        Rejection::ClaimMismatch { claim, field } => {
            let detail =
                format!("The claim {claim} exists and was asked for with another {field}.");
            Problem::new(Code::ClaimMismatch, detail)
                .with("claim", claim.as_str())
                .with("field", field.as_str())
        }
        Rejection::GenerationStale { given, current } => {
            let detail = match current {
                Some(current) => {
                    format!("Generation {given} has ended; the claim has generation {current}.")
                }
                None => format!("Generation {given} has ended and nothing holds that name now."),
            };
            Problem::new(Code::GenerationStale, detail)
                .with("given", *given)
                .with("current", *current)
        }
        Rejection::RevisionMismatch { given, current } => {
            let detail = format!("The pool has revision {current}, not {given}.");
            Problem::new(Code::RevisionMismatch, detail)
                .with("given", *given)
                .with("current", *current)
        }
        Rejection::FamilyMismatch { field, asked, pool } => {
            let detail = format!("{field} says {asked}, but the pool is {pool}.");
            Problem::new(Code::FamilyMismatch, detail)
                .with("field", field.as_str())
                .with("asked", asked.to_string())
                .with("family", pool.to_string())
        }
        Rejection::PrefixLengthOutOfBounds {
            field,
            asked,
            min,
            max,
        } => {
            let detail = match asked {
                Some(asked) => format!("{field} is {asked}; this pool allows {min} to {max}."),
                None => format!(
                    "{field} is missing and the pool has no default; it allows {min} to {max}."
                ),
            };
            Problem::new(Code::PrefixLengthOutOfBounds, detail)
                .with("field", field.as_str())
                .with("asked", *asked)
                .with("minPrefixLength", *min)
                .with("maxPrefixLength", *max)
        }
        Rejection::GatewayNotInSubnet {
            field,
            gateway,
            subnet,
        } => {
            let detail = format!(
                "{field} is {gateway}; allowed is first, last, an address of the subnet {subnet} or a link-local one."
            );
            Problem::new(Code::GatewayNotInSubnet, detail)
                .with("field", field.as_str())
                .with("gateway", gateway.to_string())
                .with("subnet", subnet.to_string())
        }
        Rejection::CidrOverlap { cidr, other, pool } => Problem::new(
            Code::CidrOverlap,
            format!("{cidr} overlaps {other} of pool {pool}."),
        )
        .with("cidr", cidr.to_string())
        .with("other", other.to_string())
        .with("pool", pool.as_str()),
        Rejection::AddressTaken { cidr, held } => Problem::new(
            Code::AddressTaken,
            address_taken_detail(*cidr, held, viewer),
        )
        .with("cidr", cidr.to_string())
        .with("held", json!(views::Allocation::of(held, viewer))),
        Rejection::NotTheHolder { claim } => Problem::new(
            Code::NotTheHolder,
            format!("The claim {claim} is not that owner's."),
        )
        .with("claim", claim.as_str()),
        Rejection::NotReleased { held } => {
            let held = views::Allocation::of(held, viewer);
            let detail = match held.holder_name() {
                Some(holder) => format!("{} is held by {holder}, and was not released.", held.cidr),
                None => format!("{} is held, and was not released.", held.cidr),
            };
            Problem::new(Code::AddressTaken, detail)
                .with("cidr", held.cidr.to_string())
                .with("held", json!(held))
        }
        Rejection::QuotaExceeded {
            quota,
            limit,
            used,
            asked,
        } => {
            let detail = format!(
                "The quota {quota} is {limit}; {used} are used and {asked} more were asked for."
            );
            Problem::new(Code::QuotaExceeded, detail)
                .with("quota", quota.as_str())
                .with("limit", saturated(*limit))
                .with("used", saturated(*used))
                .with("asked", saturated(*asked))
        }
        Rejection::PoolInUse {
            pool,
            claims,
            children,
            holders,
        } => {
            let holders: Vec<_> = holders
                .iter()
                .map(|held| views::Allocation::of(held, viewer))
                .collect();
            let detail =
                format!("The pool {pool} holds {claims} claims and {children} child pools.");
            Problem::new(Code::PoolInUse, detail)
                .with("pool", pool.as_str())
                .with("claims", *claims)
                .with("children", *children)
                .with("holders", json!(holders))
        }
        Rejection::CidrInUse {
            pool,
            cidr,
            holders,
        } => {
            let detail = format!("{cidr} of the pool {pool} holds something.");
            let holders: Vec<views::Allocation> = holders
                .iter()
                .map(|held| views::Allocation::of(held, viewer))
                .collect();
            Problem::new(Code::PoolInUse, detail)
                .with("pool", pool.as_str())
                .with("cidr", cidr.to_string())
                .with("holders", json!(holders))
        }
        Rejection::TenantInUse {
            tenant,
            pools,
            claims,
        } => {
            let detail = format!("The tenant {tenant} has {pools} pools and {claims} claims.");
            Problem::new(Code::TenantInUse, detail)
                .with("tenant", tenant.as_str())
                .with("pools", *pools)
                .with("claims", *claims)
        }
        Rejection::NoPoolMatches { tenant } => {
            let detail = format!("No pool of tenant {tenant} that may be used here matches.");
            Problem::new(Code::NoPoolMatches, detail).with("tenant", tenant.as_str())
        }
        Rejection::PoolExhausted {
            tenant,
            pool,
            prefix_length,
            free,
            largest_free_prefix_length,
            within,
        } => {
            let rest = match largest_free_prefix_length {
                Some(length) => {
                    format!("{free} addresses are free, the largest free block is a /{length}")
                }
                None => "nothing is free".to_owned(),
            };
            let place = if *within {
                " in the ranges asked for"
            } else {
                ""
            };
            let detail = format!(
                "The pool {pool} of tenant {tenant} has no free /{prefix_length}{place}: {rest}."
            );
            Problem::new(Code::PoolExhausted, detail)
                .with("tenant", tenant.as_str())
                .with("pool", pool.as_str())
                .with("prefixLength", *prefix_length)
                .with("free", free.to_string())
                .with("largestFreePrefixLength", *largest_free_prefix_length)
        }
        Rejection::NotPrivate { field, cidr } => {
            let detail = format!("{cidr} is neither RFC 1918 nor RFC 4193.");
            Problem::new(Code::NotPrivate, detail)
                .with("field", field.as_str())
                .with("cidr", cidr.to_string())
        }
        Rejection::PoolDraining { tenant, pool } => {
            let detail = format!("The pool {pool} of tenant {tenant} hands out nothing new.");
            Problem::new(Code::PoolDraining, detail)
                .with("tenant", tenant.as_str())
                .with("pool", pool.as_str())
        }
        Rejection::EpochStale { given, current } => {
            let detail =
                format!("Epoch {given} is older than the last one of the scope, {current}.");
            Problem::new(Code::EpochStale, detail)
                .with("given", *given)
                .with("current", *current)
        }
        Rejection::TooManySuspects { count, limit } => {
            let detail =
                format!("{count} blocks would be released; the caller expects {limit} at most.");
            Problem::new(Code::TooManySuspects, detail)
                .with("count", *count)
                .with("limit", *limit)
        }
        Rejection::TooMany { what, count, limit } => Problem::new(
            Code::TooMany,
            format!("There would be {count} {what}; {limit} are allowed."),
        )
        .with("what", what.as_str())
        .with("count", *count)
        .with("limit", *limit),
        // The operations of a batch are not batches: one inside of another cannot be made.
        Rejection::BatchRefused { .. } | Rejection::NotApplied => Problem::not_applied(),
    }
}

fn address_taken_detail(cidr: Prefix, held: &AllocationView, viewer: Viewer<'_>) -> String {
    let by = match held.purpose {
        Purpose::Reservation => "reserved".to_owned(),
        Purpose::Claim | Purpose::Child => {
            match views::Allocation::of(held, viewer).holder_name() {
                Some(name) => format!("held by {name}"),
                None => "held".to_owned(),
            }
        }
    };
    if held.cidr == cidr {
        format!("{cidr} is {by}.")
    } else {
        format!("{cidr} is not free: {} is {by}.", held.cidr)
    }
}
