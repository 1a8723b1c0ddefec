//! The variable parts of a path, already percent-decoded by the router.

use allocator::name::{NAME_ALLOWED, Name};
use allocator::prefix::{Address, InvalidPrefix, Prefix};

use super::check::shown;
use super::query::whole_number;
use crate::problem::Problem;

/// A name; `parameter` is what the template calls it.
///
/// # Errors
/// `invalid_parameter`.
pub fn name(parameter: &str, text: &str) -> Result<Name, Problem> {
    Name::new(text).map_err(|_| {
        Problem::invalid_parameter(parameter, format_args!("is {}", shown(text)), NAME_ALLOWED)
    })
}

/// A member's id.
///
/// # Errors
/// `invalid_parameter`.
pub fn member_id(text: &str) -> Result<u64, Problem> {
    whole_number("id", text, 1, u64::MAX >> 11)
}

/// A block at the end of a path: `10.1.0.0/24` with its slash; an address alone is its own /32 or
/// /128. The router has decoded `%2F` already, and nothing is decoded twice.
///
/// # Errors
/// `invalid_parameter`; where host bits are set it names the block that was probably meant.
pub fn block(text: &str) -> Result<Prefix, Problem> {
    if let Ok(address) = text.parse::<Address>() {
        return Ok(Prefix::single(address));
    }
    text.parse().map_err(|error| {
        let problem = format!("is {}", shown(text));
        match error {
            InvalidPrefix::HostBits { canonical } => Problem::invalid_parameter(
                "cidr",
                format!("{problem}, which has host bits set"),
                canonical,
            ),
            InvalidPrefix::Length { bits } => Problem::invalid_parameter(
                "cidr",
                problem,
                format_args!("a prefix length from 0 to {bits}"),
            ),
            InvalidPrefix::Syntax => Problem::invalid_parameter(
                "cidr",
                problem,
                "an address or a CIDR such as 10.0.1.0/24",
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_in_a_path_stands_with_its_slash() {
        for (text, expected) in [
            ("10.1.0.0/24", "10.1.0.0/24"),
            ("10.1.0.7", "10.1.0.7/32"),
            ("2001:db8::/48", "2001:db8::/48"),
            ("2001:db8::1", "2001:db8::1/128"),
        ] {
            assert_eq!(block(text).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_bad_block_in_a_path_is_told_with_what_is_allowed() {
        for (text, allowed) in [
            ("10.1.0.1/24", "10.1.0.0/24"),
            ("10.1.0.0/33", "a prefix length from 0 to 32"),
            ("10.1.0.0/24/", "an address or a CIDR such as 10.0.1.0/24"),
            ("10.1.0.0%2F24", "an address or a CIDR such as 10.0.1.0/24"),
            ("acme", "an address or a CIDR such as 10.0.1.0/24"),
            ("", "an address or a CIDR such as 10.0.1.0/24"),
        ] {
            let problem = block(text).unwrap_err();
            assert_eq!(
                (problem.code.as_str(), &problem.facts["allowed"]),
                ("invalid_parameter", &allowed.into()),
                "{text}"
            );
        }
    }
}
