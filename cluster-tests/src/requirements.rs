//! Tests that need root or a tool say so and pass where it is missing, unless [`MUST_RUN`] is set.

use std::path::Path;
use std::process::{Command, Stdio};

/// Set by CI: a test that would skip fails instead.
pub const MUST_RUN: &str = "IPAM_TESTS_MUST_RUN";

/// What is tried in namespaces; it goes with them.
const NAMESPACES: &str = "ip link add one type bridge && ip link add two type veth peer name three \
     && nft add table ip t && nft 'add chain ip t c { type nat hook output priority -100; }'";

/// Something that a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// The user is root.
    Root,
    /// Loop devices can be made.
    LoopDevices,
    /// This program is on the path.
    Program(&'static str),
    /// Namespaces can be made, with a bridge, virtual interfaces and rules of `nft` in them.
    Namespaces,
    /// `strace` may attach to processes of the same user.
    Ptrace,
}

impl Requirement {
    /// Why it is not to be had here; `None` where it is.
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Root => (!rustix::process::geteuid().is_root()).then(|| "needs root".to_owned()),
            Self::LoopDevices => {
                (!Path::new("/dev/loop-control").exists()).then(|| "needs loop devices".to_owned())
            }
            Self::Program(name) => (!runs(Command::new(name).arg("--version"))
                && !runs(Command::new(name).arg("-V")))
            .then(|| format!("needs {name}")),
            Self::Namespaces => (!runs(Command::new("unshare").args([
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--mount-proc",
                "sh",
                "-c",
                NAMESPACES,
            ])))
            .then(|| "needs the right to make namespaces, bridges and rules of nft".to_owned()),
            Self::Ptrace => (!runs(Command::new("strace").args(["-e", "trace=none", "true"])))
                .then(|| "needs strace and the right to trace".to_owned()),
        }
    }
}

/// Whether the test is to be left out for lack of one of `requirements`; says which.
///
/// # Panics
/// Where [`MUST_RUN`] is set and something is missing.
pub fn skipped(test: &str, requirements: &[Requirement]) -> bool {
    let Some(reason) = requirements
        .iter()
        .find_map(|requirement| requirement.missing())
    else {
        return false;
    };
    assert!(
        std::env::var_os(MUST_RUN).is_none(),
        "{test} must run here, but it {reason}"
    );
    say(&format!("skipped: {test}: {reason}"));
    true
}

/// A line for whoever watches the tests, past the capture of the test runner.
pub fn say(line: &str) {
    use std::io::Write;
    // Nobody reads it: then nobody misses it.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

fn runs(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
