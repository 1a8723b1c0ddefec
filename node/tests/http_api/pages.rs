//! Pages that are longer than what is read of the state at once.

use serde_json::{Value, json};

use crate::harness::TestNode;

const TENANT: &str = "/v1/tenants/acme";

/// The values of `field` on one page, and the token of the next.
async fn page(node: &TestNode, path: &str, field: &str) -> (Vec<String>, Option<String>) {
    let answered = node.get(&format!("{TENANT}/{path}")).await;
    assert_eq!(answered.status.as_u16(), 200, "{path}: {answered:?}");
    let document = answered.body;
    let items = document["items"].as_array().unwrap().iter();
    let values = items.map(|item| item[field].as_str().unwrap().to_owned());
    let next = document["nextPageToken"].as_str().map(str::to_owned);
    (values.collect(), next)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_as_many_as_asked_for_in_order_however_many_steps_it_is_read_in() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let wide = json!({ "name": "all", "cidrs": ["10.1.0.0/16"], "defaultPrefixLength": 32 });
    let made = node.post(&format!("{TENANT}/pools"), &wide).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    let names: Vec<String> = (0..901).map(|number| format!("c{number:04}")).collect();
    for (place, names) in names.chunks(names.len().div_ceil(2)).enumerate() {
        let operations: Vec<Value> = names
            .iter()
            .map(|name| {
                let labels = json!({ "half": place.to_string() });
                json!({ "createClaim": { "name": name, "pool": "all", "labels": labels } })
            })
            .collect();
        let batch = json!({ "atomic": true, "operations": operations });
        let made = node.post(&format!("{TENANT}/batch"), &batch).await;
        assert_eq!(made.status.as_u16(), 200, "{made:?}");
    }
    let half = names.len().div_ceil(2);

    let (all, next) = page(&node, "claims?limit=901", "name").await;
    assert_eq!((&all, next), (&names, None));
    let (most, next) = page(&node, "claims?limit=900", "name").await;
    assert_eq!(most, names[..900]);
    let path = format!("claims?limit=900&pageToken={}", next.expect("one is left"));
    assert_eq!(
        page(&node, &path, "name").await,
        (names[900..].to_vec(), None)
    );
    let (second, next) = page(&node, "claims?limit=1000&labelSelector=half%3D1", "name").await;
    assert_eq!((&second[..], next), (&names[half..], None));

    let (blocks, next) = page(&node, "allocations?limit=600", "cidr").await;
    let path = format!(
        "allocations?limit=600&pageToken={}",
        next.expect("301 are left")
    );
    let (rest, end) = page(&node, &path, "cidr").await;
    assert_eq!((blocks.len(), rest.len(), end), (600, 301, None));
    let address = |cidr: &String| -> std::net::Ipv4Addr {
        let (address, _) = cidr.split_once('/').unwrap();
        address.parse().unwrap()
    };
    let addresses: Vec<_> = blocks.iter().chain(&rest).map(address).collect();
    assert!(
        addresses.is_sorted_by(|one, other| one < other),
        "each once"
    );

    let pools: Vec<String> = (0..70).map(|number| format!("q{number:02}")).collect();
    for (number, name) in pools.iter().enumerate() {
        let pool = json!({ "name": name, "cidrs": [format!("192.168.{number}.0/24")] });
        let made = node.post(&format!("{TENANT}/pools"), &pool).await;
        assert_eq!(made.status.as_u16(), 201, "{made:?}");
    }
    let (all, next) = page(&node, "pools?limit=72", "name").await;
    assert_eq!((&all[2..], next), (&pools[..], None));
    let (most, next) = page(&node, "pools?limit=71", "name").await;
    assert_eq!((&most[2..], next.is_some()), (&pools[..69], true));
}
