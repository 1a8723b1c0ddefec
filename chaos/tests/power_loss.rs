//! One round here; `ipam-chaos power-loss --rounds N` runs as many as are wanted.

use chaos::power_loss;
use cluster_tests::requirements::skipped;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_claim_survives_the_power_loss_of_all_disks() -> anyhow::Result<()> {
    if skipped(
        "every_acknowledged_claim_survives_the_power_loss_of_all_disks",
        power_loss::REQUIREMENTS,
    ) {
        return Ok(());
    }
    power_loss::run(1).await
}
