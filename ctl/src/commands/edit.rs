//! Edits as merge patches (RFC 7396): `null` is what a field is when nothing is stated.

use std::future::Future;

use allocator::name::Name;
use api::fields::PoolCidr;
use client::Answer;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Context;
use super::editor::Draft;
use crate::args::{AboutEdit, ClaimEdit, DryRun, HandoutEdit, PoolEdit, PoolResize, TenantEdit};
use crate::failure::Failure;
use crate::output::{self, Row};

pub(super) async fn tenant(
    context: &Context,
    name: &Name,
    edit: &TenantEdit,
) -> Result<(), Failure> {
    let mut patch = about(&edit.about);
    let bounds = [
        ("pools", edit.quota_pools),
        ("claims", edit.quota_claims),
        ("ipv4Addresses", edit.quota_ipv4_addresses),
        ("ipv6Prefixes64", edit.quota_ipv6_prefixes_64),
    ];
    let quota: Map<String, Value> = bounds
        .into_iter()
        .filter_map(|(field, bound)| Some((field.to_owned(), json!(bound?.0))))
        .collect();
    if !quota.is_empty() {
        patch.insert("quota".to_owned(), quota.into());
    }
    let client = context.writer(edit.dry_run);
    let answer = if edit.about.editor {
        alone(&patch)?;
        let shown = context.client.tenant_show(name).await?.body;
        let send = |patch| async move { client.tenant_edit(name, &patch).await };
        in_editor("tenant", name, &shown, edit.dry_run, send).await?
    } else {
        require(&patch)?;
        client.tenant_edit(name, &patch).await?
    };
    edited(context, "tenant", &answer, edit.dry_run)
}

pub(super) async fn pool(context: &Context, edit: &PoolEdit) -> Result<(), Failure> {
    let mut patch = about(&edit.about);
    let lengths = [
        ("minPrefixLength", edit.min_length),
        ("maxPrefixLength", edit.max_length),
        ("defaultPrefixLength", edit.default_length),
    ];
    for (field, length) in lengths {
        insert(&mut patch, field, length.map(|length| length.0));
    }
    let strategy = edit.strategy.map(allocator::command::Strategy::from);
    insert(&mut patch, "strategy", strategy);
    insert(&mut patch, "usableOnly", edit.usable_only);
    insert(&mut patch, "privateOnly", edit.private_only);
    if edit.share_with_nobody || !edit.share_with.is_empty() {
        patch.insert("sharedWith".to_owned(), json!(edit.share_with));
    }
    insert(&mut patch, "priority", edit.priority.map(|place| place.0));
    if edit.exclude_nothing || !edit.exclude.is_empty() {
        patch.insert("exclude".to_owned(), json!(edit.exclude));
    }
    insert(&mut patch, "subnet", edit.subnet.as_deref().map(or_none));
    insert(&mut patch, "gateway", edit.gateway.as_deref().map(or_none));
    handout(&mut patch, &edit.handout)?;
    let times = [
        ("graceSeconds", edit.grace),
        ("maxGraceSeconds", edit.max_grace),
        ("maxTtlSeconds", edit.max_ttl),
    ];
    for (field, seconds) in times {
        insert(&mut patch, field, seconds.map(|seconds| seconds.0));
    }
    let policy = edit
        .reclaim_policy
        .map(allocator::life::ReclaimPolicy::from);
    insert(&mut patch, "reclaimPolicy", policy);
    insert(&mut patch, "allowRetain", edit.allow_retain);
    let (client, tenant, name) = (context.writer(edit.dry_run), context.tenant()?, &edit.name);
    let answer = if edit.about.editor {
        alone(&patch)?;
        let shown = context.client.pool_show(tenant, name).await?.body;
        let revision = edit.if_revision.unwrap_or(shown.status.revision);
        let send =
            |patch| async move { client.pool_edit(tenant, name, &patch, Some(revision)).await };
        in_editor("pool", name, &shown, edit.dry_run, send).await?
    } else {
        require(&patch)?;
        client
            .pool_edit(tenant, name, &patch, edit.if_revision)
            .await?
    };
    edited(context, "pool", &answer, edit.dry_run)
}

/// The CIDRs are edited as a whole: only if nobody else has edited the pool since they were read.
pub(super) async fn resize(context: &Context, resize: &PoolResize) -> Result<(), Failure> {
    let tenant = context.tenant()?;
    let shown = context.client.pool_show(tenant, &resize.name).await?.body;
    let mut cidrs = shown.cidrs;
    for cidr in &resize.remove {
        let before = cidrs.len();
        cidrs.retain(|there| there.cidr != *cidr);
        if cidrs.len() == before {
            return Err(Failure::Usage(format!(
                "{cidr} is no CIDR of pool {}",
                resize.name
            )));
        }
    }
    cidrs.extend(resize.add.iter().map(|cidr| PoolCidr::from(cidr.as_str())));
    let patch = json!({ "cidrs": cidrs });
    let answer = context
        .writer(resize.dry_run)
        .pool_edit(tenant, &resize.name, &patch, Some(shown.status.revision))
        .await?;
    edited(context, "pool", &answer, resize.dry_run)
}

pub(super) async fn drain(
    context: &Context,
    name: &Name,
    drain: bool,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let patch = json!({ "drain": drain });
    let client = context.writer(dry_run);
    let answer = client
        .pool_edit(context.tenant()?, name, &patch, None)
        .await?;
    edited(context, "pool", &answer, dry_run)
}

pub(super) async fn claim(context: &Context, edit: &ClaimEdit) -> Result<(), Failure> {
    let mut patch = about(&edit.about);
    for (field, seconds) in [("ttlSeconds", edit.ttl), ("graceSeconds", edit.grace)] {
        insert(&mut patch, field, seconds.map(|seconds| seconds.0));
    }
    let policy = edit
        .reclaim_policy
        .map(allocator::life::ReclaimPolicy::from);
    insert(&mut patch, "reclaimPolicy", policy);
    let (client, tenant, name) = (context.writer(edit.dry_run), context.tenant()?, &edit.name);
    let answer = if edit.about.editor {
        alone(&patch)?;
        let shown = context.client.claim_show(tenant, name).await?.body;
        let send = |patch| async move { client.claim_edit(tenant, name, &patch).await };
        in_editor("claim", name, &shown, edit.dry_run, send).await?
    } else {
        require(&patch)?;
        client.claim_edit(tenant, name, &patch).await?
    };
    edited(context, "claim", &answer, edit.dry_run)
}

/// Sends what was changed of the document in an editor.
async fn in_editor<T: Serialize, F: Future<Output = Result<Answer<T>, client::Error>>>(
    kind: &str,
    name: &Name,
    shown: &T,
    dry_run: DryRun,
    send: impl FnOnce(Map<String, Value>) -> F,
) -> Result<Answer<T>, Failure> {
    let shown = serde_json::to_value(shown).map_err(client::Error::Unwritable)?;
    let draft = Draft::write(kind, name.as_str(), &shown)?;
    let outcome = match draft.edited().await {
        Ok(patch) if patch.is_empty() => Err(Failure::Aborted),
        Ok(patch) => send(patch).await.map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    draft.end(outcome, dry_run)
}

/// An editor shows what is there, not what switches would make of it.
fn alone(patch: &Map<String, Value>) -> Result<(), Failure> {
    if patch.is_empty() {
        return Ok(());
    }
    let reason = "--editor goes with no other edit";
    Err(Failure::Usage(reason.to_owned()))
}

/// Shows what an edit answered.
fn edited<T: Row>(
    context: &Context,
    kind: &str,
    answer: &Answer<T>,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let name = answer.body.name();
    if dry_run.dry_run {
        output::note(&format!("{kind} {name} would be so (dry run)"));
    } else {
        output::note(&format!("{kind} {name} is so now"));
    }
    context.output.one(&answer.body)
}

fn about(edit: &AboutEdit) -> Map<String, Value> {
    let mut patch = Map::new();
    for (field, set, removed) in [
        ("labels", &edit.labels, &edit.labels_removed),
        ("annotations", &edit.annotations, &edit.annotations_removed),
    ] {
        keys(&mut patch, field, set.iter().cloned(), removed);
    }
    insert(&mut patch, "description", edit.description.as_deref());
    patch
}

/// What a pool hands out: of each part its own, or the parent's.
fn handout(patch: &mut Map<String, Value>, edit: &HandoutEdit) -> Result<(), Failure> {
    insert(patch, "routes", edit.own.routes());
    insert(patch, "dns", edit.own.dns());
    insert(patch, "mtu", edit.own.mtu);
    keys(
        patch,
        "parameters",
        edit.own.parameters().unwrap_or_default().0,
        &edit.parameters_removed,
    );
    for part in &edit.inherit {
        let field = part.field();
        if patch.get(field).is_some_and(|stated| !stated.is_null()) {
            let reason = format!("--inherit {field} goes with no {field} of the pool's own");
            return Err(Failure::Usage(reason));
        }
        patch.insert(field.to_owned(), Value::Null);
    }
    Ok(())
}

/// Keys that are set, and keys that go.
fn keys(
    patch: &mut Map<String, Value>,
    field: &str,
    set: impl IntoIterator<Item = (String, String)>,
    removed: &[String],
) {
    let set = set.into_iter().map(|(key, value)| (key, json!(value)));
    let removed = removed.iter().map(|key| (key.clone(), Value::Null));
    let keys: Map<String, Value> = set.chain(removed).collect();
    if !keys.is_empty() {
        patch.insert(field.to_owned(), keys.into());
    }
}

fn insert(patch: &mut Map<String, Value>, field: &str, value: Option<impl serde::Serialize>) {
    if let Some(value) = value {
        patch.insert(field.to_owned(), json!(value));
    }
}

fn or_none(text: &str) -> Option<&str> {
    (text != "none").then_some(text)
}

fn require(patch: &Map<String, Value>) -> Result<(), Failure> {
    if patch.is_empty() {
        return Err(Failure::Usage("nothing is to be edited".to_owned()));
    }
    Ok(())
}
