//! The only writes: each changes one record, its part of the digest and what is indexed of it, and
//! notes in the journal how to take it back.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::Serialize;

use crate::answer::{Answer, Swept};
use crate::command::Strategy;
use crate::digest::Digester;
use crate::prefix::Prefix;
use crate::record::{
    Content, Ended, Event, Hold, HoldId, Meta, Pool, PoolId, Tenant, TenantId, TextId, table,
};
use crate::view::EventKind;

use super::State;
use super::history::low_half;
use super::suspect_store::SuspectUndo;
use super::texts::id_of;

/// Most contents of pools whose part of the digest is put off when an attempt begins.
const UNSETTLED_MAX: usize = 16;

/// Who asked for a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) actor: &'a str,
    pub(super) source: &'a str,
}

/// How to take one write back.
#[derive(Debug)]
pub(super) enum Undo {
    TenantInserted(TenantId),
    TenantRemoved(TenantId, Tenant),
    PoolInserted(PoolId),
    PoolRemoved(PoolId, Pool),
    PoolReplaced(PoolId, Pool),
    TenantReplaced(TenantId, Tenant),
    ContentSet(PoolId, Option<Content>),
    HoldInserted(HoldId),
    HoldRemoved(HoldId, Hold),
    HoldReplaced(HoldId, Hold),
    TextRemoved(u32, Arc<str>),
    Suspects(SuspectUndo),
    EventPushed,
    EndedPushed,
}

/// A moment to which the state can go back while its journal is kept.
#[derive(Debug)]
pub(super) struct Savepoint {
    digest: u128,
    meta: Meta,
    revision_open: bool,
    ordinal: u32,
    swept: Swept,
    /// The journal of an attempt around this one, and how long it was.
    outer: Option<usize>,
}

/// What an event tells, apart from when and by whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Happened {
    pub(super) kind: EventKind,
    pub(super) tenant: TextId,
    pub(super) pool: TextId,
    pub(super) generation: u64,
    pub(super) hold: HoldId,
    /// See [`Event::ends`].
    pub(super) ends: bool,
}

impl State {
    /// The revision of the change at hand: the first change of a command opens it.
    pub(super) fn revision_open(&mut self) -> u64 {
        if !self.revision_open {
            self.revision_open = true;
            self.ordinal = 0;
            self.meta.revision = self.meta.revision.saturating_add(1);
            assert!(
                self.meta.revision < 1 << 53_u32,
                "revisions stay below 2^53"
            );
        }
        self.meta.revision
    }

    /// A generation that was never given.
    pub(super) fn generation_next(&mut self) -> u64 {
        self.meta.generation = self.meta.generation.saturating_add(1);
        assert!(
            self.meta.generation < 1 << 53_u32,
            "generations stay below 2^53"
        );
        self.meta.generation
    }

    pub(super) fn digest_add<T: Serialize>(&mut self, table: u8, index: u64, record: &T) {
        self.sum = self
            .sum
            .wrapping_add(self.digester.record(table, index, record));
    }

    pub(super) fn digest_subtract<T: Serialize>(&mut self, table: u8, index: u64, record: &T) {
        self.sum = self
            .sum
            .wrapping_sub(self.digester.record(table, index, record));
    }

    pub(super) fn note(&mut self, undo: Undo) {
        if let Some(journal) = &mut self.journal {
            journal.push(undo);
        }
    }

    pub(super) fn tenant_insert(&mut self, tenant: Tenant) -> TenantId {
        let id = self.tables.tenants.next_id();
        self.tenant_put(id, tenant);
        self.note(Undo::TenantInserted(id));
        id
    }

    fn tenant_put(&mut self, id: TenantId, tenant: Tenant) {
        self.texts.refer(tenant.text);
        self.index
            .tenant_add(&self.tables, id, &tenant)
            .expect("a plan only makes what contradicts nothing");
        self.digest_add(table::TENANTS, u64::from(id), &tenant);
        self.tables.tenants.insert_at(id, tenant, self.epoch);
    }

    pub(super) fn tenant_remove(&mut self, id: TenantId) {
        self.index
            .tenant_remove(&self.tables, id, self.tables.tenant(id));
        let tenant = self.tables.tenants.remove(id, self.epoch);
        self.digest_subtract(table::TENANTS, u64::from(id), &tenant);
        let text = tenant.text;
        self.note(Undo::TenantRemoved(id, tenant));
        self.text_release(text);
    }

    pub(super) fn pool_insert(&mut self, pool: Pool) -> PoolId {
        let id = self.tables.pools.next_id();
        self.pool_put(id, pool);
        self.note(Undo::PoolInserted(id));
        id
    }

    fn pool_put(&mut self, id: PoolId, pool: Pool) {
        self.texts.refer(pool.text);
        self.index
            .pool_add(&self.tables, id, &pool)
            .expect("a plan only makes what contradicts nothing");
        self.digest_add(table::POOLS, u64::from(id), &pool);
        self.tables.pools.insert_at(id, pool, self.epoch);
    }

    pub(super) fn pool_remove(&mut self, id: PoolId) {
        self.content_set(id, self.tables.contents.get(id).copied(), None);
        self.index
            .pool_remove(&self.tables, id, self.tables.pool(id));
        let pool = self.tables.pools.remove(id, self.epoch);
        self.digest_subtract(table::POOLS, u64::from(id), &pool);
        let text = pool.text;
        self.note(Undo::PoolRemoved(id, pool));
        self.text_release(text);
    }

    /// Puts an edited pool in its place: of the same tenant and name.
    pub(super) fn pool_replace(&mut self, id: PoolId, pool: Pool) {
        self.index
            .pool_change(&self.tables, id, self.tables.pool(id), &pool);
        self.digest_add(table::POOLS, u64::from(id), &pool);
        let before = self.tables.pools.replace(id, pool, self.epoch);
        self.digest_subtract(table::POOLS, u64::from(id), &before);
        self.note(Undo::PoolReplaced(id, before));
    }

    /// Puts an edited tenant in its place: of the same name.
    pub(super) fn tenant_replace(&mut self, id: TenantId, tenant: Tenant) {
        self.digest_add(table::TENANTS, u64::from(id), &tenant);
        let before = self.tables.tenants.replace(id, tenant, self.epoch);
        self.digest_subtract(table::TENANTS, u64::from(id), &before);
        self.note(Undo::TenantReplaced(id, before));
    }

    /// What the pool holds has changed at the revision at hand.
    pub(super) fn content_touch(&mut self, pool: PoolId) {
        self.content_change(pool, None);
    }

    /// The same: a block was handed out that the pool's strategy chose.
    pub(super) fn content_hand_out(&mut self, pool: PoolId, block: Prefix) {
        self.content_change(pool, Some(block));
    }

    fn content_change(&mut self, pool: PoolId, chosen: Option<Prefix>) {
        let revision = self.revision_open();
        let before = self.tables.contents.get(pool).copied();
        let wall_ms = self.meta.clock.wall_ms();
        let exhausted_since_ms = if self.index.has_room(pool, self.tables.pool(pool)) {
            None
        } else {
            before
                .and_then(|content| content.exhausted_since_ms)
                .or(Some(wall_ms))
        };
        let out_of_policy_since_ms = if self.out_of_policy(pool) == 0 {
            None
        } else {
            before
                .and_then(|content| content.out_of_policy_since_ms)
                .or(Some(wall_ms))
        };
        let cursor = match self.tables.pool(pool).spec.strategy {
            Strategy::NextFit => chosen
                .map(Prefix::last)
                .or(before.and_then(|content| content.cursor)),
            Strategy::FirstFit | Strategy::BestFit | Strategy::LeastUtilized => None,
        };
        let content = Content {
            revision,
            exhausted_since_ms,
            out_of_policy_since_ms,
            cursor,
        };
        if before != Some(content) {
            self.content_set(pool, before, Some(content));
        }
    }

    fn content_set(&mut self, pool: PoolId, before: Option<Content>, content: Option<Content>) {
        // It changes with every claim: its part of the digest is brought up to date once an entry.
        self.unsettled.entry(pool).or_insert(before);
        match (before, content) {
            (None, None) => {}
            (None, Some(content)) => self.tables.contents.insert_at(pool, content, self.epoch),
            (Some(_), Some(content)) => {
                self.tables.contents.replace(pool, content, self.epoch);
            }
            (Some(_), None) => {
                self.tables.contents.remove(pool, self.epoch);
            }
        }
        self.note(Undo::ContentSet(pool, before));
    }

    /// Brings the sum up to date where that was put off.
    pub(super) fn contents_settle(&mut self) {
        self.sum = self.sum_now();
        self.unsettled.clear();
    }

    /// The sum with what was put off.
    pub(super) fn sum_now(&self) -> u128 {
        let mut digester = Digester::default();
        let mut part = |pool: PoolId, content: Option<&Content>| {
            content.map_or(0, |content| {
                digester.record(table::CONTENTS, u64::from(pool), content)
            })
        };
        self.unsettled.iter().fold(self.sum, |sum, (pool, before)| {
            let now = part(*pool, self.tables.contents.get(*pool));
            sum.wrapping_sub(part(*pool, before.as_ref()))
                .wrapping_add(now)
        })
    }

    pub(super) fn hold_insert(&mut self, hold: Hold) -> HoldId {
        let id = self.tables.holds.next_id();
        self.hold_put(id, hold);
        self.note(Undo::HoldInserted(id));
        id
    }

    fn hold_put(&mut self, id: HoldId, hold: Hold) {
        self.index
            .hold_add(&self.tables, id, &hold)
            .expect("a plan only takes what is free");
        self.digest_add(table::HOLDS, u64::from(id), &hold);
        self.tables.holds.insert_at(id, hold, self.epoch);
    }

    pub(super) fn hold_remove(&mut self, id: HoldId) {
        self.index
            .hold_remove(&self.tables, id, self.tables.hold(id));
        let hold = self.tables.holds.remove(id, self.epoch);
        self.digest_subtract(table::HOLDS, u64::from(id), &hold);
        if self.journal.is_some() {
            self.note(Undo::HoldRemoved(id, hold));
        }
    }

    /// Puts the next state of a claim's hold in its place; block and pool stay what they are.
    pub(super) fn hold_replace(&mut self, id: HoldId, hold: Hold) {
        let before = self.tables.hold(id);
        let same = (before.block, before.pool) == (hold.block, hold.pool);
        assert!(same, "a hold stays where it is");
        self.index.hold_change_begin(&self.tables, id, before);
        self.digest_add(table::HOLDS, u64::from(id), &hold);
        let before = self.tables.holds.replace(id, hold, self.epoch);
        self.digest_subtract(table::HOLDS, u64::from(id), &before);
        self.index
            .hold_change_end(&self.tables, id, self.tables.hold(id));
        self.note(Undo::HoldReplaced(id, before));
    }

    /// The id of a text that is about to be referred to.
    pub(super) fn text_intern(&mut self, text: &str) -> TextId {
        if text.is_empty() {
            return None;
        }
        let there = self.texts.find(&self.tables, text);
        if there.is_some() {
            return there;
        }
        let place = self.tables.texts.next_id();
        self.text_put(place, Arc::from(text));
        id_of(place)
    }

    fn text_put(&mut self, place: u32, text: Arc<str>) {
        self.texts.add(&self.tables, place, &text);
        self.digest_add(table::TEXTS, u64::from(place), &text);
        self.tables.texts.insert_at(place, text, self.epoch);
    }

    fn text_release(&mut self, id: TextId) {
        if !self.texts.release(id) {
            return;
        }
        let place = id.map_or(0, |number| number.get().saturating_sub(1));
        if let Some(text) = self.tables.texts.get(place) {
            self.texts.remove(&self.tables, text);
        }
        let text = self.tables.texts.remove(place, self.epoch);
        self.digest_subtract(table::TEXTS, u64::from(place), &text);
        self.note(Undo::TextRemoved(place, text));
    }

    /// Appends an event of the revision at hand.
    pub(super) fn event_push(&mut self, who: Who<'_>, happened: Happened) {
        let actor = self.text_intern(who.actor);
        let source = self.text_intern(who.source);
        let event = Event {
            revision: self.revision_open(),
            at_ms: self.meta.clock.wall_ms(),
            now_ms: self.meta.clock.now_ms(),
            generation: happened.generation,
            tenant: happened.tenant,
            pool: happened.pool,
            actor,
            source,
            ordinal: self.ordinal,
            given: low_half(self.meta.generation),
            hold: happened.hold,
            kind: happened.kind,
            ends: happened.ends,
        };
        for text in event.texts() {
            self.texts.refer(text);
        }
        self.texts.past_tenant_add(event.tenant);
        self.ordinal = self.ordinal.saturating_add(1);
        self.digest_add(table::EVENTS, self.tables.events.end(), &event);
        self.tables.events.push(event, self.epoch);
        self.note(Undo::EventPushed);
    }

    /// Drops the oldest event.
    pub(super) fn event_drop(&mut self) -> Option<Event> {
        let number = self.tables.events.first();
        let event = self.tables.events.pop_oldest(self.epoch)?;
        self.event_gone(number, &event);
        Some(event)
    }

    fn event_gone(&mut self, number: u64, event: &Event) {
        self.digest_subtract(table::EVENTS, number, event);
        self.texts.past_tenant_remove(event.tenant);
        for text in event.texts() {
            self.text_release(text);
        }
    }

    /// The text of the routing domain of a pool, for a record that is about to refer to it.
    pub(super) fn space_text(&mut self, pool: PoolId) -> TextId {
        let space = self.tables.pool(pool).space.clone();
        self.text_intern(space.as_str())
    }

    /// Appends the record of a holding that ends.
    pub(super) fn ended_push(&mut self, ended: Ended) {
        for text in ended.texts() {
            self.texts.refer(text);
        }
        self.texts.past_tenant_add(ended.pool_tenant);
        let number = self.tables.ended.end();
        self.index.ended.add(&self.tables, number, &ended);
        self.digest_add(table::ENDED, number, &ended);
        self.tables.ended.push(ended, self.epoch);
        self.note(Undo::EndedPushed);
    }

    /// Drops the oldest record of an ended holding.
    pub(super) fn ended_drop(&mut self) {
        let number = self.tables.ended.first();
        if let Some(ended) = self.tables.ended.pop_oldest(self.epoch) {
            self.index.ended.remove_oldest(number, &ended);
            self.ended_gone(number, &ended);
        }
    }

    fn ended_gone(&mut self, number: u64, ended: &Ended) {
        self.digest_subtract(table::ENDED, number, ended);
        self.texts.past_tenant_remove(ended.pool_tenant);
        for text in ended.texts() {
            self.text_release(text);
        }
    }

    /// From here on writes can be taken back.
    pub(super) fn savepoint(&mut self) -> Savepoint {
        // Many attempts in one entry do not each add up what all before them put off.
        if self.unsettled.len() > UNSETTLED_MAX {
            self.contents_settle();
        }
        let outer = self.journal.as_ref().map(Vec::len);
        let savepoint = Savepoint {
            digest: self.digest(),
            meta: self.meta,
            revision_open: self.revision_open,
            ordinal: self.ordinal,
            swept: self.swept,
            outer,
        };
        self.journal.get_or_insert_default();
        savepoint
    }

    /// Keeps what was written since; an attempt around this one can still take it back.
    pub(super) fn savepoint_keep(&mut self, savepoint: &Savepoint) {
        if savepoint.outer.is_none() {
            self.journal = None;
        }
    }

    /// Takes back what was written since, the last first.
    pub(super) fn savepoint_restore(&mut self, savepoint: &Savepoint) {
        let mut journal = self.journal.take().unwrap_or_default();
        let keep = savepoint.outer.unwrap_or(0);
        while journal.len() > keep
            && let Some(undo) = journal.pop()
        {
            self.undo(undo);
        }
        self.meta = savepoint.meta;
        self.revision_open = savepoint.revision_open;
        self.ordinal = savepoint.ordinal;
        self.swept = savepoint.swept;
        if savepoint.outer.is_some() {
            self.journal = Some(journal);
        }
        assert!(
            self.digest() == savepoint.digest,
            "what was taken back left the state as it was"
        );
    }

    /// No journal is kept here, so that nothing is noted.
    fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::TenantInserted(id) => self.tenant_remove(id),
            Undo::TenantRemoved(id, tenant) => self.tenant_put(id, tenant),
            Undo::PoolInserted(id) => self.pool_remove(id),
            Undo::PoolRemoved(id, pool) => self.pool_put(id, pool),
            Undo::PoolReplaced(id, pool) => self.pool_replace(id, pool),
            Undo::TenantReplaced(id, tenant) => self.tenant_replace(id, tenant),
            Undo::ContentSet(pool, content) => {
                self.content_set(pool, self.tables.contents.get(pool).copied(), content);
            }
            Undo::HoldInserted(id) => self.hold_remove(id),
            Undo::HoldRemoved(id, hold) => self.hold_put(id, hold),
            Undo::HoldReplaced(id, hold) => self.hold_replace(id, hold),
            Undo::TextRemoved(place, text) => self.text_put(place, text),
            Undo::Suspects(undo) => self.suspects_undo(undo),
            Undo::EventPushed => {
                let event = self
                    .tables
                    .events
                    .pop_newest(self.epoch)
                    .expect("a pushed event is there");
                self.event_gone(self.tables.events.end(), &event);
            }
            Undo::EndedPushed => {
                let ended = self
                    .tables
                    .ended
                    .pop_newest(self.epoch)
                    .expect("a pushed record is there");
                let number = self.tables.ended.end();
                self.index.ended.remove_newest(&self.tables, number, &ended);
                self.ended_gone(number, &ended);
            }
        }
    }

    /// An answer at the present revision.
    pub(super) fn answer(
        &self,
        result: Result<crate::answer::Outcome, crate::answer::Rejection>,
    ) -> Answer {
        Answer {
            revision: self.meta.revision,
            swept: if result.is_ok() {
                self.swept
            } else {
                Swept::default()
            },
            result,
        }
    }
}
