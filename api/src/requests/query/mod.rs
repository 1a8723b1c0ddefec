//! Query strings: each operation's parameters, parsed and bounded.
//!
//! 1. A parameter that the operation does not have, one that is stated twice, or one out of its
//!    bounds is `invalid_parameter` and names it: nothing is ignored.
//! 2. Lists go on by key, never by number: what is made or removed meanwhile neither repeats nor
//!    hides an item that was there all along.

mod history;
mod lists;
mod map;
mod parameters;
mod removal;
#[cfg(test)]
mod tests;
mod watch;

use allocator::name::Name;
use allocator::prefix::Family;

use super::page::{ListIdentity, not_a_token};
use crate::problem::Problem;
pub use history::{HistoryList, Lookup};
pub use lists::{
    AllocationList, AllocationListAll, ClaimList, ClaimListAll, PoolList, PoolListAll, TenantList,
};
pub use map::Map;
pub(crate) use parameters::whole_number;
use parameters::{Parameters, READING, with_reading};
pub use removal::{Cascade, PoolDelete};
pub use watch::Watch;

/// Items on a page where no `limit` is stated.
pub const LIMIT_DEFAULT: u64 = 100;
/// Most items on a page.
pub const LIMIT_MAX: u64 = 1_000;
/// The space where none is stated.
pub const SPACE_DEFAULT: &str = "default";

/// From which state a read is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consistency {
    /// This node's.
    #[default]
    Local,
    /// One that has every write answered before the read began.
    Linearizable,
}

/// What every read may state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// `consistency`.
    pub consistency: Consistency,
    /// `maxStalenessMs`: rather 503 `stale` than older.
    pub max_staleness_ms: Option<u64>,
}

impl Reading {
    /// A read without other parameters.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        Parameters::parse(query, &READING)?.reading()
    }
}

/// What every mutation may state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mutation {
    /// `dryRun`: the exact answer, and nothing changes.
    pub dry_run: bool,
}

impl Mutation {
    /// A mutation without other parameters.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        Ok(Self {
            dry_run: Parameters::parse(query, &["dryRun"])?.flag("dryRun")?,
        })
    }
}

/// Parameters of `claim_release`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Release {
    /// `dryRun`.
    pub dry_run: bool,
    /// `generation`: the holding that is meant.
    pub generation: Option<u64>,
}

impl Release {
    /// Parses the query string.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let parameters = Parameters::parse(query, &["dryRun", "generation"])?;
        Ok(Self {
            dry_run: parameters.flag("dryRun")?,
            generation: parameters.whole_number("generation", 0, u64::MAX >> 11)?,
        })
    }
}

/// Parameters of `pool_free`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// From which state.
    pub reading: Reading,
    /// `prefixLength`: blocks of this length; without it the maximal free blocks, largest first.
    pub prefix_length: Option<u8>,
    /// `limit`.
    pub limit: u64,
    /// `count`: only how many.
    pub count: bool,
}

impl Free {
    /// Parses the query string.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let parameters =
            Parameters::parse(query, &with_reading(&["prefixLength", "limit", "count"]))?;
        let length = parameters.whole_number("prefixLength", 0, u64::from(Family::IPv6.bits()))?;
        Ok(Self {
            reading: parameters.reading()?,
            prefix_length: length.and_then(|length| u8::try_from(length).ok()),
            limit: parameters.limit()?,
            count: parameters.flag("count")?,
        })
    }

    /// The length is one of that family, which is known once the pool is.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn require_length_of(&self, family: Family) -> Result<(), Problem> {
        require_length_of(family, self.prefix_length)
    }
}

fn require_length_of(family: Family, length: Option<u8>) -> Result<(), Problem> {
    let bits = family.bits();
    match length {
        Some(length) if length > bits => Err(Problem::invalid_parameter(
            "prefixLength",
            format_args!("is {length}, and the pool is {family}"),
            format_args!("0 to {bits}"),
        )),
        Some(_) | None => Ok(()),
    }
}

/// Parameters of `allocation_show` and `allocation_delete`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InSpace {
    /// From which state.
    pub reading: Reading,
    /// `space`; `default` where none is stated.
    pub space: Name,
}

impl InSpace {
    /// Parses the query string.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        Self::of(&Parameters::parse(query, &with_reading(&["space"]))?)
    }

    /// Parses the query string of a mutation. It is refused, dry run or not.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse_mutation(query: Option<&str>) -> Result<Self, Problem> {
        let parameters = Parameters::parse(query, &with_reading(&["space", "dryRun"]))?;
        parameters.flag("dryRun")?;
        Self::of(&parameters)
    }

    fn of(parameters: &Parameters) -> Result<Self, Problem> {
        let default = Name::new(SPACE_DEFAULT).expect("the default space is a name");
        Ok(Self {
            reading: parameters.reading()?,
            space: parameters.name("space")?.unwrap_or(default),
        })
    }
}

/// Parameters of `digest_show`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest {
    /// From which state.
    pub reading: Reading,
    /// `revision`; the latest where none is stated.
    pub revision: Option<u64>,
}

impl Digest {
    /// Parses the query string.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let parameters = Parameters::parse(query, &with_reading(&["revision"]))?;
        Ok(Self {
            reading: parameters.reading()?,
            revision: parameters.whole_number("revision", 0, u64::MAX >> 11)?,
        })
    }
}

/// Parameters of a list: of `F`-filtered items that are ordered by `K`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<F, K> {
    /// From which state.
    pub reading: Reading,
    /// At most so many items.
    pub limit: u64,
    /// Go on after this key, from `pageToken`.
    pub after: Option<K>,
    /// Which items.
    pub filter: F,
    identity: ListIdentity,
}

/// A key that a page token carries.
pub trait PageKey: Sized {
    /// As text.
    fn to_text(&self) -> String;
    /// From text; `None` where it is not a key.
    fn from_text(text: &str) -> Option<Self>;
}

impl<F, K: PageKey> List<F, K> {
    /// `nextPageToken` for a page that ends with `key`.
    pub fn next_page_token(&self, key: &K) -> String {
        self.identity.token(&key.to_text())
    }

    fn new(
        operation: &str,
        scope: &str,
        parameters: &Parameters,
        filter: F,
    ) -> Result<Self, Problem> {
        let filters = parameters.filters();
        let parts = [operation, scope]
            .into_iter()
            .chain(filters.iter().map(String::as_str));
        let identity = ListIdentity::new(parts);
        let after = match parameters.text("pageToken") {
            None => None,
            Some(token) => Some(K::from_text(&identity.key(token)?).ok_or_else(not_a_token)?),
        };
        Ok(Self {
            reading: parameters.reading()?,
            limit: parameters.limit()?,
            after,
            filter,
            identity,
        })
    }
}

/// Refuses every parameter, for operations that have none.
///
/// # Errors
/// `invalid_parameter`.
pub fn none(query: Option<&str>) -> Result<(), Problem> {
    Parameters::parse(query, &[]).map(|_| ())
}
