//! Page tokens: where a list goes on, opaque to the caller.
//!
//! A token is `1.<list>.<key>`: its version, a fingerprint of the list (operation, tenant, filters)
//! and the last key in hex. So one from another list is refused instead of answering something odd,
//! and it holds nothing but what the page before it showed.

use sha2::{Digest, Sha256};

use crate::headers::hex_pair;
use crate::problem::Problem;

/// The version of the form.
const VERSION: &str = "1";

/// The identity of one list: operation, tenant and filters, not its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListIdentity(String);

impl ListIdentity {
    pub(crate) fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part.as_bytes());
            hasher.update([0]);
        }
        Self(hex(hasher.finalize().iter().take(8)))
    }

    /// The token that goes on after `key`.
    pub(crate) fn token(&self, key: &str) -> String {
        format!("{VERSION}.{}.{}", self.0, hex(key.as_bytes()))
    }

    /// The key in a token of this list.
    pub(crate) fn key(&self, token: &str) -> Result<String, Problem> {
        let rest = token
            .strip_prefix(VERSION)
            .and_then(|rest| rest.strip_prefix('.'));
        let (list, key) = rest
            .and_then(|rest| rest.split_once('.'))
            .ok_or_else(not_a_token)?;
        if list != self.0 {
            let allowed = "a token from the same list with the same filters";
            return Err(Problem::invalid_parameter(
                "pageToken",
                "belongs to another list",
                allowed,
            ));
        }
        unhex(key)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(not_a_token)
    }
}

pub(crate) fn not_a_token() -> Problem {
    Problem::invalid_parameter(
        "pageToken",
        "is not a page token",
        "nextPageToken of the page before",
    )
}

fn hex<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    bytes.into_iter().copied().map(hex_pair).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits?;
    if digits.len() % 2 == 1 {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_brings_its_key_back_to_its_own_list_only() {
        let pools = ListIdentity::new(["pool_list", "acme", "family=IPv4"]);
        let token = pools.token("p-17");
        assert_eq!(pools.key(&token).unwrap(), "p-17");
        let others = [
            ["claim_list", "acme", "family=IPv4"],
            ["pool_list", "umbrella", "family=IPv4"],
            ["pool_list", "acme", ""],
        ];
        for other in others {
            let problem = ListIdentity::new(other).key(&token).unwrap_err();
            assert_eq!(problem.facts["parameter"], "pageToken");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let list = ListIdentity::new(["pool_list", "acme"]);
        let token = list.token("p");
        let cut = &token[..token.len() - 1];
        let later = token.replacen('1', "2", 1);
        let not_text = list.token("").clone() + "ff";
        for bad in [
            "",
            "1",
            "1.",
            "p",
            cut,
            later.as_str(),
            not_text.as_str(),
            "1.é.é",
        ] {
            assert_eq!(
                list.key(bad).unwrap_err().code,
                "invalid_parameter",
                "{bad}"
            );
        }
    }
}
