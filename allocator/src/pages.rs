//! What leaves memory: a consistent cut of the state, as pages.
//!
//! A [`Cut`] is taken between two entries in microseconds, whatever the size of the state, and shares
//! its structure with it. A [`Page`] is some records of one table; the pages of one cut are all that
//! a state consists of, and `State::from_pages` makes the same state of them: the same answers, the
//! same digest, and from there the same course.
//!
//! Epochs belong to one state in memory: what it was loaded with is of epoch [`LOADED`], what changes
//! until the first cut of the next one, and each cut closes an epoch and opens another.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::paged::{Leaf, Paged};
use crate::record::{Content, Ended, Event, Hold, Meta, Pool, ScopeRecord, Suspect, Tenant, table};

/// The name of a page: its table, and its place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PageKey {
    /// The table.
    pub table: u8,
    /// The place.
    pub index: u64,
}

/// One page: some records of one table. Immutable, and cheap to clone. Any serde codec can encode it.
/// Most are a few KiB; one that holds unusually large records (pools with thousands of exclusions,
/// claims with 64 long labels) can be larger than 64 KiB, which a store has to divide.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page(pub(crate) Body);

/// What is in a page: the counters with the digest of the state, or the records of a leaf.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Body {
    Meta(Box<(Meta, u128)>),
    Tenants(Arc<TenantLeaf>),
    Pools(Arc<PoolLeaf>),
    Contents(Arc<ContentLeaf>),
    Holds(Arc<HoldLeaf>),
    Texts(Arc<TextLeaf>),
    Events(Arc<EventLeaf>),
    Ended(Arc<EndedLeaf>),
    Scopes(Arc<ScopeLeaf>),
    Suspects(Arc<SuspectLeaf>),
}

/// Records of a page, by table: so many that a page of ordinary records stays below 16 KiB.
pub(crate) mod size {
    pub(crate) const TENANTS: usize = 8;
    pub(crate) const POOLS: usize = 4;
    pub(crate) const CONTENTS: usize = 64;
    pub(crate) const HOLDS: usize = 16;
    pub(crate) const TEXTS: usize = 32;
    pub(crate) const EVENTS: usize = 64;
    pub(crate) const ENDED: usize = 16;
    pub(crate) const SCOPES: usize = 32;
    pub(crate) const SUSPECTS: usize = 32;
}

pub(crate) type TenantLeaf = Leaf<Tenant, { size::TENANTS }>;
pub(crate) type PoolLeaf = Leaf<Pool, { size::POOLS }>;
pub(crate) type ContentLeaf = Leaf<Content, { size::CONTENTS }>;
pub(crate) type HoldLeaf = Leaf<Hold, { size::HOLDS }>;
pub(crate) type TextLeaf = Leaf<Arc<str>, { size::TEXTS }>;
pub(crate) type EventLeaf = Leaf<Event, { size::EVENTS }>;
pub(crate) type EndedLeaf = Leaf<Ended, { size::ENDED }>;
pub(crate) type ScopeLeaf = Leaf<ScopeRecord, { size::SCOPES }>;
pub(crate) type SuspectLeaf = Leaf<Suspect, { size::SUSPECTS }>;

impl<T: Serialize, const N: usize> Serialize for Leaf<T, N> {
    /// The records with their places; vacant places are not written.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let records: Vec<(u8, &T)> = self
            .records()
            .map(|(place, record)| (u8::try_from(place).unwrap_or(u8::MAX), record))
            .collect();
        records.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Leaf<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let records = Vec::<(u8, T)>::deserialize(deserializer)?;
        let records = records
            .into_iter()
            .map(|(place, record)| (usize::from(place), record))
            .collect();
        Self::from_records(records)
            .ok_or_else(|| D::Error::custom("a page has each of its places once, and at least one"))
    }
}

/// What became of a page between two cuts.
#[derive(Debug, Clone)]
pub enum PageChange {
    /// It is new, or has changed.
    Put(PageKey, Page),
    /// It is gone, or never was there.
    Removed(PageKey),
    /// Every page of the same table with a smaller index is gone.
    RemovedBefore(PageKey),
}

/// The state between two entries, held fast while the state goes on. As long as it lives, the state
/// copies each page before its first change.
#[derive(Debug, Clone)]
pub struct Cut {
    pub(crate) epoch: u64,
    pub(crate) digest: u128,
    pub(crate) meta: Meta,
    pub(crate) tenants: Paged<Tenant, { size::TENANTS }>,
    pub(crate) pools: Paged<Pool, { size::POOLS }>,
    pub(crate) contents: Paged<Content, { size::CONTENTS }>,
    pub(crate) holds: Paged<Hold, { size::HOLDS }>,
    pub(crate) texts: Paged<Arc<str>, { size::TEXTS }>,
    pub(crate) events: Paged<Event, { size::EVENTS }>,
    pub(crate) ended: Paged<Ended, { size::ENDED }>,
    pub(crate) scopes: Paged<ScopeRecord, { size::SCOPES }>,
    pub(crate) suspects: Paged<Suspect, { size::SUSPECTS }>,
}

impl Cut {
    /// The epoch that this cut closes: what changes afterwards belongs to the next one.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Digest of the state in the cut.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// Revision of the state in the cut.
    pub fn revision(&self) -> u64 {
        self.meta.revision
    }

    /// All pages, in order of their keys.
    pub fn pages(&self) -> impl Iterator<Item = (PageKey, Page)> + '_ {
        self.pages_since(0).filter_map(|change| match change {
            PageChange::Put(key, page) => Some((key, page)),
            PageChange::Removed(_) | PageChange::RemovedBefore(_) => None,
        })
    }

    /// What has changed after the cut of that epoch; with 0 everything that is there. In order of the
    /// keys. A store that loaded the state from its own pages asks from [`LOADED`] on.
    pub fn pages_since(&self, epoch: u64) -> impl Iterator<Item = PageChange> + '_ {
        let meta_key = PageKey {
            table: table::META,
            index: 0,
        };
        let meta = Page(Body::Meta(Box::new((self.meta, self.digest))));
        core::iter::once(PageChange::Put(meta_key, meta))
            .chain(changes(table::TENANTS, &self.tenants, epoch, Body::Tenants))
            .chain(changes(table::POOLS, &self.pools, epoch, Body::Pools))
            .chain(changes(
                table::CONTENTS,
                &self.contents,
                epoch,
                Body::Contents,
            ))
            .chain(changes(table::HOLDS, &self.holds, epoch, Body::Holds))
            .chain(changes(table::TEXTS, &self.texts, epoch, Body::Texts))
            .chain(changes(table::EVENTS, &self.events, epoch, Body::Events))
            .chain(changes(table::ENDED, &self.ended, epoch, Body::Ended))
            .chain(changes(table::SCOPES, &self.scopes, epoch, Body::Scopes))
            .chain(changes(
                table::SUSPECTS,
                &self.suspects,
                epoch,
                Body::Suspects,
            ))
    }
}

/// The epoch of the pages of a state when it was loaded: [`Cut::pages_since`] this one are the pages
/// that have changed since loading.
pub const LOADED: u64 = 1;

fn changes<T, const N: usize>(
    table: u8,
    paged: &Paged<T, N>,
    epoch: u64,
    body: fn(Arc<Leaf<T, N>>) -> Body,
) -> impl Iterator<Item = PageChange> {
    let first = PageKey {
        table,
        index: paged.first_page(),
    };
    let before = (first.index > 0).then_some(PageChange::RemovedBefore(first));
    let changed = paged
        .leaves()
        .filter(move |(_, leaf)| leaf.epoch() > epoch)
        .map(move |(index, leaf)| {
            let key = PageKey { table, index };
            if leaf.is_empty() {
                PageChange::Removed(key)
            } else {
                PageChange::Put(key, Page(body(Arc::clone(leaf))))
            }
        });
    before.into_iter().chain(changed)
}

/// Why pages are not a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// The page of the counters is not there.
    MetaMissing,
    /// A page is there twice, or cannot belong where its key says.
    PageMisplaced(PageKey),
    /// The records are not the ones that were written.
    DigestMismatch {
        /// The digest that was written.
        written: u128,
        /// The digest of what was read.
        found: u128,
    },
    /// The records contradict each other.
    Inconsistent(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MetaMissing => f.write_str("the page of the counters is missing"),
            Self::PageMisplaced(key) => write!(
                f,
                "page {} of table {} is there twice or misplaced",
                key.index, key.table
            ),
            Self::DigestMismatch { written, found } => {
                write!(
                    f,
                    "the digest of the records is {found:032x}, but {written:032x} was written with them"
                )
            }
            Self::Inconsistent(what) => write!(f, "the records contradict each other: {what}"),
        }
    }
}

impl core::error::Error for LoadError {}
