//! What a point is called: the step of the script, what is done, and to what.

use std::fmt;
use std::path::Path;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    Create,
    MakeDirectory,
    Allocate,
    SetLength,
    /// Writes within the file's size.
    Write,
    /// Writes beyond it.
    Extend,
    Sync,
    Rename,
    Remove,
    RemoveDirectory,
    SyncDirectory,
    /// Notes something in a durable mark of its own.
    Note,
}

impl Act {
    /// Whether a full disk refuses it.
    pub(super) fn takes_room(self) -> bool {
        match self {
            Self::Create | Self::MakeDirectory | Self::Allocate | Self::Extend | Self::Note => true,
            Self::SetLength
            | Self::Write
            | Self::Sync
            | Self::Rename
            | Self::Remove
            | Self::RemoveDirectory
            | Self::SyncDirectory => false,
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::MakeDirectory => "make",
            Self::Allocate => "allocate",
            Self::SetLength => "set length of",
            Self::Write => "write",
            Self::Extend => "extend",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::Remove | Self::RemoveDirectory => "remove",
            Self::SyncDirectory => "sync entries of",
            Self::Note => "note in",
        }
    }
}

/// The name of a point. Several points may have one name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label {
    pub(super) step: &'static str,
    /// Who does it, where it is not the caller.
    pub(super) core: &'static str,
    pub(super) act: Act,
    pub(super) class: String,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.core.is_empty() { "" } else { " by " };
        let verb = self.act.verb();
        write!(f, "{}: {verb} {}{by}{}", self.step, self.class, self.core)
    }
}

/// What a path is to the store.
pub(super) fn class(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let known = match name.as_ref() {
        "" => "root",
        "node" => "parent",
        "data" => "directory",
        "wal" => "log",
        "snapshots" => "snapshots",
        "identity" => "identity",
        "identity.tmp" => "new identity",
        "LOCK" => "lock",
        "making" => "mark of making",
        "vote" => "vote",
        name => {
            let endings = [
                (".wal", "segment"),
                (".built.snapshot", "built snapshot"),
                (".received.snapshot", "received snapshot"),
                (".snapshot.damaged", "damaged snapshot"),
                (".tmp", "unnamed snapshot"),
            ];
            let ending = endings.iter().find(|(ending, _)| name.ends_with(ending));
            ending.map_or(name, |(_, class)| class)
        }
    };
    known.to_owned()
}
