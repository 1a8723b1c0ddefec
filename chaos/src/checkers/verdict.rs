//! What the checkers say of a history: what is wrong, what could not be decided, and what each of them looked at.

use std::fmt;

/// Findings that one checker states in full; the rest are counted.
const FINDINGS_MAX: u64 = 20;

/// All that the checkers have to say of one history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong or undecided, in the order of the checkers.
    pub findings: Vec<Finding>,
    /// What each checker looked at.
    pub checkers: Vec<Examined>,
}

/// One thing that should not be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which checker says so.
    pub checker: &'static str,
    /// Whether it is certain.
    pub kind: Kind,
    /// What is wrong, in a sentence.
    pub says: String,
    /// The lines that prove it.
    pub proof: Vec<Proof>,
}

/// Whether a finding is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The history cannot have come about by keeping every promise.
    Wrong,
    /// A search was given up at its bound of work: nothing is known, which is not "ok".
    Undecided,
}

/// A line of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof {
    /// Counted from 1.
    pub line: usize,
    /// Its time.
    pub at_us: u64,
    /// The operation that it belongs to.
    pub id: Option<u64>,
}

/// What one checker looked at: one that looked at nothing has shown nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Its name, that of its file.
    pub checker: &'static str,
    /// The promise that it checks.
    pub promise: &'static str,
    /// How many of what.
    pub counts: Vec<(&'static str, u64)>,
    /// Everything that it found wrong, those counted that are not stated.
    pub wrong: u64,
    /// What it left undecided.
    pub undecided: u64,
}

impl Verdict {
    /// Nothing is wrong, and nothing was left undecided.
    pub fn is_ok(&self) -> bool {
        self.checkers
            .iter()
            .all(|checker| checker.wrong == 0 && checker.undecided == 0)
    }

    /// The checkers that found something wrong.
    pub fn accusers(&self) -> Vec<&'static str> {
        let accusers = self.checkers.iter().filter(|checker| checker.wrong > 0);
        accusers.map(|checker| checker.checker).collect()
    }

    /// What a checker counted under a name; 0 where it has no such count.
    pub fn count(&self, checker: &str, what: &str) -> u64 {
        let examined = self.checkers.iter().find(|one| one.checker == checker);
        let counts = examined.map_or(&[][..], |one| &one.counts);
        counts
            .iter()
            .find(|(name, _)| *name == what)
            .map_or(0, |(_, count)| *count)
    }

    pub(super) fn add(&mut self, notes: Notes) {
        self.findings.extend(notes.findings);
        self.checkers.push(notes.examined);
    }
}

impl Examined {
    /// There was nothing in the history for it to look at: it has shown nothing.
    pub fn is_idle(&self) -> bool {
        self.counts.iter().all(|(_, count)| *count == 0)
    }
}

impl fmt::Display for Finding {
    /// The sentence, then the lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Wrong => "",
            Kind::Undecided => "UNDECIDED: ",
        };
        write!(f, "{}: {kind}{}", self.checker, self.says)?;
        for (place, proof) in self.proof.iter().enumerate() {
            let before = if place == 0 { " [" } else { ", " };
            write!(f, "{before}{proof}")?;
        }
        if self.proof.is_empty() {
            Ok(())
        } else {
            f.write_str("]")
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.at_us / 1_000_000, self.at_us % 1_000_000);
        write!(f, "line {} at {seconds}.{micros:06} s", self.line)?;
        match self.id {
            Some(id) => write!(f, " (operation {id})"),
            None => Ok(()),
        }
    }
}

/// What a checker writes down while it looks.
#[derive(Debug)]
pub(super) struct Notes {
    findings: Vec<Finding>,
    examined: Examined,
}

impl Notes {
    pub(super) fn new(checker: &'static str, promise: &'static str) -> Self {
        Self {
            findings: Vec::new(),
            examined: Examined {
                checker,
                promise,
                counts: Vec::new(),
                wrong: 0,
                undecided: 0,
            },
        }
    }

    /// So many more of something were looked at. A count of 0 stands there, too.
    pub(super) fn looked_at(&mut self, what: &'static str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let counts = &mut self.examined.counts;
        match counts.iter_mut().find(|(name, _)| *name == what) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            None => counts.push((what, count)),
        }
    }

    pub(super) fn wrong(&mut self, says: String, proof: impl IntoIterator<Item = Proof>) {
        self.examined.wrong += 1;
        if self.examined.wrong <= FINDINGS_MAX {
            self.state(Kind::Wrong, says, proof);
        }
    }

    pub(super) fn undecided(&mut self, says: String, proof: impl IntoIterator<Item = Proof>) {
        self.examined.undecided += 1;
        if self.examined.undecided <= FINDINGS_MAX {
            self.state(Kind::Undecided, says, proof);
        }
    }

    fn state(&mut self, kind: Kind, says: String, proof: impl IntoIterator<Item = Proof>) {
        let mut proof: Vec<Proof> = proof.into_iter().collect();
        proof.sort_unstable();
        proof.dedup();
        self.findings.push(Finding {
            checker: self.examined.checker,
            kind,
            says,
            proof,
        });
    }

    /// What was stated so far, for tests.
    #[cfg(test)]
    pub(super) fn sentences(&self) -> Vec<&str> {
        let sentences = self.findings.iter().map(|finding| finding.says.as_str());
        sentences.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(line: usize) -> Proof {
        Proof {
            line,
            at_us: 1_500_000,
            id: (line == 2).then_some(7),
        }
    }

    #[test]
    fn a_finding_names_its_lines_once_and_in_order() {
        let mut notes = Notes::new("tests", "a promise");
        notes.wrong("it is so".to_owned(), [proof(3), proof(2), proof(3)]);
        assert_eq!(
            notes.findings[0].to_string(),
            "tests: it is so [line 2 at 1.500000 s (operation 7), line 3 at 1.500000 s]"
        );
    }

    #[test]
    fn what_is_undecided_is_not_ok_and_what_is_too_much_is_counted() {
        let mut verdict = Verdict::default();
        let mut notes = Notes::new("gives_up", "a promise");
        notes.looked_at("things", 2);
        notes.looked_at("things", 3);
        assert!(verdict.is_ok());
        notes.undecided("too much".to_owned(), []);
        verdict.add(notes);
        assert!(!verdict.is_ok());
        assert_eq!(verdict.accusers(), [] as [&str; 0]);
        assert_eq!(verdict.count("gives_up", "things"), 5);
        assert_eq!(verdict.count("gives_up", "others"), 0);
        assert!(!verdict.checkers[0].is_idle());

        let mut notes = Notes::new("accuses", "a promise");
        for _ in 0..100 {
            notes.wrong(String::new(), []);
        }
        verdict.add(notes);
        assert_eq!(verdict.accusers(), ["accuses"]);
        assert!(verdict.checkers[1].is_idle());
        assert_eq!(verdict.findings.len(), 21);
        assert_eq!(verdict.checkers[1].wrong, 100);
    }
}
