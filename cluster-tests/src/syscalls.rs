//! Reads what `strace -ff -ttt -T -yy` wrote, one file a thread.
//!
//! A line is `SECONDS.MICROS name(arguments) = result <SECONDS.MICROS>`: when the call was entered, and how long it took
//! until it had returned. All processes of a machine share the clock, so that calls of two nodes can be compared.

use std::path::Path;

use anyhow::{Context, Result};

/// One completed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Entered, in microseconds of wall time.
    pub entered_us: u64,
    /// Returned.
    pub returned_us: u64,
    /// `pwrite64`, `fdatasync`, …
    pub name: String,
    /// Between the parentheses, as strace prints it.
    pub arguments: String,
    /// What it returned; negative for an error.
    pub result: i64,
}

impl Call {
    /// What the first argument, a descriptor, stands for: a path, or `TCP:[here->there]`.
    pub fn descriptor(&self) -> Option<&str> {
        let (_, rest) = self.arguments.split_once('<')?;
        let end = rest.find(">,").or_else(|| rest.rfind('>'))?;
        rest.get(..end)
    }

    /// Whether it writes bytes to its descriptor.
    pub fn is_write(&self) -> bool {
        [
            "write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg",
        ]
        .contains(&self.name.as_str())
    }

    /// Whether it makes a file's bytes durable.
    pub fn is_sync(&self) -> bool {
        ["fsync", "fdatasync"].contains(&self.name.as_str())
    }
}

/// When the log's bytes with a claim's name were durable on one node: the end of the first sync of a file that was
/// entered after a write of those bytes to that file had returned.
pub fn durable_at(calls: &[Call], directory: &str, name: &str) -> Option<u64> {
    calls
        .iter()
        .filter(|call| call.is_write() && call.result > 0 && call.arguments.contains(name))
        .filter_map(|write| {
            let file = write
                .descriptor()
                .filter(|path| path.starts_with(directory))?;
            calls
                .iter()
                .filter(|call| {
                    call.is_sync() && call.result == 0 && call.descriptor() == Some(file)
                })
                .filter(|sync| sync.entered_us >= write.returned_us)
                .map(|sync| sync.returned_us)
                .min()
        })
        .min()
}

/// When the first bytes with a claim's name went out on a connection of which `local` (`address:port`) is this end.
pub fn answered_at(calls: &[Call], local: &str, name: &str) -> Option<u64> {
    let prefix = format!("TCP:[{local}->");
    calls
        .iter()
        .filter(|call| call.is_write() && call.arguments.contains(name))
        .filter(|call| {
            call.descriptor()
                .is_some_and(|descriptor| descriptor.starts_with(&prefix))
        })
        .map(|call| call.entered_us)
        .min()
}

/// All calls of the files `PREFIX.<thread>` in `folder`.
pub fn read(folder: &Path, prefix: &str) -> Result<Vec<Call>> {
    let mut calls = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let of_prefix = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| {
                name.strip_prefix(prefix)
                    .is_some_and(|rest| rest.starts_with('.'))
            });
        if of_prefix {
            let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
            calls.extend(String::from_utf8_lossy(&text).lines().filter_map(parse));
        }
    }
    Ok(calls)
}

/// A line of a completed call; other lines (signals, exits, what was cut off by the detaching) are `None`.
pub fn parse(line: &str) -> Option<Call> {
    let (time, rest) = line.split_once(' ')?;
    let entered_us = micros(time)?;
    let (name, rest) = rest.split_once('(')?;
    let (rest, took) = rest.strip_suffix('>')?.rsplit_once(" <")?;
    let (arguments, result) = rest.rsplit_once(") = ")?;
    let result = result.split(' ').next()?.parse().ok()?;
    Some(Call {
        entered_us,
        returned_us: entered_us + micros(took)?,
        name: name.trim().to_owned(),
        arguments: arguments.trim_end().to_owned(),
        result,
    })
}

fn micros(seconds: &str) -> Option<u64> {
    let (whole, fraction) = seconds.split_once('.')?;
    if fraction.len() != 6 {
        return None;
    }
    Some(whole.parse::<u64>().ok()? * 1_000_000 + fraction.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = r#"100.000100 pwrite64(9</d/wal/0001.log>, "\1\0claim-7\0", 512, 4096) = 512 <0.000020>
100.000200 fdatasync(9</d/wal/0001.log>) = 0 <0.000300>
100.000600 writev(12<TCP:[127.0.0.1:7400->127.0.0.1:50000]>, [{iov_base="HTTP/1.1 201 Created {claim-7}", iov_len=30}], 1) = 30 <0.000010>
100.000700 --- SIGSTOP {si_signo=SIGSTOP} ---
100.000800 fdatasync(9</d/wal/0001.log>) = -1 EIO (Input/output error) <0.000300>"#;

    fn calls(text: &str) -> Vec<Call> {
        text.lines().filter_map(parse).collect()
    }

    #[test]
    fn the_order_of_write_sync_and_answer_is_read_from_a_trace() {
        let calls = calls(TRACE);
        assert_eq!(calls.len(), 4);
        assert_eq!(durable_at(&calls, "/d", "claim-7"), Some(100_000_500));
        assert_eq!(
            answered_at(&calls, "127.0.0.1:7400", "claim-7"),
            Some(100_000_600)
        );
    }

    #[test]
    fn a_sync_that_failed_or_came_first_or_was_of_another_file_makes_nothing_durable() {
        for (from, to) in [
            (
                "fdatasync(9</d/wal/0001.log>) = 0 <0.000300>",
                "fdatasync(9</d/wal/0001.log>) = -1 EIO (x) <0.000300>",
            ),
            ("100.000200 fdatasync", "100.000110 fdatasync"),
            (
                "fdatasync(9</d/wal/0001.log>) = 0",
                "fdatasync(9</d/wal/0002.log>) = 0",
            ),
            ("claim-7\\0\"", "claim-8\\0\""),
        ] {
            let changed = TRACE.replacen(from, to, 1);
            assert_ne!(changed, TRACE, "{from}");
            assert_eq!(durable_at(&calls(&changed), "/d", "claim-7"), None, "{to}");
        }
        assert_eq!(durable_at(&calls(TRACE), "/elsewhere", "claim-7"), None);
    }
}
