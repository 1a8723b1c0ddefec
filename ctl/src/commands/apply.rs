//! `ipamctl apply` and `ipamctl plan`: what files describe, made so.
//!
//! 1. A document is a merge patch of what is there: a field that it does not state stays as it is, and one
//!    that is `null` is reset. What is not there is made of it.
//! 2. Whether something differs is the node's own answer: an edit is asked for as a dry run first, and done
//!    only where the object would not be the same after it. So apply after apply changes nothing.
//! 3. One document that fails does not keep the others from being applied; nothing is pruned then. Where the
//!    cluster serves no longer, what is left is not tried.

use std::collections::BTreeSet;

use api::problem::Code;
use api::requests::{ClaimCreate, PoolCreate, TenantCreate};
use client::{Answer, Client};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::planned::Planned;
use super::{Context, prune};
use crate::args::{Apply, Manifests};
use crate::failure::{Failure, is_outage};
use crate::manifest::{self, Document, Key, Kind};
use crate::output::{self, Column, Row, column, wide_column};
use crate::progress::Progress;

/// Applies the files, or tells what that would do.
pub(super) async fn run(context: &Context, apply: &Apply) -> Result<(), Failure> {
    if apply.dry_run.dry_run {
        return plan(context, &apply.manifests).await;
    }
    let run = Run::new(context, &apply.manifests, false)?;
    run.all(&apply.manifests, apply.yes).await
}

/// Tells what applying the files would do.
pub(super) async fn plan(context: &Context, manifests: &Manifests) -> Result<(), Failure> {
    let run = Run::new(context, manifests, true)?;
    run.all(manifests, true).await
}

/// What became of a document, or of what was pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Action {
    /// It was made.
    Create,
    /// It was edited.
    Change,
    /// It was so already.
    Unchanged,
    /// It was pruned.
    Delete,
    /// It was refused.
    Failed,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Unchanged => "unchanged",
            Self::Delete => "delete",
            Self::Failed => "failed",
        }
    }
}

/// One row of the result.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) action: Action,
    pub(super) kind: Kind,
    pub(super) tenant: String,
    pub(super) name: String,
    /// The blocks that it has, where they are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) blocks: Vec<String>,
    /// The fields that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) changes: Vec<Change>,
    /// The code of the problem, where it failed for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
}

/// A field that differs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    field: String,
    from: Value,
    to: Value,
}

impl Step {
    pub(super) fn new(action: Action, key: &Key) -> Self {
        Self {
            action,
            kind: key.kind,
            tenant: key.tenant.to_string(),
            name: key.name.to_string(),
            blocks: Vec::new(),
            changes: Vec::new(),
            code: None,
        }
    }

    /// The fields that differ, of labels and the like the field that they are in.
    pub(super) fn changed_fields(&self) -> impl Iterator<Item = &str> {
        self.changes
            .iter()
            .filter_map(|change| change.field.split('.').next())
    }
}

impl Row for Step {
    const COLUMNS: &'static [Column] = &[
        column("ACTION"),
        column("KIND"),
        column("TENANT"),
        column("NAME"),
        column("BLOCK"),
        column("FIELDS"),
        wide_column("FROM"),
        wide_column("TO"),
    ];

    fn name(&self) -> String {
        format!("{}/{}", self.kind.word(), self.name)
    }

    fn cells(&self, _: u64) -> Vec<String> {
        let each = |part: fn(&Change) -> String| {
            let parts: Vec<String> = self.changes.iter().map(part).collect();
            parts.join(",")
        };
        vec![
            self.action.word().to_owned(),
            self.kind.word().to_owned(),
            self.tenant.clone(),
            self.name.clone(),
            self.blocks.join(","),
            match &self.code {
                Some(code) => code.clone(),
                None => each(|change| change.field.clone()),
            },
            each(|change| change.from.to_string()),
            each(|change| change.to.to_string()),
        ]
    }
}

struct Run<'a> {
    context: &'a Context,
    only_plans: bool,
    documents: Vec<Document>,
    planned: Planned,
    steps: Vec<Step>,
    failures: Vec<Failure>,
    /// What is not even tried, since the cluster serves no longer.
    untried: usize,
}

impl<'a> Run<'a> {
    fn new(context: &'a Context, manifests: &Manifests, only_plans: bool) -> Result<Self, Failure> {
        let documents = manifest::load(&manifests.files, context.settings.stated_tenant())?;
        Ok(Self {
            context,
            only_plans,
            documents,
            planned: Planned::default(),
            steps: Vec::new(),
            failures: Vec::new(),
            untried: 0,
        })
    }

    async fn all(mut self, manifests: &Manifests, yes: bool) -> Result<(), Failure> {
        let doomed = match &manifests.selector {
            None => prune::Doomed::default(),
            Some(selector) => {
                let kept = self.documents.iter().map(|document| document.key.clone());
                let doomed = prune::find(self.context, selector, kept.collect()).await?;
                doomed.confirm(yes).await?;
                doomed
            }
        };
        self.documents().await;
        if self.failures.is_empty() {
            let count = doomed.count();
            let outcomes = doomed.delete(self.context, self.only_plans).await;
            self.untried = count - outcomes.len();
            for (key, outcome) in outcomes {
                match outcome {
                    Ok(()) => self.steps.push(Step::new(Action::Delete, &key)),
                    Err(error) => {
                        let text = format!("error: {key}: {error}");
                        output::note(&output::printable(&text));
                        self.note_failure(&key, error);
                    }
                }
            }
        } else if !doomed.is_empty() {
            output::note("nothing was pruned, since not all of the files could be applied");
        }
        self.finish()
    }

    async fn documents(&mut self) {
        let documents = std::mem::take(&mut self.documents);
        let progress = Progress::of_things(documents.len());
        for (index, document) in documents.iter().enumerate() {
            progress.done(index);
            match self.one(document).await {
                Ok(step) => {
                    self.planned.note(document.key.clone(), &step);
                    self.steps.push(step);
                }
                Err(error) => {
                    let goes_on = !is_outage(&error);
                    self.failed(document, error, &progress);
                    if !goes_on {
                        self.untried = documents.len() - index - 1;
                        break;
                    }
                }
            }
        }
        progress.end();
    }

    async fn one(&self, document: &Document) -> Result<Step, client::Error> {
        let client = &self.context.client;
        let Some(before) = show(client, &document.key).await? else {
            return self.create(document).await;
        };
        let would_be = edit(&client.with_dry_run(), document, &before).await?;
        let changes = differences(&before, &would_be);
        let mut step = Step::new(Action::Unchanged, &document.key);
        if changes.is_empty() {
            step.blocks = blocks(&before);
            return Ok(step);
        }
        let after = if self.only_plans {
            would_be
        } else {
            edit(client, document, &before).await?
        };
        step.action = Action::Change;
        step.blocks = blocks(&after);
        step.changes = changes;
        Ok(step)
    }

    /// What a plan cannot ask the node for, since it takes what only the plan knows of, is not asked for.
    async fn create(&self, document: &Document) -> Result<Step, client::Error> {
        let mut step = Step::new(Action::Create, &document.key);
        if !self.only_plans {
            step.blocks = blocks(&create(&self.context.client, document).await?);
            return Ok(step);
        }
        match create(&self.context.client.with_dry_run(), document).await {
            Ok(shown) => {
                // Which block is the next one depends on what comes before it.
                if ["cidr", "cidrs"]
                    .iter()
                    .any(|field| document.fields.contains_key(*field))
                {
                    step.blocks = blocks(&shown);
                }
                Ok(step)
            }
            Err(client::Error::Refused(problem)) if self.planned.explains(document, &problem) => {
                Ok(step)
            }
            Err(error) => Err(error),
        }
    }

    fn failed(&mut self, document: &Document, error: client::Error, progress: &Progress) {
        match &error {
            client::Error::Refused(problem) => {
                for fault in manifest::faults(&document.place, &document.paths, problem) {
                    let text = format!("error: {} ({}): {}", fault.place, document.key, fault.text);
                    progress.note(&output::printable(&text));
                }
            }
            other => {
                let text = format!("error: {} ({}): {other}", document.place, document.key);
                progress.note(&output::printable(&text));
            }
        }
        self.note_failure(&document.key, error);
    }

    fn note_failure(&mut self, key: &Key, error: client::Error) {
        let mut step = Step::new(Action::Failed, key);
        step.code = error.code().map(str::to_owned);
        self.steps.push(step);
        self.failures.push(error.into());
    }

    fn finish(self) -> Result<(), Failure> {
        let of = |action| {
            self.steps
                .iter()
                .filter(|step| step.action == action)
                .count()
        };
        let [created, changed, unchanged, deleted, failed] = [
            Action::Create,
            Action::Change,
            Action::Unchanged,
            Action::Delete,
            Action::Failed,
        ]
        .map(of);
        self.context.output.list(&self.steps, None)?;
        let (created, changed, deleted) = if self.only_plans {
            (
                format!("{created} to create"),
                format!("{changed} to change"),
                format!("{deleted} to delete"),
            )
        } else {
            (
                format!("{created} created"),
                format!("{changed} changed"),
                format!("{deleted} deleted"),
            )
        };
        output::note(&format!(
            "{created}, {changed}, {unchanged} unchanged, {deleted}, {failed} failed"
        ));
        let total = self.steps.len() + self.untried;
        match (self.failures.first(), self.untried) {
            (None, _) => Ok(()),
            (Some(first), 0) => Err(Failure::Several {
                failed,
                total,
                code: first.exit_code(),
            }),
            (Some(_), untried) => Err(Failure::Stopped { untried, total }),
        }
    }
}

/// The object as it is; `None` where it is not there.
async fn show(client: &Client, key: &Key) -> Result<Option<Value>, client::Error> {
    let shown = match key.kind {
        Kind::Tenant => document(client.tenant_show(&key.name).await),
        Kind::Pool => document(client.pool_show(&key.tenant, &key.name).await),
        Kind::Claim => document(client.claim_show(&key.tenant, &key.name).await),
    };
    let missing = [
        Code::TenantNotFound,
        Code::PoolNotFound,
        Code::ClaimNotFound,
    ];
    match shown {
        Ok(shown) => Ok(Some(shown)),
        Err(client::Error::Refused(problem))
            if problem
                .known_code()
                .is_some_and(|code| missing.contains(&code)) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn create(client: &Client, asked: &Document) -> Result<Value, client::Error> {
    let (key, fields) = (&asked.key, asked.creation());
    match key.kind {
        Kind::Tenant => document(client.tenant_create(&read::<TenantCreate>(fields)?).await),
        Kind::Pool => {
            let pool = read::<PoolCreate>(fields)?;
            document(client.pool_create(&key.tenant, &pool).await)
        }
        Kind::Claim => {
            let claim = read::<ClaimCreate>(fields)?;
            document(client.claim_create(&key.tenant, &claim).await)
        }
    }
}

/// The document as a merge patch; of a pool only if nobody has edited it since it was read.
async fn edit(client: &Client, asked: &Document, before: &Value) -> Result<Value, client::Error> {
    let (key, patch) = (&asked.key, &asked.fields);
    match key.kind {
        Kind::Tenant => document(client.tenant_edit(&key.name, patch).await),
        Kind::Pool => {
            let revision = before["status"]["revision"].as_u64();
            document(
                client
                    .pool_edit(&key.tenant, &key.name, patch, revision)
                    .await,
            )
        }
        Kind::Claim => document(client.claim_edit(&key.tenant, &key.name, patch).await),
    }
}

fn read<T: DeserializeOwned>(fields: Value) -> Result<T, client::Error> {
    serde_json::from_value(fields).map_err(client::Error::Unwritable)
}

fn document<T: Serialize>(
    answer: Result<Answer<T>, client::Error>,
) -> Result<Value, client::Error> {
    serde_json::to_value(answer?.body).map_err(client::Error::Unwritable)
}

/// The blocks of a pool or claim as it is shown.
fn blocks(shown: &Value) -> Vec<String> {
    let status = &shown["status"];
    let of_pool = status["allocatedCIDRs"].as_array().into_iter().flatten();
    of_pool
        .chain(std::iter::once(&status["allocatedCIDR"]))
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// What differs between two views of one object, but for what the system assigned; of labels, annotations,
/// the quota, the resolver and parameters key by key.
fn differences(before: &Value, after: &Value) -> Vec<Change> {
    let (none, mut changes) = (Map::new(), Vec::new());
    let (before, after) = (
        before.as_object().unwrap_or(&none),
        after.as_object().unwrap_or(&none),
    );
    for field in both(before, after).filter(|field| *field != "status") {
        let (from, to) = (
            before.get(field).unwrap_or(&Value::Null),
            after.get(field).unwrap_or(&Value::Null),
        );
        // What a pool does not state of the last two is its parent's; an empty one is not.
        let by_key = match field {
            "labels" | "annotations" | "quota" => true,
            "dns" | "parameters" => from.is_object() && to.is_object(),
            _ => false,
        };
        if !by_key {
            changes.extend(change(field.to_owned(), from, to));
            continue;
        }
        let (from, to) = (
            from.as_object().unwrap_or(&none),
            to.as_object().unwrap_or(&none),
        );
        for key in both(from, to) {
            let (from, to) = (
                from.get(key).unwrap_or(&Value::Null),
                to.get(key).unwrap_or(&Value::Null),
            );
            changes.extend(change(format!("{field}.{key}"), from, to));
        }
    }
    changes
}

fn both<'a>(
    one: &'a Map<String, Value>,
    other: &'a Map<String, Value>,
) -> impl Iterator<Item = &'a str> {
    let keys: BTreeSet<&str> = one.keys().chain(other.keys()).map(String::as_str).collect();
    keys.into_iter()
}

fn change(field: String, from: &Value, to: &Value) -> Option<Change> {
    (from != to).then(|| Change {
        field,
        from: from.clone(),
        to: to.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_told_field_by_field_and_label_by_label() {
        let before = json!({
            "name": "p", "strategy": "FirstFit", "labels": { "a": "1", "b": "2" }, "drain": true,
            "quota": { "pools": 3 }, "status": { "revision": 7 }, "parameters": { "vlan": "7" },
            "routes": [{ "dst": "10.0.0.0/8" }],
        });
        let after = json!({
            "name": "p", "strategy": "NextFit", "labels": { "a": "1", "b": "3", "c": "4" },
            "quota": {}, "status": { "revision": 8 }, "parameters": { "vlan": "8" }, "routes": [], "dns": {},
        });
        let told: Vec<String> = differences(&before, &after)
            .iter()
            .map(|change| format!("{} {} {}", change.field, change.from, change.to))
            .collect();
        assert_eq!(
            told,
            [
                "dns null {}",
                "drain true null",
                "labels.b \"2\" \"3\"",
                "labels.c null \"4\"",
                "parameters.vlan \"7\" \"8\"",
                "quota.pools 3 null",
                "routes [{\"dst\":\"10.0.0.0/8\"}] []",
                "strategy \"FirstFit\" \"NextFit\"",
            ]
        );
        assert_eq!(differences(&before, &before), []);
    }
}
