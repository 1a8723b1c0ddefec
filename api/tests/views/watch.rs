//! Events as they stand in a stream.

use allocator::view::{EventId, EventKind};
use allocator::watch::{WatchedEvent, WatchedObject};
use api::problem::{Problem, Viewer};
use api::views::{WatchEvent, WatchObject, WatchType};
use expect_test::expect;

use super::check;
use super::samples::{claim, name, root, tenant};

fn event(kind: EventKind, object: WatchedObject) -> WatchedEvent {
    WatchedEvent {
        id: EventId {
            revision: 9,
            ordinal: 2,
        },
        kind,
        at_ms: 1_772_366_400_000,
        tenant: name("acme"),
        pool: (kind != EventKind::TenantDeleted).then(|| name("p")),
        object,
    }
}

#[test]
fn an_event_has_its_revision_its_time_its_type_and_its_object() {
    let deleted = event(EventKind::PoolDeleted, WatchedObject::Gone);
    let acme = name("acme");
    check(
        &WatchEvent::of(&deleted, Viewer::Tenant(&acme)),
        &expect![[r#"
            {
              "revision": 9,
              "at": "2026-03-01T12:00:00.000Z",
              "type": "poolDeleted",
              "object": {
                "name": "p"
              }
            }"#]],
    );
    check(
        &WatchEvent::of(&deleted, Viewer::Admin),
        &expect![[r#"
            {
              "revision": 9,
              "at": "2026-03-01T12:00:00.000Z",
              "type": "poolDeleted",
              "tenant": "acme",
              "object": {
                "name": "p"
              }
            }"#]],
    );
}

#[test]
fn a_reader_tells_each_kind_of_object_from_the_others() {
    let objects = [
        (
            EventKind::Allocated,
            WatchedObject::Claim(Box::new(claim())),
            "claim",
        ),
        (
            EventKind::PoolCreated,
            WatchedObject::Pool(Box::new(root())),
            "pool",
        ),
        (
            EventKind::TenantChanged,
            WatchedObject::Tenant(Box::new(tenant())),
            "tenant",
        ),
        (EventKind::TenantDeleted, WatchedObject::Gone, "gone"),
    ];
    let mut told: Vec<(WatchEvent, &str)> = objects
        .into_iter()
        .map(|(kind, object, word)| (WatchEvent::of(&event(kind, object), Viewer::Admin), word))
        .collect();
    let end = WatchEvent::compacted(9, 0, Problem::compacted(4, 7));
    told.push((end, "problem"));
    for (written, word) in told {
        let text = serde_json::to_string(&written).unwrap();
        let read: WatchEvent = serde_json::from_str(&text).unwrap();
        assert_eq!(read, written);
        let found = match read.object {
            Some(WatchObject::Claim(_)) => "claim",
            Some(WatchObject::Pool(_)) => "pool",
            Some(WatchObject::Tenant(_)) => "tenant",
            Some(WatchObject::Problem(_)) => "problem",
            Some(WatchObject::Gone { .. }) => "gone",
            None => "nothing",
        };
        assert_eq!(found, word);
    }
    let later = r#"{"revision":1,"at":"2026-03-01T12:00:00.000Z","type":"merged","more":1}"#;
    let read: WatchEvent = serde_json::from_str(later).unwrap();
    assert_eq!(read.kind, WatchType::Other);
}

#[test]
fn in_the_stream_each_has_the_id_behind_which_to_go_on() {
    let mut stream = Vec::new();
    let deleted = event(EventKind::TenantDeleted, WatchedObject::Gone);
    WatchEvent::of(&deleted, Viewer::Admin).write(Some(deleted.id), &mut stream);
    WatchEvent::bookmark(12, 0).write(Some(EventId::end_of(12)), &mut stream);
    WatchEvent::bookmark(13, 0).write(None, &mut stream);
    expect![[r#"
        id: 9.2
        data: {"revision":9,"at":"2026-03-01T12:00:00.000Z","type":"tenantDeleted","tenant":"acme","object":{"name":"acme"}}

        id: 12
        data: {"revision":12,"at":"1970-01-01T00:00:00.000Z","type":"bookmark"}

        data: {"revision":13,"at":"1970-01-01T00:00:00.000Z","type":"bookmark"}

    "#]]
    .assert_eq(std::str::from_utf8(&stream).unwrap());
}
