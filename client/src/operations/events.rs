//! What happens.

use allocator::name::Name;

use super::Filter;
use crate::request::Request;
use crate::{Client, Watch};

impl Client {
    /// Follows what happens to a tenant, or to all: what comes after a revision, else what comes from
    /// now on. Nothing is asked before the first event is.
    pub fn event_watch(
        &self,
        tenant: Option<&Name>,
        filter: &Filter,
        from_revision: Option<u64>,
    ) -> Watch {
        let path = match tenant {
            Some(tenant) => format!("/v1/tenants/{tenant}/watch"),
            None => "/v1/watch".to_owned(),
        };
        let request = filter.apply(Request::get(path));
        Watch::new(self.clone(), request.query("fromRevision", from_revision))
    }
}
