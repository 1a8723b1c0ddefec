//! What is measured of so many held blocks, and how it may grow.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::growth::Growth;

/// One thing that costs something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Figure {
    Claim,
    Release,
    ExactClaim,
    Pair,
    PairMost,
    Lookup,
    ClaimsFirst,
    ClaimsFar,
    AllocationsFirst,
    AllocationsFar,
    FreeLargest,
    FreeSingles,
    FreeCount,
    Map,
    MapPiece,
    Digest,
    Cut,
    Resident,
    SnapshotWritten,
    SnapshotBytes,
    SnapshotLoaded,
    Restart,
    CatchUp,
}

/// Figures that are drawn together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Writes,
    Reads,
    Space,
    Whole,
}

/// In which a figure is kept and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Micros,
    Millis,
    Bytes,
}

/// What there is to know of a figure without measuring it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    /// `None` where it is no time.
    pub(crate) group: Option<Group>,
    /// It may grow so at most.
    pub(crate) growth_max: Growth,
}

impl Figure {
    pub(crate) fn facts(self) -> Facts {
        use Group::{Reads, Space, Whole, Writes};
        match self {
            Self::Claim => quick("claim", Writes),
            Self::Release => quick("release", Writes),
            Self::ExactClaim => quick("exact claim", Writes),
            Self::Pair => quick("claim and release, p50", Writes),
            Self::PairMost => quick("claim and release, p95", Writes),
            Self::Lookup => quick("lookup", Reads),
            Self::ClaimsFirst => quick("claims, first 100", Reads),
            Self::ClaimsFar => quick("claims, 100 far in", Reads),
            Self::AllocationsFirst => quick("allocations, first 100", Reads),
            Self::AllocationsFar => quick("allocations, 100 far in", Reads),
            Self::FreeLargest => quick("free, 100 largest", Space),
            Self::FreeSingles => quick("free, 100 addresses", Space),
            Self::FreeCount => quick("free, count", Space),
            Self::Map => quick("map of 256 cells", Space),
            Self::MapPiece => quick("map far in, a piece", Space),
            Self::Digest => quick("digest", Whole),
            Self::Cut => quick("cut", Whole),
            Self::Resident => bytes("resident, a held block"),
            Self::SnapshotWritten => all("snapshot written"),
            Self::SnapshotBytes => bytes("snapshot, a held block"),
            Self::SnapshotLoaded => all("snapshot loaded"),
            Self::Restart => all("restart"),
            Self::CatchUp => all("follower caught up"),
        }
    }
}

/// What looks at little, however much is held.
fn quick(name: &'static str, group: Group) -> Facts {
    Facts {
        name,
        unit: Unit::Micros,
        group: Some(group),
        growth_max: Growth::Logarithmic,
    }
}

/// What has to read or write all that is held.
fn all(name: &'static str) -> Facts {
    Facts {
        name,
        unit: Unit::Millis,
        group: Some(Group::Whole),
        growth_max: Growth::Linear,
    }
}

fn bytes(name: &'static str) -> Facts {
    Facts {
        name,
        unit: Unit::Bytes,
        group: None,
        growth_max: Growth::Logarithmic,
    }
}

/// What was measured with so many held: each in its unit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures(BTreeMap<Figure, f64>);

impl Figures {
    /// Adds a figure that is no time.
    pub(crate) fn tell(&mut self, figure: Figure, value: f64) {
        self.0.insert(figure, value);
    }

    /// Adds a time.
    pub(crate) fn took(&mut self, figure: Figure, seconds: f64) {
        let value = match figure.facts().unit {
            Unit::Micros => seconds * 1e6,
            Unit::Millis => seconds * 1e3,
            Unit::Bytes => seconds,
        };
        self.tell(figure, value);
    }

    pub(crate) fn get(&self, figure: Figure) -> Option<f64> {
        self.0.get(&figure).copied()
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn json(&self) -> String {
        let figures = self.0.iter().map(|(figure, value)| {
            let name = figure.facts().name.to_owned();
            (name, json!(value))
        });
        Value::Object(figures.collect()).to_string()
    }

    pub(crate) fn from_json(text: &str) -> Result<Self> {
        let mut figures: Map<String, Value> = serde_json::from_str(text)?;
        let mut all = Self::default();
        for figure in Figure::value_variants() {
            if let Some(value) = figures.remove(figure.facts().name) {
                all.tell(*figure, value.as_f64().context("a number")?);
            }
        }
        Ok(all)
    }
}
