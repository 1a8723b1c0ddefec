//! `ipamctl import` and `export` against three nodes, one of which dies on the way.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use cluster_tests::tenant::Tenant;
use cluster_tests::{TestCluster, binary, wait};
use serde_json::{Value, json};

const ROWS: u32 = 20_000;

fn ipamctl(cluster: &TestCluster, home: &Path) -> Result<Command> {
    let endpoints: Vec<String> = cluster
        .addresses()
        .iter()
        .map(|address| format!("http://{address}"))
        .collect();
    let mut command = Command::new(binary::ipamctl()?);
    command
        .env("IPAMCTL_ENDPOINTS", endpoints.join(","))
        .env("IPAMCTL_TENANT", "moved")
        .env("XDG_CONFIG_HOME", home)
        .current_dir(home)
        .stdin(Stdio::null());
    Ok(command)
}

fn counts(output: &Output) -> Result<Value> {
    let document: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(document["items"][0].clone())
}

fn rows() -> Result<String> {
    let mut rows = "name,cidr,owner,labels\n".to_owned();
    for number in 0..ROWS {
        let [_, _, high, low] = number.to_be_bytes();
        writeln!(
            rows,
            "c{number},10.0.{high}.{low},node-{}/eth0,app=web;tier=a\\;b",
            number % 100
        )?;
    }
    // The last line asks for what the first one has.
    rows += "again,10.0.0.0,node-0/eth0,\n";
    Ok(rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_goes_on_over_a_dead_leader_and_comes_out_as_it_went_in() -> Result<()> {
    let mut cluster = TestCluster::three().await?;
    let home = tempfile::tempdir()?;
    let (leader, _) = cluster.leader().await?;
    let other = cluster
        .ids()
        .into_iter()
        .find(|id| *id != leader)
        .context("a follower")?;
    let mut connection = cluster.connection(other);
    let tenant = Tenant::create(&mut connection, "moved").await?;
    for pool in ["one", "two"] {
        let cidr = if pool == "one" {
            "10.0.0.0/16"
        } else {
            "10.1.0.0/16"
        };
        let pool = json!({ "name": pool, "cidrs": [cidr] });
        tenant.pool_create(&mut connection, &pool).await?;
    }
    std::fs::write(home.path().join("rows.csv"), rows()?)?;

    let mut import = ipamctl(&cluster, home.path())?;
    import.args(["import", "rows.csv", "-o", "json"]);
    let import = import
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let claims = tenant.path("claims?limit=1");
    wait::until(
        "the first rows are there",
        cluster_tests::cluster::READY_WITHIN,
        || {
            let (mut connection, claims) = (cluster.connection(other), claims.clone());
            async move {
                let page = connection.get(&claims).await.ok()?.json();
                page["items"].get(0).map(drop)
            }
        },
    )
    .await?;
    cluster.kill(leader)?;
    let output = tokio::task::spawn_blocking(move || import.wait_with_output()).await??;
    let first = counts(&output)?;
    // A batch that was sent twice, since its answer got lost, finds its claims made.
    let done = first["created"].as_u64().unwrap_or(0) + first["unchanged"].as_u64().unwrap_or(0);
    ensure!(done == u64::from(ROWS) && first["refused"] == 1, "{first}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(5), "{told}");
    ensure!(
        told.contains(&format!("line {}: 10.0.0.0/32 for again", ROWS + 2)),
        "{told}"
    );

    let again = ipamctl(&cluster, home.path())?
        .args(["import", "rows.csv", "-o", "json"])
        .output()?;
    let second = counts(&again)?;
    ensure!(
        second["created"] == 0 && second["unchanged"] == ROWS && second["refused"] == 1,
        "{second}"
    );

    // What was exported is imported as it was; also as JSON, and only of the pool that is named.
    for format in ["csv", "json"] {
        let exported = ipamctl(&cluster, home.path())?
            .args(["export", "claims", "--format", format])
            .output()?;
        ensure!(exported.status.success());
        std::fs::write(home.path().join("exported"), &exported.stdout)?;
        let back = ipamctl(&cluster, home.path())?
            .args(["import", "exported", "-o", "json"])
            .output()?;
        let back = counts(&back)?;
        ensure!(
            back["rows"] == ROWS && back["unchanged"] == ROWS,
            "{format}: {back}"
        );
    }
    let pools = ipamctl(&cluster, home.path())?
        .args(["export", "pools", "--format", "json"])
        .output()?;
    std::fs::write(home.path().join("pools.json"), &pools.stdout)?;
    let applied = ipamctl(&cluster, home.path())?
        .args(["apply", "-f", "pools.json", "-o", "json"])
        .output()?;
    let applied: Value = serde_json::from_slice(&applied.stdout)?;
    let actions: Vec<&Value> = applied["items"]
        .as_array()
        .context("the steps")?
        .iter()
        .map(|step| &step["action"])
        .collect();
    ensure!(actions == ["unchanged", "unchanged"], "{applied}");
    let listed = connection
        .get(&tenant.path("claims/c7"))
        .await?
        .expect(200)?;
    ensure!(
        listed["pool"] == "one" && listed["labels"] == json!({ "app": "web", "tier": "a;b" }),
        "{listed}"
    );
    Ok(())
}
