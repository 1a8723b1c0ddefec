//! The kinds of faults.

use std::fmt;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident => $text:literal,)+) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl Kind {
            /// All of them.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$kind),+];
        }

        impl fmt::Display for Kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$kind => $text,)+
                })
            }
        }
    };
}

kinds! {
    /// A process is killed; what it wrote is still there.
    Crash => "crash",
    /// The same of the leader's.
    LeaderCrash => "crash of the leader",
    /// Machines lose their power at one instant, and what they had not synced: in whole, in part, torn.
    PowerLoss => "power loss",
    /// All of them do.
    PowerLossOfAll => "power loss of all",
    /// The leader is killed, and who votes for the next one loses its power as soon as it has.
    VoterPowerLoss => "power loss of a voter",
    /// A node is down for so long that the others mostly forget what it lacks.
    LongAbsence => "long absence",
    /// A node comes back with an empty disk, and is replaced after a while.
    NewDisk => "empty disk",
    /// Writes fail with EIO.
    WriteError => "write error",
    /// Writes fail after a part.
    ShortWrite => "short write",
    /// Syncs fail, and what they covered is lost.
    SyncError => "failing sync",
    /// There is no room.
    DiskFull => "full disk",
    /// Syncs take up to 12 s; a node stops after 10.
    SlowSync => "slow sync",
    /// A node is slow in everything.
    SlowNode => "slow node",
    /// A node reaches nobody.
    Isolated => "isolation",
    /// The leader reaches nobody.
    LeaderIsolated => "isolation of the leader",
    /// Two groups do not reach each other.
    Split => "split",
    /// A node is heard and hears nobody, or the other way round.
    OneWay => "one-way partition",
    /// The leader and one other do not reach each other.
    AroundLeader => "partition around the leader",
    /// Messages are lost.
    Loss => "loss",
    /// Messages come twice.
    Duplication => "duplication",
    /// Messages come after later ones.
    Reordering => "reordering",
    /// Connections break in the middle of what they carry.
    Break => "broken connections",
    /// Messages take longer.
    Delay => "delay",
    /// What a node sends stands still.
    Stall => "stall",
    /// A node's wall clock is set, by up to 63 years.
    WallClock => "wall clock",
}

impl Kind {
    /// It comes in every world, so that every world has elections, power losses and snapshots.
    pub(in crate::sim) fn always(self) -> bool {
        matches!(
            self,
            Self::LeaderCrash | Self::PowerLoss | Self::LongAbsence
        )
    }
}
