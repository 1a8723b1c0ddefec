//! What the text of a manifest comes to, without a node: for whoever checks the reading itself.

use allocator::name::Name;
use serde_json::{Value, json};

use crate::manifest::{self, Kind};

/// What a manifest describes, each as a document of one line, in the order of their making. `tenant` is whose the
/// pools and claims are that say nothing of it.
///
/// # Errors
/// All that is wrong with it, as it would be printed.
pub fn documents(text: &str, tenant: Option<&Name>) -> Result<Vec<Value>, Vec<String>> {
    let documents = manifest::of_text(text, tenant)?;
    Ok(documents
        .iter()
        .map(|document| {
            let mut fields = document.creation();
            fields["kind"] = json!(document.key.kind);
            if document.key.kind != Kind::Tenant {
                fields["tenant"] = json!(document.key.tenant.as_str());
            }
            fields
        })
        .collect())
}
