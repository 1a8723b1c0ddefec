//! A query string as pairs, and their values as the allocator's types.

use allocator::filter::LabelSelector;
use allocator::name::{NAME_ALLOWED, Name, OWNER_ALLOWED, Owner};
use allocator::prefix::{Address, Family, InvalidPrefix, Prefix};
use allocator::view::{Phase, Purpose};

use super::{Consistency, LIMIT_DEFAULT, LIMIT_MAX, Reading};
use crate::problem::Problem;
use crate::requests::check::shown;
use crate::requests::selector;
use crate::scalar::Time;

/// Parameters that every read has.
pub(super) const READING: [&str; 2] = ["consistency", "maxStalenessMs"];

pub(super) fn with_reading(own: &[&'static str]) -> Vec<&'static str> {
    own.iter().copied().chain(READING).collect()
}

pub(super) fn with_paging(own: &[&'static str]) -> Vec<&'static str> {
    own.iter()
        .copied()
        .chain(["limit", "pageToken"])
        .chain(READING)
        .collect()
}

/// A whole number in plain decimal digits; `parameter` may also be a header or part of a path.
pub(crate) fn whole_number(
    parameter: &str,
    text: &str,
    min: u64,
    max: u64,
) -> Result<u64, Problem> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(value) if plain && (min..=max).contains(&value) => Ok(value),
        _ => Err(Problem::invalid_parameter(
            parameter,
            format_args!("is {}", shown(text)),
            format_args!("a whole number from {min} to {max}"),
        )),
    }
}

/// The pairs of a query string, each known and each stated once.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (key, value) in
            form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned()
        {
            if !known.contains(&key.as_str()) {
                let allowed = if known.is_empty() {
                    "no parameter here".to_owned()
                } else {
                    known.join(", ")
                };
                return Err(Problem::invalid_parameter(
                    &cut(&key),
                    "is not a parameter of this operation",
                    allowed,
                ));
            }
            if pairs.iter().any(|(earlier, _)| *earlier == key) {
                return Err(Problem::invalid_parameter(
                    &key,
                    "is stated twice",
                    "each parameter once",
                ));
            }
            pairs.push((key, value));
        }
        Ok(Self(pairs))
    }

    pub(super) fn text(&self, parameter: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == parameter)
            .map(|(_, value)| value.as_str())
    }

    /// What makes this list another list, in an order that does not depend on the caller.
    pub(super) fn filters(&self) -> Vec<String> {
        let not_a_filter = ["limit", "pageToken", "consistency", "maxStalenessMs"];
        let mut filters: Vec<String> = self
            .0
            .iter()
            .filter(|(key, _)| !not_a_filter.contains(&key.as_str()))
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        filters.sort();
        filters
    }

    pub(super) fn reading(&self) -> Result<Reading, Problem> {
        let consistency = self
            .word(
                "consistency",
                &[
                    ("local", Consistency::Local),
                    ("linearizable", Consistency::Linearizable),
                ],
            )?
            .unwrap_or_default();
        Ok(Reading {
            consistency,
            max_staleness_ms: self.whole_number("maxStalenessMs", 0, 86_400_000)?,
        })
    }

    pub(super) fn limit(&self) -> Result<u64, Problem> {
        Ok(self
            .whole_number("limit", 1, LIMIT_MAX)?
            .unwrap_or(LIMIT_DEFAULT))
    }

    pub(super) fn flag(&self, parameter: &str) -> Result<bool, Problem> {
        Ok(self
            .word(parameter, &[("true", true), ("false", false)])?
            .unwrap_or(false))
    }

    pub(super) fn whole_number(
        &self,
        parameter: &str,
        min: u64,
        max: u64,
    ) -> Result<Option<u64>, Problem> {
        self.text(parameter)
            .map(|text| whole_number(parameter, text, min, max))
            .transpose()
    }

    pub(super) fn word<T: Copy>(
        &self,
        parameter: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(parameter) else {
            return Ok(None);
        };
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| Some(*value)).ok_or_else(|| {
            let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            refused(parameter, text, &allowed.join(", "))
        })
    }

    pub(super) fn name(&self, parameter: &str) -> Result<Option<Name>, Problem> {
        self.text(parameter)
            .map(|text| Name::new(text).map_err(|_| refused(parameter, text, NAME_ALLOWED)))
            .transpose()
    }

    pub(super) fn owner(&self, parameter: &str) -> Result<Option<Owner>, Problem> {
        self.text(parameter)
            .map(|text| Owner::new(text).map_err(|_| refused(parameter, text, OWNER_ALLOWED)))
            .transpose()
    }

    pub(super) fn family(&self) -> Result<Option<Family>, Problem> {
        self.word("family", &[("IPv4", Family::IPv4), ("IPv6", Family::IPv6)])
    }

    pub(super) fn phase(&self) -> Result<Option<Phase>, Problem> {
        self.word(
            "phase",
            &[
                ("Allocated", Phase::Allocated),
                ("InUse", Phase::InUse),
                ("Released", Phase::Released),
            ],
        )
    }

    pub(super) fn purpose(&self) -> Result<Option<Purpose>, Problem> {
        let words = [
            ("Claim", Purpose::Claim),
            ("Child", Purpose::Child),
            ("Reservation", Purpose::Reservation),
        ];
        self.word("purpose", &words)
    }

    pub(super) fn within(&self) -> Result<Option<Prefix>, Problem> {
        let Some(text) = self.text("within") else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|error| match error {
            InvalidPrefix::HostBits { canonical } => {
                refused("within", text, &canonical.to_string())
            }
            InvalidPrefix::Syntax | InvalidPrefix::Length { .. } => {
                refused("within", text, "a CIDR such as 10.0.1.0/24")
            }
        })
    }

    pub(super) fn address(&self, parameter: &str) -> Result<Option<Address>, Problem> {
        let Some(text) = self.text(parameter) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|_| refused(parameter, text, "an address such as 10.0.1.7"))
    }

    pub(super) fn time(&self, parameter: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(parameter) else {
            return Ok(None);
        };
        match text.parse::<Time>() {
            Ok(Time(ms)) => Ok(Some(ms)),
            Err(allowed) => Err(refused(parameter, text, &allowed.to_string())),
        }
    }

    pub(super) fn labels(&self) -> Result<LabelSelector, Problem> {
        self.text("labelSelector")
            .map_or(Ok(LabelSelector::default()), selector::parse)
    }
}

fn refused(parameter: &str, text: &str, allowed: &str) -> Problem {
    Problem::invalid_parameter(parameter, format_args!("is {}", shown(text)), allowed)
}

/// A key as it may stand in a message.
fn cut(key: &str) -> String {
    key.chars().take(64).collect()
}
