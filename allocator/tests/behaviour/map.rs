//! The layout of a pool: runs without gaps, equal to what a naive look at each cell says.

use allocator::answer::Rejection;
use allocator::prefix::{Address, Prefix, address_number, address_of_number};
use allocator::view::{MapKind, MapRun, Phase};
use proptest::prelude::*;

use crate::support::{Harness, TENANT, address, block, child, exclude, name, root};

/// The whole map, page by page.
fn map(harness: &Harness, length: Option<u8>, limit: usize) -> Vec<MapRun> {
    let mut runs = Vec::new();
    let mut from = None;
    loop {
        let view = harness
            .state
            .map(&name(TENANT), &name("p"), length, from, limit)
            .unwrap();
        assert!(view.runs.len() <= limit);
        runs.extend(view.runs);
        match view.next {
            None => return runs,
            next => {
                assert!(next > from, "each page goes on");
                from = next;
            }
        }
    }
}

fn line(run: &MapRun) -> String {
    let kind = match &run.kind {
        MapKind::Free => "free".into(),
        MapKind::Claims(phase) => format!("{phase:?} {}", run.holds),
        MapKind::Reserved => format!("reserved {}", run.holds),
        MapKind::Child(_, name) => format!("child {name}"),
        MapKind::Mixed(largest) => format!("mixed {largest:?}"),
    };
    format!("{}-{} {kind}", run.first, run.last)
}

fn lines(harness: &Harness, length: Option<u8>) -> Vec<String> {
    map(harness, length, 1_000).iter().map(line).collect()
}

#[test]
fn a_layout_at_several_zooms() {
    let mut harness = Harness::new();
    let spec = exclude(
        root("p", "10.0.0.0/24 10.0.9.0/30"),
        &[("10.0.0.255", "broadcast")],
    );
    harness.pool(spec);
    harness.pool(child("c", "p", "10.0.0.64/26"));
    for number in 0..4 {
        harness.take(&format!("a{number}"), "p", &format!("10.0.0.{number}/32"));
    }
    assert_eq!(
        lines(&harness, Some(32)),
        [
            "10.0.0.0-10.0.0.3 Allocated 4",
            "10.0.0.4-10.0.0.63 free",
            "10.0.0.64-10.0.0.127 child c",
            "10.0.0.128-10.0.0.254 free",
            "10.0.0.255-10.0.0.255 reserved 1",
            "10.0.9.0-10.0.9.3 free",
        ]
    );
    assert_eq!(
        lines(&harness, Some(27)),
        [
            "10.0.0.0-10.0.0.31 mixed Some(28)",
            "10.0.0.32-10.0.0.63 free",
            "10.0.0.64-10.0.0.127 child c",
            "10.0.0.128-10.0.0.223 free",
            "10.0.0.224-10.0.0.255 mixed Some(28)",
            "10.0.9.0-10.0.9.3 free",
        ]
    );
    // A cell is never larger than the CIDR.
    assert_eq!(
        lines(&harness, Some(8)),
        [
            "10.0.0.0-10.0.0.255 mixed Some(26)",
            "10.0.9.0-10.0.9.3 free"
        ]
    );
    assert_eq!(
        lines(&harness, None),
        lines(&harness, Some(32)),
        "256 cells"
    );
}

#[test]
fn a_cell_that_is_held_by_several_has_nothing_free() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/30"));
    for text in ["a", "b"] {
        harness.take(text, "p", "31");
    }
    assert_eq!(lines(&harness, Some(30)), ["10.0.0.0-10.0.0.3 mixed None"]);
    assert_eq!(lines(&harness, Some(31)), ["10.0.0.0-10.0.0.3 Allocated 2"]);
}

#[test]
fn what_does_not_fit_the_family_is_refused() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    let ask = |length, from| {
        harness
            .state
            .map(&name(TENANT), &name("p"), length, from, 10)
    };
    ask(Some(32), Some(address("10.0.0.128"))).unwrap();
    assert!(matches!(
        ask(Some(33), None),
        Err(Rejection::InvalidField(fields)) if fields[0].field == "prefixLength"
    ));
    assert!(matches!(
        ask(None, Some(address("2001:db8::"))),
        Err(Rejection::FamilyMismatch { .. })
    ));
}

#[test]
fn a_full_pool_of_single_addresses_is_told_in_bounded_pages() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/19"));
    // Every other one, so that no two are neighbours.
    let numbers: Vec<u32> = (0..2_500).collect();
    for part in numbers.chunks(500) {
        let claim = |number: &u32| {
            let [.., high, low] = (number * 2).to_be_bytes();
            let cidr = format!("10.0.{high}.{low}/32");
            crate::support::create_claim(&format!("c{number}"), "p", &cidr)
        };
        harness.ok(crate::support::batch(
            false,
            part.iter().map(claim).collect(),
        ));
    }
    let first = harness
        .state
        .map(&name(TENANT), &name("p"), Some(32), None, 100_000)
        .unwrap();
    assert!(first.runs.len() <= 2_000 && first.next.is_some());
    let runs = map(&harness, Some(32), 700);
    assert_eq!(runs.len(), 5_000);
}

/// What a naive look at one cell says.
fn naive(held: &[(Prefix, &'static str)], cell: Prefix) -> String {
    if let Some((_, word)) = held.iter().find(|(there, _)| there.contains(cell)) {
        return (*word).into();
    }
    if held.iter().any(|(there, _)| there.overlaps(cell)) {
        return "mixed".into();
    }
    "free".into()
}

proptest! {
    #[test]
    fn a_map_says_of_each_cell_what_a_naive_look_says(
        wanted in prop::collection::vec((24_u8..=32, 0_u8..=255, 0_u8..3), 0..24),
        length in 22_u8..=32,
        limit in 1_usize..6,
    ) {
        let mut harness = Harness::new();
        harness.pool(root("p", "10.0.0.0/23 10.0.7.0/26"));
        let mut held: Vec<(Prefix, &'static str)> = Vec::new();
        for (number, (size, low, what)) in wanted.into_iter().enumerate() {
            let Some(cidr) = Prefix::around(Address::from([10, 0, u8::from(low > 127), low]), size) else {
                continue;
            };
            let text = format!("c{number}");
            let taken = crate::support::claim(&text, "p", &cidr.to_string());
            if harness.answer(taken).result.is_ok() {
                if what == 2 {
                    harness.release(&text);
                } else {
                    held.push((cidr, "claim"));
                }
            }
        }
        let runs = map(&harness, Some(length), limit);
        let mut said = Vec::new();
        for cidr in [block("10.0.0.0/23"), block("10.0.7.0/26")] {
            let size = length.max(cidr.length());
            let mut number = address_number(cidr.first());
            while number <= address_number(cidr.last()) {
                let first = address_of_number(cidr.family(), number).unwrap();
                let cell = Prefix::new(first, size).unwrap();
                said.push((cell, naive(&held, cell)));
                number = address_number(cell.last()) + 1;
            }
        }
        for (cell, expected) in said {
            let run = runs
                .iter()
                .find(|run| run.first <= cell.first() && cell.last() <= run.last)
                .expect("each cell lies in one run");
            let found = match &run.kind {
                MapKind::Free => "free",
                MapKind::Claims(Phase::Allocated) => "claim",
                MapKind::Mixed(_) => "mixed",
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(found, expected, "{}", cell);
        }
    }
}
