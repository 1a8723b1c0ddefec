//! Members by the names of a Kubernetes `StatefulSet`: `SET-0.SERVICE`, `SET-1.SERVICE` and so on,
//! under the headless service that governs the set.
//!
//! A name stays with its pod while the address changes, and is looked up at each attempt to
//! connect. So names are all that is needed, here and in the membership.

use std::str::FromStr;

use super::members::{Members, host_and_port};

/// A headless service and the port at which its pods hear each other, as the operator gives it:
/// `NAME:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct HeadlessService {
    name: String,
    port: u16,
}

/// The text is not a service and a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` {problem}; allowed is NAME:PORT, such as ipamd.default.svc.cluster.local:7401")]
pub struct InvalidService {
    text: String,
    problem: &'static str,
}

impl FromStr for HeadlessService {
    type Err = InvalidService;

    fn from_str(text: &str) -> Result<Self, InvalidService> {
        let (name, port) = host_and_port(text).map_err(|problem| InvalidService {
            text: text.to_owned(),
            problem,
        })?;
        Ok(Self {
            name: name.to_owned(),
            port,
        })
    }
}

impl TryFrom<String> for HeadlessService {
    type Error = InvalidService;

    fn try_from(text: String) -> Result<Self, InvalidService> {
        text.parse()
    }
}

/// The pods of one set under its service.
#[derive(Debug)]
pub(super) struct Pods<'a> {
    service: &'a HeadlessService,
    set: &'a str,
}

impl<'a> Pods<'a> {
    /// The set to which a host of this name belongs, and the host's ordinal if its name has one.
    /// Without one the set is taken to have the name of its service, as is customary.
    pub(super) fn of_host(
        service: &'a HeadlessService,
        host_name: &'a str,
    ) -> (Pods<'a>, Option<u64>) {
        // A pod's host name is without a domain; if it has one, the pod's name is in front.
        let pod = host_name.split('.').next().unwrap_or_default();
        let of_pod = pod
            .rsplit_once('-')
            .and_then(|(set, ordinal)| Some((set, ordinal.parse().ok()?)));
        let set = of_pod.map_or_else(
            || service.name.split('.').next().unwrap_or_default(),
            |(set, _)| set,
        );
        (Pods { service, set }, of_pod.map(|(_, ordinal)| ordinal))
    }

    /// The host of the pod with an ordinal.
    pub(super) fn host(&self, ordinal: u64) -> String {
        format!("{}-{ordinal}.{}", self.set, self.service.name)
    }

    /// The first `replicas` pods as members. Node ids begin at 1, ordinals at 0.
    pub(super) fn members(&self, replicas: u64) -> Members {
        Members::numbered(
            (0..replicas).map(|ordinal| format!("{}:{}", self.host(ordinal), self.service.port)),
        )
    }
}
