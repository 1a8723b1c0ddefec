//! The two widths of an address, and blocks of them as plain numbers.

use core::fmt::Debug;
use core::ops::{BitAnd, BitOr, BitXor, Not};

/// An address as a number: `u32` for IPv4, `u128` for IPv6.
pub trait Width:
    Copy
    + Ord
    + Debug
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
{
    /// Length of a single address: 32 or 128.
    const BITS: u8;
    /// No bit set: the lowest address, and the empty set of lengths.
    const ZERO: Self;
    /// The same number without alignment, so that nodes are small.
    type Packed: Copy + Debug;

    /// Into its form in a node.
    fn pack(self) -> Self::Packed;
    /// From its form in a node.
    fn unpack(packed: Self::Packed) -> Self;
    /// The highest `length` bits set; all of them where `length` is above the width.
    fn netmask(length: u8) -> Self;
    /// The bit that a block of `length` decides, which stands for that length in a set; none for 0.
    fn bit(length: u8) -> Self;
    /// How many of the highest bits are zero.
    fn high_zeros(self) -> u8;
    /// How many of the lowest bits are zero.
    fn low_zeros(self) -> u8;
    /// The next number; `None` after the last.
    fn next(self) -> Option<Self>;
    /// The previous number; `None` before the first.
    fn previous(self) -> Option<Self>;
}

macro_rules! width {
    ($number:ty, $bits:literal, $bytes:literal) => {
        impl Width for $number {
            const BITS: u8 = $bits;
            const ZERO: Self = 0;
            type Packed = [u8; $bytes];

            #[inline]
            fn pack(self) -> Self::Packed {
                self.to_ne_bytes()
            }

            #[inline]
            fn unpack(packed: Self::Packed) -> Self {
                Self::from_ne_bytes(packed)
            }

            #[inline]
            fn netmask(length: u8) -> Self {
                let host_bits = <$number>::BITS.saturating_sub(u32::from(length));
                Self::MAX.checked_shl(host_bits).unwrap_or(0)
            }

            #[inline]
            fn bit(length: u8) -> Self {
                // Length 0 would be the bit above the highest: `checked_shl` refuses it.
                let position = <$number>::BITS.saturating_sub(u32::from(length));
                Self::from(1_u8).checked_shl(position).unwrap_or(0)
            }

            #[inline]
            fn high_zeros(self) -> u8 {
                self.leading_zeros().try_into().unwrap_or(u8::MAX)
            }

            #[inline]
            fn low_zeros(self) -> u8 {
                self.trailing_zeros().try_into().unwrap_or(u8::MAX)
            }

            #[inline]
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }

            #[inline]
            fn previous(self) -> Option<Self> {
                self.checked_sub(1)
            }
        }
    };
}

width!(u32, 32, 4);
width!(u128, 128, 16);

/// An aligned block: no bit beyond `length` is set in `address`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block<A> {
    /// First address.
    pub address: A,
    /// Prefix length.
    pub length: u8,
}

impl<A: Width> Block<A> {
    /// The block of `length` around `address`.
    #[inline]
    pub fn around(address: A, length: u8) -> Self {
        Self {
            address: address & A::netmask(length),
            length,
        }
    }

    /// Last address.
    #[inline]
    pub fn last(self) -> A {
        self.address | !A::netmask(self.length)
    }

    /// `other` lies in this block or is this block.
    #[inline]
    pub fn contains(self, other: Self) -> bool {
        self.length <= other.length && other.address & A::netmask(self.length) == self.address
    }

    /// The two have an address in common.
    #[inline]
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The other half of the block of one bit less; for length 0 the block itself.
    #[inline]
    #[must_use]
    pub fn sibling(self) -> Self {
        Self {
            address: self.address ^ A::bit(self.length),
            length: self.length,
        }
    }
}
