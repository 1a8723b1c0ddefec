//! What happens.

use allocator::name::Name;

use api::views::{Holding, List};

use super::Filter;
use crate::request::Request;
use crate::{Answer, Client, Error, Watch};

impl Client {
    /// Lists holdings of a tenant, or of all: what has ended, then what goes on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn history_list(
        &self,
        tenant: Option<&Name>,
        filter: &Filter,
    ) -> Result<Answer<List<Holding>>, Error> {
        let path = match tenant {
            Some(tenant) => format!("/v1/tenants/{tenant}/history"),
            None => "/v1/history".to_owned(),
        };
        self.read(filter.apply(Request::get(path))).await
    }

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
