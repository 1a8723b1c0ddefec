//! What a pool hands to its holders, as asked for. Their bounds are the state machine's to judge: after a
//! merge patch they hold for what comes of it.

use allocator::edit::{DnsChange, LabelsChange, PoolChange};
use allocator::handout::{self, Handout};
use allocator::name;
use allocator::prefix::Address;

use super::check::{Check, Checked, each, shown};
use super::edit::Patch;
use crate::fields::Labels;
use crate::handout::{Dns, Route};

/// The four fields of a document.
pub(super) struct Stated<'a> {
    pub(super) routes: Option<&'a [Route]>,
    pub(super) dns: Option<&'a Dns>,
    pub(super) mtu: Option<u32>,
    pub(super) parameters: Option<&'a Labels>,
}

impl Stated<'_> {
    /// Of a pool that is to be made.
    pub(super) fn read(&self, check: &mut Check) -> Checked<Handout> {
        let routes = self.routes.map(|routes| check_routes(check, routes));
        let dns = self.dns.map(|dns| {
            let nameservers = check_addresses(check, dns.nameservers.as_deref());
            Ok(handout::Dns {
                nameservers: nameservers?,
                domain: dns.domain.as_deref().map(Box::from),
                search: texts(dns.search.as_deref()),
                options: texts(dns.options.as_deref()),
            })
        });
        let parameters = self.parameters.map(as_they_are);
        Ok(Handout {
            routes: routes.transpose()?.map(Into::into),
            dns: dns.transpose()?.map(Into::into),
            mtu: self.mtu,
            parameters: parameters.map(Into::into),
        })
    }

    /// Of a merge patch: `dns` and `parameters` key by key.
    pub(super) fn patch(&self, patch: &mut Patch<PoolChange>) {
        patch.field("routes", self.routes, check_routes, PoolChange::Routes);
        let gone: Vec<String> = patch.nulls.below("dns").map(str::to_owned).collect();
        let is_gone = |part: &str| gone.iter().any(|key| key == part);
        let parts = |check: &mut Check, dns: &Dns| {
            let mut parts = Vec::new();
            if dns.nameservers.is_some() || is_gone("nameservers") {
                let nameservers = check_addresses(check, dns.nameservers.as_deref())?;
                parts.push(DnsChange::Nameservers(nameservers));
            }
            if dns.domain.is_some() || is_gone("domain") {
                parts.push(DnsChange::Domain(dns.domain.as_deref().map(Box::from)));
            }
            if dns.search.is_some() || is_gone("search") {
                parts.push(DnsChange::Search(texts(dns.search.as_deref())));
            }
            if dns.options.is_some() || is_gone("options") {
                parts.push(DnsChange::Options(texts(dns.options.as_deref())));
            }
            Ok(parts)
        };
        patch.field("dns", self.dns, parts, PoolChange::Dns);
        patch.plain("mtu", self.mtu, PoolChange::Mtu);
        let gone = patch.nulls.below("parameters").map(Box::from);
        let gone: Vec<(Box<str>, Option<Box<str>>)> = gone.map(|key| (key, None)).collect();
        let parameters = self.parameters.map(|stated| LabelsChange {
            clear: false,
            entries: as_they_are(stated)
                .into_iter()
                .map(|(key, value)| (key, Some(value)))
                .chain(gone)
                .collect(),
        });
        patch.plain("parameters", parameters, PoolChange::Parameters);
    }
}

fn check_routes(check: &mut Check, routes: &[Route]) -> Checked<Vec<handout::Route>> {
    each(routes, |index, route| {
        let dst = check.prefix(&format!("routes[{index}].dst"), &route.dst);
        let gw = route.gw.as_deref();
        let gw = gw.map(|gw| check_address(check, &format!("routes[{index}].gw"), gw));
        Ok(handout::Route {
            dst: dst?,
            gw: gw.transpose()?,
            mtu: route.mtu,
            advmss: route.advmss,
            priority: route.priority,
            table: route.table,
            scope: route.scope,
        })
    })
}

fn check_addresses(check: &mut Check, texts: Option<&[String]>) -> Checked<Vec<Address>> {
    each(texts.unwrap_or_default(), |index, text| {
        check_address(check, &format!("dns.nameservers[{index}]"), text)
    })
}

fn check_address(check: &mut Check, field: &str, text: &str) -> Checked<Address> {
    match text.parse() {
        Ok(address) => Ok(address),
        Err(_) => check.refuse(
            field,
            format_args!("is {}", shown(text)),
            "an address such as 10.0.0.1 or 2001:db8::1",
        ),
    }
}

fn texts(texts: Option<&[String]>) -> Vec<Box<str>> {
    let texts = texts.unwrap_or_default().iter();
    texts.map(|text| Box::from(text.as_str())).collect()
}

fn as_they_are(labels: &Labels) -> name::Labels {
    let pairs = labels.0.iter();
    pairs
        .map(|(key, value)| (Box::from(key.as_str()), Box::from(value.as_str())))
        .collect()
}
