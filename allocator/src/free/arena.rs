//! Room for many small nodes: numbered, reused, and grown without ever moving what is there.

use alloc::vec::Vec;

/// Nodes of a chunk. Growth allocates one chunk, so that no single write pays for a copy of all.
const CHUNK: usize = 1_024;
const CHUNK_SHIFT: u32 = 10;
const CHUNK_MASK: u32 = 1_023;

/// Nodes by number. Numbers stay below 2^31; those of removed nodes are given again, the last first.
#[derive(Debug, Clone)]
pub(crate) struct Arena<T> {
    chunks: Vec<Vec<T>>,
    vacant: Vec<u32>,
    /// One more than the highest number ever given.
    end: u32,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            vacant: Vec::new(),
            end: 0,
        }
    }
}

impl<T: Copy> Arena<T> {
    /// Adds a node.
    pub(crate) fn insert(&mut self, node: T) -> u32 {
        if let Some(number) = self.vacant.pop() {
            *self.get_mut(number) = node;
            return number;
        }
        let number = self.end;
        assert!(
            number < 1 << 31_u32,
            "fewer than 2^31 nodes fit into memory"
        );
        self.end = number.wrapping_add(1);
        if number & CHUNK_MASK == 0 {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let chunk = self
            .chunks
            .last_mut()
            .expect("a chunk was added before its first node");
        chunk.push(node);
        number
    }

    /// Takes a node out.
    pub(crate) fn remove(&mut self, number: u32) {
        self.vacant.push(number);
    }

    /// A node that is there.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> &T {
        let (chunk, place) = split(number);
        let chunk = self.chunks.get(chunk).expect("a link leads to a node");
        chunk.get(place).expect("a link leads to a node")
    }

    /// A node that is there, to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self, number: u32) -> &mut T {
        let (chunk, place) = split(number);
        let chunk = self.chunks.get_mut(chunk).expect("a link leads to a node");
        chunk.get_mut(place).expect("a link leads to a node")
    }

    /// How many nodes are there.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.end)
            .unwrap_or(usize::MAX)
            .saturating_sub(self.vacant.len())
    }
}

#[inline]
fn split(number: u32) -> (usize, usize) {
    let chunk = usize::try_from(number >> CHUNK_SHIFT).unwrap_or(usize::MAX);
    let place = usize::try_from(number & CHUNK_MASK).unwrap_or(usize::MAX);
    (chunk, place)
}
