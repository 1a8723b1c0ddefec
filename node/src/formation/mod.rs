//! How a cluster comes to be, once, and how an empty directory finds out that one is there.
//!
//! Invariants:
//! 1. A cluster forms only when every named member answers and every one of them is empty. So two
//!    of three wiped never make a new cluster: the third says that there is one.
//! 2. Only the member with the lowest id forms it. It draws the cluster's id and writes it into its
//!    directory before it tells anyone, and goes on with that id after a crash. An id that it has
//!    from a cluster that took it in is not its to form under.
//! 3. A node never puts itself into a cluster that is formed; it waits for a member of it to name
//!    its directory.

mod local;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use raft_store::env::Env;
use raft_store::types::Member;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::consensus::{Consensus, Stopped};
use crate::peers::hello::{Card, Refusal, Welcome, way_in};
use crate::peers::{DialError, Net, probe};

pub(crate) use local::LocalNode;

/// Pause between two rounds of asking.
const ROUND_EVERY: Duration = Duration::from_millis(200);

/// How far this node has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Situation {
    /// It has a log, and takes part.
    InCluster,
    /// It waits, for the reason given.
    Waiting(String),
}

/// What formation works with.
pub(crate) struct Formation {
    /// Draws the cluster's id.
    pub(crate) env: Arc<dyn Env>,
    /// Reaches the others.
    pub(crate) net: Arc<dyn Net>,
    /// This node.
    pub(crate) local: Arc<LocalNode>,
    /// Its log.
    pub(crate) consensus: Consensus,
    /// The members that are named for the first formation, by id, this node among them or not.
    pub(crate) named: BTreeMap<u64, String>,
    /// Where the situation is published.
    pub(crate) situation: watch::Sender<Situation>,
}

impl Formation {
    /// Runs until this node has a log. What fails is tried again: a full disk can be cleared.
    pub(crate) async fn run(self) {
        let mut cluster = self.local.cluster_watch();
        loop {
            let reason = match self.round().await {
                Ok(None) => break,
                Ok(Some(reason)) => reason,
                Err(error) => error.to_string(),
            };
            self.situation.send_if_modified(|situation| {
                let waiting = Situation::Waiting(reason);
                let news = *situation != waiting;
                if news {
                    if let Situation::Waiting(reason) = &waiting {
                        tracing::info!(node = self.local.node_id(), %reason, "not in a cluster yet");
                    }
                    *situation = waiting;
                }
                news
            });
            tokio::select! {
                biased;
                _ = cluster.changed() => {}
                () = sleep(ROUND_EVERY) => {}
            }
        }
        self.situation.send_replace(Situation::InCluster);
    }

    /// One look around; why to wait, or `None` when there is a log.
    async fn round(&self) -> Result<Option<String>, Stopped> {
        if self.consensus.is_initialized().await? {
            return Ok(None);
        }
        let me = self.local.node_id();
        if !self.named.contains_key(&me) {
            return Ok(Some(format!(
                "node {me} is not named for a first formation; {}",
                way_in(me)
            )));
        }
        let others = self.named.iter().filter(|(id, _)| **id != me);
        let answers = join_all(others.map(|(id, address)| async move {
            (
                *id,
                probe(self.net.as_ref(), self.local.as_ref(), *id, address).await,
            )
        }))
        .await;
        match self.verdict(answers) {
            Err(reason) => Ok(Some(reason)),
            Ok(cards) => self.form(cards).await,
        }
    }

    /// The cards of the others if this node is to form the cluster, otherwise why it waits.
    fn verdict(
        &self,
        answers: Vec<(u64, Result<Welcome, DialError>)>,
    ) -> Result<Vec<Card>, String> {
        let me = self.local.node_id();
        let mut cards = Vec::new();
        let mut missing = Vec::new();
        for (id, answer) in answers {
            match answer {
                Ok(Welcome { card, knows_you_as }) => {
                    if let Some(cluster) = card.cluster {
                        return Err(self.reason_to_wait_for(cluster, knows_you_as));
                    }
                    cards.push(card);
                }
                Err(error) => missing.push(format!("node {id}: {error}")),
            }
        }
        if !missing.is_empty() {
            return Err(format!(
                "waiting for every named member to start: {}",
                missing.join("; ")
            ));
        }
        let named: Vec<u64> = self.named.keys().copied().collect();
        if let Some(card) = cards.iter().find(|card| card.named != named) {
            return Err(format!(
                "node {} was told of the members {:?}, this node of {named:?}; give all of them the same list",
                card.node, card.named
            ));
        }
        match named.first() {
            Some(lowest) if *lowest != me => {
                Err(format!("waiting for node {lowest} to form the cluster"))
            }
            _ => Ok(cards),
        }
    }

    fn reason_to_wait_for(&self, cluster: u128, knows_us_as: Option<u128>) -> String {
        let node = self.local.node_id();
        if knows_us_as == Some(self.local.instance()) {
            return format!("a member of the cluster {cluster:032x}; waiting for its leader");
        }
        let member = knows_us_as.is_some();
        Refusal::EmptyDirectory {
            cluster,
            node,
            member,
        }
        .to_string()
    }

    /// Forms the cluster; why to wait, if it could not.
    async fn form(&self, cards: Vec<Card>) -> Result<Option<String>, Stopped> {
        let me = self.local.node_id();
        // While the others were asked, a cluster may have taken this node in.
        let cluster = match self.local.draw_cluster(self.env.random_u128()) {
            Ok(Some(cluster)) => cluster,
            Ok(None) => {
                return Ok(Some(
                    "taken into a cluster; waiting for its leader".to_owned(),
                ));
            }
            Err(error) => {
                return Ok(Some(format!(
                    "the cluster's id could not be written: {error}"
                )));
            }
        };
        let own = (me, self.local.instance(), self.local.http_url().to_owned());
        let members: BTreeMap<u64, Member> = cards
            .into_iter()
            .map(|card| (card.node, card.instance, card.http_url))
            .chain([own])
            .map(|(id, instance, http_url)| {
                let peer_address = self.named.get(&id).cloned().unwrap_or_default();
                let member = Member {
                    instance,
                    peer_address,
                    http_url,
                };
                (id, member)
            })
            .collect();
        tracing::info!(cluster = %format_args!("{cluster:032x}"), members = ?members.keys(), "forming a new cluster");
        self.consensus.form(members).await?;
        Ok(None)
    }
}
