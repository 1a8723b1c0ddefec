//! Interned texts: each once, as long as something refers to it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use crate::ordered::{Key, Ordered};
use crate::record::TextId;

use super::tables::Tables;

/// How often each text is referred to, and where it is.
#[derive(Debug, Default)]
pub(super) struct TextIndex {
    /// By place of the text.
    references: Vec<u32>,
    /// How many of those are of the past and mean a tenant.
    past_tenants: Vec<u32>,
    order: Ordered,
}

impl TextIndex {
    /// The text's id, if it is interned.
    pub(super) fn find(&self, tables: &Tables, text: &str) -> TextId {
        id_of(
            self.order
                .get(Key::text(0, text), |place| key_of(tables, place))?,
        )
    }

    /// Indexes a text that is about to be put at a place.
    pub(super) fn add(&mut self, tables: &Tables, place: u32, text: &Arc<str>) {
        let added = self
            .order
            .insert(Key::text(0, text), place, |place| key_of(tables, place));
        assert!(added, "a text is interned once");
    }

    /// Takes a text out of the index; nothing refers to it any more.
    pub(super) fn remove(&mut self, tables: &Tables, text: &Arc<str>) {
        let removed = self
            .order
            .remove(Key::text(0, text), |place| key_of(tables, place));
        assert!(removed.is_some(), "an interned text is indexed");
    }

    /// One more refers to it.
    pub(super) fn refer(&mut self, id: TextId) {
        add(&mut self.references, id);
    }

    /// An event or ended holding means a tenant by it, apart from referring to it.
    pub(super) fn past_tenant_add(&mut self, id: TextId) {
        add(&mut self.past_tenants, id);
    }

    pub(super) fn past_tenant_remove(&mut self, id: TextId) {
        subtract(&mut self.past_tenants, id);
    }

    /// How many events and ended holdings mean a tenant by it.
    pub(super) fn past_tenants(&self, id: TextId) -> u32 {
        of_place(&self.past_tenants, id)
    }

    /// One less refers to it; tells whether none is left.
    pub(super) fn release(&mut self, id: TextId) -> bool {
        subtract(&mut self.references, id)
    }

    pub(super) fn references(&self, id: TextId) -> u32 {
        of_place(&self.references, id)
    }
}

fn add(counts: &mut Vec<u32>, id: TextId) {
    let Some(place) = place_of(id) else {
        return;
    };
    while counts.len() <= place {
        counts.push(0);
    }
    if let Some(count) = counts.get_mut(place) {
        *count = count
            .checked_add(1)
            .expect("there are fewer than 2^32 records");
    }
}

/// Tells whether none is left.
fn subtract(counts: &mut [u32], id: TextId) -> bool {
    let count = place_of(id).and_then(|place| counts.get_mut(place));
    count.is_some_and(|count| {
        *count = count
            .checked_sub(1)
            .expect("what releases a text referred to it");
        *count == 0
    })
}

fn of_place(counts: &[u32], id: TextId) -> u32 {
    place_of(id)
        .and_then(|place| counts.get(place))
        .copied()
        .unwrap_or(0)
}

fn key_of(tables: &Tables, place: u32) -> Key<'_> {
    Key::text(
        0,
        tables
            .texts
            .get(place)
            .expect("the index of texts leads to texts"),
    )
}

pub(super) fn id_of(place: u32) -> TextId {
    NonZeroU32::new(place.saturating_add(1))
}

fn place_of(id: TextId) -> Option<usize> {
    usize::try_from(id?.get().checked_sub(1)?).ok()
}
