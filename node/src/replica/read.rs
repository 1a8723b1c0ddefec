//! Leave to read what is applied here.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Consistency, Inner, ReadError, ReadStamp};

impl Inner {
    pub(super) async fn read_ready(
        &self,
        consistency: Consistency,
        deadline: Instant,
    ) -> Result<ReadStamp, ReadError> {
        if self.stop.is_cancelled() {
            return Err(ReadError::Stopping);
        }
        match consistency {
            Consistency::Linearizable => self.read_linearizable(deadline).await,
            Consistency::Local {
                min_revision,
                max_staleness_ms,
            } => {
                self.read_local(min_revision, max_staleness_ms, deadline)
                    .await
            }
        }
    }

    async fn read_linearizable(&self, deadline: Instant) -> Result<ReadStamp, ReadError> {
        let point = self
            .rounds
            .point(deadline)
            .await
            .ok_or(ReadError::NoLeader)?;
        if !self.applied_here(point.index, deadline).await {
            return Err(ReadError::NoLeader);
        }
        self.freshness.confirmed(point.sent_at);
        Ok(ReadStamp {
            leader: Some(point.leader),
            staleness_ms: None,
        })
    }

    async fn read_local(
        &self,
        min_revision: Option<u64>,
        max_staleness_ms: Option<u64>,
        deadline: Instant,
    ) -> Result<ReadStamp, ReadError> {
        if let Some(wanted) = min_revision.filter(|wanted| *wanted > self.applied.at().revision) {
            let mut applied = self.applied.watch();
            if timeout_at(deadline, applied.wait_for(|at| at.revision >= wanted))
                .await
                .is_err()
            {
                let reached = self.applied.at().revision;
                return Err(ReadError::MinRevisionNotReached { wanted, reached });
            }
        }
        let mut staleness = self.freshness.staleness(&self.applied);
        if let Some(max) = max_staleness_ms.map(Duration::from_millis)
            && staleness.is_none_or(|staleness| staleness > max)
        {
            // Nobody may have read here for a while; what is old to our knowledge can be fresh.
            if let Some(point) = self.rounds.point(deadline).await
                && self.applied_here(point.index, deadline).await
            {
                self.freshness.confirmed(point.sent_at);
            }
            staleness = self.freshness.staleness(&self.applied);
            if staleness.is_none_or(|staleness| staleness > max) {
                return Err(ReadError::Stale {
                    staleness_ms: staleness.map(millis),
                });
            }
        }
        Ok(ReadStamp {
            leader: self.consensus.standing().leadership.leader,
            staleness_ms: staleness.map(millis),
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
