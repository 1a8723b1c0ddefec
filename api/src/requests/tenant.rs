//! Tenants as asked for.

use allocator::command::{self, Command, TenantSpec};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::{Check, Checked};
use crate::fields::{Ignored, Labels};
use crate::json;
use crate::problem::Problem;

/// A tenant to make. Making it again with the same content is 200.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantCreate {
    /// Its name.
    #[schema(schema_with = crate::scalar::name_schema)]
    pub name: String,
    /// Its labels.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    /// What it is for, in at most 1,024 bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its bounds.
    #[serde(default)]
    pub quota: Quota,
    /// Accepted and ignored.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Object)]
    pub status: Ignored,
}

/// Bounds on what a tenant may hold; absent is without bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quota {
    /// Pools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pools: Option<u64>,
    /// Claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<u64>,
    /// IPv4 addresses in claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4_addresses: Option<u64>,
    /// IPv6 claims in units of a /64: max(1, 2^(64-length)) each.
    #[serde(
        default,
        rename = "ipv6Prefixes64",
        skip_serializing_if = "Option::is_none"
    )]
    pub ipv6_prefixes_64: Option<u64>,
}

impl TenantCreate {
    /// The command that a body asks for.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8]) -> Result<Command, Problem> {
        let document: Self = json::decode(body)?;
        let mut check = Check::default();
        let spec = document.spec(&mut check);
        check
            .finish(spec)
            .map(|spec| Command::TenantCreate(Box::new(spec)))
    }

    fn spec(&self, check: &mut Check) -> Checked<TenantSpec> {
        let name = check.name("name", &self.name);
        let labels = check.labels("labels", &self.labels);
        let annotations = check.labels("annotations", &self.annotations);
        let description = check.text("description", &self.description);
        Ok(TenantSpec {
            name: name?,
            labels: labels?,
            annotations: annotations?,
            description: description?,
            quota: command::Quota {
                pools: self.quota.pools,
                claims: self.quota.claims,
                ipv4_addresses: self.quota.ipv4_addresses,
                ipv6_prefixes_64: self.quota.ipv6_prefixes_64.map(u128::from),
            },
        })
    }
}
