//! Field types that requests and views share, so that what was read can be sent back.

use std::collections::BTreeMap;
use std::fmt;

use allocator::command;
use allocator::name::{self, Name};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Labels or annotations: at most 64, keys of 1 to 63 bytes, values of at most 255.
///
/// A key that is stated twice is refused where it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Labels(pub BTreeMap<String, String>);

impl Labels {
    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Labels {
    fn from(pairs: [(K, V); N]) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl From<&name::Labels> for Labels {
    fn from(labels: &name::Labels) -> Self {
        Self(
            labels
                .iter()
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect(),
        )
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LabelsVisitor;
        impl<'de> Visitor<'de> for LabelsVisitor {
            type Value = Labels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Labels, A::Error> {
                let mut labels = BTreeMap::new();
                while let Some((key, value)) = access.next_entry::<String, String>()? {
                    if labels.contains_key(&key) {
                        return Err(A::Error::custom(format_args!(
                            "each key once; {key:?} is stated twice"
                        )));
                    }
                    labels.insert(key, value);
                }
                Ok(Labels(labels))
            }
        }
        deserializer.deserialize_map(LabelsVisitor)
    }
}

/// A pool by name: `"name"`, or `{tenant, name}` for a shared pool of another tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolRef {
    /// The tenant of a shared pool; the caller's own where absent.
    pub tenant: Option<String>,
    /// The name.
    pub name: String,
}

impl PoolRef {
    /// `tenant`'s pool `name` as a reference for somebody in tenant `own`.
    pub(crate) fn seen_from(own: &Name, tenant: &Name, name: &Name) -> Self {
        Self {
            tenant: (own != tenant).then(|| tenant.to_string()),
            name: name.to_string(),
        }
    }
}

impl From<&str> for PoolRef {
    fn from(name: &str) -> Self {
        Self {
            tenant: None,
            name: name.to_owned(),
        }
    }
}

impl From<&command::PoolRef> for PoolRef {
    fn from(pool: &command::PoolRef) -> Self {
        Self {
            tenant: pool.tenant.as_ref().map(Name::to_string),
            name: pool.name.to_string(),
        }
    }
}

/// `name`, or `tenant/name` for another tenant's pool.
impl fmt::Display for PoolRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "{tenant}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// One CIDR of a root pool: `"10.0.0.0/24"`, or `{cidr, subnet?, gateway?}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolCidr {
    /// The block.
    pub cidr: String,
    /// Its own on-link prefix.
    pub subnet: Option<String>,
    /// Its own gateway: `first`, `last` or an address.
    pub gateway: Option<String>,
}

impl From<&str> for PoolCidr {
    fn from(cidr: &str) -> Self {
        Self {
            cidr: cidr.to_owned(),
            subnet: None,
            gateway: None,
        }
    }
}

/// Something withheld from allocation: a CIDR, an address or a `first-last` range, or
/// `{addresses, reason}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusion {
    /// The CIDR, address or range.
    pub addresses: String,
    /// Why.
    pub reason: Option<String>,
}

impl From<&str> for Exclusion {
    fn from(addresses: &str) -> Self {
        Self {
            addresses: addresses.to_owned(),
            reason: None,
        }
    }
}

/// A field that is accepted and ignored: what was read can be sent back as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// The long forms, as objects.
mod long {
    use serde::{Deserialize, Serialize};
    use utoipa::ToSchema;

    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub(super) struct PoolRef {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) tenant: Option<String>,
        pub(super) name: String,
    }

    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub(super) struct PoolCidr {
        pub(super) cidr: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) subnet: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) gateway: Option<String>,
    }

    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Exclusion {
        pub(super) addresses: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) reason: Option<String>,
    }
}

/// A string where only the first field is there, else an object; both are read.
macro_rules! short_or_long {
    ($($type:ident { $first:ident $(, $rest:ident)* } $expecting:literal;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if $(self.$rest.is_none())&&* {
                    serializer.serialize_str(&self.$first)
                } else {
                    let long = long::$type { $first: self.$first.clone(), $($rest: self.$rest.clone()),* };
                    long.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ShortOrLong;
                impl<'de> Visitor<'de> for ShortOrLong {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E>(self, text: &str) -> Result<$type, E> {
                        Ok($type::from(text))
                    }

                    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<$type, A::Error> {
                        let long = long::$type::deserialize(MapAccessDeserializer::new(access))?;
                        Ok($type { $first: long.$first, $($rest: long.$rest),* })
                    }
                }
                deserializer.deserialize_any(ShortOrLong)
            }
        }

        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                let short = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
                let either = OneOfBuilder::new().item(short).item(long::$type::schema());
                Schema::OneOf(either.description(Some($expecting)).build()).into()
            }
        }

        impl ToSchema for $type {}
    )*};
}

short_or_long! {
    PoolRef { name, tenant } "a pool's name, or {tenant, name}";
    PoolCidr { cidr, subnet, gateway } "a CIDR, or {cidr, subnet, gateway}";
    Exclusion { addresses, reason } "a CIDR, an address or a range first-last, or {addresses, reason}";
}

/// What a claim is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
pub enum ClaimPurpose {
    /// A holder that uses its block.
    #[default]
    Claim,
    /// Withholding a block.
    Reservation,
}

impl ClaimPurpose {
    /// As shown: absent for what most claims are for.
    pub(crate) fn shown(reservation: bool) -> Option<Self> {
        reservation.then_some(Self::Reservation)
    }
}
