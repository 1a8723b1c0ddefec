//! Where a claim's block must lie.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::answer::Rejection;
use crate::command::{ClaimSpec, Range};
use crate::free::Span;
use crate::prefix::{Family, address_number};
use crate::record::Pool;

use super::claim::{family_check, invalid};
use super::views::blocks_text;

/// Most ranges of a claim.
const WITHIN_MAX: usize = 16;

/// What can be told without the state.
pub(super) fn check_alone(spec: &ClaimSpec) -> Result<(), Rejection> {
    if spec.within.len() > WITHIN_MAX {
        return Err(invalid(
            "within",
            "their number is not allowed",
            format!("at most {WITHIN_MAX} of them"),
        ));
    }
    for (place, range) in spec.within.iter().enumerate() {
        if Family::of(range.first) != Family::of(range.last) || range.last < range.first {
            return Err(invalid(
                &format!("within[{place}]"),
                "its last address is before its first",
                String::from("first-last of one family"),
            ));
        }
    }
    let Some(cidr) = spec.cidr.filter(|_| !spec.within.is_empty()) else {
        return Ok(());
    };
    let (first, last) = (address_number(cidr.first()), address_number(cidr.last()));
    let inside = |range: &&Range| Family::of(range.first) == cidr.family();
    let of_family: Vec<Range> = spec.within.iter().filter(inside).copied().collect();
    if merged(&of_family)
        .iter()
        .any(|span| span.first <= first && last <= span.last)
    {
        return Ok(());
    }
    Err(invalid(
        "cidr",
        "it does not lie in within",
        String::from("a block inside the ranges of within"),
    ))
}

/// The ranges as disjoint spans by address; without ranges all of the pool.
pub(super) fn spans(within: &[Range], pool: &Pool) -> Result<Vec<Span>, Rejection> {
    if within.is_empty() {
        return Ok(vec![Span::ALL]);
    }
    for (place, range) in within.iter().enumerate() {
        let field = format!("within[{place}]");
        family_check(&field, Some(Family::of(range.first)), pool)?;
    }
    let spans = merged(within);
    let meets = |span: &Span| {
        pool.blocks.iter().any(|block| {
            span.first <= address_number(block.cidr.last())
                && address_number(block.cidr.first()) <= span.last
        })
    };
    if spans.iter().any(meets) {
        return Ok(spans);
    }
    Err(invalid(
        "within",
        "none of it lies in the pool",
        format!("addresses of {}", blocks_text(&pool.blocks)),
    ))
}

/// The same addresses, however they are divided and in whatever order.
pub(super) fn same(one: &[Range], other: &[Range]) -> bool {
    let family = |ranges: &[Range]| ranges.first().map(|range| Family::of(range.first));
    family(one) == family(other) && merged(one) == merged(other)
}

/// Ranges of one family in order of address, those that touch as one.
fn merged(ranges: &[Range]) -> Vec<Span> {
    let mut stated: Vec<Span> = ranges
        .iter()
        .map(|range| Span {
            first: address_number(range.first),
            last: address_number(range.last),
        })
        .collect();
    stated.sort_by_key(|span| span.first);
    let mut spans: Vec<Span> = Vec::with_capacity(stated.len());
    for span in stated {
        match spans.last_mut() {
            Some(before) if span.first <= before.last.saturating_add(1) => {
                before.last = before.last.max(span.last);
            }
            Some(_) | None => spans.push(span),
        }
    }
    spans
}
