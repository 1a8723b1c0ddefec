//! Which part of the past.

use allocator::history::{HistoryFilter, HistoryKey, Moment};
use allocator::name::Name;

use super::parameters::{Parameters, with_paging, with_reading};
use super::{List, PageKey, Reading, SPACE_DEFAULT};
use crate::problem::Problem;
use crate::requests::path;

/// Parameters of `history_list` and `history_list_all`.
pub type HistoryList = List<HistoryFilter, HistoryKey>;

impl HistoryList {
    /// Parses the query string for the holdings of one tenant, or of all.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>, tenant: Option<&Name>) -> Result<Self, Problem> {
        let own = ["cidr", "space", "claim", "pool", "owner"];
        let parameters = Parameters::parse(query, &with_paging(&own))?;
        let filter = HistoryFilter {
            tenant: tenant.cloned(),
            space: parameters.name("space")?,
            cidr: parameters.text("cidr").map(path::block).transpose()?,
            claim: parameters.name("claim")?,
            pool: parameters.name("pool")?,
            owner: parameters.owner("owner")?,
        };
        let scope = tenant.map_or("", Name::as_str);
        Self::new("history_list", scope, &parameters, filter)
    }
}

impl PageKey for HistoryKey {
    fn to_text(&self) -> String {
        match self {
            Self::Ended(number) => format!("e {number}"),
            Self::Held { tenant, pool, cidr } => format!("h {tenant} {pool} {cidr}"),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let key = match words.next()? {
            "e" => Self::Ended(words.next()?.parse().ok()?),
            "h" => Self::Held {
                tenant: Name::new(words.next()?).ok()?,
                pool: Name::new(words.next()?).ok()?,
                cidr: words.next()?.parse().ok()?,
            },
            _ => return None,
        };
        words.next().is_none().then_some(key)
    }
}

/// Parameters of `lookup_show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// From which state.
    pub reading: Reading,
    /// `space`; `default` where none is stated.
    pub space: Name,
    /// `at`: a revision or a time; the present where neither is stated.
    pub at: Option<Moment>,
}

impl Lookup {
    /// Parses the query string.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let parameters = Parameters::parse(query, &with_reading(&["space", "at"]))?;
        let default = Name::new(SPACE_DEFAULT).expect("the default space is a name");
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let at = match parameters.text("at") {
            None => None,
            Some(text) if is_number(text) => parameters
                .whole_number("at", 0, u64::MAX >> 11)?
                .map(Moment::Revision),
            Some(_) => parameters.time("at")?.map(Moment::Time),
        };
        Ok(Self {
            reading: parameters.reading()?,
            space: parameters.name("space")?.unwrap_or(default),
            at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_revision_or_a_time() {
        let at = |text: &str| Lookup::parse(Some(&format!("at={text}"))).map(|lookup| lookup.at);
        let table = [
            ("17", Moment::Revision(17)),
            ("0", Moment::Revision(0)),
            ("2026-03-01T12:00:00Z", Moment::Time(1_772_366_400_000)),
            (
                "2026-03-01T13:00:00.5%2B01:00",
                Moment::Time(1_772_366_400_500),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(at(text), Ok(Some(expected)), "{text}");
        }
        for bad in ["", "-1", "yesterday", "2026-03-01", "99999999999999999999"] {
            let problem = at(bad).unwrap_err();
            assert_eq!(problem.facts["parameter"], "at", "{bad:?}");
        }
        assert_eq!(Lookup::parse(None).unwrap().at, None);
    }

    #[test]
    fn a_key_of_the_list_goes_through_its_token() {
        let keys = [
            HistoryKey::Ended(7),
            HistoryKey::Held {
                tenant: Name::new("acme").unwrap(),
                pool: Name::new("p").unwrap(),
                cidr: "2001:db8::/64".parse().unwrap(),
            },
        ];
        for key in keys {
            assert_eq!(HistoryKey::from_text(&key.to_text()), Some(key));
        }
        for bad in [
            "",
            "e",
            "e x",
            "e 1 2",
            "h a b",
            "h a b c",
            "x 1",
            "h a b 10.0.0.0/24 z",
        ] {
            assert_eq!(HistoryKey::from_text(bad), None, "{bad:?}");
        }
        for (query, parameter) in [("cidr=x", "cidr"), ("claim=", "claim"), ("at=1", "at")] {
            let problem = HistoryList::parse(Some(query), None).unwrap_err();
            assert_eq!(problem.facts["parameter"], parameter, "{query}");
        }
    }
}
