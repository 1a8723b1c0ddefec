//! Sizes of address space: 0 to 2^128 inclusive, one more than `u128` holds (`::/0` has 2^128
//! addresses).
//!
//! Every operation is exact; one whose result would leave the range answers `None`.

use core::cmp::Ordering;
use core::fmt;

use serde::{Deserialize, Serialize};

/// An exact number of addresses or blocks, from 0 to 2^128 inclusive.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Count {
    /// The value below 2^128; 0 where `whole`.
    low: u128,
    /// Exactly 2^128.
    whole: bool,
}

impl Count {
    /// Zero.
    pub const ZERO: Self = Self {
        low: 0,
        whole: false,
    };
    /// 2^128.
    pub const MAX: Self = Self {
        low: 0,
        whole: true,
    };

    /// A number below 2^128.
    pub const fn new(value: u128) -> Self {
        Self {
            low: value,
            whole: false,
        }
    }

    /// 2^`exponent`; `None` above 128.
    pub fn power_of_two(exponent: u8) -> Option<Self> {
        match exponent {
            0..=127 => 1_u128.checked_shl(u32::from(exponent)).map(Self::new),
            128 => Some(Self::MAX),
            _ => None,
        }
    }

    /// The value, where it is below 2^128.
    pub const fn as_u128(self) -> Option<u128> {
        if self.whole { None } else { Some(self.low) }
    }

    /// Nothing at all.
    pub const fn is_zero(self) -> bool {
        self.low == 0 && !self.whole
    }

    /// The sum; `None` above 2^128.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        if self.is_zero() {
            return Some(other);
        }
        if other.is_zero() {
            return Some(self);
        }
        if self.whole || other.whole {
            return None;
        }
        match self.low.overflowing_add(other.low) {
            (low, false) => Some(Self { low, whole: false }),
            (0, true) => Some(Self::MAX),
            (_, true) => None,
        }
    }

    /// The difference; `None` below zero.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match (self.whole, other.whole) {
            (true, true) => Some(Self::ZERO),
            (false, true) => None,
            (true, false) if other.low == 0 => Some(self),
            // 2^128 − low is the two's complement of low, which is not zero here.
            (true, false) => Some(Self {
                low: other.low.wrapping_neg(),
                whole: false,
            }),
            (false, false) => match self.low.checked_sub(other.low) {
                Some(low) => Some(Self { low, whole: false }),
                None => None,
            },
        }
    }

    /// `self` × 2^`exponent`; `None` above 2^128.
    pub fn checked_shl(self, exponent: u8) -> Option<Self> {
        if self.is_zero() || exponent == 0 {
            return Some(self);
        }
        if self.whole || exponent > 128 {
            return None;
        }
        let zeros = self.low.leading_zeros();
        if u32::from(exponent) <= zeros {
            return self.low.checked_shl(u32::from(exponent)).map(Self::new);
        }
        // One bit beyond: exactly 2^128 when the value is a power of two.
        if self.low.is_power_of_two() && u32::from(exponent) == zeros.saturating_add(1) {
            Some(Self::MAX)
        } else {
            None
        }
    }

    /// `self` / `whole` in ten-thousandths, rounded down, at most 10,000; 0 where `whole` is 0.
    pub fn ratio_e4(self, whole: Self) -> u32 {
        if whole.is_zero() {
            return 0;
        }
        let target = self.times(10_000);
        // The largest quotient whose product does not pass the target: 14 halvings.
        let (mut low, mut high) = (0_u32, 10_000_u32);
        while low < high {
            let middle = high.saturating_sub(high.saturating_sub(low) >> 1_u32);
            if whole.times(middle) <= target {
                low = middle;
            } else {
                high = middle.saturating_sub(1);
            }
        }
        low
    }

    /// The exact product as (units of 2^128, rest); `factor` is small.
    fn times(self, factor: u32) -> (u128, u128) {
        let factor = u128::from(factor);
        if self.whole {
            return (factor, 0);
        }
        let mask = u128::from(u64::MAX);
        // Two limbs of 64 bits; each product is below 2^96.
        let low = (self.low & mask).saturating_mul(factor);
        let high = (self.low >> 64_u32)
            .saturating_mul(factor)
            .saturating_add(low >> 64_u32);
        (high >> 64_u32, (high & mask) << 64_u32 | (low & mask))
    }
}

impl From<u64> for Count {
    fn from(value: u64) -> Self {
        Self::new(u128::from(value))
    }
}

impl PartialOrd for Count {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Count {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.whole, self.low).cmp(&(other.whole, other.low))
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.whole {
            f.pad_integral(true, "", "340282366920938463463374607431768211456")
        } else {
            fmt::Display::fmt(&self.low, f)
        }
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn arithmetic_is_exact_up_to_two_to_the_128() {
        let half = Count::power_of_two(127).unwrap();
        assert_eq!(half.checked_add(half), Some(Count::MAX));
        assert_eq!(Count::MAX.checked_sub(half), Some(half));
        assert_eq!(
            Count::MAX.checked_sub(Count::new(1)),
            Some(Count::new(u128::MAX))
        );
        assert_eq!(
            Count::new(u128::MAX).checked_add(Count::new(1)),
            Some(Count::MAX)
        );
        assert_eq!(Count::MAX.checked_add(Count::new(1)), None);
        assert_eq!(Count::new(u128::MAX).checked_add(Count::new(2)), None);
        assert_eq!(Count::ZERO.checked_sub(Count::new(1)), None);
        assert_eq!(Count::MAX.checked_sub(Count::MAX), Some(Count::ZERO));
        assert_eq!(Count::new(1).checked_shl(128), Some(Count::MAX));
        assert_eq!(Count::new(2).checked_shl(127), Some(Count::MAX));
        assert_eq!(Count::new(3).checked_shl(127), None);
        assert_eq!(Count::power_of_two(129), None);
        assert_eq!(
            Count::MAX.to_string(),
            "340282366920938463463374607431768211456"
        );
    }

    #[test]
    fn ratios_round_down_and_never_pass_the_whole() {
        assert_eq!(Count::new(1).ratio_e4(Count::new(3)), 3_333);
        assert_eq!(Count::MAX.ratio_e4(Count::MAX), 10_000);
        assert_eq!(Count::new(u128::MAX).ratio_e4(Count::MAX), 9_999);
        assert_eq!(
            Count::power_of_two(127).unwrap().ratio_e4(Count::MAX),
            5_000
        );
        assert_eq!(Count::new(5).ratio_e4(Count::ZERO), 0);
        assert_eq!(Count::ZERO.ratio_e4(Count::new(7)), 0);
    }
}
