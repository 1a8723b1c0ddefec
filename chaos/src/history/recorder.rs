//! Writing a history and reading it.

use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use super::{Line, Op, What};

/// Takes lines from many clients; clones write to the same history.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    lines: Vec<Line>,
    next_id: u64,
}

impl Recorder {
    /// Adds a line. Lines stand in the order in which they were added.
    pub fn note(&self, at_us: u64, what: What) {
        self.lock().lines.push(Line { at_us, what });
    }

    /// Adds a question; its id, for the answer.
    pub fn invoke(&self, at_us: u64, client: u64, node: u64, op: Op) -> u64 {
        let mut recorded = self.lock();
        let id = recorded.next_id;
        recorded.next_id += 1;
        let what = What::Invoke {
            id,
            client,
            node,
            op,
        };
        recorded.lines.push(Line { at_us, what });
        id
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<Line> {
        self.lock().lines.clone()
    }

    /// Writes all lines so far.
    pub fn write(&self, mut to: impl Write) -> Result<()> {
        for line in &self.lock().lines {
            serde_json::to_writer(&mut to, line)?;
            to.write_all(b"\n")?;
        }
        to.flush().map_err(Into::into)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a history.
///
/// # Errors
/// A line that is not one, with its number.
pub fn read(from: impl BufRead) -> Result<Vec<Line>> {
    from.lines()
        .enumerate()
        .map(|(number, line)| {
            serde_json::from_str(&line?)
                .with_context(|| format!("line {} of the history", number + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Consistency, Reply};

    #[test]
    fn what_was_recorded_is_read_back() -> Result<()> {
        let recorder = Recorder::default();
        let op = Op::Get {
            name: "a".to_owned(),
            consistency: Consistency::Linearizable,
        };
        let id = recorder.invoke(5, 1, 2, op);
        let reply = Reply::Found {
            block: "10.0.0.0/32".to_owned(),
            generation: 7,
            revision: 9,
        };
        recorder.note(8, What::Ok { id, reply });
        let mut text = Vec::new();
        recorder.write(&mut text)?;
        assert_eq!(
            String::from_utf8(text.clone())?,
            "{\"at_us\":5,\"event\":\"invoke\",\"id\":0,\"client\":1,\"node\":2,\
             \"op\":{\"do\":\"get\",\"name\":\"a\",\"consistency\":{\"read\":\"linearizable\"}}}\n\
             {\"at_us\":8,\"event\":\"ok\",\"id\":0,\
             \"reply\":{\"was\":\"found\",\"block\":\"10.0.0.0/32\",\"generation\":7,\"revision\":9}}\n"
        );
        assert_eq!(read(text.as_slice())?, recorder.lines());
        assert!(read(&b"{}\n"[..]).is_err());
        Ok(())
    }
}
