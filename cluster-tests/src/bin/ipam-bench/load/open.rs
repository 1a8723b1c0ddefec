//! An open loop: turns begin at their times, over whichever connection is free first.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Client, Seen, Target, Turn};

/// From the connections to the first turn.
const LEAD: Duration = Duration::from_millis(20);

/// How many connections there are, and how many turns begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    /// A turn that finds none free waits, and the wait counts.
    pub(crate) connections: usize,
    /// Turns a second.
    pub(crate) rate: u32,
    pub(crate) lasts: Duration,
}

impl Open {
    /// That rate over 64 connections.
    pub(crate) fn at(rate: u32, lasts: Duration) -> Self {
        Self {
            connections: 64,
            rate,
            lasts,
        }
    }
}

/// Lets the load come, and waits until all turns are answered.
pub(crate) async fn open<T: Target>(
    target: &Arc<T>,
    load: Open,
) -> Result<Seen<<T::Client as Client>::Told>> {
    let target = Arc::clone(target);
    super::on_own_thread(move || async move {
        let connected = super::connected(&*target, load.connections).await?;
        let period = Duration::from_secs(1) / load.rate;
        let total = u32::try_from(load.lasts.as_micros() / period.as_micros())?;
        let (next, due) = (Rc::new(Cell::new(0)), Arc::new(Semaphore::new(0)));
        let start = Instant::now() + LEAD;
        let mut clients = JoinSet::new();
        for mut client in connected {
            let (next, due) = (Rc::clone(&next), Arc::clone(&due));
            clients.spawn_local(async move {
                let mut seen = Seen::nothing(load.lasts);
                loop {
                    due.acquire().await?.forget();
                    let number = next.get();
                    next.set(number + 1);
                    if number >= total {
                        return anyhow::Ok(seen);
                    }
                    let intended = start + period * number;
                    let told = client.turn().await?;
                    let took = intended.elapsed();
                    seen.ended += 1;
                    seen.turns.push(Turn {
                        intended,
                        took,
                        told,
                    });
                }
            });
        }
        let pacing = pace(start, period, total, load.connections, due)?;
        let mut seen = super::together(clients, load.lasts).await?;
        // Where the last answers were late, fewer were given in a second than were asked for.
        seen.lasted = load.lasts.max(start.elapsed());
        ensure!(pacing.join().is_ok(), "the thread that paces has ended");
        Ok(seen)
    })
    .await
}

/// Gives each turn its go at its time. A thread, since the runtime's timers tell milliseconds at best.
fn pace(
    start: Instant,
    period: Duration,
    total: u32,
    connections: usize,
    due: Arc<Semaphore>,
) -> Result<std::thread::JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("pace".to_owned());
    thread
        .spawn(move || {
            for number in 0..total {
                std::thread::sleep(
                    (start + period * number).saturating_duration_since(Instant::now()),
                );
                due.add_permits(1);
            }
            due.add_permits(connections);
        })
        .context("a thread")
}
