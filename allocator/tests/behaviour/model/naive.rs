//! Pools and claims as lists, searched one by one.

use std::collections::BTreeMap;

use allocator::command::{Operation, Range, Strategy};
use allocator::prefix::{Family, Prefix, address_number, address_of_number};

/// Pools and claims as lists.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) strategy: Strategy,
    /// Name, blocks, parent, and the default length.
    pub(super) pools: Vec<ModelPool>,
    /// Claim, pool, block, as asked.
    pub(super) claims: Vec<(String, String, Prefix, String)>,
}

#[derive(Debug, Clone)]
pub(super) struct ModelPool {
    pub(super) name: String,
    pub(super) blocks: Vec<Prefix>,
    pub(super) parent: Option<String>,
    pub(super) default: u8,
    /// Single addresses that it withholds, held or not.
    pub(super) withheld: Vec<Prefix>,
    pub(super) drain: bool,
    pub(super) min: Option<u8>,
    /// The last address that was handed out.
    pub(super) cursor: Option<u128>,
}

impl Model {
    pub(super) fn pool(&self, text: &str) -> Option<&ModelPool> {
        self.pools.iter().find(|pool| pool.name == text)
    }

    /// All that is held or withheld of a pool.
    fn held(&self, pool: &ModelPool) -> Vec<Prefix> {
        let mut held = self.holders(pool);
        held.extend(&pool.withheld);
        held
    }

    /// How many addresses of a block are held or withheld, one by one.
    pub(super) fn used(&self, pool: &ModelPool, block: Prefix) -> u128 {
        let held = self.held(pool);
        let (first, last) = (address_number(block.first()), address_number(block.last()));
        let used = |number: &u128| {
            let address = address_of_number(block.family(), *number).unwrap();
            held.iter().any(|there| there.contains_address(address))
        };
        (first..=last).filter(used).count() as u128
    }

    /// The holders that the pool's policy would not allow.
    pub(super) fn out_of_policy(&self, pool: &ModelPool) -> u64 {
        let broken = |block: &&Prefix| {
            pool.min.is_some_and(|min| block.length() < min)
                || pool.withheld.iter().any(|there| there.overlaps(**block))
        };
        self.holders(pool).iter().filter(broken).count() as u64
    }

    /// What claims and child pools hold of a pool.
    pub(super) fn holders(&self, pool: &ModelPool) -> Vec<Prefix> {
        let claims = self
            .claims
            .iter()
            .filter(|(_, from, ..)| *from == pool.name)
            .map(|(_, _, block, _)| *block);
        let children = self
            .pools
            .iter()
            .filter(|child| child.parent.as_ref() == Some(&pool.name))
            .map(|child| child.blocks[0]);
        claims.chain(children).collect()
    }

    /// All free blocks of the length, by address, each with the CIDR that it lies in.
    fn free(&self, pool: &ModelPool, length: u8) -> Vec<(Prefix, Prefix)> {
        let held = self.held(pool);
        let mut free = Vec::new();
        for cidr in pool.blocks.iter().filter(|cidr| cidr.length() <= length) {
            let mut number = address_number(cidr.first());
            while number <= address_number(cidr.last()) {
                let first = address_of_number(cidr.family(), number).unwrap();
                let candidate = Prefix::new(first, length).unwrap();
                if !held.iter().any(|there| there.overlaps(candidate)) {
                    free.push((candidate, *cidr));
                }
                number = address_number(candidate.last()) + 1;
            }
        }
        free
    }

    /// The free block that the strategy wants.
    pub(super) fn choose(&self, pool: &ModelPool, length: u8, within: &[Range]) -> Option<Prefix> {
        let mut free = self.free(pool, length);
        free.retain(|(block, _)| {
            let inside = |range: &Range| range.first <= block.first() && block.last() <= range.last;
            within.is_empty() || within.iter().any(inside)
        });
        let held = self.held(pool);
        // The first of those with the least key: they are in order of address.
        let least = |key: &dyn Fn(Prefix, Prefix) -> u128| {
            free.iter()
                .min_by_key(|(block, cidr)| key(*block, *cidr))
                .map(|(block, _)| *block)
        };
        match self.strategy {
            Strategy::FirstFit => least(&|_, _| 0),
            Strategy::NextFit => least(&|block, _| {
                let before = pool
                    .cursor
                    .is_none_or(|cursor| address_number(block.first()) <= cursor);
                u128::from(before)
            }),
            Strategy::BestFit => least(&|block, cidr| {
                let mut hole = block;
                while let Some(wider) = hole.parent()
                    && cidr.contains(wider)
                    && !held.iter().any(|there| there.overlaps(wider))
                {
                    hole = wider;
                }
                hole.size().as_u128().unwrap()
            }),
            // All CIDRs of a pool of the world are of one size.
            Strategy::LeastUtilized => least(&|_, cidr| self.used(pool, cidr)),
        }
    }

    /// Notes what a strategy has chosen.
    pub(super) fn handed_out(&mut self, pool: &str, block: Prefix) {
        let pool = self.pools.iter_mut().find(|there| there.name == pool);
        pool.unwrap().cursor = Some(address_number(block.last()));
    }

    /// Applies a claim or release; whether it is accepted, and the block.
    pub(super) fn operation(
        &mut self,
        operation: &Operation,
        ended: &BTreeMap<(String, u64), Prefix>,
        current: &BTreeMap<String, u64>,
    ) -> Result<Option<Prefix>, &'static str> {
        match operation {
            Operation::CreateClaim(spec) => {
                let (text, from) = (spec.name.to_string(), spec.pool.name.to_string());
                let asked = format!(
                    "{from} {:?} {:?} {:?} {:?}",
                    spec.prefix_length, spec.cidr, spec.within, spec.owner
                );
                if let Some((_, _, block, there)) =
                    self.claims.iter().find(|(there, ..)| *there == text)
                {
                    return if *there == asked {
                        Ok(Some(*block))
                    } else {
                        Err("mismatch")
                    };
                }
                let pool = self.pool(&from).ok_or("no pool")?;
                let family = pool.blocks[0].family();
                if spec.cidr.is_some_and(|cidr| cidr.family() != family) {
                    return Err("family");
                }
                let meets = |range: &Range| {
                    let overlaps =
                        |block: &Prefix| range.first <= block.last() && block.first() <= range.last;
                    pool.blocks.iter().any(overlaps)
                };
                if spec
                    .within
                    .iter()
                    .any(|range| Family::of(range.first) != family)
                {
                    return Err("family");
                }
                if !spec.within.is_empty() && !spec.within.iter().any(meets) {
                    return Err("outside");
                }
                let widest = pool.blocks.iter().map(|cidr| cidr.length()).min().unwrap();
                let length = spec
                    .cidr
                    .map(Prefix::length)
                    .or(spec.prefix_length)
                    .unwrap_or(pool.default);
                if length < pool.min.unwrap_or(widest) || length > family.bits() {
                    return Err("length");
                }
                if pool.drain {
                    return Err("draining");
                }
                let block = match spec.cidr {
                    Some(cidr) if !pool.blocks.iter().any(|block| block.contains(cidr)) => {
                        return Err("outside");
                    }
                    Some(cidr) if self.held(pool).iter().any(|there| there.overlaps(cidr)) => {
                        return Err("taken");
                    }
                    Some(cidr) => cidr,
                    None => self.choose(pool, length, &spec.within).ok_or("exhausted")?,
                };
                if spec.cidr.is_none() {
                    self.handed_out(&from, block);
                }
                self.claims.push((text, from, block, asked));
                Ok(Some(block))
            }
            Operation::ReleaseClaim(release) => {
                let text = release.name.to_string();
                let place = self.claims.iter().position(|(there, ..)| *there == text);
                match (place, release.generation) {
                    (Some(place), None) => Ok(Some(self.claims.remove(place).2)),
                    (Some(place), Some(given)) if current.get(&text) == Some(&given) => {
                        Ok(Some(self.claims.remove(place).2))
                    }
                    (_, Some(given)) if ended.contains_key(&(text.clone(), given)) => {
                        Ok(Some(ended[&(text, given)]))
                    }
                    (Some(_), Some(_)) => Err("stale"),
                    (None, _) => Err("no claim"),
                }
            }
        }
    }
}
