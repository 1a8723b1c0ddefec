//! Claims and releases from more connections than are served at once.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::claims::{Claimant, Claims};
use super::{Client, Target};

/// After a 429 a connection comes back at once, but for this: servers are measured, not the generator's own spinning.
const PAUSE: Duration = Duration::from_millis(2);

/// Where they go. A turn is a claim, or the release of the last one.
#[derive(Debug)]
pub(crate) struct Flood(pub(crate) Claims);

/// How a turn ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// Of the answer.
    pub(crate) status: u16,
    /// From the request to it.
    pub(crate) took: Duration,
}

impl Target for Flood {
    type Client = Flooder;

    async fn connect(&self, number: usize) -> Result<Flooder> {
        Ok(Flooder {
            claimant: self.0.connect(number).await?,
            holds: false,
            refused: false,
        })
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Flooder {
    claimant: Claimant,
    holds: bool,
    refused: bool,
}

impl Client for Flooder {
    type Told = Ended;

    async fn turn(&mut self) -> Result<Ended> {
        if self.refused {
            sleep(PAUSE).await;
        }
        let sent = Instant::now();
        let answer = if self.holds {
            self.claimant.release().await?
        } else {
            self.claimant.claim().await?
        };
        let (status, took) = (answer.status, sent.elapsed());
        self.refused = status == 429;
        if (200..300).contains(&status) {
            self.holds = !self.holds;
        }
        Ok(Ended { status, took })
    }
}
