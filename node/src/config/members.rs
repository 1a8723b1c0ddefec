//! The members that form a cluster, as the operator lists them: `1=HOST:PORT,2=HOST:PORT,3=HOST:PORT`.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Peer addresses by node id. At least one member; ids and addresses are each there once.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Members(BTreeMap<u64, String>);

/// What the list of members may be, for messages.
const ALLOWED: &str =
    "ID=HOST:PORT, divided by commas, such as 1=10.0.0.1:7401,2=10.0.0.2:7401,3=10.0.0.3:7401";

/// The text is not a list of members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; allowed is {ALLOWED}")]
pub struct InvalidMembers {
    problem: String,
}

impl Members {
    /// Members with the ids from 1 in the order of their addresses.
    pub(super) fn numbered(addresses: impl IntoIterator<Item = String>) -> Self {
        Self((1..).zip(addresses).collect())
    }

    /// Members by id, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str)> {
        self.0.iter().map(|(id, address)| (*id, address.as_str()))
    }

    /// The host of a member, without the port.
    pub fn host(&self, id: u64) -> Option<&str> {
        self.0
            .get(&id)
            .and_then(|address| address.rsplit_once(':'))
            .map(|(host, _)| host)
    }
}

impl FromStr for Members {
    type Err = InvalidMembers;

    fn from_str(text: &str) -> Result<Self, InvalidMembers> {
        let mut members = BTreeMap::new();
        for item in text.split(',') {
            let (id, address) = member(item.trim())?;
            if members.values().any(|other| *other == address) {
                return Err(InvalidMembers {
                    problem: format!("{address} is there twice"),
                });
            }
            if members.insert(id, address).is_some() {
                return Err(InvalidMembers {
                    problem: format!("node {id} is there twice"),
                });
            }
        }
        Ok(Self(members))
    }
}

impl TryFrom<String> for Members {
    type Error = InvalidMembers;

    fn try_from(text: String) -> Result<Self, InvalidMembers> {
        text.parse()
    }
}

fn member(item: &str) -> Result<(u64, String), InvalidMembers> {
    let wrong = |problem: &str| InvalidMembers {
        problem: format!("`{item}` {problem}"),
    };
    let (id, address) = item.split_once('=').ok_or_else(|| wrong("has no `=`"))?;
    let id = id
        .parse::<u64>()
        .ok()
        .filter(|id| *id > 0)
        .ok_or_else(|| wrong("has no id from 1"))?;
    host_and_port(address).map_err(wrong)?;
    Ok((id, address.to_owned()))
}

/// The parts of `HOST:PORT`, or what is wrong with it.
pub(super) fn host_and_port(address: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = address.rsplit_once(':').ok_or("has no port")?;
    let port = port.parse::<u16>().ok().filter(|port| *port > 0);
    // A bare IPv6 address would swallow its last group as the port.
    let host_fits = !host.is_empty()
        && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')))
        && host.bytes().all(|byte| byte.is_ascii_graphic());
    let port = port.ok_or("has no port from 1 to 65535")?;
    if !host_fits {
        return Err("has no host; an IPv6 address stands in brackets");
    }
    Ok((host, port))
}
