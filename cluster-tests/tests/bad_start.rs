//! A daemon that cannot start says why and ends with 1.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::process::Process;

const WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_named() -> Result<()> {
    let cluster = TestCluster::prepared(1, &[], None).await?;
    for address in [cluster.address(1), cluster.peer_address(1)] {
        let _taken = TcpListener::bind(address)?;
        refused(&mut cluster.command(1)?, &[&address.to_string()]).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_cannot_be_written_is_named() -> Result<()> {
    let cluster = TestCluster::prepared(1, &[], None).await?;
    // A file stands where the directory should be: root is refused that too.
    std::fs::write(cluster.data_dir(1), "not a directory")?;
    let path = cluster.data_dir(1).display().to_string();
    refused(&mut cluster.command(1)?, &[&path]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_of_another_node_is_refused() -> Result<()> {
    let mut cluster = TestCluster::three().await?;
    cluster.kill_all()?;
    let (one, two) = (
        cluster.data_dir(1).to_owned(),
        cluster.data_dir(2).to_owned(),
    );
    std::fs::remove_dir_all(&two)?;
    std::fs::rename(&one, &two)?;
    refused(&mut cluster.command(2)?, &["node 1", "node 2"]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_in_use_is_refused() -> Result<()> {
    let cluster = TestCluster::three().await?;
    let other = TestPorts::free()?;
    let mut command = cluster.command(1)?;
    // The same directory, other ports.
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut second = Command::new(command.get_program());
    for (before, argument) in [None]
        .into_iter()
        .chain(arguments.iter().map(Some))
        .zip(&arguments)
    {
        match before.and_then(|before| before.to_str()) {
            Some("--listen" | "--peer-listen") => second.arg(other.next()?),
            _ => second.arg(argument),
        };
    }
    refused(&mut second, &[&cluster.data_dir(1).display().to_string()]).await?;
    command = cluster.command(2)?;
    ensure!(
        command.get_args().len() > 0,
        "the first node was left alone"
    );
    cluster.ready(1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_of_another_format_is_refused_and_left_as_it_is() -> Result<()> {
    let mut cluster = TestCluster::three().await?;
    cluster.kill_all()?;
    let identity = cluster.data_dir(1).join("identity");
    let text = std::fs::read_to_string(&identity).context("the identity file")?;
    // The same file, as a later version would have written it.
    let (body, _) = text.split_once("checksum ").context("a checksum")?;
    let body = body.replace("format 1\n", "format 99\n");
    let other = format!("{body}checksum {:08x}\n", crc32c::crc32c(body.as_bytes()));
    ensure!(other != text, "the file names its format: {text}");
    std::fs::write(&identity, &other)?;
    refused(&mut cluster.command(1)?, &["format 99"]).await?;
    ensure!(
        std::fs::read_to_string(&identity)? == other,
        "nothing was written over it"
    );

    std::fs::write(&identity, &text)?;
    cluster.start_all()?;
    cluster.ready_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_of_one_record_changed_is_found() -> Result<()> {
    let mut cluster = TestCluster::three().await?;
    let mut connection = cluster.connection(1);
    let tenant = cluster_tests::tenant::Tenant::create(&mut connection, "flipped").await?;
    tenant
        .pool_create(
            &mut connection,
            &serde_json::json!({ "name": "needle-in-the-log", "cidrs": ["10.0.0.0/8"] }),
        )
        .await?;
    // The log is at rest, its tail sealed, once every node has applied all of it and was stopped in good order.
    let mut stopped = Vec::new();
    for id in cluster.ids() {
        stopped.push(cluster.process_take(id)?);
    }
    for process in &mut stopped {
        process.stop(WITHIN).await?;
    }
    let flipped = flip(cluster.data_dir(1), b"needle-in-the-log")?;
    ensure!(flipped > 0, "the log holds the name");

    cluster.start(2)?;
    cluster.start(3)?;
    cluster.ready(2).await?;
    let text = refused(&mut cluster.command(1)?, &[]).await;
    text.context("a log with a changed byte is not served")
}

/// Changes one byte of each place under `folder`, in files of the log, where `needle` stands.
fn flip(folder: &Path, needle: &[u8]) -> Result<usize> {
    let mut flipped = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            // The node's copy of the state is rebuilt when it does not check; here it is the log that is at stake.
            if path.file_name().is_some_and(|name| name != "applied") {
                flipped += flip(&path, needle)?;
            }
            continue;
        }
        let mut bytes = std::fs::read(&path)?;
        let places: Vec<usize> = bytes
            .windows(needle.len())
            .enumerate()
            .filter(|(_, window)| *window == needle)
            .map(|(place, _)| place)
            .collect();
        for place in &places {
            bytes[*place] ^= 1;
        }
        if !places.is_empty() {
            std::fs::write(&path, bytes)?;
            flipped += places.len();
        }
    }
    Ok(flipped)
}

struct TestPorts(std::cell::RefCell<Vec<TcpListener>>);

impl TestPorts {
    fn free() -> Result<Self> {
        let listeners: std::io::Result<Vec<_>> =
            (0..2).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
        Ok(Self(std::cell::RefCell::new(listeners?)))
    }

    fn next(&self) -> Result<String> {
        let listener = self.0.borrow_mut().pop().context("a free port")?;
        Ok(listener.local_addr()?.to_string())
    }
}

async fn refused(command: &mut Command, named: &[&str]) -> Result<()> {
    let log = tempfile::NamedTempFile::new()?;
    let mut process = Process::start(command, log.path())?;
    let status = process
        .exited(WITHIN)
        .await
        .with_context(|| process.printed())?;
    let printed = process.printed();
    ensure!(status.code() == Some(1), "{status}: {printed}");
    for part in named {
        ensure!(printed.contains(part), "{part:?} is not in: {printed}");
    }
    ensure!(!printed.contains("panicked"), "{printed}");
    Ok(())
}
