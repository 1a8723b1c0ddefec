//! What a scrape reads after some work.

use serde_json::json;

use crate::harness::TestNode;

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_counts_claims_releases_refusals_and_requests_and_shows_the_pools() {
    let node = TestNode::start().await;
    // Counters belong to the process, which other tests share: the tenant is this test's own.
    node.with_pool("measured").await;
    let claims = "/v1/tenants/measured/claims";
    for name in ["a", "b", "c"] {
        let made = node
            .post(
                claims,
                &json!({"name": name, "pool": "p", "prefixLength": 26}),
            )
            .await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    node.post(
        claims,
        &json!({"name": "a", "pool": "p", "prefixLength": 26}),
    )
    .await;
    node.delete("/v1/tenants/measured/claims/c").await;
    for _ in 0..2 {
        node.post(
            claims,
            &json!({"name": "x", "pool": "p", "prefixLength": 20}),
        )
        .await;
    }
    node.post(claims, &json!({"name": "x", "pool": "made-up-name"}))
        .await;

    let text = String::from_utf8(node.get("/metrics").await.bytes.to_vec()).unwrap();
    let labels = r#"tenant="measured",pool="p",family="IPv4""#;
    for line in [
        format!(r#"ipam_allocations_total{{{labels},status="success",reason=""}} 3"#),
        format!(
            r#"ipam_allocations_total{{{labels},status="failure",reason="prefix_length_out_of_bounds"}} 2"#
        ),
        format!("ipam_releases_total{{{labels}}} 1"),
        format!("ipam_total_blocks{{{labels}}} 256"),
        format!("ipam_available_blocks{{{labels}}} 128"),
        format!("ipam_allocated_blocks{{{labels}}} 2"),
        format!("ipam_released_blocks{{{labels}}} 0"),
        format!("ipam_largest_free_prefix_length{{{labels}}} 25"),
        format!("ipam_fragmentation_ratio{{{labels}}} 0"),
        format!("ipam_utilization_ratio{{{labels}}} 0.5"),
        "# TYPE ipam_state_lock_seconds histogram".to_owned(),
    ] {
        assert!(
            text.lines().any(|other| other == line),
            "{line} is missing in\n{text}"
        );
    }
    for usage in ["read_held", "apply_held", "apply_waited"] {
        let value = |sample: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(sample));
            let value = line.unwrap_or_else(|| panic!("{sample} is missing in\n{text}"));
            value.trim().parse().unwrap()
        };
        let count = value(&format!("ipam_state_lock_seconds_count{{use=\"{usage}\"}}"));
        let all = value(&format!(
            "ipam_state_lock_seconds_bucket{{use=\"{usage}\",le=\"+Inf\"}}"
        ));
        assert!(count > 0 && count == all, "{usage}: {count} and {all}");
    }
    assert!(
        !text.contains("made-up-name"),
        "a name that anyone can make up makes no series:\n{text}"
    );
    for part in [
        r#"ipam_http_requests_total{method="POST",route="/v1/tenants/{tenant}/claims",status="201"}"#,
        "ipam_http_request_seconds_bucket",
        "ipam_allocation_latency_seconds_bucket",
        "ipam_conflicts_total",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}
