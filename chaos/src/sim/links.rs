//! Which node reaches which. Several faults may cut the same link; it is whole again when the last of them ends.

use std::collections::BTreeMap;

use super::world::host_name;

/// The cuts of each direction between two nodes, counted.
#[derive(Debug, Default)]
pub(super) struct Links {
    cuts: BTreeMap<(u64, u64), u32>,
}

/// Directions that one fault cuts: from, to.
pub(super) type Cut = Vec<(u64, u64)>;

impl Links {
    /// Cuts directions.
    pub(super) fn cut(&mut self, sim: &turmoil::Sim<'_>, directions: &Cut) {
        for (from, to) in directions {
            let cuts = self.cuts.entry((*from, *to)).or_default();
            *cuts += 1;
            if *cuts == 1 {
                sim.partition_oneway(host_name(*from), host_name(*to));
            }
        }
    }

    /// Takes a cut back.
    pub(super) fn mend(&mut self, sim: &turmoil::Sim<'_>, directions: &Cut) {
        for (from, to) in directions {
            let cuts = self.cuts.entry((*from, *to)).or_default();
            *cuts = cuts.saturating_sub(1);
            if *cuts == 0 {
                sim.repair_oneway(host_name(*from), host_name(*to));
            }
        }
    }
}

/// All directions between two groups.
pub(super) fn between(one: &[u64], other: &[u64]) -> Cut {
    let there = one_way(one, other);
    there
        .iter()
        .flat_map(|(from, to)| [(*from, *to), (*to, *from)])
        .collect()
}

/// The directions from one group to another.
pub(super) fn one_way(from: &[u64], to: &[u64]) -> Cut {
    from.iter()
        .flat_map(|from| to.iter().map(move |to| (*from, *to)))
        .filter(|(from, to)| from != to)
        .collect()
}
