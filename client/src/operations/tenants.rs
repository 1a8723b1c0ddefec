//! Tenants.

use allocator::name::Name;
use api::requests::TenantCreate;
use api::views::{List, Tenant};
use serde::Serialize;

use super::Filter;
use crate::request::{Request, Safety};
use crate::{Answer, Client, Error};

impl Client {
    /// Makes a tenant; safe to repeat, since the same content is no error.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn tenant_create(&self, tenant: &TenantCreate) -> Result<Answer<Tenant>, Error> {
        self.mutate(Request::post("/v1/tenants".to_owned(), Safety::Repeatable).json(tenant)?)
            .await
    }

    /// Lists the tenants by name.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn tenant_list(&self, filter: &Filter) -> Result<Answer<List<Tenant>>, Error> {
        self.read(filter.apply(Request::get("/v1/tenants".to_owned())))
            .await
    }

    /// Shows a tenant.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn tenant_show(&self, tenant: &Name) -> Result<Answer<Tenant>, Error> {
        self.read(Request::get(format!("/v1/tenants/{tenant}")))
            .await
    }

    /// Edits a tenant by a merge patch (RFC 7396).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn tenant_edit(
        &self,
        tenant: &Name,
        patch: &impl Serialize,
    ) -> Result<Answer<Tenant>, Error> {
        self.mutate(Request::patch(format!("/v1/tenants/{tenant}")).json(patch)?)
            .await
    }

    /// Removes a tenant that is empty. Never repeated after an unknown outcome: somebody may have
    /// made it anew.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn tenant_delete(&self, tenant: &Name) -> Result<Answer<Tenant>, Error> {
        self.mutate(Request::delete(
            format!("/v1/tenants/{tenant}"),
            Safety::Once,
        ))
        .await
    }
}
