//! Routes: one table of all operations, from which the router, the `OpenAPI` document and the docs page
//! are made.
//!
//! 1. An operation's id is `noun_verb`, unique, and never changes once released.
//! 2. A path is written once, in the form that both `OpenAPI` and the router read (`{tenant}`); a
//!    `{cidr}` at its end takes the rest of the path, slash included.

mod parameters;
mod table;

use crate::problem::Code;

pub use table::operations;

/// One operation of the API.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// `noun_verb`.
    pub id: &'static str,
    /// The method.
    pub method: Method,
    /// The path, with its variable parts in braces.
    pub path: &'static str,
    /// The heading under which it stands in the docs.
    pub tag: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Query parameters and headers; those of the path follow from the path.
    pub parameters: &'static [&'static [Parameter]],
    /// Schema of the body, where there is one.
    pub request: Option<&'static str>,
    /// What it answers when all is well.
    pub responses: &'static [Response],
    /// The codes of its own; those of [`Operation::codes_of_every_operation`] come on top.
    pub problems: &'static [Code],
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes or does.
    Post,
    /// Edits.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// As HTTP writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The methods that are served where this one is: what can be read can be asked for its head.
    pub const fn allowed(self) -> &'static [&'static str] {
        match self {
            Self::Get => &["GET", "HEAD"],
            Self::Post => &["POST"],
            Self::Patch => &["PATCH"],
            Self::Delete => &["DELETE"],
        }
    }
}

/// A query parameter or a header.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// Its values.
    pub values: Values,
    /// What it does.
    pub doc: &'static str,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the query string.
    Query,
    /// In a header.
    Header,
}

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Any text of the documented form.
    Text,
    /// `true` or `false`.
    Flag,
    /// Whole numbers, both bounds included.
    Number {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// One of these.
    Words(&'static [&'static str]),
}

/// A good answer.
#[derive(Debug, Clone, Copy)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// When it is given.
    pub doc: &'static str,
    /// What the body is.
    pub body: ResponseBody,
}

/// The body of a good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseBody {
    /// JSON of that schema.
    Json(&'static str),
    /// A page of items of that schema.
    ListOf(&'static str),
    /// Server-sent events, the data of each of that schema; without end.
    EventsOf(&'static str),
    /// Something else, of that media type.
    Other(&'static str),
}

impl Operation {
    /// What any operation under `/v1` may answer.
    pub const fn codes_of_every_operation() -> &'static [Code] {
        &[
            Code::InvalidParameter,
            Code::TooBusy,
            Code::InternalError,
            Code::NoLeader,
            Code::Stopping,
        ]
    }

    /// The path as axum's router takes it: `{cidr}` at the end becomes `{*cidr}`.
    pub fn router_path(&self) -> String {
        match self.path.strip_suffix("{cidr}") {
            Some(before) => format!("{before}{{*cidr}}"),
            None => self.path.to_owned(),
        }
    }

    /// The names of the path's variable parts, in order.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Query parameters and headers.
    pub fn query_and_headers(&self) -> impl Iterator<Item = &'static Parameter> {
        self.parameters.iter().copied().flatten()
    }

    /// It takes that header.
    pub fn takes_header(&self, name: &str) -> bool {
        self.query_and_headers()
            .any(|parameter| parameter.place == Place::Header && parameter.name == name)
    }

    /// It changes something.
    pub const fn is_mutation(&self) -> bool {
        !matches!(self.method, Method::Get)
    }

    /// All codes that it may answer, its own first.
    pub fn codes(&self) -> Vec<Code> {
        let mut codes = self.problems.to_vec();
        let general: &[Code] = if self.path.starts_with("/v1/") {
            Self::codes_of_every_operation()
        } else {
            &[]
        };
        codes.extend_from_slice(general);
        if self.request.is_some() {
            codes.extend_from_slice(&[
                Code::InvalidJson,
                Code::RequestTimeout,
                Code::TooLarge,
                Code::UnsupportedMediaType,
                Code::InvalidField,
            ]);
        }
        let through_the_log = self.is_mutation() && self.path.starts_with("/v1/");
        codes.extend(through_the_log.then_some(Code::OutcomeUnknown));
        codes.extend((!self.is_mutation() && self.path.starts_with("/v1/")).then_some(Code::Stale));
        codes.sort();
        codes.dedup();
        codes
    }
}

/// The operation of that id.
pub fn operation(id: &str) -> Option<&'static Operation> {
    operations().find(|operation| operation.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_and_routes_are_unique() {
        let ids: BTreeSet<_> = operations().map(|operation| operation.id).collect();
        let routes: BTreeSet<_> = operations()
            .map(|operation| (operation.path, operation.method))
            .collect();
        assert_eq!(
            (ids.len(), routes.len()),
            (operations().count(), operations().count())
        );
        for operation in operations() {
            let (noun, verb) = operation.id.split_once('_').unwrap();
            assert!(!noun.is_empty() && !verb.is_empty(), "{}", operation.id);
        }
    }

    #[test]
    fn the_router_takes_the_rest_of_the_path_for_a_cidr() {
        let lookup = operation("lookup_show").unwrap();
        assert_eq!(lookup.path, "/v1/tenants/{tenant}/lookup/{cidr}");
        assert_eq!(lookup.router_path(), "/v1/tenants/{tenant}/lookup/{*cidr}");
        assert_eq!(
            lookup.path_parameters().collect::<Vec<_>>(),
            ["tenant", "cidr"]
        );
        assert_eq!(
            operation("pool_tree").unwrap().router_path(),
            "/v1/tenants/{tenant}/pools/{pool}/tree"
        );
    }

    #[test]
    fn every_mutation_has_a_dry_run() {
        for operation in operations().filter(|one| one.is_mutation()) {
            let dry = operation
                .query_and_headers()
                .any(|parameter| parameter.name == "dryRun");
            assert!(dry, "{}", operation.id);
        }
    }
}
