//! Commands that are encoded once, where they come in, and stay bytes on their way into the log.

use allocator::command::{Entry, Envelope, Stamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{DecodeError, EncodeError, FORMAT, PREFIX, Record, decode_payload};

/// A command in the form that it has inside of an entry. It travels so from the node that took it in to the
/// leader, and from there into the log.
///
/// One of this program's version decodes: where it was read from a peer's message, that was tried. In the log, one that does not
/// would stop every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct EncodedCommand {
    /// The schema version of the entry that it fits into.
    version: u8,
    bytes: Bytes,
}

/// A command as it stands in a message.
#[derive(Deserialize)]
struct Unchecked {
    version: u8,
    bytes: Bytes,
}

impl TryFrom<Unchecked> for EncodedCommand {
    type Error = DecodeError;

    fn try_from(read: Unchecked) -> Result<Self, DecodeError> {
        let Unchecked { version, bytes } = read;
        let command = Self { version, bytes };
        if command.is_current() {
            decode_payload::<Envelope>(&command.bytes)?;
        }
        Ok(command)
    }
}

impl EncodedCommand {
    /// Encodes a command.
    ///
    /// # Errors
    /// It is larger than an entry may be.
    pub fn encode(envelope: &Envelope) -> Result<Self, EncodeError> {
        let mut bytes = Vec::with_capacity(256);
        append(envelope, &mut bytes)?;
        within::<Entry>(PREFIX + bytes.len())?;
        Ok(Self {
            version: Entry::VERSION,
            bytes: bytes.into(),
        })
    }

    /// Whether it is of the version of which this program's entries are. One from a node of another release
    /// may not be.
    pub fn is_current(&self) -> bool {
        self.version == Entry::VERSION
    }

    /// How many bytes it takes in an entry.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// The bytes of an entry with these commands: those that [`super::encode`] gives for the decoded form.
pub(crate) fn join(stamp: &Stamp, commands: &[EncodedCommand]) -> Result<Vec<u8>, EncodeError> {
    let size: usize = commands.iter().map(EncodedCommand::size).sum();
    within::<Entry>(size)?;
    let mut bytes = Vec::with_capacity(PREFIX + size_of::<Stamp>() + size_of::<u64>() + size);
    bytes.extend_from_slice(&[FORMAT, Entry::VERSION]);
    append(stamp, &mut bytes)?;
    // bincode writes a sequence as its length and its items.
    append(&commands.len(), &mut bytes)?;
    for command in commands {
        bytes.extend_from_slice(&command.bytes);
    }
    within::<Entry>(bytes.len())?;
    Ok(bytes)
}

fn append(value: &impl Serialize, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
    bincode::serde::encode_into_std_write(value, bytes, bincode::config::standard())
        .map(drop)
        .map_err(EncodeError::Encoder)
}

fn within<T: Record>(size: usize) -> Result<(), EncodeError> {
    if size <= T::SIZE_MAX {
        return Ok(());
    }
    Err(EncodeError::TooLarge {
        size,
        max: T::SIZE_MAX,
    })
}

#[cfg(test)]
mod tests {
    use allocator::command::Command;
    use proptest::prelude::*;

    use super::*;
    use crate::codec;

    fn envelope(source: &str, holds_max: u32) -> Envelope {
        Envelope {
            actor: "".into(),
            source: source.into(),
            command: Command::Expire { holds_max },
        }
    }

    proptest! {
        #[test]
        fn an_entry_of_encoded_commands_has_the_bytes_of_one_that_is_encoded_whole(
            commands in proptest::collection::vec((".{0,20}", any::<u32>()), 0..300),
            (clock_term, clock_node, mono_ms) in any::<(u64, u64, u64)>(),
            wall_ms in any::<Option<u64>>(),
        ) {
            let stamp = Stamp { clock_term, clock_node, mono_ms, wall_ms };
            let commands: Vec<Envelope> =
                commands.iter().map(|(source, holds_max)| envelope(source, *holds_max)).collect();
            let encoded: Vec<EncodedCommand> =
                commands.iter().map(|envelope| EncodedCommand::encode(envelope).unwrap()).collect();
            prop_assert!(encoded.iter().all(EncodedCommand::is_current));
            let joined = join(&stamp, &encoded).unwrap();
            prop_assert_eq!(joined, codec::encode(&Entry { stamp, commands }).unwrap());
        }
    }

    #[test]
    fn a_command_that_is_read_decodes_unless_it_is_of_another_version() {
        let read = |version, bytes: &[u8]| {
            let bytes = Bytes::copy_from_slice(bytes);
            EncodedCommand::try_from(Unchecked { version, bytes })
        };
        let whole = EncodedCommand::encode(&envelope("here", 7)).unwrap();
        let current = Entry::VERSION;
        assert_eq!(read(current, &whole.bytes).unwrap(), whole);
        let (short, longer) = (&whole.bytes[1..], [&whole.bytes[..], &[0]].concat());
        for (name, bytes) in [("cut", short), ("longer", &longer), ("empty", &[])] {
            assert!(read(current, bytes).is_err(), "{name}");
            assert!(!read(current + 1, bytes).unwrap().is_current(), "{name}");
        }
    }

    #[test]
    fn what_is_larger_than_an_entry_is_refused_with_its_size() {
        let half = envelope(&"x".repeat(Entry::SIZE_MAX / 2), 1);
        let half = EncodedCommand::encode(&half).unwrap();
        assert!(join(&Stamp::default(), std::slice::from_ref(&half)).is_ok());
        let both = join(&Stamp::default(), &[half.clone(), half]);
        assert!(
            matches!(both, Err(EncodeError::TooLarge { size, max }) if size > max),
            "{both:?}"
        );
        let whole = EncodedCommand::encode(&envelope(&"x".repeat(Entry::SIZE_MAX), 1));
        assert!(
            matches!(whole, Err(EncodeError::TooLarge { .. })),
            "{whole:?}"
        );
    }
}
