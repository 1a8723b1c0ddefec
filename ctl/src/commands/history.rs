//! `ipamctl history`

use allocator::name::Name;
use api::views::Holding;
use client::Filter;

use super::{Context, by};
use crate::args::History;
use crate::failure::Failure;
use crate::output::{Column, Row, column, wide_column};

/// Lists holdings.
pub(super) async fn run(context: &Context, command: History) -> Result<(), Failure> {
    let tenant = if command.all_tenants {
        None
    } else {
        Some(context.tenant()?)
    };
    let filter = by(
        Filter::new(),
        "cidr",
        command.cidr.map(|cidr| cidr.to_string()),
    );
    let filter = by(filter, "space", command.space.as_ref().map(Name::as_str));
    let filter = by(filter, "claim", command.claim.as_ref().map(Name::as_str));
    let filter = by(filter, "pool", command.pool.as_ref().map(Name::as_str));
    let filter = by(filter, "owner", command.owner);
    let page = |filter: Filter| async move { context.client.history_list(tenant, &filter).await };
    context.list(filter, &command.paging, page).await
}

impl Row for Holding {
    const COLUMNS: &'static [Column] = &[
        column("BLOCK"),
        column("POOL"),
        column("HOLDER"),
        column("FROM"),
        column("TO"),
        column("REASON"),
        column("OWNER"),
        wide_column("TENANT"),
        wide_column("SPACE"),
        wide_column("GENERATION"),
        wide_column("REVISIONS"),
    ];

    fn name(&self) -> String {
        self.cidr.to_string()
    }

    fn cells(&self, _now_ms: u64) -> Vec<String> {
        let number = |revision: Option<u64>| {
            revision.map_or_else(|| "?".to_owned(), |revision| revision.to_string())
        };
        let ended = self
            .to_revision
            .map(|to| to.to_string())
            .unwrap_or_default();
        let text = |value: Option<String>| value.unwrap_or_default();
        vec![
            self.cidr.to_string(),
            self.pool.to_string(),
            text(self.holder_name()),
            self.from.to_string(),
            text(self.to.map(|to| to.to_string())),
            text(self.reason.map(|reason| reason.to_string())),
            text(self.owner.as_ref().map(ToString::to_string)),
            text(self.tenant.as_ref().map(ToString::to_string)),
            self.space.to_string(),
            self.generation.to_string(),
            format!("{}-{ended}", number(self.from_revision)),
        ]
    }
}
