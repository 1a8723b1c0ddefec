//! `ipamctl watch`

use api::views::{WatchEvent, WatchObject, WatchType};
use client::Filter;

use super::{Context, by};
use crate::args::{Format, Watch, WatchedKind};
use crate::failure::Failure;
use crate::output::{self, printable};

/// Tells what happens, one line each, until it is interrupted or nobody reads it.
pub(super) async fn run(context: &Context, command: Watch) -> Result<(), Failure> {
    let tenant = if command.all_tenants {
        None
    } else {
        Some(context.tenant()?)
    };
    let filter = by(Filter::new(), "kind", command.kind.map(WatchedKind::word));
    let filter = by(filter, "pool", command.pool.map(|pool| pool.to_string()));
    let filter = by(filter, "owner", command.owner);
    let filter = by(filter, "labelSelector", command.selector);
    let mut watch = context
        .client
        .event_watch(tenant, &filter, command.from_revision);
    let format = context.output.format();
    if format == Format::Table || format == Format::Wide {
        output::write(&titles(command.all_tenants))?;
    }
    let mut left = command.count;
    while left != Some(0) {
        let event = watch.next().await?;
        if event.kind == WatchType::Bookmark {
            continue;
        }
        left = left.map(|left| left - 1);
        if !output::write_next(&text(&event, format, command.all_tenants)?)? {
            return Ok(());
        }
    }
    Ok(())
}

impl WatchedKind {
    fn word(self) -> &'static str {
        match self {
            Self::Claim => "Claim",
            Self::Pool => "Pool",
            Self::Tenant => "Tenant",
        }
    }
}

fn text(event: &WatchEvent, format: Format, all_tenants: bool) -> Result<String, Failure> {
    let unwritable = |what: String| Failure::File(format!("cannot write an event: {what}"));
    Ok(match format {
        Format::Json => {
            serde_json::to_string(event).map_err(|error| unwritable(error.to_string()))? + "\n"
        }
        Format::Yaml => {
            let document = output::yaml(event)?;
            format!("---\n{document}")
        }
        Format::Name => format!("{}\n", printable(&Line::of(event).name)),
        Format::Table | Format::Wide => row(event, all_tenants),
    })
}

/// What a line shows.
#[derive(Debug, Default)]
struct Line {
    name: String,
    block: String,
    pool: String,
    owner: String,
}

impl Line {
    fn of(event: &WatchEvent) -> Self {
        match &event.object {
            Some(WatchObject::Claim(claim)) => Self {
                name: claim.name.to_string(),
                block: claim.status.allocated_cidr.to_string(),
                pool: claim.status.pool.to_string(),
                owner: claim
                    .owner
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            },
            Some(WatchObject::Pool(pool)) => Self {
                name: pool.name.to_string(),
                ..Self::default()
            },
            Some(WatchObject::Tenant(tenant)) => Self {
                name: tenant.name.to_string(),
                ..Self::default()
            },
            Some(WatchObject::Gone { name }) => Self {
                name: name.to_string(),
                ..Self::default()
            },
            Some(WatchObject::Problem(_)) | None => Self::default(),
        }
    }
}

/// Events come one by one, so that columns cannot be as wide as what is in them: these are wide enough
/// for most.
fn columns(cells: [&str; 8], all_tenants: bool) -> String {
    const GAP: usize = 3;
    const WIDTHS: [usize; 8] = [24, 9, 13, 12, 24, 18, 12, 0];
    let mut line = String::new();
    for (place, (cell, width)) in cells.into_iter().zip(WIDTHS).enumerate() {
        if place == 3 && !all_tenants {
            continue;
        }
        let cell = if cell.is_empty() { "-" } else { cell };
        let cell = printable(cell);
        let padding = width.saturating_sub(cell.chars().count()) + GAP;
        line.push_str(&cell);
        line.extend(std::iter::repeat_n(' ', padding));
    }
    line.truncate(line.trim_end().len());
    line + "\n"
}

fn titles(all_tenants: bool) -> String {
    let titles = [
        "AT", "REVISION", "EVENT", "TENANT", "NAME", "BLOCK", "POOL", "OWNER",
    ];
    columns(titles, all_tenants)
}

fn row(event: &WatchEvent, all_tenants: bool) -> String {
    let line = Line::of(event);
    let kind = serde_json::to_value(event.kind).unwrap_or_default();
    let tenant = event.tenant.as_ref().map(ToString::to_string);
    let cells = [
        &*event.at.to_string(),
        &event.revision.to_string(),
        kind.as_str().unwrap_or_default(),
        &tenant.unwrap_or_default(),
        &line.name,
        &line.block,
        &line.pool,
        &line.owner,
    ];
    columns(cells, all_tenants)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let claim = json!({
            "name": "web-1", "pool": "p", "owner": "node-7/eth0", "labels": {},
            "status": {
                "phase": "Allocated", "allocatedCIDR": "10.0.0.7/32", "subnet": "10.0.0.0/24", "pool": "p",
                "generation": 3, "returned": false, "allocatedAt": "2026-03-01T12:00:00.000Z",
                "firstAllocatedAt": "2026-03-01T12:00:00.000Z", "revision": 9, "conditions": [],
            },
        });
        let event = |kind: &str, object: serde_json::Value| -> WatchEvent {
            let at = "2026-03-01T12:00:00.000Z";
            let event =
                json!({"revision": 9, "at": at, "type": kind, "tenant": "acme", "object": object});
            serde_json::from_value(event).unwrap()
        };
        let allocated = event("allocated", claim);
        let deleted = event("poolDeleted", json!({"name": "p"}));
        let lines = [
            titles(true),
            row(&allocated, true),
            row(&deleted, true),
            titles(false),
            row(&allocated, false),
        ];
        expect![[r#"
            AT                         REVISION    EVENT           TENANT         NAME                       BLOCK                POOL           OWNER
            2026-03-01T12:00:00.000Z   9           allocated       acme           web-1                      10.0.0.7/32          p              node-7/eth0
            2026-03-01T12:00:00.000Z   9           poolDeleted     acme           p                          -                    -              -
            AT                         REVISION    EVENT           NAME                       BLOCK                POOL           OWNER
            2026-03-01T12:00:00.000Z   9           allocated       web-1                      10.0.0.7/32          p              node-7/eth0
        "#]].assert_eq(&lines.concat());
        assert_eq!(text(&deleted, Format::Name, true).unwrap(), "p\n");
        let one = text(&deleted, Format::Json, false).unwrap();
        assert_eq!(one.lines().count(), 1);
    }
}
