//! Batches of claims and releases.

use allocator::answer::Outcome;
use allocator::command::{Command, Operation};
use allocator::name::Name;
use api::problem::{Problem, Viewer};
use api::reply::{Body, Reply};
use api::requests::query::Mutation;
use api::requests::{Batch, RefusedOperations};
use api::views::BatchResult;

use super::answer::{Answered, Failure};
use super::call::Call;
use super::claims::{count_refused, pool_of, tell};
use super::server::Server;
use super::write::{Written, write};

pub(super) async fn batch_apply(server: &Server, mut call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let read = Batch::parse(&body, &tenant, server.random())?;
    let (command, refused) = read.split(server.stamp().revision)?;
    if dry_run {
        let written = write(server, &call, command, dry_run).await?;
        return answered(&written, written.document(Viewer::Tenant(&tenant)), refused);
    }
    let pools = pools_of(&command);
    let written = match write(server, &call, command, dry_run).await {
        Ok(written) => written,
        Err(problem) => {
            for pool in pools.iter().flatten() {
                count_refused(server, &call, Some(pool), &problem);
            }
            return Err(problem.into());
        }
    };
    tell_each(server, &call, &written);
    let replied = written.document(Viewer::Tenant(&tenant));
    match &replied {
        Ok(reply) => {
            if let Body::Batch(batch) = &reply.body {
                count_each(server, &call, &pools, &batch.results);
            }
        }
        Err(failure) => count_refused(
            server,
            &call,
            culprit(&pools, &failure.problem),
            &failure.problem,
        ),
    }
    answered(&written, replied, refused)
}

/// The answer, with the operations that were not proposed where they were asked for.
fn answered(
    written: &Written,
    replied: Result<Reply, Failure>,
    refused: RefusedOperations,
) -> Answered {
    let mut reply = replied?;
    if let Body::Batch(batch) = &mut reply.body {
        batch.results = refused.merge(std::mem::take(&mut batch.results));
    }
    Ok(written.encode(&reply))
}

/// The pool of each operation that claims; a release names none.
fn pools_of(command: &Command) -> Vec<Option<(Name, Name)>> {
    let Command::Batch { operations, .. } = command else {
        return Vec::new();
    };
    operations
        .iter()
        .map(|operation| match operation {
            Operation::CreateClaim(spec) => pool_of(spec),
            Operation::ReleaseClaim(_) => None,
        })
        .collect()
}

fn tell_each(server: &Server, call: &Call, written: &Written) {
    if let Ok(Outcome::Batch(results)) = &written.answer.result {
        for outcome in results.iter().flatten() {
            // Of a batch that is not atomic each operation has a revision of its own.
            let revision = match outcome {
                Outcome::ClaimCreated(claim) | Outcome::ClaimReleased(claim) => claim.revision,
                _ => written.answer.revision,
            };
            tell(server, call, outcome, revision);
        }
    }
}

/// Counts the operations that were refused; the answer as a whole is 200.
fn count_each(
    server: &Server,
    call: &Call,
    pools: &[Option<(Name, Name)>],
    results: &[BatchResult],
) {
    for (pool, result) in pools.iter().zip(results) {
        let Some(problem) = &result.problem else {
            continue;
        };
        if matches!(problem.status, 409 | 412) {
            server.allocations().conflict();
        }
        if pool.is_some() {
            count_refused(server, call, pool.as_ref(), problem);
        }
    }
}

/// The pool of the operation for which an atomic batch was refused.
fn culprit<'a>(pools: &'a [Option<(Name, Name)>], problem: &Problem) -> Option<&'a (Name, Name)> {
    let index = problem.facts.get("failedIndex")?.as_u64()?;
    pools.get(usize::try_from(index).ok()?)?.as_ref()
}
