//! Building commands, and a state that is audited after each of them.

use allocator::State;
use allocator::answer::{Answer, Outcome, Rejection, Swept};
use allocator::command::{
    ChildBlock, ClaimFrom, ClaimRelease, ClaimSpec, Command, Entry, Envelope, Exclusion, Gateway,
    Operation, PoolCidr, PoolRef, PoolSource, PoolSpec, Position, Quota, Range, Stamp, TenantSpec,
};
use allocator::edit::{PoolChange, PoolEdit};
use allocator::life::PoolLife;
use allocator::name::{Labels, Name, Owner};
use allocator::prefix::{Address, Prefix};
use allocator::view::{ClaimView, PoolView};

/// The tenant that most tests use.
pub(crate) const TENANT: &str = "acme";

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn owner(text: &str) -> Owner {
    Owner::new(text).unwrap()
}

pub(crate) fn block(text: &str) -> Prefix {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(key, value)| (Box::from(*key), Box::from(*value)))
        .collect()
}

pub(crate) fn tenant(text: &str) -> TenantSpec {
    TenantSpec {
        name: name(text),
        labels: Labels::new(),
        annotations: Labels::new(),
        description: Box::from(""),
        quota: Quota::default(),
    }
}

fn pool(text: &str, source: PoolSource) -> PoolSpec {
    PoolSpec::new(name(TENANT), name(text), source)
}

/// A root pool of these CIDRs, divided by spaces.
pub(crate) fn root(text: &str, cidrs: &str) -> PoolSpec {
    let cidrs = cidrs
        .split_whitespace()
        .map(|cidr| PoolCidr {
            cidr: block(cidr),
            subnet: None,
            gateway: None,
        })
        .collect();
    pool(text, PoolSource::Root { space: None, cidrs })
}

/// A child pool of a length (`24`) or of a block (`10.0.0.0/24`).
pub(crate) fn child(text: &str, parent: &str, wanted: &str) -> PoolSpec {
    let wanted = match wanted.parse() {
        Ok(length) => ChildBlock::Length(length),
        Err(_) => ChildBlock::Cidr(block(wanted)),
    };
    pool(
        text,
        PoolSource::Child {
            parent: PoolRef {
                tenant: None,
                name: name(parent),
            },
            block: wanted,
        },
    )
}

pub(crate) fn bounds(
    mut spec: PoolSpec,
    min: Option<u8>,
    max: Option<u8>,
    default: Option<u8>,
) -> PoolSpec {
    (
        spec.min_prefix_length,
        spec.max_prefix_length,
        spec.default_prefix_length,
    ) = (min, max, default);
    spec
}

pub(crate) fn living(mut spec: PoolSpec, life: PoolLife) -> PoolSpec {
    spec.life = life;
    spec
}

/// A claim inside ranges: CIDRs, addresses or `first-last`, divided by spaces.
pub(crate) fn within(mut spec: ClaimSpec, ranges: &str) -> ClaimSpec {
    spec.within = ranges
        .split_whitespace()
        .map(|range| match range.split_once('-') {
            Some((first, last)) => Range {
                first: address(first),
                last: address(last),
            },
            None if range.contains('/') => Range::from(block(range)),
            None => Range::from(Prefix::single(address(range))),
        })
        .collect();
    spec
}

pub(crate) fn gateway(mut spec: PoolSpec, rule: Gateway) -> PoolSpec {
    spec.gateway = Some(rule);
    spec
}

/// Withholds runs: `10.0.0.0-10.0.0.9` or a single address.
pub(crate) fn exclude(mut spec: PoolSpec, runs: &[(&str, &str)]) -> PoolSpec {
    spec.exclude = runs
        .iter()
        .map(|(run, reason)| {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            Exclusion {
                first: address(first),
                last: address(last),
                reason: Box::from(*reason),
                text: Box::from(*run),
            }
        })
        .collect();
    spec
}

/// A claim of the pool's default length, of a length (`28`), or of a block (`10.0.0.0/28`).
pub(crate) fn claim(text: &str, pool: &str, wanted: &str) -> ClaimSpec {
    let length = wanted.parse().ok();
    let cidr = if wanted.is_empty() || length.is_some() {
        None
    } else {
        Some(block(wanted))
    };
    ClaimSpec {
        prefix_length: length,
        cidr,
        ..ClaimSpec::new(
            name(TENANT),
            name(text),
            PoolRef {
                tenant: None,
                name: name(pool),
            },
        )
    }
}

/// From a pool, `name` or `tenant/name`.
pub(crate) fn from_pool(text: &str) -> ClaimFrom {
    let (tenant, pool) = match text.split_once('/') {
        Some((tenant, pool)) => (Some(name(tenant)), pool),
        None => (None, text),
    };
    ClaimFrom::Pool(PoolRef {
        tenant,
        name: name(pool),
    })
}

pub(crate) fn release(text: &str, generation: Option<u64>) -> ClaimRelease {
    ClaimRelease {
        tenant: name(TENANT),
        name: name(text),
        generation,
    }
}

pub(crate) fn create_claim(text: &str, pool: &str, wanted: &str) -> Operation {
    Operation::CreateClaim(Box::new(claim(text, pool, wanted)))
}

pub(crate) fn release_claim(text: &str, generation: Option<u64>) -> Operation {
    Operation::ReleaseClaim(release(text, generation))
}

pub(crate) fn batch(atomic: bool, operations: Vec<Operation>) -> Command {
    Command::Batch {
        tenant: name(TENANT),
        atomic,
        operations,
    }
}

pub(crate) fn pool_delete(text: &str) -> Command {
    Command::PoolDelete {
        tenant: name(TENANT),
        pool: name(text),
        if_revision: None,
    }
}

/// An edit of a pool.
pub(crate) fn pool_edit(text: &str, changes: Vec<PoolChange>) -> Command {
    Command::PoolEdit(Box::new(PoolEdit {
        tenant: name(TENANT),
        pool: name(text),
        if_revision: None,
        changes,
    }))
}

/// The blocks of a root pool as an edit.
pub(crate) fn cidrs(texts: &str) -> PoolChange {
    match root("p", texts).source {
        PoolSource::Root { cidrs, .. } => PoolChange::Cidrs(cidrs),
        PoolSource::Child { .. } => unreachable!("a root is made of CIDRs"),
    }
}

/// The exclusions of a pool as an edit.
pub(crate) fn exclusions(runs: &[(&str, &str)]) -> PoolChange {
    PoolChange::Exclude(exclude(root("p", ""), runs).exclude)
}

impl From<PoolSpec> for Given {
    fn from(spec: PoolSpec) -> Self {
        Self(Command::PoolCreate(Box::new(spec)))
    }
}

impl From<ClaimSpec> for Given {
    fn from(spec: ClaimSpec) -> Self {
        Self(Command::ClaimCreate(Box::new(spec)))
    }
}

impl From<ClaimRelease> for Given {
    fn from(spec: ClaimRelease) -> Self {
        Self(Command::ClaimRelease(spec))
    }
}

impl From<TenantSpec> for Given {
    fn from(spec: TenantSpec) -> Self {
        Self(Command::TenantCreate(Box::new(spec)))
    }
}

impl From<Command> for Given {
    fn from(command: Command) -> Self {
        Self(command)
    }
}

/// A command, however it was built.
pub(crate) struct Given(pub(crate) Command);

/// The envelope of a command.
pub(crate) fn envelope(given: impl Into<Given>) -> Envelope {
    Envelope {
        actor: Box::from("tester"),
        source: Box::from("192.0.2.1"),
        command: given.into().0,
    }
}

/// A state under test.
#[derive(Default)]
pub(crate) struct Harness {
    pub(crate) state: State,
    pub(crate) index: u64,
    /// Time that has passed between commands.
    pub(crate) skipped_ms: u64,
}

impl Harness {
    /// A state with the tenant.
    pub(crate) fn new() -> Self {
        let mut harness = Self::default();
        harness.ok(tenant(TENANT));
        harness
    }

    /// Applies a command as an entry of its own. What holds for every command is checked here: the dry
    /// run before it has the same answer and changes nothing, a refusal changes nothing, at most one
    /// revision is added (a batch that is not atomic aside), and the audit passes.
    pub(crate) fn answer(&mut self, given: impl Into<Given>) -> Answer {
        let envelope = envelope(given);
        let parts = matches!(envelope.command, Command::Batch { atomic: false, .. });
        let stamp = Stamp {
            clock_term: 1,
            clock_node: 1,
            mono_ms: self.index * 10 + self.skipped_ms,
            wall_ms: Some(1_000_000 + self.index),
        };
        self.index += 1;
        self.state.entry_begin(
            Position {
                term: 1,
                node: 1,
                index: self.index,
            },
            &stamp,
        );
        let (digest, revision) = (self.state.digest(), self.state.revision());
        let dry = self.state.dry_run(&envelope);
        assert_eq!(
            (self.state.digest(), self.state.revision()),
            (digest, revision),
            "a dry run changes nothing"
        );
        let answer = self.state.command_apply(&envelope);
        assert_eq!(dry, answer, "a dry run has the exact answer");
        if answer.result.is_err() {
            assert_eq!(self.state.digest(), digest, "a refusal changes nothing");
        }
        assert_eq!(answer.revision, self.state.revision());
        assert!(parts || answer.revision <= revision + 1);
        assert_eq!(
            answer.revision == revision,
            self.state.digest() == digest,
            "a change has a revision"
        );
        self.state.entry_end();
        if let Err(failure) = self.state.audit() {
            panic!("{failure}");
        }
        answer
    }

    /// Applies several commands as one entry: at one time of every clock.
    pub(crate) fn together(&mut self, commands: Vec<Command>) -> Vec<Outcome> {
        self.index += 1;
        let at = Position {
            term: 1,
            node: 1,
            index: self.index,
        };
        let mono_ms = self.index * 10 + self.skipped_ms;
        let answers = self.state.apply(at, &entry(mono_ms, commands));
        self.state.audit().unwrap();
        let outcomes = answers.into_iter().map(|answer| answer.result.unwrap());
        outcomes.collect()
    }

    pub(crate) fn ok(&mut self, given: impl Into<Given>) -> Outcome {
        let answer = self.answer(given);
        answer
            .result
            .unwrap_or_else(|rejection| panic!("refused: {rejection:?}"))
    }

    pub(crate) fn refused(&mut self, given: impl Into<Given>) -> Rejection {
        match self.answer(given).result {
            Ok(outcome) => panic!("accepted: {outcome:?}"),
            Err(rejection) => rejection,
        }
    }

    /// Lets time pass: the next command comes that much later.
    pub(crate) fn later(&mut self, ms: u64) {
        self.skipped_ms += ms;
    }

    /// Does what is due.
    pub(crate) fn expire(&mut self) -> Swept {
        match self.ok(Command::Expire { holds_max: 1_000 }) {
            Outcome::Expired(swept) => swept,
            other => panic!("not expired: {other:?}"),
        }
    }

    /// Makes a pool.
    pub(crate) fn pool(&mut self, spec: PoolSpec) -> PoolView {
        match self.ok(spec) {
            Outcome::PoolCreated(view) => *view,
            other => panic!("not created: {other:?}"),
        }
    }

    /// Edits a pool.
    pub(crate) fn edit(&mut self, pool: &str, changes: Vec<PoolChange>) -> PoolView {
        match self.ok(pool_edit(pool, changes)) {
            Outcome::PoolEdited(view) => *view,
            other => panic!("not edited: {other:?}"),
        }
    }

    /// Takes a block.
    pub(crate) fn claim(&mut self, spec: ClaimSpec) -> ClaimView {
        match self.ok(spec) {
            Outcome::ClaimCreated(view) => *view,
            other => panic!("not created: {other:?}"),
        }
    }

    /// Takes a block and tells which.
    pub(crate) fn take(&mut self, text: &str, pool: &str, wanted: &str) -> String {
        self.claim(claim(text, pool, wanted)).block.to_string()
    }

    pub(crate) fn release(&mut self, text: &str) -> ClaimView {
        match self.ok(release(text, None)) {
            Outcome::ClaimReleased(view) => *view,
            other => panic!("not released: {other:?}"),
        }
    }

    /// The pool as it is.
    pub(crate) fn view(&self, pool: &str) -> PoolView {
        self.state.pool(&name(TENANT), &name(pool)).unwrap()
    }
}

/// An entry of commands.
pub(crate) fn entry(mono_ms: u64, commands: Vec<Command>) -> Entry {
    let stamp = Stamp {
        clock_term: 1,
        clock_node: 1,
        mono_ms,
        wall_ms: Some(1_000_000 + mono_ms),
    };
    Entry {
        stamp,
        commands: commands.into_iter().map(envelope).collect(),
    }
}
