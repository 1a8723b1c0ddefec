//! Pools and claims as lists, searched one by one.

use std::collections::BTreeMap;

use allocator::command::{ClaimSpec, Operation, Range, Strategy};
use allocator::life::{ClaimLife, PoolLife, ReclaimPolicy};
use allocator::name::Owner;
use allocator::prefix::{Family, Prefix, address_number, address_of_number};

/// Holdings that have ended: name and generation, and the block.
pub(super) type EndedBlocks = BTreeMap<(String, u64), Prefix>;

/// Pools, claims and what is kept as lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) strategy: Strategy,
    pub(super) pools: Vec<ModelPool>,
    pub(super) claims: Vec<ModelClaim>,
    /// The one released last is the last one.
    pub(super) kept: Vec<ModelKept>,
    /// The log's clock.
    pub(super) now_ms: u64,
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
    pub(super) life: PoolLife,
    pub(super) mtu: Option<u32>,
}

#[derive(Debug, Clone)]
pub(super) struct ModelClaim {
    pub(super) name: String,
    pub(super) pool: String,
    pub(super) block: Prefix,
    pub(super) asked: String,
    pub(super) owner: Option<String>,
    pub(super) life: ClaimLife,
    pub(super) in_use: bool,
    pub(super) returned: bool,
    pub(super) lease: Option<ModelLease>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ModelLease {
    pub(super) ttl_seconds: u32,
    pub(super) expires_ms: u64,
    pub(super) told: bool,
}

#[derive(Debug, Clone)]
pub(super) struct ModelKept {
    /// The owner, or the claim's name.
    pub(super) key: Result<String, String>,
    pub(super) pool: String,
    pub(super) block: Prefix,
    pub(super) reclaim_ms: Option<u64>,
}

/// What is due.
#[derive(Debug, Clone, Copy)]
enum Due {
    Tell(usize),
    Expire(usize),
    Reclaim(usize),
}

/// Something that waits for the clock.
#[derive(Debug, Clone)]
struct Waiting {
    at_ms: u64,
    end_ms: u64,
    due: Due,
    pool: String,
}

fn key(name: &str, owner: Option<&String>) -> Result<String, String> {
    owner.map_or_else(|| Err(name.to_string()), |owner| Ok(owner.clone()))
}

/// Some range holds all of the block, or there are none.
fn lies_within(block: Prefix, within: &[Range]) -> bool {
    let inside = |range: &Range| range.first <= block.first() && block.last() <= range.last;
    within.is_empty() || within.iter().any(inside)
}

impl Model {
    pub(super) fn pool(&self, text: &str) -> Option<&ModelPool> {
        self.pools.iter().find(|pool| pool.name == text)
    }

    /// The MTU that holders of a pool's blocks get.
    pub(super) fn mtu_of(&self, text: &str) -> Option<u32> {
        let pool = self.pool(text)?;
        pool.mtu.or_else(|| self.mtu_of(pool.parent.as_ref()?))
    }

    pub(super) fn claim(&self, text: &str) -> Option<&ModelClaim> {
        self.claims.iter().find(|claim| claim.name == text)
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

    /// What claims, what is kept for claims, and child pools hold of a pool.
    pub(super) fn holders(&self, pool: &ModelPool) -> Vec<Prefix> {
        let claims = self.claims.iter().filter(|claim| claim.pool == pool.name);
        let kept = self.kept.iter().filter(|kept| kept.pool == pool.name);
        let children = self
            .pools
            .iter()
            .filter(|child| child.parent.as_ref() == Some(&pool.name));
        claims
            .map(|claim| claim.block)
            .chain(kept.map(|kept| kept.block))
            .chain(children.map(|child| child.blocks[0]))
            .collect()
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
        free.retain(|(block, _)| lies_within(*block, within));
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

    /// The same, after what is over in the pool has been ended if that helps.
    pub(super) fn choose_or_sweep(
        &mut self,
        pool: &str,
        length: u8,
        within: &[Range],
        ended: &mut EndedBlocks,
        current: &BTreeMap<String, u64>,
    ) -> Option<Prefix> {
        let free = |model: &Self| model.choose(model.pool(pool).unwrap(), length, within);
        if let Some(block) = free(self) {
            return Some(block);
        }
        let (mut swept, mut ended_too) = (self.clone(), ended.clone());
        let over = |model: &Self| {
            let dues = model.dues().into_iter();
            dues.filter(|one| one.pool == pool && one.end_ms < self.now_ms && model.frees(one))
                .min_by_key(|one| one.end_ms)
        };
        let mut next = over(&swept)?;
        loop {
            let end_ms = next.end_ms;
            swept.due_do(next.due, &mut ended_too, current);
            let after = over(&swept);
            // What ended at one moment goes together.
            let together = after.as_ref().is_some_and(|after| after.end_ms == end_ms);
            if let (false, Some(block)) = (together, free(&swept)) {
                (*self, *ended) = (swept, ended_too);
                return Some(block);
            }
            next = after?;
        }
    }

    /// Its end frees the block, and is not the beginning of a grace.
    fn frees(&self, one: &Waiting) -> bool {
        match one.due {
            Due::Tell(_) => false,
            Due::Reclaim(_) => true,
            Due::Expire(place) => self.kept_for(&self.claims[place]) == Some(0),
        }
    }

    /// For how many seconds a claim's block is kept; `None` until it is reclaimed.
    fn kept_for(&self, claim: &ModelClaim) -> Option<u32> {
        let pool = self.pool(&claim.pool).unwrap().life;
        let grace = claim.life.grace_seconds.unwrap_or(pool.grace());
        let policy = claim.life.reclaim_policy.unwrap_or(pool.policy());
        (policy == ReclaimPolicy::Delete).then_some(grace)
    }

    /// All that is due now, the earliest first.
    fn dues(&self) -> Vec<Waiting> {
        let mut dues = Vec::new();
        for (place, claim) in self.claims.iter().enumerate() {
            let Some(lease) = claim.lease else { continue };
            let over = lease.expires_ms < self.now_ms;
            dues.push(Waiting {
                // Leases here are short: a second before the end. What is over is not told any more.
                at_ms: lease.expires_ms - if lease.told { 0 } else { 1_000 },
                end_ms: lease.expires_ms,
                due: if over {
                    Due::Expire(place)
                } else {
                    Due::Tell(place)
                },
                pool: claim.pool.clone(),
            });
        }
        for (place, kept) in self.kept.iter().enumerate() {
            dues.extend(kept.reclaim_ms.map(|end_ms| Waiting {
                at_ms: end_ms,
                end_ms,
                due: Due::Reclaim(place),
                pool: kept.pool.clone(),
            }));
        }
        dues.retain(|one| one.at_ms < self.now_ms);
        dues.sort_by_key(|one| one.at_ms);
        dues
    }

    /// Two kept blocks are due at one moment.
    pub(super) fn has_ties(&self) -> bool {
        let mut ends: Vec<u64> = self
            .kept
            .iter()
            .filter_map(|kept| kept.reclaim_ms)
            .collect();
        let all = ends.len();
        ends.sort_unstable();
        ends.dedup();
        ends.len() < all
    }

    fn due_do(&mut self, due: Due, ended: &mut EndedBlocks, current: &BTreeMap<String, u64>) {
        match due {
            Due::Tell(place) => {
                let lease = self.claims[place].lease.as_mut().unwrap();
                lease.told = true;
            }
            Due::Expire(place) => {
                let name = self.claims[place].name.clone();
                let generation = current.get(&name).copied().unwrap_or(0);
                let block = self.end(place);
                ended.insert((name, generation), block);
            }
            Due::Reclaim(place) => {
                self.kept.remove(place);
            }
        }
    }

    /// What an expiry step does: told, expired, reclaimed, and whether more is due.
    pub(super) fn expire(
        &mut self,
        most: u32,
        ended: &mut EndedBlocks,
        current: &BTreeMap<String, u64>,
    ) -> (u32, u32, u32, bool) {
        let mut counts = (0, 0, 0, false);
        for _ in 0..most.min(1_000) {
            let Some(one) = self.dues().into_iter().next() else {
                return counts;
            };
            match one.due {
                Due::Tell(_) => counts.0 += 1,
                Due::Expire(_) => counts.1 += 1,
                Due::Reclaim(_) => counts.2 += 1,
            }
            self.due_do(one.due, ended, current);
        }
        counts.3 = !self.dues().is_empty();
        counts
    }

    /// Ends a claim: its block is kept or free.
    pub(super) fn end(&mut self, place: usize) -> Prefix {
        let claim = self.claims.remove(place);
        let kept_for = self.kept_for(&claim);
        if kept_for != Some(0) {
            self.kept.push(ModelKept {
                key: key(&claim.name, claim.owner.as_ref()),
                pool: claim.pool,
                block: claim.block,
                reclaim_ms: kept_for.map(|grace| self.now_ms + u64::from(grace) * 1_000),
            });
        }
        claim.block
    }

    /// Applies a claim or release; whether it is accepted, and the block.
    pub(super) fn operation(
        &mut self,
        operation: &Operation,
        ended: &mut EndedBlocks,
        current: &BTreeMap<String, u64>,
    ) -> Result<Prefix, &'static str> {
        match operation {
            Operation::CreateClaim(spec) => self.take(spec, ended, current),
            Operation::ReleaseClaim(release) => {
                let text = release.name.to_string();
                let place = self.claims.iter().position(|claim| claim.name == text);
                match (place, release.generation) {
                    (Some(place), None) => Ok(self.end(place)),
                    (Some(place), Some(given)) if current.get(&text) == Some(&given) => {
                        Ok(self.end(place))
                    }
                    (_, Some(given)) if ended.contains_key(&(text.clone(), given)) => {
                        Ok(ended[&(text, given)])
                    }
                    (Some(_), Some(_)) => Err("stale"),
                    (None, _) => Err("no claim"),
                }
            }
        }
    }

    fn take(
        &mut self,
        spec: &ClaimSpec,
        ended: &mut EndedBlocks,
        current: &BTreeMap<String, u64>,
    ) -> Result<Prefix, &'static str> {
        let (text, from) = (spec.name.to_string(), spec.pool().unwrap().name.to_string());
        let owner = spec.owner.as_ref().map(ToString::to_string);
        let asked = format!(
            "{from} {:?} {:?} {:?} {owner:?} {:?} {:?}",
            spec.prefix_length,
            spec.cidr,
            spec.within,
            spec.life.grace_seconds,
            spec.life.reclaim_policy
        );
        if let Some(there) = self.claim(&text) {
            return if there.asked == asked {
                Ok(there.block)
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
        let life = pool.life;
        let too_long = life.max_ttl_seconds.unwrap_or(u32::MAX);
        if spec
            .life
            .ttl_seconds
            .is_some_and(|ttl| ttl == 0 || ttl > too_long)
            || spec.life.grace_seconds.unwrap_or(0) > life.grace_max()
            || (spec.life.reclaim_policy == Some(ReclaimPolicy::Retain) && !life.retain_allowed())
        {
            return Err("outside");
        }
        let key = key(&text, owner.as_ref());
        let back = self.kept.iter().rposition(|kept| {
            let fits = match spec.cidr {
                Some(cidr) => kept.block == cidr,
                None => kept.block.length() == length,
            };
            let withheld = |there: &Prefix| there.overlaps(kept.block);
            kept.pool == from
                && kept.key == key
                && fits
                && lies_within(kept.block, &spec.within)
                && !pool.withheld.iter().any(withheld)
        });
        if back.is_none() && pool.drain {
            return Err("draining");
        }
        let block = if let Some(place) = back {
            self.kept.remove(place).block
        } else {
            match spec.cidr {
                Some(cidr) if !pool.blocks.iter().any(|block| block.contains(cidr)) => {
                    return Err("outside");
                }
                Some(cidr) if self.held(pool).iter().any(|there| there.overlaps(cidr)) => {
                    return Err("taken");
                }
                Some(cidr) => cidr,
                None => {
                    let block = self
                        .choose_or_sweep(&from, length, &spec.within, ended, current)
                        .ok_or("exhausted")?;
                    self.handed_out(&from, block);
                    block
                }
            }
        };
        let ttl_seconds = spec.life.ttl_seconds.or(life.max_ttl_seconds);
        self.claims.push(ModelClaim {
            name: text,
            pool: from,
            block,
            asked,
            owner,
            life: spec.life,
            in_use: false,
            returned: back.is_some(),
            lease: ttl_seconds.map(|ttl| self.lease(ttl)),
        });
        Ok(block)
    }

    fn lease(&self, ttl_seconds: u32) -> ModelLease {
        ModelLease {
            ttl_seconds,
            expires_ms: self.now_ms + u64::from(ttl_seconds) * 1_000,
            told: false,
        }
    }

    /// The claim that its holder means.
    fn held_by(
        &mut self,
        name: &str,
        owner: Option<&str>,
        generation: Option<u64>,
        current: &BTreeMap<String, u64>,
    ) -> Result<&mut ModelClaim, &'static str> {
        let claim = self.claims.iter_mut().find(|claim| claim.name == name);
        let claim = claim.ok_or("no claim")?;
        if claim.owner.as_deref() != owner {
            return Err("not the holder");
        }
        match generation {
            Some(given) if current.get(name) != Some(&given) => Err("stale"),
            _ => Ok(claim),
        }
    }

    pub(super) fn confirm(
        &mut self,
        confirm: &allocator::command::ClaimConfirm,
        current: &BTreeMap<String, u64>,
    ) -> Result<Prefix, &'static str> {
        let owner = confirm.owner.as_ref().map(Owner::as_str);
        let claim = self.held_by(confirm.name.as_str(), owner, confirm.generation, current)?;
        claim.in_use = true;
        Ok(claim.block)
    }

    pub(super) fn renew(
        &mut self,
        renew: &allocator::command::ClaimRenew,
        current: &BTreeMap<String, u64>,
    ) -> Result<Prefix, &'static str> {
        let owner = renew.owner.as_ref().map(Owner::as_str);
        let claim = self
            .held_by(renew.name.as_str(), owner, renew.generation, current)?
            .clone();
        let longest = self.pool(&claim.pool).unwrap().life.max_ttl_seconds;
        let ttl = renew
            .ttl_seconds
            .or(claim.lease.map(|lease| lease.ttl_seconds))
            .or(longest);
        let allowed = ttl.filter(|ttl| *ttl > 0 && *ttl <= longest.unwrap_or(u32::MAX));
        let lease = self.lease(allowed.ok_or("outside")?);
        let there = self.claims.iter_mut().find(|one| one.name == claim.name);
        there.unwrap().lease = Some(lease);
        Ok(claim.block)
    }
}
