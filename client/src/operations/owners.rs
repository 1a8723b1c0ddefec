//! What owners hold.

use allocator::name::Name;
use api::requests::{OwnerRelease, OwnersReconcile};
use api::views::{OwnerReleased, Reconciled};

use crate::request::{Request, Safety};
use crate::{Answer, Client, Error};

impl Client {
    /// Gives back what an owner holds, or some holdings; safe to repeat, since what is given later is
    /// not meant. A repeat after an unknown outcome counts what it finds, not what was done before.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn owner_release(
        &self,
        tenant: &Name,
        release: &OwnerRelease,
    ) -> Result<Answer<OwnerReleased>, Error> {
        let path = format!("/v1/tenants/{tenant}/owners/release");
        self.mutate(Request::post(path, Safety::Repeatable).json(release)?)
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
