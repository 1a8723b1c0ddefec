//! Claims as a node takes them in, and entries of them.

use std::ops::Range;

use allocator::command::{ClaimSpec, Command, Envelope, PoolRef, Stamp};
use allocator::name::Name;
use raft_store::codec::EncodedCommand;
use raft_store::types::Payload;

/// Commands in an entry: at rest, under load, and with a long queue.
pub(crate) const ENTRIES: [u64; 3] = [1, 20, 500];

/// A claim of one address, with a name of 24 bytes.
pub(crate) fn claim(number: u64) -> Envelope {
    let name = |text: &str| Name::new(text).expect("a name");
    let pool = PoolRef {
        tenant: None,
        name: name("p"),
    };
    let claim = ClaimSpec::new(name("bench"), name(&format!("claim-{number:018}")), pool);
    Envelope {
        actor: "".into(),
        source: "127.0.0.1".into(),
        command: Command::ClaimCreate(Box::new(claim)),
    }
}

pub(crate) fn encoded(number: u64) -> EncodedCommand {
    EncodedCommand::encode(&claim(number)).expect("a claim is small")
}

/// An entry of the claims with these numbers.
pub(crate) fn joined(numbers: Range<u64>) -> Payload {
    let commands: Vec<EncodedCommand> = numbers.map(encoded).collect();
    Payload::join(&stamp(), &commands).expect("some hundred claims fit into an entry")
}

pub(crate) fn stamp() -> Stamp {
    Stamp {
        clock_term: 3,
        clock_node: 1,
        mono_ms: 123_456,
        wall_ms: Some(1_750_000_000_000),
    }
}
