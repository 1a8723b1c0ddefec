//! From where to watch, and what.

use allocator::name::Name;
use allocator::view::EventId;
use allocator::watch::{EventFilter, WatchedKind};

use super::parameters::{Parameters, whole_number};
use crate::headers::LAST_EVENT_ID;
use crate::problem::Problem;
use crate::requests::check::shown;

/// Highest revision that there can be.
const REVISION_MAX: u64 = u64::MAX >> 11;

/// Parameters of `event_watch` and `event_watch_all`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Which events.
    pub filter: EventFilter,
    /// `fromRevision`: those after this revision; those that come where it is absent.
    pub from_revision: Option<u64>,
    /// Equal for two watches that tell the same events in the same words.
    pub identity: String,
}

impl Watch {
    /// Parses the query string for the events of one tenant, or of all.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>, tenant: Option<&Name>) -> Result<Self, Problem> {
        let known = ["fromRevision", "kind", "pool", "owner", "labelSelector"];
        let parameters = Parameters::parse(query, &known)?;
        let kinds = [
            ("Claim", WatchedKind::Claim),
            ("Pool", WatchedKind::Pool),
            ("Tenant", WatchedKind::Tenant),
        ];
        let mut filters = parameters.filters();
        filters.retain(|filter| !filter.starts_with("fromRevision="));
        let scope = tenant.map_or("", Name::as_str);
        Ok(Self {
            filter: EventFilter {
                tenant: tenant.cloned(),
                kind: parameters.word("kind", &kinds)?,
                pool: parameters.name("pool")?,
                owner: parameters.owner("owner")?,
                labels: parameters.labels()?,
            },
            from_revision: parameters.whole_number("fromRevision", 0, REVISION_MAX)?,
            identity: format!("{scope}\n{}", filters.join("\n")),
        })
    }

    /// Behind which event to begin: behind the one that was seen last, else behind `fromRevision`;
    /// `None` where neither is stated.
    ///
    /// # Errors
    /// `invalid_parameter`: `Last-Event-ID` is no id of an event.
    pub fn after(&self, last_event_id: Option<&str>) -> Result<Option<EventId>, Problem> {
        match last_event_id {
            Some(text) => place(text).map(Some),
            None => Ok(self.from_revision.map(EventId::end_of)),
        }
    }
}

/// A place among the events: `revision.ordinal`, or `revision` for all of it.
fn place(text: &str) -> Result<EventId, Problem> {
    let number = |part: &str, max: u64| {
        whole_number(LAST_EVENT_ID, part, 0, max).map_err(|_| {
            Problem::invalid_parameter(
                "Last-Event-ID",
                format_args!("is {}", shown(text)),
                "the id of an event: revision.ordinal, or a revision",
            )
        })
    };
    match text.split_once('.') {
        None => Ok(EventId::end_of(number(text, REVISION_MAX)?)),
        Some((revision, ordinal)) => Ok(EventId {
            revision: number(revision, REVISION_MAX)?,
            ordinal: u32::try_from(number(ordinal, u64::from(u32::MAX))?).unwrap_or(u32::MAX),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(revision: u64, ordinal: u32) -> EventId {
        EventId { revision, ordinal }
    }

    #[test]
    fn a_watch_begins_behind_what_was_seen_last() {
        let watch = Watch::parse(Some("fromRevision=5&kind=Pool"), None).unwrap();
        let table = [
            (None, id(5, u32::MAX)),
            (Some("7.3"), id(7, 3)),
            (Some("7"), id(7, u32::MAX)),
            (Some("0.0"), id(0, 0)),
        ];
        for (last, expected) in table {
            assert_eq!(watch.after(last), Ok(Some(expected)), "{last:?}");
        }
        for bad in [
            "",
            ".",
            "7.",
            ".3",
            "7.3.1",
            "-1",
            "7.4294967296",
            "x",
            " 7",
        ] {
            let problem = watch.after(Some(bad)).unwrap_err();
            assert_eq!(problem.facts["parameter"], "Last-Event-ID", "{bad:?}");
        }
        let now = Watch::parse(None, None).unwrap();
        assert_eq!(now.after(None), Ok(None));
    }

    #[test]
    fn equal_watches_have_equal_identities_and_others_do_not() {
        let tenant = Name::new("acme").unwrap();
        let identity = |query: &str, tenant| Watch::parse(Some(query), tenant).unwrap().identity;
        let first = identity("kind=Claim&pool=p", Some(&tenant));
        assert_eq!(
            first,
            identity("pool=p&fromRevision=9&kind=Claim", Some(&tenant))
        );
        for other in [
            identity("kind=Claim&pool=p", None),
            identity("kind=Claim", Some(&tenant)),
        ] {
            assert_ne!(first, other);
        }
        for (query, parameter) in [
            ("kind=claim", "kind"),
            ("fromRevision=x", "fromRevision"),
            ("pool=", "pool"),
            ("owner=", "owner"),
            ("labelSelector=,", "labelSelector"),
            ("limit=1", "limit"),
        ] {
            let problem = Watch::parse(Some(query), None).unwrap_err();
            assert_eq!(problem.facts["parameter"], parameter, "{query}");
        }
    }
}
