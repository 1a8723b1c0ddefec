//! Which free block is handed out.

use allocator::command::{Gateway, PoolSpec, Strategy};

use crate::support::{Harness, block, bounds, claim, exclude, gateway, root};

fn of(strategy: Strategy, spec: PoolSpec) -> PoolSpec {
    PoolSpec { strategy, ..spec }
}

#[test]
fn each_strategy_chooses_its_own_block() {
    use Strategy::{BestFit, FirstFit, LeastUtilized, NextFit};
    // CIDRs of the pool, blocks held, length asked for, strategy, block expected ("" where none is free).
    let table = [
        (
            "10.0.0.0/16",
            "10.0.0.0/24 10.0.2.0/23 10.0.8.0/21",
            24,
            BestFit,
            "10.0.1.0/24",
        ),
        (
            "10.0.0.0/16",
            "10.0.0.0/24 10.0.2.0/23 10.0.8.0/21",
            23,
            BestFit,
            "10.0.4.0/23",
        ),
        (
            "10.0.0.0/16",
            "10.0.0.0/24 10.0.2.0/23 10.0.8.0/21",
            22,
            BestFit,
            "10.0.4.0/22",
        ),
        (
            "10.0.0.0/16",
            "10.0.0.0/24 10.0.2.0/23 10.0.8.0/21",
            20,
            BestFit,
            "10.0.16.0/20",
        ),
        // The smallest hole is not the lowest one.
        (
            "10.0.0.0/24",
            "10.0.0.64/26 10.0.0.128/26 10.0.0.208/28",
            28,
            BestFit,
            "10.0.0.192/28",
        ),
        (
            "10.0.0.0/24",
            "10.0.0.64/26 10.0.0.128/26 10.0.0.208/28",
            28,
            FirstFit,
            "10.0.0.0/28",
        ),
        (
            "10.0.0.0/24",
            "10.0.0.64/26 10.0.0.128/26 10.0.0.208/28",
            27,
            BestFit,
            "10.0.0.224/27",
        ),
        (
            "10.0.0.0/24",
            "10.0.0.64/26 10.0.0.128/26 10.0.0.208/28",
            26,
            BestFit,
            "10.0.0.0/26",
        ),
        // Holes of all CIDRs are compared; of equal ones the lowest is taken.
        ("10.0.0.0/16 10.1.0.0/24", "", 28, BestFit, "10.1.0.0/28"),
        ("10.1.0.0/24 10.0.0.0/24", "", 28, BestFit, "10.0.0.0/28"),
        ("10.0.0.0/29", "10.0.0.0/30 10.0.0.4/30", 30, BestFit, ""),
        ("10.0.0.0/24", "", 16, BestFit, ""),
        ("::/0", "", 0, BestFit, "::/0"),
        ("::/0", "::/1", 64, BestFit, "8000::/64"),
        (
            "2001:db8::/32",
            "2001:db8::/48",
            64,
            BestFit,
            "2001:db8:1::/64",
        ),
        (
            "10.0.0.0/16 10.1.0.0/16",
            "10.0.0.0/24",
            24,
            LeastUtilized,
            "10.1.0.0/24",
        ),
        (
            "10.0.0.0/16 10.1.0.0/16",
            "10.0.0.0/24 10.1.0.0/24",
            24,
            LeastUtilized,
            "10.0.1.0/24",
        ),
        // The share counts, not the number of addresses.
        (
            "10.0.0.0/16 10.1.0.0/24",
            "10.0.0.0/24 10.1.0.0/25",
            26,
            LeastUtilized,
            "10.0.1.0/26",
        ),
        (
            "10.0.0.0/16 10.1.0.0/24",
            "10.0.0.0/24",
            26,
            LeastUtilized,
            "10.1.0.0/26",
        ),
        // The least utilized one has no block of that length.
        (
            "10.0.0.0/16 10.1.0.0/24",
            "10.0.0.0/24",
            20,
            LeastUtilized,
            "10.0.16.0/20",
        ),
        ("::/1 8000::/1", "::/2", 2, LeastUtilized, "8000::/2"),
        ("10.0.0.0/30", "10.0.0.0/30", 32, LeastUtilized, ""),
        // An exact block does not move the cursor.
        ("10.0.0.0/24", "10.0.0.9/32", 32, NextFit, "10.0.0.0/32"),
        ("10.0.0.0/30", "10.0.0.0/30", 32, NextFit, ""),
    ];
    for (cidrs, held, length, strategy, expected) in table {
        let mut harness = Harness::new();
        harness.pool(of(strategy, root("p", cidrs)));
        for (place, held) in held.split_whitespace().enumerate() {
            harness.take(&format!("held-{place}"), "p", held);
        }
        let asked = claim("asked", "p", &length.to_string());
        let answer = harness.answer(asked).result;
        let found = answer.as_ref().ok().map(|outcome| match outcome {
            allocator::answer::Outcome::ClaimCreated(view) => view.block,
            other => panic!("{other:?}"),
        });
        let expected = (!expected.is_empty()).then(|| block(expected));
        assert_eq!(
            found, expected,
            "{cidrs} with {held}: {strategy:?} {answer:?}"
        );
    }
}

/// host-local's ranges with gateway .1, network and broadcast withheld: `last` is what was handed out
/// last, `taken` what is held beside it.
#[test]
fn next_fit_goes_round_as_host_local_does() {
    let table = [
        ("10.0.0.0/29", "", "", "10.0.0.2"),
        ("10.0.0.0/30", "", "", "10.0.0.2"),
        ("2001:db8:1::/64", "", "", "2001:db8:1::2"),
        ("10.0.0.0/29", "10.0.0.2", "", "10.0.0.3"),
        ("10.0.0.0/29", "", "10.0.0.5", "10.0.0.6"),
        ("10.0.0.0/29", "10.0.0.4 10.0.0.5", "10.0.0.3", "10.0.0.6"),
        ("10.0.0.0/29", "10.0.0.6", "10.0.0.5", "10.0.0.2"),
        (
            "10.0.0.0/29",
            "10.0.0.2 10.0.0.4 10.0.0.5 10.0.0.6",
            "10.0.0.3",
            "10.0.0.3",
        ),
        ("10.0.0.0/30 10.0.1.0/30", "", "", "10.0.0.2"),
        ("10.0.0.0/30 10.0.1.0/30", "", "10.0.0.2", "10.0.1.2"),
        (
            "10.0.0.0/30 10.0.1.0/30 10.0.2.0/30",
            "",
            "10.0.2.2",
            "10.0.0.2",
        ),
        ("10.0.0.0/30", "10.0.0.2", "", ""),
        (
            "10.0.0.0/29",
            "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6",
            "",
            "",
        ),
        ("10.0.0.0/30 10.0.1.0/30", "10.0.0.2 10.0.1.2", "", ""),
    ];
    for (cidrs, taken, last, expected) in table {
        let mut harness = Harness::new();
        let withheld: Vec<String> = cidrs
            .split_whitespace()
            .flat_map(|cidr| {
                let cidr = block(cidr);
                let broadcast = (cidr.length() < 32 && cidr.family().bits() == 32)
                    .then(|| cidr.last().to_string());
                [Some(cidr.first().to_string()), broadcast]
            })
            .flatten()
            .collect();
        let runs: Vec<(&str, &str)> = withheld.iter().map(|run| (run.as_str(), "")).collect();
        let spec = gateway(exclude(root("p", cidrs), &runs), Gateway::First);
        harness.pool(of(Strategy::NextFit, spec));
        // Handing out until `last`, and giving all of that back.
        let mut given = 0;
        while !last.is_empty() {
            let text = format!("round-{given}");
            let found = harness.take(&text, "p", "");
            harness.release(&text);
            given += 1;
            if found.split('/').next() == Some(last) {
                break;
            }
        }
        for (place, taken) in taken.split_whitespace().enumerate() {
            harness.take(
                &format!("taken-{place}"),
                "p",
                &block(&format!("{taken}/32")).to_string(),
            );
        }
        let answer = harness.answer(claim("asked", "p", "")).result;
        let found = answer.as_ref().ok().map(|outcome| match outcome {
            allocator::answer::Outcome::ClaimCreated(view) => view.block.first().to_string(),
            other => panic!("{other:?}"),
        });
        assert_eq!(
            found.as_deref(),
            Some(expected).filter(|text| !text.is_empty()),
            "{cidrs} {taken} after {last}: {answer:?}"
        );
    }
}

#[test]
fn next_fit_lets_a_freed_address_rest_longest() {
    let mut harness = Harness::new();
    let runs = [("10.0.0.0", ""), ("10.0.0.7", "")];
    let spec = gateway(exclude(root("p", "10.0.0.0/29"), &runs), Gateway::First);
    harness.pool(of(Strategy::NextFit, spec));
    assert_eq!(harness.take("a", "p", ""), "10.0.0.2/32");
    harness.release("a");
    // Not the one that was just freed.
    assert_eq!(harness.take("b", "p", ""), "10.0.0.3/32");
    let rest: Vec<String> = (0..4)
        .map(|number| harness.take(&format!("c{number}"), "p", ""))
        .collect();
    assert_eq!(
        rest,
        ["10.0.0.4/32", "10.0.0.5/32", "10.0.0.6/32", "10.0.0.2/32"]
    );
    harness.refused(claim("more", "p", ""));
    // A refusal, a repeat and an exact block leave the cursor where it is.
    harness.release("c0");
    harness.take("exact", "p", "10.0.0.4/32");
    harness.release("exact");
    harness.release("c1");
    assert_eq!(harness.take("d", "p", ""), "10.0.0.4/32");
}

#[test]
fn next_fit_goes_on_behind_a_block_of_any_length_and_across_the_end() {
    let mut harness = Harness::new();
    harness.pool(of(
        Strategy::NextFit,
        bounds(root("p", "::/0"), None, None, Some(128)),
    ));
    assert_eq!(harness.take("a", "p", "1"), "::/1");
    assert_eq!(harness.take("b", "p", "2"), "8000::/2");
    assert_eq!(harness.take("c", "p", "128"), "c000::/128");
    assert_eq!(harness.take("d", "p", "3"), "e000::/3");
    harness.release("a");
    // Nothing is behind the last address: from the start again.
    assert_eq!(harness.take("e", "p", "128"), "::/128");
    assert_eq!(harness.take("f", "p", "3"), "2000::/3");
    let mut children = Harness::new();
    children.pool(of(Strategy::NextFit, root("p", "10.0.0.0/24")));
    children.pool(crate::support::child("k", "p", "28"));
    assert_eq!(children.take("a", "p", "32"), "10.0.0.16/32");
}
