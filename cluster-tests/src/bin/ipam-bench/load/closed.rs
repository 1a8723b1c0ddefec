//! A closed loop: each connection asks again as soon as it was answered.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Client, Seen, Target, Turn};

/// How many connections ask, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closed {
    pub(crate) connections: usize,
    /// What is answered before this is over does not count.
    pub(crate) warm_up: Duration,
    pub(crate) lasts: Duration,
}

/// Lets the load come. A turn that begins before its end and is answered after it counts among the times, not in the rate.
pub(crate) async fn closed<T: Target>(
    target: &Arc<T>,
    load: Closed,
) -> Result<Seen<<T::Client as Client>::Told>> {
    let target = Arc::clone(target);
    super::on_own_thread(move || async move {
        let connected = super::connected(&*target, load.connections).await?;
        let from = Instant::now() + load.warm_up;
        let until = from + load.lasts;
        let mut clients = JoinSet::new();
        for mut client in connected {
            clients.spawn_local(async move {
                let mut seen = Seen::nothing(load.lasts);
                let mut intended = Instant::now();
                while intended < until {
                    let told = client.turn().await?;
                    let ended = Instant::now();
                    seen.ended += u32::from(ended >= from && ended < until);
                    if intended >= from {
                        let took = ended - intended;
                        seen.turns.push(Turn {
                            intended,
                            took,
                            told,
                        });
                    } else {
                        seen.warm.push(told);
                    }
                    intended = ended;
                }
                anyhow::Ok(seen)
            });
        }
        super::together(clients, load.lasts).await
    })
    .await
}
