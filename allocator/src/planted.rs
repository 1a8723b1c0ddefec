//! Bugs that are there on purpose, so that the checks that ought to find them can be seen to do so.
//!
//! They exist only in builds with the feature `planted-bugs` and with debug assertions, so in no release build; even there,
//! none is in effect until it is chosen. In every other build [`planted`] is the constant `false`.

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $bug:ident => $name:literal,)+) => {
        /// A bug that can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug {
            $($(#[doc = $doc])+ $bug,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$bug),+];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$bug => $name,)+
                }
            }
        }
    };
}

bugs! {
    /// Entries are acknowledged when they are written, before they are synced.
    AcknowledgedBeforeSync => "acknowledged-before-sync",
    /// A vote is told to the candidate before it is synced.
    VoteNotSynced => "vote-not-synced",
    /// The log does not say what has been purged of it.
    PurgedForgotten => "purged-forgotten",
    /// The first entry after a start is applied twice.
    AppliedTwice => "applied-twice",
    /// The last of an entry's commands is answered and not done.
    LastCommandSkipped => "last-command-skipped",
    /// What ends by the log's clock ends a tick early.
    EndedATickEarly => "ended-a-tick-early",
    /// Leaders measure time by their wall clocks.
    WallClockForExpiry => "wall-clock-for-expiry",
    /// A state that is read from a snapshot or checkpoint has lost the end of one lease.
    LeaseForgotten => "lease-forgotten",
    /// A checkpoint says that it ends one entry before it does.
    CheckpointSplit => "checkpoint-split",
    /// A linearizable read does not ask the leader's quorum.
    ReadWithoutIndex => "read-without-index",
    /// A group of the log counts whatever its checksums say.
    BadChecksumAccepted => "bad-checksum-accepted",
    /// Time that was stamped in an earlier term counts, too.
    TimeCountedTwice => "time-counted-twice",
    /// A forwarded command whose outcome is unknown is proposed again.
    ForwardedTwice => "forwarded-twice",
    /// A node whose directory is gone votes as the member that it was.
    WipedMemberVotes => "wiped-member-votes",
    /// An edit of a pool gives one of its holders another holding.
    RenumberedOnEdit => "renumbered-on-edit",
}

/// Whether a bug is in effect.
#[cfg(all(feature = "planted-bugs", debug_assertions))]
pub fn planted(bug: Bug) -> bool {
    Bug::ALL.get(chosen::CHOSEN.load(chosen::ORDER)) == Some(&bug)
}

/// Whether a bug is in effect: never, in this build.
#[cfg(not(all(feature = "planted-bugs", debug_assertions)))]
pub const fn planted(_bug: Bug) -> bool {
    false
}

/// Has one bug take effect in the whole process, or none. Returns whether this build has any.
#[cfg(all(feature = "planted-bugs", debug_assertions))]
pub fn choose(bug: Option<Bug>) -> bool {
    let position = Bug::ALL.iter().position(|known| Some(*known) == bug);
    chosen::CHOSEN.store(position.unwrap_or(usize::MAX), chosen::ORDER);
    true
}

/// Has one bug take effect in the whole process, or none. Returns whether this build has any: it has none.
#[cfg(not(all(feature = "planted-bugs", debug_assertions)))]
pub const fn choose(_bug: Option<Bug>) -> bool {
    false
}

#[cfg(all(feature = "planted-bugs", debug_assertions))]
mod chosen {
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// The place of the bug among all of them; none where there is no such place.
    pub(super) static CHOSEN: AtomicUsize = AtomicUsize::new(usize::MAX);
    pub(super) const ORDER: Ordering = Ordering::SeqCst;
}
