//! Times without service: how long no write was acknowledged after a fault that hit the leader.
//!
//! For each such fault it is the longest time between two acknowledged writes that follow each other, of those that
//! overlap the time from the fault to the next one of its sort, but no longer than [`WINDOW_US`].

use super::faults::Fault;
use super::units::percentile;

/// What happens later is not this fault's doing.
const WINDOW_US: u64 = 20_000_000;

/// After one fault.
#[derive(Debug, Clone)]
pub(super) struct Outage {
    pub(super) kind: String,
    /// The last acknowledged write before, and the first after.
    pub(super) from_us: u64,
    pub(super) to_us: u64,
}

impl Outage {
    pub(super) fn length_us(&self) -> u64 {
        self.to_us - self.from_us
    }
}

/// `writes` are the times at which writes were acknowledged, in order; nothing was asked after `last_us`.
pub(super) fn outages(faults: &[Fault], writes: &[u64], last_us: u64) -> Vec<Outage> {
    let hits: Vec<&Fault> = faults.iter().filter(|fault| fault.hits_leader).collect();
    let nexts = hits
        .iter()
        .skip(1)
        .map(|next| next.from_us)
        .chain([u64::MAX]);
    let mut outages = Vec::new();
    for (hit, next_us) in hits.iter().zip(nexts) {
        let end_us = next_us
            .min(hit.from_us.saturating_add(WINDOW_US))
            .min(last_us);
        // From the last write before the fault to the first behind its time.
        let first = writes
            .partition_point(|us| *us <= hit.from_us)
            .saturating_sub(1);
        let last = writes.partition_point(|us| *us < end_us);
        let around = writes
            .get(first..=last)
            .or(writes.get(first..))
            .unwrap_or_default();
        let mut stops = around.to_vec();
        if last >= writes.len() {
            stops.push(last_us);
        }
        let gaps = stops.windows(2).map(|pair| (pair[0], pair[1]));
        let longest = gaps.max_by_key(|(from, to)| to.saturating_sub(*from));
        if let Some((from_us, to_us)) = longest.filter(|(from, to)| from <= to) {
            outages.push(Outage {
                kind: hit.kind.clone(),
                from_us,
                to_us,
            });
        }
    }
    outages
}

/// Median and worst; `None` of none.
pub(super) fn median_and_worst<'o>(
    outages: impl Iterator<Item = &'o Outage>,
) -> Option<(u64, u64)> {
    let mut lengths: Vec<u64> = outages.map(Outage::length_us).collect();
    lengths.sort_unstable();
    Some((percentile(&lengths, 50)?, *lengths.last()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(from_us: u64, hits_leader: bool) -> Fault {
        Fault {
            kind: "kill".to_owned(),
            nodes: vec![1],
            from_us,
            to_us: from_us,
            hits_leader,
        }
    }

    #[test]
    fn the_longest_gap_between_writes_behind_a_fault_is_its_outage() {
        let writes = [100, 200, 300, 900, 1_000, 1_050, 2_000, 2_010];
        let gaps = |faults: &[Fault]| -> Vec<(u64, u64)> {
            let outages = outages(faults, &writes, 2_500);
            outages.iter().map(|one| (one.from_us, one.to_us)).collect()
        };
        assert_eq!(gaps(&[hit(310, true)]), [(1_050, 2_000)]);
        assert_eq!(
            gaps(&[hit(310, true), hit(1_020, true)]),
            [(300, 900), (1_050, 2_000)]
        );
        assert_eq!(gaps(&[hit(310, false)]), []);
        assert_eq!(
            gaps(&[hit(2_005, true)]),
            [(2_010, 2_500)],
            "nothing came back"
        );
        assert_eq!(gaps(&[hit(50, true)]), [(1_050, 2_000)]);
        let all = outages(&[hit(310, true), hit(1_020, true)], &writes, 2_500);
        assert_eq!(median_and_worst(all.iter()), Some((600, 950)));
        assert_eq!(median_and_worst([].iter()), None);
    }
}
