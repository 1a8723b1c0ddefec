//! Header names, and the values that come in by them.

use allocator::name::Name;
use sha2::{Digest, Sha256};

use crate::problem::Problem;
use crate::requests::query::whole_number;

/// The media type of a merge patch (RFC 7396).
pub const MERGE_PATCH: &str = "application/merge-patch+json";

/// In every answer: the revision of the state that it shows.
pub const IPAM_REVISION: &str = "ipam-revision";
/// In every answer: the id of the leader that the node knows; absent while it knows none.
pub const IPAM_LEADER: &str = "ipam-leader";
/// In answers to local reads: how old the state may be at most, in milliseconds; absent where unknown.
pub const IPAM_STALENESS_MS: &str = "ipam-staleness-ms";
/// In a read: answer from a state of at least this revision.
pub const IF_MIN_REVISION: &str = "if-min-revision";
/// In an edit or delete of a pool: only if the pool has this revision.
pub const IF_REVISION: &str = "if-revision";
/// In a watch: the id of the event that was seen last.
pub const LAST_EVENT_ID: &str = "last-event-id";
/// In a claim without a name: the name is derived from it.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Longest `Idempotency-Key`, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// The revision in `If-Min-Revision` or `If-Revision`.
///
/// # Errors
/// `invalid_parameter`, naming the header.
pub fn revision(header: &str, value: &str) -> Result<u64, Problem> {
    whole_number(header, value, 0, u64::MAX >> 11)
}

/// The claim name that stands for an `Idempotency-Key`: `k-` and 32 hex digits of its SHA-256.
///
/// # Errors
/// `invalid_parameter` when it is empty or too long.
pub fn name_of_idempotency_key(value: &[u8]) -> Result<Name, Problem> {
    if value.is_empty() || value.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        let problem = format!("has {} bytes", value.len());
        let allowed = format!("1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
        return Err(Problem::invalid_parameter(
            "Idempotency-Key",
            problem,
            allowed,
        ));
    }
    let digest = Sha256::digest(value);
    let digits: String = digest.iter().take(16).copied().map(hex_pair).collect();
    Ok(Name::new(&format!("k-{digits}")).expect("k- and hex digits are a name"))
}

/// A byte as two hex digits.
pub(crate) fn hex_pair(byte: u8) -> String {
    format!("{byte:02x}")
}

/// Refuses the header `Idempotency-Key` on a request that has another key or needs none.
///
/// # Errors
/// `invalid_parameter` when it is there.
pub fn refuse_idempotency_key(value: Option<&[u8]>) -> Result<(), Problem> {
    match value {
        None => Ok(()),
        Some(_) => Err(Problem::invalid_parameter(
            "Idempotency-Key",
            "has no meaning here",
            "only on the POST of one claim that states no name",
        )),
    }
}

/// Refuses the header `If-Revision` where nothing has a revision that it could be compared with: a
/// caller who sends it counts on it.
///
/// # Errors
/// `invalid_parameter` when it is there.
pub fn refuse_if_revision(is_there: bool) -> Result<(), Problem> {
    if is_there {
        return Err(Problem::invalid_parameter(
            "If-Revision",
            "has no meaning here",
            "only on the edit or DELETE of a pool",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_key_is_its_hash() {
        // printf 'order-17' | sha256sum
        let name = name_of_idempotency_key(b"order-17").unwrap();
        assert_eq!(name.as_str(), "k-72a90ea3da8b5dd01bde2f27314e02e2");
        assert_eq!(
            name_of_idempotency_key(b"").unwrap_err().code,
            "invalid_parameter"
        );
        assert_eq!(
            name_of_idempotency_key(&[b'x'; 256]).unwrap_err().code,
            "invalid_parameter"
        );
    }

    #[test]
    fn revisions_are_plain_whole_numbers() {
        assert_eq!(revision("If-Revision", "17"), Ok(17));
        for bad in [
            "",
            "-1",
            "+1",
            "1.0",
            "0x1",
            "99999999999999999999",
            "\"17\"",
        ] {
            assert_eq!(
                revision("If-Revision", bad).unwrap_err().code,
                "invalid_parameter",
                "{bad}"
            );
        }
    }
}
