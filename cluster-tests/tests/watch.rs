//! A watch on three nodes: every event once, in order, wherever it was cut off and on whichever node it goes on.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cluster_tests::TestCluster;
use cluster_tests::tenant::Tenant;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Longest wait for an event.
const PATIENCE: Duration = Duration::from_secs(20);
/// Rounds of a claim, a confirmation and a release.
const ROUNDS: usize = 100;

/// A stream of events.
struct Events {
    body: Incoming,
    buffer: Vec<u8>,
    driver: JoinHandle<()>,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Events {
    /// Opens a watch behind an event, or behind everything.
    async fn open(address: SocketAddr, path: &str, last: Option<&str>) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(async move { drop(connection.await) });
        let mut request = Request::get(path).header("host", address.to_string());
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = sender
            .send_request(request.body(Empty::<Bytes>::new())?)
            .await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        Ok(Self {
            body: answer.into_body(),
            buffer: Vec::new(),
            driver,
        })
    }

    /// The id and the data of the next event that is no bookmark.
    async fn next(&mut self) -> Result<(String, Value)> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let text: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let text = String::from_utf8(text)?;
                let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
                let Some((id, data)) = field("id: ").zip(field("data: ")) else {
                    continue;
                };
                let data: Value = serde_json::from_str(data)?;
                if data["type"] != "bookmark" {
                    return Ok((id.to_owned(), data));
                }
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame())
                .await
                .context("the next event")?;
            match frame {
                Some(Ok(frame)) => self.buffer.extend(frame.into_data().unwrap_or_default()),
                Some(Err(_)) | None => bail!("the stream has ended"),
            }
        }
    }
}

fn line(id: &str, data: &Value) -> String {
    format!("{id} {} {}", data["type"], data["object"]["name"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_is_cut_off_at_each_revision_goes_on_at_another_node_with_the_next_event()
-> Result<()> {
    let mut cluster = TestCluster::three().await?;
    let (leader, _) = cluster.leader().await?;
    let mut connection = cluster.connection(leader);
    let tenant = Tenant::create(&mut connection, "watched").await?;
    tenant
        .pool_create(
            &mut connection,
            &json!({ "name": "p", "cidrs": ["10.0.0.0/24"] }),
        )
        .await?;
    let path = "/v1/tenants/watched/watch";
    let mut live = Events::open(cluster.address(1), path, None).await?;
    let mut first = None;
    let mut seen = Vec::new();
    for round in 0..ROUNDS {
        let name = format!("c{round}");
        let claim = json!({ "name": name, "pool": "p" });
        tenant.claim(&mut connection, &claim).await?.expect(201)?;
        let confirm = format!("/v1/tenants/watched/claims/{name}/confirm");
        connection.post(&confirm, &json!({})).await?.expect(200)?;
        let release = format!("/v1/tenants/watched/claims/{name}");
        connection.delete(&release).await?.expect(200)?;
        for kind in ["allocated", "confirmed", "released"] {
            let (id, data) = live.next().await?;
            first.get_or_insert_with(|| id.clone());
            let expected = format!("{id} \"{kind}\" \"{name}\"");
            ensure!(
                line(&id, &data) == expected,
                "{data} in place of {expected}"
            );
            seen.push((id, expected));
        }
    }
    // Cut off behind each event: another node tells the next one.
    let ids = cluster.ids();
    for (place, pair) in seen.windows(2).enumerate() {
        let ((last, _), (_, expected)) = (&pair[0], &pair[1]);
        let node = ids[place % ids.len()];
        let mut events = Events::open(cluster.address(node), path, Some(last)).await?;
        let (id, data) = events.next().await?;
        ensure!(
            line(&id, &data) == *expected,
            "node {node} behind {last}: {data} in place of {expected}"
        );
    }
    // The leader dies: the watch of a node that lives goes on, and so does one that was on the leader.
    let (lost, alive): (Vec<u64>, Vec<u64>) = ids.into_iter().partition(|id| *id == leader);
    let mut followed = Events::open(cluster.address(alive[0]), path, None).await?;
    cluster.kill(lost[0])?;
    cluster.leader().await?;
    let mut connection = cluster.connection(alive[1]);
    let claim = json!({ "name": "after", "pool": "p" });
    tenant.claim(&mut connection, &claim).await?.expect(201)?;
    let (id, data) = followed.next().await?;
    let newest = seen.last().map(|(id, _)| id.as_str());
    let mut moved = Events::open(cluster.address(alive[1]), path, newest).await?;
    let (same, again) = moved.next().await?;
    ensure!((&id, &data) == (&same, &again), "{data} and {again}");
    ensure!(data["object"]["name"] == "after", "{data}");
    // A node that was away tells the same.
    cluster.start(leader)?;
    cluster.ready(leader).await?;
    let mut back = Events::open(cluster.address(leader), path, newest).await?;
    ensure!(back.next().await? == (id, data), "the node that was away");
    Ok(())
}
