//! What a client is told stands on a quorum's disks before it is told.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::requirements::{Requirement, say, skipped};
use cluster_tests::syscalls::{answered_at, durable_at, read};
use cluster_tests::tenant::Tenant;
use cluster_tests::wait;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(20);
const CALLS: &str = "trace=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_synced_on_a_quorum_before_the_answer() -> Result<()> {
    let test = "the_log_is_synced_on_a_quorum_before_the_answer";
    if skipped(test, &[Requirement::Program("strace"), Requirement::Ptrace]) {
        return Ok(());
    }
    let cluster = TestCluster::three().await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "traced").await?;
    tenant
        .pool_create(
            &mut connection,
            &json!({ "name": "p", "cidrs": ["10.0.0.0/24"] }),
        )
        .await?;

    // Asked of the leader, then of a follower, which hands it on.
    for asked_of_leader in [true, false] {
        let folder = TempDir::new()?;
        let tracers: Vec<Tracer> = cluster
            .ids()
            .into_iter()
            .map(|id| Tracer::attach(&cluster, id, folder.path()))
            .collect::<Result<_>>()?;
        for tracer in &tracers {
            tracer.attached().await?;
        }
        let (leader, term) = cluster.leader().await?;
        let asked = cluster
            .ids()
            .into_iter()
            .find(|id| (*id == leader) == asked_of_leader)
            .context("a node to ask")?;
        let name = format!("claim-of-{asked}-under-trace");
        tenant
            .claim(
                &mut cluster.connection(asked),
                &json!({ "name": name, "pool": "p" }),
            )
            .await?
            .expect(201)?;
        ensure!(
            cluster.leader().await? == (leader, term),
            "one leader throughout"
        );
        for tracer in tracers {
            tracer.detach().await?;
        }

        let calls_of = |id: u64| read(folder.path(), &format!("node-{id}"));
        let answered = answered_at(
            &calls_of(asked)?,
            &cluster.address(asked).to_string(),
            &name,
        )
        .context("the trace shows the answer")?;
        let mut durable = Vec::new();
        for id in cluster.ids() {
            let directory = cluster.data_dir(id).display().to_string();
            durable.push((id, durable_at(&calls_of(id)?, &directory, &name)));
        }
        let in_time: Vec<u64> = durable
            .iter()
            .filter(|(_, at)| at.is_some_and(|at| at <= answered))
            .map(|(id, _)| *id)
            .collect();
        ensure!(
            in_time.contains(&leader),
            "the leader {leader} answered at {answered}, durable {durable:?}"
        );
        ensure!(
            in_time.len() >= 2,
            "no follower had it when it was answered at {answered}: {durable:?}"
        );
        let margin = durable
            .iter()
            .filter_map(|(_, at)| at.and_then(|at| answered.checked_sub(at)))
            .min();
        say(&format!(
            "asked of node {asked}, leader {leader}: durable on {in_time:?}, {margin:?} us before the answer"
        ));
    }
    Ok(())
}

/// An `strace` of all threads of one node; detached and ended when dropped.
struct Tracer {
    child: Child,
    said: std::path::PathBuf,
}

impl Tracer {
    fn attach(cluster: &TestCluster, id: u64, folder: &Path) -> Result<Self> {
        let process = cluster.process_id(id).context("a running node")?;
        let said = folder.join(format!("strace-{id}.log"));
        let child = Command::new("strace")
            .args([
                "-ff",
                "-ttt",
                "-T",
                "-yy",
                "-s",
                "1048576",
                "-e",
                CALLS,
                "-e",
                "signal=none",
            ])
            .args(["-p", &process.to_string(), "-o"])
            .arg(folder.join(format!("node-{id}")))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(&said)?)
            .spawn()?;
        Ok(Self { child, said })
    }

    async fn attached(&self) -> Result<()> {
        wait::until("strace has attached", WITHIN, || async {
            let said = std::fs::read_to_string(&self.said).unwrap_or_default();
            said.contains("attached").then_some(())
        })
        .await
    }

    async fn detach(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::INT)?;
        let child = std::cell::RefCell::new(&mut self.child);
        wait::until("strace has detached", WITHIN, || async {
            child.borrow_mut().try_wait().ok().flatten()
        })
        .await?;
        Ok(())
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
