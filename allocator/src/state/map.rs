//! The layout of a pool, for drawing.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::answer::Rejection;
use crate::free::Layout;
use crate::name::Name;
use crate::prefix::{Address, Prefix, address_number, address_of_number};
use crate::record::{HoldId, Holder};
use crate::view::{MapKind, MapRun, MapView};

use super::State;
use super::claim::{family_check, invalid};
use super::list::LIST_ROWS_MAX;
use super::pool_fields::widest;

/// Cells of the widest CIDR where no length is asked for, as bits: 256.
const CELLS_DEFAULT_BITS: u8 = 8;

impl State {
    /// The layout of a pool in cells of a length, from an address on: neighbours of one kind are one
    /// run. At most `limit` runs, and at most 2,000 pieces are looked at, however much the pool holds.
    /// Without a length the widest CIDR has 256 cells.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`], [`Rejection::PoolNotFound`]; [`Rejection::InvalidField`] for a
    /// length that the family does not have, [`Rejection::FamilyMismatch`] for `from`.
    pub fn map(
        &self,
        tenant: &Name,
        pool: &Name,
        length: Option<u8>,
        from: Option<Address>,
        limit: usize,
    ) -> Result<MapView, Rejection> {
        let id = self.pool_get(tenant, pool)?;
        let pool = self.tables.pool(id);
        let bits = pool.family.bits();
        if length.is_some_and(|length| length > bits) {
            return Err(invalid(
                "prefixLength",
                "the family has no such length",
                alloc::format!("0 to {bits}"),
            ));
        }
        family_check("from", from.map(crate::prefix::Family::of), pool)?;
        let length = length.unwrap_or_else(|| {
            widest(pool.blocks.iter().map(|block| block.cidr))
                .saturating_add(CELLS_DEFAULT_BITS)
                .min(bits)
        });
        let mut runs = Runs {
            limit: limit.clamp(1, LIST_ROWS_MAX),
            ..Runs::default()
        };
        for trie in &self.pool_index(id).tries {
            runs.closed = true;
            let cidr = trie.cidr();
            let from = from.filter(|from| cidr.contains_address(*from) || *from > cidr.last());
            let visited = trie.cells(&self.index.nodes, length, from, &mut |piece| {
                let (block, kind) = self.piece(piece);
                runs.push(block, kind)
            });
            if visited.is_break() {
                break;
            }
        }
        Ok(MapView {
            prefix_length: length,
            runs: runs.all,
            next: runs.next,
        })
    }

    fn piece(&self, piece: Layout) -> (Prefix, MapKind) {
        match piece {
            Layout::Free(block) => (block, MapKind::Free),
            Layout::Mixed(block, largest) => (block, MapKind::Mixed(largest)),
            Layout::Held(block, id) => (block, self.kind_of(id)),
        }
    }

    fn kind_of(&self, id: HoldId) -> MapKind {
        let hold = self.tables.hold(id);
        match &hold.holder {
            Holder::Claim(claim) if claim.asked.reservation => MapKind::Reserved,
            Holder::Claim(_) => MapKind::Claims(hold.phase),
            Holder::Reservation { .. } => MapKind::Reserved,
            Holder::Child { pool } => {
                let (tenant, name) = self.pool_names(*pool);
                MapKind::Child(tenant, name)
            }
        }
    }
}

/// Collects pieces into runs.
#[derive(Default)]
struct Runs {
    all: Vec<MapRun>,
    limit: usize,
    pieces: usize,
    /// The last run does not go on: another CIDR begins.
    closed: bool,
    next: Option<Address>,
}

impl Runs {
    fn push(&mut self, block: Prefix, kind: MapKind) -> ControlFlow<()> {
        let held = !matches!(kind, MapKind::Free | MapKind::Mixed(_));
        let full = self.all.len() >= self.limit;
        let grown = self
            .all
            .last_mut()
            .filter(|run| !self.closed && joins(run, block, &kind));
        if self.pieces >= LIST_ROWS_MAX || (full && grown.is_none()) {
            self.next = Some(block.first());
            return ControlFlow::Break(());
        }
        self.pieces = self.pieces.saturating_add(1);
        match grown {
            Some(run) => {
                run.last = block.last();
                run.holds = run.holds.saturating_add(u64::from(held));
                if let (MapKind::Mixed(there), MapKind::Mixed(largest)) = (&mut run.kind, &kind) {
                    *there = larger(*there, *largest);
                }
            }
            None => self.all.push(MapRun {
                first: block.first(),
                last: block.last(),
                kind,
                holds: u64::from(held),
            }),
        }
        self.closed = false;
        ControlFlow::Continue(())
    }
}

/// Whether a piece makes a run longer: it is of one kind with it, and follows. A child pool is a run of
/// its own.
fn joins(run: &MapRun, block: Prefix, kind: &MapKind) -> bool {
    let same = match (&run.kind, kind) {
        (MapKind::Mixed(_), MapKind::Mixed(_)) => true,
        (MapKind::Child(..), _) => false,
        (one, other) => one == other,
    };
    let follows = address_number(run.last).checked_add(1);
    same && follows.and_then(|number| address_of_number(block.family(), number))
        == Some(block.first())
}

/// The larger block has the smaller length.
fn larger(one: Option<u8>, other: Option<u8>) -> Option<u8> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
