//! Pools and claims as lists, searched one by one.

use std::collections::BTreeMap;

use allocator::command::Operation;
use allocator::prefix::{Prefix, address_number, address_of_number};

/// Pools and claims as lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
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
    pub(super) reserved: Vec<Prefix>,
}

impl Model {
    pub(super) fn pool(&self, text: &str) -> Option<&ModelPool> {
        self.pools.iter().find(|pool| pool.name == text)
    }

    /// All that is held of a pool.
    pub(super) fn held(&self, pool: &ModelPool) -> Vec<Prefix> {
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
        claims
            .chain(children)
            .chain(pool.reserved.iter().copied())
            .collect()
    }

    /// Each block of the length, one after the other, until one is free.
    pub(super) fn first_free(&self, pool: &ModelPool, length: u8) -> Option<Prefix> {
        let held = self.held(pool);
        pool.blocks
            .iter()
            .filter(|cidr| cidr.length() <= length)
            .find_map(|cidr| {
                let mut number = address_number(cidr.first());
                while number <= address_number(cidr.last()) {
                    let candidate =
                        Prefix::new(address_of_number(cidr.family(), number).unwrap(), length)
                            .unwrap();
                    if !held.iter().any(|there| there.overlaps(candidate)) {
                        return Some(candidate);
                    }
                    number = address_number(candidate.last()) + 1;
                }
                None
            })
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
                    "{from} {:?} {:?} {:?}",
                    spec.prefix_length, spec.cidr, spec.owner
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
                let widest = pool.blocks.iter().map(|cidr| cidr.length()).min().unwrap();
                let length = spec
                    .cidr
                    .map(Prefix::length)
                    .or(spec.prefix_length)
                    .unwrap_or(pool.default);
                if length < widest || length > family.bits() {
                    return Err("length");
                }
                let block = match spec.cidr {
                    Some(cidr) if !pool.blocks.iter().any(|block| block.contains(cidr)) => {
                        return Err("outside");
                    }
                    Some(cidr) if self.held(pool).iter().any(|there| there.overlaps(cidr)) => {
                        return Err("taken");
                    }
                    Some(cidr) => cidr,
                    None => self.first_free(pool, length).ok_or("exhausted")?,
                };
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
