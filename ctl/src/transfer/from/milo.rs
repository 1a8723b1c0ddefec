//! Milo: `kubectl get ipclaims -A -o json`, each the claim that `apply` makes of it, with the block it has.

use serde_json::Value;

use super::{other_kind, text};
use crate::manifest::fields_of;
use crate::transfer::rows::Said;

pub(super) fn claims(item: &Value) -> Vec<Said> {
    let cidr = text(item, &["status", "allocatedCIDR"]);
    match (text(item, &["kind"]), text(item, &["status", "phase"])) {
        ("IPClaim", _) if cidr.is_empty() => {
            return vec![Said::Skipped("it has no block".to_owned())];
        }
        ("IPClaim", "Releasing") => return vec![Said::Skipped("it is being released".to_owned())],
        ("IPClaim", _) => {}
        _ => return vec![other_kind(item)],
    }
    let mut fields = match fields_of(item) {
        Ok(fields) => fields,
        Err(wrong) => return vec![Said::Wrong(wrong)],
    };
    // The block that it has says its length.
    fields.remove("prefixLength");
    fields.insert("cidr".to_owned(), cidr.into());
    let found = text(item, &["status", "poolRef", "name"]);
    if !fields.contains_key("pool") && !fields.contains_key("poolSelector") && !found.is_empty() {
        fields.insert("pool".to_owned(), found.into());
    }
    vec![Said::Claim(fields)]
}
