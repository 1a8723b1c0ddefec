//! The operations, each a method of [`Client`](crate::Client) under its id in the API.

mod allocations;
mod claims;
mod cluster;
mod events;
mod owners;
mod pools;
mod tenants;

use crate::request::Request;

/// What a list is narrowed to, and where it goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    limit: Option<u64>,
    page_token: Option<String>,
    pairs: Vec<(&'static str, String)>,
}

impl Filter {
    /// Everything, from the beginning.
    pub fn new() -> Self {
        Self::default()
    }

    /// Narrowed by a parameter of the list: `pool`, `owner`, `labelSelector`, …
    #[must_use]
    pub fn by(mut self, parameter: &'static str, value: impl Into<String>) -> Self {
        self.pairs.push((parameter, value.into()));
        self
    }

    /// With at most so many items on the page.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// From where the page before ended: its `nextPageToken`.
    #[must_use]
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.page_token = Some(token.into());
        self
    }

    fn apply(&self, mut request: Request) -> Request {
        request.query.extend(self.pairs.iter().cloned());
        request
            .query("limit", self.limit)
            .query("pageToken", self.page_token.as_ref())
    }
}

/// Which free blocks to show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreeBlocks {
    /// Blocks of this length; without it the maximal ones, largest first.
    pub prefix_length: Option<u8>,
    /// At most so many.
    pub limit: Option<u64>,
    /// Only how many there are.
    pub count: bool,
}
