//! Partitions, in all shapes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::Result;
use rand::Rng;

use super::{Kind, Scene};
use crate::real::firewall::{self, Rules};
use crate::real::world;

/// Parts the nodes in the shape of the kind, and lets them find each other again.
pub(super) async fn part(scene: &mut Scene, kind: Kind) -> Result<()> {
    let shape = draw(scene, kind).await?;
    for (id, rules) in &shape.rules {
        firewall::apply(*id, rules)?;
    }
    scene.begins(kind, &shape.nodes, shape.how);
    if kind == Kind::IsolateLeader {
        scene.outage(kind).await;
    }
    scene.hold(1_500..4_000).await;
    for id in shape.rules.keys() {
        firewall::clear(*id)?;
    }
    scene.ends();
    Ok(())
}

/// Who is cut off from whom.
struct Shape {
    /// The nodes that are named as those to whom it is done.
    nodes: Vec<u64>,
    rules: BTreeMap<u64, Rules>,
    how: &'static str,
}

async fn draw(scene: &mut Scene, kind: Kind) -> Result<Shape> {
    let all = scene.cluster.ids().len();
    Ok(match kind {
        Kind::IsolateLeader => {
            let leader = scene.leader().await?;
            cut_off(scene, vec![leader])
        }
        Kind::Split => {
            let minority = scene.some(all / 2);
            cut_off(scene, minority)
        }
        Kind::OneWayIn | Kind::OneWayOut => {
            let node = scene.one_or_the_leader().await?;
            let others = addresses(&scene.others(node));
            let rules = if kind == Kind::OneWayIn {
                Rules {
                    deaf_to: others,
                    ..Rules::default()
                }
            } else {
                Rules {
                    mute_to: others,
                    ..Rules::default()
                }
            };
            Shape {
                nodes: vec![node],
                rules: BTreeMap::from([(node, rules)]),
                how: "among its peers",
            }
        }
        Kind::Bridge => {
            let order = scene.some(all);
            let is_ring = scene.random.random_bool(0.5);
            overlapping(order, is_ring)
        }
        _ => {
            let node = scene.one();
            cut_off(scene, vec![node])
        }
    })
}

/// Some nodes are on their own: they have no peers but each other; or they have no clients either.
fn cut_off(scene: &mut Scene, nodes: Vec<u64>) -> Shape {
    let mut rest = scene.cluster.ids();
    rest.retain(|id| !nodes.contains(id));
    let only_peer_port = scene.random.random_bool(0.5);
    let mut apart = addresses(&rest);
    if !only_peer_port {
        apart.push(world::BRIDGE);
    }
    let rules = Rules {
        only_peer_port,
        ..Rules::apart_from(apart)
    };
    Shape {
        rules: nodes.iter().map(|id| (*id, rules.clone())).collect(),
        nodes,
        how: if only_peer_port {
            "from their peers"
        } else {
            "from their peers and from clients"
        },
    }
}

/// Majorities that overlap: of five, two pairs that have one node in common, or a ring in which each sees its neighbours;
/// of three, two that have one in common.
fn overlapping(order: Vec<u64>, is_ring: bool) -> Shape {
    let last = order.len() - 1;
    let apart = |one: usize, other: usize| {
        if is_ring && order.len() > 3 {
            let distance = one.abs_diff(other);
            distance != 1 && distance != last
        } else {
            // The one in the middle sees all.
            (one < last / 2) != (other < last / 2) && one.max(other) != last
        }
    };
    let rules_of = |place: usize| {
        let others = (0..order.len()).filter(|other| *other != place && apart(place, *other));
        let others: Vec<u64> = others.map(|other| order[other]).collect();
        Rules::apart_from(addresses(&others))
    };
    let rules = order.iter().enumerate();
    Shape {
        rules: rules.map(|(place, id)| (*id, rules_of(place))).collect(),
        how: if is_ring && order.len() > 3 {
            "in a ring"
        } else {
            "with the last one in the middle"
        },
        nodes: order,
    }
}

fn addresses(ids: &[u64]) -> Vec<Ipv4Addr> {
    ids.iter().map(|id| world::address(*id)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Whom each node sees, itself too.
    fn seen(order: &[u64], is_ring: bool) -> Vec<BTreeSet<u64>> {
        let shape = overlapping(order.to_vec(), is_ring);
        let of = |id: &u64| {
            let rules = &shape.rules[id];
            assert_eq!(rules.deaf_to, rules.mute_to);
            let apart = rules.deaf_to.iter().filter_map(|at| world::node_at(*at));
            let apart: BTreeSet<u64> = apart.collect();
            order
                .iter()
                .copied()
                .filter(|other| !apart.contains(other))
                .collect()
        };
        order.iter().map(of).collect()
    }

    #[test]
    fn everybody_sees_a_majority_and_not_everybody_the_same() {
        for (order, is_ring) in [
            (vec![3, 1, 2], false),
            (vec![3, 1, 2], true),
            (vec![4, 2, 5, 1, 3], false),
            (vec![4, 2, 5, 1, 3], true),
        ] {
            let seen = seen(&order, is_ring);
            for (id, sees) in order.iter().zip(&seen) {
                assert!(sees.len() > order.len() / 2, "{id} of {order:?}: {sees:?}");
                assert!(sees.contains(id), "{id} of {order:?}: {sees:?}");
            }
            let different: BTreeSet<_> = seen.iter().collect();
            assert!(different.len() > 1, "{order:?}: {seen:?}");
        }
        assert!(
            seen(&[1, 2, 3, 4, 5], true)
                .iter()
                .all(|sees| sees.len() == 3),
            "in a ring nobody sees all"
        );
    }
}
