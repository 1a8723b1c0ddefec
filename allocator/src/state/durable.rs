//! From the state to its pages and back.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use serde::Serialize;

use crate::digest::Digester;
use crate::ordered::Key;
use crate::paged::Leaf;
use crate::pages::{Body, Cut, LoadError, Page, PageKey};
use crate::planted::{Bug, planted};
use crate::record::{Holder, Meta, TextId, table};
use crate::together::{InTurn, Together};

use super::State;
use super::ended_index::EndedIndex;
use super::index::{Contradiction, Index};
use super::tables::Tables;
use super::texts::{TextIndex, id_of};

impl State {
    /// Holds the state fast as it is, between two entries. Takes microseconds whatever its size; what
    /// changes afterwards is copied page by page as long as the cut lives.
    pub fn cut(&mut self) -> Cut {
        let epoch = self.epoch;
        self.epoch = epoch.saturating_add(1);
        Cut {
            epoch,
            digest: self.digest(),
            meta: self.meta_now(),
            tenants: self.tables.tenants.paged(),
            pools: self.tables.pools.paged(),
            contents: self.tables.contents.paged(),
            holds: self.tables.holds.paged(),
            texts: self.tables.texts.paged(),
            events: self.tables.events.paged(),
            ended: self.tables.ended.paged(),
            scopes: self.tables.scopes.paged(),
            suspects: self.tables.suspects.paged(),
        }
    }

    /// The state that the pages of one cut make, in any order. Everything that is not written is
    /// built again, and the digest is compared.
    ///
    /// # Errors
    /// [`LoadError`]: a page is missing, twice there or damaged.
    pub fn from_pages(pages: impl IntoIterator<Item = (PageKey, Page)>) -> Result<Self, LoadError> {
        Self::from_pages_together(pages, &InTurn)
    }

    /// The same, by a caller that can do two things at once.
    ///
    /// # Errors
    /// See [`Self::from_pages`].
    pub fn from_pages_together(
        pages: impl IntoIterator<Item = (PageKey, Page)>,
        together: &impl Together,
    ) -> Result<Self, LoadError> {
        let mut state = Self::new();
        let mut counters = None;
        for (key, page) in pages {
            let placed = match page.0 {
                Body::Meta(found) => {
                    let first = counters.replace(*found).is_none();
                    (first
                        && key
                            == PageKey {
                                table: table::META,
                                index: 0,
                            })
                    .then_some(())
                }
                body => state.page_insert(key, body),
            };
            placed.ok_or(LoadError::PageMisplaced(key))?;
        }
        let (meta, written) = counters.ok_or(LoadError::MetaMissing)?;
        state.rings_bound(&meta)?;
        state.meta = meta;
        state.sum = sum_of_records(&state.tables, together);
        let found = state.digest();
        if found != written {
            return Err(LoadError::DigestMismatch { written, found });
        }
        state
            .index_build(together)
            .map_err(|what| LoadError::Inconsistent(String::from(what)))?;
        if planted(Bug::LeaseForgotten) {
            state.lease_forget();
        }
        Ok(state)
    }

    /// The planted bug of that name.
    fn lease_forget(&mut self) {
        let tables = &self.tables;
        let life = &mut self.index.life;
        let first = life
            .due
            .after(Key::number(0), tables.due_keys())
            .find(|id| tables.hold(*id).kept().is_none());
        if let Some(id) = first {
            life.remove(tables, id, tables.hold(id));
        }
    }

    fn page_insert(&mut self, key: PageKey, body: Body) -> Option<()> {
        let tables = &mut self.tables;
        match (key.table, body) {
            (table::TENANTS, Body::Tenants(leaf)) => {
                tables.tenants.leaf_insert(key.index, owned(leaf))
            }
            (table::POOLS, Body::Pools(leaf)) => tables.pools.leaf_insert(key.index, owned(leaf)),
            (table::CONTENTS, Body::Contents(leaf)) => {
                tables.contents.leaf_insert(key.index, owned(leaf))
            }
            (table::HOLDS, Body::Holds(leaf)) => tables.holds.leaf_insert(key.index, owned(leaf)),
            (table::TEXTS, Body::Texts(leaf)) => tables.texts.leaf_insert(key.index, owned(leaf)),
            (table::EVENTS, Body::Events(leaf)) => {
                tables.events.leaf_insert(key.index, owned(leaf))
            }
            (table::ENDED, Body::Ended(leaf)) => tables.ended.leaf_insert(key.index, owned(leaf)),
            (table::SCOPES, Body::Scopes(leaf)) => {
                tables.scopes.leaf_insert(key.index, owned(leaf))
            }
            (table::SUSPECTS, Body::Suspects(leaf)) => {
                tables.suspects.leaf_insert(key.index, owned(leaf))
            }
            _ => None,
        }
    }

    fn rings_bound(&mut self, meta: &Meta) -> Result<(), LoadError> {
        let broken = |what: &str| LoadError::Inconsistent(format!("the {what} have gaps"));
        self.tables
            .events
            .bound(meta.events.0, meta.events.1)
            .ok_or_else(|| broken("events"))?;
        self.tables
            .ended
            .bound(meta.ended.0, meta.ended.1)
            .ok_or_else(|| broken("ended holdings"))
    }

    /// The digest without the counters, from all records.
    pub(super) fn sum_of_records(&self) -> u128 {
        sum_of_records(&self.tables, &InTurn)
    }

    /// Builds all that follows from the records; what they contradict is told.
    fn index_build(&mut self, together: &impl Together) -> Result<(), Contradiction> {
        let tables = &self.tables;
        let (index, texts) = (&mut self.index, &mut self.texts);
        let (mut ended, mut past) = (EndedIndex::default(), TextIndex::default());
        let (there, gone) = together.both(
            || index_present(tables, index),
            || index_past(tables, &mut past, &mut ended),
        );
        there.and(gone)?;
        index.ended = ended;
        *texts = past;
        Ok(())
    }
}

/// Indexes what is there now.
fn index_present(tables: &Tables, index: &mut Index) -> Result<(), Contradiction> {
    for (id, tenant) in tables.tenants.iter() {
        index.tenant_add(tables, id, tenant)?;
    }
    for (id, pool) in tables.pools.iter() {
        index.pool_add(tables, id, pool)?;
        if let Some((parent, hold)) = pool.parent {
            let carved = tables.holds.get(hold).is_some_and(|hold| {
                hold.holder == Holder::Child { pool: id } && hold.pool == parent
            });
            if !carved {
                return Err("a child pool is not held from its parent");
            }
        }
    }
    for (id, hold) in tables.holds.iter() {
        if let Holder::Child { pool } = hold.holder
            && tables
                .pools
                .get(pool)
                .is_none_or(|child| child.parent != Some((hold.pool, id)))
        {
            return Err("a block is held for a child pool that is not there");
        }
        index.hold_add(tables, id, hold)?;
    }
    for (id, scope) in tables.scopes.iter() {
        if tables.tenants.get(scope.tenant).is_none() {
            return Err("a scope has no tenant");
        }
        index.suspects.scope_add(tables, id, scope)?;
    }
    for (id, suspect) in tables.suspects.iter() {
        index.suspects.suspect_add(tables, id, suspect)?;
    }
    Ok(())
}

/// Indexes the texts, what refers to them, and what has ended.
fn index_past(
    tables: &Tables,
    texts: &mut TextIndex,
    index: &mut EndedIndex,
) -> Result<(), Contradiction> {
    for (place, text) in tables.texts.iter() {
        if texts.find(tables, text).is_some() {
            return Err("two texts are the same");
        }
        texts.add(tables, place, text);
    }
    let refer = |texts: &mut TextIndex, ids: &[TextId]| {
        for id in ids {
            let there =
                id.is_none_or(|number| tables.texts.get(number.get().saturating_sub(1)).is_some());
            if !there {
                return Err("a text is missing");
            }
            texts.refer(*id);
        }
        Ok(())
    };
    for (_, tenant) in tables.tenants.iter() {
        refer(texts, &[tenant.text])?;
    }
    for (_, pool) in tables.pools.iter() {
        refer(texts, &[pool.text])?;
    }
    for (_, event) in tables.events.iter() {
        refer(texts, &event.texts())?;
        texts.past_tenant_add(event.tenant);
    }
    for (number, ended) in tables.ended.iter() {
        refer(texts, &ended.texts())?;
        texts.past_tenant_add(ended.pool_tenant);
        if index.of_generation(tables, ended.generation).is_some() {
            return Err("two ended holdings have one generation");
        }
        index.add(tables, number, ended);
    }
    for (place, _) in tables.texts.iter() {
        if texts.references(id_of(place)) == 0 {
            return Err("a text is kept that nothing refers to");
        }
    }
    Ok(())
}

/// The digest without the counters: what is there, and what was, each for itself.
fn sum_of_records(tables: &Tables, together: &impl Together) -> u128 {
    let present = || {
        let mut sum = Sum::default();
        sum.table(table::TENANTS, tables.tenants.iter());
        sum.table(table::POOLS, tables.pools.iter());
        sum.table(table::CONTENTS, tables.contents.iter());
        sum.table(table::HOLDS, tables.holds.iter());
        sum.table(table::SCOPES, tables.scopes.iter());
        sum.table(table::SUSPECTS, tables.suspects.iter());
        sum.sum
    };
    let past = || {
        let mut sum = Sum::default();
        sum.table(table::TEXTS, tables.texts.iter());
        sum.table(table::EVENTS, tables.events.iter());
        sum.table(table::ENDED, tables.ended.iter());
        sum.sum
    };
    let (present, past) = together.both(present, past);
    present.wrapping_add(past)
}

/// A sum that records are added to.
#[derive(Default)]
struct Sum {
    digester: Digester,
    sum: u128,
}

impl Sum {
    fn table<'a, I, T>(&mut self, table: u8, records: impl Iterator<Item = (I, &'a T)>)
    where
        I: Into<u64>,
        T: Serialize + 'a,
    {
        for (index, record) in records {
            let part = self.digester.record(table, index.into(), record);
            self.sum = self.sum.wrapping_add(part);
        }
    }
}

/// The leaf itself; a page that was just decoded is nobody else's.
fn owned<T: Clone, const N: usize>(leaf: Arc<Leaf<T, N>>) -> Leaf<T, N> {
    let mut leaf = Arc::unwrap_or_clone(leaf);
    leaf.loaded();
    leaf
}
