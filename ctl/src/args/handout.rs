//! Switches of what a pool hands to its holders.

use api::fields::Labels;
use api::handout::{Dns, Route};
use clap::{Args, ValueEnum};

use super::shared::pair;

/// What a pool hands out of its own, whatever its parent says.
#[derive(Debug, Args)]
pub(crate) struct Handout {
    /// A route that holders add, may be repeated: DST, with gw, mtu, advmss, priority, table or scope
    /// after it as ",NAME=VALUE"
    #[arg(
        long = "route",
        value_parser = route,
        conflicts_with = "no_routes",
        value_name = "DST[,gw=ADDRESS…]"
    )]
    routes: Vec<Route>,
    /// Hand out no routes
    #[arg(long)]
    no_routes: bool,
    /// A nameserver of holders, may be repeated
    #[arg(long, value_name = "ADDRESS")]
    nameserver: Vec<String>,
    /// The domain of holders' short names
    #[arg(long, value_name = "DOMAIN")]
    dns_domain: Option<String>,
    /// A domain in which holders look up short names, may be repeated
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// An option of holders' resolver such as ndots:5, may be repeated
    #[arg(long, value_name = "OPTION")]
    dns_option: Vec<String>,
    /// MTU of holders' interface
    #[arg(long, value_name = "BYTES")]
    pub(crate) mtu: Option<u32>,
    /// Something else that holders know what to do with, may be repeated
    #[arg(long = "parameter", value_parser = pair, value_name = "KEY=VALUE")]
    parameters: Vec<(String, String)>,
}

/// The same for a pool that is there: lists are replaced, parameters set one by one.
#[derive(Debug, Args)]
pub(crate) struct HandoutEdit {
    #[command(flatten)]
    pub(crate) own: Handout,
    /// A parameter to remove, may be repeated
    #[arg(long = "remove-parameter", value_name = "KEY")]
    pub(crate) parameters_removed: Vec<String>,
    /// Hand out what the parent says, may be repeated
    #[arg(long, value_enum, value_name = "PART")]
    pub(crate) inherit: Vec<Part>,
}

/// A part of what a pool hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Routes
    Routes,
    /// The resolver
    Dns,
    /// The MTU
    Mtu,
    /// Parameters
    Parameters,
}

impl Part {
    /// Its field in the API.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Routes => "routes",
            Self::Dns => "dns",
            Self::Mtu => "mtu",
            Self::Parameters => "parameters",
        }
    }
}

impl Handout {
    pub(crate) fn routes(&self) -> Option<Vec<Route>> {
        (self.no_routes || !self.routes.is_empty()).then(|| self.routes.clone())
    }

    pub(crate) fn dns(&self) -> Option<Dns> {
        let stated = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
        let dns = Dns {
            nameservers: stated(&self.nameserver),
            domain: self.dns_domain.clone(),
            search: stated(&self.dns_search),
            options: stated(&self.dns_option),
        };
        (dns != Dns::default()).then_some(dns)
    }

    pub(crate) fn parameters(&self) -> Option<Labels> {
        (!self.parameters.is_empty()).then(|| Labels(self.parameters.iter().cloned().collect()))
    }
}

/// `10.0.0.0/8,gw=10.0.0.1,priority=100`
fn route(text: &str) -> Result<Route, String> {
    let mut parts = text.split(',');
    let mut route = Route {
        dst: parts.next().unwrap_or_default().to_owned(),
        ..Route::default()
    };
    for part in parts {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("{part:?} is not of the form NAME=VALUE"))?;
        let number = || {
            let number = value.parse().map(Some);
            number.map_err(|_| format!("{name} is {value:?}, which is no number"))
        };
        match name {
            "gw" => route.gw = Some(value.to_owned()),
            "mtu" => route.mtu = number()?,
            "advmss" => route.advmss = number()?,
            "priority" => route.priority = number()?,
            "table" => route.table = number()?,
            "scope" => route.scope = number()?,
            _ => {
                return Err(format!(
                    "{name:?} is none of gw, mtu, advmss, priority, table, scope"
                ));
            }
        }
    }
    Ok(route)
}
