//! `ipamctl export`: a list as it comes, page after page.

use std::future::Future;
use std::io::{self, IsTerminal, Write};

use api::requests::query::LIMIT_MAX;
use api::views::List;
use client::{Answer, Error, Filter};
use serde::Serialize;
use serde_json::Value;

use super::columns::{ALLOCATIONS, CLAIMS, Column, POOLS, cells};
use crate::args::{Export, ExportFormat, Exported, Format};
use crate::commands::Context;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// Writes the list to stdout.
pub(crate) async fn run(context: &Context, export: &Export) -> Result<(), Failure> {
    let (client, tenant) = (&context.client, context.tenant()?);
    let filter = export.narrow.filter();
    let filter = match &export.pool {
        None => filter,
        Some(pool) => filter.by("pool", pool.as_str()),
    };
    let format = match (export.format, context.output.format()) {
        (Some(format), _) => format,
        (None, Format::Json) => ExportFormat::Json,
        (None, Format::Table) => ExportFormat::Csv,
        (None, Format::Wide | Format::Yaml | Format::Name) => {
            let reason = "an export is CSV or JSON: --format csv, --format json or -o json";
            return Err(Failure::Usage(reason.to_owned()));
        }
    };
    match export.what {
        Exported::Claims => {
            let page = |filter: Filter| async move { client.claim_list(tenant, &filter).await };
            pages(format, "Claim", CLAIMS, filter, page).await
        }
        Exported::Allocations => {
            let page =
                |filter: Filter| async move { client.allocation_list(tenant, &filter).await };
            pages(format, "Allocation", ALLOCATIONS, filter, page).await
        }
        Exported::Pools => {
            let page = |filter: Filter| async move { client.pool_list(tenant, &filter).await };
            pages(format, "Pool", POOLS, filter, page).await
        }
    }
}

async fn pages<T: Serialize, F: Future<Output = Result<Answer<List<T>>, Error>>>(
    format: ExportFormat,
    kind: &str,
    columns: &[Column],
    filter: Filter,
    mut page: impl FnMut(Filter) -> F,
) -> Result<(), Failure> {
    // Rows that scroll past are progress enough.
    let progress = if io::stdout().is_terminal() {
        Progress::none()
    } else {
        Progress::of_unknown_length()
    };
    let mut text = Vec::new();
    if format == ExportFormat::Csv {
        let titles = columns
            .iter()
            .map(|(title, _)| (*title).to_owned())
            .collect();
        csv_rows(&mut text, [titles])?;
    }
    let (mut filter, mut rows) = (filter.limit(LIMIT_MAX), 0);
    loop {
        let answer = page(filter.clone()).await?.body;
        let documents: Result<Vec<Value>, _> =
            answer.items.iter().map(serde_json::to_value).collect();
        let documents = documents.map_err(Error::Unwritable)?;
        rows += documents.len();
        match format {
            ExportFormat::Csv => {
                csv_rows(&mut text, documents.iter().map(|one| cells(columns, one)))?;
            }
            ExportFormat::Json => {
                for mut document in documents {
                    document["kind"] = kind.into();
                    text.extend(document.to_string().bytes().chain([b'\n']));
                }
            }
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(&text).and_then(|()| stdout.flush()) {
            Ok(()) => {}
            // The reader has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(source) => {
                let what = "cannot write to stdout".to_owned();
                return Err(Failure::Local { what, source });
            }
        }
        text.clear();
        progress.tell(format!("{rows} rows"));
        match answer.next_page_token {
            Some(token) => filter = filter.page_token(token),
            None => break,
        }
    }
    progress.end();
    output::note(&format!("{rows} rows"));
    Ok(())
}

fn csv_rows(
    into: &mut Vec<u8>,
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Result<(), Failure> {
    let mut writer = csv::Writer::from_writer(into);
    let failed = |error: csv::Error| Failure::File(format!("cannot write CSV: {error}"));
    for row in rows {
        writer.write_record(row).map_err(failed)?;
    }
    let flushed = writer.flush();
    flushed.map_err(|error| failed(error.into()))
}
