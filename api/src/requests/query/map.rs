//! Which part of a pool's layout, at which zoom.

use allocator::prefix::{Address, Family};

use super::parameters::{Parameters, with_reading};
use super::{LIMIT_MAX, Reading, require_length_of};
use crate::problem::Problem;

/// Parameters of `pool_map`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// From which state.
    pub reading: Reading,
    /// `prefixLength`: of a cell.
    pub prefix_length: Option<u8>,
    /// `from`: from this address on.
    pub from: Option<Address>,
    /// `limit`: most runs.
    pub limit: u64,
}

impl Map {
    /// Parses the query string.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let known = with_reading(&["prefixLength", "from", "limit"]);
        let parameters = Parameters::parse(query, &known)?;
        let length = parameters.whole_number("prefixLength", 0, u64::from(Family::IPv6.bits()))?;
        Ok(Self {
            reading: parameters.reading()?,
            prefix_length: length.and_then(|length| u8::try_from(length).ok()),
            from: parameters.address("from")?,
            limit: parameters
                .whole_number("limit", 1, LIMIT_MAX)?
                .unwrap_or(LIMIT_MAX),
        })
    }

    /// Both are of that family, which is known once the pool is.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn require_family(&self, family: Family) -> Result<(), Problem> {
        require_length_of(family, self.prefix_length)?;
        match self.from {
            Some(from) if Family::of(from) != family => Err(Problem::invalid_parameter(
                "from",
                format_args!("is {from}, and the pool is {family}"),
                format_args!("an address of {family}"),
            )),
            Some(_) | None => Ok(()),
        }
    }
}
