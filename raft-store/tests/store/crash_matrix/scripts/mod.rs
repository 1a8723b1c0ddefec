//! The scripts, and what each of their points does when the disk fails there. Points before the first
//! step that has a name are tried like all others, and not listed.

mod log;
mod state;
mod whole;

use std::time::Duration;

use raft_store::types::LogEntry;

use super::live::{Live, Outcome, large};
use crate::world::entry;

/// Long enough for what happens by itself: the log's proven end, the next segment, deletions.
const WHILE: Duration = Duration::from_millis(300);

fn entries(indexes: impl IntoIterator<Item = u64>) -> Vec<LogEntry> {
    indexes.into_iter().map(|index| entry(1, index)).collect()
}

/// Nothing.
async fn nothing(_live: &mut Live<'_>) -> Outcome {
    Ok(())
}

/// A store with three entries.
async fn three_entries(live: &mut Live<'_>) -> Outcome {
    live.open()?;
    live.model.decide(entries(1..=3));
    live.commit(&entries(1..=3)).await?;
    live.close().await;
    Ok(())
}

/// A store with twelve entries over several segments, all in a checkpoint and in a snapshot.
async fn several_segments(live: &mut Live<'_>) -> Outcome {
    live.open()?;
    let all: Vec<_> = (1..=12).map(|index| large(1, index)).collect();
    live.model.decide(all.clone());
    for entry in &all {
        live.commit(std::slice::from_ref(entry)).await?;
    }
    live.checkpoint().await?;
    live.build().await?;
    live.close().await;
    Ok(())
}
