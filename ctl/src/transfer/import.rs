//! `ipamctl import`: rows to claims, in batches that are each done row by row.

use std::sync::Arc;

use allocator::command::BATCH_OPERATIONS_MAX;
use allocator::prefix::Prefix;
use api::Problem;
use api::requests::{Batch, BatchOperation, ClaimCreate, Naming};
use client::Client;
use serde_json::{Map, Value};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinSet;

use super::from::Foreign;
use super::pools::Pools;
use super::report::{Place, Report};
use super::rows::{self, Row, Said};
use crate::args::{Import, Source};
use crate::commands::Context;
use crate::failure::{Failure, code_of_status};
use crate::progress::Progress;

/// Batches on their way at once: the nodes work on one while the next is read.
const BATCHES_MAX: usize = 4;
/// A batch is sent before its body may come to more than a node takes (1 MiB).
const BATCH_BYTES_MAX: usize = 768 << 10;
/// Rows that were read and not looked at yet.
const ROWS_AHEAD_MAX: usize = 4_096;
/// Rows between two words of the progress.
const ROWS_TOLD: u64 = 500;

/// Imports the files.
pub(crate) async fn run(context: &Context, import: &Import) -> Result<(), Failure> {
    // Asked for before anything is read.
    context.tenant()?;
    let from = import
        .from
        .map(|source| foreign(source, import.node.as_deref()))
        .transpose()?;
    let progress = match (&from, rows::total_bytes(&import.files)) {
        (Some(Foreign::HostLocal { .. }), _) | (_, None) => Progress::of_unknown_length(),
        (_, Some(bytes)) => Progress::of_bytes(bytes),
    };
    let (to, rows) = channel(ROWS_AHEAD_MAX);
    let (files, counter) = (import.files.clone(), progress.counter());
    let reader =
        tokio::task::spawn_blocking(move || rows::read(&files, from.as_ref(), &counter, &to));
    let mut run = Run {
        context,
        import,
        client: context.writer(import.dry_run),
        report: Report::new(import.report.as_deref())?,
        progress,
        pools: None,
        batch: Pending::default(),
        sent: JoinSet::new(),
    };
    let outcome = run.all(rows).await;
    run.progress.end();
    // Where it was stopped the reader may wait for more of stdin, which nobody will look at.
    let read = match &outcome {
        Ok(()) => reader.await.unwrap_or_else(|error| {
            let reason = format!("reading the files broke off: {error}");
            Err(Failure::File(reason))
        }),
        Err(_) => Ok(()),
    };
    context.output.list(&[run.report.counts], None)?;
    let refused = run.report.end();
    outcome.and(read).and(refused)
}

fn foreign(source: Source, node: Option<&str>) -> Result<Foreign, Failure> {
    Ok(match (source, node) {
        (Source::HostLocal, Some(node)) => Foreign::HostLocal {
            node: node.to_owned(),
        },
        (Source::HostLocal, None) => Foreign::HostLocal { node: host_name()? },
        (_, Some(_)) => {
            let reason = "--node is for --from host-local".to_owned();
            return Err(Failure::Usage(reason));
        }
        (Source::Milo, None) => Foreign::Milo,
        (Source::Kubeslice, None) => Foreign::Kubeslice,
        (Source::Calico, None) => Foreign::Calico,
        (Source::Whereabouts, None) => Foreign::Whereabouts,
    })
}

/// As Linux tells it; elsewhere it is to be stated.
fn host_name() -> Result<String, Failure> {
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(name) => Ok(name.trim().to_owned()),
        Err(_) => Err(Failure::Usage(
            "this host's name is not known: give --node".to_owned(),
        )),
    }
}

/// Claims that wait to be sent.
#[derive(Debug, Default)]
struct Pending {
    places: Vec<Place>,
    claims: Vec<ClaimCreate>,
    bytes: usize,
}

/// A batch that was sent, and its answer.
type Sent = (
    Vec<Place>,
    Result<Vec<api::views::BatchResult>, client::Error>,
);

struct Run<'a> {
    context: &'a Context,
    import: &'a Import,
    client: Client,
    report: Report,
    progress: Progress,
    /// Read when the first row names no pool.
    pools: Option<Pools>,
    batch: Pending,
    sent: JoinSet<Sent>,
}

impl Run<'_> {
    async fn all(&mut self, mut rows: Receiver<Row>) -> Result<(), Failure> {
        while let Some(row) = rows.recv().await {
            self.report.counts.rows += 1;
            if self.report.counts.rows % ROWS_TOLD == 1 {
                let counts = &self.report.counts;
                self.progress
                    .tell(format!("{} rows, {} refused", counts.rows, counts.refused));
            }
            self.one(row).await?;
        }
        self.send().await?;
        while !self.sent.is_empty() {
            self.answered().await?;
        }
        Ok(())
    }

    async fn one(&mut self, row: Row) -> Result<(), Failure> {
        let Row { file, line, said } = row;
        let place = |fields: Option<&Map<String, Value>>| {
            let of = |field| {
                fields
                    .and_then(|fields| fields.get(field))
                    .and_then(Value::as_str)
            };
            Place {
                file: Arc::clone(&file),
                line,
                name: of("name").unwrap_or_default().to_owned(),
                cidr: of("cidr").unwrap_or_default().to_owned(),
            }
        };
        let mut fields = match said {
            Said::Claim(fields) => fields,
            Said::Skipped(why) => return self.report.skipped(&place(None), &why),
            Said::Wrong(why) => {
                let nowhere = place(None);
                return self
                    .report
                    .refused(&nowhere, "invalid_field", &why, 6, &self.progress);
            }
        };
        name_by_block(&mut fields);
        let place = place(Some(&fields));
        if let Some(pool) = &self.import.pool {
            let pool = serde_json::to_value(pool).map_err(client::Error::Unwritable)?;
            fields.insert("pool".to_owned(), pool);
            fields.remove("poolSelector");
        } else if !fields.contains_key("pool") && !fields.contains_key("poolSelector") {
            let block = place.cidr.parse::<Prefix>().ok();
            let pools = self.pools().await?;
            let innermost = block.and_then(|block| pools.innermost(block));
            match innermost.map(ToString::to_string) {
                Some(pool) => drop(fields.insert("pool".to_owned(), pool.into())),
                // A block that is none is told by the check of the field.
                None if block.is_none() => drop(fields.insert("pool".to_owned(), "none".into())),
                None => {
                    let why = format!("no pool of space {} has this block", self.import.space);
                    return self
                        .report
                        .refused(&place, "pool_not_found", &why, 4, &self.progress);
                }
            }
        }
        match checked(fields, self.context.tenant()?) {
            Ok((claim, bytes)) => self.add(place, claim, bytes).await,
            Err(problem) => self.refuse(&place, &problem),
        }
    }

    async fn pools(&mut self) -> Result<&Pools, Failure> {
        if self.pools.is_none() {
            self.pools = Some(Pools::load(self.context, &self.import.space).await?);
        }
        Ok(self.pools.as_ref().expect("they were read"))
    }

    async fn add(&mut self, place: Place, claim: ClaimCreate, bytes: usize) -> Result<(), Failure> {
        let full = self.batch.claims.len() >= BATCH_OPERATIONS_MAX;
        if full || self.batch.bytes + bytes > BATCH_BYTES_MAX {
            self.send().await?;
        }
        self.batch.places.push(place);
        self.batch.claims.push(claim);
        self.batch.bytes += bytes;
        Ok(())
    }

    /// Sends what waits, once there is room for one more batch on its way.
    async fn send(&mut self) -> Result<(), Failure> {
        let Pending { places, claims, .. } = std::mem::take(&mut self.batch);
        if claims.is_empty() {
            return Ok(());
        }
        while self.sent.len() >= BATCHES_MAX {
            self.answered().await?;
        }
        let operations = claims.into_iter().map(|claim| BatchOperation {
            create_claim: Some(claim),
            release_claim: None,
        });
        let batch = Batch {
            atomic: false,
            operations: operations.collect(),
        };
        let (client, tenant) = (self.client.clone(), self.context.tenant()?.clone());
        self.sent.spawn(async move {
            let answer = client.batch_apply(&tenant, &batch).await;
            (places, answer.map(|answer| answer.body.results))
        });
        Ok(())
    }

    /// Waits for the answer of one batch. One that failed as a whole ends the import: its rows can be sent
    /// again, and so can all others.
    async fn answered(&mut self) -> Result<(), Failure> {
        let Some(sent) = self.sent.join_next().await else {
            return Ok(());
        };
        let (places, results) =
            sent.map_err(|error| Failure::File(format!("a batch broke off: {error}")))?;
        let results = match results {
            Ok(results) => results,
            Err(error) => {
                let first = places.first().map(|place| (place.file.clone(), place.line));
                if let Some((file, line)) = first {
                    self.progress.note(&format!(
                        "stopped at {file}, line {line}; what is imported stays, and the same command goes on from there"
                    ));
                }
                return Err(error.into());
            }
        };
        if results.len() < places.len() {
            let (rows, answers) = (places.len(), results.len());
            let reason = format!("a node gave {answers} answers for {rows} rows");
            return Err(Failure::File(reason));
        }
        for (place, result) in places.iter().zip(results) {
            match result.problem {
                Some(problem) => self.refuse(place, &problem)?,
                None if result.status == 201 => self.report.counts.created += 1,
                None => self.report.counts.unchanged += 1,
            }
        }
        Ok(())
    }

    fn refuse(&mut self, place: &Place, problem: &Problem) -> Result<(), Failure> {
        let fields: Vec<String> = problem
            .fields()
            .iter()
            .map(|field| {
                format!(
                    "{} {}; allowed: {}",
                    field.field, field.problem, field.allowed
                )
            })
            .collect();
        let detail = if fields.is_empty() {
            problem.detail.clone()
        } else {
            fields.join("; ")
        };
        let code = code_of_status(problem.status);
        self.report
            .refused(place, &problem.code, &detail, code, &self.progress)
    }
}

/// A claim without a name has that of its block, so that it is the same claim in every import.
fn name_by_block(fields: &mut Map<String, Value>) {
    if fields.contains_key("name") {
        return;
    }
    if let Some(cidr) = fields.get("cidr").and_then(Value::as_str) {
        let name = format!("import-{}", cidr.replace('/', "-"));
        fields.insert("name".to_owned(), name.into());
    }
}

/// The claim as a node would read it, and the bytes that it comes to.
fn checked(
    fields: Map<String, Value>,
    tenant: &allocator::name::Name,
) -> Result<(ClaimCreate, usize), Problem> {
    let document = Value::Object(fields);
    let body = document.to_string();
    let naming = Naming {
        idempotency_key: None,
        random: &|| 0,
    };
    ClaimCreate::parse(body.as_bytes(), tenant, naming)?;
    let claim = serde_json::from_value(document).map_err(Problem::invalid_json)?;
    Ok((claim, body.len()))
}
