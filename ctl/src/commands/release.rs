//! `ipamctl claim release`: claims by name or by label, each by the generation that it was found with.

use std::io;

use allocator::name::Name;
use api::views::{Claim, List};
use client::{Answer, Client, Filter};

use super::{Context, collect};
use crate::args::ClaimRelease;
use crate::confirm::confirm;
use crate::failure::{Failure, is_outage};
use crate::output;
use crate::progress::Progress;

/// A holding that is to end.
struct Doomed {
    name: Name,
    generation: u64,
}

/// What became of several claims.
#[derive(Default)]
struct Outcomes {
    released: Vec<Answer<Claim>>,
    failures: Vec<Failure>,
    /// Not even tried, since the cluster serves no longer.
    untried: usize,
}

impl Outcomes {
    /// Counts a failure; whether the next claim is worth trying.
    fn failed(&mut self, error: client::Error, again: impl FnOnce() -> String) -> bool {
        let goes_on = !is_outage(&error);
        self.failures.push(Failure::fenced(error, again));
        goes_on
    }

    fn total(&self) -> usize {
        self.released.len() + self.failures.len() + self.untried
    }
}

pub(super) async fn run(context: &Context, release: &ClaimRelease) -> Result<(), Failure> {
    let tenant = context.tenant()?;
    match &release.selector {
        Some(selector) => selected(context, tenant, release, selector).await,
        None => named(context, tenant, release).await,
    }
}

/// The claims of those names. A generation that is not stated is looked up and told before anything is
/// sent: a repeat that carries it releases nothing that the name was given later.
async fn named(context: &Context, tenant: &Name, release: &ClaimRelease) -> Result<(), Failure> {
    if release.generation.is_some() && release.names.len() > 1 {
        return Err(Failure::Usage("--generation is for one claim".to_owned()));
    }
    // Asked for before anything is: a node is not needed to say no.
    let (what, word) = match release.names.as_slice() {
        [one] => (format!("claim {one}"), one.to_string()),
        several => {
            let count = several.len().to_string();
            (format!("{count} claims"), count)
        }
    };
    let what = format!("{what} will be released");
    confirm(&what, &word, release.destroy.is_confirmed()).await?;
    let mut outcomes = Outcomes::default();
    let mut doomed = Vec::new();
    for name in &release.names {
        let generation = match release.generation {
            Some(generation) => Ok(generation),
            None => looked_up(context, tenant, name).await,
        };
        let name = name.clone();
        match generation {
            Ok(generation) => doomed.push(Doomed { name, generation }),
            Err(error) => {
                if !outcomes.failed(error, String::new) {
                    outcomes.untried = release.names.len() - outcomes.failures.len();
                    return tell(context, release, outcomes);
                }
            }
        }
    }
    all(context, tenant, release, doomed, &mut outcomes).await;
    tell(context, release, outcomes)
}

async fn looked_up(context: &Context, tenant: &Name, name: &Name) -> Result<u64, client::Error> {
    let shown = context.client.claim_show(tenant, name).await?;
    let generation = shown.body.status.generation;
    output::note(&format!("claim {name} has generation {generation}"));
    Ok(generation)
}

/// Each claim that the selector finds.
async fn selected(
    context: &Context,
    tenant: &Name,
    release: &ClaimRelease,
    selector: &str,
) -> Result<(), Failure> {
    let filter = Filter::new().by("labelSelector", selector);
    // Of the pages no more is kept than it takes to release what is on them.
    let page = |filter: Filter| async move {
        let answer = context.client.claim_list(tenant, &filter).await?;
        let items = answer.body.items.into_iter().map(|claim| Doomed {
            name: claim.name,
            generation: claim.status.generation,
        });
        Ok(Answer {
            status: answer.status,
            revision: answer.revision,
            body: List {
                items: items.collect(),
                next_page_token: answer.body.next_page_token,
                revision: answer.body.revision,
            },
        })
    };
    let (doomed, _) = collect(filter, None, page).await?;
    if doomed.is_empty() {
        return context.output.list::<Claim>(&[], None);
    }
    let count = doomed.len().to_string();
    let what = format!("{count} claims will be released");
    confirm(&what, &count, release.destroy.is_confirmed()).await?;
    let mut outcomes = Outcomes::default();
    all(context, tenant, release, doomed, &mut outcomes).await;
    tell(context, release, outcomes)
}

/// Releases one after the other, until the cluster serves no longer.
async fn all(
    context: &Context,
    tenant: &Name,
    release: &ClaimRelease,
    doomed: Vec<Doomed>,
    outcomes: &mut Outcomes,
) {
    let client: Client = context.writer(release.destroy.dry_run);
    let progress = Progress::of_things(doomed.len());
    for (index, Doomed { name, generation }) in doomed.iter().enumerate() {
        progress.done(index);
        match client.claim_release(tenant, name, *generation).await {
            Ok(answer) => outcomes.released.push(answer),
            Err(error) => {
                let again = || {
                    format!(
                        "'ipamctl claim release {name} --generation {generation}' asks for the same once more"
                    )
                };
                if !outcomes.failed(error, again) {
                    outcomes.untried = doomed.len() - index - 1;
                    break;
                }
            }
        }
    }
    progress.end();
}

/// Shows those that were released, tells each failure, and fails if any did. One claim that was named is
/// shown as itself; what else may be several is a list, however many it comes to.
fn tell(context: &Context, release: &ClaimRelease, mut outcomes: Outcomes) -> Result<(), Failure> {
    let total = outcomes.total();
    if release.selector.is_none() && total == 1 {
        return match (outcomes.released.pop(), outcomes.failures.pop()) {
            (Some(answer), _) => {
                context.changed("claim", &answer, "released", release.destroy.dry_run)
            }
            (None, Some(failure)) => Err(failure),
            (None, None) => Ok(()),
        };
    }
    let released = outcomes.released.into_iter();
    let claims: Vec<Claim> = released.map(|answer| answer.body).collect();
    context.output.list(&claims, None)?;
    for failure in &outcomes.failures {
        // When stderr is gone there is nobody to tell.
        failure.print(&mut io::stderr().lock()).ok();
    }
    match (outcomes.failures.first(), outcomes.untried) {
        (None, _) => Ok(()),
        (Some(first), 0) => Err(Failure::Several {
            failed: outcomes.failures.len(),
            total,
            code: first.exit_code(),
        }),
        (Some(_), untried) => Err(Failure::Stopped { untried, total }),
    }
}
