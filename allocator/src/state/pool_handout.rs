//! What a pool hands to its holders: what is allowed, what an edit makes of it, and what is in force.

use alloc::format;
use alloc::sync::Arc;
use core::fmt::Display;

use crate::answer::Rejection;
use crate::edit::{DnsChange, LabelsChange};
use crate::handout::{
    ADVMSS_MAX, DNS_ENTRIES_MAX, DNS_OPTION_BYTES_MAX, DOMAIN_BYTES_MAX, Dns, Handout, MTU_MAX,
    PARAMETERS_MAX, ROUTES_MAX, Route, SCOPE_MAX, mtu_min,
};
use crate::name::{LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX, Labels};
use crate::prefix::Family;
use crate::record::Pool;

use super::State;
use super::pool_fields::Problems;

impl State {
    /// What the holders of a pool's blocks get: of each part the pool's own, else that of the next pool
    /// above that states one. Looks at the pool's ancestors and at nothing else.
    pub(super) fn handout_in_force(&self, pool: &Pool) -> Handout {
        let mut handout = pool.spec.handout.clone();
        let mut above = pool.parent;
        while let Some((id, _)) = above
            && !handout.is_whole()
        {
            let pool = self.tables.pool(id);
            handout.inherit(&pool.spec.handout);
            above = pool.parent;
        }
        handout
    }
}

/// What is handed out is within the bounds of [`crate::handout`], in a pool of a family.
pub(super) fn check_handout(handout: &Handout, family: Family) -> Result<(), Rejection> {
    let mut problems = Problems::default();
    if let Some(mtu) = handout.mtu {
        check_mtu(&"mtu", mtu, family, &mut problems);
    }
    if let Some(routes) = &handout.routes {
        check_routes(routes, &mut problems);
    }
    if let Some(dns) = &handout.dns {
        check_dns(dns, &mut problems);
    }
    if let Some(parameters) = &handout.parameters {
        check_parameters(parameters, &mut problems);
    }
    problems.check()
}

fn check_mtu(field: &dyn Display, mtu: u32, family: Family, problems: &mut Problems) {
    let least = mtu_min(family);
    if !(least..=MTU_MAX).contains(&mtu) {
        problems.add(
            field,
            &format!("it is {mtu}"),
            &format_args!("{least} to {MTU_MAX} bytes in {family}"),
        );
    }
}

fn check_routes(routes: &[Route], problems: &mut Problems) {
    check_number("routes", routes.len(), ROUTES_MAX, problems);
    for (place, route) in routes.iter().enumerate().take(ROUTES_MAX) {
        let family = route.dst.family();
        if route.gw.is_some_and(|gw| Family::of(gw) != family) {
            problems.add(
                &format_args!("routes[{place}].gw"),
                "it is not of the family of dst",
                &format_args!("an address of {family}"),
            );
        }
        if let Some(mtu) = route.mtu {
            let field = format_args!("routes[{place}].mtu");
            check_mtu(&field, mtu, family, problems);
        }
        if let Some(advmss) = route.advmss.filter(|one| !(1..=ADVMSS_MAX).contains(one)) {
            problems.add(
                &format_args!("routes[{place}].advmss"),
                &format!("it is {advmss}"),
                &format_args!("1 to {ADVMSS_MAX}"),
            );
        }
        if let Some(scope) = route.scope.filter(|scope| *scope > SCOPE_MAX) {
            problems.add(
                &format_args!("routes[{place}].scope"),
                &format!("it is {scope}"),
                &format_args!("0 to {SCOPE_MAX}"),
            );
        }
        let mut before = routes.iter().take(place);
        if let Some(same) = before.position(|other| other.key() == route.key()) {
            problems.add(
                &format_args!("routes[{place}]"),
                &format!("it has dst, table and priority of routes[{same}]"),
                &"routes that differ in dst, table or priority",
            );
        }
    }
}

fn check_dns(dns: &Dns, problems: &mut Problems) {
    let lengths = [
        ("dns.nameservers", dns.nameservers.len()),
        ("dns.search", dns.search.len()),
        ("dns.options", dns.options.len()),
    ];
    for (field, length) in lengths {
        check_number(field, length, DNS_ENTRIES_MAX, problems);
    }
    if let Some(domain) = &dns.domain {
        check_word(&"dns.domain", domain, DOMAIN_BYTES_MAX, problems);
    }
    for (place, domain) in dns.search.iter().enumerate().take(DNS_ENTRIES_MAX) {
        let field = format_args!("dns.search[{place}]");
        check_word(&field, domain, DOMAIN_BYTES_MAX, problems);
    }
    for (place, option) in dns.options.iter().enumerate().take(DNS_ENTRIES_MAX) {
        let field = format_args!("dns.options[{place}]");
        check_word(&field, option, DNS_OPTION_BYTES_MAX, problems);
    }
}

/// A word is written to a file of words, as it is.
fn check_word(field: &dyn Display, word: &str, bytes_max: usize, problems: &mut Problems) {
    let plain = word.bytes().all(|byte| byte.is_ascii_graphic());
    if word.is_empty() || word.len() > bytes_max || !plain {
        problems.add(
            field,
            &format!("it has {} bytes, or others than allowed", word.len()),
            &format_args!("1 to {bytes_max} bytes of printable ASCII without spaces"),
        );
    }
}

fn check_parameters(parameters: &Labels, problems: &mut Problems) {
    check_number("parameters", parameters.len(), PARAMETERS_MAX, problems);
    for (key, value) in parameters.iter().take(PARAMETERS_MAX) {
        if key.is_empty() || key.len() > LABEL_KEY_BYTES_MAX {
            problems.add(
                &"parameters",
                &format!("it has a key of {} bytes", key.len()),
                &format_args!("keys of 1 to {LABEL_KEY_BYTES_MAX} bytes"),
            );
        } else if value.len() > LABEL_VALUE_BYTES_MAX {
            problems.add(
                &format_args!("parameters.{key}"),
                &format!("it has {} bytes", value.len()),
                &format_args!("at most {LABEL_VALUE_BYTES_MAX} bytes"),
            );
        }
    }
}

fn check_number(field: &str, number: usize, most: usize, problems: &mut Problems) {
    if number > most {
        problems.add(
            &field,
            &format!("there are {number}"),
            &format_args!("at most {most}"),
        );
    }
}

/// What becomes of a pool's own resolver.
pub(super) fn dns_changed(there: &mut Option<Arc<Dns>>, changes: Option<&[DnsChange]>) {
    let Some(changes) = changes else {
        *there = None;
        return;
    };
    let mut dns = there.as_deref().cloned().unwrap_or_default();
    for change in changes {
        match change {
            DnsChange::Nameservers(nameservers) => dns.nameservers.clone_from(nameservers),
            DnsChange::Domain(domain) => dns.domain.clone_from(domain),
            DnsChange::Search(search) => dns.search.clone_from(search),
            DnsChange::Options(options) => dns.options.clone_from(options),
        }
    }
    *there = Some(Arc::new(dns));
}

/// What becomes of a pool's own parameters.
pub(super) fn parameters_changed(there: &mut Option<Arc<Labels>>, change: Option<&LabelsChange>) {
    *there = change.map(|change| {
        let mut parameters = there.as_deref().cloned().unwrap_or_default();
        change.apply(&mut parameters);
        Arc::new(parameters)
    });
}
