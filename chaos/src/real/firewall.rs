//! What does not come through at a node, by nft in its own network namespace.
//!
//! One table, replaced as a whole: there are never rules of two faults, and clearing it heals all.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::world::{self, PEER_PORT};

/// What is dropped at one node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// From whom nothing is heard.
    pub(super) deaf_to: Vec<Ipv4Addr>,
    /// To whom nothing is said.
    pub(super) mute_to: Vec<Ipv4Addr>,
    /// Only what belongs to the port for peers.
    pub(super) only_peer_port: bool,
}

impl Rules {
    /// Nothing from them and nothing to them.
    pub(super) fn apart_from(them: Vec<Ipv4Addr>) -> Self {
        Self {
            deaf_to: them.clone(),
            mute_to: them,
            only_peer_port: false,
        }
    }

    fn text(&self) -> String {
        let ports: &[String] = if self.only_peer_port {
            &["dport", "sport"].map(|side| format!("tcp {side} {PEER_PORT} "))
        } else {
            &[String::new()]
        };
        let drops = |side: &str, addresses: &[Ipv4Addr]| -> Vec<String> {
            let each = |address| {
                ports
                    .iter()
                    .map(move |port| format!("ip {side} {address} {port}drop"))
            };
            addresses.iter().flat_map(each).collect()
        };
        table(&[
            chain("filter", "input", 0, &drops("saddr", &self.deaf_to)),
            chain("filter", "output", 0, &drops("daddr", &self.mute_to)),
        ])
    }
}

/// A table in the place of all that there is.
fn table(chains: &[String]) -> String {
    format!("flush ruleset\ntable ip chaos {{\n{}}}\n", chains.concat())
}

fn chain(kind: &str, hook: &str, priority: i32, rules: &[String]) -> String {
    let rules: String = rules.iter().flat_map(|rule| [rule, "\n"]).collect();
    format!("chain {kind}-{hook} {{ type {kind} hook {hook} priority {priority};\n{rules}}}\n")
}

/// Puts rules in the place of those that a node has.
pub(super) fn apply(id: u64, rules: &Rules) -> Result<()> {
    nft(id, &rules.text())
}

/// Has a node's connections to its peers go to other ports on the bridge: those that it makes from now on, and those that
/// there are do not live on beside them. `ports` is by peer.
pub(super) fn divert(id: u64, ports: &[(u64, u16)]) -> Result<()> {
    let bridge = world::BRIDGE;
    let to = |peer| format!("ip daddr {} tcp dport {PEER_PORT}", world::address(peer));
    let diverted: Vec<String> = ports
        .iter()
        .map(|(peer, port)| format!("{} dnat to {bridge}:{port}", to(*peer)))
        .collect();
    // What was diverted has another destination by then.
    let direct: Vec<String> = ports
        .iter()
        .map(|(peer, _)| format!("{} reject with tcp reset", to(*peer)))
        .collect();
    let chains = [
        chain("nat", "output", -100, &diverted),
        chain("filter", "output", 0, &direct),
    ];
    nft(id, &table(&chains))
}

/// Lets everything through at a node.
pub(super) fn clear(id: u64) -> Result<()> {
    nft(id, "flush ruleset\n")
}

fn nft(id: u64, rules: &str) -> Result<()> {
    let mut nft = world::on_node(id, "nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .context("nft")?;
    nft.stdin
        .take()
        .context("a pipe to nft")?
        .write_all(rules.as_bytes())?;
    ensure!(nft.wait()?.success(), "nft refuses:\n{rules}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_say_whom_a_node_does_not_hear_and_to_whom_it_says_nothing() {
        let rules = Rules {
            deaf_to: vec![world::address(2)],
            mute_to: vec![world::address(3)],
            only_peer_port: true,
        };
        assert_eq!(
            rules.text(),
            "flush ruleset\ntable ip chaos {\n\
             chain filter-input { type filter hook input priority 0;\n\
             ip saddr 10.77.0.2 tcp dport 7401 drop\n\
             ip saddr 10.77.0.2 tcp sport 7401 drop\n}\n\
             chain filter-output { type filter hook output priority 0;\n\
             ip daddr 10.77.0.3 tcp dport 7401 drop\n\
             ip daddr 10.77.0.3 tcp sport 7401 drop\n}\n}\n"
        );
        let all = Rules::apart_from(vec![world::BRIDGE]).text();
        assert!(all.contains("ip saddr 10.77.0.254 drop\n"), "{all}");
        assert!(all.contains("ip daddr 10.77.0.254 drop\n"), "{all}");
    }
}
