//! Watches against nodes of a script.

use api::Problem;
use api::views::{WatchEvent, WatchType};
use client::{Error, Filter};

use super::node::{Node, Script, nobody};
use super::{client, name};

fn event(id: &str, kind: &str) -> String {
    let revision = id.split('.').next().unwrap();
    let at = "2026-03-01T12:00:00.000Z";
    format!(
        "id: {id}\ndata: {{\"revision\":{revision},\"at\":\"{at}\",\"type\":\"{kind}\",\"object\":{{\"name\":\"p\"}}}}\n\n"
    )
}

fn stream(events: &[(&str, &str)]) -> Script {
    Script::Events(events.iter().map(|(id, kind)| event(id, kind)).collect())
}

fn told(event: &WatchEvent) -> (u64, WatchType) {
    (event.revision, event.kind)
}

#[tokio::test]
async fn a_watch_goes_on_behind_the_last_event_wherever_somebody_serves() {
    let first = Node::start([
        stream(&[("7.0", "poolCreated"), ("9", "bookmark")]),
        Script::Close,
    ])
    .await;
    let second = Node::start([
        Script::Problem(Problem::stopping()),
        stream(&[("10.1", "poolChanged"), ("11.0", "poolDeleted")]),
    ])
    .await;
    let client = client(&[&nobody().await, &first.url, &second.url]);
    let filter = Filter::new().by("kind", "Pool");
    let mut watch = client.event_watch(Some(&name("acme")), &filter, Some(5));
    let mut seen = Vec::new();
    while seen.len() < 4 {
        seen.push(told(&watch.next().await.unwrap()));
    }
    assert_eq!(
        seen,
        [
            (7, WatchType::PoolCreated),
            (9, WatchType::Bookmark),
            (10, WatchType::PoolChanged),
            (11, WatchType::PoolDeleted)
        ]
    );
    let line = "GET /v1/tenants/acme/watch?kind=Pool&fromRevision=5";
    assert_eq!(first.lines()[0], line);
    assert_eq!(first.asked()[0].last_event_id, None);
    let again = second.asked();
    assert_eq!(again[0].line, line);
    assert!(
        again
            .iter()
            .all(|asked| asked.last_event_id.as_deref() == Some("9"))
    );
}

#[tokio::test]
async fn a_watch_ends_where_the_past_is_gone_and_says_from_where_it_is_kept() {
    let compacted = Problem::compacted(5, 8);
    let refusing = Node::start([Script::Problem(compacted.clone())]).await;
    let mut watch = client(&[&refusing.url]).event_watch(None, &Filter::new(), Some(5));
    let Err(Error::Refused(problem)) = watch.next().await else {
        panic!("it is refused")
    };
    assert_eq!(problem.code, "compacted");
    assert_eq!(refusing.lines(), ["GET /v1/watch?fromRevision=5"]);

    // A reader that was too slow is told in the stream.
    let end = WatchEvent::compacted(5, 0, compacted);
    let mut text = event("5.0", "poolCreated").into_bytes();
    end.write(None, &mut text);
    let text = String::from_utf8(text).unwrap();
    let ending = Node::start([Script::Events(text)]).await;
    let mut watch = client(&[&ending.url]).event_watch(None, &Filter::new(), None);
    assert_eq!(watch.next().await.unwrap().revision, 5);
    let Err(Error::Refused(problem)) = watch.next().await else {
        panic!("it is refused")
    };
    assert_eq!(problem.facts["oldestRevision"], 8);
}

#[tokio::test]
async fn what_is_no_stream_of_this_api_is_told() {
    let node = Node::start([Script::Events("data: {]\n\n".to_owned())]).await;
    let mut watch = client(&[&node.url]).event_watch(None, &Filter::new(), None);
    assert!(matches!(
        watch.next().await,
        Err(Error::Unexpected { status: 200, .. })
    ));
    let node = Node::start([Script::Foreign(404)]).await;
    let mut watch = client(&[&node.url]).event_watch(None, &Filter::new(), None);
    assert!(matches!(
        watch.next().await,
        Err(Error::Unexpected { status: 404, .. })
    ));
}

#[tokio::test]
async fn a_stream_that_ends_at_once_is_not_asked_for_again_at_once() {
    let ends = Node::start([Script::Events(": idle\n\n".to_owned())]).await;
    let mut watch = client(&[&ends.url]).event_watch(None, &Filter::new(), None);
    let window = std::time::Duration::from_secs(1);
    assert!(
        tokio::time::timeout(window, watch.next()).await.is_err(),
        "it waits for an event"
    );
    // Waits of at least 12, 25, 50, 100, 200, 400 and 500 ms lie between the attempts.
    let asked = ends.lines().len();
    assert!((2..=8).contains(&asked), "{asked} attempts");

    // An event begins the waits anew: what comes after it is asked for without one.
    let events = [
        stream(&[("7.0", "poolCreated")]),
        stream(&[("8.0", "poolDeleted")]),
    ];
    let serving = Node::start(events).await;
    let mut watch = client(&[&serving.url]).event_watch(None, &Filter::new(), None);
    assert_eq!(told(&watch.next().await.unwrap()).0, 7);
    assert_eq!(told(&watch.next().await.unwrap()).0, 8);
}

#[tokio::test]
async fn what_is_good_but_no_stream_of_events_is_told_and_not_read_for_ever() {
    let page = Node::start([Script::Foreign(200)]).await;
    let mut watch = client(&[&page.url]).event_watch(None, &Filter::new(), None);
    let Err(Error::Unexpected {
        status: 200,
        reason,
        ..
    }) = watch.next().await
    else {
        panic!("a page is no stream")
    };
    assert_eq!(reason, "no stream of events");
    assert_eq!(page.lines().len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_asks_to_be_left_alone_is_not_asked_by_a_watch_before() {
    let busy = Node::start([Script::After(60, Problem::too_busy())]).await;
    let serving = Node::start([
        Script::Problem(Problem::stopping()),
        stream(&[("7.0", "poolCreated")]),
    ])
    .await;
    let client = client(&[&busy.url, &serving.url]);
    let mut watch = client.event_watch(None, &Filter::new(), None);
    assert_eq!(told(&watch.next().await.unwrap()).0, 7);
    assert_eq!((busy.lines().len(), serving.lines().len()), (1, 2));
}
