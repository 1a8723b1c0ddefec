//! `ipamctl cluster …`

use api::requests::MemberAdd;
use api::scalar::Hex128;
use api::views::{Cluster, Member};
use serde::Serialize;

use super::Context;
use crate::args::ClusterCommand;
use crate::failure::Failure;
use crate::output::{self, Column, Row, age, column, table, wide_column};

pub(super) async fn run(context: &Context, command: ClusterCommand) -> Result<(), Failure> {
    match command {
        ClusterCommand::Status => show(context, &context.client.cluster_show().await?.body),
        ClusterCommand::Add {
            id,
            address,
            http_url,
        } => {
            let cluster = context
                .client
                .member_add(id, &MemberAdd { address, http_url })
                .await?
                .body;
            output::note(&format!(
                "member {id} added as a learner; 'ipamctl cluster promote {id}' makes it a voter"
            ));
            show(context, &cluster)
        }
        ClusterCommand::Promote { id } => {
            let cluster = context.client.member_promote(id).await?.body;
            output::note(&format!("member {id} promoted"));
            show(context, &cluster)
        }
        ClusterCommand::Remove { id } => {
            let cluster = context.client.member_remove(id).await?.body;
            output::note(&format!("member {id} removed"));
            show(context, &cluster)
        }
        ClusterCommand::Digest { revision } => digest(context, revision).await,
    }
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

/// The digest of one node.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeDigest {
    endpoint: String,
    revision: u64,
    index: u64,
    digest: Hex128,
}

impl Row for NodeDigest {
    const COLUMNS: &'static [Column] = &[
        column("ENDPOINT"),
        column("REVISION"),
        column("INDEX"),
        column("DIGEST"),
    ];

    fn name(&self) -> String {
        self.digest.to_string()
    }

    fn cells(&self, _now_ms: u64) -> Vec<String> {
        vec![
            self.endpoint.clone(),
            self.revision.to_string(),
            self.index.to_string(),
            self.digest.to_string(),
        ]
    }
}

/// Each endpoint is asked on its own, all for the same revision.
async fn digest(context: &Context, revision: Option<u64>) -> Result<(), Failure> {
    let mut revision = revision;
    let mut digests: Vec<NodeDigest> = Vec::new();
    for endpoint in &context.settings.endpoints {
        let client = context.settings.client_of(std::slice::from_ref(endpoint))?;
        if revision.is_none() {
            revision = Some(client.digest_show(None).await?.body.revision);
        }
        let shown = client.digest_show(revision).await?.body;
        let (revision, index, digest) = (shown.revision, shown.index, shown.digest);
        digests.push(NodeDigest {
            endpoint: endpoint.clone(),
            revision,
            index,
            digest,
        });
    }
    context.output.list(&digests, None)?;
    let alike = digests
        .windows(2)
        .all(|pair| pair[0].digest == pair[1].digest);
    if alike {
        Ok(())
    } else {
        Err(Failure::DigestsDiffer)
    }
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
