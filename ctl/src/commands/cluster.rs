//! `ipamctl cluster …`

use api::requests::MemberAdd;
use api::scalar::Hex128;
use api::views::{Cluster, Digest, Member};
use serde::Serialize;

use super::Context;
use crate::args::{ClusterCommand, DryRun};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::output::{self, Column, Row, age, column, table, wide_column};

pub(super) async fn run(context: &Context, command: ClusterCommand) -> Result<(), Failure> {
    match command {
        ClusterCommand::Status => show(context, &context.client.cluster_show().await?.body),
        ClusterCommand::Add {
            id,
            address,
            http_url,
            dry_run,
        } => {
            let member = MemberAdd { address, http_url };
            let writer = context.writer(dry_run);
            let cluster = writer.member_add(id, &member).await?.body;
            let hint = format!("; 'ipamctl cluster promote {id}' makes it a voter");
            tell(id, "added as a learner", &hint, dry_run);
            if let Some(note) = &cluster.note {
                output::note(note);
            }
            show(context, &cluster)
        }
        ClusterCommand::Promote { id, dry_run } => {
            let cluster = context.writer(dry_run).member_promote(id).await?.body;
            tell(id, "promoted", "", dry_run);
            show(context, &cluster)
        }
        ClusterCommand::Remove { id, destroy } => {
            let what = format!("member {id} will be removed from the cluster");
            confirm(&what, &id.to_string(), destroy.is_confirmed()).await?;
            let writer = context.writer(destroy.dry_run);
            let cluster = writer.member_remove(id).await?.body;
            tell(id, "removed", "", destroy.dry_run);
            show(context, &cluster)
        }
        ClusterCommand::Settings(command) => super::settings::run(context, command).await,
        ClusterCommand::Digest { revision } => digest(context, revision).await,
    }
}

/// Says what became of a member, or would.
fn tell(id: u64, done: &str, hint: &str, dry_run: DryRun) {
    output::note(&if dry_run.dry_run {
        format!("member {id} would be {done} (dry run)")
    } else {
        format!("member {id} {done}{hint}")
    });
}

fn show(context: &Context, cluster: &Cluster) -> Result<(), Failure> {
    let ids: Vec<String> = cluster
        .members
        .iter()
        .map(|member| member.id.to_string())
        .collect();
    context
        .output
        .document(cluster, &ids.join("\n"), |wide| text(cluster, wide))
}

const MEMBER_COLUMNS: &[Column] = &[
    column("ID"),
    column("ROLE"),
    column("ADDRESS"),
    column("MATCHED"),
    column("CONTACT"),
    wide_column("HTTP"),
];

fn text(cluster: &Cluster, wide: bool) -> String {
    let id = cluster
        .cluster_id
        .map_or_else(|| "not formed yet".to_owned(), |id| id.to_string());
    let leader = cluster
        .leader
        .map_or_else(|| "none".to_owned(), |leader| format!("node {leader}"));
    let rows: Vec<Vec<String>> = cluster
        .members
        .iter()
        .map(|member| cells(member, cluster.leader))
        .collect();
    format!(
        "Cluster:  {id}\nLeader:   {leader}, term {}\nSeen by:  node {}, applied {} of {}, revision {}\n\n{}",
        cluster.term,
        cluster.node,
        cluster.applied_index,
        cluster.last_log_index,
        cluster.revision,
        table::render(MEMBER_COLUMNS, &rows, wide, false)
    )
}

fn cells(member: &Member, leader: Option<u64>) -> Vec<String> {
    let role = if leader == Some(member.id) {
        "leader".to_owned()
    } else {
        member.role.to_string()
    };
    let contact = member.last_contact_ms.map(|ms| match ms {
        0..10_000 => format!("{ms}ms ago"),
        _ => format!("{} ago", age::span(ms / 1_000)),
    });
    vec![
        member.id.to_string(),
        role,
        member.address.clone(),
        member
            .matched_index
            .map(|index| index.to_string())
            .unwrap_or_default(),
        contact.unwrap_or_default(),
        member.http_url.clone().unwrap_or_default(),
    ]
}

/// The digest of one node, or why it has none to show.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeDigest {
    endpoint: String,
    #[serde(flatten)]
    digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Row for NodeDigest {
    const COLUMNS: &'static [Column] = &[
        column("ENDPOINT"),
        column("REVISION"),
        column("INDEX"),
        column("DIGEST"),
        column("ERROR"),
    ];

    /// An endpoint without one has a line all the same, so that lines and endpoints can be paired.
    fn name(&self) -> String {
        let digest = self.digest.map(|shown| shown.digest.to_string());
        digest.unwrap_or_else(|| "-".to_owned())
    }

    fn cells(&self, _now_ms: u64) -> Vec<String> {
        let of = |part: fn(&Digest) -> String| self.digest.as_ref().map(part).unwrap_or_default();
        vec![
            self.endpoint.clone(),
            of(|shown| shown.revision.to_string()),
            of(|shown| shown.index.to_string()),
            of(|shown| shown.digest.to_string()),
            self.error.clone().unwrap_or_default(),
        ]
    }
}

/// Each node is asked on its own, all for the same revision. One that does not answer takes nothing
/// away from what the others answer.
async fn digest(context: &Context, revision: Option<u64>) -> Result<(), Failure> {
    let endpoints = nodes(context).await;
    let mut revision = revision;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for endpoint in endpoints {
        let (digest, error) = match digest_of(context, &endpoint, revision).await {
            Ok(digest) => (Some(digest), None),
            Err(failure) => {
                let error = failure.to_string();
                failures.push(failure);
                (None, Some(error))
            }
        };
        revision = revision.or(digest.map(|shown| shown.revision));
        rows.push(NodeDigest {
            endpoint,
            digest,
            error,
        });
    }
    context.output.list(&rows, None)?;
    let digests: Vec<Hex128> = rows
        .iter()
        .filter_map(|row| Some(row.digest?.digest))
        .collect();
    if digests.len() == 1 {
        output::note("only one node was asked and answered: nothing was compared");
    }
    if digests.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(Failure::DigestsDiffer);
    }
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(Failure::Several {
            failed: failures.len(),
            total: rows.len(),
            code: first.exit_code(),
        }),
    }
}

/// The endpoints that were given; where that is one, those of all members that have told theirs.
async fn nodes(context: &Context) -> Vec<String> {
    let given = &context.settings.endpoints;
    let [one] = given.as_slice() else {
        return given.clone();
    };
    // What is wrong with the node is told when it is asked for its digest.
    let Ok(cluster) = context.client.cluster_show().await else {
        return given.clone();
    };
    let Cluster { node, members, .. } = cluster.body;
    let others = members.into_iter().filter(|member| member.id != node);
    let others = others.filter_map(|member| member.http_url);
    std::iter::once(one.clone()).chain(others).collect()
}

/// A node's digest at a revision, else at its latest one. That is asked for by its number, too: the
/// digest moves on with the clock while the revision stays, and only the one at the first entry with
/// the revision can be compared.
async fn digest_of(
    context: &Context,
    endpoint: &str,
    revision: Option<u64>,
) -> Result<Digest, Failure> {
    let client = context.settings.client_of(&[endpoint.to_owned()])?;
    let revision = match revision {
        Some(revision) => revision,
        None => client.digest_show(None).await?.body.revision,
    };
    Ok(client.digest_show(Some(revision)).await?.body)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_status_names_the_leader_and_how_far_each_has_come() {
        let member = |id: u64, role: &str, rest: serde_json::Value| {
            let mut member =
                json!({ "id": id, "role": role, "address": format!("10.0.0.{id}:7401") });
            member
                .as_object_mut()
                .unwrap()
                .extend(rest.as_object().unwrap().clone());
            member
        };
        let cluster: Cluster = serde_json::from_value(json!({
            "clusterId": "00000000000000000000000000000007", "node": 1, "leader": 1, "term": 3, "lastLogIndex": 40,
            "appliedIndex": 39, "revision": 17,
            "members": [
                member(1, "voter", json!({ "matchedIndex": 40, "lastContactMs": 0, "httpUrl": "http://10.0.0.1:7400" })),
                member(2, "voter", json!({ "matchedIndex": 39, "lastContactMs": 125 })),
                member(4, "learner", json!({ "lastContactMs": 200_000 })),
            ],
        }))
        .unwrap();
        let alone = Cluster {
            cluster_id: None,
            leader: None,
            members: Vec::new(),
            ..cluster.clone()
        };
        expect![[r#"
            Cluster:  00000000000000000000000000000007
            Leader:   node 1, term 3
            Seen by:  node 1, applied 39 of 40, revision 17

            ID   ROLE      ADDRESS         MATCHED   CONTACT     HTTP
            1    leader    10.0.0.1:7401   40        0ms ago     http://10.0.0.1:7400
            2    voter     10.0.0.2:7401   39        125ms ago   -
            4    learner   10.0.0.4:7401   -         3m20s ago   -

            Cluster:  not formed yet
            Leader:   none, term 3
            Seen by:  node 1, applied 39 of 40, revision 17

            ID   ROLE   ADDRESS   MATCHED   CONTACT
        "#]]
        .assert_eq(&format!(
            "{}\n{}",
            text(&cluster, true),
            text(&alone, false)
        ));
    }
}
