//! `ipamctl reconcile`

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use allocator::name::Name;
use api::fields::Labels;
use api::requests::{HoldingRef, OwnerRelease, OwnersReconcile, ReconcileScope};
use api::views::{OwnerReleased, Reconciled, ReleasedHolding};
use serde::{Deserialize, Serialize};

use super::Context;
use super::owner::released;
use crate::args::Reconcile;
use crate::clock;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::output::{self, column, printable, table};

/// Holdings in one request: with the longest names they stay within the server's bound on bodies.
const HOLDINGS_A_STEP: usize = 1_000;

/// What `--report` writes and `--apply` reads. The API's own answer is read too.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    /// The tenant that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<Name>,
    #[serde(flatten)]
    reconciled: Reconciled,
}

pub(super) async fn run(context: &Context, asked: Reconcile) -> Result<(), Failure> {
    match (&asked.live, &asked.apply) {
        (Some(live), _) => declare(context, &asked, live).await,
        (None, Some(report)) => apply(context, &asked, report).await,
        (None, None) => Err(Failure::Usage("--live or --apply is needed".to_owned())),
    }
}

/// Declares who is there, and releases what the others hold.
async fn declare(context: &Context, asked: &Reconcile, live: &Path) -> Result<(), Failure> {
    let tenant = context.tenant()?;
    let live = lines(&read(live)?);
    let scope = asked.prefix.clone().unwrap_or_else(|| {
        let labels = asked.labels.iter();
        let pairs: Vec<String> = labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join(",")
    });
    let what = format!(
        "what holders in {scope} have that are not among the {} listed may be released",
        live.len()
    );
    confirm(&what, &scope, asked.destroy.is_confirmed()).await?;
    let dry_run = asked.destroy.dry_run.dry_run;
    let (live, live_claims) = if asked.claims {
        (None, Some(live))
    } else {
        (Some(live), None)
    };
    let report = asked.report.as_deref().map(ReportFile::open).transpose()?;
    let epoch = asked.epoch.unwrap_or_else(|| {
        let epoch = clock::now_ms();
        output::note(&format!("epoch {epoch}"));
        epoch
    });
    let request = OwnersReconcile {
        scope: ReconcileScope {
            owner_prefix: asked.prefix.clone(),
            labels: (!asked.labels.is_empty())
                .then(|| Labels(asked.labels.iter().cloned().collect())),
        },
        live,
        live_claims,
        epoch,
        grace_seconds: Some(asked.grace),
        sightings: Some(asked.sightings.unwrap_or(if dry_run { 1 } else { 2 })),
        release_at_most: asked.release_at_most,
        as_of_revision: asked.as_of,
        dry_run: false,
    };
    let writer = context.writer(asked.destroy.dry_run);
    let found = writer.owners_reconcile(tenant, &request).await;
    let found = found.map_err(|error| {
        Failure::fenced(error, || {
            format!("the same command with --epoch {epoch} counts once, however often it is sent")
        })
    })?;
    let found = found.body;
    // What was released is shown also where it cannot be written.
    let written = match report {
        Some(file) if !found.repeated => file.write(&Report {
            tenant: Some(tenant.clone()),
            reconciled: found.clone(),
        }),
        Some(file) => Err(file.left_out()),
        None => Ok(()),
    };
    let would = if dry_run {
        "would be released"
    } else {
        "released"
    };
    output::note(&format!(
        "{} {would}, {} suspects, {} missing",
        found.released.len(),
        found.suspects_total,
        found.missing.len()
    ));
    if found.repeated {
        output::note(
            "the epoch was counted before: what was released by it then is told by 'ipamctl history', not here",
        );
    }
    context
        .output
        .document(&found, &names(&found), |wide| text(&found, wide))?;
    written
}

/// Releases what a report lists: just those holdings.
async fn apply(context: &Context, asked: &Reconcile, path: &Path) -> Result<(), Failure> {
    let tenant = context.tenant()?;
    let report: Report = serde_json::from_str(&read(path)?)
        .map_err(|error| Failure::File(format!("{} is no report: {error}", path.display())))?;
    if let Some(other) = report.tenant.filter(|other| other != tenant) {
        return Err(Failure::File(format!(
            "{} is a report of tenant {other}",
            path.display()
        )));
    }
    let holdings = report.reconciled.released;
    let what = format!("{} holdings will be released", holdings.len());
    confirm(&what, tenant.as_str(), asked.destroy.is_confirmed()).await?;
    let writer = context.writer(asked.destroy.dry_run);
    let mut sum = OwnerReleased {
        released: 0,
        remaining: 0,
        already_ended: 0,
        revision: report.reconciled.revision,
    };
    for part in holdings.chunks(HOLDINGS_A_STEP) {
        let request = OwnerRelease {
            holdings: Some(part.iter().map(holding).collect()),
            ..OwnerRelease::default()
        };
        let step = writer.owner_release(tenant, &request).await?.body;
        sum = OwnerReleased {
            released: sum.released.saturating_add(step.released),
            already_ended: sum.already_ended.saturating_add(step.already_ended),
            ..step
        };
    }
    released(context, &sum)
}

fn holding(one: &ReleasedHolding) -> HoldingRef {
    HoldingRef {
        tenant: one.pool.tenant.clone(),
        space: Some(one.space.to_string()),
        cidr: one.cidr.to_string(),
        generation: one.generation,
    }
}

/// One entry on a line; empty lines and those that begin with # are none.
fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// A file; `-` is stdin.
fn read(path: &Path) -> Result<String, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    text.map_err(|source| Failure::Local {
        what: format!("cannot read {}", path.display()),
        source,
    })
}

/// The file of `--report`. It is opened before anything is released, and what is in it stays until there
/// is something to write.
struct ReportFile {
    path: PathBuf,
    file: File,
}

impl ReportFile {
    fn open(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(path);
        match file {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file,
            }),
            Err(source) => Err(unwritable(path, source)),
        }
    }

    fn write(mut self, report: &Report) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(report)
            .map_err(|error| Failure::File(format!("cannot write JSON: {error}")))?;
        text.push('\n');
        // A terminal or a pipe has no length to cut.
        let emptied = match self.file.metadata() {
            Ok(about) if about.is_file() => self.file.set_len(0),
            _ => Ok(()),
        };
        emptied
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .map_err(|source| unwritable(&self.path, source))
    }

    /// Nothing is written of a repeat, which no longer knows what was released.
    fn left_out(self) -> Failure {
        let path = self.path.display();
        Failure::InPart(format!(
            "{path} is as it was: the answer is that to a repeat, which does not list what was released"
        ))
    }
}

fn unwritable(path: &Path, source: io::Error) -> Failure {
    Failure::Local {
        what: format!("cannot write {}", path.display()),
        source,
    }
}

/// What was released, one block on a line.
fn names(found: &Reconciled) -> String {
    let blocks = found.released.iter().map(|one| one.cidr.to_string());
    blocks.collect::<Vec<String>>().join("\n")
}

/// What was released, who is a suspect, who is missing.
fn text(found: &Reconciled, wide: bool) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for one in &found.released {
        rows.push(vec![
            "released".to_owned(),
            one.owner.clone().unwrap_or_default(),
            one.claim.to_string(),
            one.cidr.to_string(),
            one.generation.to_string(),
        ]);
    }
    for one in &found.suspects {
        let blocks = format!("{} blocks, {} sightings", one.blocks, one.sightings);
        rows.push(vec![
            "suspect".to_owned(),
            one.owner.clone().unwrap_or_default(),
            one.claim
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            blocks,
            String::new(),
        ]);
    }
    for one in &found.missing {
        let one = printable(one).into_owned();
        rows.push(vec![
            "missing".to_owned(),
            one,
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    let columns = ["WHAT", "OWNER", "CLAIM", "BLOCK", "GENERATION"].map(column);
    if rows.is_empty() {
        return String::new();
    }
    table::render(&columns, &rows, wide, false)
}
