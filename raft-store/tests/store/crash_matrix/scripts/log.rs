//! The directory and the log.

use std::time::Duration;

use expect_test::expect;

use super::{WHILE, entries, nothing, several_segments, three_entries};
use crate::crash_matrix::live::{Live, huge, large};
use crate::crash_matrix::matrix;
use crate::world::{entry, log_id, pass};

#[test]
fn making_a_directory() {
    let script = async |live: &mut Live<'_>| {
        live.step("make");
        live.open()?;
        live.step("form a cluster");
        live.cluster(0xfeed)?;
        live.step("first entry");
        live.model.decide(entries(1..=1));
        live.commit(&entries(1..=1)).await?;
        pass(WHILE).await;
        Ok(())
    };
    matrix(
        "making a directory",
        &nothing,
        &script,
        &expect![[r#"
            make: make directory: does not open
            make: create lock: does not open
            make: sync entries of parent: does not open
            make: sync entries of root: does not open
            make: create mark of making: does not open
            make: sync entries of directory: does not open
            make: make log: does not open
            make: create segment: does not open
            make: allocate segment: does not open
            make: write segment: does not open
            make: sync segment: does not open
            make: create vote: does not open
            make: allocate vote: does not open
            make: write vote: does not open
            make: sync vote: does not open
            make: sync entries of log: does not open
            make: create new identity: does not open
            make: extend new identity: does not open
            make: sync new identity: does not open
            make: rename new identity to identity: does not open
            make: remove mark of making: does not open
            make: make snapshots: does not open
            make: sync entries of snapshots: does not open
            form a cluster: create new identity: is refused
            form a cluster: extend new identity: is refused
            form a cluster: sync new identity: is refused
            form a cluster: rename new identity to identity: is refused
            form a cluster: sync entries of directory: is refused
            first entry: write segment by log-writer: the log stops
            first entry: create segment by log-keeper: goes on
            first entry: allocate segment by log-keeper: goes on
            first entry: sync segment by log-keeper: goes on
            first entry: sync entries of log by log-keeper: goes on
            first entry: sync segment by log-writer: the log stops
        "#]],
    );
}

#[test]
fn appending() {
    let script = async |live: &mut Live<'_>| {
        live.start().await?;
        pass(Duration::from_millis(20)).await;
        live.step("append one");
        live.append(&entries(4..=4)).await?;
        live.step("append several");
        live.append(&entries(5..=7)).await?;
        live.step("come to rest");
        pass(WHILE).await;
        live.step("append after the rest");
        live.append(&entries(8..=8)).await?;
        live.step("close");
        live.close().await;
        Ok(())
    };
    matrix(
        "appending",
        &three_entries,
        &script,
        &expect![[r#"
        append one: write segment by log-writer: the log stops
        append one: sync segment by log-writer: the log stops
        append several: write segment by log-writer: the log stops
        append several: sync segment by log-writer: the log stops
        come to rest: write segment by log-writer: the log stops
        come to rest: sync segment by log-writer: the log stops
        append after the rest: write segment by log-writer: the log stops
        append after the rest: sync segment by log-writer: the log stops
        close: write segment by log-writer: goes on
        close: sync segment by log-writer: goes on
    "#]],
    );
}

#[test]
fn saving_a_vote() {
    let script = async |live: &mut Live<'_>| {
        live.start().await?;
        pass(Duration::from_millis(20)).await;
        live.step("vote");
        live.vote(2).await?;
        live.vote(3).await?;
        live.step("append after the vote");
        let next = [entry(3, 4)];
        live.append(&next).await?;
        live.step("vote and append at once");
        live.vote_beside(5).await;
        live.append(&[entry(5, 5)]).await
    };
    matrix(
        "saving a vote",
        &three_entries,
        &script,
        &expect![[r#"
            vote: write segment by log-writer: the log stops
            vote: sync segment by log-writer: the log stops
            vote: write vote by log-writer: the log stops
            vote: sync vote by log-writer: the log stops
            append after the vote: write segment by log-writer: the log stops
            append after the vote: sync segment by log-writer: the log stops
            vote and append at once: write segment by log-writer: the log stops
            vote and append at once: sync segment by log-writer: the log stops
            vote and append at once: write vote by log-writer: the log stops
            vote and append at once: sync vote by log-writer: the log stops
        "#]],
    );
}

#[test]
fn beginning_segments() {
    let script = async |live: &mut Live<'_>| {
        live.start().await?;
        pass(Duration::from_millis(20)).await;
        live.step("fill");
        for index in 4..=6 {
            live.append(&[large(1, index)]).await?;
        }
        live.step("rotate");
        live.append(&[large(1, 7)]).await?;
        pass(Duration::from_millis(20)).await;
        live.step("rotate to a group larger than a segment");
        live.append(&[huge(1, 8)]).await?;
        live.step("rotate before the next one is made");
        live.append(&[huge(1, 9), huge(1, 10)]).await?;
        live.append(&[huge(1, 11)]).await?;
        live.step("rest");
        pass(WHILE).await;
        Ok(())
    };
    matrix(
        "beginning segments",
        &three_entries,
        &script,
        &expect![[r#"
        fill: write segment by log-writer: the log stops
        fill: sync segment by log-writer: the log stops
        fill: create segment by log-keeper: goes on; if full, the log stops
        fill: allocate segment by log-keeper: goes on; if full, the log stops
        fill: sync segment by log-keeper: goes on
        fill: sync entries of log by log-keeper: goes on
        rotate: write segment by log-writer: the log stops
        rotate: sync segment by log-writer: the log stops
        rotate: create segment by log-keeper: goes on; if full, the log stops
        rotate: allocate segment by log-keeper: goes on; if full, the log stops
        rotate: sync segment by log-keeper: goes on
        rotate: sync entries of log by log-keeper: goes on
        rotate to a group larger than a segment: allocate segment by log-writer: the log stops
        rotate to a group larger than a segment: sync segment by log-writer: the log stops
        rotate to a group larger than a segment: write segment by log-writer: the log stops
        rotate to a group larger than a segment: create segment by log-keeper: goes on; if full, the log stops
        rotate to a group larger than a segment: allocate segment by log-keeper: goes on; if full, the log stops
        rotate to a group larger than a segment: sync segment by log-keeper: goes on
        rotate to a group larger than a segment: sync entries of log by log-keeper: goes on
        rotate before the next one is made: allocate segment by log-writer: the log stops
        rotate before the next one is made: sync segment by log-writer: the log stops
        rotate before the next one is made: write segment by log-writer: the log stops
        rotate before the next one is made: create segment by log-keeper: goes on; if full, the log stops
        rotate before the next one is made: allocate segment by log-keeper: goes on; if full, the log stops
        rotate before the next one is made: sync segment by log-keeper: goes on
        rotate before the next one is made: sync entries of log by log-keeper: goes on
        rest: write segment by log-writer: the log stops
        rest: sync segment by log-writer: the log stops
        rest: create segment by log-keeper: goes on
        rest: allocate segment by log-keeper: goes on
        rest: sync segment by log-keeper: goes on
        rest: sync entries of log by log-keeper: goes on
    "#]],
    );
}

#[test]
fn truncating() {
    let script = async |live: &mut Live<'_>| {
        live.start().await?;
        live.append(&entries(4..=8)).await?;
        live.step("truncate and append");
        live.truncate(&entry(1, 6)).await?;
        // Written by itself, without a sync: the power may take it and leave what follows.
        pass(Duration::from_millis(10)).await;
        live.append(&[entry(2, 6)]).await?;
        live.step("truncate and rest");
        live.truncate(&entry(2, 6)).await?;
        pass(WHILE).await;
        live.step("fill");
        live.append(&[large(2, 6)]).await?;
        live.append(&[large(2, 7)]).await?;
        live.step("truncate and rotate");
        live.truncate(&large(2, 7)).await?;
        // So that the next segment begins after what is not synced.
        pass(Duration::from_millis(10)).await;
        live.append(&[huge(3, 7)]).await?;
        live.step("truncate into the segment before");
        live.truncate(&large(2, 6)).await?;
        live.append(&[entry(4, 6), entry(4, 7)]).await?;
        live.step("rest");
        pass(WHILE).await;
        Ok(())
    };
    matrix(
        "truncating",
        &three_entries,
        &script,
        &expect![[r#"
            truncate and append: write segment by log-writer: the log stops
            truncate and append: sync segment by log-writer: the log stops
            truncate and rest: write segment by log-writer: the log stops
            truncate and rest: sync segment by log-writer: the log stops
            fill: write segment by log-writer: the log stops
            fill: sync segment by log-writer: the log stops
            fill: create segment by log-keeper: goes on; if full, the log stops
            fill: allocate segment by log-keeper: goes on; if full, the log stops
            fill: sync segment by log-keeper: goes on
            fill: sync entries of log by log-keeper: goes on
            truncate and rotate: write segment by log-writer: the log stops
            truncate and rotate: sync segment by log-writer: the log stops
            truncate and rotate: allocate segment by log-writer: the log stops
            truncate and rotate: create segment by log-keeper: goes on; if full, the log stops
            truncate and rotate: allocate segment by log-keeper: goes on; if full, the log stops
            truncate and rotate: sync segment by log-keeper: goes on
            truncate and rotate: sync entries of log by log-keeper: goes on
            truncate into the segment before: write segment by log-writer: the log stops
            truncate into the segment before: sync segment by log-writer: the log stops
            rest: create segment by log-keeper: goes on
            rest: allocate segment by log-keeper: goes on
            rest: sync segment by log-keeper: goes on
            rest: sync entries of log by log-keeper: goes on
            rest: write segment by log-writer: the log stops
            rest: sync segment by log-writer: the log stops
        "#]],
    );
}

#[test]
fn purging() {
    let script = async |live: &mut Live<'_>| {
        live.start().await?;
        pass(Duration::from_millis(20)).await;
        live.step("purge within a segment");
        live.purge(log_id(1, 1)).await?;
        pass(Duration::from_millis(20)).await;
        live.step("purge segments");
        live.purge(log_id(1, 8)).await?;
        pass(Duration::from_millis(50)).await;
        live.step("append");
        live.append(&[large(1, 13)]).await?;
        live.step("purge and rotate");
        live.purge(log_id(1, 12)).await?;
        live.append(&[huge(1, 14)]).await?;
        live.step("rotate without a sync");
        live.model.decide([large(1, 13), huge(1, 14)]);
        live.apply(&[large(1, 13), huge(1, 14)]).await?;
        live.checkpoint().await?;
        live.purge(log_id(1, 14)).await?;
        for _ in 0..16 {
            // Nobody waits for it. One of them begins a segment; the one before may not go yet.
            live.truncate(&entry(1, 15)).await?;
            pass(Duration::from_millis(4)).await;
        }
        live.step("rest");
        pass(Duration::from_secs(3)).await;
        Ok(())
    };
    matrix(
        "purging",
        &several_segments,
        &script,
        &expect![[r#"
            purge within a segment: write segment by log-writer: the log stops
            purge within a segment: sync segment by log-writer: the log stops
            purge segments: write segment by log-writer: the log stops
            purge segments: sync segment by log-writer: the log stops
            purge segments: remove segment by log-keeper: goes on
            purge segments: sync entries of log by log-keeper: goes on
            append: write segment by log-writer: the log stops
            append: sync segment by log-writer: the log stops
            purge and rotate: allocate segment by log-writer: the log stops
            purge and rotate: sync segment by log-writer: the log stops
            purge and rotate: write segment by log-writer: the log stops
            purge and rotate: create segment by log-keeper: goes on; if full, the log stops
            purge and rotate: allocate segment by log-keeper: goes on; if full, the log stops
            purge and rotate: sync segment by log-keeper: goes on
            purge and rotate: sync entries of log by log-keeper: goes on
            purge and rotate: remove segment by log-keeper: goes on
            rotate without a sync: write segment by log-writer: the log stops
            rotate without a sync: extend applied store by background: checkpoints stop
            rotate without a sync: sync applied store by background: checkpoints stop
            rotate without a sync: note in applied store by background: checkpoints stop
            rotate without a sync: sync segment by log-writer: the log stops
            rotate without a sync: create segment by log-keeper: goes on; if full, the log stops
            rotate without a sync: allocate segment by log-keeper: goes on; if full, the log stops
            rotate without a sync: sync segment by log-keeper: goes on
            rotate without a sync: sync entries of log by log-keeper: goes on
            rotate without a sync: remove segment by log-keeper: goes on
            rest: sync segment by log-writer: the log stops
            rest: create segment by log-keeper: goes on
            rest: allocate segment by log-keeper: goes on
            rest: sync segment by log-keeper: goes on
            rest: sync entries of log by log-keeper: goes on
            rest: remove segment by log-keeper: goes on
            rest: write segment by log-writer: the log stops
        "#]],
    );
}
