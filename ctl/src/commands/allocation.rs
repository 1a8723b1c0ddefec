//! `ipamctl allocation …` and `ipamctl lookup`

use allocator::name::Name;
use allocator::prefix::Prefix;
use api::requests::AllocationReclaim;
use api::views::Lookup;
use client::Filter;

use super::{Context, by};
use crate::args::{AllocationCommand, AllocationList, Destroy, Phase, Purpose};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::output::{self, printable};

pub(super) async fn run(context: &Context, command: AllocationCommand) -> Result<(), Failure> {
    match command {
        AllocationCommand::List(asked) => list(context, asked).await,
        AllocationCommand::Show { cidr, space } => {
            let (client, tenant) = (&context.client, context.tenant()?);
            let shown = client.allocation_show(tenant, cidr, space.as_ref());
            context.output.one(&shown.await?.body)
        }
        AllocationCommand::Reclaim {
            cidr,
            space,
            generation,
            destroy,
        } => reclaim(context, cidr, space.as_ref(), generation, destroy).await,
    }
}

async fn list(context: &Context, asked: AllocationList) -> Result<(), Failure> {
    let pool = asked.pool.as_ref().map(Name::as_str);
    let filter = by(asked.narrow.filter(), "pool", pool);
    let filter = by(filter, "purpose", asked.purpose.map(Purpose::word));
    let filter = by(filter, "phase", asked.phase.map(Phase::word));
    let filter = by(filter, "allocatedBefore", asked.allocated_before);
    let client = &context.client;
    if asked.all_tenants {
        let page = |filter: Filter| async move { client.allocation_list_all(&filter).await };
        return context.list_all(filter, &asked.paging, page).await;
    }
    let tenant = context.tenant()?;
    let page = |filter: Filter| async move { client.allocation_list(tenant, &filter).await };
    context.list(filter, &asked.paging, page).await
}

/// Frees a released block. Without a generation it is looked up first, and whose it was is told before
/// that is confirmed.
async fn reclaim(
    context: &Context,
    cidr: Prefix,
    space: Option<&Name>,
    generation: Option<u64>,
    destroy: Destroy,
) -> Result<(), Failure> {
    let tenant = context.tenant()?;
    let shown = context.client.allocation_show(tenant, cidr, space).await?;
    let kept = shown.body;
    let holder = kept
        .holder_name()
        .unwrap_or_else(|| "its holder".to_owned());
    confirm(
        &format!("{cidr} is kept for {holder}, which will not get it back"),
        &cidr.to_string(),
        destroy.is_confirmed(),
    )
    .await?;
    let asked = AllocationReclaim {
        cidr: cidr.to_string(),
        space: space.map(ToString::to_string),
        generation: generation.unwrap_or(kept.generation),
    };
    if generation.is_none() {
        output::note(&format!("{cidr} has generation {}", asked.generation));
    }
    let writer = context.writer(destroy.dry_run);
    let answer = writer.allocation_reclaim(tenant, &asked).await;
    let answer = answer.map_err(|error| {
        let generation = asked.generation;
        Failure::fenced(error, || {
            format!("the same command with --generation {generation} asks for the same once more")
        })
    })?;
    context.changed("allocation", &answer, "reclaimed", destroy.dry_run)
}

/// Who has it, or had it then.
pub(super) async fn lookup(
    context: &Context,
    cidr: Prefix,
    space: Option<&Name>,
    at: Option<&str>,
) -> Result<(), Failure> {
    let (client, tenant) = (&context.client, context.tenant()?);
    let found = match at {
        Some(at) => client.lookup_at(tenant, cidr, space, at).await?.body,
        None => client.lookup_show(tenant, cidr, space).await?.body,
    };
    let holder = found
        .allocation
        .as_ref()
        .and_then(api::views::Allocation::holder_name);
    context
        .output
        .document(&found, &holder.unwrap_or_default(), |_| text(&found))
}

/// The pools from the root to the innermost, then the holder, one fact on a line.
fn text(found: &Lookup) -> String {
    let pools: Vec<String> = found.pools.iter().map(ToString::to_string).collect();
    let chain = if pools.is_empty() {
        "none contains it".to_owned()
    } else {
        pools.join(" > ")
    };
    let mut lines = vec![
        ("Block", found.cidr.to_string()),
        ("Space", found.space.to_string()),
    ];
    lines.push(("Pools", chain));
    match &found.allocation {
        None if found.held_in_part => lines.push(("Held", "in part".to_owned())),
        None if found.pools.is_empty() => {}
        None => lines.push(("Held", "no: it is free".to_owned())),
        Some(allocation) => {
            let other = || {
                allocation
                    .tenant
                    .as_ref()
                    .map(|tenant| format!("tenant {tenant}"))
            };
            let held = match (allocation.holder_name().or_else(other), &allocation.reason) {
                (Some(holder), _) => format!("{} by {holder}", allocation.cidr),
                (None, Some(reason)) => format!("{} withheld: {reason}", allocation.cidr),
                (None, None) => format!("{} withheld", allocation.cidr),
            };
            lines.push(("Held", held));
            lines.push(("Phase", format!("{:?}", allocation.phase)));
            lines.push(("Generation", allocation.generation.to_string()));
            lines.push(("Since", allocation.allocated_at.to_string()));
            lines.extend(
                allocation
                    .owner
                    .as_ref()
                    .map(|owner| ("Owner", owner.to_string())),
            );
        }
    }
    if let Some(claim) = &found.claim {
        lines.extend(
            claim
                .labels
                .0
                .iter()
                .map(|(key, value)| ("Label", format!("{key}={value}"))),
        );
    }
    let lines = lines
        .iter()
        .map(|(title, value)| format!("{:<12}{}", format!("{title}:"), printable(value)));
    lines.collect::<Vec<String>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lookup_goes_from_the_root_to_the_holder() {
        let allocation = json!({
            "cidr": "10.0.0.0/28", "family": "IPv4", "space": "default", "pool": "p", "purpose": "Claim",
            "claim": "web-1", "owner": "node-7/eth0", "phase": "Allocated", "generation": 17,
            "allocatedAt": "2026-03-01T12:00:00.000Z", "revision": 9,
        });
        let mut found = json!({
            "cidr": "10.0.0.7/32", "space": "default", "pools": [{ "tenant": "shared", "name": "root" }, "p"],
            "allocation": allocation, "revision": 9,
        });
        let held = text(&serde_json::from_value(found.clone()).unwrap());
        found["allocation"] = serde_json::Value::Null;
        let free = text(&serde_json::from_value(found.clone()).unwrap());
        found["heldInPart"] = true.into();
        let in_part = text(&serde_json::from_value(found.clone()).unwrap());
        found["heldInPart"] = false.into();
        let mut reserved = found.clone();
        reserved["allocation"] = json!({
            "cidr": "10.0.0.7/32", "family": "IPv4", "space": "default", "pool": "p", "purpose": "Reservation",
            "phase": "Allocated", "generation": 17, "allocatedAt": "2026-03-01T12:00:00.000Z", "revision": 9,
        });
        let withheld = text(&serde_json::from_value(reserved.clone()).unwrap());
        reserved["allocation"]["reason"] = "router\n\u{1b}[2J".into();
        let why = text(&serde_json::from_value(reserved).unwrap());
        found["pools"] = json!([]);
        let outside = text(&serde_json::from_value(found).unwrap());
        expect![[r#"
            Block:      10.0.0.7/32
            Space:      default
            Pools:      shared/root > p
            Held:       10.0.0.0/28 by claim web-1
            Phase:      Allocated
            Generation: 17
            Since:      2026-03-01T12:00:00.000Z
            Owner:      node-7/eth0

            Block:      10.0.0.7/32
            Space:      default
            Pools:      shared/root > p
            Held:       no: it is free

            Block:      10.0.0.7/32
            Space:      default
            Pools:      shared/root > p
            Held:       in part

            Block:      10.0.0.7/32
            Space:      default
            Pools:      shared/root > p
            Held:       10.0.0.7/32 withheld
            Phase:      Allocated
            Generation: 17
            Since:      2026-03-01T12:00:00.000Z

            Block:      10.0.0.7/32
            Space:      default
            Pools:      shared/root > p
            Held:       10.0.0.7/32 withheld: router\n\u{1b}[2J
            Phase:      Allocated
            Generation: 17
            Since:      2026-03-01T12:00:00.000Z

            Block:      10.0.0.7/32
            Space:      default
            Pools:      none contains it
        "#]]
        .assert_eq(&format!(
            "{held}\n{free}\n{in_part}\n{withheld}\n{why}\n{outside}"
        ));
    }
}
