//! Whose directory this is.
//!
//! A data directory belongs to one node of one cluster, and draws a random *instance* id when it is
//! made: a wiped directory is another instance, and the cluster tells the two apart. The file is text,
//! so that an operator can read it; it ends with a checksum, so that it is not edited by accident.
//!
//! Invariants:
//! 1. The identity is written last when a directory is made: where it is, everything else is.
//! 2. The instance id is drawn once and never changes; the cluster id is set once. Only under an id
//!    that was drawn here may this node form a cluster.
//! 3. One process at a time: the lock is held from before the identity is read until the end.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;

use crate::env::{DirectoryLock, Env, Fs, write_durably};

const FILE: &str = "identity";
const LOCK: &str = "LOCK";
/// The layout of a data directory.
const FORMAT: u32 = 1;
/// A directory of the file system itself, which a freshly mounted disk has.
const LOST_FOUND: &str = "lost+found";

/// Whose directory it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The node.
    pub node: u64,
    /// The directory itself: drawn once, at random.
    pub instance: u128,
    /// The cluster, once this node has formed or joined one.
    pub cluster: Option<u128>,
    /// Whether the cluster's id was drawn here, to form it.
    pub drawn_here: bool,
}

/// Why a directory cannot be used.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// It cannot be made, read or written.
    #[error("the data directory {} cannot be used: {action} failed; check that it exists, is not full and is writable by this user", dir.display())]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("the data directory {} is in use by another process; stop that one, or give this node a directory of its own", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// It belongs to another node.
    #[error("the data directory {} belongs to node {found}, but this is node {asked}; start it with --node-id {found}, or give this node a directory of its own", dir.display())]
    OtherNode {
        /// The directory.
        dir: PathBuf,
        /// Its node.
        found: u64,
        /// The node that was to use it.
        asked: u64,
    },
    /// It is of a format that this program does not know.
    #[error("the data directory {} has format {found}, but this program knows format {FORMAT}; use the version of ipamd that wrote it", dir.display())]
    OtherFormat {
        /// The directory.
        dir: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It belongs to another cluster.
    #[error("the data directory {} belongs to cluster {found:032x}, not to {asked:032x}; give this node an empty directory to join that cluster", dir.display())]
    OtherCluster {
        /// The directory.
        dir: PathBuf,
        /// Its cluster.
        found: u128,
        /// The cluster that it was to join.
        asked: u128,
    },
    /// It holds files, but none that says whose they are.
    #[error("the data directory {} has no identity but is not empty (it holds {example:?}); give this node an empty directory, or restore the file `identity`", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
        /// Something in it.
        example: String,
    },
    /// The identity was changed or damaged.
    #[error("the identity of the data directory {} is damaged; remove this member from the cluster, empty the directory, and add it again", dir.display())]
    Damaged {
        /// The directory.
        dir: PathBuf,
    },
}

/// A claimed directory: its identity, and the lock on it.
#[derive(Debug)]
pub struct Directory {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    identity: Mutex<Identity>,
    _lock: DirectoryLock,
}

/// A directory that was locked.
#[derive(Debug)]
pub(crate) enum Claimed {
    /// It is in use since earlier.
    Existing(Directory),
    /// It is new: everything in it is to be made before [`Directory::establish`].
    New(Directory),
}

impl Directory {
    /// Locks a directory, made if absent, and reads whose it is.
    pub(crate) fn claim(env: &dyn Env, dir: &Path, node: u64) -> Result<Claimed, IdentityError> {
        let fs = env.fs();
        let unusable = |action| {
            let dir = dir.to_owned();
            move |source| IdentityError::Unusable {
                dir,
                action,
                source,
            }
        };
        fs.create_dir_all(dir).map_err(unusable("making it"))?;
        let lock = fs
            .lock(&dir.join(LOCK))
            .map_err(|source| match source.kind() {
                io::ErrorKind::WouldBlock => IdentityError::InUse {
                    dir: dir.to_owned(),
                },
                _ => IdentityError::Unusable {
                    dir: dir.to_owned(),
                    action: "locking it",
                    source,
                },
            })?;
        let found = read(fs.as_ref(), dir)?;
        let is_new = found.is_none();
        let identity = match found {
            Some(identity) if identity.node == node => identity,
            Some(identity) => {
                return Err(IdentityError::OtherNode {
                    dir: dir.to_owned(),
                    found: identity.node,
                    asked: node,
                });
            }
            None => {
                empty(fs.as_ref(), dir)?;
                sync_above(fs.as_ref(), dir).map_err(unusable("making it"))?;
                Identity {
                    node,
                    instance: env.random_u128(),
                    cluster: None,
                    drawn_here: false,
                }
            }
        };
        let claimed = Self {
            fs,
            dir: dir.to_owned(),
            identity: Mutex::new(identity),
            _lock: lock,
        };
        Ok(if is_new {
            Claimed::New(claimed)
        } else {
            Claimed::Existing(claimed)
        })
    }

    /// Writes the identity of a new directory: from now on it counts.
    pub(crate) fn establish(&self) -> Result<(), IdentityError> {
        self.write(self.get())
    }

    /// Whose directory it is.
    pub fn get(&self) -> Identity {
        *self.identity.lock()
    }

    /// The id under which this node may form a cluster: the one that it has drawn before, or else
    /// `drawn`, which is noted; `None` if it has joined a cluster.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn draw_cluster(&self, drawn: u128) -> Result<Option<u128>, IdentityError> {
        let mut identity = self.identity.lock();
        if identity.cluster.is_none() {
            let forming = Identity {
                cluster: Some(drawn),
                drawn_here: true,
                ..*identity
            };
            self.write(forming)?;
            *identity = forming;
        }
        Ok(identity.cluster.filter(|_| identity.drawn_here))
    }

    /// Notes the cluster that this node joins.
    ///
    /// # Errors
    /// It belongs to another cluster already, or cannot be written.
    pub fn set_cluster(&self, cluster: u128) -> Result<(), IdentityError> {
        let mut identity = self.identity.lock();
        match identity.cluster {
            Some(found) if found == cluster => Ok(()),
            Some(found) => Err(IdentityError::OtherCluster {
                dir: self.dir.clone(),
                found,
                asked: cluster,
            }),
            None => {
                let joined = Identity {
                    cluster: Some(cluster),
                    ..*identity
                };
                self.write(joined)?;
                *identity = joined;
                Ok(())
            }
        }
    }

    fn write(&self, identity: Identity) -> Result<(), IdentityError> {
        write_durably(
            self.fs.as_ref(),
            &self.dir,
            FILE,
            encode(identity).as_bytes(),
        )
        .map_err(|source| self.unusable("writing the identity", source))
    }

    fn unusable(&self, action: &'static str, source: io::Error) -> IdentityError {
        IdentityError::Unusable {
            dir: self.dir.clone(),
            action,
            source,
        }
    }
}

/// Makes the entry of a directory durable, and of all that it is in. They may have been made by now, or
/// by an attempt that came no further, or by somebody who did not sync them: with the directory, all
/// that will be acknowledged in it would be lost.
fn sync_above(fs: &dyn Fs, dir: &Path) -> io::Result<()> {
    for made in dir.ancestors() {
        let Some(parent) = made.parent() else { break };
        let is_relative = parent.as_os_str().is_empty();
        match fs.sync_dir(if is_relative { Path::new(".") } else { parent }) {
            Err(error) if made != dir && is_not_ours(&error) => {}
            other => other?,
        }
        if is_relative {
            break;
        }
    }
    Ok(())
}

/// Whether a directory above cannot have been changed by this user lately, or has nothing to sync.
fn is_not_ours(error: &io::Error) -> bool {
    [
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem,
        io::ErrorKind::InvalidInput,
    ]
    .contains(&error.kind())
}

fn read(fs: &dyn Fs, dir: &Path) -> Result<Option<Identity>, IdentityError> {
    let path = dir.join(FILE);
    let read = || -> io::Result<Option<Vec<u8>>> {
        if !fs.exists(&path)? {
            return Ok(None);
        }
        let file = fs.open(&path)?;
        let mut bytes = vec![0; usize::try_from(file.size()?.min(4_096)).unwrap_or(0)];
        file.read_exact_at(0, &mut bytes)?;
        Ok(Some(bytes))
    };
    let bytes = read().map_err(|source| IdentityError::Unusable {
        dir: dir.to_owned(),
        action: "reading the identity",
        source,
    })?;
    let Some(bytes) = bytes else { return Ok(None) };
    let damaged = || IdentityError::Damaged {
        dir: dir.to_owned(),
    };
    let text = String::from_utf8(bytes).map_err(|_| damaged())?;
    match decode(&text) {
        Some(Ok(identity)) => Ok(Some(identity)),
        Some(Err(found)) => Err(IdentityError::OtherFormat {
            dir: dir.to_owned(),
            found,
        }),
        None => Err(damaged()),
    }
}

/// A new directory holds nothing, or what an unfinished making of it has left.
fn empty(fs: &dyn Fs, dir: &Path) -> Result<(), IdentityError> {
    let names = fs.list(dir).map_err(|source| IdentityError::Unusable {
        dir: dir.to_owned(),
        action: "listing it",
        source,
    })?;
    let making = names.iter().any(|name| name == MAKING);
    for name in names {
        let known = [LOCK, LOST_FOUND, MAKING].contains(&name.as_str());
        if !known && !making {
            return Err(IdentityError::NotEmpty {
                dir: dir.to_owned(),
                example: name,
            });
        }
    }
    Ok(())
}

/// Stands in a directory while it is made.
pub(crate) const MAKING: &str = "making";

/// Stands behind the id of a cluster that was drawn here.
const DRAWN_HERE: &str = " drawn here";

fn encode(identity: Identity) -> String {
    let Identity {
        node,
        instance,
        cluster,
        drawn_here,
    } = identity;
    let drawn_here = if drawn_here { DRAWN_HERE } else { "" };
    let cluster = cluster.map_or_else(
        || "none".to_owned(),
        |cluster| format!("{cluster:032x}{drawn_here}"),
    );
    let mut text = format!(
        "ipamd data directory\nformat {FORMAT}\nnode {node}\ninstance {instance:032x}\ncluster {cluster}\n"
    );
    let sum = crc32c::crc32c(text.as_bytes());
    writeln!(text, "checksum {sum:08x}").expect("writing to a string does not fail");
    text
}

/// The identity in a text; its format if that is another; `None` if it is neither.
fn decode(text: &str) -> Option<Result<Identity, u32>> {
    let (body, checksum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let body = &text[..=body.len()];
    let sum = u32::from_str_radix(checksum.strip_prefix("checksum ")?, 16).ok()?;
    if crc32c::crc32c(body.as_bytes()) != sum {
        return None;
    }
    let mut lines = body.lines();
    (lines.next()? == "ipamd data directory").then_some(())?;
    let format = lines.next()?.strip_prefix("format ")?.parse().ok()?;
    if format != FORMAT {
        return Some(Err(format));
    }
    let node = lines.next()?.strip_prefix("node ")?.parse().ok()?;
    let instance = u128::from_str_radix(lines.next()?.strip_prefix("instance ")?, 16).ok()?;
    let cluster = lines.next()?.strip_prefix("cluster ")?;
    let drawn = cluster.strip_suffix(DRAWN_HERE);
    let drawn_here = drawn.is_some();
    let cluster = match drawn.unwrap_or(cluster) {
        "none" => None,
        id => Some(u128::from_str_radix(id, 16).ok()?),
    };
    let identity = Identity {
        node,
        instance,
        cluster,
        drawn_here,
    };
    // Numbers have several spellings; only ours is what was written.
    (encode(identity) == text).then_some(Ok(identity))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn sample() -> Identity {
        Identity {
            node: 7,
            instance: 0x1234_5678_9abc_def0,
            cluster: Some(0xfeed),
            drawn_here: false,
        }
    }

    #[test]
    fn the_file_reads_as_it_is_documented() {
        expect![[r#"
            ipamd data directory
            format 1
            node 7
            instance 0000000000000000123456789abcdef0
            cluster 0000000000000000000000000000feed
            checksum 7fd533ff
        "#]]
        .assert_eq(&encode(sample()));
    }

    #[test]
    fn a_cluster_that_was_drawn_here_is_told_from_one_that_was_joined() {
        let drawn = Identity {
            drawn_here: true,
            ..sample()
        };
        let text = encode(drawn);
        assert!(
            text.contains("cluster 0000000000000000000000000000feed drawn here\n"),
            "{text}"
        );
        assert_eq!(decode(&text), Some(Ok(drawn)));
    }

    #[test]
    fn every_changed_byte_of_the_file_is_found() {
        let text = encode(sample());
        assert_eq!(decode(&text), Some(Ok(sample())));
        for position in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            for bit in 0..8 {
                bytes[position] ^= 1 << bit;
                let found = String::from_utf8(bytes.clone()).ok();
                let found = found.and_then(|text| decode(&text));
                assert_eq!(found, None, "bit {bit} of byte {position} was changed");
                bytes[position] ^= 1 << bit;
            }
        }
        for size in 0..text.len() {
            assert_eq!(decode(&text[..size]), None, "cut to {size} bytes");
        }
    }
}
