//! Pools and trees of pools.

use allocator::count::Count;
use allocator::view::TreeNode;
use api::problem::Viewer;
use api::views;
use expect_test::expect;

use crate::samples::{block, capacity, child, labels, name, root};

use crate::check;

#[test]
fn a_root_pool() {
    check(
        &views::Pool::from(&root()),
        &expect![[r#"
            {
              "name": "p",
              "space": "default",
              "cidrs": [
                {
                  "cidr": "10.0.0.0/16",
                  "gateway": "last"
                }
              ],
              "minPrefixLength": 24,
              "strategy": "FirstFit",
              "exclude": [
                {
                  "addresses": "10.0.0.0/24",
                  "reason": "infrastructure"
                }
              ],
              "gateway": "first",
              "routes": [
                {
                  "dst": "0.0.0.0/0",
                  "gw": "10.0.0.1",
                  "priority": 100
                }
              ],
              "dns": {
                "nameservers": [
                  "10.0.0.53"
                ],
                "search": [
                  "example"
                ]
              },
              "mtu": 1450,
              "parameters": {
                "vlan": "7"
              },
              "labels": {
                "env": "prod"
              },
              "status": {
                "phase": "Ready",
                "allocatedCIDRs": [
                  "10.0.0.0/16"
                ],
                "cidrs": [
                  {
                    "cidr": "10.0.0.0/16",
                    "subnet": "10.0.0.0/16",
                    "gateway": "10.0.255.254"
                  }
                ],
                "space": "default",
                "family": "IPv4",
                "visibility": "private",
                "minPrefixLength": 24,
                "maxPrefixLength": 32,
                "defaultPrefixLength": 32,
                "routes": [
                  {
                    "dst": "0.0.0.0/0",
                    "gw": "10.0.0.1",
                    "priority": 100
                  }
                ],
                "dns": {
                  "nameservers": [
                    "10.0.0.53"
                  ],
                  "search": [
                    "example"
                  ]
                },
                "mtu": 1450,
                "parameters": {
                  "vlan": "7"
                },
                "capacity": {
                  "total": "65536",
                  "allocated": "257",
                  "inUse": "0",
                  "released": "0",
                  "reserved": "256",
                  "available": "65023"
                },
                "blocks": {
                  "prefixLength": 32,
                  "total": "65536",
                  "available": "65023"
                },
                "utilization": "0.0039",
                "fragmentation": "0.4960",
                "largestFreePrefixLength": 17,
                "children": 0,
                "claims": {
                  "allocated": 2,
                  "inUse": 0,
                  "released": 0
                },
                "outOfPolicy": 0,
                "revision": 4,
                "contentRevision": 9,
                "createdAt": "2026-03-01T12:00:00.000Z",
                "updatedAt": "2026-03-01T12:00:00.000Z",
                "conditions": [
                  {
                    "type": "Allocated",
                    "status": "True",
                    "reason": "AllocationSucceeded",
                    "message": "10.0.0.0/16",
                    "lastTransitionTime": "2026-03-01T12:00:00.000Z"
                  }
                ]
              }
            }"#]],
    );
}

#[test]
fn a_child_pool_that_is_full() {
    check(
        &views::Pool::from(&child()),
        &expect![[r#"
            {
              "name": "c",
              "parent": "p",
              "prefixLength": 24,
              "owner": "node-7",
              "minPrefixLength": 24,
              "strategy": "FirstFit",
              "gateway": "first",
              "labels": {
                "env": "prod"
              },
              "status": {
                "phase": "Exhausted",
                "allocatedCIDRs": [
                  "10.0.1.0/24"
                ],
                "cidrs": [
                  {
                    "cidr": "10.0.1.0/24",
                    "subnet": "10.0.0.0/16",
                    "gateway": "10.0.255.254"
                  }
                ],
                "space": "default",
                "family": "IPv4",
                "visibility": "private",
                "minPrefixLength": 24,
                "maxPrefixLength": 32,
                "defaultPrefixLength": 32,
                "routes": [
                  {
                    "dst": "0.0.0.0/0",
                    "gw": "10.0.0.1",
                    "priority": 100
                  }
                ],
                "dns": {
                  "nameservers": [
                    "10.0.0.53"
                  ],
                  "search": [
                    "example"
                  ]
                },
                "mtu": 1450,
                "parameters": {
                  "vlan": "7"
                },
                "capacity": {
                  "total": "65536",
                  "allocated": "257",
                  "inUse": "0",
                  "released": "0",
                  "reserved": "256",
                  "available": "65023"
                },
                "blocks": {
                  "prefixLength": 32,
                  "total": "65536",
                  "available": "65023"
                },
                "utilization": "0.0039",
                "fragmentation": "0.4960",
                "largestFreePrefixLength": 17,
                "children": 0,
                "claims": {
                  "allocated": 2,
                  "inUse": 0,
                  "released": 0
                },
                "outOfPolicy": 0,
                "revision": 4,
                "contentRevision": 9,
                "createdAt": "2026-03-01T12:00:00.000Z",
                "updatedAt": "2026-03-01T12:00:00.000Z",
                "conditions": [
                  {
                    "type": "Allocated",
                    "status": "True",
                    "reason": "AllocationSucceeded",
                    "message": "10.0.1.0/24 from pool p",
                    "lastTransitionTime": "2026-03-01T12:00:00.000Z"
                  },
                  {
                    "type": "Exhausted",
                    "status": "True",
                    "reason": "NoFreeBlock",
                    "message": "no /32 is free",
                    "lastTransitionTime": "2026-03-01T12:01:00.000Z"
                  }
                ]
              }
            }"#]],
    );
}

#[test]
fn a_tree() {
    let leaf = TreeNode {
        tenant: name("umbrella"),
        name: name("secret"),
        cidrs: vec![block("10.0.1.0/24")],
        capacity: capacity(),
        utilization_e4: 10_000,
        held_below: Count::new(1),
        labels: labels(),
        children_total: 0,
        children: Vec::new(),
    };
    let tree = TreeNode {
        tenant: name("acme"),
        name: name("p"),
        children_total: 1,
        children: vec![leaf.clone()],
        ..leaf
    };
    check(
        &views::PoolTree::of(&tree, Viewer::Tenant(&name("acme")), 9),
        &expect![[r#"
        {
          "name": "p",
          "cidrs": [
            "10.0.1.0/24"
          ],
          "capacity": {
            "total": "65536",
            "allocated": "257",
            "inUse": "0",
            "released": "0",
            "reserved": "256",
            "available": "65023"
          },
          "utilization": "1.0000",
          "heldBelow": "1",
          "labels": {
            "env": "prod"
          },
          "childrenTotal": 1,
          "children": [
            {
              "tenant": "umbrella",
              "cidrs": [
                "10.0.1.0/24"
              ],
              "capacity": {
                "total": "65536",
                "allocated": "257",
                "inUse": "0",
                "released": "0",
                "reserved": "256",
                "available": "65023"
              },
              "utilization": "1.0000",
              "heldBelow": "1",
              "labels": {},
              "childrenTotal": 0,
              "children": []
            }
          ],
          "revision": 9
        }"#]],
    );
}
