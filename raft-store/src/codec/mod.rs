//! Bytes that last or travel: `format byte | schema version | payload`.
//!
//! This module is the only one that names bincode. What it writes are structs of this project,
//! never openraft's, so that a library's next version does not change our disks.
//!
//! Invariants:
//! 1. A record that was written is never edited: a change is a new schema version with its own
//!    struct and a conversion from the older one.
//! 2. Decoding is bounded by [`Record::SIZE_MAX`] before anything is allocated, and what is left
//!    over after a record is an error.
//! 3. Bytes that do not decode are an error of the disk or the peer, never a panic.

mod commands;
mod records;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

pub use self::commands::EncodedCommand;
pub(crate) use self::commands::join;
pub use self::records::{
    EntryRecord, LogIdRecord, MemberRecord, MembershipRecord, PayloadRecord, SnapshotMetaRecord,
    StoredMembershipRecord, VoteRecord,
};

/// The encoding of the payload: bincode 2 in its standard configuration.
pub const FORMAT: u8 = 1;

/// Bytes before the payload.
const PREFIX: usize = 2;

/// Most memory that the collections of one record may claim while it is decoded.
const CLAIM_MAX: usize = 64 << 20;

/// A top-level document with a schema version.
pub trait Record: Serialize + DeserializeOwned {
    /// The version that is written, and the newest that can be read.
    const VERSION: u8;
    /// Most bytes of its encoded form, prefix included.
    const SIZE_MAX: usize;
}

/// Why something could not be encoded.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// It is larger than its kind may be.
    #[error("the record takes {size} bytes; at most {max} are allowed")]
    TooLarge {
        /// Its encoded size.
        size: usize,
        /// The bound.
        max: usize,
    },
    /// The encoder refused it.
    #[error("the record cannot be encoded")]
    Encoder(#[source] bincode::error::EncodeError),
}

/// Why bytes could not be decoded.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// There are fewer bytes than a prefix takes.
    #[error("the record is cut short")]
    Short,
    /// The encoding is not one that this program knows.
    #[error("the record's format is {found}; this program knows {FORMAT}")]
    Format {
        /// The format byte.
        found: u8,
    },
    /// The schema is newer than this program.
    #[error("the record's schema version is {found}; this program knows up to {known}")]
    Version {
        /// The version byte.
        found: u8,
        /// The newest known.
        known: u8,
    },
    /// There are more bytes than such a record may have.
    #[error("the record takes {size} bytes; at most {max} are allowed")]
    TooLarge {
        /// How many there are.
        size: usize,
        /// The bound.
        max: usize,
    },
    /// Something follows the record.
    #[error("{left} bytes are left over after the record")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// The payload is not what its version says.
    #[error("the record's contents are damaged")]
    Decoder(#[source] bincode::error::DecodeError),
}

/// Encodes a record.
///
/// # Errors
/// It is larger than [`Record::SIZE_MAX`].
pub fn encode<T: Record>(record: &T) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    encode_into(record, &mut bytes)?;
    Ok(bytes)
}

/// Appends an encoded record to `bytes`, which is left as it was on an error.
///
/// # Errors
/// It is larger than [`Record::SIZE_MAX`].
pub fn encode_into<T: Record>(record: &T, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = bytes.len();
    bytes.extend_from_slice(&[FORMAT, T::VERSION]);
    let result = bincode::serde::encode_into_std_write(record, bytes, bincode::config::standard());
    let size = bytes.len() - start;
    let error = match result {
        Err(error) => EncodeError::Encoder(error),
        Ok(_) if size > T::SIZE_MAX => EncodeError::TooLarge {
            size,
            max: T::SIZE_MAX,
        },
        Ok(_) => return Ok(()),
    };
    bytes.truncate(start);
    Err(error)
}

/// Decodes a record that takes all of `bytes`.
///
/// # Errors
/// Of another format or version, too large, damaged, or with bytes left over.
pub fn decode<T: Record>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (prefix, payload) = bytes.split_at_checked(PREFIX).ok_or(DecodeError::Short)?;
    if prefix[0] != FORMAT {
        return Err(DecodeError::Format { found: prefix[0] });
    }
    if prefix[1] == 0 || prefix[1] > T::VERSION {
        return Err(DecodeError::Version {
            found: prefix[1],
            known: T::VERSION,
        });
    }
    if bytes.len() > T::SIZE_MAX {
        return Err(DecodeError::TooLarge {
            size: bytes.len(),
            max: T::SIZE_MAX,
        });
    }
    decode_payload(payload)
}

/// Decodes what takes all of `payload`, whose size the caller has bounded.
fn decode_payload<T: DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
    let config = bincode::config::standard().with_limit::<CLAIM_MAX>();
    let (decoded, read) =
        bincode::serde::decode_from_slice(payload, config).map_err(DecodeError::Decoder)?;
    if read == payload.len() {
        Ok(decoded)
    } else {
        Err(DecodeError::Trailing {
            left: payload.len() - read,
        })
    }
}
