//! Pools.

use allocator::name::Name;
use allocator::prefix::Address;
use api::Problem;
use api::headers;
use api::problem::Code;
use api::requests::PoolCreate;
use api::views::{Free, List, Pool, PoolCascaded, PoolMap, PoolTree};
use serde::Serialize;

use super::owners::step_safety;
use super::{Filter, FreeBlocks};
use crate::call::{Failed, unknown};
use crate::request::{Request, Safety};
use crate::verdict::Cause;
use crate::{Answer, Client, Error};

impl Client {
    /// Makes a root pool or carves a child; safe to repeat, since the same content is no error.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pool_create(
        &self,
        tenant: &Name,
        pool: &PoolCreate,
    ) -> Result<Answer<Pool>, Error> {
        self.mutate(
            Request::post(format!("/v1/tenants/{tenant}/pools"), Safety::Repeatable).json(pool)?,
        )
        .await
    }

    /// Lists a tenant's pools by name.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pool_list(
        &self,
        tenant: &Name,
        filter: &Filter,
    ) -> Result<Answer<List<Pool>>, Error> {
        self.read(filter.apply(Request::get(format!("/v1/tenants/{tenant}/pools"))))
            .await
    }

    /// Lists the pools of all tenants, by tenant and name.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pool_list_all(&self, filter: &Filter) -> Result<Answer<List<Pool>>, Error> {
        self.read(filter.apply(Request::get("/v1/pools".to_owned())))
            .await
    }

    /// Shows a pool.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pool_show(&self, tenant: &Name, pool: &Name) -> Result<Answer<Pool>, Error> {
        self.read(Request::get(format!("/v1/tenants/{tenant}/pools/{pool}")))
            .await
    }

    /// Edits a pool by a merge patch (RFC 7396), where `if_revision` is given only if it has that
    /// revision.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pool_edit(
        &self,
        tenant: &Name,
        pool: &Name,
        patch: &impl Serialize,
        if_revision: Option<u64>,
    ) -> Result<Answer<Pool>, Error> {
        let request = Request::patch(format!("/v1/tenants/{tenant}/pools/{pool}")).json(patch)?;
        self.mutate(request.header(headers::IF_REVISION, if_revision))
            .await
    }

    /// Removes a pool that holds nothing, where `if_revision` is given only if it has that revision.
    /// Never repeated after an unknown outcome: somebody may have made it anew.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pool_delete(
        &self,
        tenant: &Name,
        pool: &Name,
        if_revision: Option<u64>,
    ) -> Result<Answer<Pool>, Error> {
        let request = Request::delete(format!("/v1/tenants/{tenant}/pools/{pool}"), Safety::Once);
        self.mutate(request.header(headers::IF_REVISION, if_revision))
            .await
    }

    /// Removes a pool with what is under it, as far as it was given at or before a revision; with a
    /// limit at most so many blocks, the first in order of address. Safe to repeat, since what is given
    /// later is not meant, but where the limit is below that of one write: it would release as many again. Where an attempt was perhaps done and the pool is gone after it, it is
    /// deleted: what that attempt released is not counted then.
    ///
    /// # Errors
    /// [`Error`]; [`Error::OutcomeUnknown`] where an attempt was perhaps done and the pool has another
    /// revision than `if_revision` after it: that attempt changes it as anybody else may.
    pub async fn pool_cascade(
        &self,
        tenant: &Name,
        pool: &Name,
        as_of_revision: u64,
        limit: Option<u32>,
        if_revision: Option<u64>,
    ) -> Result<Answer<PoolCascaded>, Error> {
        let path = format!("/v1/tenants/{tenant}/pools/{pool}");
        let request = Request::delete(path, step_safety(limit))
            .query("cascade", Some(true))
            .query("asOfRevision", Some(as_of_revision))
            .query("limit", limit)
            .header(headers::IF_REVISION, if_revision);
        match self.mutate_told(request).await {
            Ok(answer) => Ok(answer),
            Err(Failed {
                error: Error::Refused(problem),
                perhaps_done: true,
                endpoint,
            }) => repeated_cascade(problem, &endpoint),
            Err(failed) => Err(failed.error),
        }
    }

    /// Lists a pool's free blocks.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pool_free(
        &self,
        tenant: &Name,
        pool: &Name,
        which: FreeBlocks,
    ) -> Result<Answer<Free>, Error> {
        let request = Request::get(format!("/v1/tenants/{tenant}/pools/{pool}/free"))
            .query("prefixLength", which.prefix_length)
            .query("limit", which.limit)
            .query("count", which.count.then_some(true));
        self.read(request).await
    }

    /// Shows a pool's layout from an address on, in cells of a length.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pool_map(
        &self,
        tenant: &Name,
        pool: &Name,
        length: Option<u8>,
        from: Option<Address>,
    ) -> Result<Answer<PoolMap>, Error> {
        let request = Request::get(format!("/v1/tenants/{tenant}/pools/{pool}/map"))
            .query("prefixLength", length)
            .query("from", from);
        self.read(request).await
    }

    /// Shows a pool with its descendants.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pool_tree(&self, tenant: &Name, pool: &Name) -> Result<Answer<PoolTree>, Error> {
        self.read(Request::get(format!(
            "/v1/tenants/{tenant}/pools/{pool}/tree"
        )))
        .await
    }
}

/// What the refusal of a repeat says of a cascade of which an attempt was perhaps done.
fn repeated_cascade(problem: Box<Problem>, endpoint: &str) -> Result<Answer<PoolCascaded>, Error> {
    match problem.known_code() {
        Some(Code::PoolNotFound) => Ok(Answer {
            status: 200,
            revision: problem.revision,
            body: PoolCascaded {
                released: 0,
                remaining: 0,
                newer: 0,
                deleted: true,
                revision: problem.revision.unwrap_or_default(),
            },
        }),
        Some(Code::RevisionMismatch) => Err(unknown(endpoint, Cause::Problem(problem))),
        _ => Err(Error::Refused(problem)),
    }
}
