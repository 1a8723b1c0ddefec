//! The task that runs the queue: it proposes what is ready and hands the answers out.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use allocator::answer::{Answer, Outcome, Swept};
use allocator::command::{Command, Entry, Envelope};
use allocator::view::EventId;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use raft_store::AppliedState;
use raft_store::types::{Applied, Payload};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::queue::{COMMANDS_MAX, Item, Queue};
use super::{Answered, Unanswered, Waiting};
use crate::clock::LogClock;
use crate::consensus::{Consensus, Leadership};
use crate::logging::events;
use crate::metrics::life;
use crate::peers::wire::NotProposed;

/// The log's clock moves on at least this often.
const TICK_EVERY: Duration = Duration::from_secs(10);
/// The same while something waits for it; each time, what is due is done.
const DUE_EVERY: Duration = Duration::from_secs(1);
/// Holds that one command of the clock ends: few, so that nobody waits long for it.
const DUE_HOLDS_MAX: u32 = 250;
/// How often a leader whose quorum is silent looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long the answer to a command of the node's own is waited for.
const OWN_DEADLINE: Duration = Duration::from_secs(5);

/// What the driver works with.
pub(crate) struct DriverParts {
    /// Where entries go.
    pub(crate) consensus: Consensus,
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
    arriving: mpsc::Receiver<Item<Waiting>>,
    held: Arc<AtomicBool>,
    queue: Queue<Waiting>,
    flights: FuturesUnordered<BoxFuture<'static, Landing>>,
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

type Done = oneshot::Sender<Result<Answered, Unanswered>>;

/// An entry that has ended, one way or the other.
struct Landing {
    epoch: u64,
    commands: Vec<Option<Done>>,
    proposed_at: Instant,
    applied: Option<Applied>,
}

impl Driver {
    pub(super) fn new(
        parts: DriverParts,
        arriving: mpsc::Receiver<Item<Waiting>>,
        held: Arc<AtomicBool>,
    ) -> Driver {
        let leadership = parts.consensus.leadership();
        Driver {
            parts,
            arriving,
            held,
            queue: Queue::new(),
            flights: FuturesUnordered::new(),
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
        let mut arrived = Vec::with_capacity(COMMANDS_MAX);
        let mut open = true;
        while open || !self.flights.is_empty() {
            self.look_at_leadership();
            self.expire();
            self.propose_all().await;
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
                count = self.arriving.recv_many(&mut arrived, COMMANDS_MAX), if open => {
                    open = count > 0;
                    for item in arrived.drain(..) {
                        self.queue.push(item);
                    }
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Follows who leads. A command that waits on a node that does not lead is given back, so that
    /// it can go where the leader is.
    fn look_at_leadership(&mut self) {
        let leadership = self.leadership.borrow_and_update().clone();
        let office = (leadership.is_me && leadership.stopped.is_none()).then_some(leadership.term);
        if office != self.office {
            // What is on the way is still waited for; it no longer holds up the queue.
            self.queue.forget_in_flight();
            self.office = office;
            self.epoch += 1;
            if let Some(term) = office {
                self.parts.clock.take_office(term);
            }
        }
        if self.office.is_none() {
            self.refuse_all(NotProposed::NotLeader);
        }
    }

    fn refuse_all(&mut self, why: NotProposed) {
        for item in self.queue.drain() {
            item.command.end(Err(Unanswered::NotProposed(why)));
        }
    }

    /// Takes no more, and gives back what came and was not looked at yet.
    async fn refuse_arriving(&mut self) {
        self.arriving.close();
        while let Some(item) = self.arriving.recv().await {
            item.command
                .end(Err(Unanswered::NotProposed(NotProposed::NotLeader)));
        }
    }

    fn expire(&mut self) {
        for item in self.queue.expire(Instant::now()) {
            item.command
                .end(Err(Unanswered::NotProposed(NotProposed::Late)));
        }
    }

    /// When to look again although nothing happens.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let tick = (self.last_proposal + TICK_EVERY).min(self.due_at);
        let wake = match (self.office, self.queue.next_deadline()) {
            (None, _) => now + TICK_EVERY,
            // Commands wait although fewer entries are out than may be: for a quorum, or held.
            (Some(_), Some(deadline)) if self.queue.is_ready() => deadline.min(now + LOOK_AGAIN),
            (Some(_), Some(deadline)) => deadline.min(tick),
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
            self.queue.push(own_command(Command::Tick));
        }
        loop {
            let standing = self.parts.consensus.standing();
            let leads = standing.leadership.term == term && standing.leads_quorum(self.parts.lease);
            if !leads || !self.is_formed(term).await {
                return;
            }
            let Some(batch) = self.queue.take() else {
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
            self.queue.push(own_command(Command::Expire {
                holds_max: DUE_HOLDS_MAX,
            }));
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
            self.queue.begin();
            self.propose(term, vec![own_command(Command::Form { cluster_id })])
                .await;
        }
        false
    }

    /// Hands one entry over. From here on its commands are never handed over again.
    async fn propose(&mut self, term: u64, batch: Vec<Item<Waiting>>) {
        let now = Instant::now();
        let last_deadline = batch.iter().map(|item| item.deadline).max().unwrap_or(now);
        let mut envelopes = Vec::with_capacity(batch.len());
        let mut commands = Vec::with_capacity(batch.len());
        for item in batch {
            let Waiting {
                envelope,
                done,
                place,
            } = item.command;
            drop(place);
            envelopes.push(envelope);
            commands.push(done);
        }
        metrics::histogram!("ipam_raft_batch_commands").record(count_for_metric(envelopes.len()));
        let entry = Entry {
            stamp: self.parts.clock.stamp(term),
            commands: envelopes,
        };
        let payload = match Payload::encode(&entry) {
            Ok(payload) => payload,
            Err(error) => {
                // Sizes were bounded on the way in; should the codec still say no, nothing was proposed.
                tracing::error!(%error, "an entry could not be encoded");
                self.queue.finish();
                let too_large = NotProposed::TooLarge {
                    size: entry.commands.len() as u64,
                    limit: COMMANDS_MAX as u64,
                };
                for done in commands.into_iter().flatten() {
                    tell(done, Err(Unanswered::NotProposed(too_large)));
                }
                return;
            }
        };
        self.last_proposal = now;
        let epoch = self.epoch;
        match self.parts.consensus.propose(payload).await {
            Ok(outcome) => self.flights.push(Box::pin(async move {
                let applied = timeout_at(last_deadline, outcome).await.ok().flatten();
                Landing {
                    epoch,
                    commands,
                    proposed_at: now,
                    applied,
                }
            })),
            Err(error) => {
                tracing::warn!(%error, "an entry was not taken");
                self.queue.finish();
                for done in commands.into_iter().flatten() {
                    tell(done, Err(Unanswered::NotProposed(NotProposed::NotLeader)));
                }
            }
        }
    }

    fn land(&mut self, landing: Landing) {
        if self.epoch == landing.epoch {
            self.queue.finish();
        }
        let Some(applied) = landing.applied else {
            for done in landing.commands.into_iter().flatten() {
                tell(done, Err(Unanswered::OutcomeUnknown));
            }
            return;
        };
        metrics::histogram!("ipam_raft_commit_latency_seconds")
            .record(landing.proposed_at.elapsed().as_secs_f64());
        assert!(
            applied.answers.len() == landing.commands.len(),
            "an entry has one answer for each of its commands"
        );
        for (done, answer) in landing.commands.into_iter().zip(applied.answers) {
            match done {
                Some(done) => {
                    self.tell_timed(&answer);
                    let index = applied.index;
                    tell(done, Ok(Answered { answer, index }));
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

fn tell(done: Done, result: Result<Answered, Unanswered>) {
    // Whoever waited may have given up.
    drop(done.send(result));
}

impl Waiting {
    fn end(self, result: Result<Answered, Unanswered>) {
        if let Some(done) = self.done {
            tell(done, result);
        }
    }
}

fn own_command(command: Command) -> Item<Waiting> {
    Item {
        bytes: 64,
        deadline: Instant::now() + OWN_DEADLINE,
        command: Waiting {
            envelope: Envelope {
                actor: "".into(),
                source: "".into(),
                command,
            },
            done: None,
            place: None,
        },
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric; counts stay far below 2^52"
)]
fn count_for_metric(count: usize) -> f64 {
    count as f64
}
