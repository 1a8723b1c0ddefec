//! Which free block is handed out.
//!
//! Each strategy asks the tries of a pool's CIDRs (at most 256) for what they know of their holes; none
//! goes through what is held. `within` narrows the search to at most 16 spans.

use alloc::vec::Vec;

use crate::answer::Rejection;
use crate::command::Strategy;
use crate::free::{CidrTrie, FreeNodes, Span, Wanted};
use crate::prefix::{Prefix, address_number};
use crate::record::PoolId;

use super::State;
use super::pool_index::PoolIndex;

/// What is looked for, and where.
#[derive(Debug, Clone, Copy)]
struct Search<'a> {
    length: u8,
    /// Disjoint, by address.
    spans: &'a [Span],
}

impl State {
    /// The block of a length that the pool's strategy hands out next.
    pub(super) fn next_free(
        &self,
        pool: PoolId,
        length: u8,
        spans: &[Span],
    ) -> Result<Prefix, Rejection> {
        let index = self.pool_index(pool);
        let nodes = &self.index.nodes;
        let search = Search { length, spans };
        let found = match self.tables.pool(pool).spec.strategy {
            Strategy::FirstFit => index.lowest(nodes, search, Wanted::UpTo(length)),
            Strategy::BestFit => index.tightest(nodes, search),
            Strategy::NextFit => index.next(nodes, search, self.cursor(pool)),
            Strategy::LeastUtilized => index.least_utilized(nodes, search),
        };
        found.ok_or_else(|| {
            let (tenant, name) = self.pool_names(pool);
            Rejection::PoolExhausted {
                tenant,
                pool: name,
                prefix_length: length,
                free: index.available(),
                largest_free_prefix_length: index.largest(nodes),
                within: spans != [Span::ALL],
            }
        })
    }

    /// The last address that the pool handed out.
    fn cursor(&self, pool: PoolId) -> Option<u128> {
        let cursor = self.tables.contents.get(pool)?.cursor?;
        Some(address_number(cursor))
    }
}

impl PoolIndex {
    /// The tries whose CIDRs meet a span, by address.
    fn tries_meeting(&self, span: Span) -> impl Iterator<Item = &CidrTrie> {
        let before = self
            .tries
            .partition_point(|trie| address_number(trie.cidr().last()) < span.first);
        let rest = self.tries.get(before..).unwrap_or_default().iter();
        rest.take_while(move |trie| address_number(trie.cidr().first()) <= span.last)
    }

    /// The lowest block out of a hole that is wanted.
    fn lowest(&self, nodes: &FreeNodes, search: Search<'_>, wanted: Wanted) -> Option<Prefix> {
        search.spans.iter().find_map(|span| {
            self.tries_meeting(*span)
                .find_map(|trie| trie.find(nodes, search.length, wanted, *span))
        })
    }

    /// The lowest block out of the smallest hole.
    fn tightest(&self, nodes: &FreeNodes, search: Search<'_>) -> Option<Prefix> {
        let holes = search.spans.iter().flat_map(|span| {
            self.tries_meeting(*span)
                .filter_map(|trie| trie.tightest(nodes, search.length, *span))
        });
        let tightest = holes.max()?;
        self.lowest(nodes, search, Wanted::Exactly(tightest))
    }

    /// The lowest block behind the cursor, else the lowest of all.
    fn next(&self, nodes: &FreeNodes, search: Search<'_>, cursor: Option<u128>) -> Option<Prefix> {
        let wanted = Wanted::UpTo(search.length);
        let behind = cursor.and_then(|cursor| cursor.checked_add(1));
        let found = behind.and_then(|behind| {
            let spans: Vec<Span> = search
                .spans
                .iter()
                .filter(|span| behind <= span.last)
                .map(|span| Span {
                    first: span.first.max(behind),
                    last: span.last,
                })
                .collect();
            let search = Search {
                spans: &spans,
                ..search
            };
            self.lowest(nodes, search, wanted)
        });
        found.or_else(|| self.lowest(nodes, search, wanted))
    }

    /// The lowest block of the CIDR of which the smallest share is held, among those that have one.
    fn least_utilized(&self, nodes: &FreeNodes, search: Search<'_>) -> Option<Prefix> {
        let places = self.shares.iter().flat_map(super::shares::Shares::places);
        let mut tries = places.filter_map(|place| self.tries.get(place));
        tries.find_map(|trie| {
            search.spans.iter().find_map(|span| {
                trie.find(nodes, search.length, Wanted::UpTo(search.length), *span)
            })
        })
    }
}
