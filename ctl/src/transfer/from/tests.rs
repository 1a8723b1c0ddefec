use std::fs;

use expect_test::{Expect, expect};

use super::*;

/// The claims of each item of what kubectl printed.
fn check(from: &Foreign, printed: &str, expected: &Expect) {
    let printed: Value = serde_json::from_str(printed).unwrap();
    let items = printed["items"].as_array().unwrap();
    let told: Vec<String> = items
        .iter()
        .flat_map(|item| claims(from, item))
        .map(told)
        .collect();
    expected.assert_eq(&told.join("\n"));
}

fn told(said: Said) -> String {
    match said {
        Said::Claim(fields) => Value::from(fields).to_string(),
        Said::Skipped(why) => format!("skipped: {why}"),
        Said::Wrong(why) => format!("wrong: {why}"),
    }
}

#[test]
fn milo() {
    let printed = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "ipam.miloapis.com/v1alpha1", "kind": "IPClaim",
         "metadata": {"name": "web", "namespace": "frontend", "labels": {"app": "web"}, "uid": "5f"},
         "spec": {"ipFamily": "IPv4", "prefixLength": 28, "poolRef": {"name": "prod", "projectRef": {"name": "platform"}},
                  "ownerRef": {"apiGroup": "apps", "kind": "Deployment", "namespace": "frontend", "name": "web"}},
         "status": {"phase": "Bound", "allocatedCIDR": "10.128.0.16/28", "boundAllocationRef": {"name": "alloc-1b2c"}}},
        {"apiVersion": "ipam.miloapis.com/v1alpha1", "kind": "IPClaim",
         "metadata": {"name": "db", "namespace": "default"},
         "spec": {"ipFamily": "IPv4", "prefixLength": 24, "poolSelector": {"matchLabels": {"a": "b"}}},
         "status": {"phase": "Bound", "allocatedCIDR": "10.128.1.0/24", "poolRef": {"name": "other"}}},
        {"apiVersion": "ipam.miloapis.com/v1alpha1", "kind": "IPClaim",
         "metadata": {"name": "kept-x7", "generateName": "kept-", "deletionTimestamp": null, "annotations": {"note": "n"}},
         "spec": {"ipFamily": "IPv6", "prefixLength": 64, "reclaimPolicy": "Retain"},
         "status": {"phase": "Bound", "allocatedCIDR": "2001:db8::/64", "poolRef": {"name": "six"}}},
        {"kind": "IPClaim", "metadata": {"name": "typo"},
         "spec": {"poolRef": {"name": "p", "projectRef": {"nmae": "net"}}, "ownerRef": {"nmae": "x"}},
         "status": {"phase": "Bound", "allocatedCIDR": "10.128.3.0/24"}},
        {"kind": "IPClaim", "metadata": {"name": "new"}, "spec": {}, "status": {"phase": "Pending"}},
        {"kind": "IPClaim", "metadata": {"name": "old"}, "spec": {}, "status": {"phase": "Releasing", "allocatedCIDR": "10.128.2.0/24"}},
        {"kind": "IPAllocation", "metadata": {"name": "alloc-1b2c"}, "status": {"allocatedCIDR": "10.128.0.16/28"}}
    ]}"#;
    check(
        &Foreign::Milo,
        printed,
        &expect![[r#"
            {"cidr":"10.128.0.16/28","family":"IPv4","labels":{"app":"web"},"name":"frontend.web","owner":"frontend/Deployment/web","pool":{"name":"prod","tenant":"platform"}}
            {"cidr":"10.128.1.0/24","family":"IPv4","name":"db","poolSelector":{"matchLabels":{"a":"b"}}}
            {"annotations":{"note":"n"},"cidr":"2001:db8::/64","family":"IPv6","name":"kept-x7","pool":"six","reclaimPolicy":"Retain"}
            wrong: spec.poolRef.projectRef.nmae has no counterpart; allowed: name, apiGroup; spec.poolRef.projectRef.name is missing; allowed: a project; spec.ownerRef.nmae has no counterpart; allowed: apiGroup, kind, namespace, name
            skipped: it has no block
            skipped: it is being released
            skipped: it is of kind IPAllocation"#]],
    );
}

#[test]
fn kubeslice() {
    let printed = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "controller.kubeslice.io/v1alpha1", "kind": "SliceIpam",
         "metadata": {"name": "red", "namespace": "kubeslice-avesha"},
         "spec": {"sliceName": "red", "sliceSubnet": "10.1.0.0/16", "subnetSize": 24},
         "status": {"availableSubnets": 254, "totalSubnets": 256, "allocatedSubnets": [
            {"clusterName": "worker-1", "subnet": "10.1.0.0/24", "status": "InUse", "allocatedAt": "2026-01-01T00:00:00Z"},
            {"clusterName": "worker-2", "subnet": "10.1.1.0/24", "status": "Allocated", "allocatedAt": "2026-01-01T00:00:00Z"},
            {"clusterName": "worker-3", "subnet": "10.1.2.0/24", "status": "Released", "releasedAt": "2026-01-02T00:00:00Z"}]}},
        {"kind": "SliceIpam", "metadata": {"name": "blue"}, "spec": {"sliceSubnet": "10.2.0.0/16"}, "status": {}}
    ]}"#;
    check(
        &Foreign::Kubeslice,
        printed,
        &expect![[r#"
        {"cidr":"10.1.0.0/24","labels":{"cluster":"worker-1","slice":"red"},"name":"red.worker-1","owner":"worker-1"}
        {"cidr":"10.1.1.0/24","labels":{"cluster":"worker-2","slice":"red"},"name":"red.worker-2","owner":"worker-2"}
        skipped: cluster worker-3 has left slice red"#]],
    );
}

#[test]
fn calico() {
    let printed = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "crd.projectcalico.org/v1", "kind": "IPAMBlock", "metadata": {"name": "192-168-110-128-26"},
         "spec": {"affinity": "host:worker-1", "cidr": "192.168.110.128/26", "deleted": false, "strictAffinity": false,
            "allocations": [0, null, 1, 1, 7, null], "unallocated": [1, 5],
            "attributes": [
                {"handle_id": "ipip-tunnel-addr-worker-1", "secondary": {"node": "worker-1", "type": "ipipTunnelAddress"}},
                {"handle_id": "k8s-pod-network.9f3c", "secondary": {"namespace": "default", "node": "worker-1", "pod": "web-0", "timestamp": "2026-01-01"}}]}},
        {"kind": "IPAMBlock", "spec": {"affinity": "host:worker-2", "cidr": "fd00::40/122", "allocations": [null, 0], "attributes": [{"handle_id": "h"}]}},
        {"kind": "IPAMBlock", "spec": {"cidr": "192.168.0.0/31", "allocations": [null, null, 0], "attributes": [{}]}},
        {"kind": "IPAMBlock", "spec": {"cidr": "192.168.0.0/26", "deleted": true, "allocations": [0]}},
        {"kind": "IPAMBlock", "spec": {"cidr": "nowhere"}},
        {"kind": "IPPool", "spec": {"cidr": "192.168.0.0/16"}}
    ]}"#;
    check(
        &Foreign::Calico,
        printed,
        &expect![[r#"
        {"cidr":"192.168.110.128/32","labels":{"node":"worker-1","type":"ipipTunnelAddress"},"name":"calico.192.168.110.128","owner":"worker-1/ipip-tunnel-addr-worker-1"}
        {"cidr":"192.168.110.130/32","labels":{"namespace":"default","node":"worker-1","pod":"web-0"},"name":"calico.192.168.110.130","owner":"worker-1/k8s-pod-network.9f3c"}
        {"cidr":"192.168.110.131/32","labels":{"namespace":"default","node":"worker-1","pod":"web-0"},"name":"calico.192.168.110.131","owner":"worker-1/k8s-pod-network.9f3c"}
        wrong: allocations[4] of 192.168.110.128/26 has no attributes
        {"cidr":"fd00::41/128","labels":{"node":"worker-2"},"name":"calico.fd00::41","owner":"worker-2/h"}
        wrong: allocations[2] lies outside of 192.168.0.0/31
        skipped: the block is deleted
        wrong: spec.cidr is "nowhere", which is no block
        skipped: it is of kind IPPool"#]],
    );
}

#[test]
fn whereabouts() {
    let printed = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "whereabouts.cni.cncf.io/v1alpha1", "kind": "IPPool",
         "metadata": {"name": "10.56.217.0-24", "namespace": "kube-system"},
         "spec": {"range": "10.56.217.0/24", "allocations": {
            "1": {"id": "6e3c", "podref": "default/web-0", "ifname": "net1"},
            "171": {"id": "77ab", "podref": "default/web-1"},
            "255": {"id": "88cd"},
            "x": {"id": "99"}}}},
        {"kind": "IPPool", "metadata": {"name": "net-2001-db8---64"},
         "spec": {"range": "2001:db8::/64", "allocations": {"4294967296": {"id": "a", "podref": "ns/p", "ifname": "net2"}}}},
        {"kind": "IPPool", "metadata": {"name": "empty"}, "spec": {"range": "10.0.0.0/8", "allocations": {}}},
        {"kind": "IPPool", "metadata": {"name": "odd"}, "spec": {"range": "ten"}},
        {"kind": "OverlappingRangeIPReservation", "metadata": {"name": "10.56.217.1"}}
    ]}"#;
    check(
        &Foreign::Whereabouts,
        printed,
        &expect![[r#"
        {"cidr":"10.56.217.1/32","labels":{"container":"6e3c","interface":"net1","namespace":"default","pod":"web-0"},"name":"10.56.217.0-24.10.56.217.1","owner":"default/web-0/net1"}
        {"cidr":"10.56.217.171/32","labels":{"container":"77ab","namespace":"default","pod":"web-1"},"name":"10.56.217.0-24.10.56.217.171","owner":"default/web-1"}
        {"cidr":"10.56.217.255/32","labels":{"container":"88cd"},"name":"10.56.217.0-24.10.56.217.255","owner":"88cd"}
        wrong: allocations["x"] is no offset from 10.56.217.0
        {"cidr":"2001:db8::1:0:0/128","labels":{"container":"a","interface":"net2","namespace":"ns","pod":"p"},"name":"net-2001-db8---64.2001:db8::1:0:0","owner":"ns/p/net2"}
        wrong: spec.range is "ten", which is no CIDR
        skipped: it is of kind OverlappingRangeIPReservation"#]],
    );
}

#[test]
fn host_local_is_the_directory_of_a_node_or_of_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let network = folder.path().join("podnet");
    fs::create_dir(&network).unwrap();
    for (file, text) in [
        ("10.244.0.2", "9f3c\r\neth0"),
        ("fd00::2", "9f3c\r\neth0"),
        ("10.244.0.3", "77ab"),
        ("10.244.0.4", ""),
        ("lock", ""),
        ("last_reserved_ip.0", "10.244.0.4"),
    ] {
        fs::write(network.join(file), text).unwrap();
    }
    let read = |path: &std::path::Path| {
        let mut lines = Vec::new();
        host_local::read(path, "node-7", |file, said| {
            let file = file.rsplit('/').next().unwrap_or_default().to_owned();
            lines.push(format!("{file} {}", told(said)));
            true
        })
        .unwrap();
        lines.join("\n")
    };
    let whole = read(folder.path());
    expect![[r#"
        10.244.0.4 skipped: it is empty: nobody is known to hold it
        10.244.0.3 {"cidr":"10.244.0.3/32","labels":{"container":"77ab","network":"podnet","node":"node-7"},"name":"cni.a3e16c07fdc076b63beeea8f67d0873156f24e2c","owner":"node-7/podnet/77ab"}
        10.244.0.2 {"cidr":"10.244.0.2/32","labels":{"container":"9f3c","interface":"eth0","network":"podnet","node":"node-7"},"name":"cni.af621e1ed00359a7f9fc76b3fc71993b898183de","owner":"node-7/podnet/9f3c/eth0"}
        fd00::2 {"cidr":"fd00::2/128","labels":{"container":"9f3c","interface":"eth0","network":"podnet","node":"node-7"},"name":"cni.8088da7c2d2a1893cc0d6a5c128779bbed051f82","owner":"node-7/podnet/9f3c/eth0"}"#]].assert_eq(&whole);
    assert_eq!(read(&network), whole);
    // As "." is where one stands in it: the network has its name all the same.
    fs::create_dir(network.join("sub")).unwrap();
    assert_eq!(read(&network.join("sub").join("..")), whole);
    let root = host_local::read(std::path::Path::new("/"), "n", |_, _| true).unwrap_err();
    assert_eq!(root.exit_code(), 2, "{root}");
    assert!(host_local::read(&folder.path().join("none"), "n", |_, _| true).is_err());
}
