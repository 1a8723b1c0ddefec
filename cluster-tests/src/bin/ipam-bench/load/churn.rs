//! Claims that are released at once, so that as many are held after a load as before it.

use anyhow::Result;

use super::claims::{Claimant, Claims};
use super::{Client, Target};

/// Where they go. A turn is a claim and its release.
#[derive(Debug)]
pub(crate) struct Churn(pub(crate) Claims);

impl Target for Churn {
    type Client = Churner;

    async fn connect(&self, number: usize) -> Result<Churner> {
        Ok(Churner(self.0.connect(number).await?))
    }
}

/// One connection that claims and releases.
#[derive(Debug)]
pub(crate) struct Churner(Claimant);

impl Client for Churner {
    type Told = ();

    async fn turn(&mut self) -> Result<()> {
        self.0.turn().await?;
        self.0.release().await?.expect(200)
    }
}
