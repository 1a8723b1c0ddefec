//! Times without service: how long no write was acknowledged after a fault that hit the leader.
//!
//! For each such fault it is the longest time between two acknowledged writes that follow each other, up to where the
//! next fault begins, of whatever sort, but no longer than [`WINDOW_US`].

use super::faults::Fault;
use super::units::percentile;

/// What happens later is not this fault's doing.
const WINDOW_US: u64 = 20_000_000;

/// After one fault.
#[derive(Debug, Clone)]
pub(super) struct Outage {
    pub(super) kind: String,
    /// The last acknowledged write before, and the first after, or the end of the fault's time.
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
    let mut outages = Vec::new();
    for hit in faults.iter().filter(|fault| fault.hits_leader) {
        let later = faults.iter().map(|fault| fault.from_us);
        let next_us = later.filter(|from_us| *from_us > hit.from_us).min();
        let end_us = next_us
            .unwrap_or(u64::MAX)
            .min(hit.from_us.saturating_add(WINDOW_US))
            .min(last_us);
        // From the last write before the fault to the end of its time: what begins there is the next one's doing.
        let first = writes
            .partition_point(|us| *us <= hit.from_us)
            .saturating_sub(1);
        let last = writes.partition_point(|us| *us < end_us);
        let mut stops = writes.get(first..last).unwrap_or_default().to_vec();
        stops.push(end_us);
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
        assert_eq!(
            gaps(&[hit(310, true), hit(1_060, false)]),
            [(300, 900)],
            "another fault has begun"
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
