//! The network: a bridge, and behind it a namespace for each node, all of it inside namespaces of this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::power_loss::disk::run;

/// Where everything lies that a run makes: on a file system in memory that only this process and its children see.
pub(super) const FOLDER: &str = "/run/ipam-chaos";
/// Where a node serves HTTP.
const HTTP_PORT: u16 = 7400;
/// Where a node hears its peers.
pub(super) const PEER_PORT: u16 = 7401;
/// The end of the bridge at which clients and the proxy are.
pub(super) const BRIDGE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

/// Where node `id` is.
pub(super) fn address(id: u64) -> Ipv4Addr {
    let last = u8::try_from(id).expect("few nodes");
    Ipv4Addr::new(10, 77, 0, last)
}

/// Which node is there, if one is.
pub(super) fn node_at(address: Ipv4Addr) -> Option<u64> {
    let [10, 77, 0, last] = address.octets() else {
        return None;
    };
    (address != BRIDGE).then_some(u64::from(last))
}

/// Where node `id` serves HTTP.
pub(super) fn http(id: u64) -> SocketAddr {
    SocketAddr::from((address(id), HTTP_PORT))
}

/// Where node `id` hears its peers.
pub(super) fn peer(id: u64) -> SocketAddr {
    SocketAddr::from((address(id), PEER_PORT))
}

/// A command in the network of node `id`. Mounts stay those of this process, so that an unmounted disk is unmounted.
pub(super) fn on_node(id: u64, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net=/run/netns/{}", name(id)))
        .arg("--")
        .arg(program);
    command
}

/// Makes the network. Only the first process of a PID namespace may, since all of it goes with that one.
pub(super) fn make(nodes: u64) -> Result<()> {
    ensure!(
        std::process::id() == 1,
        "the network is made in namespaces that end with this process"
    );
    run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=755", "ipam-chaos", "/run"]))?;
    for folder in ["/run/netns", FOLDER] {
        std::fs::create_dir(Path::new(folder))?;
    }
    ip("link set lo up")?;
    ip("link add bridge type bridge")?;
    ip(&format!("address add {BRIDGE}/24 dev bridge"))?;
    ip("link set bridge up")?;
    for id in 1..=nodes {
        let (node, address) = (name(id), address(id));
        ip(&format!("netns add {node}"))?;
        ip(&format!(
            "link add {node} type veth peer name eth0 netns {node}"
        ))?;
        ip(&format!("link set {node} master bridge up"))?;
        ip(&format!("-n {node} address add {address}/24 dev eth0"))?;
        ip(&format!("-n {node} link set eth0 up"))?;
        ip(&format!("-n {node} link set lo up"))?;
    }
    Ok(())
}

fn name(id: u64) -> String {
    format!("node-{id}")
}

fn ip(words: &str) -> Result<()> {
    run(Command::new("ip").args(words.split(' '))).map(drop)
}
