//! Who may depend on what, told by the resolved graph of `cargo metadata`.
//!
//! 1. A crate of ours depends only on crates that [`MAY_DEPEND_ON`] gives it; there is no cycle.
//! 2. One crate knows what is durable (sled, bincode); openraft stays behind the node's seam; axum is the server's.
//! 3. What talks to a server (client, command line) has nothing of a server below it.
//! 4. The allocator's own dependencies are a list that one can read.
//! 5. What has a format or a known bug per version is pinned to one.
//! 6. Every licence in the graph is allowed by `deny.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::semver::{Op, Version, VersionReq};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// The arrows of the layout, each with all that lies behind it. Tests (dev-dependencies) may go further: [`TESTS_MAY_USE`].
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("ipam-allocator", &[]),
    ("ipam-raft-store", &["ipam-allocator"]),
    ("ipam-api", &["ipam-allocator"]),
    ("ipam-client", &["ipam-allocator", "ipam-api"]),
    ("ipamctl", &["ipam-allocator", "ipam-api", "ipam-client"]),
    ("ipamd", &["ipam-allocator", "ipam-raft-store", "ipam-api"]),
    (
        "ipam-cluster-tests",
        &[
            "ipam-allocator",
            "ipam-raft-store",
            "ipam-api",
            "ipam-client",
            "ipamd",
        ],
    ),
    (
        "ipam-chaos",
        &[
            "ipam-allocator",
            "ipam-raft-store",
            "ipam-api",
            "ipam-client",
            "ipamctl",
            "ipamd",
            "ipam-cluster-tests",
        ],
    ),
];

/// Further crates of ours that a crate's tests may use.
const TESTS_MAY_USE: &[(&str, &[&str])] = &[("ipamd", &["ipam-client"])];

/// A crate that is not ours and those of ours that may name it, in tests too.
const ONLY_NAMED_BY: &[(&str, &[&str])] = &[
    ("sled", &["ipam-raft-store"]),
    ("bincode", &["ipam-raft-store"]),
    (
        "openraft",
        &[
            "ipam-raft-store",
            "ipamd",
            "ipam-cluster-tests",
            "ipam-chaos",
        ],
    ),
    ("turmoil", &["ipam-raft-store", "ipamd", "ipam-chaos"]),
];

/// As [`ONLY_NAMED_BY`], but a test may start a small server of its own.
const ONLY_NAMED_OUTSIDE_TESTS_BY: &[(&str, &[&str])] =
    &[("axum", &["ipamd", "ipam-cluster-tests"])];

/// What must not be reachable from a program that talks to a server.
const SERVER: &[&str] = &["ipamd", "ipam-raft-store", "openraft", "sled", "axum"];

/// All that the core is made of besides itself.
const CORE: &[&str] = &["hashbrown", "ipnet", "serde", "siphasher"];

/// Pinned exactly, in the manifest and in the lock file.
const PINNED: &[(&str, &str)] = &[
    ("openraft", "0.9.25"),
    ("sled", "0.34.7"),
    ("bincode", "2.0.1"),
];

/// Unmaintained, and tolerated only below sled.
const ONLY_BELOW_SLED: &[&str] = &["fxhash", "instant"];

struct Graph {
    metadata: Metadata,
}

impl Graph {
    fn of_the_workspace() -> Self {
        let host = option_env!("TARGET").unwrap_or("x86_64-unknown-linux-gnu");
        let metadata = MetadataCommand::new()
            .manifest_path(workspace_root().join("Cargo.toml"))
            .other_options(vec![
                "--locked".to_owned(),
                "--filter-platform".to_owned(),
                host.to_owned(),
            ])
            .exec()
            .expect("cargo metadata of the workspace");
        Self { metadata }
    }

    fn ours(&self) -> Vec<&Package> {
        self.metadata.workspace_packages()
    }

    fn package(&self, id: &PackageId) -> &Package {
        self.metadata
            .packages
            .iter()
            .find(|package| package.id == *id)
            .expect("every node of the graph has its package")
    }

    /// Names of what is reachable from `name` without its tests and without going through `without`.
    fn below(&self, name: &str, without: Option<&str>) -> BTreeSet<String> {
        let resolve = self
            .metadata
            .resolve
            .as_ref()
            .expect("metadata with dependencies");
        let edges: BTreeMap<&PackageId, Vec<&PackageId>> = resolve
            .nodes
            .iter()
            .map(|node| {
                let shipped = node
                    .deps
                    .iter()
                    .filter(|edge| {
                        edge.dep_kinds
                            .iter()
                            .any(|kind| kind.kind != DependencyKind::Development)
                    })
                    .map(|edge| &edge.pkg)
                    .collect();
                (&node.id, shipped)
            })
            .collect();
        let start = self
            .ours()
            .into_iter()
            .find(|package| package.name.as_str() == name)
            .expect("a crate of ours");
        let mut seen = BTreeSet::new();
        let mut names = BTreeSet::new();
        let mut todo = vec![&start.id];
        while let Some(id) = todo.pop() {
            for next in &edges[id] {
                let next_name = self.package(next).name.to_string();
                if without != Some(next_name.as_str()) && seen.insert((*next).clone()) {
                    names.insert(next_name);
                    todo.push(next);
                }
            }
        }
        names
    }
}

fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
}

fn row<'a>(table: &[(&str, &'a [&'a str])], name: &str) -> &'a [&'a str] {
    table
        .iter()
        .find(|(key, _)| *key == name)
        .map_or(&[], |(_, allowed)| *allowed)
}

#[test]
fn our_crates_depend_on_each_other_as_the_layout_says() {
    let graph = Graph::of_the_workspace();
    let names: BTreeSet<&str> = graph
        .ours()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let known: BTreeSet<&str> = MAY_DEPEND_ON.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, known, "every crate of the workspace has its row");

    let mut wrong = Vec::new();
    for package in graph.ours() {
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| names.contains(dependency.name.as_str()))
        {
            let shipped = row(MAY_DEPEND_ON, &package.name).contains(&dependency.name.as_str());
            let tested = dependency.kind == DependencyKind::Development
                && row(TESTS_MAY_USE, &package.name).contains(&dependency.name.as_str());
            if !shipped && !tested {
                wrong.push(format!(
                    "{} -> {} ({:?})",
                    package.name, dependency.name, dependency.kind
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "arrows that the layout does not have: {wrong:#?}"
    );
}

#[test]
fn the_layout_has_no_cycle() {
    // A row lists all that lies behind it, so each crate that it names must have a smaller row, inside its own.
    for (name, allowed) in MAY_DEPEND_ON {
        for lower in *allowed {
            let beneath = row(MAY_DEPEND_ON, lower);
            assert!(
                beneath.len() < allowed.len() && beneath.iter().all(|each| allowed.contains(each)),
                "{name} -> {lower} closes a cycle or hides a dependency"
            );
        }
    }
}

#[test]
fn storage_consensus_and_server_are_each_named_by_few() {
    let graph = Graph::of_the_workspace();
    let mut wrong = Vec::new();
    for package in graph.ours() {
        for dependency in &package.dependencies {
            let everywhere = ONLY_NAMED_BY
                .iter()
                .find(|(name, _)| *name == dependency.name);
            let shipped = ONLY_NAMED_OUTSIDE_TESTS_BY.iter().find(|(name, _)| {
                *name == dependency.name && dependency.kind != DependencyKind::Development
            });
            if let Some((_, allowed)) = everywhere.or(shipped)
                && !allowed.contains(&package.name.as_str())
            {
                wrong.push(format!("{} -> {}", package.name, dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "these may not name that: {wrong:#?}");
}

#[test]
fn what_talks_to_a_server_has_no_server_below_it() {
    let graph = Graph::of_the_workspace();
    for program in ["ipam-api", "ipam-client", "ipamctl"] {
        let below = graph.below(program, None);
        let found: Vec<_> = SERVER
            .iter()
            .filter(|name| below.contains(**name))
            .collect();
        assert!(found.is_empty(), "{program} reaches {found:?}");
    }
    assert!(
        SERVER
            .iter()
            .all(|name| graph.below("ipam-chaos", None).contains(*name)),
        "the same search finds a server where there is one"
    );
}

#[test]
fn the_core_is_made_of_a_short_list() {
    let graph = Graph::of_the_workspace();
    let core = graph
        .ours()
        .into_iter()
        .find(|package| package.name.as_str() == "ipam-allocator")
        .expect("the allocator");
    let shipped: BTreeSet<&str> = core
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
        .collect();
    assert_eq!(
        shipped,
        CORE.iter().copied().collect(),
        "a new one belongs in this list, with its reason in the commit"
    );
}

#[test]
fn formats_and_bugs_are_per_version_so_versions_are_exact() {
    let graph = Graph::of_the_workspace();
    for (name, version) in PINNED {
        let asked: Vec<&VersionReq> = graph
            .ours()
            .iter()
            .flat_map(|package| &package.dependencies)
            .filter(|dependency| dependency.name == *name)
            .map(|dependency| &dependency.req)
            .collect();
        assert!(!asked.is_empty(), "{name} is used");
        for req in asked {
            let exact = matches!(req.comparators.as_slice(), [only] if only.op == Op::Exact && only.patch.is_some());
            assert!(
                exact && req.to_string() == format!("={version}"),
                "{name} {req} is not ={version}"
            );
        }
        let locked: Vec<String> = versions(&graph, name)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(locked, [*version], "{name} in the lock file");
    }
}

#[test]
fn known_bad_versions_are_not_in_the_graph() {
    let graph = Graph::of_the_workspace();
    let least = Version::new(0, 9, 20);
    for version in versions(&graph, "crossbeam-epoch") {
        assert!(
            version >= &least,
            "crossbeam-epoch {version} is unsound, {least} is not"
        );
    }
    for package in graph.ours() {
        let beside_sled = graph.below(&package.name, Some("sled"));
        for name in ONLY_BELOW_SLED {
            assert!(
                !beside_sled.contains(*name),
                "{} reaches {name} other than through sled",
                package.name
            );
        }
    }
    assert!(
        graph.below("ipam-raft-store", None).contains("fxhash"),
        "the waiver for fxhash is still needed"
    );
}

#[test]
fn every_licence_in_the_graph_is_allowed() {
    let graph = Graph::of_the_workspace();
    let allowed = licences_allowed();
    let mut wrong = Vec::new();
    for package in &graph.metadata.packages {
        let stated = package.license.as_deref().unwrap_or("");
        let accepted =
            spdx::Expression::parse_mode(stated, spdx::ParseMode::LAX).is_ok_and(|expression| {
                expression.evaluate(|req| allowed.iter().any(|licensee| licensee.satisfies(req)))
            });
        if !accepted {
            wrong.push(format!("{} {}: {stated:?}", package.name, package.version));
        }
    }
    assert!(wrong.is_empty(), "licences outside deny.toml: {wrong:#?}");
}

fn versions<'a>(graph: &'a Graph, name: &str) -> Vec<&'a Version> {
    graph
        .metadata
        .packages
        .iter()
        .filter(|package| package.name.as_str() == name)
        .map(|package| &package.version)
        .collect()
}

/// The list of `deny.toml`, so that there is one.
fn licences_allowed() -> Vec<spdx::Licensee> {
    let text = std::fs::read_to_string(workspace_root().join("deny.toml")).expect("deny.toml");
    let table: toml::Table = text.parse().expect("deny.toml is TOML");
    let list = table["licenses"]["allow"]
        .as_array()
        .expect("licenses.allow is a list");
    list.iter()
        .map(|entry| {
            spdx::Licensee::parse(entry.as_str().expect("a string")).expect("an SPDX identifier")
        })
        .collect()
}
