//! Two things at once, where there are threads: whoever has them lends them.

/// Does two things that do not wait for each other.
pub trait Together {
    /// Does both, in any order or at once; what comes of them does not depend on that.
    fn both<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B);
}

/// One after the other.
#[derive(Debug, Clone, Copy)]
pub struct InTurn;

impl Together for InTurn {
    fn both<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        (one(), other())
    }
}
