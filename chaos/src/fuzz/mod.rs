//! What reads bytes that come from outside, given any bytes at all: each target takes an input and panics where it
//! finds something that must not be. `chaos/fuzz` gives them inputs for as long as one wants, a test those of the corpus.
//!
//! A refusal is the right answer to most inputs. What must not be: a panic, memory beyond the bounds, and something
//! that is taken and then is not what it was.

mod bodies;
mod commands;
mod frames;
mod log;
mod manifests;
mod names;
mod seal;
mod snapshots;
mod store;

/// Something that reads bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, that of its program in `chaos/fuzz` and of its folder in the corpus.
    pub name: &'static str,
    /// Reads one input, and tells whether something of it was taken.
    pub read: fn(&[u8]) -> bool,
}

/// All targets.
pub const TARGETS: [Target; 7] = [
    Target {
        name: "log",
        read: log::read,
    },
    Target {
        name: "snapshots",
        read: snapshots::read,
    },
    Target {
        name: "frames",
        read: frames::read,
    },
    Target {
        name: "bodies",
        read: bodies::read,
    },
    Target {
        name: "names",
        read: names::read,
    },
    Target {
        name: "manifests",
        read: manifests::read,
    },
    Target {
        name: "commands",
        read: commands::read,
    },
];

/// Reads one input of the target of that name.
///
/// # Panics
/// There is no such target, or it has found something.
pub fn read(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("no target is called {name}"));
    (target.read)(input);
}
