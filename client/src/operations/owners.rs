//! What owners hold.

use allocator::name::Name;
use api::requests::OwnerRelease;
use api::views::OwnerReleased;

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
}
