//! Names, owners and labels: the strings that a user chooses.
//!
//! Parsed once at the edge; a value of these types is within its bounds everywhere else. Names and
//! owners are shared: a clone is a reference, so that a record, its index, its events and the views
//! made of it have one copy of the text between them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name of a tenant, space, pool or claim: 1 to 253 bytes of `A-Z a-z 0-9 . _ : ~ -`, the first
/// one alphanumeric.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 253;
/// What a name may be, for messages.
pub const NAME_ALLOWED: &str =
    "1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric";

impl Name {
    /// Parses a name.
    ///
    /// # Errors
    /// [`InvalidName`] when it is empty, too long, or has another character than allowed.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let mut bytes = text.bytes();
        let first_fits = bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric());
        let rest_fits = bytes.all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'~' | b'-')
        });
        if first_fits && rest_fits && text.len() <= NAME_BYTES_MAX {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidName)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<Box<str>> for Name {
    type Error = InvalidName;

    fn try_from(text: Box<str>) -> Result<Self, InvalidName> {
        Self::new(&text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The text is not a [`Name`]; [`NAME_ALLOWED`] says what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidName;

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a name: {NAME_ALLOWED}")
    }
}

/// The opaque key of a holder, `/`-separated, the widest part first: 1 to 1,024 bytes of printable
/// ASCII without spaces, no empty segment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(Arc<str>);

/// Longest owner key, in bytes.
pub const OWNER_BYTES_MAX: usize = 1_024;
/// What an owner key may be, for messages.
pub const OWNER_ALLOWED: &str = "1 to 1024 bytes of printable ASCII without spaces, in segments divided by '/', none of them empty";

impl Owner {
    /// Parses an owner key.
    ///
    /// # Errors
    /// [`InvalidOwner`] when it is empty, too long, has an empty segment or another character.
    pub fn new(text: &str) -> Result<Self, InvalidOwner> {
        let fits = text.len() <= OWNER_BYTES_MAX
            && text.split('/').all(|segment| !segment.is_empty())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidOwner)
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its segments are the first ones of `other`, or all of them: `node-1` covers `node-1/eth0`, and
    /// never `node-10/eth0`.
    pub fn covers(&self, other: &Self) -> bool {
        other
            .0
            .strip_prefix(&*self.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl TryFrom<Box<str>> for Owner {
    type Error = InvalidOwner;

    fn try_from(text: Box<str>) -> Result<Self, InvalidOwner> {
        Self::new(&text)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The text is not an [`Owner`]; [`OWNER_ALLOWED`] says what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidOwner;

impl fmt::Display for InvalidOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an owner: {OWNER_ALLOWED}")
    }
}

/// Reads a text without a copy of its own, and parses it.
struct TextVisitor<T> {
    parse: fn(&str) -> Option<T>,
    allowed: &'static str,
}

impl<T> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allowed)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::custom(self.allowed))
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = TextVisitor {
            parse: |text| Self::new(text).ok(),
            allowed: NAME_ALLOWED,
        };
        deserializer.deserialize_str(visitor)
    }
}

impl Serialize for Owner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = TextVisitor {
            parse: |text| Self::new(text).ok(),
            allowed: OWNER_ALLOWED,
        };
        deserializer.deserialize_str(visitor)
    }
}

/// Labels or annotations: at most [`LABELS_MAX`], keys of at most [`LABEL_KEY_BYTES_MAX`] bytes,
/// values of at most [`LABEL_VALUE_BYTES_MAX`]. The bounds are checked where a document is parsed.
pub type Labels = BTreeMap<Box<str>, Box<str>>;

/// Most labels (and most annotations) of one object.
pub const LABELS_MAX: usize = 64;
/// Longest label key, in bytes; the shortest is one byte.
pub const LABEL_KEY_BYTES_MAX: usize = 63;
/// Longest label value, in bytes; it may be empty.
pub const LABEL_VALUE_BYTES_MAX: usize = 255;
/// Longest description, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 1_024;
