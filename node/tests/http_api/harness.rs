//! A node in this process on ports of its own, and a client that sends whatever it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use node::http::{Limits, Server};
use node::peers::TokioNet;
use node::replica::{PeerListen, Placement, Replica, ReplicaOptions, Timers};
use raft_store::StoreOptions;
use raft_store::env::RealEnv;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A node that serves.
pub(crate) struct TestNode {
    pub(crate) address: SocketAddr,
    pub(crate) replica: Replica,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

impl TestNode {
    /// A cluster of one, ready.
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    /// A cluster of one with other limits, ready.
    pub(crate) async fn start_with(limits: Limits) -> Self {
        let node = Self::launch(limits, &[]).await;
        node.ready().await;
        node
    }

    /// A node of a cluster whose other members are not there, so that it never forms.
    pub(crate) async fn start_alone_of_three(limits: Limits) -> Self {
        Self::launch(limits, &[(2, "127.0.0.1:1"), (3, "127.0.0.1:2")]).await
    }

    async fn launch(limits: Limits, others: &[(u64, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peers = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut cluster = BTreeMap::from([(1, peers.local_addr().unwrap().to_string())]);
        cluster.extend(
            others
                .iter()
                .map(|(id, address)| (*id, (*address).to_owned())),
        );
        let env = Arc::new(RealEnv::new());
        let options = ReplicaOptions {
            node_id: 1,
            store: StoreOptions::new(directory.path().join("data"), 1),
            peer_listen: PeerListen::Bound(peers),
            cluster,
            http_url: format!("http://{address}"),
            timers: Timers::Fast,
            queue_commands_max: 1_024,
            placement: Placement::OwnThread,
        };
        let replica = Replica::start(env.clone(), Arc::new(TokioNet), options)
            .await
            .unwrap();
        let server = Server::new(env, replica.clone(), limits, None).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(node::http::run(listener, server, async move {
            stopped.await.ok();
        }));
        Self {
            address,
            replica,
            stop: Some(stop),
            serving,
            _directory: directory,
        }
    }

    /// Waits until the node is ready.
    async fn ready(&self) {
        self.until("readiness", async |node| {
            node.get("/readyz").await.status == StatusCode::OK
        })
        .await;
    }

    /// Looks until something is so.
    pub(crate) async fn until(&self, what: &str, look: impl AsyncFn(&Self) -> bool) {
        let looking = async {
            while !look(self).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, looking).await.is_ok(),
            "{what} did not come"
        );
    }

    /// Asks the server to stop; [`Self::ended`] waits for it.
    pub(crate) fn ask_to_stop(&mut self) {
        self.stop
            .take()
            .expect("the server is asked once")
            .send(())
            .expect("the server waits for it");
    }

    /// Waits until the server has ended, and stops the replica.
    pub(crate) async fn ended(self) {
        tokio::time::timeout(PATIENCE, self.serving)
            .await
            .expect("the server ends")
            .unwrap();
        tokio::time::timeout(PATIENCE, self.replica.stop())
            .await
            .expect("the replica ends");
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Bytes::new()).await
    }

    /// Opens a watch.
    pub(crate) async fn events(&self, path: &str, headers: &[(&str, &str)]) -> Events {
        Events::open(self.address, path, headers).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, JSON, body.to_string()).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        exchange(self.address, request.body(Full::new(body.into())).unwrap()).await
    }

    /// Makes a tenant of that name with the pool `p` of 10.0.0.0/24, one address by default.
    pub(crate) async fn with_pool(&self, tenant: &str) {
        let made = self
            .post("/v1/tenants", &serde_json::json!({ "name": tenant }))
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let pool = serde_json::json!({
            "name": "p", "cidrs": ["10.0.0.0/24"],
            "minPrefixLength": 26, "maxPrefixLength": 32, "defaultPrefixLength": 32,
        });
        let made = self
            .post(&format!("/v1/tenants/{tenant}/pools"), &pool)
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    }

    /// All that can be seen of a tenant, and the revision: equal before and after what changes nothing.
    pub(crate) async fn everything(&self, tenant: &str) -> Vec<String> {
        let mut seen = Vec::new();
        for path in [
            "/v1/tenants?limit=1000".to_owned(),
            format!("/v1/tenants/{tenant}/pools?limit=1000"),
            format!("/v1/tenants/{tenant}/claims?limit=1000"),
            format!("/v1/tenants/{tenant}/allocations?limit=1000"),
        ] {
            let answer = self.get(&format!("{path}&consistency=linearizable")).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
            seen.push(answer.body.to_string());
        }
        // The latest digest moves with the clock; the one at a revision does not.
        let revision = self.replica.applied().at().revision;
        seen.push(
            self.get(&format!("/v1/cluster/digest?revision={revision}"))
                .await
                .body
                .to_string(),
        );
        seen
    }
}

/// The header that a body needs.
pub(crate) const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    /// The body as JSON; `null` where it is something else.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks that it is a well-formed problem of that status and code.
    pub(crate) fn assert_problem(&self, status: u16, code: &str, context: &str) {
        assert_eq!(self.status.as_u16(), status, "{context}: {self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{context}: {self:?}"
        );
        assert_eq!(self.body["code"], code, "{context}: {self:?}");
        assert_eq!(self.body["status"], status, "{context}");
        assert_eq!(
            self.body["type"],
            format!("urn:ipamd:problem:{code}"),
            "{context}"
        );
        for member in ["title", "detail"] {
            assert!(
                self.body[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{context}: {self:?}"
            );
        }
        assert!(self.body["retryable"].is_boolean(), "{context}: {self:?}");
        let revision = self.header("ipam-revision");
        assert!(revision.is_some(), "{context}: {self:?}");
        // A node that has no state yet has no revision to tell of.
        let known = revision.filter(|revision| *revision != "0");
        let told = self.body["revision"].as_u64().map(|told| told.to_string());
        assert_eq!(told.as_deref(), known, "{context}: {self:?}");
        let allow = self.header("allow");
        assert_eq!(allow.is_some(), status == 405, "{context}: {self:?}");
    }
}

/// A stream of events that is being read.
pub(crate) struct Events {
    pub(crate) status: u16,
    /// The connection has no further request.
    pub(crate) is_last: bool,
    body: hyper::body::Incoming,
    buffer: Vec<u8>,
    _connection: AbortOnDrop,
}

/// One event of a stream: its id, where it has one, and its data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Events {
    async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let driving = tokio::spawn(async move {
            connection.await.ok();
        });
        let mut request = Request::get(path).header("host", "test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let answer = tokio::time::timeout(PATIENCE, sender.send_request(request))
            .await
            .expect("the stream begins")
            .unwrap();
        Self {
            status: answer.status().as_u16(),
            is_last: answer.headers().get("connection") == Some(&HeaderValue::from_static("close")),
            body: answer.into_body(),
            buffer: Vec::new(),
            _connection: AbortOnDrop(driving),
        }
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let text: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let text = String::from_utf8(text).unwrap();
                let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
                // Without data it is a comment.
                if let Some(data) = field("data: ") {
                    return Some(Told {
                        id: field("id: ").map(str::to_owned),
                        data: serde_json::from_str(data).unwrap(),
                    });
                }
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame())
                .await
                .expect("the stream goes on");
            match frame {
                None | Some(Err(_)) => return None,
                Some(Ok(frame)) => self.buffer.extend(frame.into_data().unwrap()),
            }
        }
    }

    /// The next one that tells something.
    pub(crate) async fn next_event(&mut self) -> Told {
        loop {
            let told = self.next().await.expect("the stream goes on");
            if told.data["type"] != "bookmark" {
                return told;
            }
        }
    }
}

/// Sends one request over a connection of its own and reads the answer.
pub(crate) async fn exchange(address: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    tokio::time::timeout(PATIENCE, async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let driving = tokio::spawn(connection);
        let answer = sender.send_request(request).await.unwrap();
        let answer = read(answer).await;
        drop(sender);
        driving.await.unwrap().ok();
        answer
    })
    .await
    .expect("an answer comes in time")
}

/// Reads an answer whole.
pub(crate) async fn read(answer: hyper::Response<hyper::body::Incoming>) -> Answer {
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer {
        status: parts.status,
        headers: parts.headers,
        bytes,
        body,
    }
}
