//! Files to claims asked for by exact block, one row after the other, on a thread of their own.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};
use tokio::sync::mpsc::Sender;

use super::columns;
use super::from::{self, Foreign};
use super::json;
use crate::failure::Failure;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// Spreadsheets begin a file with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One row.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// The file as it was named.
    pub(super) file: Arc<str>,
    /// Where it begins, from 1; 0 where the file itself is the row.
    pub(super) line: u64,
    /// What it says.
    pub(super) said: Said,
}

/// What a row says.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// Fields of a claim with its `cidr`; the name and the pool may be absent.
    Claim(Map<String, Value>),
    /// It is no claim, which is as it should be.
    Skipped(String),
    /// It should be a claim, and is none.
    Wrong(String),
}

/// Reads the files and sends their rows, until nobody wants more.
pub(super) fn read(
    files: &[PathBuf],
    from: Option<&Foreign>,
    read: &Arc<AtomicU64>,
    to: &Sender<Row>,
) -> Result<(), Failure> {
    for path in files {
        if let Some(Foreign::HostLocal { node }) = from {
            from::host_local::read(path, node, |file, said| {
                let line = 0;
                to.blocking_send(Row { file, line, said }).is_ok()
            })?;
            continue;
        }
        let (name, source): (Arc<str>, Box<dyn Read>) = if path.as_os_str() == "-" {
            ("stdin".into(), Box::new(io::stdin()))
        } else {
            let file = File::open(path).map_err(|source| unreadable(path, source))?;
            (path.display().to_string().into(), Box::new(file))
        };
        let each = |line, said| {
            let file = name.clone();
            to.blocking_send(Row { file, line, said }).is_ok()
        };
        let counted = Counted {
            source,
            read: read.clone(),
        };
        let source = BufReader::with_capacity(BUFFER_BYTES, counted);
        one(&name, source, from, each)?;
    }
    Ok(())
}

/// The bytes of all files, where all are files.
pub(super) fn total_bytes(files: &[PathBuf]) -> Option<u64> {
    let sizes = files.iter().map(|path| fs::metadata(path).ok());
    sizes
        .map(|file| file.filter(fs::Metadata::is_file).map(|file| file.len()))
        .sum()
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> Failure {
    Failure::Local {
        what: format!("cannot read {}", path.display()),
        source,
    }
}

fn one(
    name: &str,
    mut source: impl BufRead,
    from: Option<&Foreign>,
    mut each: impl FnMut(u64, Said) -> bool,
) -> Result<(), Failure> {
    // What stands before the first row tells which form it is, and counts as lines.
    let mut above = 0;
    let first = loop {
        let there = source
            .fill_buf()
            .map_err(|error| unreadable(Path::new(name), error))?;
        let seen = match there.first() {
            None => return Ok(()),
            Some(_) if there.starts_with(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len(),
            Some(byte) if byte.is_ascii_whitespace() => {
                above += u64::from(*byte == b'\n');
                1
            }
            Some(byte) => break *byte,
        };
        source.consume(seen);
    };
    let mut each = |line: u64, said| each(line + above, said);
    if from.is_none() && !matches!(first, b'{' | b'[') {
        return csv_rows(name, source, each);
    }
    let outcome = json::rows(source, |line, item| match from {
        None => each(line, claim(item)),
        Some(from) => from::claims(from, &item)
            .into_iter()
            .all(|said| each(line, said)),
    });
    outcome.map_err(|error| Failure::File(format!("{name} is not JSON: {error}")))
}

/// Columns of a file that are not asked for: they are what the system assigned, or a check of nothing.
const IGNORED: &[&str] = &[
    "phase",
    "generation",
    "allocatedAt",
    "expiresAt",
    "releasedAt",
    "reclaimAt",
    "revision",
    "family",
    "space",
    "child",
    "tenant",
    "reason",
];

/// Columns that are.
const ASKED: &[&str] = &[
    "name",
    "claim",
    "pool",
    "cidr",
    "purpose",
    "owner",
    "ttlSeconds",
    "graceSeconds",
    "reclaimPolicy",
    "labels",
    "annotations",
    "description",
];

fn csv_rows(
    name: &str,
    source: impl Read,
    mut each: impl FnMut(u64, Said) -> bool,
) -> Result<(), Failure> {
    let wrong = |error: csv::Error| Failure::File(format!("{name} is not CSV: {error}"));
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
    let titles = reader.headers().map_err(wrong)?.clone();
    let unknown = titles
        .iter()
        .find(|title| !ASKED.contains(title) && !IGNORED.contains(title));
    if let Some(title) = unknown {
        let known = ASKED.join(", ");
        return Err(Failure::File(format!(
            "{name}: {title:?} is no column; allowed: {known}, and those of an export"
        )));
    }
    if !titles.iter().any(|title| title == "cidr") {
        return Err(Failure::File(format!("{name} has no column cidr")));
    }
    let mut record = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                if each(line, Said::Wrong("it is not UTF-8".to_owned())) {
                    continue;
                }
                return Ok(());
            }
            Err(error) => return Err(wrong(error)),
        }
        let line = record.position().map_or(line, csv::Position::line);
        let said = if record.len() == titles.len() {
            record_said(&titles, &record)
        } else {
            let (has, wanted) = (record.len(), titles.len());
            Said::Wrong(format!(
                "it has {has} cells, and there are {wanted} columns"
            ))
        };
        if !each(line, said) {
            return Ok(());
        }
    }
}

fn record_said(titles: &csv::StringRecord, record: &csv::StringRecord) -> Said {
    let mut fields = Map::new();
    for (title, cell) in titles
        .iter()
        .zip(record)
        .filter(|(_, cell)| !cell.is_empty())
    {
        let value = match title {
            "labels" | "annotations" => columns::labels(cell).into(),
            // What is no number is told by the check of the field.
            "ttlSeconds" | "graceSeconds" => cell
                .parse::<u64>()
                .map_or_else(|_| cell.into(), Value::from),
            _ => cell.into(),
        };
        fields.insert(title.to_owned(), value);
    }
    held(fields)
}

/// A claim or an allocation, as the API shows it or as the columns of a file say it.
fn claim(item: Value) -> Said {
    let Value::Object(mut fields) = item else {
        return Said::Wrong("it is no object".to_owned());
    };
    match fields.remove("kind").as_ref().and_then(Value::as_str) {
        None | Some("Claim" | "Allocation") => {}
        Some(other) => {
            return Said::Wrong(format!(
                "it is a {other}, no Claim; what is to be made is applied: ipamctl apply"
            ));
        }
    }
    if let Some(Value::Object(mut status)) = fields.remove("status") {
        // What it has counts, not how it was asked for.
        for asked in ["prefixLength", "within", "poolSelector"] {
            fields.remove(asked);
        }
        for (there, here) in [("allocatedCIDR", "cidr"), ("pool", "pool")] {
            if let Some(value) = status.remove(there) {
                fields.insert(here.to_owned(), value);
            }
        }
    }
    held(fields)
}

/// Only claims that hold their block can be asked for; a reservation is one where a claim withholds it.
fn held(mut fields: Map<String, Value>) -> Said {
    let word = |field: &str| fields.get(field).and_then(Value::as_str);
    let is_named = word("name").or(word("claim")).is_some();
    // What is no purpose is told by the check of the field.
    let held_as = word("purpose").filter(|purpose| match *purpose {
        "Child" => true,
        "Reservation" => !is_named,
        _ => false,
    });
    if let Some(purpose) = held_as {
        return Said::Skipped(format!("it is held as a {purpose}"));
    }
    if let Some(tenant) = word("tenant") {
        return Said::Skipped(format!("it is held by tenant {tenant}"));
    }
    if word("phase") == Some("Released") {
        return Said::Skipped("it was released".to_owned());
    }
    for ignored in IGNORED {
        fields.remove(*ignored);
    }
    if let Some(claim) = fields.remove("claim") {
        fields.entry("name").or_insert(claim);
    }
    if let Some(Value::String(pool)) = fields.get("pool")
        && let Some((tenant, name)) = pool.split_once('/')
    {
        let long = serde_json::json!({ "tenant": tenant, "name": name });
        fields.insert("pool".to_owned(), long);
    }
    match fields.get("cidr") {
        Some(Value::String(cidr)) if !cidr.contains('/') => {
            let bits = if cidr.contains(':') { 128 } else { 32 };
            let single = format!("{cidr}/{bits}");
            fields.insert("cidr".to_owned(), single.into());
        }
        Some(_) => {}
        None => return Said::Wrong("cidr is missing".to_owned()),
    }
    Said::Claim(fields)
}

/// Counts what is read, for the progress.
struct Counted<R> {
    source: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let more = u64::try_from(count).unwrap_or_default();
        self.read.fetch_add(more, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn read(text: &str) -> String {
        let mut told = Vec::new();
        let outcome = one("f", text.as_bytes(), None, |line, said| {
            told.push(match said {
                Said::Claim(fields) => format!("{line} {}", Value::from(fields)),
                Said::Skipped(why) => format!("{line} skipped: {why}"),
                Said::Wrong(why) => format!("{line} wrong: {why}"),
            });
            true
        });
        told.extend(outcome.err().map(|failure| format!("error: {failure}")));
        told.join("\n")
    }

    #[test]
    fn rows_of_a_table_are_claims_of_their_exact_block() {
        let text = "name,cidr,pool,owner,ttlSeconds,labels,phase\n\
            web,10.0.0.4/30,p,node-1/eth0,60,app=web;tier=a,Allocated\n\
            ,10.0.0.9,shared/p,,soon,,\n\
            \"a\nb\",2001:db8::1,,,,,\n\
            short,10.0.0.1\n\
            gone,10.0.0.2,p,,,,Released\n\
            none,,,,,,\n";
        expect![[r#"
            2 {"cidr":"10.0.0.4/30","labels":{"app":"web","tier":"a"},"name":"web","owner":"node-1/eth0","pool":"p","ttlSeconds":60}
            3 {"cidr":"10.0.0.9/32","pool":{"name":"p","tenant":"shared"},"ttlSeconds":"soon"}
            4 {"cidr":"2001:db8::1/128","name":"a\nb"}
            6 wrong: it has 2 cells, and there are 7 columns
            7 skipped: it was released
            8 wrong: cidr is missing"#]].assert_eq(&read(text));
        expect![[r#"
            2 {"cidr":"10.0.0.1/32","name":"web","purpose":"Claim"}
            3 skipped: it is held as a Reservation
            4 skipped: it is held as a Child
            5 {"cidr":"10.0.0.2/32","name":"router","purpose":"Reservation"}"#]].assert_eq(&read("claim,cidr,purpose\nweb,10.0.0.1/32,Claim\n,10.0.0.0/32,Reservation\n,10.0.1.0/24,Child\nrouter,10.0.0.2/32,Reservation\n"));
        expect![[r#"
            error: f: "cdir" is no column; allowed: name, claim, pool, cidr, purpose, owner, ttlSeconds, graceSeconds, reclaimPolicy, labels, annotations, description, and those of an export
            error: f has no column cidr"#]].assert_eq(&format!("{}\n{}", read("name,cdir\n"), read("name,pool\n")));
        assert_eq!(
            read("\u{feff}\n\nname,cidr\na,10.0.0.1\n"),
            r#"4 {"cidr":"10.0.0.1/32","name":"a"}"#
        );
        assert_eq!(
            read("\n{\"cidr\":\"10.0.0.1\"}\n"),
            r#"2 {"cidr":"10.0.0.1/32"}"#
        );
        assert_eq!(read(""), "");
        assert_eq!(read(" \n \n"), "");
    }

    #[test]
    fn documents_of_the_api_are_claims_of_what_they_have() {
        let text = r#"{"kind":"Claim","name":"web","pool":"any","prefixLength":30,"labels":{"app":"web"},"status":{"allocatedCIDR":"10.0.0.4/30","pool":"p","phase":"InUse"}}
            {"cidr":"10.0.0.1/32","claim":"db","pool":{"tenant":"a","name":"p"},"purpose":"Claim","phase":"Allocated","revision":7,"family":"IPv4"}
            {"kind":"Claim","name":"edge","pool":"p","purpose":"Reservation","cidr":"10.0.0.8/30","status":{"allocatedCIDR":"10.0.0.8/30","pool":"p","phase":"Allocated"}}
            {"cidr":"10.0.0.0/32","pool":"p","purpose":"Reservation","reason":"network","phase":"Allocated"}
            {"kind":"Pool","name":"p"}
            {"name":"x","colour":"red","cidr":"10.0.0.1/32"}"#;
        expect![[r#"
            1 {"cidr":"10.0.0.4/30","labels":{"app":"web"},"name":"web","pool":"p"}
            2 {"cidr":"10.0.0.1/32","name":"db","pool":{"name":"p","tenant":"a"},"purpose":"Claim"}
            3 {"cidr":"10.0.0.8/30","name":"edge","pool":"p","purpose":"Reservation"}
            4 skipped: it is held as a Reservation
            5 wrong: it is a Pool, no Claim; what is to be made is applied: ipamctl apply
            6 {"cidr":"10.0.0.1/32","colour":"red","name":"x"}"#]]
        .assert_eq(&read(text));
    }
}
