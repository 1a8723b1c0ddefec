//! The task that runs the queue: it proposes what is ready and hands the answers out.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use allocator::answer::{Answer, Outcome, Swept};
use allocator::command::{Command, Envelope};
use allocator::view::EventId;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use raft_store::AppliedState;
use raft_store::codec::EncodedCommand;
use raft_store::types::{Applied, Payload};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::done::Done;
use super::forward::{Away, Group};
use super::queue::{COMMANDS_MAX, Item, Queue};
use super::{Answered, Arrival, Unanswered, Waiting};
use crate::clock::LogClock;
use crate::consensus::{Consensus, Leadership};
use crate::logging::events;
use crate::metrics::{life, stages};
use crate::peers::wire::NotProposed;
use crate::replica::route::{Route, Router};

/// The log's clock moves on at least this often.
const TICK_EVERY: Duration = Duration::from_secs(10);
/// The same while something waits for it; each time, what is due is done.
const DUE_EVERY: Duration = Duration::from_secs(1);
/// Holds that one command of the clock ends: few, so that nobody waits long for it.
const DUE_HOLDS_MAX: u32 = 250;
/// How often a leader whose quorum is silent looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Arrivals that are looked at together.
const ARRIVALS_MAX: usize = 256;
/// How long the answer to a command of the node's own is waited for.
const OWN_DEADLINE: Duration = Duration::from_secs(5);

/// What the driver works with.
pub(crate) struct DriverParts {
    /// This node.
    pub(crate) node_id: u64,
    /// Where entries go.
    pub(crate) consensus: Consensus,
    /// Where the leader is, when it is another node.
    pub(crate) router: Arc<Router>,
    /// What stamps them.
    pub(crate) clock: Arc<LogClock>,
    /// What they become.
    pub(crate) applied: Arc<AppliedState>,
    /// This node's cluster, once it is known.
    pub(crate) cluster: Box<dyn Fn() -> Option<u128> + Send + Sync>,
    /// How long a quorum's word lets this node go on proposing.
    pub(crate) lease: Duration,
}

impl fmt::Debug for DriverParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverParts").finish_non_exhaustive()
    }
}

/// The task that runs the queue.
#[derive(Debug)]
pub(crate) struct Driver {
    parts: DriverParts,
    arriving: mpsc::Receiver<Arrival>,
    held: Arc<AtomicBool>,
    queue: Queue<Waiting>,
    flights: FuturesUnordered<BoxFuture<'static, Landing>>,
    /// Where another node leads: which one, and how many messages with commands are on their way to it.
    away: Away,
    leadership: watch::Receiver<Leadership>,
    /// The term in which this node leads, while it does.
    office: Option<u64>,
    /// Grows whenever the office begins or ends, so that late landings are told apart.
    epoch: u64,
    formed: bool,
    last_proposal: Instant,
    /// When to look next whether something waits for the clock.
    due_at: Instant,
}

/// What has come back.
enum Landing {
    Entry(Landed),
    /// The reply to commands that went to the leader; they have ended already.
    Group {
        /// See [`Away`].
        turn: u64,
    },
}

/// An entry that has ended, one way or the other.
struct Landed {
    epoch: u64,
    commands: Vec<Option<Done>>,
    proposed_at: Instant,
    applied: Option<Applied>,
}

impl Driver {
    pub(super) fn new(
        parts: DriverParts,
        arriving: mpsc::Receiver<Arrival>,
        held: Arc<AtomicBool>,
    ) -> Driver {
        let leadership = parts.consensus.leadership();
        Driver {
            parts,
            arriving,
            held,
            queue: Queue::new(),
            flights: FuturesUnordered::new(),
            away: Away::default(),
            leadership,
            office: None,
            epoch: 0,
            formed: false,
            last_proposal: Instant::now(),
            due_at: Instant::now(),
        }
    }

    /// Runs until nobody can hand in commands any more and all that was proposed has ended.
    pub(crate) async fn run(mut self) {
        let mut arrived = Vec::with_capacity(ARRIVALS_MAX);
        let mut open = true;
        while open || !self.flights.is_empty() {
            self.look_at_leadership();
            self.expire();
            self.propose_all().await;
            self.forward_all();
            let wake = self.wake_at();
            tokio::select! {
                biased;
                Some(landing) = self.flights.next() => self.land(landing),
                changed = self.leadership.changed() => {
                    if changed.is_err() {
                        self.refuse_all(NotProposed::NotLeader);
                        self.refuse_arriving().await;
                        return;
                    }
                }
                count = self.arriving.recv_many(&mut arrived, ARRIVALS_MAX), if open => {
                    open = count > 0;
                    for arrival in arrived.drain(..) {
                        self.take_in(arrival);
                    }
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    fn take_in(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::One(item) => self.queue.push(item),
            Arrival::Many(items) => items.into_iter().for_each(|item| self.queue.push(item)),
        }
    }

    /// Follows who leads.
    fn look_at_leadership(&mut self) {
        let leadership = self.leadership.borrow_and_update().clone();
        let office = (leadership.is_me && leadership.stopped.is_none()).then_some(leadership.term);
        if office != self.office {
            // What is on the way is still waited for; it no longer holds up the queue.
            self.queue.forget_entries();
            self.office = office;
            self.epoch += 1;
            if let Some(term) = office {
                self.parts.clock.take_office(term);
            }
        }
    }

    /// While another node leads: sends it what waits. What cannot go there is given back, so that whoever waits
    /// can look for the leader again.
    fn forward_all(&mut self) {
        if self.office.is_some() || self.queue.waiting() == 0 {
            return;
        }
        let Route::Peer(leader, link) = self.parts.router.route() else {
            return self.refuse_all(NotProposed::NotLeader);
        };
        self.away.leads(leader);
        let now = Instant::now();
        while self.away.has_room(now)
            && let Some(batch) = self.queue.take()
        {
            let (away, here): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .partition(|item| item.command.may_go_away());
            refuse(here, NotProposed::NotLeader);
            if !away.is_empty() {
                let group = Group::new(leader, link.clone(), away);
                let ended = group.go(Arc::clone(&self.parts.applied));
                let turn = self.away.goes(now);
                self.flights.push(Box::pin(async move {
                    ended.await;
                    Landing::Group { turn }
                }));
            }
        }
    }

    fn refuse_all(&mut self, why: NotProposed) {
        refuse(self.queue.drain(), why);
    }

    /// Takes no more, and gives back what came and was not looked at yet.
    async fn refuse_arriving(&mut self) {
        self.arriving.close();
        while let Some(arrival) = self.arriving.recv().await {
            arrival.refuse(NotProposed::NotLeader);
        }
    }

    fn expire(&mut self) {
        refuse(self.queue.expire(Instant::now()), NotProposed::Late);
    }

    /// When to look again although nothing happens.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let tick = (self.last_proposal + TICK_EVERY).min(self.due_at);
        let wake = match (self.office, self.queue.next_deadline()) {
            (None, Some(deadline)) => {
                let room = self.away.room_at(now);
                room.map_or(deadline, |at| deadline.min(at))
            }
            (None, None) => now + TICK_EVERY,
            // Commands wait although an entry may go out: for a quorum, or held.
            (Some(_), Some(deadline)) if self.queue.is_ready(now) => deadline.min(now + LOOK_AGAIN),
            (Some(_), Some(deadline)) => {
                let ready = self.queue.ready_at(now).unwrap_or(tick);
                deadline.min(tick).min(ready)
            }
            (Some(_), None) if !self.formed => now + LOOK_AGAIN,
            (Some(_), None) => tick,
        };
        wake.max(now + Duration::from_millis(1))
    }

    async fn propose_all(&mut self) {
        let Some(term) = self.office else { return };
        self.look_at_due();
        if self.held.load(Ordering::Acquire) {
            return;
        }
        if self.last_proposal.elapsed() >= TICK_EVERY && self.queue.waiting() == 0 {
            self.push_own(Command::Tick);
        }
        loop {
            let standing = self.parts.consensus.standing();
            let leads = standing.leadership.term == term && standing.leads_quorum(self.parts.lease);
            if !leads || !self.is_formed(term).await {
                return;
            }
            let Some(batch) = self.queue.take_entry(Instant::now()) else {
                return;
            };
            self.propose(term, batch).await;
        }
    }

    /// While anything waits for the clock, has the clock move on and what is due done.
    fn look_at_due(&mut self) {
        let now = Instant::now();
        if now < self.due_at {
            return;
        }
        self.due_at = now + DUE_EVERY;
        let waiting = |state: &allocator::State| state.next_due_ms().is_some();
        if self.parts.applied.read(waiting) {
            self.push_own(Command::Expire {
                holds_max: DUE_HOLDS_MAX,
            });
        }
    }

    fn push_own(&mut self, command: Command) {
        if let Some(item) = own_command(command) {
            self.queue.push(item);
        }
    }

    /// Tells what the clock has done, and goes on at once where more is due.
    fn note_due(&mut self, answer: &Answer) {
        if answer.swept == Swept::default() {
            return;
        }
        life::swept(&answer.swept);
        if answer.swept.more {
            self.due_at = Instant::now();
        }
        self.tell_timed(answer);
    }

    /// Logs what the clock has ended with a command, be it the node's own or a claim that found no room.
    fn tell_timed(&self, answer: &Answer) {
        if answer.swept == Swept::default() {
            return;
        }
        let revisions = revisions_of(answer);
        let after = EventId::end_of(revisions.start().saturating_sub(1));
        let told = self.parts.applied.read(|state| {
            let limit = usize::try_from(DUE_HOLDS_MAX).unwrap_or(usize::MAX);
            state.events(Some(after), limit)
        });
        // Where they are gone from the ring already, there is nothing left to tell.
        for event in told.iter().flat_map(|page| &page.items) {
            if revisions.contains(&event.id.revision) {
                events::timed(event);
            }
        }
    }

    /// Whether the cluster has its first command; if not, and nothing is on its way, proposes it.
    async fn is_formed(&mut self, term: u64) -> bool {
        if self.formed {
            return true;
        }
        self.formed = self
            .parts
            .applied
            .read(|state| state.cluster_id().is_some());
        if self.formed || !self.flights.is_empty() {
            return self.formed;
        }
        let standing = self.parts.consensus.standing();
        let all_applied = self.parts.applied.at().index == standing.last_log_index();
        if let (true, Some(cluster_id)) = (all_applied, (self.parts.cluster)()) {
            let forming = Vec::from_iter(own_command(Command::Form { cluster_id }));
            self.queue.begin(Instant::now());
            self.propose(term, forming).await;
        }
        false
    }

    /// Hands one entry over. From here on its commands are never handed over again.
    async fn propose(&mut self, term: u64, batch: Vec<Item<Waiting>>) {
        let now = Instant::now();
        let last_deadline = batch.iter().map(|item| item.deadline).max().unwrap_or(now);
        let mut encoded = Vec::with_capacity(batch.len());
        let mut commands = Vec::with_capacity(batch.len());
        let waits = stages::waits_for_the_log();
        for item in batch {
            waits.record(now - item.command.since);
            encoded.push(item.command.command);
            commands.push(item.command.done);
        }
        metrics::histogram!("ipam_raft_batch_commands").record(count_for_metric(encoded.len()));
        let payload = match Payload::join(&self.parts.clock.stamp(term), &encoded) {
            Ok(payload) => payload,
            Err(error) => {
                // Sizes were bounded on the way in; should the codec still say no, nothing was proposed.
                tracing::error!(%error, "an entry could not be encoded");
                self.queue.finish();
                let too_large = NotProposed::TooLarge {
                    size: encoded.len() as u64,
                    limit: COMMANDS_MAX as u64,
                };
                end_all(commands, Unanswered::NotProposed(too_large));
                return;
            }
        };
        self.last_proposal = now;
        let epoch = self.epoch;
        match self.parts.consensus.propose(payload).await {
            Ok(outcome) => self.flights.push(Box::pin(async move {
                let applied = timeout_at(last_deadline, outcome).await.ok().flatten();
                Landing::Entry(Landed {
                    epoch,
                    commands,
                    proposed_at: now,
                    applied,
                })
            })),
            Err(error) => {
                tracing::warn!(%error, "an entry was not taken");
                self.queue.finish();
                end_all(commands, Unanswered::NotProposed(NotProposed::NotLeader));
            }
        }
    }

    fn land(&mut self, landing: Landing) {
        match landing {
            Landing::Entry(landed) => self.land_entry(landed),
            Landing::Group { turn } => self.away.landed(turn),
        }
    }

    fn land_entry(&mut self, landed: Landed) {
        if self.epoch == landed.epoch {
            self.queue.finish();
        }
        let Some(applied) = landed.applied else {
            end_all(landed.commands, Unanswered::OutcomeUnknown);
            return;
        };
        metrics::histogram!("ipam_raft_commit_latency_seconds")
            .record(landed.proposed_at.elapsed().as_secs_f64());
        assert!(
            applied.answers.len() == landed.commands.len(),
            "an entry has one answer for each of its commands"
        );
        for (done, answer) in landed.commands.into_iter().zip(applied.answers) {
            match done {
                Some(done) => {
                    self.tell_timed(&answer);
                    done.end(Ok(Answered {
                        answer,
                        index: applied.index,
                        leader: self.parts.node_id,
                    }));
                }
                None => self.note_due(&answer),
            }
        }
    }
}

/// The revisions of what a command changed: more than one only for the parts of a batch that is not
/// atomic.
fn revisions_of(answer: &Answer) -> RangeInclusive<u64> {
    let of_part = |part: &Outcome| match part {
        Outcome::ClaimCreated(claim) | Outcome::ClaimReleased(claim) => Some(claim.revision),
        _ => None,
    };
    let first = match &answer.result {
        Ok(Outcome::Batch(parts)) => parts.iter().flatten().filter_map(of_part).min(),
        Ok(_) | Err(_) => None,
    };
    first.unwrap_or(answer.revision)..=answer.revision
}

fn end_all(commands: Vec<Option<Done>>, why: Unanswered) {
    for done in commands.into_iter().flatten() {
        done.end(Err(why));
    }
}

fn refuse(items: Vec<Item<Waiting>>, why: NotProposed) {
    for item in items {
        item.command.end(Err(Unanswered::NotProposed(why)));
    }
}

impl Waiting {
    /// Whether another node may propose it: a client's command that came in here.
    fn may_go_away(&self) -> bool {
        self.done.is_some() && !self.is_forwarded
    }
}

/// A command of the node's own; `None` where it cannot be encoded, which none of them is too large for.
fn own_command(command: Command) -> Option<Item<Waiting>> {
    let envelope = Envelope {
        actor: "".into(),
        source: "".into(),
        command,
    };
    let command = EncodedCommand::encode(&envelope)
        .inspect_err(|error| tracing::error!(%error, "a command of the node's own has no encoding"))
        .ok()?;
    Some(Item {
        bytes: command.size(),
        deadline: Instant::now() + OWN_DEADLINE,
        command: Waiting {
            command,
            since: Instant::now(),
            done: None,
            _place: None,
            is_forwarded: false,
        },
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric; counts stay far below 2^52"
)]
fn count_for_metric(count: usize) -> f64 {
    count as f64
}
