//! What an answer over HTTP means for the history: done, seen or refused, surely not done, or nobody knows.

use cluster_tests::http::Reply as Answer;
use serde_json::Value;

use crate::history::{Op, Reply};

/// The header with the revision of the state that an answer shows.
const REVISION: &str = "ipam-revision";

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The state machine answered.
    Ok(Reply),
    /// It was not done, and never will be.
    Fail(String),
    /// It may have been done, or may be yet.
    Unknown(String),
    /// No node may answer so.
    Absurd(String),
}

/// The meaning of an answer to `op` (SPEC's table of errors).
pub(super) fn meaning(op: &Op, answer: &Answer) -> Meaning {
    let code = || match answer.code() {
        code if code.is_empty() => answer.status.to_string(),
        code => code,
    };
    let is_read = matches!(op, Op::Get { .. } | Op::Lookup { .. });
    match answer.status {
        200 | 201 => revision(answer)
            .and_then(|revision| done(op, answer.status, &answer.json(), revision))
            .map_or_else(|| absurd(answer), Meaning::Ok),
        // Said before anything was handed to the log.
        408 | 429 | 503 => Meaning::Fail(code()),
        500 | 504 if is_read => Meaning::Fail(code()),
        500 | 504 => Meaning::Unknown(code()),
        _ => revision(answer)
            .and_then(|revision| refused(op, &code(), revision))
            .map_or_else(|| absurd(answer), Meaning::Ok),
    }
}

fn absurd(answer: &Answer) -> Meaning {
    let body = String::from_utf8_lossy(&answer.body);
    Meaning::Absurd(format!("{} {body}", answer.status))
}

fn revision(answer: &Answer) -> Option<u64> {
    answer.header_number(REVISION)
}

fn done(op: &Op, status: u16, body: &Value, revision: u64) -> Option<Reply> {
    Some(match op {
        Op::Claim { name, .. } => {
            let (block, generation) = holding(name, body)?;
            Reply::Holds {
                block,
                generation,
                new: status == 201,
                revision,
            }
        }
        // The view shows the holding that is over, or the one whose lease began anew: the one that was named.
        Op::Release { name, generation } => {
            let (_, shown) = holding(name, body)?;
            (shown == *generation).then_some(Reply::Released {
                generation: shown,
                revision,
            })?
        }
        Op::Renew {
            name, generation, ..
        } => {
            let (_, shown) = holding(name, body)?;
            (shown == *generation).then_some(Reply::Renewed {
                generation: shown,
                revision,
            })?
        }
        Op::Get { name, .. } => {
            let (block, generation) = holding(name, body)?;
            Reply::Found {
                block,
                generation,
                revision,
            }
        }
        Op::Lookup { block, .. } => held_by(block, body, revision)?,
        Op::Batch { operations } => {
            let results = body["results"].as_array()?;
            let each = operations.iter().zip(results).map(|(op, result)| {
                let status = u16::try_from(result["status"].as_u64()?).ok()?;
                done(op, status, &result["body"], revision)
            });
            let replies: Vec<Reply> = each.collect::<Option<_>>()?;
            (replies.len() == results.len() && replies.len() == operations.len())
                .then_some(Reply::Batch { replies, revision })?
        }
    })
}

/// The block and the generation of a claim's view, which must be that of `name`.
fn holding(name: &str, claim: &Value) -> Option<(String, u64)> {
    let status = &claim["status"];
    let block = status["allocatedCIDR"].as_str()?.to_owned();
    let generation = status["generation"].as_u64()?;
    (claim["name"] == name).then_some((block, generation))
}

/// What a lookup of a block shows. One that is kept after its release is nobody's.
fn held_by(block: &str, body: &Value, revision: u64) -> Option<Reply> {
    (body["cidr"] == block).then_some(())?;
    let allocation = &body["allocation"];
    if allocation.is_null() {
        return body["heldInPart"]
            .is_null()
            .then_some(Reply::Nothing { revision });
    }
    // Whoever holds a block here holds exactly that one.
    (allocation["cidr"] == block).then_some(())?;
    if allocation["phase"] == "Released" {
        return Some(Reply::Nothing { revision });
    }
    Some(Reply::HeldBy {
        name: allocation["claim"].as_str()?.to_owned(),
        generation: allocation["generation"].as_u64()?,
        revision,
    })
}

/// A refusal that the state machine may give to `op`.
fn refused(op: &Op, code: &str, revision: u64) -> Option<Reply> {
    const CLAIM: [&str; 2] = ["pool_exhausted", "address_taken"];
    const HOLDING: [&str; 2] = ["claim_not_found", "generation_stale"];
    let may = match op {
        Op::Claim { cidr: None, .. } => code == CLAIM[0],
        Op::Claim { cidr: Some(_), .. } => code == CLAIM[1],
        Op::Release { .. } | Op::Renew { .. } => HOLDING.contains(&code),
        Op::Batch { .. } => CLAIM.contains(&code) || HOLDING.contains(&code),
        Op::Get { .. } if code == HOLDING[0] => return Some(Reply::Nothing { revision }),
        Op::Get { .. } | Op::Lookup { .. } => false,
    };
    may.then(|| Reply::Refused {
        code: code.to_owned(),
        revision,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::history::Consistency;

    #[expect(
        clippy::default_trait_access,
        reason = "this crate does not name the one that the type comes from"
    )]
    fn answer(status: u16, body: &Value) -> Answer {
        let mut answer = Answer {
            status,
            headers: Default::default(),
            body: body.to_string().into(),
        };
        let revision = "9".parse().expect("a header");
        answer.headers.insert(REVISION, revision);
        answer
    }

    fn claim() -> Op {
        Op::Claim {
            name: "a".to_owned(),
            pool: "p".to_owned(),
            cidr: None,
            ttl_ms: None,
        }
    }

    fn release(generation: u64) -> Op {
        Op::Release {
            name: "a".to_owned(),
            generation,
        }
    }

    fn get() -> Op {
        Op::Get {
            name: "a".to_owned(),
            consistency: Consistency::Linearizable,
        }
    }

    fn lookup() -> Op {
        Op::Lookup {
            block: "10.0.0.0/32".to_owned(),
            consistency: Consistency::Linearizable,
        }
    }

    fn view(name: &str) -> Value {
        json!({ "name": name, "status": { "allocatedCIDR": "10.0.0.0/32", "generation": 7 } })
    }

    fn problem(code: &str) -> Value {
        json!({ "code": code })
    }

    fn nothing() -> Meaning {
        Meaning::Ok(Reply::Nothing { revision: 9 })
    }

    fn holds(new: bool) -> Reply {
        Reply::Holds {
            block: "10.0.0.0/32".to_owned(),
            generation: 7,
            new,
            revision: 9,
        }
    }

    #[test]
    fn what_was_done_is_read_from_the_view_of_what_was_asked_for() {
        let released = Reply::Released {
            generation: 7,
            revision: 9,
        };
        let allocation = json!({ "cidr": "10.0.0.0/32", "claim": "a", "generation": 7 });
        let with = |key: &str, value: &str| {
            let mut allocation = allocation.clone();
            allocation[key] = value.into();
            json!({ "cidr": "10.0.0.0/32", "allocation": allocation })
        };
        let batch = Op::Batch {
            operations: vec![claim(), release(7)],
        };
        let results = |count: usize| {
            let result = json!({ "status": 201, "body": view("a") });
            json!({ "results": vec![result; count] })
        };
        for (op, status, body, expected) in [
            (claim(), 201, view("a"), Some(holds(true))),
            (claim(), 200, view("a"), Some(holds(false))),
            (claim(), 201, view("b"), None),
            (claim(), 201, json!({}), None),
            (release(7), 200, view("a"), Some(released.clone())),
            (release(6), 200, view("a"), None),
            (
                get(),
                200,
                view("a"),
                Some(Reply::Found {
                    block: "10.0.0.0/32".to_owned(),
                    generation: 7,
                    revision: 9,
                }),
            ),
            (
                lookup(),
                200,
                with("phase", "Allocated"),
                Some(Reply::HeldBy {
                    name: "a".to_owned(),
                    generation: 7,
                    revision: 9,
                }),
            ),
            (
                lookup(),
                200,
                with("phase", "Released"),
                Some(Reply::Nothing { revision: 9 }),
            ),
            (lookup(), 200, with("cidr", "10.0.0.0/31"), None),
            (
                batch.clone(),
                200,
                results(2),
                Some(Reply::Batch {
                    replies: vec![holds(true), released],
                    revision: 9,
                }),
            ),
            (batch.clone(), 200, results(1), None),
            (batch, 200, results(3), None),
        ] {
            let meant = meaning(&op, &answer(status, &body));
            match expected {
                Some(reply) => assert_eq!(meant, Meaning::Ok(reply), "{op:?} {body}"),
                None => assert!(matches!(meant, Meaning::Absurd(_)), "{op:?} {body}"),
            }
        }
    }

    #[test]
    fn a_problem_is_a_refusal_a_failure_or_unknown_by_its_code() {
        let refused = |code: &str| {
            Meaning::Ok(Reply::Refused {
                code: code.to_owned(),
                revision: 9,
            })
        };
        let fail = |code: &str| Meaning::Fail(code.to_owned());
        let unknown = |code: &str| Meaning::Unknown(code.to_owned());
        for (op, status, code, expected) in [
            (claim(), 507, "pool_exhausted", refused("pool_exhausted")),
            (
                release(1),
                412,
                "generation_stale",
                refused("generation_stale"),
            ),
            (
                release(1),
                404,
                "claim_not_found",
                refused("claim_not_found"),
            ),
            (get(), 404, "claim_not_found", nothing()),
            (claim(), 503, "no_leader", fail("no_leader")),
            (claim(), 429, "too_busy", fail("too_busy")),
            (claim(), 504, "outcome_unknown", unknown("outcome_unknown")),
            (claim(), 500, "internal_error", unknown("internal_error")),
            (get(), 503, "stale", fail("stale")),
            (get(), 500, "internal_error", fail("internal_error")),
        ] {
            let meant = meaning(&op, &answer(status, &problem(code)));
            assert_eq!(meant, expected, "{op:?} {code}");
        }
        for (op, status, code) in [
            (claim(), 404, "pool_not_found"),
            (claim(), 409, "claim_mismatch"),
            (claim(), 409, "address_taken"),
            (lookup(), 404, "tenant_not_found"),
            (get(), 410, "compacted"),
        ] {
            let meant = meaning(&op, &answer(status, &problem(code)));
            assert!(matches!(meant, Meaning::Absurd(_)), "{op:?} {code}");
        }
    }
}
