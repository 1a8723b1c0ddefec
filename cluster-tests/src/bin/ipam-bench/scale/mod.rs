//! What everything costs by how many blocks are held, in every shape that they may be held in.
//!
//! Each scene is measured by a process of its own, so that its memory is its own and it finds none that another one has
//! left in pieces. What a cost does as the number held grows is told by the figures ([`growth`]).

mod figure;
mod growth;
mod nodes;
mod shape;
mod state;
mod store;

use std::process::Stdio;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use tokio::process::Command;
use tokio::time::Instant;

use crate::plot::{Axis, Line, Plot, Scale};
use crate::report::{Found, Table, decimal, line};
use crate::verdict;
use figure::{Figure, Figures, Group, Unit};
use growth::Growth;
use nodes::Nodes;
pub(crate) use shape::{Scene, Shape};

/// How many are held; those above what is asked for are left out.
const HELD: [u32; 4] = [1_000, 100_000, 1_000_000, 10_000_000];
/// The switch with which a process measures one scene for another.
pub(crate) const SCENE: &str = "scale-scene";

/// The figures of one series by how many are held, the fewest first.
struct Measured {
    title: &'static str,
    figures: Vec<(u32, Figures)>,
}

/// A drawing's group, name and title.
type Drawing = (Group, &'static str, &'static str);

const IN_PROCESS: [Drawing; 4] = [
    (
        Group::Writes,
        "scale-writes",
        "Claims and releases in the state machine, in the costliest shape, by how many are held",
    ),
    (
        Group::Reads,
        "scale-reads",
        "Lookups and lists in the state machine, in the costliest shape, by how many are held",
    ),
    (
        Group::Space,
        "scale-space",
        "Free space and maps in the state machine, in the costliest shape, by how many are held",
    ),
    (
        Group::Whole,
        "scale-whole",
        "What concerns all that is held, in the costliest shape, by how much that is",
    ),
];

const OVER_HTTP: [Drawing; 4] = [
    (
        Group::Writes,
        "scale-nodes-writes",
        "Claims and releases over HTTP at three nodes, by how many are held",
    ),
    (
        Group::Reads,
        "scale-nodes-reads",
        "Lookups and lists over HTTP, by how many are held",
    ),
    (
        Group::Space,
        "scale-nodes-space",
        "Free space and maps over HTTP, by how many are held",
    ),
    (
        Group::Whole,
        "scale-nodes-whole",
        "What concerns all that three nodes hold, by how much that is",
    ),
];

/// Measures the state machine and its store in these shapes (in all where none is named), with so many held at most.
pub(crate) async fn in_process(shapes: &[Shape], held_max: u32) -> Result<Found> {
    let mut all = Vec::new();
    for shape in Shape::value_variants() {
        if !shapes.is_empty() && !shapes.contains(shape) {
            continue;
        }
        let mut figures = Vec::new();
        for held in sizes(held_max) {
            let scene = Scene {
                shape: *shape,
                held,
            };
            figures.push((held, in_own_process(scene).await?));
        }
        all.push(Measured {
            title: shape.title(),
            figures,
        });
    }
    Ok(found(&all, IN_PROCESS))
}

/// Measures three nodes, with so many held at most.
pub(crate) async fn over_http(held_max: u32) -> Result<Found> {
    let mut nodes = Nodes::start().await?;
    let mut figures = Vec::new();
    for held in sizes(held_max) {
        figures.push((held, nodes.measure(held).await?));
    }
    let measured = Measured {
        title: "scale: three nodes, one pool, IPv4",
        figures,
    };
    Ok(found(&[measured], OVER_HTTP))
}

fn found(all: &[Measured], drawings: [Drawing; 4]) -> Found {
    Found {
        tables: all.iter().map(table).collect(),
        plots: drawings.map(|drawing| plot(all, drawing)).into(),
    }
}

/// How many are held, one after the other.
fn sizes(held_max: u32) -> impl Iterator<Item = u32> {
    HELD.into_iter().filter(move |held| *held <= held_max)
}

/// Measures one scene in this process, for [`in_own_process`]: prints its figures.
pub(crate) async fn measure_scene(scene: Scene) -> Result<()> {
    let mut figures = state::measure(scene)?;
    if scene.shape.is_stored() {
        figures.extend(store::measure(scene).await?);
    }
    line(&figures.json());
    Ok(())
}

async fn in_own_process(scene: Scene) -> Result<Figures> {
    let started = Instant::now();
    let output = Command::new(std::env::current_exe()?)
        .args([format!("--{SCENE}"), scene.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    ensure!(output.status.success(), "{scene} cannot be measured");
    line(&format!(
        "{scene} took {:.0} s",
        started.elapsed().as_secs_f64()
    ));
    Figures::from_json(std::str::from_utf8(&output.stdout)?)
}

impl std::fmt::Display for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shape = self.shape.to_possible_value();
        let shape = shape.as_ref().map_or("", |shape| shape.get_name());
        write!(f, "{shape}:{}", self.held)
    }
}

impl FromStr for Scene {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (shape, held) = text.split_once(':').context("SHAPE:HELD")?;
        Ok(Self {
            shape: Shape::from_str(shape, false).map_err(anyhow::Error::msg)?,
            held: held.parse()?,
        })
    }
}

impl Measured {
    /// What a figure is by how many are held.
    fn points(&self, figure: Figure) -> Vec<(f64, f64)> {
        let points = self.figures.iter().filter_map(|(held, figures)| {
            let value = figures.get(figure)?;
            Some((f64::from(*held), value))
        });
        points.collect()
    }
}

fn table(measured: &Measured) -> Table {
    let mut table = Table::new(
        measured.title,
        &[
            "what",
            "1,000",
            "100,000",
            "1,000,000",
            "10,000,000",
            "times",
            "growth",
            "verdict",
        ],
    );
    for figure in Figure::value_variants() {
        let points = measured.points(*figure);
        if points.is_empty() {
            continue;
        }
        let facts = figure.facts();
        let (unit, digits) = match facts.unit {
            Unit::Micros => ("µs", 2),
            Unit::Millis => ("ms", 0),
            Unit::Bytes => ("bytes", 0),
        };
        let [fewest, few, many, most] = HELD.map(|held| {
            let point = points
                .iter()
                .find(|point| point.0.total_cmp(&f64::from(held)).is_eq());
            point.map_or(String::new(), |point| decimal(point.1, digits))
        });
        let growth = Growth::of(&points);
        let met = growth.map(|growth| growth <= facts.growth_max);
        table.row([
            format!("{}, {unit}", facts.name),
            fewest,
            few,
            many,
            most,
            growth::times(&points).map_or(String::new(), |times| decimal(times, 2)),
            growth.map_or("", Growth::name).to_owned(),
            met.map_or("", verdict::word).to_owned(),
        ]);
    }
    table
}

/// A line for each figure of a group.
fn plot(all: &[Measured], (group, name, title): Drawing) -> Plot {
    let logarithmic = |label| Axis {
        label,
        scale: Scale::Logarithmic,
    };
    let figures = Figure::value_variants()
        .iter()
        .filter(|figure| figure.facts().group == Some(group));
    Plot {
        name,
        title,
        x: logarithmic("blocks held"),
        y: logarithmic("microseconds"),
        lines: figures
            .filter_map(|figure| costliest(all, *figure))
            .collect(),
    }
}

/// A figure of the shape in which it is largest, at each number held; `None` where it was not measured.
fn costliest(all: &[Measured], figure: Figure) -> Option<Line> {
    let micros = match figure.facts().unit {
        Unit::Millis => 1_000.0,
        Unit::Micros | Unit::Bytes => 1.0,
    };
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (held, value) in all.iter().flat_map(|measured| measured.points(figure)) {
        let value = value * micros;
        match points
            .iter_mut()
            .find(|point| point.0.total_cmp(&held).is_eq())
        {
            Some(point) => point.1 = point.1.max(value),
            None => points.push((held, value)),
        }
    }
    let name = figure.facts().name.to_owned();
    (!points.is_empty()).then_some(Line { name, points })
}
