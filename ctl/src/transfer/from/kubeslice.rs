//! `KubeSlice`: `kubectl get sliceipams -A -o json`, a claim `SLICE.CLUSTER` for each cluster's subnet.

use serde_json::Value;

use super::{claim, other_kind, text};
use crate::transfer::rows::Said;

pub(super) fn claims(item: &Value) -> Vec<Said> {
    if text(item, &["kind"]) != "SliceIpam" {
        return vec![other_kind(item)];
    }
    let slice = match text(item, &["spec", "sliceName"]) {
        "" => text(item, &["metadata", "name"]),
        name => name,
    };
    let subnets = item["status"]["allocatedSubnets"].as_array();
    subnets
        .into_iter()
        .flatten()
        .map(|subnet| {
            let cluster = text(subnet, &["clusterName"]);
            match text(subnet, &["status"]) {
                // A kept subnet belongs to nobody who could claim it.
                "Released" => Said::Skipped(format!("cluster {cluster} has left slice {slice}")),
                _ => Said::Claim(claim(
                    &format!("{slice}.{cluster}"),
                    text(subnet, &["subnet"]),
                    cluster,
                    &[("slice", slice), ("cluster", cluster)],
                )),
            }
        })
        .collect()
}
