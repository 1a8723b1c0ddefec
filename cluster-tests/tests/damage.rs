//! One byte of one record, changed while a node is down, is found when it starts: it refuses, or it says what it found
//! and rebuilds what was damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::tenant::Tenant;
use cluster_tests::wait;
use serde_json::{Value, json};

const CLAIMS: usize = 200;
const WITHIN: Duration = Duration::from_secs(20);
/// The node whose directory is damaged.
const NODE: u64 = 2;

/// What must become of the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The process ends with 1.
    Refused,
    /// The node says so in its log and serves what the others serve.
    Rebuilt,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_changed_byte_of_a_record_is_found_at_the_next_start() -> Result<()> {
    let mut cluster = TestCluster::three().await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "damage").await?;
    let pool = json!({ "name": "p", "cidrs": ["10.0.0.0/16"] });
    tenant.pool_create(&mut connection, &pool).await?;
    for number in 0..CLAIMS {
        let claim = json!({ "name": claim_name(number), "pool": "p" });
        tenant.claim(&mut connection, &claim).await?.expect(201)?;
    }
    // A stop in good order leaves a checkpoint, and a log whose end is proven.
    let status = cluster.process_take(NODE)?.stop(WITHIN).await?;
    ensure!(status.success(), "{status}");
    let home = cluster.data_dir(NODE).to_owned();

    let needle = claim_name(CLAIMS / 2);
    let records = containing(&home, needle.as_bytes())?;
    let (mut log, applied): (Vec<_>, Vec<_>) = records
        .into_iter()
        .partition(|(path, _)| !path.starts_with("applied"));
    ensure!(!log.is_empty(), "the log has the claim");
    ensure!(!applied.is_empty(), "the applied store has the claim");
    log.push((PathBuf::from("identity"), 20));
    for (path, offset) in log {
        let place = format!("byte {offset} of {}", path.display());
        change_byte(&home.join(&path), offset)?;
        let found = started(&mut cluster).await.with_context(|| place.clone())?;
        ensure!(found == Found::Refused, "{place}: {found:?}");
        // A directory that is refused is left as it is. Nothing else is put back: a member whose disk
        // went back in time would break what it has promised.
        change_byte(&home.join(&path), offset)?;
    }
    for (path, offset) in applied {
        let place = format!("byte {offset} of {}", path.display());
        change_byte(&home.join(&path), offset)?;
        let found = started(&mut cluster).await.with_context(|| place.clone())?;
        ensure!(found == Found::Rebuilt, "{place}: {found:?}");
    }

    // And that it was the bytes: now the directory starts.
    let before = cluster.printed(NODE).len();
    cluster.start(NODE)?;
    cluster.ready(NODE).await?;
    let printed = cluster.printed(NODE);
    ensure!(!printed[before..].contains("ERROR"), "{printed}");
    digests_are_equal(&cluster).await
}

fn claim_name(number: usize) -> String {
    format!("needle-in-the-log-{number:04}")
}

/// Starts the node and waits for what becomes of it; one that is ready is stopped in good order.
async fn started(cluster: &mut TestCluster) -> Result<Found> {
    let before = cluster.printed(NODE).len();
    cluster.start(NODE)?;
    let address = cluster.address(NODE);
    let mut process = cluster.process_take(NODE)?;
    let child = std::cell::RefCell::new(&mut process);
    let ended = wait::until("the node is ready or has ended", WITHIN, || async {
        if !child.borrow_mut().is_running() {
            return Some(true);
        }
        let mut connection =
            cluster_tests::http::Connection::new(address).with_deadline(Duration::from_secs(1));
        let reply = connection.get("/readyz").await.ok()?;
        (reply.status == 200).then_some(false)
    })
    .await?;
    let printed = process.printed().split_off(before);
    if ended {
        let status = process.exited(WITHIN).await?;
        ensure!(status.code() == Some(1), "{status}: {printed}");
        ensure!(
            printed.contains("ipamd: "),
            "the reason is printed: {printed}"
        );
        return Ok(Found::Refused);
    }
    ensure!(
        printed.contains("moved aside"),
        "nothing was found: {printed}"
    );
    digests_are_equal(cluster).await?;
    let status = process.stop(WITHIN).await?;
    ensure!(status.success(), "{status}");
    Ok(Found::Rebuilt)
}

async fn digests_are_equal(cluster: &TestCluster) -> Result<()> {
    let mut connection = cluster.connection(1);
    let latest = digest(&mut connection, "").await?;
    let query = format!("?revision={}", latest["revision"]);
    let one = digest(&mut connection, &query).await?;
    let other = digest(&mut cluster.connection(NODE), &query).await?;
    ensure!(one["digest"].is_string(), "{one}");
    ensure!(one["digest"] == other["digest"], "{one} {other}");
    Ok(())
}

async fn digest(connection: &mut cluster_tests::http::Connection, query: &str) -> Result<Value> {
    let path = format!("/v1/cluster/digest{query}");
    connection.get(&path).await?.expect(200)
}

/// The files below a folder that have these bytes, and where the first of them stand.
fn containing(folder: &Path, bytes: &[u8]) -> Result<Vec<(PathBuf, usize)>> {
    let mut found = Vec::new();
    for path in files(folder)? {
        let content = fs::read(folder.join(&path))?;
        let first = content
            .windows(bytes.len())
            .position(|window| window == bytes);
        found.extend(first.map(|offset| (path, offset)));
    }
    Ok(found)
}

fn change_byte(path: &Path, offset: usize) -> Result<()> {
    let mut content = fs::read(path)?;
    *content.get_mut(offset).context("the byte is there")? ^= 1;
    fs::write(path, content)?;
    Ok(())
}

/// All files below a folder, by their paths inside it.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            let path = inside.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
