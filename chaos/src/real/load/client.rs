//! One client: it asks one thing at a time, at its own pace, and writes down what came of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cluster_tests::http::{Connection, Reply as Answer};
use cluster_tests::tenant::Tenant;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::answer::{Meaning, meaning};
use super::connection;
use super::draw::Draw;
use super::known::Known;
use crate::history::{Consistency, Op};
use crate::real::diary::{Asked, Diary};

/// For an answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// For a connection.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);
/// Between two questions on average, so that 24 clients ask for 100 things a second. It is a pace, not a pause: who has
/// waited long for an answer asks again at once, but does not catch up.
const PACE: Duration = Duration::from_millis(240);
/// One of so many times a client goes to another node though it has no reason to.
const WANDERS: u64 = 40;

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    number: u64,
    nodes: Vec<u64>,
    node: u64,
    connection: Connection,
    tenant: Tenant,
    draw: Draw,
    known: Arc<Known>,
    diary: Diary,
    /// The latest revision that it was shown.
    seen: u64,
}

impl Client {
    pub(super) fn new(
        number: u64,
        nodes: Vec<u64>,
        tenant: Tenant,
        known: Arc<Known>,
        diary: Diary,
        random: StdRng,
    ) -> Self {
        let place = usize::try_from(number).unwrap_or(0) % nodes.len();
        let node = nodes[place];
        Self {
            number,
            node,
            connection: connection(node).with_deadline(DEADLINE),
            nodes,
            tenant,
            draw: Draw::new(number, random),
            known,
            diary,
            seen: 0,
        }
    }

    /// Asks until it is told to stop; the last question is answered before that.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut next = Instant::now() + self.pause();
        while stop.run_until_cancelled(sleep_until(next)).await.is_some() {
            next = (next + self.pause()).max(Instant::now());
            let op = self.draw.next(&self.known, self.seen);
            let asked = self.diary.invoke(self.number, self.node, op.clone());
            let heard = self.ask(&op).await;
            if !self.write_down(asked, &op, heard) || self.draw.below(WANDERS) == 0 {
                self.move_on();
            }
        }
    }

    fn pause(&mut self) -> Duration {
        let pace = u64::try_from(PACE.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(pace / 2 + self.draw.below(pace))
    }

    /// Writes down what came of a question; whether the node is one to go on with.
    fn write_down(&mut self, asked: Asked, op: &Op, heard: Heard) -> bool {
        let is_read = matches!(op, Op::Get { .. } | Op::Lookup { .. });
        let meant = match heard {
            Heard::Answer(answer) => meaning(op, &answer),
            Heard::NotSent(why) => Meaning::Fail(why),
            // Nothing comes of a read that nobody was answered.
            Heard::Lost(why) if is_read => Meaning::Fail(why),
            Heard::Lost(why) => Meaning::Unknown(why),
        };
        match meant {
            Meaning::Ok(reply) => {
                self.seen = self.seen.max(reply.revision());
                self.known.learn(op, &reply);
                self.diary.ok(asked, reply);
                return true;
            }
            Meaning::Fail(why) => self.diary.fail(asked, why),
            Meaning::Unknown(why) => self.diary.unknown(asked, why),
            Meaning::Absurd(answer) => {
                let what = format!("node {} answers {op:?} with {answer}", self.node);
                self.diary.found(&what);
                self.diary.unknown(asked, answer);
            }
        }
        false
    }

    /// Goes to another node, drawn among them.
    fn move_on(&mut self) {
        let others: Vec<u64> = self
            .nodes
            .iter()
            .copied()
            .filter(|node| *node != self.node)
            .collect();
        let place = self.draw.below(others.len() as u64);
        self.node = others[usize::try_from(place).unwrap_or(0)];
        self.connection = connection(self.node).with_deadline(DEADLINE);
    }

    async fn ask(&mut self, op: &Op) -> Heard {
        match timeout(CONNECT_WITHIN, self.connection.open()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Heard::NotSent(format!("{error:#}")),
            Err(_) => return Heard::NotSent("no connection".to_owned()),
        }
        match self.send(op).await {
            Ok(answer) => Heard::Answer(answer),
            Err(error) => Heard::Lost(format!("{error:#}")),
        }
    }

    async fn send(&mut self, op: &Op) -> Result<Answer> {
        let connection = &mut self.connection;
        match op {
            Op::Claim { .. } => self.tenant.claim(connection, &document(op)).await,
            Op::Release { name, generation } => {
                self.tenant.release(connection, name, *generation).await
            }
            Op::Renew {
                name,
                generation,
                ttl_ms,
            } => {
                let path = self.tenant.path(&format!("claims/{name}/renew"));
                let body = json!({ "generation": generation, "ttlSeconds": ttl_ms / 1_000 });
                connection.post(&path, &body).await
            }
            Op::Batch { operations } => {
                let operations: Vec<Value> = operations.iter().map(operation).collect();
                let body = json!({ "atomic": true, "operations": operations });
                connection.post(&self.tenant.path("batch"), &body).await
            }
            Op::Get { name, consistency } => {
                let path = self.tenant.path(&format!("claims/{name}"));
                read(connection, path, *consistency).await
            }
            Op::Lookup { block, consistency } => {
                let path = self.tenant.path(&format!("lookup/{block}"));
                read(connection, path, *consistency).await
            }
        }
    }
}

/// What came back.
enum Heard {
    Answer(Answer),
    /// Nothing of the request left.
    NotSent(String),
    /// It was sent, as far as one can know, and nothing came back.
    Lost(String),
}

async fn read(
    connection: &mut Connection,
    path: String,
    consistency: Consistency,
) -> Result<Answer> {
    match consistency {
        Consistency::Linearizable => {
            let path = format!("{path}?consistency=linearizable");
            connection.get(&path).await
        }
        Consistency::Local { min_revision: 0 } => connection.get(&path).await,
        Consistency::Local { min_revision } => {
            let revision = min_revision.to_string();
            connection
                .get_with(&path, "if-min-revision", &revision)
                .await
        }
    }
}

/// One operation of a batch.
fn operation(op: &Op) -> Value {
    match op {
        Op::Release { name, generation } => {
            json!({ "releaseClaim": { "name": name, "generation": generation } })
        }
        claim => json!({ "createClaim": document(claim) }),
    }
}

/// A claim as it is asked for.
fn document(op: &Op) -> Value {
    let Op::Claim {
        name,
        pool,
        cidr,
        ttl_ms,
    } = op
    else {
        unreachable!("batches are made of claims and releases");
    };
    let mut claim = json!({ "name": name, "pool": pool });
    if let Some(cidr) = cidr {
        claim["cidr"] = json!(cidr);
    }
    if let Some(ttl_ms) = ttl_ms {
        claim["ttlSeconds"] = json!(ttl_ms / 1_000);
    }
    claim
}
