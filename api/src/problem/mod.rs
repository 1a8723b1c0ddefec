//! Problems: everything that fails, as RFC 9457 `application/problem+json`.
//!
//! 1. Every problem has a code of the catalogue; status, title and `retryable` follow from it.
//! 2. `type` is `urn:ipamd:problem:<code>`: stable, and it needs no host to stand behind it.
//! 3. Nothing internal stands in `detail`: no path, no address of a peer, no source of an error.

mod code;
mod rejection;

use std::fmt;

use allocator::answer::FieldProblem;
use allocator::name::Name;
use allocator::view::Purpose;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::views::{Allocation, BatchResult};

pub use code::{CATALOGUE, Code, CodeEntry};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Who asks, for what may be shown of other tenants' objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer<'a> {
    /// One who may see all tenants.
    Admin,
    /// One who may see this tenant.
    Tenant(&'a Name),
}

impl Viewer<'_> {
    /// The viewer may see names and labels of that tenant's objects.
    pub fn sees(self, tenant: &Name) -> bool {
        match self {
            Self::Admin => true,
            Self::Tenant(own) => own == tenant,
        }
    }
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:ipamd:problem:<code>`.
    #[serde(rename = "type")]
    #[schema(example = "urn:ipamd:problem:pool_exhausted")]
    pub type_uri: Box<str>,
    /// The kind of problem in a few words, the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, in a sentence.
    pub detail: String,
    /// The word to match on; see the catalogue.
    pub code: String,
    /// The same request may succeed later.
    pub retryable: bool,
    /// The revision of the state by which it was decided; absent only where a node has no state yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The facts of this code as further members.
    #[serde(flatten)]
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    pub facts: Box<Map<String, Value>>,
}

impl Problem {
    /// A problem of that code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let entry = code.entry();
        Self {
            type_uri: format!("urn:ipamd:problem:{}", entry.name).into(),
            title: entry.title.to_owned(),
            status: entry.status,
            detail: detail.into(),
            code: entry.name.to_owned(),
            retryable: entry.retryable,
            revision: None,
            facts: Box::default(),
        }
    }

    /// With a fact as a further member; one that is `null` is left out.
    #[must_use]
    pub fn with(mut self, fact: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !value.is_null() {
            self.facts.insert(fact.to_owned(), value);
        }
        self
    }

    /// With the revision at which it was decided.
    #[must_use]
    pub fn at_revision(mut self, revision: u64) -> Self {
        self.revision = Some(revision);
        self
    }

    /// Its code, where the catalogue of this build has it.
    pub fn known_code(&self) -> Option<Code> {
        Code::of_name(&self.code)
    }

    /// Seconds for the header `Retry-After`; `None` where the same request would only fail again.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        matches!(self.status, 429 | 503).then_some(1)
    }

    /// The fields that are wrong, for `invalid_field`.
    pub fn fields(&self) -> Vec<FieldProblem> {
        self.facts
            .get("fields")
            .and_then(|fields| serde_json::from_value(fields.clone()).ok())
            .unwrap_or_default()
    }

    /// The body is not JSON: why, with line and column where they are known.
    pub fn invalid_json(reason: impl fmt::Display) -> Self {
        Self::new(
            Code::InvalidJson,
            format!("The body is not valid JSON: {reason}."),
        )
    }

    /// A query parameter, header or part of the path: what is wrong with it and what is allowed.
    pub fn invalid_parameter(
        parameter: &str,
        problem: impl fmt::Display,
        allowed: impl fmt::Display,
    ) -> Self {
        Self::new(
            Code::InvalidParameter,
            format!("The parameter {parameter} {problem}; allowed is {allowed}."),
        )
        .with("parameter", parameter)
        .with("allowed", allowed.to_string())
    }

    /// Fields that are wrong; at least one.
    pub fn invalid_fields(fields: &[FieldProblem]) -> Self {
        Self::invalid_fields_of(fields, fields.len())
    }

    /// The first of more fields that are wrong, and how many they are.
    pub(crate) fn invalid_fields_of(fields: &[FieldProblem], total: usize) -> Self {
        let sentences: Vec<String> = fields.iter().take(3).map(sentence).collect();
        let more = match total.saturating_sub(sentences.len()) {
            0 => String::new(),
            more => format!(" And {more} more."),
        };
        let problem = Self::new(Code::InvalidField, format!("{}{more}", sentences.join(" ")))
            .with("fields", json!(fields));
        if total > fields.len() {
            return problem.with("fieldsTotal", total);
        }
        problem
    }

    /// No path of the API.
    pub fn not_found(path: &str) -> Self {
        Self::new(Code::NotFound, format!("There is nothing at {path}.")).with("path", path)
    }

    /// Not a method of that path; `allowed` are those that are.
    pub fn method_not_allowed(method: &str, allowed: &[&str]) -> Self {
        Self::new(
            Code::MethodNotAllowed,
            format!("{method} is not a method of this path."),
        )
        .with("allowed", allowed)
    }

    /// The node was not started to let the clock be moved.
    pub fn test_clock_off() -> Self {
        Self::new(
            Code::TestClockOff,
            "This node was started without --test-clock.",
        )
    }

    /// Nothing is held at that block, or nothing that the caller may see.
    pub fn allocation_not_found(block: impl fmt::Display, space: &Name) -> Self {
        Self::new(
            Code::AllocationNotFound,
            format!("Nothing is held at {block} in space {space}."),
        )
        .with("cidr", block.to_string())
        .with("space", space.as_str())
    }

    /// An allocation is not deleted by itself: delete the claim or the pool that holds it.
    pub fn delete_the_claim(held: &Allocation) -> Self {
        let reserved = held.purpose == Purpose::Reservation;
        let way_out = match held.holder_name() {
            Some(holder) => format!("delete the {holder}"),
            None if reserved => {
                format!("it is withheld by the pool {} and goes with it", held.pool)
            }
            None => "it goes with its holder, which is another tenant's".to_owned(),
        };
        let own = held.child.as_ref().map(Name::as_str);
        Self::new(
            Code::DeleteTheClaim,
            format!(
                "The allocation {} is not deleted by itself: {way_out}.",
                held.cidr
            ),
        )
        .with("claim", held.claim.as_ref().map(Name::as_str))
        .with("pool", own.or(reserved.then_some(held.pool.name.as_str())))
        .with("allowed", ["GET", "HEAD"].as_slice())
    }

    /// The operation was not at fault, but its atomic batch was refused.
    pub fn not_applied() -> Self {
        Self::new(
            Code::NotApplied,
            "Another operation of the atomic batch was refused, so nothing was applied.",
        )
    }

    /// An atomic batch that was refused at `revision`. The whole takes status, code and facts of its
    /// first culprit; `results` has a problem for each operation, in order.
    pub fn batch_refused(failed_index: u32, problems: Vec<Self>, revision: u64) -> Self {
        let culprit = usize::try_from(failed_index).ok();
        let culprit = culprit.and_then(|index| problems.get(index)).cloned();
        let mut whole = culprit.unwrap_or_else(Self::not_applied);
        whole.detail = format!(
            "Operation {failed_index} was refused, so nothing was applied: {}",
            whole.detail
        );
        let results: Vec<BatchResult> = problems
            .into_iter()
            .map(|problem| BatchResult::refused(problem.at_revision(revision)))
            .collect();
        whole
            .with("failedIndex", failed_index)
            .with("results", json!(results))
            .at_revision(revision)
    }

    /// What was at that revision is not remembered any more.
    pub fn compacted(asked: u64, oldest_revision: u64) -> Self {
        Self::new(
            Code::Compacted,
            format!(
                "What was at revision {asked} is no longer kept; the oldest is {oldest_revision}."
            ),
        )
        .with("asked", asked)
        .with("oldestRevision", oldest_revision)
    }

    /// What was then is not remembered any more: a moment in words.
    pub fn past_compacted(moment: impl fmt::Display, oldest_revision: u64) -> Self {
        Self::new(
            Code::Compacted,
            format!("What was at {moment} is no longer kept; the oldest is {oldest_revision}."),
        )
        .with("oldestRevision", oldest_revision)
    }

    /// As many watch this node as it takes.
    pub fn too_many_watches() -> Self {
        Self::new(
            Code::TooBusy,
            "As many watches are open on this node as it takes.",
        )
    }

    /// The rest of the request did not come in time.
    pub fn request_timeout() -> Self {
        Self::new(
            Code::RequestTimeout,
            "The rest of the request did not arrive in time.",
        )
    }

    /// The body, or the command made of it, is larger than the limit.
    pub fn too_large(limit_bytes: u64) -> Self {
        Self::new(
            Code::TooLarge,
            format!("The body is larger than {limit_bytes} bytes."),
        )
        .with("limitBytes", limit_bytes)
    }

    /// The body is announced as something else than JSON.
    pub fn unsupported_media_type(given: Option<&str>) -> Self {
        let detail = match given {
            Some(given) => format!("The content type {given:?} is not application/json in UTF-8."),
            None => "The header Content-Type is missing; it must be application/json.".to_owned(),
        };
        Self::new(Code::UnsupportedMediaType, detail)
    }

    /// The body is encoded.
    pub fn unsupported_content_encoding(given: &str) -> Self {
        Self::new(
            Code::UnsupportedMediaType,
            format!("The content encoding {given:?} is not taken; send the body as it is."),
        )
    }

    /// The node has as much in flight as it takes.
    pub fn too_busy() -> Self {
        Self::new(
            Code::TooBusy,
            "The node has as many requests in flight as it takes.",
        )
    }

    /// A fault of the server. What it was stands in its log only.
    pub fn internal_error() -> Self {
        Self::new(
            Code::InternalError,
            "The server failed to answer; its log says why.",
        )
    }

    /// No leader before the deadline; nothing was proposed.
    pub fn no_leader() -> Self {
        Self::new(
            Code::NoLeader,
            "The cluster had no leader before the deadline; nothing was proposed.",
        )
    }

    /// The node's state is older than the caller allows; `staleness_ms` where it is known.
    pub fn stale(staleness_ms: Option<u64>) -> Self {
        let detail = match staleness_ms {
            Some(ms) => {
                format!("This node's state may be {ms} ms old, older than the request allows.")
            }
            None => "This node has not heard from a leader and cannot tell how old its state is."
                .to_owned(),
        };
        Self::new(Code::Stale, detail).with("stalenessMs", staleness_ms)
    }

    /// The node did not reach the revision that the caller has seen before the deadline.
    pub fn min_revision_not_reached(asked: u64, revision: u64) -> Self {
        Self::new(
            Code::Stale,
            format!("This node is at revision {revision} and did not reach {asked} in time."),
        )
        .with("asked", asked)
        .at_revision(revision)
    }

    /// The node is stopping; nothing was done.
    pub fn stopping() -> Self {
        Self::new(
            Code::Stopping,
            "This node is stopping and takes no new requests.",
        )
    }

    /// The write was proposed and its outcome was not known before the deadline.
    pub fn outcome_unknown() -> Self {
        Self::new(
            Code::OutcomeUnknown,
            "The write was proposed, but its outcome was not known before the deadline: it may yet happen. \
             Send the same request with the same name.",
        )
    }

    /// No member of that id.
    pub fn member_not_found(id: u64) -> Self {
        Self::new(
            Code::MemberNotFound,
            format!("The cluster has no member {id}."),
        )
        .with("id", id)
    }

    /// A member of that id exists, at that address.
    pub fn member_exists(id: u64, address: &str) -> Self {
        Self::new(
            Code::MemberExists,
            format!("Member {id} exists already, at {address}; remove it first."),
        )
        .with("id", id)
        .with("address", address)
    }

    /// The membership cannot change so: why, as a sentence.
    pub fn membership_refused(reason: impl Into<String>) -> Self {
        Self::new(Code::MembershipRefused, reason)
    }
}

/// A field's problem as a sentence.
fn sentence(field: &FieldProblem) -> String {
    format!(
        "{} {}; allowed: {}.",
        field.field, field.problem, field.allowed
    )
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)
    }
}

impl std::error::Error for Problem {}
