//! Tenants as shown.

use allocator::name::Name;
use allocator::view::{self, TenantView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fields::Labels;
use crate::scalar::{Time, saturated};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Its name.
    #[schema(schema_with = crate::scalar::name_schema)]
    pub name: Name,
    /// Its labels.
    #[serde(default)]
    pub labels: Labels,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its bounds.
    #[serde(default)]
    pub quota: Quota,
    /// What the system knows of it.
    pub status: TenantStatus,
}

/// Bounds on what a tenant may hold; absent is without bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QuotaView)]
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
    /// IPv6 claims in units of a /64.
    #[serde(
        default,
        rename = "ipv6Prefixes64",
        skip_serializing_if = "Option::is_none"
    )]
    pub ipv6_prefixes_64: Option<u64>,
}

/// What the system knows of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// What it holds, in the units of its quota.
    pub usage: Usage,
    /// The revision at which it was made or last edited.
    pub revision: u64,
    /// When it was made.
    pub created_at: Time,
    /// When it was last edited.
    pub updated_at: Time,
}

/// What a tenant holds, in the units of its quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Pools.
    pub pools: u64,
    /// Claims.
    pub claims: u64,
    /// IPv4 addresses in claims.
    pub ipv4_addresses: u64,
    /// IPv6 claims in units of a /64; told as at most 2^64−1.
    #[serde(rename = "ipv6Prefixes64")]
    pub ipv6_prefixes_64: u64,
}

impl From<&TenantView> for Tenant {
    fn from(view: &TenantView) -> Self {
        let quota = &view.spec.quota;
        Self {
            name: view.spec.name.clone(),
            labels: Labels::from(&view.spec.labels),
            annotations: Labels::from(&view.spec.annotations),
            description: view.spec.description.to_string(),
            quota: Quota {
                pools: quota.pools,
                claims: quota.claims,
                ipv4_addresses: quota.ipv4_addresses,
                ipv6_prefixes_64: quota.ipv6_prefixes_64.map(saturated),
            },
            status: TenantStatus {
                usage: Usage::from(view.usage),
                revision: view.revision,
                created_at: Time(view.created_at_ms),
                updated_at: Time(view.updated_at_ms),
            },
        }
    }
}

impl From<view::Usage> for Usage {
    fn from(usage: view::Usage) -> Self {
        Self {
            pools: usage.pools,
            claims: usage.claims,
            ipv4_addresses: usage.ipv4_addresses,
            ipv6_prefixes_64: saturated(usage.ipv6_prefixes_64),
        }
    }
}
