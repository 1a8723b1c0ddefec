//! The digest of the state: a sum of keyed hashes, one for each record.
//!
//! A record's part is SipHash-1-3-128 under a fixed key over (table, index, record) in the canonical
//! form that [`Canonical`] writes: little-endian numbers of their full width, lengths as 64 bits,
//! variants as 32 bits. It depends on neither the platform nor the layout in memory, nor on the codec
//! of the log or the disk. The parts are added modulo 2^128, so that the digest moves with each
//! change of a record at the cost of that record, and the order of changes does not matter.

use alloc::vec::Vec;
use core::fmt;

use serde::ser::{self, Serialize};
use siphasher::sip128::SipHasher13;

/// The key is arbitrary and fixed: a change of it is a change of format.
const KEY: (u64, u64) = (0x6970_616d_642d_6469, 0x6765_7374_2d31_2e30);

/// Hashes records, with a buffer that is used again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Digester {
    buffer: Vec<u8>,
}

impl Digester {
    /// The part of a record in the digest.
    pub(crate) fn record<T: Serialize>(&mut self, table: u8, index: u64, record: &T) -> u128 {
        self.buffer.clear();
        self.buffer.push(table);
        self.buffer.extend_from_slice(&index.to_le_bytes());
        record
            .serialize(&mut Canonical {
                out: &mut self.buffer,
            })
            .expect("records have no floats and say how long they are");
        let hash = SipHasher13::new_with_keys(KEY.0, KEY.1).hash(&self.buffer);
        u128::from(hash.h1) << 64_u32 | u128::from(hash.h2)
    }
}

/// The canonical form.
struct Canonical<'b> {
    out: &'b mut Vec<u8>,
}

impl Canonical<'_> {
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.out.extend_from_slice(&bytes);
    }

    fn put_length(&mut self, length: usize) {
        let length = u64::try_from(length).expect("a length fits 64 bits");
        self.put(length.to_le_bytes());
    }
}

/// The value has no canonical form.
#[derive(Debug)]
struct NotCanonical;

impl fmt::Display for NotCanonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("floats and sequences of unknown length have no canonical form")
    }
}

impl core::error::Error for NotCanonical {}

impl ser::Error for NotCanonical {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! numbers {
    ($($method:ident: $number:ty),* $(,)?) => {
        $(#[inline]
        fn $method(self, value: $number) -> Result<(), NotCanonical> {
            self.put(value.to_le_bytes());
            Ok(())
        })*
    };
}

impl ser::Serializer for &mut Canonical<'_> {
    type Ok = ();
    type Error = NotCanonical;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), NotCanonical> {
        self.put([u8::from(value)]);
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Result<(), NotCanonical> {
        Err(NotCanonical)
    }

    fn serialize_f64(self, _: f64) -> Result<(), NotCanonical> {
        Err(NotCanonical)
    }

    fn serialize_char(self, value: char) -> Result<(), NotCanonical> {
        self.serialize_u32(u32::from(value))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), NotCanonical> {
        self.serialize_bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<(), NotCanonical> {
        self.put_length(value.len());
        self.out.extend_from_slice(value);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), NotCanonical> {
        self.serialize_bool(false)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotCanonical> {
        self.put([1]);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotCanonical> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotCanonical> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), NotCanonical> {
        self.serialize_u32(index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotCanonical> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotCanonical> {
        self.put(index.to_le_bytes());
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Self, NotCanonical> {
        self.put_length(length.ok_or(NotCanonical)?);
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, NotCanonical> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotCanonical> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, NotCanonical> {
        self.put(index.to_le_bytes());
        Ok(self)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, NotCanonical> {
        self.serialize_seq(length)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NotCanonical> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, NotCanonical> {
        self.put(index.to_le_bytes());
        Ok(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! parts {
    ($($which:ident::$method:ident($($key:ident: $kind:ty)?)),* $(,)?) => {
        $(impl ser::$which for &mut Canonical<'_> {
            type Ok = ();
            type Error = NotCanonical;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($key: $kind,)? value: &T) -> Result<(), NotCanonical> {
                value.serialize(&mut **self)
            }

            #[inline]
            fn end(self) -> Result<(), NotCanonical> {
                Ok(())
            }
        })*
    };
}

parts! {
    SerializeSeq::serialize_element(),
    SerializeTuple::serialize_element(),
    SerializeTupleStruct::serialize_field(),
    SerializeTupleVariant::serialize_field(),
    SerializeStruct::serialize_field(_key: &'static str),
    SerializeStructVariant::serialize_field(_key: &'static str),
}

impl ser::SerializeMap for &mut Canonical<'_> {
    type Ok = ();
    type Error = NotCanonical;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotCanonical> {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotCanonical> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), NotCanonical> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_record_is_the_same_on_every_platform() {
        let record = (7_u8, Some("ab"), [1_u32, 2].as_slice(), None::<bool>);
        let mut digester = Digester::default();
        let one = digester.record(3, 9, &record);
        assert_eq!(
            digester.buffer,
            [
                &[3_u8][..],
                &9_u64.to_le_bytes(),
                &[7, 1],
                &2_u64.to_le_bytes(),
                b"ab",
                &2_u64.to_le_bytes(),
                &1_u32.to_le_bytes(),
                &2_u32.to_le_bytes(),
                &[0],
            ]
            .concat()
        );
        assert_eq!(one, 0x2a80_b426_c405_5034_d17b_1f1f_04e8_1f6c);
        assert_ne!(one, digester.record(3, 10, &record));
        assert_ne!(one, digester.record(4, 9, &record));
    }
}
