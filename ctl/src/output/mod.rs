//! Printing data: as columns, as the API's JSON or YAML, or as names.

pub(crate) mod age;
mod rows;
pub(crate) mod table;
mod tree;

use std::borrow::Cow;
use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

use allocator::name::Name;
use serde::Serialize;

use crate::args::Format;
use crate::clock;
use crate::failure::Failure;

pub(crate) use tree::TreeRows;

/// Something that can be shown as a row.
pub(crate) trait Row: Serialize {
    /// Its columns.
    const COLUMNS: &'static [Column];

    /// What `-o name` prints.
    fn name(&self) -> String;

    /// One cell for each column; `now_ms` is for ages.
    fn cells(&self, now_ms: u64) -> Vec<String>;
}

/// Something that can be shown as a row of a list over all tenants.
pub(crate) trait OfTenant: Row {
    /// Whose it is.
    fn tenant(&self) -> Option<&Name>;
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its title.
    pub(crate) title: &'static str,
    /// Only in wide tables.
    pub(crate) wide: bool,
}

/// A column of every table.
pub(crate) const fn column(title: &'static str) -> Column {
    Column { title, wide: false }
}

/// A column of wide tables.
pub(crate) const fn wide_column(title: &'static str) -> Column {
    Column { title, wide: true }
}

/// A list as a document.
#[derive(Debug, Serialize)]
struct Document<'a, T> {
    items: &'a [T],
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
}

/// Where data goes, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    format: Format,
    colour: bool,
}

impl Output {
    /// The form in which data is printed.
    pub(crate) fn format(self) -> Format {
        self.format
    }

    /// To stdout; with colour only on a terminal whose user does not object.
    pub(crate) fn new(format: Format) -> Self {
        let no_color = env::var_os("NO_COLOR");
        Self {
            format,
            colour: io::stdout().is_terminal() && !objects(no_color.as_deref()),
        }
    }

    /// One object.
    pub(crate) fn one<T: Row>(self, item: &T) -> Result<(), Failure> {
        let text = match self.format {
            Format::Json => json(item)?,
            Format::Yaml => yaml(item)?,
            Format::Table | Format::Wide | Format::Name => self.rows(std::slice::from_ref(item)),
        };
        write(&text)
    }

    /// A list; an empty one is told on stderr, since it prints nothing.
    pub(crate) fn list<T: Row>(self, items: &[T], revision: Option<u64>) -> Result<(), Failure> {
        self.items(items, revision, |shown| shown.rows(items))
    }

    /// A list over all tenants: the tenant stands before all else.
    pub(crate) fn list_all<T: OfTenant>(
        self,
        items: &[T],
        revision: Option<u64>,
    ) -> Result<(), Failure> {
        self.items(items, revision, |shown| shown.rows_of_tenants(items))
    }

    fn items<T: Row>(
        self,
        items: &[T],
        revision: Option<u64>,
        rows: impl FnOnce(Self) -> String,
    ) -> Result<(), Failure> {
        let text = match self.format {
            Format::Json => json(&Document { items, revision })?,
            Format::Yaml => yaml(&Document { items, revision })?,
            Format::Table | Format::Wide if items.is_empty() => {
                note("nothing found");
                return Ok(());
            }
            Format::Table | Format::Wide | Format::Name => rows(self),
        };
        write(&text)
    }

    /// A document that has a text of its own for people.
    pub(crate) fn document<T: Serialize>(
        self,
        item: &T,
        name: &str,
        text: impl FnOnce(bool) -> String,
    ) -> Result<(), Failure> {
        let text = match self.format {
            Format::Json => json(item)?,
            Format::Yaml => yaml(item)?,
            Format::Name => format!("{name}\n"),
            Format::Table => text(false),
            Format::Wide => text(true),
        };
        write(&text)
    }

    /// As [`Self::rows`], each name after its tenant's, as `TENANT/NAME`.
    fn rows_of_tenants<T: OfTenant>(self, items: &[T]) -> String {
        let tenant = |item: &T| item.tenant().map_or_else(String::new, Name::to_string);
        if self.format == Format::Name {
            let line = |item: &T| format!("{}/{}\n", tenant(item), item.name());
            return items.iter().map(line).collect();
        }
        let now_ms = clock::now_ms();
        let row = |item: &T| {
            let mut row = item.cells(now_ms);
            row.insert(0, tenant(item));
            row
        };
        let rows: Vec<Vec<String>> = items.iter().map(row).collect();
        let columns: Vec<Column> = [column("TENANT")]
            .iter()
            .chain(T::COLUMNS)
            .copied()
            .collect();
        table::render(&columns, &rows, self.format == Format::Wide, self.colour)
    }

    fn rows<T: Row>(self, items: &[T]) -> String {
        match self.format {
            Format::Name => items.iter().map(|item| item.name() + "\n").collect(),
            Format::Table | Format::Wide | Format::Json | Format::Yaml => {
                let now_ms = clock::now_ms();
                let rows: Vec<Vec<String>> = items.iter().map(|item| item.cells(now_ms)).collect();
                table::render(T::COLUMNS, &rows, self.format == Format::Wide, self.colour)
            }
        }
    }
}

/// Text that others wrote, as it may stand on a terminal: control characters (a line break in a label,
/// an escape sequence) and those that turn the direction of writing are shown escaped.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let acts =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Text that is data in itself, such as a completion script.
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    // One who reads no more has seen enough: `ipamctl claim list | head`.
    write_next(text).map(|_| ())
}

/// One of many things that come one after the other; whether anybody still reads them.
pub(crate) fn write_next(text: &str) -> Result<bool, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(source) => Err(Failure::Local {
            what: "cannot write to stdout".to_owned(),
            source,
        }),
    }
}

/// A remark beside the data, on stderr.
pub(crate) fn note(text: &str) {
    // When stderr is gone there is nobody to tell.
    writeln!(io::stderr().lock(), "{text}").ok();
}

/// Whether `NO_COLOR` says so: by any value but an empty one (no-color.org).
fn objects(no_color: Option<&OsStr>) -> bool {
    no_color.is_some_and(|value| !value.is_empty())
}

fn json<T: Serialize>(item: &T) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(item)
        .map_err(|error| Failure::File(format!("cannot write JSON: {error}")))?;
    Ok(text + "\n")
}

/// A document as YAML.
pub(crate) fn yaml<T: Serialize>(item: &T) -> Result<String, Failure> {
    serde_saphyr::to_string(item)
        .map_err(|error| Failure::File(format!("cannot write YAML: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_of_no_color_but_an_empty_one_is_an_objection() {
        for (value, expected) in [
            (None, false),
            (Some(""), false),
            (Some("1"), true),
            (Some("0"), true),
        ] {
            assert_eq!(objects(value.map(OsStr::new)), expected, "{value:?}");
        }
    }
}
