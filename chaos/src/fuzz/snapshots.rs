//! A snapshot, as another node may send it.

use allocator::State;
use openraft::storage::RaftStateMachine;
use raft_store::Store;

use super::seal;
use super::store::{Machine, close, process};

/// An even first byte: the rest is a snapshot as it is. An odd one: its checksum is made right first.
///
/// It is refused, or the state that it makes is sound, and is the same when the store is opened again.
pub(super) fn read(input: &[u8]) -> bool {
    let Some((mode, bytes)) = input.split_first() else {
        return false;
    };
    let mut bytes = bytes.to_vec();
    if mode % 2 == 1 {
        seal::snapshot(&mut bytes);
    }
    let machine = Machine::with_an_empty_store();
    let Some(digest) = process(install(&machine, &bytes)) else {
        return false;
    };
    let again = process(async {
        let store = machine.open().expect("it was opened before");
        let digest = store.applied.read(State::digest);
        close(store).await;
        digest
    });
    assert_eq!(again, digest, "the state is not what it was");
    true
}

/// The digest of the state that was installed.
async fn install(machine: &Machine, bytes: &[u8]) -> Option<u128> {
    let mut store = machine.open().expect("it was opened before");
    let installed = receive(&mut store, bytes).await;
    let digest = store.applied.read(|state| {
        state.audit().expect("the state is sound");
        state.digest()
    });
    close(store).await;
    installed.map(|()| digest)
}

async fn receive(store: &mut Store, bytes: &[u8]) -> Option<()> {
    let file = store.control.snapshot_create().expect("there is room");
    file.write_at(0, bytes).expect("there is room");
    let meta = file.verify().ok()?;
    let received = store.control.snapshot_receive(meta.clone(), file).await;
    let installed = store
        .machine
        .install_snapshot(&meta, Box::new(received.ok()?));
    installed.await.ok()
}
