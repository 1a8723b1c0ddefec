//! The forms of a document: flat as the API's objects, or in the envelope of Kubernetes.

use serde_json::{Map, Value};

use super::{Fault, Kind, Paths, Place, milo};

/// A document out of its envelope, not checked yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Where it stands.
    pub(crate) place: Place,
    /// What it describes.
    pub(crate) kind: Kind,
    /// Its tenant, where it states one.
    pub(crate) tenant: Option<String>,
    /// The fields of the API.
    pub(crate) fields: Map<String, Value>,
    /// How the file writes them.
    pub(crate) paths: Paths,
    /// What was made of it, where it is of another system.
    pub(crate) became: Option<String>,
}

/// The `apiVersion`s that a document of ours may have.
const API_VERSIONS: &[&str] = &["v1", "ipamd/v1"];

/// What a server assigned, or keeps for itself.
const METADATA_IGNORED: &[&str] = &[
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
    "finalizers",
    "ownerReferences",
];

/// kubectl's own notes, which are longer than an annotation may be here.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Takes a document out of its envelope.
pub(super) fn open(place: Place, value: Value) -> Result<Opened, Vec<Fault>> {
    let Value::Object(mut fields) = value else {
        return Err(vec![Fault {
            place,
            text: "it is no object; allowed: the fields of a Tenant, Pool or Claim".to_owned(),
        }]);
    };
    let kind = taken_text(&place, &mut fields, "kind")?.unwrap_or_default();
    let api_version = taken_text(&place, &mut fields, "apiVersion")?;
    if milo::is_its(api_version.as_deref(), &kind) {
        let envelope = unpacked(&place, fields)?;
        return milo::open(place, &kind, envelope);
    }
    let allowed = "Tenant, Pool, Claim, or Milo's IPPool, IPClaim";
    let kind = match kind.as_str() {
        "Tenant" => Kind::Tenant,
        "Pool" => Kind::Pool,
        "Claim" => Kind::Claim,
        "" => return Err(vec![Fault::field(&place, "kind", "is missing", allowed)]),
        other => {
            let problem = format!("is {other:?}");
            return Err(vec![Fault::field(&place, "kind", &problem, allowed)]);
        }
    };
    if let Some(version) = api_version.filter(|version| !API_VERSIONS.contains(&version.as_str())) {
        let problem = format!("is {version:?}");
        let allowed = API_VERSIONS.join(", ");
        return Err(vec![Fault::field(&place, "apiVersion", &problem, &allowed)]);
    }
    if fields.contains_key("metadata") || fields.contains_key("spec") {
        return ours(place, kind, fields);
    }
    let tenant = match kind {
        Kind::Tenant => None,
        Kind::Pool | Kind::Claim => taken_text(&place, &mut fields, "tenant")?,
    };
    Ok(Opened {
        place,
        kind,
        tenant,
        fields,
        paths: Paths::default(),
        became: None,
    })
}

/// A document of ours in the envelope: the namespace is the tenant.
fn ours(place: Place, kind: Kind, fields: Map<String, Value>) -> Result<Opened, Vec<Fault>> {
    let Envelope { metadata, spec } = unpacked(&place, fields)?;
    if let (Kind::Tenant, Some(_)) = (kind, &metadata.namespace) {
        let field = "metadata.namespace";
        return Err(vec![Fault::field(
            &place,
            field,
            "is stated",
            "none for a Tenant",
        )]);
    }
    if let Some(field) = ["name", "labels", "annotations", "tenant"]
        .into_iter()
        .find(|field| spec.contains_key(*field))
    {
        let path = format!("spec.{field}");
        let there = if field == "tenant" {
            "namespace"
        } else {
            field
        };
        let allowed = format!("metadata.{there}");
        return Err(vec![Fault::field(&place, &path, "is stated", &allowed)]);
    }
    let mut paths = Paths::default();
    for (field, path) in [
        ("name", "metadata.name"),
        ("labels", "metadata.labels"),
        ("annotations", "metadata.annotations"),
        ("tenant", "metadata.namespace"),
    ] {
        paths.add(field, path);
    }
    paths.add("", "spec.");
    let mut fields = spec;
    let own = [
        ("name", metadata.name),
        ("labels", metadata.labels),
        ("annotations", metadata.annotations),
    ];
    for (field, value) in own {
        if let Some(value) = value {
            fields.insert(field.to_owned(), value);
        }
    }
    Ok(Opened {
        place,
        kind,
        tenant: metadata.namespace,
        fields,
        paths,
        became: None,
    })
}

/// The parts of an envelope that say something.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) metadata: Metadata,
    pub(super) spec: Map<String, Value>,
}

/// What of the metadata says something.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) name: Option<Value>,
    pub(super) namespace: Option<String>,
    pub(super) labels: Option<Value>,
    pub(super) annotations: Option<Value>,
}

/// Takes metadata and spec apart; `status` is ignored, anything else is a mistake.
fn unpacked(place: &Place, mut fields: Map<String, Value>) -> Result<Envelope, Vec<Fault>> {
    let mut metadata = taken_object(place, &mut fields, "metadata")?;
    let spec = taken_object(place, &mut fields, "spec")?;
    fields.remove("status");
    if let Some(field) = fields.keys().next() {
        return Err(vec![Fault::field(
            place,
            field,
            "is not a field",
            "apiVersion, kind, metadata, spec, status",
        )]);
    }
    let namespace = match metadata.remove("namespace") {
        None | Some(Value::Null) => None,
        Some(Value::String(namespace)) => Some(namespace),
        Some(_) => {
            let field = "metadata.namespace";
            return Err(vec![Fault::field(place, field, "is no string", "a string")]);
        }
    };
    let known = Metadata {
        name: metadata.remove("name"),
        namespace,
        labels: metadata.remove("labels"),
        annotations: metadata.remove("annotations").map(|mut annotations| {
            if let Value::Object(keys) = &mut annotations {
                keys.remove(LAST_APPLIED);
            }
            annotations
        }),
    };
    metadata.retain(|field, _| !METADATA_IGNORED.contains(&field.as_str()));
    match metadata.keys().next() {
        None => Ok(Envelope {
            metadata: known,
            spec,
        }),
        Some(field) => Err(vec![Fault::field(
            place,
            &format!("metadata.{field}"),
            "is not a field",
            "name, namespace, labels, annotations",
        )]),
    }
}

fn taken_text(
    place: &Place,
    fields: &mut Map<String, Value>,
    field: &str,
) -> Result<Option<String>, Vec<Fault>> {
    match fields.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(vec![Fault::field(place, field, "is no string", "a string")]),
    }
}

fn taken_object(
    place: &Place,
    fields: &mut Map<String, Value>,
    field: &str,
) -> Result<Map<String, Value>, Vec<Fault>> {
    match fields.remove(field) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(vec![Fault::field(
            place,
            field,
            "is no object",
            "an object",
        )]),
    }
}
