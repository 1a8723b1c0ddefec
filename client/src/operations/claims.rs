//! Claims and batches.

use allocator::name::Name;
use api::requests::{Batch, BatchOperation, ClaimConfirm, ClaimCreate, ClaimRenew, generated_name};
use api::views::{self, Claim, List};
use rand::Rng;
use serde::Serialize;

use super::Filter;
use crate::request::{Request, Safety};
use crate::{Answer, Client, Consistency, Error};

impl Client {
    /// Claims a block. A claim that states no name is given one here, so that the request can be
    /// repeated until its outcome is known.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn claim_create(
        &self,
        tenant: &Name,
        claim: &ClaimCreate,
    ) -> Result<Answer<Claim>, Error> {
        let request = Request::post(format!("/v1/tenants/{tenant}/claims"), Safety::Repeatable);
        self.mutate(request.json(&named(claim))?).await
    }

    /// Lists a tenant's claims by name.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn claim_list(
        &self,
        tenant: &Name,
        filter: &Filter,
    ) -> Result<Answer<List<Claim>>, Error> {
        self.read(filter.apply(Request::get(format!("/v1/tenants/{tenant}/claims"))))
            .await
    }

    /// Lists the claims of all tenants, by tenant and name.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn claim_list_all(&self, filter: &Filter) -> Result<Answer<List<Claim>>, Error> {
        self.read(filter.apply(Request::get("/v1/claims".to_owned())))
            .await
    }

    /// Shows a claim.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn claim_show(&self, tenant: &Name, claim: &Name) -> Result<Answer<Claim>, Error> {
        self.read(Request::get(format!("/v1/tenants/{tenant}/claims/{claim}")))
            .await
    }

    /// Releases that holding of a claim; one that has already ended is answered as it last was.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn claim_release(
        &self,
        tenant: &Name,
        claim: &Name,
        generation: u64,
    ) -> Result<Answer<Claim>, Error> {
        let request = Request::delete(
            format!("/v1/tenants/{tenant}/claims/{claim}"),
            Safety::Repeatable,
        );
        self.mutate(request.query("generation", Some(generation)))
            .await
    }

    /// Tells that the holder uses its block. Not repeated after an unknown outcome where neither owner
    /// nor generation is stated: the name may be another holder's by then.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn claim_confirm(
        &self,
        tenant: &Name,
        claim: &Name,
        confirm: &ClaimConfirm,
    ) -> Result<Answer<Claim>, Error> {
        let path = format!("/v1/tenants/{tenant}/claims/{claim}/confirm");
        let safety = held_safety(confirm.owner.as_deref(), confirm.generation);
        self.mutate(Request::post(path, safety).json(confirm)?)
            .await
    }

    /// Begins a lease anew, from now; a repeat after an unknown outcome only counts from later. Without
    /// owner and generation there is none: the name may be another holder's by then.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn claim_renew(
        &self,
        tenant: &Name,
        claim: &Name,
        renew: &ClaimRenew,
    ) -> Result<Answer<Claim>, Error> {
        let path = format!("/v1/tenants/{tenant}/claims/{claim}/renew");
        let safety = held_safety(renew.owner.as_deref(), renew.generation);
        self.mutate(Request::post(path, safety).json(renew)?).await
    }

    /// Edits what a claim says of itself, by a merge patch (RFC 7396).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn claim_edit(
        &self,
        tenant: &Name,
        claim: &Name,
        patch: &impl Serialize,
    ) -> Result<Answer<Claim>, Error> {
        self.mutate(Request::patch(format!("/v1/tenants/{tenant}/claims/{claim}")).json(patch)?)
            .await
    }

    /// Releases whatever the claim holds now: its generation is looked up first, so that a repeat
    /// never releases what the name was given later.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn claim_release_current(
        &self,
        tenant: &Name,
        claim: &Name,
    ) -> Result<Answer<Claim>, Error> {
        let shown = self
            .with_consistency(Consistency::Linearizable)
            .claim_show(tenant, claim)
            .await?;
        self.claim_release(tenant, claim, shown.body.status.generation)
            .await
    }

    /// Applies a batch. Claims that state no name are given one; a release without a generation
    /// makes the batch one that is not repeated after an unknown outcome.
    ///
    /// # Errors
    /// [`Error`]. An atomic batch that is refused has `failedIndex` and `results` in its problem.
    pub async fn batch_apply(
        &self,
        tenant: &Name,
        batch: &Batch,
    ) -> Result<Answer<views::Batch>, Error> {
        let operations = batch.operations.iter().map(|operation| BatchOperation {
            create_claim: operation.create_claim.as_ref().map(named),
            release_claim: operation.release_claim.clone(),
        });
        let batch = Batch {
            atomic: batch.atomic,
            operations: operations.collect(),
        };
        let releases = batch
            .operations
            .iter()
            .filter_map(|operation| operation.release_claim.as_ref());
        let fenced = releases
            .into_iter()
            .all(|release| release.generation.is_some());
        let safety = if fenced {
            Safety::Repeatable
        } else {
            Safety::Once
        };
        self.mutate(Request::post(format!("/v1/tenants/{tenant}/batch"), safety).json(&batch)?)
            .await
    }
}

/// What names its holder or its holding may be sent again.
fn held_safety(owner: Option<&str>, generation: Option<u64>) -> Safety {
    if owner.is_some() || generation.is_some() {
        Safety::Repeatable
    } else {
        Safety::Once
    }
}

fn named(claim: &ClaimCreate) -> ClaimCreate {
    let mut claim = claim.clone();
    claim
        .name
        .get_or_insert_with(|| generated_name(rand::rng().random()).to_string());
    claim
}
