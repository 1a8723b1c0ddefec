//! Claims as clients send them, and a state that answers them.

use allocator::State;
use allocator::answer::Answer;
use allocator::command::{Command, Entry, Envelope, Position};
use allocator::name::Name;
use api::requests::{ClaimCreate, Naming, PoolCreate, TenantCreate};
use raft_store::codec::EncodedCommand;

pub(crate) const TENANT: &[u8] = br#"{"name":"bench"}"#;
pub(crate) const POOL: &[u8] = br#"{"name":"p","cidrs":["10.0.0.0/8"]}"#;

pub(crate) fn tenant() -> Name {
    Name::new("bench").expect("a name")
}

/// The body of a claim of one address, with a name of 24 bytes.
pub(crate) fn body(number: u32) -> Vec<u8> {
    format!(r#"{{"name":"claim-{number:018}","pool":"p"}}"#).into_bytes()
}

pub(crate) fn parsed(body: &[u8]) -> Command {
    let naming = Naming {
        idempotency_key: None,
        random: &|| 0,
    };
    ClaimCreate::parse(body, &tenant(), naming).expect("a claim")
}

pub(crate) fn envelope(command: Command) -> Envelope {
    Envelope {
        actor: "".into(),
        source: "127.0.0.1".into(),
        command,
    }
}

pub(crate) fn claim(number: u32) -> Envelope {
    envelope(parsed(&body(number)))
}

pub(crate) fn encoded(number: u32) -> EncodedCommand {
    EncodedCommand::encode(&claim(number)).expect("a claim is small")
}

/// A state with a pool from which claims get single addresses.
pub(crate) struct Claimed {
    state: State,
    index: u64,
}

impl Claimed {
    pub(crate) fn new() -> Self {
        let mut claimed = Self {
            state: State::new(),
            index: 0,
        };
        let made = claimed.answers(vec![
            envelope(Command::Form { cluster_id: 1 }),
            envelope(TenantCreate::parse(TENANT).expect("a tenant")),
            envelope(PoolCreate::parse(POOL, &tenant()).expect("a pool")),
        ]);
        assert!(made.iter().all(|answer| answer.result.is_ok()), "{made:?}");
        claimed
    }

    pub(crate) fn answers(&mut self, commands: Vec<Envelope>) -> Vec<Answer> {
        let stamp = allocator::command::Stamp::default();
        self.apply(&Entry { stamp, commands })
    }

    pub(crate) fn apply(&mut self, entry: &Entry) -> Vec<Answer> {
        self.index += 1;
        let at = Position {
            term: 1,
            node: 1,
            index: self.index,
        };
        self.state.apply(at, entry)
    }
}
