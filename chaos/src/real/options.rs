//! What a run is told.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::faults::Kind;

/// What a run is told; a part of the command line.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Options {
    /// For how long there are faults and load, such as 60s or 10m; healing and judging come on top
    #[arg(long, value_parser = duration)]
    pub duration: Duration,
    /// How many nodes: 3 or 5
    #[arg(long, default_value_t = 3, value_parser = nodes)]
    pub nodes: u64,
    /// What faults and clients draw from; at random where none is given
    #[arg(long)]
    pub seed: Option<u64>,
    /// Only these faults, divided by commas
    #[arg(long, value_delimiter = ',')]
    pub faults: Vec<Kind>,
    /// Where the history goes, as JSON lines
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Where the report goes as a page, with a timeline
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl Options {
    /// The words that give the same run again.
    pub(super) fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![
            "run".into(),
            "--duration".into(),
            format!("{}s", self.duration.as_secs()).into(),
            "--nodes".into(),
            self.nodes.to_string().into(),
        ];
        if let Some(seed) = self.seed {
            words.extend(["--seed".into(), seed.to_string().into()]);
        }
        if !self.faults.is_empty() {
            let names: Vec<String> = self.faults.iter().map(|kind| kind.name()).collect();
            words.extend(["--faults".into(), names.join(",").into()]);
        }
        let files = [("--history", &self.history), ("--html", &self.html)];
        for (switch, file) in files {
            if let Some(file) = file {
                words.extend([switch.into(), file.clone().into()]);
            }
        }
        words
    }

    /// The kinds of faults that may come.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        if self.faults.is_empty() {
            Kind::value_variants().to_vec()
        } else {
            self.faults.clone()
        }
    }
}

/// A number of seconds, minutes or hours.
fn duration(text: &str) -> Result<Duration, String> {
    let allowed = || "a number of seconds, minutes or hours, such as 60s, 10m or 1h".to_owned();
    let units = [('s', 1), ('m', 60), ('h', 3_600)];
    let of_unit = |(unit, seconds)| Some((text.strip_suffix(unit)?, seconds));
    let (number, seconds): (&str, u64) = units.into_iter().find_map(of_unit).ok_or_else(allowed)?;
    let number: u64 = number.parse().map_err(|_| allowed())?;
    let seconds = number
        .checked_mul(seconds)
        .filter(|seconds| *seconds > 0 && *seconds <= 7 * 86_400);
    seconds.map(Duration::from_secs).ok_or_else(allowed)
}

/// Clusters whose majorities differ in shape.
fn nodes(text: &str) -> Result<u64, String> {
    match text {
        "3" => Ok(3),
        "5" => Ok(5),
        _ => Err("3 or 5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn the_words_of_a_run_give_the_same_run() {
        let options = Options {
            duration: Duration::from_mins(10),
            nodes: 5,
            seed: Some(7),
            faults: vec![Kind::KillLeader, Kind::ClockSteps],
            history: Some("h.jsonl".into()),
            html: Some(PathBuf::from("/tmp/h.html")),
        };
        assert_eq!(
            Line::try_parse_from(options.words())
                .expect("its own words are understood")
                .options,
            options
        );
    }

    #[test]
    fn a_duration_has_a_unit_and_is_not_nothing() {
        for (text, seconds) in [("60s", 60), ("10m", 600), ("1h", 3_600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "0s", "60", "-1s", "1.5m", "999999999h", "1ü"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
