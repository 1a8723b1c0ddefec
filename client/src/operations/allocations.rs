//! Allocations and look-ups.

use allocator::name::Name;
use allocator::prefix::Prefix;
use api::requests::AllocationReclaim;
use api::views::{Allocation, List, Lookup};

use super::Filter;
use crate::request::{Request, Safety};
use crate::{Answer, Client, Error};

impl Client {
    /// Lists what is held from a tenant's pools, by pool and address.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn allocation_list(
        &self,
        tenant: &Name,
        filter: &Filter,
    ) -> Result<Answer<List<Allocation>>, Error> {
        self.read(filter.apply(Request::get(format!("/v1/tenants/{tenant}/allocations"))))
            .await
    }

    /// Lists what is held in all tenants' pools, each block once, by its holder's tenant.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn allocation_list_all(
        &self,
        filter: &Filter,
    ) -> Result<Answer<List<Allocation>>, Error> {
        self.read(filter.apply(Request::get("/v1/allocations".to_owned())))
            .await
    }

    /// Shows the allocation of exactly that block; in space `default` where none is given.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn allocation_show(
        &self,
        tenant: &Name,
        cidr: Prefix,
        space: Option<&Name>,
    ) -> Result<Answer<Allocation>, Error> {
        self.read(
            Request::get(format!("/v1/tenants/{tenant}/allocations/{cidr}")).query("space", space),
        )
        .await
    }

    /// Frees a released block before its grace is over. A repeat after an unknown outcome may find
    /// that it was done, and that the block is nobody's or another's by then.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn allocation_reclaim(
        &self,
        tenant: &Name,
        reclaim: &AllocationReclaim,
    ) -> Result<Answer<Allocation>, Error> {
        let path = format!("/v1/tenants/{tenant}/allocations/reclaim");
        self.mutate(Request::post(path, Safety::Once).json(reclaim)?)
            .await
    }

    /// Who had an address or block at a moment: a revision, or a time (RFC 3339).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn lookup_at(
        &self,
        tenant: &Name,
        cidr: Prefix,
        space: Option<&Name>,
        at: &str,
    ) -> Result<Answer<Lookup>, Error> {
        let request = Request::get(format!("/v1/tenants/{tenant}/lookup/{cidr}"));
        self.read(request.query("at", Some(at)).query("space", space))
            .await
    }

    /// Who has an address or block; in space `default` where none is given.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn lookup_show(
        &self,
        tenant: &Name,
        cidr: Prefix,
        space: Option<&Name>,
    ) -> Result<Answer<Lookup>, Error> {
        self.read(Request::get(format!("/v1/tenants/{tenant}/lookup/{cidr}")).query("space", space))
            .await
    }
}
