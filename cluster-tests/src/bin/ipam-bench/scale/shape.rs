//! What is held: in which pools, of which family, with which holes.

use allocator::command::{
    ChildBlock, ClaimRelease, ClaimSpec, Command, PoolRef, PoolSource, PoolSpec,
};
use allocator::name::Name;
use allocator::prefix::{Family, Prefix, address_of_number};
use allocator::settings::{EVENTS_COUNT, SettingChange, SettingsEdit};
use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::entries::{TENANT, name, root_pool, tenant};

/// Blocks of a pool where there are many.
const POOL_HOLDS: u32 = 100;
/// Blocks of a leaf of the deep tree.
const LEAF_HOLDS: u32 = 1_000;
/// Pools from the root down to a leaf: as many as there may be.
const DEPTH: u8 = 16;
/// Commands of an entry while a state is filled.
const ENTRY: u32 = 512;
/// Cells of a map, as bits.
const CELLS_BITS: u32 = 8;
/// Lengths of blocks of mixed sizes, from single addresses on.
const SIZES: u32 = 5;

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Shape {
    /// Single addresses of one pool
    OnePoolV4,
    OnePoolV6,
    /// A pool for each hundred
    ManyPoolsV4,
    ManyPoolsV6,
    /// Leaves of a thousand, each below fifteen pools
    DeepV6,
    /// Twice as many, then every second one released
    AlternateV4,
    AlternateV6,
    /// The same with blocks of five sizes
    MixedV4,
    MixedV6,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pools {
    One,
    Many,
    Deep,
}

impl Shape {
    /// Names of its table and of its plot.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::OnePoolV4 => "scale: one pool, IPv4",
            Self::OnePoolV6 => "scale: one pool, IPv6",
            Self::ManyPoolsV4 => "scale: a pool for each hundred, IPv4",
            Self::ManyPoolsV6 => "scale: a pool for each hundred, IPv6",
            Self::DeepV6 => "scale: leaves of a thousand, sixteen pools deep, IPv6",
            Self::AlternateV4 => "scale: one pool, every second address released, IPv4",
            Self::AlternateV6 => "scale: one pool, every second address released, IPv6",
            Self::MixedV4 => "scale: one pool, five sizes, every second block released, IPv4",
            Self::MixedV6 => "scale: one pool, five sizes, every second block released, IPv6",
        }
    }

    pub(crate) fn family(self) -> Family {
        match self {
            Self::OnePoolV4 | Self::ManyPoolsV4 | Self::AlternateV4 | Self::MixedV4 => Family::IPv4,
            Self::OnePoolV6
            | Self::ManyPoolsV6
            | Self::DeepV6
            | Self::AlternateV6
            | Self::MixedV6 => Family::IPv6,
        }
    }

    /// Whether what is durable is measured too: it knows records, and how they lie in pools makes no difference to it.
    pub(crate) fn is_stored(self) -> bool {
        matches!(self, Self::OnePoolV4 | Self::OnePoolV6)
    }

    fn pools(self) -> Pools {
        match self {
            Self::ManyPoolsV4 | Self::ManyPoolsV6 => Pools::Many,
            Self::DeepV6 => Pools::Deep,
            _ => Pools::One,
        }
    }

    fn is_mixed(self) -> bool {
        matches!(self, Self::MixedV4 | Self::MixedV6)
    }

    fn is_fragmented(self) -> bool {
        self.is_mixed() || matches!(self, Self::AlternateV4 | Self::AlternateV6)
    }
}

/// So many blocks held in that shape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) shape: Shape,
    pub(crate) held: u32,
}

impl Scene {
    /// The entries that make it, in order.
    pub(crate) fn entries(self) -> Result<impl Iterator<Item = Result<Vec<Command>>>> {
        // Few events are kept: how many there are is not to grow with what is held.
        let settings = SettingsEdit {
            events_max_count: SettingChange::To(*EVENTS_COUNT.start()),
            ..SettingsEdit::default()
        };
        let first = vec![
            Command::Form { cluster_id: 1 },
            Command::SettingsEdit(settings),
            tenant()?,
        ];
        let mut pools = vec![];
        if self.shape.pools() == Pools::Deep {
            pools.push(create(root_pool("root", self.root()?)?));
        }
        for pool in 0..self.pools() {
            pools.extend(self.pool_made(pool)?);
        }
        let pools: Vec<_> = pools.chunks(ENTRY as usize).map(<[_]>::to_vec).collect();
        let claims = (0..self.named()).step_by(ENTRY as usize).map(move |from| {
            let numbers = from..self.named().min(from + ENTRY);
            numbers.map(|number| self.claim(number, None)).collect()
        });
        let gone = self.named() - self.held;
        let releases = (0..gone).step_by(ENTRY as usize).map(move |from| {
            let numbers = from..gone.min(from + ENTRY);
            numbers
                .map(|number| Self::release(2 * number + 1))
                .collect()
        });
        let made = std::iter::once(first).chain(pools).map(Ok);
        Ok(made.chain(claims).chain(releases))
    }

    /// Claims that were ever made; their numbers are below that.
    pub(crate) fn named(self) -> u32 {
        self.held * if self.shape.is_fragmented() { 2 } else { 1 }
    }

    /// The numbers of the claims that hold something.
    pub(crate) fn numbers(self) -> impl Iterator<Item = u32> {
        let step = if self.shape.is_fragmented() { 2 } else { 1 };
        (0..self.named()).step_by(step)
    }

    pub(crate) fn claim_name(number: u32) -> Result<Name> {
        name(&claim_text(number))
    }

    /// Which pool the claim with that number is from.
    fn pool_name(self, number: u32) -> Result<Name> {
        name(&format!("p{:07}", number % self.pools()))
    }

    /// The first number from `next` on that has the same pool as `number`.
    pub(crate) fn next_of_pool(self, next: u32, number: u32) -> u32 {
        let pools = self.pools();
        next + (pools + number % pools - next % pools) % pools
    }

    pub(crate) fn claim(self, number: u32, cidr: Option<Prefix>) -> Result<Command> {
        let from = PoolRef {
            tenant: None,
            name: self.pool_name(number)?,
        };
        let mut claim = ClaimSpec::new(name(TENANT)?, Self::claim_name(number)?, from);
        claim.cidr = cidr;
        if self.shape.is_mixed() && cidr.is_none() {
            let shorter = u8::try_from(mixed(number) % SIZES)?;
            claim.prefix_length = Some(self.shape.family().bits() - shorter);
        }
        Ok(Command::ClaimCreate(Box::new(claim)))
    }

    pub(crate) fn release(number: u32) -> Result<Command> {
        Ok(Command::ClaimRelease(ClaimRelease {
            tenant: name(TENANT)?,
            name: Self::claim_name(number)?,
            generation: None,
        }))
    }

    /// Pools that claims are from.
    fn pools(self) -> u32 {
        match self.shape.pools() {
            Pools::One => 1,
            Pools::Many => self.held / POOL_HOLDS,
            Pools::Deep => self.held / LEAF_HOLDS,
        }
    }

    /// A length with which what a pool holds lies in some 256 cells.
    pub(crate) fn cells_length(self) -> u8 {
        let blocks = self.named() / self.pools();
        let addresses = blocks * if self.shape.is_mixed() { SIZES } else { 1 };
        let bits = addresses.next_power_of_two().trailing_zeros();
        let cell = u8::try_from(bits.saturating_sub(CELLS_BITS)).unwrap_or(0);
        self.shape.family().bits() - cell
    }

    /// The space of all pools.
    fn root(self) -> Result<Prefix> {
        match self.shape.family() {
            Family::IPv4 => self.block(4, 0),
            Family::IPv6 => self.block(32, 0),
        }
    }

    /// A block with that number among those of a length.
    fn block(self, length: u8, number: u32) -> Result<Prefix> {
        let family = self.shape.family();
        let base = match family {
            Family::IPv4 => 0x1000_0000,
            Family::IPv6 => 0x2001_0db8 << 96,
        };
        let address = base + (u128::from(number) << (family.bits() - length));
        let address = address_of_number(family, address).context("an address")?;
        Prefix::around(address, length).context("a block")
    }

    /// A pool with what there is above it but for the root.
    fn pool_made(self, number: u32) -> Result<Vec<Command>> {
        let pool = format!("p{number:07}");
        match (self.shape.pools(), self.shape.family()) {
            (Pools::One, _) => Ok(vec![create(root_pool(&pool, self.root()?)?)]),
            (Pools::Many, Family::IPv4) => {
                Ok(vec![create(root_pool(&pool, self.block(24, number)?)?)])
            }
            (Pools::Many, Family::IPv6) => {
                Ok(vec![create(root_pool(&pool, self.block(64, number)?)?)])
            }
            (Pools::Deep, _) => {
                // Each is half of the one above it, the topmost one of many in the root.
                let top = self.block(64 - DEPTH + 2, number)?;
                let mut above = "root".to_owned();
                let mut chain = Vec::new();
                for level in 2..=DEPTH {
                    let length = 64 - DEPTH + level;
                    let block = Prefix::around(top.first(), length).context("a block")?;
                    let child = match level {
                        DEPTH => pool.clone(),
                        _ => format!("{pool}-{level:02}"),
                    };
                    let source = PoolSource::Child {
                        parent: PoolRef {
                            tenant: None,
                            name: name(&above)?,
                        },
                        block: ChildBlock::Cidr(block),
                    };
                    chain.push(create(PoolSpec::new(name(TENANT)?, name(&child)?, source)));
                    above = child;
                }
                Ok(chain)
            }
        }
    }
}

fn create(pool: PoolSpec) -> Command {
    Command::PoolCreate(Box::new(pool))
}

/// A claim's name, of 24 bytes; the order of names is not that in which they are made.
pub(crate) fn claim_text(number: u32) -> String {
    format!("{:08x}-claim-{number:09}", mixed(number))
}

/// A number that looks like any other.
fn mixed(number: u32) -> u32 {
    number.wrapping_mul(2_654_435_761)
}
