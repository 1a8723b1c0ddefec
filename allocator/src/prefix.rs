//! Addresses and blocks of both families.
//!
//! [`Prefix`] is canonical by construction: no host bit is ever set. Parsing, containment and
//! splitting come from `ipnet`; what is added here is the canonical guarantee, the order by address
//! and the arithmetic on address numbers that the free space needs.

use core::fmt;
pub use core::net::IpAddr as Address;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::count::Count;

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// 32-bit addresses.
    IPv4,
    /// 128-bit addresses.
    IPv6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: Address) -> Self {
        match address {
            Address::V4(_) => Self::IPv4,
            Address::V6(_) => Self::IPv6,
        }
    }

    /// Length of a single address: 32 or 128.
    pub const fn bits(self) -> u8 {
        match self {
            Self::IPv4 => 32,
            Self::IPv6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IPv4 => "IPv4",
            Self::IPv6 => "IPv6",
        })
    }
}

/// A block in canonical form (`10.0.1.0/24`, `2001:db8::1/128`); an address is a /32 or /128 block.
///
/// Ordered by family, then address, then length (the wider block first).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix(IpNet);

impl Prefix {
    /// The block of `length` that starts at `address`.
    ///
    /// # Errors
    /// [`InvalidPrefix::Length`] when the length is above the family's bits, and
    /// [`InvalidPrefix::HostBits`], with the block that was probably meant, when bits beyond the
    /// length are set.
    pub fn new(address: Address, length: u8) -> Result<Self, InvalidPrefix> {
        let net = IpNet::new(address, length).map_err(|_| InvalidPrefix::Length {
            bits: Family::of(address).bits(),
        })?;
        let canonical = Self(net.trunc());
        if canonical.0 == net {
            Ok(canonical)
        } else {
            Err(InvalidPrefix::HostBits { canonical })
        }
    }

    /// The block of `length` around `address`: bits beyond the length are cleared. `None` when the
    /// length is above the family's bits.
    pub fn around(address: Address, length: u8) -> Option<Self> {
        IpNet::new(address, length)
            .ok()
            .map(|net| Self(net.trunc()))
    }

    /// The block of one address.
    pub fn single(address: Address) -> Self {
        Self(IpNet::from(address))
    }

    /// First address: the network address.
    pub fn first(self) -> Address {
        self.0.network()
    }

    /// Last address: in IPv4 the broadcast address of a subnet of this length.
    pub fn last(self) -> Address {
        self.0.broadcast()
    }

    /// Prefix length: 0 to 32, or 0 to 128.
    pub fn length(self) -> u8 {
        self.0.prefix_len()
    }

    /// Its family.
    pub fn family(self) -> Family {
        match self.0 {
            IpNet::V4(_) => Family::IPv4,
            IpNet::V6(_) => Family::IPv6,
        }
    }

    /// One address only.
    pub fn is_single(self) -> bool {
        self.length() == self.family().bits()
    }

    /// How many addresses it has, all of them counted.
    pub fn size(self) -> Count {
        Count::power_of_two(self.family().bits().saturating_sub(self.length()))
            .unwrap_or(Count::MAX)
    }

    /// `other` lies in this block or is this block; never across families.
    pub fn contains(self, other: Self) -> bool {
        self.0.contains(&other.0)
    }

    /// The address lies in this block; never across families.
    pub fn contains_address(self, address: Address) -> bool {
        self.0.contains(&address)
    }

    /// The two have an address in common: one contains the other.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The block of one bit less that contains it; `None` for a whole family.
    pub fn parent(self) -> Option<Self> {
        self.0.supernet().map(Self)
    }
}

/// The number of an address within its family: 10.0.0.1 is `0x0a00_0001`.
pub fn address_number(address: Address) -> u128 {
    match address {
        Address::V4(v4) => u128::from(v4.to_bits()),
        Address::V6(v6) => v6.to_bits(),
    }
}

/// The address of a number; `None` for an IPv4 number above 32 bits.
pub fn address_of_number(family: Family, number: u128) -> Option<Address> {
    match family {
        Family::IPv4 => u32::try_from(number)
            .ok()
            .map(|bits| Address::V4(Ipv4Addr::from_bits(bits))),
        Family::IPv6 => Some(Address::V6(Ipv6Addr::from_bits(number))),
    }
}

impl PartialOrd for Prefix {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Prefix {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.family(), self.first(), self.length()).cmp(&(
            other.family(),
            other.first(),
            other.length(),
        ))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    /// Parses `address/length`; an address without a length is not a block.
    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let (address, length) = text.split_once('/').ok_or(InvalidPrefix::Syntax)?;
        let address = Address::from_str(address).map_err(|_| InvalidPrefix::Syntax)?;
        let plain = !length.is_empty()
            && length.len() <= 3
            && length.bytes().all(|byte| byte.is_ascii_digit())
            && (length.len() == 1 || !length.starts_with('0'));
        if !plain {
            return Err(InvalidPrefix::Syntax);
        }
        let bits = Family::of(address).bits();
        let length = length
            .parse::<u8>()
            .map_err(|_| InvalidPrefix::Length { bits })?;
        Self::new(address, length)
    }
}

/// Why something is not a [`Prefix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidPrefix {
    /// Not `address/length`.
    Syntax,
    /// The length is above the family's bits.
    Length {
        /// 32 or 128.
        bits: u8,
    },
    /// Bits beyond the length are set.
    HostBits {
        /// The block of that length around the address.
        canonical: Prefix,
    },
}

impl fmt::Display for InvalidPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("not a CIDR such as 10.0.1.0/24 or 2001:db8::/48"),
            Self::Length { bits } => write!(f, "the prefix length is above {bits}"),
            Self::HostBits { canonical } => {
                write!(f, "host bits are set; the block is {canonical}")
            }
        }
    }
}

/// A prefix in the log, on disk or on the wire: family, address and length.
#[derive(Serialize, Deserialize)]
enum Encoded {
    V4(u32, u8),
    V6(u128, u8),
}

impl Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            IpNet::V4(net) => Encoded::V4(net.addr().to_bits(), net.prefix_len()),
            IpNet::V6(net) => Encoded::V6(net.addr().to_bits(), net.prefix_len()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (address, length) = match Encoded::deserialize(deserializer)? {
            Encoded::V4(bits, length) => (Address::V4(Ipv4Addr::from_bits(bits)), length),
            Encoded::V6(bits, length) => (Address::V6(Ipv6Addr::from_bits(bits)), length),
        };
        Self::new(address, length).map_err(serde::de::Error::custom)
    }
}
