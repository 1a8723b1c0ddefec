//! Histories for tests, written as tables: a line for each operation, its times in milliseconds.
//!
//! ```text
//! 0-9 claim a p cidr=10.0.0.1/32 ttl=50 => holds 10.0.0.1/32 7 new @3
//! 5- release a 7                          (never answered)
//! 5-8 release a 7 => unknown              (or: failed)
//! 5-8 get a local=3 => found 10.0.0.1/32 7 @3
//! 5-8 lookup 10.0.0.1/32 => held_by a 7 @3
//! 5-8 batch claim a p ; release b 3 => holds 10.0.0.1/32 7 new ; released 3 @4
//! 5 watching 1 3
//! 6 watched 1 4.0 allocated a 10.0.0.1/32 7
//! 6 watched 1 4 bookmark
//! 9 digest 1 @4 index=9 abcd
//! 9 claims 1 @4 a=10.0.0.1/32#7
//! ```
//!
//! There are two pools of single addresses: `p` (10.0.0.0/24) and `kept` (10.1.0.0/24), whose grace is 100 ms.

use super::story::Story;
use super::verdict::Notes;
use crate::history::{Change, Consistency, Held, Line, Op, PoolFact, Reply, What};

/// A history from a table.
pub(crate) fn history(text: &str) -> Vec<Line> {
    let mut lines = vec![Line {
        at_us: 0,
        what: What::Run {
            format: 1,
            seed: 1,
            nodes: vec![1, 2, 3],
            pools: vec![
                pool("p", "10.0.0.0/24", 0),
                pool("kept", "10.1.0.0/24", 100),
            ],
        },
    }];
    let rows = text.lines().map(str::trim).filter(|row| !row.is_empty());
    for (id, row) in (0..).zip(rows) {
        let (times, rest) = row.split_once(' ').expect("times, then what");
        match times.split_once('-') {
            None => lines.push(line(times, single(rest))),
            Some((invoked, answered)) => operation(&mut lines, id, (invoked, answered), rest),
        }
    }
    lines.sort_by_key(|line| line.at_us);
    lines
}

/// Reads a table, which must be a history, and hands the story over.
pub(crate) fn with_story<T>(text: &str, look: impl FnOnce(&Story<'_>) -> T) -> T {
    let lines = history(text);
    let mut notes = Notes::new("well_formed", "");
    let story = Story::read(&lines, &mut notes);
    assert_eq!(notes.sentences(), [] as [&str; 0], "{text}");
    look(&story)
}

/// What a checker says of a table.
pub(crate) fn said(text: &str, check: impl FnOnce(&super::Case<'_>) -> Notes) -> Vec<String> {
    with_story(text, |story| {
        let notes = check(&super::Case::new(story));
        let sentences = notes.sentences();
        sentences.into_iter().map(str::to_owned).collect()
    })
}

/// The one thing that a checker says of the first table contains a text, and of the second it says nothing.
pub(crate) fn tells_apart(
    check: impl Fn(&super::Case<'_>) -> Notes,
    (bad, expected): (&str, &str),
    good: &str,
) {
    let sentences = said(bad, &check);
    assert!(
        sentences.len() == 1 && sentences[0].contains(expected),
        "{bad}\n{sentences:#?}"
    );
    assert_eq!(said(good, &check), [] as [String; 0], "{good}");
}

fn pool(name: &str, cidr: &str, grace_ms: u64) -> PoolFact {
    PoolFact {
        name: name.to_owned(),
        cidrs: vec![cidr.to_owned()],
        prefix_length: 32,
        grace_ms,
    }
}

fn line(ms: &str, what: What) -> Line {
    Line {
        at_us: number(ms) * 1_000,
        what,
    }
}

fn operation(lines: &mut Vec<Line>, id: u64, (invoked, answered): (&str, &str), rest: &str) {
    let (asked, reply) = match rest.split_once(" => ") {
        None => (rest, None),
        Some((asked, reply)) => (asked, Some(reply.trim())),
    };
    let op = match asked.trim().strip_prefix("batch ") {
        None => op(asked),
        Some(list) => Op::Batch {
            operations: list.split(" ; ").map(op).collect(),
        },
    };
    let is_batch = matches!(op, Op::Batch { .. });
    let invoke = What::Invoke {
        id,
        client: id,
        node: 1,
        op,
    };
    lines.push(line(invoked, invoke));
    let code = || String::from("time_out");
    let end = match reply {
        None => return,
        Some("failed") => What::Fail { id, code: code() },
        Some("unknown") => What::Unknown { id, code: code() },
        Some(reply) => {
            let (what, revision) = reply.split_once(" @").expect("a reply has a revision");
            let revision = number(revision);
            let reply = if is_batch && !what.starts_with("refused") {
                Reply::Batch {
                    replies: what
                        .split(" ; ")
                        .map(|one| self::reply(one, revision))
                        .collect(),
                    revision,
                }
            } else {
                self::reply(what, revision)
            };
            What::Ok { id, reply }
        }
    };
    lines.push(line(answered, end));
}

fn op(text: &str) -> Op {
    let words: Vec<&str> = text.split_whitespace().collect();
    let option = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let name = || words[1].to_owned();
    let consistency = || match option("local=") {
        None => Consistency::Linearizable,
        Some(least) => Consistency::Local {
            min_revision: number(least),
        },
    };
    match words[0] {
        "claim" => Op::Claim {
            name: name(),
            pool: words[2].to_owned(),
            cidr: option("cidr=").map(str::to_owned),
            ttl_ms: option("ttl=").map(number),
        },
        "release" => Op::Release {
            name: name(),
            generation: number(words[2]),
        },
        "renew" => Op::Renew {
            name: name(),
            generation: number(words[2]),
            ttl_ms: option("ttl=").map_or(0, number),
        },
        "get" => Op::Get {
            name: name(),
            consistency: consistency(),
        },
        "lookup" => Op::Lookup {
            block: name(),
            consistency: consistency(),
        },
        other => panic!("{other} is no operation"),
    }
}

fn reply(text: &str, revision: u64) -> Reply {
    let words: Vec<&str> = text.split_whitespace().collect();
    let word = |place: usize| words[place].to_owned();
    match words[0] {
        "holds" => Reply::Holds {
            block: word(1),
            generation: number(words[2]),
            new: words.get(3) == Some(&"new"),
            revision,
        },
        "found" => Reply::Found {
            block: word(1),
            generation: number(words[2]),
            revision,
        },
        "held_by" => Reply::HeldBy {
            name: word(1),
            generation: number(words[2]),
            revision,
        },
        "released" => Reply::Released {
            generation: number(words[1]),
            revision,
        },
        "renewed" => Reply::Renewed {
            generation: number(words[1]),
            revision,
        },
        "nothing" => Reply::Nothing { revision },
        "refused" => Reply::Refused {
            code: word(1),
            revision,
        },
        other => panic!("{other} is no reply"),
    }
}

/// What stands on one line of a history.
fn single(text: &str) -> What {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at_revision = || number(words[2].trim_start_matches('@'));
    match words[0] {
        "watching" => What::Watching {
            watch: number(words[1]),
            node: 1,
            from_revision: number(words[2]),
        },
        "watched" => {
            let (revision, ordinal) = words[2].split_once('.').unwrap_or((words[2], "0"));
            What::Watched {
                watch: number(words[1]),
                revision: number(revision),
                ordinal: number(ordinal),
                change: (words[3] != "bookmark").then(|| Change {
                    kind: words[3].to_owned(),
                    name: Some(words[4].to_owned()),
                    block: words[5].to_owned(),
                    generation: Some(number(words[6])),
                }),
            }
        }
        "digest" => What::Digest {
            node: number(words[1]),
            revision: at_revision(),
            index: number(words[3].trim_start_matches("index=")),
            digest: words[4].to_owned(),
        },
        "claims" => What::Claims {
            node: number(words[1]),
            revision: at_revision(),
            claims: words[3..].iter().map(|text| held(text)).collect(),
        },
        other => panic!("{other} is no line"),
    }
}

fn held(text: &str) -> Held {
    let (name, rest) = text.split_once('=').expect("name=block#generation");
    let (block, generation) = rest.split_once('#').expect("name=block#generation");
    Held {
        name: name.to_owned(),
        block: block.to_owned(),
        generation: number(generation),
    }
}

fn number(text: &str) -> u64 {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no number"))
}
