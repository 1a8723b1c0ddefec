//! Bodies of requests over HTTP.

use allocator::State;
use allocator::answer::Answer;
use allocator::command::{Command, Entry, Envelope, Position, Stamp};
use allocator::name::Name;
use api::problem::{Problem, Viewer};
use api::reply::Reply;
use api::requests::{
    AllocationReclaim, Batch, ClaimConfirm, ClaimCreate, ClaimPatch, ClaimRenew, ClockAdvance,
    MemberAdd, Naming, OwnerRelease, OwnersReconcile, PoolCreate, PoolPatch, SettingsPatch,
    TenantCreate, TenantPatch,
};
use raft_store::types::Payload;

/// What stands in the state before: a tenant, two pools, a claim, by the bodies that make them.
const BEFORE: [(u8, &str); 5] = [
    (0, r#"{"name": "acme"}"#),
    (
        2,
        r#"{"name": "racks", "cidrs": ["10.0.0.0/22"], "graceSeconds": 60}"#,
    ),
    (
        2,
        r#"{"name": "six", "cidrs": ["2001:db8::/56"], "defaultPrefixLength": 64}"#,
    ),
    (
        4,
        r#"{"name": "web", "pool": "racks", "prefixLength": 28, "owner": "rack/1"}"#,
    ),
    (
        4,
        r#"{"name": "leased", "pool": "racks", "prefixLength": 30, "ttlSeconds": 60}"#,
    ),
];

/// The first byte says what the rest asks for. A command that was made of it fits into the log, and is done or refused;
/// the state stays sound, and the answer can be shown.
pub(super) fn read(input: &[u8]) -> bool {
    let Some((kind, body)) = input.split_first() else {
        return false;
    };
    let Ok(command) = parse(*kind, body) else {
        return false;
    };
    let mut state = before();
    let answer = apply(&mut state, command);
    let viewer = Name::new("acme").expect("a name");
    let shown = match Reply::of(&answer, Viewer::Tenant(&viewer)) {
        Ok(reply) => serde_json::to_string(&reply.body),
        Err(problem) => serde_json::to_string(&problem),
    };
    shown.expect("an answer can be shown");
    state.audit().expect("the state is sound");
    true
}

fn before() -> State {
    let mut state = State::new();
    for (kind, body) in BEFORE {
        let command = parse(kind, body.as_bytes()).expect("it is in order");
        let answer = apply(&mut state, command);
        answer.result.expect("it can be done");
    }
    state
}

fn apply(state: &mut State, command: Command) -> Answer {
    let entry = Entry {
        stamp: Stamp::default(),
        commands: vec![Envelope {
            actor: "somebody".into(),
            source: "fuzz".into(),
            command,
        }],
    };
    let payload = Payload::encode(&entry).expect("what was asked for fits into the log");
    let decoded = payload.decode().expect("what was encoded can be decoded");
    assert_eq!(decoded, entry, "the log has another entry");
    let at = Position {
        term: 1,
        node: 1,
        index: state.revision() + 1,
    };
    let mut answers = state.apply(at, &entry);
    answers.pop().expect("an answer to each command")
}

fn parse(kind: u8, body: &[u8]) -> Result<Command, Problem> {
    let name = |text| Name::new(text).expect("a name");
    let (acme, racks, web) = (name("acme"), name("racks"), name("web"));
    let naming = |idempotency_key| Naming {
        idempotency_key,
        random: &|| 7,
    };
    match kind {
        0 => TenantCreate::parse(body),
        1 => TenantPatch::parse(body, &acme),
        2 => PoolCreate::parse(body, &acme),
        3 => PoolPatch::parse(body, &acme, &racks, None),
        4 => ClaimCreate::parse(body, &acme, naming(None)),
        5 => ClaimCreate::parse(body, &acme, naming(Some(b"a key"))),
        6 => ClaimPatch::parse(body, &acme, &web),
        7 => ClaimConfirm::parse(body, &acme, &web),
        8 => ClaimRenew::parse(body, &acme, &name("leased")),
        9 => AllocationReclaim::parse(body, &acme),
        10 => ClockAdvance::parse(body),
        11 => OwnerRelease::parse(body, &acme),
        12 => OwnersReconcile::parse(body, &acme).map(|(command, _)| command),
        13 => SettingsPatch::parse(body),
        14 => MemberAdd::parse(body).map(|_| Command::Tick),
        _ => Batch::parse(body, &acme, 7)?
            .split(1)
            .map(|(command, _)| command),
    }
}
