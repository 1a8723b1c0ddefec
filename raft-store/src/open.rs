//! Opening a data directory: from what is on disk to a running store, or to a reason why not.
//!
//! Invariants:
//! 1. A node starts from the newest state that checks: the checkpoint or a snapshot, and the log
//!    after it. A state that the log's purged part has outrun is of no use.
//! 2. A state ahead of the log means that the log has lost its end. It is refused, unless a received
//!    snapshot reaches as far: that one replaces the log up to its last entry, and with it whatever
//!    the state has of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::applied::{AppliedState, Applier, ApplyCore, Loaded};
use crate::background::{Background, BackgroundOptions, BackgroundParts};
use crate::checkpoint::{
    self, AppliedBackend, AppliedStore, CheckpointError, Checkpointer, LoadedCheckpoint,
    SledBackend,
};
use crate::durable::Durable;
use crate::env::{Bell, Env, Fs, Priority, inbox};
use crate::failure::{Failures, Guarded};
use crate::identity::{Claimed, Directory, IdentityError, MAKING};
use crate::machine::Machine;
use crate::snapshot::{self, SnapshotError, Snapshots};
use crate::store::{Store, StoreControl, StoreTasks};
use crate::types::LogId;
use crate::wal::{self, Examined, Owner, Place, WalError, WalOptions};
use crate::{SilentObserver, StoreObserver};

/// Where a store is and how it behaves.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The data directory, made if absent.
    pub dir: PathBuf,
    /// The node.
    pub node_id: u64,
    /// The log.
    pub wal: WalOptions,
    /// Checkpoints and snapshots.
    pub background: BackgroundOptions,
    /// Where checkpoints are kept; sled in the data directory where `None`.
    pub applied: Option<Arc<dyn AppliedBackend>>,
    /// Who is told how long things took.
    pub observer: Arc<dyn StoreObserver>,
}

impl StoreOptions {
    /// The usual ones.
    pub fn new(dir: impl Into<PathBuf>, node_id: u64) -> Self {
        Self {
            dir: dir.into(),
            node_id,
            wal: WalOptions::default(),
            background: BackgroundOptions::default(),
            applied: None,
            observer: Arc::new(SilentObserver),
        }
    }
}

/// Why a data directory cannot be opened. Each says what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// It is not this node's, or cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The log cannot be read.
    #[error("the log cannot be used; {}", replace_member(*node))]
    Log {
        /// The node.
        node: u64,
        /// Why.
        #[source]
        source: WalError,
    },
    /// The directory of snapshots cannot be read.
    #[error("the snapshots cannot be read; check the disk of the data directory")]
    Snapshot(#[from] SnapshotError),
    /// The system did not let the applied store be opened or moved out of the way.
    #[error(
        "the applied store cannot be opened; check that the disk of the data directory has room and that this user may write to it"
    )]
    Applied(#[source] io::Error),
    /// The state is ahead of the log.
    #[error(
        "the {what} has entry {applied}, but the log ends with {}: the log has lost its end; {}",
        shown(*last), replace_member(*node)
    )]
    AheadOfLog {
        /// The node.
        node: u64,
        /// What is ahead.
        what: &'static str,
        /// Its last entry.
        applied: LogId,
        /// The log's.
        last: Option<LogId>,
    },
    /// The state and the log tell different stories.
    #[error("the {what} has entry {applied}, but the log has {found} in its place; {}", replace_member(*node))]
    Conflict {
        /// The node.
        node: u64,
        /// What contradicts the log.
        what: &'static str,
        /// Its last entry.
        applied: LogId,
        /// The log's entry of that index.
        found: LogId,
    },
    /// Nothing that checks reaches the beginning of the log.
    #[error(
        "the log is purged up to {purged}, and neither the applied store nor a snapshot that checks reaches as far; {}",
        replace_member(*node)
    )]
    NoState {
        /// The node.
        node: u64,
        /// The last purged entry.
        purged: LogId,
    },
    /// The system refused a thread.
    #[error("a thread could not be started")]
    Thread(#[source] io::Error),
}

fn replace_member(node: u64) -> String {
    format!(
        "repair: `ipamctl cluster remove {node}` on another node, empty the data directory, \
         start it, `ipamctl cluster add {node} --address HOST:PORT`, `ipamctl cluster promote {node}`; \
         a cluster of one is restored from a backup"
    )
}

fn shown(id: Option<LogId>) -> String {
    id.map_or_else(|| "nothing".to_owned(), |id| format!("entry {id}"))
}

/// Opens a data directory, and starts what serves it.
///
/// # Errors
/// It is not this node's, not usable, or damaged where it must not be.
pub fn open(env: &Arc<dyn Env>, options: StoreOptions) -> Result<Store, OpenError> {
    let directory = claim(env, &options)?;
    let StoreOptions {
        dir,
        node_id: node,
        wal: wal_options,
        background: background_options,
        applied,
        observer,
    } = options;
    let place = place(env, &dir, &directory);
    let log_error = |source| OpenError::Log { node, source };
    let examined = wal::examine(&place, &wal_options).map_err(log_error)?;
    let snapshots = Arc::new(Snapshots::open(env, dir.join("snapshots"))?);
    let backend = applied.unwrap_or_else(|| Arc::new(SledBackend::new(dir.join("applied"))));
    let (store, checkpoint) = open_checkpoint(backend.as_ref(), directory.get().instance)?;
    let chosen = choose(node, &examined, checkpoint, &snapshots)?;
    // A snapshot was received, and the crash came before the log was told.
    let begins_after = chosen.loaded.last.filter(|last| {
        examined.purged().map(|id| id.index) < Some(last.index)
            && examined.id_at(last.index) != Some(*last)
    });

    let recovered = examined.settle().map_err(log_error)?;
    let failures = Failures::new();
    let snapshot_at = snapshots
        .current()
        .and_then(|current| current.meta.last_log_id);
    let durable = Arc::new(Durable::new(chosen.checkpoint_at, snapshot_at));
    let (log, mut cores) = wal::start(
        env,
        &place,
        wal_options,
        recovered,
        &failures,
        &durable,
        &observer,
    )
    .map_err(OpenError::Thread)?;
    if let Some(last) = begins_after {
        log.begin_after(last);
    }

    let applied = AppliedState::new(Arc::clone(env), chosen.loaded);
    let checkpointer = Checkpointer::new(
        store,
        directory.get().instance,
        chosen.checkpoint,
        chosen.from_checkpoint,
    );

    let bell = Bell::new();
    let (background, background_inbox) = inbox(bell.clone());
    let apply_bell = Bell::new();
    let (requests, apply_inbox) = inbox(apply_bell.clone());
    let apply_core = ApplyCore::new(
        apply_inbox,
        Arc::clone(&applied),
        failures.clone(),
        bell.clone(),
        background_options.checkpoint_bytes,
    );
    let background_core = Background::new(BackgroundParts {
        env: Arc::clone(env),
        options: background_options,
        inbox: background_inbox,
        bell: bell.clone(),
        applied: Arc::clone(&applied),
        snapshots: Arc::clone(&snapshots),
        checkpointer,
        durable: Arc::clone(&durable),
        failures: failures.clone(),
        observer,
    });
    let guarded = Guarded::new("apply", failures.clone(), apply_core);
    let (apply, driven) = Applier::new(requests, guarded);
    let core = env.spawn_core("apply", Priority::Normal, apply_bell, Box::new(driven));
    cores.0.push(core.map_err(OpenError::Thread)?);
    let guarded = Guarded::new("background", failures.clone(), background_core);
    let core = env.spawn_core("background", Priority::Background, bell, Box::new(guarded));
    cores.0.push(core.map_err(OpenError::Thread)?);

    let control = StoreControl {
        log: log.shared(),
        applied: Arc::clone(&applied),
        snapshots: Arc::clone(&snapshots),
        durable,
        background: background.clone(),
        failures,
        options: background_options,
    };
    let machine = Machine {
        applied: Arc::clone(&applied),
        apply,
        background,
        snapshots,
    };
    let identity = Arc::new(directory);
    let tasks = StoreTasks::new(cores.0, Arc::clone(&identity));
    Ok(Store {
        identity,
        log,
        machine,
        applied,
        control,
        tasks,
    })
}

/// Locks the directory; makes what a new one has.
fn claim(env: &Arc<dyn Env>, options: &StoreOptions) -> Result<Directory, OpenError> {
    let fs = env.fs();
    let dir = &options.dir;
    let unusable = |action| {
        let dir = dir.clone();
        move |source| IdentityError::Unusable {
            dir,
            action,
            source,
        }
    };
    let making = dir.join(MAKING);
    match Directory::claim(env.as_ref(), dir, options.node_id)? {
        Claimed::Existing(directory) => {
            if fs.exists(&making).map_err(unusable("reading it"))? {
                fs.remove(&making).map_err(unusable("writing to it"))?;
            }
            Ok(directory)
        }
        Claimed::New(directory) => {
            make(fs.as_ref(), dir, &making).map_err(unusable("making it"))?;
            let place = place(env, dir, &directory);
            wal::create(&place, &options.wal).map_err(|source| OpenError::Log {
                node: options.node_id,
                source,
            })?;
            fs.sync_dir(dir).map_err(unusable("syncing it"))?;
            directory.establish()?;
            fs.remove(&making).map_err(unusable("writing to it"))?;
            tracing::info!(dir = %dir.display(), instance = %format!("{:032x}", directory.get().instance), "a data directory was made");
            Ok(directory)
        }
    }
}

/// Marks a directory as being made, without what an earlier attempt has left.
fn make(fs: &dyn Fs, dir: &Path, making: &Path) -> io::Result<()> {
    if !fs.exists(making)? {
        fs.create(making)?;
        fs.sync_dir(dir)?;
    }
    for part in ["wal", "snapshots", "applied"] {
        let path = dir.join(part);
        if fs.exists(&path)? {
            fs.remove_dir_all(&path)?;
        }
    }
    fs.create_dir_all(&dir.join("wal"))
}

fn place(env: &Arc<dyn Env>, dir: &Path, directory: &Directory) -> Place {
    let identity = directory.get();
    let owner = Owner {
        node: identity.node,
        instance: identity.instance,
    };
    Place {
        fs: env.fs(),
        dir: dir.join("wal"),
        owner,
    }
}

/// Opens and reads the checkpoint; one that cannot be read is moved aside for an empty one.
fn open_checkpoint(
    backend: &dyn AppliedBackend,
    instance: u128,
) -> Result<(Box<dyn AppliedStore>, LoadedCheckpoint), OpenError> {
    let reason = match try_checkpoint(backend, instance) {
        Ok(opened) => return Ok(opened),
        Err(error) => {
            tracing::error!(error = %crate::background::chain(&error), "the applied store cannot be used");
            match error {
                CheckpointError::Store(source) if is_of_the_system(&source) => {
                    return Err(OpenError::Applied(source));
                }
                CheckpointError::Store(_) => "unreadable",
                CheckpointError::Damaged { .. }
                | CheckpointError::Record(_)
                | CheckpointError::State(_) => "damaged",
                CheckpointError::Foreign { .. } => "foreign",
            }
        }
    };
    backend.move_aside(reason).map_err(OpenError::Applied)?;
    try_checkpoint(backend, instance).map_err(|error| OpenError::Applied(io::Error::other(error)))
}

/// Whether an error says something about the machine and nothing about the store: without room, file
/// descriptors or permission a sound store looks no different from a damaged one.
pub(crate) fn is_of_the_system(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let known = [
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::ACCESS,
        Errno::PERM,
        Errno::ROFS,
        Errno::NOMEM,
        Errno::MFILE,
        Errno::NFILE,
        Errno::INTR,
        Errno::AGAIN,
    ];
    let kinds = [
        io::ErrorKind::StorageFull,
        io::ErrorKind::QuotaExceeded,
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem,
        io::ErrorKind::OutOfMemory,
    ];
    match error.raw_os_error() {
        Some(code) => known.iter().any(|errno| errno.raw_os_error() == code),
        None => kinds.contains(&error.kind()),
    }
}

fn try_checkpoint(
    backend: &dyn AppliedBackend,
    instance: u128,
) -> Result<(Box<dyn AppliedStore>, LoadedCheckpoint), CheckpointError> {
    let mut store = backend.open().map_err(CheckpointError::Store)?;
    let checkpoint = match checkpoint::load(store.as_mut(), instance) {
        Err(CheckpointError::Store(error)) if is_of_the_system(&error) => {
            // Nothing was found to be wrong with it.
            store.confirm().map_err(CheckpointError::Store)?;
            return Err(CheckpointError::Store(error));
        }
        loaded => loaded?,
    };
    store.confirm().map_err(CheckpointError::Store)?;
    Ok((store, checkpoint))
}

/// The state to start from.
struct Chosen {
    loaded: Loaded,
    checkpoint: LoadedCheckpoint,
    /// The last entry in the checkpoint, whether or not it is the state to start from.
    checkpoint_at: Option<LogId>,
    from_checkpoint: bool,
}

/// Invariants 1 and 2 of the module.
fn choose(
    node: u64,
    log: &Examined,
    mut checkpoint: LoadedCheckpoint,
    snapshots: &Snapshots,
) -> Result<Chosen, OpenError> {
    let (purged, last) = (log.purged(), log.last());
    let index = |id: Option<LogId>| id.map(|id| id.index);
    let judge = |what, at: Option<LogId>| -> Result<(), OpenError> {
        let Some(applied) = at else { return Ok(()) };
        let received = snapshots.current().filter(|current| current.received);
        if received.is_some_and(|current| current.meta.last_log_id >= at) {
            return Ok(());
        }
        if index(at) > index(last) {
            return Err(OpenError::AheadOfLog {
                node,
                what,
                applied,
                last,
            });
        }
        let at_purge = purged.filter(|purged| purged.index == applied.index);
        match at_purge.or_else(|| log.id_at(applied.index)) {
            Some(found) if found != applied => Err(OpenError::Conflict {
                node,
                what,
                applied,
                found,
            }),
            _ => Ok(()),
        }
    };
    let loaded = checkpoint.loaded.take();
    let checkpoint_at = loaded.as_ref().and_then(|loaded| loaded.last);
    judge("applied store", checkpoint_at)?;
    if let Some(current) = snapshots.current() {
        judge("snapshot", current.meta.last_log_id)?;
        if index(current.meta.last_log_id) > index(checkpoint_at) {
            match snapshot::load(&current.file) {
                Ok((_, loaded)) if index(loaded.last) >= index(purged) => {
                    tracing::info!(
                        index = index(loaded.last),
                        "the state is loaded from a snapshot"
                    );
                    return Ok(Chosen {
                        loaded,
                        checkpoint,
                        checkpoint_at,
                        from_checkpoint: false,
                    });
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(error = %crate::background::chain(&error), "the snapshot cannot be used and is moved aside");
                    snapshots.reject_current()?;
                    // Nothing explains the checkpoint any more, if that snapshot did.
                    judge("applied store", checkpoint_at)?;
                }
            }
        }
    }
    match (loaded, purged) {
        (Some(loaded), purged) if index(checkpoint_at) >= index(purged) => {
            tracing::info!(
                index = index(loaded.last),
                "the state is loaded from the last checkpoint"
            );
            Ok(Chosen {
                loaded,
                checkpoint,
                checkpoint_at,
                from_checkpoint: true,
            })
        }
        (_, Some(purged)) => Err(OpenError::NoState { node, purged }),
        (_, None) => {
            if last.is_some() {
                tracing::warn!(
                    "neither a checkpoint nor a snapshot is there; the state is made of the whole log"
                );
            }
            Ok(Chosen {
                loaded: Loaded::empty(),
                checkpoint,
                checkpoint_at,
                from_checkpoint: false,
            })
        }
    }
}
