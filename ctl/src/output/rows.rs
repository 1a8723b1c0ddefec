//! The columns of each kind of object.

use allocator::name::Name;
use allocator::view::Purpose;
use api::fields::Labels;
use api::scalar::{Ratio, Time};
use api::views::{Allocation, Claim, Pool, Tenant};

use super::{Column, OfTenant, Row, age, column, wide_column};

impl Row for Tenant {
    const COLUMNS: &'static [Column] = &[
        column("NAME"),
        column("POOLS"),
        column("CLAIMS"),
        column("IPV4"),
        column("IPV6/64"),
        column("AGE"),
        wide_column("LABELS"),
    ];

    fn name(&self) -> String {
        self.name.to_string()
    }

    fn cells(&self, now_ms: u64) -> Vec<String> {
        let (usage, quota) = (&self.status.usage, &self.quota);
        vec![
            self.name.to_string(),
            of_quota(usage.pools, quota.pools),
            of_quota(usage.claims, quota.claims),
            of_quota(usage.ipv4_addresses, quota.ipv4_addresses),
            of_quota(usage.ipv6_prefixes_64, quota.ipv6_prefixes_64),
            age_of(self.status.created_at, now_ms),
            labels(&self.labels),
        ]
    }
}

impl OfTenant for Pool {
    fn tenant(&self) -> Option<&Name> {
        self.tenant.as_ref()
    }
}

impl Row for Pool {
    const COLUMNS: &'static [Column] = &[
        column("NAME"),
        column("FAMILY"),
        column("CIDRS"),
        column("LENGTH"),
        column("AVAILABLE"),
        column("TOTAL"),
        column("UTIL"),
        column("PHASE"),
        column("AGE"),
        wide_column("SPACE"),
        wide_column("PARENT"),
        wide_column("OWNER"),
        wide_column("CHILDREN"),
        wide_column("CLAIMS"),
        wide_column("STRATEGY"),
        wide_column("LARGEST"),
        wide_column("LABELS"),
    ];

    fn name(&self) -> String {
        self.name.to_string()
    }

    fn cells(&self, now_ms: u64) -> Vec<String> {
        let status = &self.status;
        let cidrs: Vec<String> = status
            .allocated_cidrs
            .iter()
            .map(ToString::to_string)
            .collect();
        vec![
            self.name.to_string(),
            status.family.to_string(),
            cidrs.join(","),
            status
                .blocks
                .map(|blocks| format!("/{}", blocks.prefix_length))
                .unwrap_or_default(),
            status
                .blocks
                .map(|blocks| blocks.available.to_string())
                .unwrap_or_default(),
            status
                .blocks
                .map(|blocks| blocks.total.to_string())
                .unwrap_or_default(),
            percent(status.utilization),
            status.phase.to_string(),
            age_of(status.created_at, now_ms),
            status.space.to_string(),
            self.parent
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            self.owner
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            status.children.to_string(),
            status.claims.allocated.to_string(),
            self.strategy.to_string(),
            status
                .largest_free_prefix_length
                .map(|length| format!("/{length}"))
                .unwrap_or_default(),
            labels(&self.labels),
        ]
    }
}

impl OfTenant for Claim {
    fn tenant(&self) -> Option<&Name> {
        self.tenant.as_ref()
    }
}

impl Row for Claim {
    const COLUMNS: &'static [Column] = &[
        column("NAME"),
        column("POOL"),
        column("BLOCK"),
        column("OWNER"),
        column("PHASE"),
        column("EXPIRES"),
        column("AGE"),
        wide_column("ADDRESS"),
        wide_column("GATEWAY"),
        wide_column("GENERATION"),
        wide_column("LABELS"),
    ];

    fn name(&self) -> String {
        self.name.to_string()
    }

    fn cells(&self, now_ms: u64) -> Vec<String> {
        let status = &self.status;
        vec![
            self.name.to_string(),
            status.pool.to_string(),
            status.allocated_cidr.to_string(),
            self.owner
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            format!("{:?}", status.phase),
            until(status.expires_at, now_ms),
            age_of(status.allocated_at, now_ms),
            status.address.clone().unwrap_or_default(),
            status
                .gateway
                .map(|gateway| gateway.to_string())
                .unwrap_or_default(),
            status.generation.to_string(),
            labels(&self.labels),
        ]
    }
}

impl OfTenant for Allocation {
    fn tenant(&self) -> Option<&Name> {
        self.tenant.as_ref()
    }
}

impl Row for Allocation {
    const COLUMNS: &'static [Column] = &[
        column("BLOCK"),
        column("POOL"),
        column("PURPOSE"),
        column("HOLDER"),
        column("OWNER"),
        column("PHASE"),
        column("GENERATION"),
        column("AGE"),
        wide_column("SPACE"),
        wide_column("REASON"),
        wide_column("REVISION"),
    ];

    fn name(&self) -> String {
        self.cidr.to_string()
    }

    fn cells(&self, now_ms: u64) -> Vec<String> {
        let own = self
            .claim
            .as_ref()
            .or(self.child.as_ref())
            .map(ToString::to_string);
        let other = self.tenant.as_ref();
        // Of what is withheld, a list over all tenants tells the pool's.
        let other = other.filter(|_| self.purpose != Purpose::Reservation);
        let holder = own.or_else(|| other.map(|tenant| format!("tenant {tenant}")));
        vec![
            self.cidr.to_string(),
            self.pool.to_string(),
            format!("{:?}", self.purpose),
            holder.unwrap_or_default(),
            self.owner
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            format!("{:?}", self.phase),
            self.generation.to_string(),
            age_of(self.allocated_at, now_ms),
            self.space.to_string(),
            self.reason.clone().unwrap_or_default(),
            self.revision.to_string(),
        ]
    }
}

fn age_of(since: Time, now_ms: u64) -> String {
    age::since(since.0, now_ms)
}

/// How long there is until then; empty where there is no end.
fn until(end: Option<Time>, now_ms: u64) -> String {
    end.map_or_else(String::new, |end| age::since(now_ms, end.0))
}

/// `0.2500` as `25.00%`.
pub(super) fn percent(ratio: Ratio) -> String {
    format!("{}.{:02}%", ratio.0 / 100, ratio.0 % 100)
}

/// `used`, or `used/limit`.
fn of_quota(used: u64, limit: Option<u64>) -> String {
    match limit {
        Some(limit) => format!("{used}/{limit}"),
        None => used.to_string(),
    }
}

pub(super) fn labels(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .0
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::*;
    use crate::output::table::render;

    /// Five minutes after the times in the samples.
    const NOW_MS: u64 = 1_772_366_700_000;

    fn check<T: Row + serde::de::DeserializeOwned>(items: Value, table: &Expect, wide: &Expect) {
        let items: Vec<T> = serde_json::from_value(items).unwrap();
        let rows: Vec<Vec<String>> = items.iter().map(|item| item.cells(NOW_MS)).collect();
        assert!(rows.iter().all(|row| row.len() == T::COLUMNS.len()));
        table.assert_eq(&render(T::COLUMNS, &rows, false, false));
        wide.assert_eq(&render(T::COLUMNS, &rows, true, false));
    }

    #[test]
    fn tenants() {
        let tenant = |name: &str, quota: Value| {
            json!({
                "name": name, "labels": { "env": "prod" }, "quota": quota,
                "status": {
                    "usage": { "pools": 1, "claims": 2, "ipv4Addresses": 258, "ipv6Prefixes64": 0 },
                    "revision": 3, "createdAt": "2026-03-01T12:00:00.000Z", "updatedAt": "2026-03-01T12:00:00.000Z",
                },
            })
        };
        let items = json!([
            tenant("acme", json!({ "claims": 100 })),
            tenant("umbrella", json!({}))
        ]);
        check::<Tenant>(
            items,
            &expect![[r#"
            NAME       POOLS   CLAIMS   IPV4   IPV6/64   AGE
            acme       1       2/100    258    0         5m
            umbrella   1       2        258    0         5m
        "#]],
            &expect![[r#"
            NAME       POOLS   CLAIMS   IPV4   IPV6/64   AGE   LABELS
            acme       1       2/100    258    0         5m    env=prod
            umbrella   1       2        258    0         5m    env=prod
        "#]],
        );
    }

    #[test]
    fn pools() {
        let pool = |name: &str, phase: &str, parent: Option<&str>, blocks: Value| {
            let mut pool = json!({
                "name": name, "labels": { "env": "prod" },
                "status": {
                    "phase": phase, "allocatedCIDRs": ["10.0.0.0/16", "10.1.0.0/16"], "cidrs": [], "space": "default",
                    "family": "IPv4", "visibility": "private", "minPrefixLength": 24, "maxPrefixLength": 32,
                    "capacity": {
                        "total": "131072", "allocated": "0", "inUse": "0", "released": "0", "reserved": "0",
                        "available": "131072",
                    },
                    "utilization": "0.2507", "fragmentation": "0.0000", "largestFreePrefixLength": 16, "children": 1,
                    "claims": { "allocated": 2, "inUse": 0, "released": 0 }, "revision": 4, "contentRevision": 9,
                    "createdAt": "2026-03-01T12:00:00.000Z", "updatedAt": "2026-03-01T12:00:00.000Z", "conditions": [],
                },
            });
            if let Some(parent) = parent {
                pool["parent"] = parent.into();
            }
            if !blocks.is_null() {
                pool["status"]["blocks"] = blocks;
            }
            pool
        };
        let items = json!([
            pool(
                "p",
                "Ready",
                None,
                json!({ "prefixLength": 24, "total": "512", "available": "384" })
            ),
            pool("child", "Exhausted", Some("p"), Value::Null),
        ]);
        check::<Pool>(
            items,
            &expect![[r#"
            NAME    FAMILY   CIDRS                     LENGTH   AVAILABLE   TOTAL   UTIL     PHASE       AGE
            p       IPv4     10.0.0.0/16,10.1.0.0/16   /24      384         512     25.07%   Ready       5m
            child   IPv4     10.0.0.0/16,10.1.0.0/16   -        -           -       25.07%   Exhausted   5m
        "#]],
            &expect![[r#"
                NAME    FAMILY   CIDRS                     LENGTH   AVAILABLE   TOTAL   UTIL     PHASE       AGE   SPACE     PARENT   OWNER   CHILDREN   CLAIMS   STRATEGY   LARGEST   LABELS
                p       IPv4     10.0.0.0/16,10.1.0.0/16   /24      384         512     25.07%   Ready       5m    default   -        -       1          2        FirstFit   /16       env=prod
                child   IPv4     10.0.0.0/16,10.1.0.0/16   -        -           -       25.07%   Exhausted   5m    default   p        -       1          2        FirstFit   /16       env=prod
            "#]],
        );
    }

    #[test]
    fn claims() {
        let claim = |name: &str, owner: Value, address: Value| {
            json!({
                "name": name, "pool": "p", "owner": owner, "labels": { "app": "web", "env": "prod" },
                "status": {
                    "phase": "Allocated", "allocatedCIDR": "10.0.0.7/32", "address": address, "subnet": "10.0.0.0/24",
                    "gateway": "10.0.0.1", "pool": { "tenant": "shared", "name": "p" }, "generation": 17,
                    "returned": false, "allocatedAt": "2026-03-01T12:00:00.000Z", "firstAllocatedAt": "2026-03-01T12:00:00.000Z", "revision": 9, "conditions": [],
                },
            })
        };
        let items = json!([
            claim("web-1", "node-7/eth0".into(), "10.0.0.7/24".into()),
            claim("b", Value::Null, Value::Null),
        ]);
        check::<Claim>(
            items,
            &expect![[r#"
            NAME    POOL       BLOCK         OWNER         PHASE       EXPIRES   AGE
            web-1   shared/p   10.0.0.7/32   node-7/eth0   Allocated   -         5m
            b       shared/p   10.0.0.7/32   -             Allocated   -         5m
        "#]],
            &expect![[r#"
            NAME    POOL       BLOCK         OWNER         PHASE       EXPIRES   AGE   ADDRESS       GATEWAY    GENERATION   LABELS
            web-1   shared/p   10.0.0.7/32   node-7/eth0   Allocated   -         5m    10.0.0.7/24   10.0.0.1   17           app=web,env=prod
            b       shared/p   10.0.0.7/32   -             Allocated   -         5m    -             10.0.0.1   17           app=web,env=prod
        "#]],
        );
    }

    #[test]
    fn allocations() {
        let allocation = |purpose: &str, holder: (&str, &str)| {
            json!({
                "cidr": "10.0.0.7/32", "family": "IPv4", "space": "default", "pool": "p", "purpose": purpose,
                holder.0: holder.1, "phase": "Allocated", "generation": 17,
                "allocatedAt": "2026-03-01T12:00:00.000Z", "revision": 9,
            })
        };
        let items = json!([
            allocation("Claim", ("claim", "web-1")),
            allocation("Child", ("child", "nodes")),
            allocation("Claim", ("tenant", "umbrella")),
            allocation("Reservation", ("reason", "gateway")),
        ]);
        check::<Allocation>(
            items,
            &expect![[r#"
            BLOCK         POOL   PURPOSE       HOLDER            OWNER   PHASE       GENERATION   AGE
            10.0.0.7/32   p      Claim         web-1             -       Allocated   17           5m
            10.0.0.7/32   p      Child         nodes             -       Allocated   17           5m
            10.0.0.7/32   p      Claim         tenant umbrella   -       Allocated   17           5m
            10.0.0.7/32   p      Reservation   -                 -       Allocated   17           5m
        "#]],
            &expect![[r#"
            BLOCK         POOL   PURPOSE       HOLDER            OWNER   PHASE       GENERATION   AGE   SPACE     REASON    REVISION
            10.0.0.7/32   p      Claim         web-1             -       Allocated   17           5m    default   -         9
            10.0.0.7/32   p      Child         nodes             -       Allocated   17           5m    default   -         9
            10.0.0.7/32   p      Claim         tenant umbrella   -       Allocated   17           5m    default   -         9
            10.0.0.7/32   p      Reservation   -                 -       Allocated   17           5m    default   gateway   9
        "#]],
        );
    }
}
