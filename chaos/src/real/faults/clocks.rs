//! Wall clocks that are years apart. The machine's own is never set.

use std::time::Duration;

use anyhow::Result;
use rand::Rng;
use tokio::time::sleep;

use super::{Kind, Scene};

const YEAR_S: i64 = 365 * 86_400;
/// The furthest; back from today it is before 1970.
const YEARS_MAX: i64 = 70;
/// How often a clock that steps does.
const STEP_EVERY: Duration = Duration::from_secs(1);

/// Sets the wall clock of a node, or those of all, each to another time, every second anew; then back to the truth.
pub(super) async fn set(scene: &mut Scene, kind: Kind) -> Result<()> {
    let victims = if kind == Kind::ClockSteps && scene.random.random_bool(0.5) {
        scene.cluster.ids()
    } else {
        vec![scene.one_or_the_leader().await?]
    };
    scene.begins(kind, &victims, "");
    let steps = scene.random.random_range(3..=5);
    let mut offset = 0;
    for step in 0..steps {
        for victim in &victims {
            if step == 0 || kind == Kind::ClockSteps {
                offset = YEAR_S * scene.random.random_range(1..=YEARS_MAX);
            }
            let back = match kind {
                Kind::ClockForward => false,
                Kind::ClockBack => true,
                _ => scene.random.random_bool(0.5),
            };
            // It steps by a second each time, too, on top of the years.
            let seconds = offset + i64::from(step);
            let signed = if back { -seconds } else { seconds };
            scene
                .cluster
                .node(*victim)
                .control
                .set_clock_offset(signed)?;
        }
        sleep(STEP_EVERY).await;
    }
    for victim in &victims {
        scene.cluster.node(*victim).control.heal()?;
    }
    scene.ends();
    Ok(())
}
