//! Lines through points, as SVG: what a reader takes from it is the shape, so there are few marks and no more numbers than fit.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// Around the field: left, right, top, bottom.
const MARGINS: [f64; 4] = [70.0, 150.0, 40.0, 50.0];
/// Colours that can be told apart by those who see red and green alike (Okabe and Ito).
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];

/// What one axis shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From 0.
    Linear,
    /// Powers of ten; nothing at or below 0 can be shown.
    Logarithmic,
}

/// An axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    /// With the unit.
    pub(crate) label: &'static str,
    pub(crate) scale: Scale,
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A drawing of some lines over common axes.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    /// Of the file that it becomes, without its ending.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line>,
}

impl Plot {
    /// A document of its own.
    pub(crate) fn svg(&self) -> String {
        let mut svg = String::new();
        self.draw(&mut svg)
            .expect("writing to a string does not fail");
        svg
    }

    fn draw(&self, svg: &mut String) -> std::fmt::Result {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = Range::of(self.x.scale, points().map(|point| point.0));
        let y = Range::of(self.y.scale, points().map(|point| point.1));
        let [left, right, top, bottom] = MARGINS;
        let (x_end, y_end) = (WIDTH - right, HEIGHT - bottom);
        let to_x = |value| left + x.share(value) * (x_end - left);
        let to_y = |value| y_end - y.share(value) * (y_end - top);
        writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
        )?;
        text(svg, left, top / 2.0, "start", self.title)?;
        for mark in x.marks() {
            let at = to_x(mark);
            rule(svg, (at, top), (at, y_end))?;
            text(svg, at, y_end + 18.0, "middle", &short(mark))?;
        }
        for mark in y.marks() {
            let at = to_y(mark);
            rule(svg, (left, at), (x_end, at))?;
            text(svg, left - 8.0, at + 4.0, "end", &short(mark))?;
        }
        text(
            svg,
            f64::midpoint(left, x_end),
            HEIGHT - 12.0,
            "middle",
            self.x.label,
        )?;
        writeln!(
            svg,
            "<text transform=\"translate(16 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(top, y_end),
            self.y.label
        )?;
        for (number, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let places: Vec<String> = line
                .points
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", to_x(*x), to_y(*y)))
                .collect();
            writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                places.join(" ")
            )?;
            if line.points.len() <= DOTS_MAX {
                for place in &places {
                    let (x, y) = place.split_once(',').unwrap_or_default();
                    writeln!(
                        svg,
                        "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>"
                    )?;
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "a handful of lines")]
            let row = top + 10.0 + 18.0 * number as f64;
            writeln!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"3\" fill=\"{colour}\"/>",
                x_end + 12.0,
                row - 5.0
            )?;
            text(svg, x_end + 30.0, row, "start", &line.name)?;
        }
        writeln!(svg, "</svg>")
    }
}

/// A line of more points has none of them marked.
const DOTS_MAX: usize = 30;
/// Marks of a linear axis, about.
const MARKS: f64 = 5.0;

/// What an axis spans.
#[derive(Debug, Clone, Copy)]
struct Range {
    scale: Scale,
    from: f64,
    to: f64,
}

impl Range {
    fn of(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = values.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        match scale {
            Scale::Linear => {
                let step = step(most);
                let to = (most / step).ceil() * step;
                Self {
                    scale,
                    from: 0.0,
                    to,
                }
            }
            Scale::Logarithmic => {
                let least = least.clamp(f64::MIN_POSITIVE, most);
                let from = 10_f64.powf(least.log10().floor());
                let to = 10_f64.powf(most.log10().ceil()).max(from * 10.0);
                Self { scale, from, to }
            }
        }
    }

    /// Where a value stands, from 0 to 1.
    fn share(self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => value / self.to,
            Scale::Logarithmic => (value / self.from).log10() / (self.to / self.from).log10(),
        };
        share.clamp(0.0, 1.0)
    }

    fn marks(self) -> Vec<f64> {
        let next = |mark: f64| match self.scale {
            Scale::Linear => mark + step(self.to),
            Scale::Logarithmic => mark * 10.0,
        };
        std::iter::successors(Some(self.from), |mark| Some(next(*mark)))
            .take_while(|mark| *mark <= self.to * 1.000_1)
            .collect()
    }
}

/// From one mark to the next: 1, 2 or 5 times a power of ten.
fn step(most: f64) -> f64 {
    let rough = most / MARKS;
    let power = 10_f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter();
    let mut steps = times.map(|times| times * power);
    steps.find(|step| *step >= rough).unwrap_or(rough)
}

/// A mark's number: 20,000 as 20k.
fn short(number: f64) -> String {
    let (number, unit) = match number {
        number if number >= 1e6 => (number / 1e6, "M"),
        number if number >= 1e3 => (number / 1e3, "k"),
        number => (number, ""),
    };
    // Nine digits do away with what a sum of steps adds, and the shortest form of the rest is shown.
    let rounded = (number * 1e9).round() / 1e9;
    format!("{rounded}{unit}")
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) -> std::fmt::Result {
    writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    )
}

fn rule(svg: &mut String, from: (f64, f64), to: (f64, f64)) -> std::fmt::Result {
    writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#ddd\"/>",
        from.0, from.1, to.0, to.1
    )
}
