//! Refusals: each beside the accepted command that it differs from in one thing, in order of
//! precedence. That a refusal changes nothing is checked by the harness.

mod claims;
mod edits;
mod handouts;
mod life;
mod owners;
mod policy;
mod pools;

use allocator::answer::Rejection;
use allocator::command::{Command, PoolSpec};

use crate::support::{Given, Harness};

/// A change of a claim that is asked for again.
pub(super) type Change = fn(&mut allocator::command::ClaimSpec);

/// One line for a refusal: its name, and what it names.
pub(super) fn line(rejection: &Rejection) -> String {
    match rejection {
        Rejection::VersionRefused { active, asked } => format!("version_refused {active} {asked}"),
        Rejection::AlreadyFormed { cluster_id } => format!("already_formed {cluster_id}"),
        Rejection::InvalidField(problems) => {
            let fields: Vec<&str> = problems
                .iter()
                .map(|problem| problem.field.as_str())
                .collect();
            format!("invalid_field {}", fields.join(" "))
        }
        Rejection::TenantNotFound { tenant } => format!("tenant_not_found {tenant}"),
        Rejection::PoolNotFound { tenant, pool } => format!("pool_not_found {tenant} {pool}"),
        Rejection::ClaimNotFound { claim, ended, .. } => {
            format!(
                "claim_not_found {claim} {}",
                ended.as_ref().map_or(0, |ended| ended.generation)
            )
        }
        Rejection::AllocationNotFound { space, cidr, .. } => {
            format!("allocation_not_found {space} {cidr}")
        }
        Rejection::AlreadyExists { name, field, .. } => format!("already_exists {name} {field}"),
        Rejection::ClaimMismatch { claim, field } => format!("claim_mismatch {claim} {field}"),
        Rejection::GenerationStale { given, current } => {
            format!("generation_stale {given} {current:?}")
        }
        Rejection::NotTheHolder { claim } => format!("not_the_holder {claim}"),
        Rejection::NotReleased { held } => format!("not_released {} {:?}", held.cidr, held.phase),
        Rejection::RevisionMismatch { given, current } => {
            format!("revision_mismatch {given} {current}")
        }
        Rejection::FamilyMismatch { field, asked, pool } => {
            format!("family_mismatch {field} {asked} {pool}")
        }
        Rejection::PrefixLengthOutOfBounds {
            field,
            asked,
            min,
            max,
        } => format!("length {field} {asked:?} {min} {max}"),
        Rejection::GatewayNotInSubnet {
            field,
            gateway,
            subnet,
        } => format!("gateway {field} {gateway} {subnet}"),
        Rejection::CidrOverlap { cidr, other, pool } => {
            format!("cidr_overlap {cidr} {other} {pool}")
        }
        Rejection::AddressTaken { cidr, held } => format!("address_taken {cidr} {}", held.cidr),
        Rejection::QuotaExceeded {
            quota,
            limit,
            used,
            asked,
        } => format!("quota {quota} {limit} {used} {asked}"),
        Rejection::PoolInUse {
            claims,
            children,
            holders,
            ..
        } => format!("pool_in_use {claims} {children} {}", holders.len()),
        Rejection::CidrInUse { cidr, holders, .. } => {
            format!("cidr_in_use {cidr} {}", holders.len())
        }
        Rejection::TenantInUse { pools, claims, .. } => format!("tenant_in_use {pools} {claims}"),
        Rejection::NoPoolMatches { tenant } => format!("no_pool_matches {tenant}"),
        Rejection::PoolExhausted {
            prefix_length,
            free,
            largest_free_prefix_length,
            ..
        } => {
            format!("pool_exhausted {prefix_length} {free} {largest_free_prefix_length:?}")
        }
        Rejection::NotPrivate { field, cidr } => format!("not_private {field} {cidr}"),
        Rejection::PoolDraining { tenant, pool } => format!("pool_draining {tenant} {pool}"),
        Rejection::EpochStale { given, current } => format!("epoch_stale {given} {current}"),
        Rejection::TooManySuspects { count, limit } => format!("too_many_suspects {count} {limit}"),
        Rejection::TooMany { what, count, limit } => format!("too_many {what} {count} {limit}"),
        Rejection::BatchRefused {
            failed_index,
            reasons,
        } => {
            let reasons: Vec<String> = reasons.iter().map(line).collect();
            format!("batch {failed_index} [{}]", reasons.join("; "))
        }
        Rejection::NotApplied => String::from("not_applied"),
    }
}

/// Each row on a fresh state: the accepted command (as a dry run), then the refused ones.
pub(super) fn check(
    setup: impl Fn(&mut Harness),
    accepted: impl Into<Given>,
    refused: Vec<(Given, &str)>,
) {
    let mut harness = Harness::new();
    setup(&mut harness);
    for (given, expected) in refused {
        assert_eq!(line(&harness.refused(given)), expected);
    }
    harness.ok(accepted);
}

pub(super) fn given(command: impl Into<Given>) -> Given {
    command.into()
}

pub(super) fn change(mut spec: PoolSpec, change: impl FnOnce(&mut PoolSpec)) -> Given {
    change(&mut spec);
    Given(Command::PoolCreate(Box::new(spec)))
}
