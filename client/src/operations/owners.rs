//! What owners hold.

use allocator::name::Name;
use allocator::owners::RELEASE_BLOCKS_MAX;
use api::requests::{OwnerRelease, OwnersReconcile};
use api::views::{OwnerReleased, Reconciled};

use crate::request::{Request, Safety};
use crate::{Answer, Client, Error};

/// A step that is to be as large as a write can be may be sent again; one of a stated size would be done
/// twice.
pub(super) fn step_safety(limit: Option<u32>) -> Safety {
    match limit {
        Some(limit) if limit < RELEASE_BLOCKS_MAX => Safety::Once,
        Some(_) | None => Safety::Repeatable,
    }
}

impl Client {
    /// Gives back what an owner holds, or some holdings; safe to repeat, since what is given later is
    /// not meant. A repeat after an unknown outcome counts what it finds, not what was done before. With a
    /// limit below that of one write there is none: it would give back as many again.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn owner_release(
        &self,
        tenant: &Name,
        release: &OwnerRelease,
    ) -> Result<Answer<OwnerReleased>, Error> {
        let path = format!("/v1/tenants/{tenant}/owners/release");
        let safety = step_safety(release.limit);
        self.mutate(Request::post(path, safety).json(release)?)
            .await
    }

    /// Declares who is there. Safe to repeat: an epoch counts once. A repeat after an unknown outcome
    /// tells how it stands, and no longer what the call before it released.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn owners_reconcile(
        &self,
        tenant: &Name,
        reconcile: &OwnersReconcile,
    ) -> Result<Answer<Reconciled>, Error> {
        let path = format!("/v1/tenants/{tenant}/owners/reconcile");
        self.mutate(Request::post(path, Safety::Repeatable).json(reconcile)?)
            .await
    }
}
