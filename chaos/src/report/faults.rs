//! Faults as intervals, each with whether it hit the leader of the time.

use crate::history::{Line, Stage, What};

/// A fault, from its beginning to its end; one that happens at an instant has both at once.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) kind: String,
    pub(super) nodes: Vec<u64>,
    pub(super) from_us: u64,
    pub(super) to_us: u64,
    /// It was done to whoever led when it began.
    pub(super) hits_leader: bool,
}

/// All faults, by their beginnings. One that does not end lasts to the end of the run.
pub(super) fn faults(lines: &[Line], end_us: u64) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut leader: Option<u64> = None;
    for line in lines {
        if let What::Leader { node, .. } = &line.what {
            leader = Some(*node);
        }
        let What::Fault { kind, nodes, stage } = &line.what else {
            continue;
        };
        if *stage == Stage::Ends {
            // The one of the same nodes, if there is one: several of a kind may be under way.
            let is_it =
                |place: &usize| faults[*place].kind == *kind && faults[*place].nodes == *nodes;
            let same_kind = |place: &usize| faults[*place].kind == *kind;
            let ends = open
                .iter()
                .position(is_it)
                .or_else(|| open.iter().position(same_kind));
            if let Some(ends) = ends {
                let place = open.remove(ends);
                faults[place].to_us = line.at_us;
            }
            continue;
        }
        let lasts = *stage == Stage::Begins;
        if lasts {
            open.push(faults.len());
        }
        faults.push(Fault {
            kind: kind.clone(),
            nodes: nodes.clone(),
            from_us: line.at_us,
            to_us: if lasts { end_us } else { line.at_us },
            hits_leader: leader.is_some_and(|leader| nodes.contains(&leader)),
        });
    }
    faults
}

#[cfg(test)]
mod tests {
    use crate::report::figures::Figures;

    #[test]
    fn faults_last_from_their_beginning_to_their_end() {
        let text = r#"{"at_us":1,"event":"leader","node":1,"term":1}
{"at_us":5,"event":"fault","kind":"partition","nodes":[1],"stage":"begins"}
{"at_us":6,"event":"fault","kind":"partition","nodes":[2],"stage":"begins"}
{"at_us":7,"event":"leader","node":2,"term":2}
{"at_us":8,"event":"fault","kind":"partition","nodes":[1],"stage":"ends"}
{"at_us":9,"event":"fault","kind":"kill","nodes":[2,3],"stage":"happens"}
{"at_us":9,"event":"leader","node":1,"term":3}
{"at_us":20,"event":"leader","node":2,"term":2}
"#;
        let lines = crate::history::read(text.as_bytes()).expect("the constant is a history");
        let faults = Figures::of(&lines).faults;
        let rows: Vec<(&str, u64, u64, bool)> = faults
            .iter()
            .map(|one| (one.kind.as_str(), one.from_us, one.to_us, one.hits_leader))
            .collect();
        assert_eq!(
            rows,
            [
                ("partition", 5, 8, true),
                ("partition", 6, 20, false),
                ("kill", 9, 9, true),
            ]
        );
    }
}
