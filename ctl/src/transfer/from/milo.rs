//! Milo: `kubectl get ipclaims -A -o json`, each the claim that `apply` makes of it, with the block it has.

use serde_json::{Value, json};

use super::{claim, other_kind, owner, text};
use crate::manifest::milo::claim_name;
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
    let name = claim_name(
        Some(text(item, &["metadata", "namespace"])),
        text(item, &["metadata", "name"]),
    );
    let of = |part: &str| text(item, &["spec", "ownerRef", part]);
    let owner = owner(&[of("namespace"), of("kind"), of("name")]);
    let mut fields = claim(&name, cidr, &owner, &[]);
    if let Value::Object(labels) = &item["metadata"]["labels"]
        && !labels.is_empty()
    {
        fields.insert("labels".to_owned(), labels.clone().into());
    }
    let stated = text(item, &["spec", "poolRef", "name"]);
    let found = text(item, &["status", "poolRef", "name"]);
    let pool = if stated.is_empty() { found } else { stated };
    let project = text(item, &["spec", "poolRef", "projectRef", "name"]);
    match (pool, project) {
        ("", _) => {}
        (pool, "") => drop(fields.insert("pool".to_owned(), pool.into())),
        (pool, project) => {
            let pool = json!({ "tenant": project, "name": pool });
            fields.insert("pool".to_owned(), pool);
        }
    }
    vec![Said::Claim(fields)]
}
