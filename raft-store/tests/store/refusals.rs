//! Directories that are refused: each with the reason and the way out.

use std::path::Path;
use std::sync::Arc;

use expect_test::{Expect, expect};
use raft_store::env::{Env, Fs, RealEnv};
use raft_store::{OpenError, StoreOptions, open};

use crate::world::{DIR, World, simulate};

/// What a refusal says.
fn refused(world: &World, options: StoreOptions, expected: &Expect) {
    let text = simulate(async { world.open_with(options).map(|_| ()) });
    expected.assert_eq(&text.expect_err("the directory is refused").to_string());
}

fn made() -> World {
    let world = World::new(1);
    simulate(async { drop(world.open().expect("a new directory opens")) });
    world
}

#[test]
fn a_directory_of_another_node() {
    let world = made();
    let mut options = world.options();
    options.node_id = 2;
    refused(
        &world,
        options,
        &expect![[
            r#"the data directory /node/data belongs to node 1, but this is node 2; start it with --node-id 1, or give this node a directory of its own"#
        ]],
    );
}

#[test]
fn a_directory_in_use() {
    let world = World::new(1);
    simulate(async {
        let _store = world.open().expect("a new directory opens");
        let error = world
            .open()
            .map(|_| ())
            .expect_err("the directory is locked");
        expect![[r#"the data directory /node/data is in use by another process; stop that one, or give this node a directory of its own"#]].assert_eq(&error.to_string());
    });
}

#[test]
fn a_directory_in_use_on_a_real_file_system() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let env: Arc<dyn Env> = Arc::new(RealEnv::new());
    let options = || {
        let mut options = StoreOptions::new(dir.path().join("data"), 1);
        options.wal.segment_size = 1 << 20;
        options
    };
    let store = open(&env, options()).expect("a new directory opens");
    let error = open(&env, options())
        .map(|_| ())
        .expect_err("the directory is locked");
    assert!(
        matches!(
            error,
            OpenError::Identity(raft_store::IdentityError::InUse { .. })
        ),
        "{error:?}"
    );
    let raft_store::Store {
        identity,
        log,
        machine,
        applied,
        control,
        tasks,
    } = store;
    drop((identity, log, machine, applied, control));
    tasks.stopped_blocking();
    open(&env, options()).expect("the lock is free again");
}

#[test]
fn a_directory_of_another_format() {
    let world = made();
    rewrite(&world, "format 1", "format 9");
    refused(
        &world,
        world.options(),
        &expect![[
            r#"the data directory /node/data has format 9, but this program knows format 1; use the version of ipamd that wrote it"#
        ]],
    );
}

#[test]
fn a_damaged_identity() {
    let world = made();
    world
        .disk
        .damage(&Path::new(DIR).join("identity"), 40, 0x01)
        .expect("the byte is there");
    refused(
        &world,
        world.options(),
        &expect![[
            r#"the identity of the data directory /node/data is damaged; remove this member from the cluster, empty the directory, and add it again"#
        ]],
    );
}

#[test]
fn a_directory_with_strange_files() {
    let world = World::new(1);
    world
        .disk
        .create_dir_all(Path::new(DIR))
        .expect("the disk is empty");
    world
        .disk
        .create(&Path::new(DIR).join("holiday.jpg"))
        .expect("the disk is empty");
    refused(
        &world,
        world.options(),
        &expect![[
            r#"the data directory /node/data has no identity but is not empty (it holds "holiday.jpg"); give this node an empty directory, or restore the file `identity`"#
        ]],
    );
}

#[test]
fn a_directory_that_has_lost_its_log() {
    let world = made();
    for segment in world.segments() {
        world.disk.remove(&segment).expect("it is there");
    }
    refused(
        &world,
        world.options(),
        &expect![
            "the log cannot be used; repair: `ipamctl cluster remove 1` on another node, empty the data directory, start it, `ipamctl cluster add 1 --address HOST:PORT`, `ipamctl cluster promote 1`; a cluster of one is restored from a backup"
        ],
    );
}

#[test]
fn a_directory_that_cannot_be_made() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    std::fs::write(dir.path().join("file"), b"").expect("it can be written");
    let env: Arc<dyn Env> = Arc::new(RealEnv::new());
    let error = open(&env, StoreOptions::new(dir.path().join("file/data"), 1)).map(|_| ());
    let text = error.expect_err("a file is in the way").to_string();
    assert!(text.ends_with("cannot be used: making it failed; check that it exists, is not full and is writable by this user"), "{text}");
}

#[test]
fn the_log_of_another_directory() {
    let world = made();
    let other = World::new(2);
    simulate(async { drop(other.open().expect("a new directory opens")) });
    let segment = &world.segments()[0];
    let bytes = other.bytes(segment);
    world
        .disk
        .open(segment)
        .and_then(|file| file.write_at(0, &bytes))
        .expect("it can be written");
    let error =
        simulate(async { world.open().map(|_| ()) }).expect_err("the log is another directory's");
    assert!(
        matches!(
            error,
            OpenError::Log {
                source: raft_store::WalError::Foreign { .. },
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_directory_that_belongs_to_another_cluster() {
    let world = made();
    simulate(async {
        let store = world.open().expect("the directory opens");
        store.identity.set_cluster(7).expect("it has none yet");
        store.identity.set_cluster(7).expect("it is the same");
        let error = store
            .identity
            .set_cluster(8)
            .expect_err("it belongs to cluster 7");
        assert!(
            matches!(
                error,
                raft_store::IdentityError::OtherCluster {
                    found: 7,
                    asked: 8,
                    ..
                }
            ),
            "{error:?}"
        );
    });
    world.disk.kill();
    simulate(async {
        let store = world.open().expect("the directory opens");
        assert_eq!(store.identity.get().cluster, Some(7));
    });
}

/// Changes the identity's text, with a checksum that fits.
fn rewrite(world: &World, from: &str, to: &str) {
    let path = Path::new(DIR).join("identity");
    let text = String::from_utf8(world.bytes(&path)).expect("it is text");
    let body = text
        .rsplit_once("checksum")
        .expect("it ends with a checksum")
        .0
        .replace(from, to);
    let text = format!("{body}checksum {:08x}\n", crc32c::crc32c(body.as_bytes()));
    let file = world.disk.open(&path).expect("it is there");
    file.set_len(0)
        .and_then(|()| file.write_at(0, text.as_bytes()))
        .expect("it can be written");
}
