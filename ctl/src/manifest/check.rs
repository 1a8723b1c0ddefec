//! A document as the server would check it, before anything is asked of a node.

use allocator::name::Name;
use api::Problem;
use api::requests::{ClaimCreate, Naming, PoolCreate, TenantCreate};
use serde_json::{Map, Value};

use super::envelope::Opened;
use super::{Document, Fault, Key, Kind, Paths, Place, without_nulls};

/// Checks every field; `tenant` is whose it is where it says nothing of it.
/// The second is what was made of it, where it is of another system.
pub(super) fn check(
    opened: Opened,
    tenant: Option<&Name>,
) -> Result<(Document, Option<String>), Vec<Fault>> {
    let Opened {
        place,
        kind,
        tenant: stated,
        mut fields,
        paths,
        became,
    } = opened;
    // The API would take and ignore it.
    fields.remove("status");
    let name = required_name(&place, &paths, &fields)?;
    let tenant = match (kind, &stated) {
        (Kind::Tenant, _) => name.clone(),
        (_, Some(text)) => Name::new(text)
            .map_err(|error| vec![wrong(&place, &paths.of("tenant"), text, &error)])?,
        (_, None) => tenant.cloned().ok_or_else(|| {
            vec![Fault::field(
                &place,
                &paths.of("tenant"),
                "is missing",
                "a tenant here, or --tenant for all",
            )]
        })?,
    };
    let body = without_nulls(&fields).to_string();
    let naming = Naming {
        idempotency_key: None,
        random: &|| 0,
    };
    let parsed = match kind {
        Kind::Tenant => TenantCreate::parse(body.as_bytes()),
        Kind::Pool => PoolCreate::parse(body.as_bytes(), &tenant),
        Kind::Claim => ClaimCreate::parse(body.as_bytes(), &tenant, naming),
    };
    match parsed {
        Ok(_) => {
            let key = Key { kind, tenant, name };
            let became = became.map(|from| format!("{from} became {key}"));
            let document = Document {
                place,
                key,
                fields,
                paths,
            };
            Ok((document, became))
        }
        Err(problem) => Err(faults(&place, &paths, &problem)),
    }
}

/// What a problem says of the fields, each as the file writes it.
pub(crate) fn faults(place: &Place, paths: &Paths, problem: &Problem) -> Vec<Fault> {
    let fields = problem.fields();
    if fields.is_empty() {
        return vec![Fault {
            place: place.clone(),
            text: format!("{} ({})", problem.detail, problem.code),
        }];
    }
    fields
        .iter()
        .map(|field| {
            Fault::field(
                place,
                &paths.of(&field.field),
                &field.problem,
                &field.allowed,
            )
        })
        .collect()
}

/// Claims without a name are for single requests: a file is applied again.
fn required_name(
    place: &Place,
    paths: &Paths,
    fields: &Map<String, Value>,
) -> Result<Name, Vec<Fault>> {
    let path = paths.of("name");
    match fields.get("name") {
        Some(Value::String(text)) => {
            Name::new(text).map_err(|error| vec![wrong(place, &path, text, &error)])
        }
        Some(_) => Err(vec![Fault::field(place, &path, "is no string", "a name")]),
        None => Err(vec![Fault::field(place, &path, "is missing", "a name")]),
    }
}

fn wrong(place: &Place, path: &str, text: &str, error: &dyn std::fmt::Display) -> Fault {
    Fault {
        place: place.clone(),
        text: format!("{path} is {text:?}, which is {error}"),
    }
}
