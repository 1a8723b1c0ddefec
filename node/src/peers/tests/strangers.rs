use std::time::Duration;

use tokio::time::sleep;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_link_that_was_asked_for_just_now_outlives_a_list_without_its_node() {
    let pair = pair();
    // A member was added; whoever forgets strangers still has the list from before.
    let link = pair.links.link(&target(), LinkKind::Raft);
    pair.links.retain(|_| false);
    link.call(&append(1), soon())
        .await
        .expect("the link works on");
    sleep(Duration::from_mins(1)).await;
    pair.links.retain(|id| id == 1);
    link.call(&append(2), soon())
        .await
        .expect("a member's link works on");
    pair.links.retain(|_| false);
    link.call(&append(3), soon())
        .await
        .expect_err("the link of a stranger ends");
}
