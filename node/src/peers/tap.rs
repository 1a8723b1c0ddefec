//! What a frame says, for who watches the network between nodes: the simulation, which loses some of them, repeats
//! others, and remembers what was promised.

use raft_store::codec;

use super::frame::{Assembler, Kind};
use super::wire::{Reply, Request};

/// What a frame says, as far as somebody outside may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A question of Raft's, which means the same when it comes twice, or after a later one.
    Repeatable,
    /// The answer to a candidate that it has this node's vote.
    VoteGranted {
        /// The term of the vote.
        term: u64,
        /// The candidate.
        candidate: u64,
    },
    /// Another question or answer.
    Call,
    /// What makes the connection, or a part of a long message: without it the connection is of no use.
    Connection,
}

impl Seen {
    /// Looks into one frame, without its length.
    pub fn of(frame: &[u8]) -> Self {
        let Ok(Some(message)) = Assembler::default().push(frame.into()) else {
            return Self::Connection;
        };
        match message.kind {
            Kind::Request => match codec::decode(&message.payload) {
                Ok(
                    Request::Append(_)
                    | Request::Vote(_)
                    | Request::WouldVote { .. }
                    | Request::ReadIndex { .. }
                    | Request::Report(_),
                ) => Self::Repeatable,
                Ok(_) => Self::Call,
                Err(_) => Self::Connection,
            },
            Kind::Reply => match codec::decode(&message.payload) {
                Ok(Reply::Vote(reply)) if reply.granted => Self::VoteGranted {
                    term: reply.vote.term,
                    candidate: reply.vote.node,
                },
                Ok(_) => Self::Call,
                Err(_) => Self::Connection,
            },
            Kind::Hello | Kind::Welcome | Kind::Refused | Kind::Ping | Kind::Pong => {
                Self::Connection
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::frame::Message;
    use crate::peers::wire::{Vote, VoteReply};
    use raft_store::codec::{Record, VoteRecord};

    fn seen(kind: Kind, record: &impl Record) -> Seen {
        let payload = codec::encode(record).unwrap().into();
        let message = Message {
            kind,
            id: 7,
            payload,
        };
        Seen::of(&message.frames().next().unwrap())
    }

    #[test]
    fn votes_and_what_may_come_twice_are_told_from_the_rest() {
        let vote = VoteRecord {
            term: 4,
            node: 2,
            committed: false,
        };
        let asked = Request::Vote(Vote { vote, last: None });
        assert_eq!(seen(Kind::Request, &asked), Seen::Repeatable);
        assert_eq!(seen(Kind::Request, &Request::TakeOver), Seen::Call);
        let answer = |granted| {
            Reply::Vote(VoteReply {
                vote,
                granted,
                last: None,
            })
        };
        let granted = Seen::VoteGranted {
            term: 4,
            candidate: 2,
        };
        assert_eq!(seen(Kind::Reply, &answer(true)), granted);
        assert_eq!(seen(Kind::Reply, &answer(false)), Seen::Call);
        assert_eq!(seen(Kind::Ping, &asked), Seen::Connection);
        assert_eq!(Seen::of(b"short"), Seen::Connection);
    }
}
