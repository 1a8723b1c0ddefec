//! The recipes of `docs/`, each run as it stands against three nodes of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cluster_tests::recipe::Recipe;
use cluster_tests::{TestCluster, binary};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recipes")
}

async fn run(name: &str) -> Result<()> {
    let text = std::fs::read_to_string(folder().join(name)).with_context(|| name.to_owned())?;
    let recipe = Recipe::parse(&text)?;
    ensure!(!recipe.steps.is_empty(), "{name} has commands");
    let cluster = TestCluster::three().await?;
    let home = tempfile::tempdir()?;
    let endpoints: Vec<String> = cluster
        .addresses()
        .iter()
        .map(|address| format!("http://{address}"))
        .collect();
    let program = binary::ipamctl()?;
    let beside = program.parent().context("the folder of ipamctl")?;
    let path = std::env::var("PATH").context("PATH")?;
    let environment = [
        ("PATH", &*format!("{}:{path}", beside.display())),
        ("HOME", &*home.path().display().to_string()),
        ("IPAMCTL_ENDPOINTS", &*endpoints.join(",")),
        ("XDG_CONFIG_HOME", ""),
        ("IPAMCTL_TENANT", "default"),
    ];
    recipe.run(home.path(), &environment)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubeslice_s_slices_and_clusters() -> Result<()> {
    run("kubeslice.md").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn milo_s_pools_and_claims() -> Result<()> {
    run("milo.md").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pod_addresses_of_nodes() -> Result<()> {
    run("node-pod-cidrs.md").await
}

#[test]
fn every_recipe_is_run() -> Result<()> {
    let own =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes.rs"))?;
    for entry in std::fs::read_dir(folder())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        ensure!(
            own.contains(&format!("run(\"{name}\")")),
            "{name} has a test"
        );
    }
    Ok(())
}
