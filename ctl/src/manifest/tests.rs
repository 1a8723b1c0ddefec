use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

/// The documents in order, what other systems' became, and all faults.
fn check(text: &str, expected: &Expect) {
    let mut raw = Vec::new();
    read::documents("f.yaml", text, &mut raw).unwrap();
    let judged = judge(raw, Name::new("acme").ok().as_ref());
    let mut told = String::new();
    for document in order::sorted(judged.documents) {
        writeln!(told, "{} {}", document.key, document.creation()).unwrap();
    }
    for note in judged.notes {
        writeln!(told, "note {note}").unwrap();
    }
    for fault in judged.faults {
        writeln!(told, "fault {}: {}", fault.place, fault.text).unwrap();
    }
    expected.assert_eq(&told);
}

#[test]
fn documents_are_flat_or_in_an_envelope_and_come_in_the_order_of_their_making() {
    check(
        r#"
kind: Claim
name: web
pool: racks
labels: {app: web}
status: {phase: Allocated}
---
apiVersion: ipamd/v1
kind: Pool
metadata:
  name: racks
  namespace: umbrella
  uid: 5f1c
  labels: {tier: rack}
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}", owner: net}
spec:
  parent: row
  prefixLength: 24
---
{"kind": "Pool", "tenant": "umbrella", "name": "row", "parent": "region", "prefixLength": 16}
---
kind: Pool
tenant: umbrella
name: region
cidrs: [10.0.0.0/8]
gateway: null
---
kind: Tenant
name: umbrella
quota: {claims: 5, pools: null}
"#,
        &expect![[r#"
            tenant umbrella {"name":"umbrella","quota":{"claims":5}}
            pool umbrella/region {"cidrs":["10.0.0.0/8"],"name":"region"}
            pool umbrella/row {"name":"row","parent":"region","prefixLength":16}
            pool umbrella/racks {"annotations":{"owner":"net"},"labels":{"tier":"rack"},"name":"racks","parent":"row","prefixLength":24}
            claim acme/web {"labels":{"app":"web"},"name":"web","pool":"racks"}
        "#]],
    );
}

#[test]
fn milo_s_pools_and_claims_say_what_they_became() {
    check(
        r#"
apiVersion: ipam.miloapis.com/v1alpha1
kind: IPPool
metadata: {name: prod, labels: {environment: consumer}}
spec:
  cidr: 10.128.5.0/20
  ipFamily: IPv4
  visibility: platform
  allocation: {minPrefixLength: 24, maxPrefixLength: 28, strategy: BestFit}
status: {phase: Ready}
---
apiVersion: ipam.miloapis.com/v1alpha1
kind: IPPool
metadata: {name: prod-a}
spec:
  parentPoolRef: {name: prod}
  prefixLength: 24
---
apiVersion: ipam.miloapis.com/v1alpha1
kind: IPClaim
metadata: {name: web, namespace: frontend}
spec:
  ipFamily: IPv4
  prefixLength: 28
  poolRef: {name: prod, projectRef: {name: platform}}
  reclaimPolicy: Delete
  ownerRef: {apiGroup: apps, kind: Deployment, namespace: frontend, name: web}
---
apiVersion: ipam.miloapis.com/v1alpha1
kind: IPClaim
metadata: {name: db, namespace: default}
spec:
  ipFamily: IPv4
  prefixLength: 32
  address: 10.128.0.7
  poolRef: {name: prod}
"#,
        &expect![[r#"
            pool acme/prod {"cidrs":["10.128.0.0/20"],"family":"IPv4","labels":{"environment":"consumer"},"maxPrefixLength":28,"minPrefixLength":24,"name":"prod","strategy":"BestFit"}
            pool acme/prod-a {"name":"prod-a","parent":"prod","prefixLength":24}
            claim acme/frontend.web {"family":"IPv4","name":"frontend.web","owner":"frontend/Deployment/web","pool":{"name":"prod","tenant":"platform"},"prefixLength":28,"reclaimPolicy":"Delete"}
            claim acme/db {"cidr":"10.128.0.7/32","family":"IPv4","name":"db","pool":"prod"}
            note f.yaml, document 1: IPPool prod (cidr 10.128.5.0/20 became 10.128.0.0/20) became pool acme/prod
            note f.yaml, document 2: IPPool prod-a became pool acme/prod-a
            note f.yaml, document 3: IPClaim frontend/web became claim acme/frontend.web
            note f.yaml, document 4: IPClaim default/db became claim acme/db
        "#]],
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_the_field_as_the_file_writes_it() {
    check(
        r#"
kind: Pool
name: a
cidrs: [10.0.0.1/8]
strateggy: FirstFit
---
apiVersion: ipamd/v1
kind: Pool
metadata: {name: b c, namespace: acme}
spec: {cidrs: [10.0.0.0/8]}
---
apiVersion: ipamd/v1
kind: Claim
metadata: {name: c, namespace: acme, generateName: c-}
spec: {pool: p}
---
apiVersion: ipamd/v1
kind: Claim
metadata: {name: d, labels: {count: 3}}
spec: {pool: p, prefixLength: 129}
---
kind: Claim
pool: p
---
kind: Network
name: n
---
apiVersion: apps/v1
kind: Pool
metadata: {name: e}
---
just text
---
apiVersion: ipamd/v1
kind: Pool
metadata: {name: g}
spec: {name: g, cidrs: [10.0.0.0/8]}
---
kind: Tenant
name: twice
---
kind: Tenant
name: twice
---
apiVersion: ipam.miloapis.com/v1alpha1
kind: IPPool
metadata: {name: h}
spec: {cidr: 10.0.0.0/99, ipFamily: IPv4, reservations: {leading: 1}, allocation: {minPrefixLength: 200}}
---
apiVersion: ipam.miloapis.com/v1alpha1
kind: IPPool
metadata: {name: h}
spec: {cidr: 10.0.0.0/99, ipFamily: IPv5, allocation: {minPrefixLength: 200}}
---
apiVersion: ipam.miloapis.com/v1alpha1
kind: IPClass
metadata: {name: i}
"#,
        &expect![[r#"
            tenant twice {"name":"twice"}
            tenant twice {"name":"twice"}
            fault f.yaml, document 1: strateggy is not a field; allowed: name, space, cidrs, family, parent, prefixLength, cidr, owner, minPrefixLength, maxPrefixLength, defaultPrefixLength, strategy, usableOnly, privateOnly, drain, sharedWith, priority, exclude, subnet, gateway, routes, dns, mtu, parameters, graceSeconds, reclaimPolicy, maxGraceSeconds, allowRetain, maxTtlSeconds, labels, annotations, description, status
            fault f.yaml, document 2: metadata.name is "b c", which is not a name: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
            fault f.yaml, document 3: metadata.generateName is not a field; allowed: name, namespace, labels, annotations
            fault f.yaml, document 4: metadata.labels.count is the number 3; allowed: a string
            fault f.yaml, document 5: name is missing; allowed: a name
            fault f.yaml, document 6: kind is "Network"; allowed: Tenant, Pool, Claim, or Milo's IPPool, IPClaim
            fault f.yaml, document 7: apiVersion is "apps/v1"; allowed: v1, ipamd/v1
            fault f.yaml, document 8: it is no object; allowed: the fields of a Tenant, Pool or Claim
            fault f.yaml, document 9: spec.name is stated; allowed: metadata.name
            fault f.yaml, document 12: spec.reservations has no counterpart; allowed: cidr, ipFamily, parentPoolRef, prefixLength, allocation, visibility
            fault f.yaml, document 13: spec.ipFamily is the string "IPv5"; allowed: IPv4, IPv6
            fault f.yaml, document 14: kind is "IPClass"; allowed: IPPool, IPClaim: what else there is in Milo has no counterpart
            fault f.yaml, document 11: tenant twice is described in f.yaml, document 10 already
        "#]],
    );
}

#[test]
fn a_tenant_is_named_by_the_document_or_by_the_switch() {
    let raw = |text: &str| {
        let mut raw = Vec::new();
        read::documents("f", text, &mut raw).unwrap();
        raw
    };
    let judged = judge(raw("kind: Claim\nname: c\npool: p\n"), None);
    assert_eq!(judged.faults.len(), 1);
    assert!(judged.faults[0].text.starts_with("tenant is missing"));
    let judged = judge(raw("kind: Claim\nname: c\npool: p\ntenant: t\n"), None);
    assert_eq!(judged.documents[0].key.to_string(), "claim t/c");
}

#[test]
fn pools_whose_parents_go_in_a_circle_come_to_an_end() {
    let text = "kind: Pool\nname: a\nparent: b\nprefixLength: 24\n---\nkind: Pool\nname: b\nparent: a\nprefixLength: 24\n";
    let mut raw = Vec::new();
    read::documents("f", text, &mut raw).unwrap();
    let judged = judge(raw, Name::new("acme").ok().as_ref());
    assert_eq!(order::sorted(judged.documents).len(), 2);
}

#[test]
fn milo_s_shared_pools_and_selectors_become_fields_of_the_api() {
    let fields = |text: &str| {
        let mut raw = Vec::new();
        read::documents("f", text, &mut raw).unwrap();
        let (place, value) = raw.remove(0);
        Value::from(envelope::open(place, value).unwrap().fields)
    };
    let shared = "kind: IPPool\nmetadata: {name: p}\nspec: {cidr: 10.0.0.0/8, ipFamily: IPv4, visibility: shared}\n";
    assert_eq!(fields(shared)["sharedWith"], serde_json::json!(["*"]));
    let selecting = "kind: IPClaim\nmetadata: {name: c}\nspec:\n  ipFamily: IPv4\n  prefixLength: 24\n  \
        poolSelector: {matchLabels: {a: b}, projectRef: {name: platform}}\n";
    assert_eq!(
        fields(selecting)["poolSelector"],
        serde_json::json!({ "matchLabels": { "a": "b" }, "tenant": "platform" })
    );
}

#[test]
fn a_typing_error_in_a_reference_of_milo_s_is_told_and_drops_nothing() {
    let told = |spec: &str| {
        let text = format!("kind: IPClaim\nmetadata: {{name: c}}\nspec: {{{spec}}}\n");
        let mut raw = Vec::new();
        read::documents("f", &text, &mut raw).unwrap();
        let (place, value) = raw.remove(0);
        match envelope::open(place, value) {
            Ok(opened) => Value::from(opened.fields).to_string(),
            Err(faults) => {
                let texts: Vec<String> = faults.into_iter().map(|fault| fault.text).collect();
                texts.join(" | ")
            }
        }
    };
    let table = [
        (
            "poolRef: {name: p, projectRef: {apiGroup: x, name: net}}",
            expect![[r#"{"name":"c","pool":{"name":"p","tenant":"net"}}"#]],
        ),
        (
            "poolRef: {name: p, projectRef: {nmae: net}}",
            expect![
                "spec.poolRef.projectRef.nmae has no counterpart; allowed: name, apiGroup | spec.poolRef.projectRef.name is missing; allowed: a project"
            ],
        ),
        (
            "poolRef: {name: p, projectRef: {}}",
            expect!["spec.poolRef.projectRef.name is missing; allowed: a project"],
        ),
        (
            "poolSelector: {matchLabels: {a: b}, projectRef: {nmae: net}}",
            expect![
                "spec.poolSelector.projectRef.nmae has no counterpart; allowed: name, apiGroup | spec.poolSelector.projectRef.name is missing; allowed: a project"
            ],
        ),
        (
            "ownerRef: {apiGroup: apps, kind: Deployment, namespace: n, name: x}",
            expect![[r#"{"name":"c","owner":"n/Deployment/x"}"#]],
        ),
        (
            "ownerRef: {kind: Pod, nmae: x}",
            expect![
                "spec.ownerRef.nmae has no counterpart; allowed: apiGroup, kind, namespace, name"
            ],
        ),
        (
            "ownerRef: {kind: Pod, name: 7.5}",
            expect!["spec.ownerRef.name is 7.5; allowed: a string"],
        ),
    ];
    for (spec, expected) in table {
        expected.assert_eq(&told(spec));
    }
}

#[test]
fn what_the_documentation_shows_is_so() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ipamctl.md");
    let page = std::fs::read_to_string(page).unwrap();
    let example = page.split("```yaml\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    let judged = |text: &str| {
        let mut raw = Vec::new();
        read::documents("net.yaml", text, &mut raw).unwrap();
        judge(raw, None)
    };
    let good = judged(example);
    assert_eq!(
        (good.documents.len(), good.faults),
        (2, Vec::new()),
        "{example}"
    );
    let bad = judged(&example.replace("pool: racks", "pool: racks\n  prefixLength: 200"));
    let fault = &bad.faults[0];
    let told = format!("error: {}: {}", fault.place, fault.text);
    assert!(page.contains(&told), "{told}");
}
