//! The operator: replaces a member whose directory is gone, as the documentation says, from whichever node works.

use std::time::Duration;

use anyhow::Result;
use node::replica::{MemberChange, MemberError, Replica};

use super::book::Book;
use super::world::{now, peer_address};

/// How often an order is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a change may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// An operator who has not answered by then is given up, with the machine that he sat at.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(5);

/// What is to be done about a member whose directory is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    /// The member.
    pub(super) node: u64,
    /// What comes next.
    pub(super) stage: Stage,
    /// When somebody began with it.
    pub(super) taken_at: Option<Duration>,
}

/// The steps of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Remove,
    Add,
    Promote,
}

impl Order {
    pub(super) fn new(node: u64) -> Self {
        Self {
            node,
            stage: Stage::Remove,
            taken_at: None,
        }
    }

    fn next(self) -> Option<Self> {
        let stage = match self.stage {
            Stage::Remove => Stage::Add,
            Stage::Add => Stage::Promote,
            Stage::Promote => return None,
        };
        Some(Self {
            stage,
            taken_at: None,
            ..self
        })
    }

    fn change(self) -> MemberChange {
        let id = self.node;
        match self.stage {
            Stage::Remove => MemberChange::Remove { id },
            Stage::Add => MemberChange::Add {
                id,
                peer_address: peer_address(id),
                http_url: None,
            },
            Stage::Promote => MemberChange::Promote { id },
        }
    }
}

/// Sits at one node and does what is ordered.
pub(super) async fn run(node: u64, replica: Replica, book: Book) -> Result<()> {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(order) = take(node, &book) else {
            continue;
        };
        let changed = match replica.member_change(order.change(), DEADLINE).await {
            // Whoever ordered it before and was told nothing finds that it is done.
            Err(MemberError::Unknown { .. }) if order.stage == Stage::Remove => Ok(()),
            other => other,
        };
        let mut book = book.lock();
        if book.order.is_some_and(|now| now.stage == order.stage) {
            let outcome = match &changed {
                Ok(()) => "done".to_owned(),
                Err(error) => error.to_string(),
            };
            book.trace.event(
                now(),
                &format!("operator at node {node}: {order:?}: {outcome}"),
            );
            if changed.is_ok() && order.stage == Stage::Remove {
                book.invariants.left(order.node);
            }
            book.order = match changed {
                Ok(()) => order.next(),
                Err(_) => Some(Order {
                    taken_at: None,
                    ..order
                }),
            };
        }
    }
}

fn take(node: u64, book: &Book) -> Option<Order> {
    let mut book = book.lock();
    let order = book.order.as_mut()?;
    let is_free = order
        .taken_at
        .is_none_or(|at| now().saturating_sub(at) > GIVEN_UP_AFTER);
    if order.node == node || !is_free {
        return None;
    }
    order.taken_at = Some(now());
    Some(*order)
}
