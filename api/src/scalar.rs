//! Values that stand in JSON as one string: blocks, times, exact sizes, ratios.
//!
//! 1. Each is written in exactly one way, and what is written is read back as the same value.
//! 2. Sizes of address space are decimal strings, exact to 2^128; no float ever carries one.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use allocator::command::Strategy;
use allocator::count::Count;
use allocator::life::ReclaimPolicy;
use allocator::prefix::{Family, Prefix};
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A block, `10.0.1.0/24` or `2001:db8::1/128`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(pub Prefix);

/// A time for people, in milliseconds since the Unix epoch: `2026-03-01T12:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// An exact number of addresses or blocks, as a decimal string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(pub Count);

/// A ratio in ten-thousandths, rounded down, as a decimal string of 4 digits: `0.2500`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio(pub u32);

/// 128 bits as 32 hex digits: a cluster id or a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex128(pub u128);

/// The text is not of that form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidScalar(&'static str);

impl fmt::Display for InvalidScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidScalar {}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Cidr {
    type Err = InvalidScalar;

    fn from_str(text: &str) -> Result<Self, InvalidScalar> {
        text.parse()
            .map(Self)
            .map_err(|_| InvalidScalar("a canonical CIDR such as 10.0.1.0/24"))
    }
}

/// The last millisecond that RFC 3339 can write: the end of the year 9999.
const TIME_MS_MAX: u64 = 253_402_207_200_000;

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0.min(TIME_MS_MAX)).map_err(|_| fmt::Error)?;
        let timestamp = Timestamp::from_millisecond(ms).map_err(|_| fmt::Error)?;
        write!(f, "{timestamp:.3}")
    }
}

impl FromStr for Time {
    type Err = InvalidScalar;

    fn from_str(text: &str) -> Result<Self, InvalidScalar> {
        let timestamp = Timestamp::from_str(text).map_err(|_| InvalidScalar(TIME_ALLOWED))?;
        u64::try_from(timestamp.as_millisecond())
            .map(Self)
            .map_err(|_| InvalidScalar(TIME_ALLOWED))
    }
}

const TIME_ALLOWED: &str = "a time of RFC 3339 such as 2026-03-01T12:00:00.000Z";

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Decimal {
    type Err = InvalidScalar;

    fn from_str(text: &str) -> Result<Self, InvalidScalar> {
        if text == Count::MAX.to_string() {
            return Ok(Self(Count::MAX));
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(value) if plain => Ok(Self(Count::new(value))),
            _ => Err(InvalidScalar(
                "a whole number from 0 to 2^128 as a decimal string",
            )),
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.0 / 10_000, self.0 % 10_000)
    }
}

impl FromStr for Ratio {
    type Err = InvalidScalar;

    fn from_str(text: &str) -> Result<Self, InvalidScalar> {
        const ALLOWED: InvalidScalar = InvalidScalar("a ratio with 4 digits such as 0.2500");
        let (whole, part) = text.split_once('.').ok_or(ALLOWED)?;
        let plain = part.len() == 4
            && whole
                .bytes()
                .chain(part.bytes())
                .all(|byte| byte.is_ascii_digit());
        let whole: u32 = whole.parse().map_err(|_| ALLOWED)?;
        let part: u32 = part.parse().map_err(|_| ALLOWED)?;
        match whole
            .checked_mul(10_000)
            .and_then(|whole| whole.checked_add(part))
        {
            Some(value) if plain => Ok(Self(value)),
            _ => Err(ALLOWED),
        }
    }
}

impl fmt::Display for Hex128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Hex128 {
    type Err = InvalidScalar;

    fn from_str(text: &str) -> Result<Self, InvalidScalar> {
        const ALLOWED: InvalidScalar = InvalidScalar("32 hex digits");
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ALLOWED);
        }
        u128::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| ALLOWED)
    }
}

/// Room for what most of them are written as.
const TEXT_BYTES: usize = 48;

macro_rules! as_string {
    ($($type:ident $format:literal $doc:literal $example:literal;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                // Whole, in place of piece by piece, each of which would be looked through for what to escape.
                let mut text = String::with_capacity(TEXT_BYTES);
                write!(text, "{self}").map_err(S::Error::custom)?;
                serializer.serialize_str(&text)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }

        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                string_schema($format, $doc, $example).into()
            }
        }

        impl ToSchema for $type {}
    )*};
}

as_string! {
    Cidr "cidr" "A block in canonical form; an address is a /32 or /128 block." "10.0.1.0/24";
    Time "date-time" "A time of RFC 3339, in UTC, with milliseconds." "2026-03-01T12:00:00.000Z";
    Decimal "decimal" "A whole number from 0 to 2^128 as a decimal string." "4096";
    Ratio "ratio" "A ratio rounded down to 4 digits, as a decimal string." "0.2500";
    Hex128 "hex" "128 bits as 32 hex digits." "9f86d081884c7d659a2feaa0c55ad015";
}

fn string_schema(format: &str, doc: &str, example: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .format(Some(utoipa::openapi::SchemaFormat::Custom(
            format.to_owned(),
        )))
        .description(Some(doc))
        .examples([serde_json::Value::from(example)])
        .build()
}

/// Schema of [`Family`], which the allocator owns.
pub(crate) fn family_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .enum_values(Some([Family::IPv4.to_string(), Family::IPv6.to_string()]))
        .build()
}

/// Schema of [`ReclaimPolicy`], which the allocator owns.
pub(crate) fn reclaim_policy_schema() -> Object {
    let words = [ReclaimPolicy::Delete, ReclaimPolicy::Retain].map(|word| format!("{word:?}"));
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .enum_values(Some(words))
        .build()
}

/// Schema of [`Strategy`], which the allocator owns.
pub(crate) fn strategy_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .enum_values(Some(Strategy::ALL.map(|strategy| strategy.to_string())))
        .default(Some(Strategy::default().to_string().into()))
        .build()
}

/// Schema of a name.
pub(crate) fn name_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .min_length(Some(1))
        .max_length(Some(allocator::name::NAME_BYTES_MAX))
        .pattern(Some("^[A-Za-z0-9][A-Za-z0-9._:~-]*$"))
        .build()
}

/// A figure as a JSON number, of which 2^64−1 is the largest that is written.
pub(crate) fn saturated(figure: u128) -> u64 {
    u64::try_from(figure).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: FromStr + fmt::Display>(text: &str) -> String {
        match text.parse::<T>() {
            Ok(value) => value.to_string(),
            Err(_) => "refused".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2026-03-01T12:00:00.007Z",
            "9999-12-30T22:00:00.000Z",
        ] {
            assert_eq!(round_trip::<Time>(text), text);
        }
        for text in [
            "0",
            "4096",
            "340282366920938463463374607431768211455",
            "340282366920938463463374607431768211456",
        ] {
            assert_eq!(round_trip::<Decimal>(text), text);
        }
        for text in ["0.0000", "0.0001", "0.2500", "1.0000"] {
            assert_eq!(round_trip::<Ratio>(text), text);
        }
        for text in ["10.0.0.0/8", "2001:db8::1/128", "::/0"] {
            assert_eq!(round_trip::<Cidr>(text), text);
        }
        assert_eq!(
            round_trip::<Hex128>(&Hex128(7).to_string()),
            "00000000000000000000000000000007"
        );
    }

    #[test]
    fn another_form_is_refused() {
        for text in ["", "yesterday", "1969-12-31T23:59:59.999Z"] {
            assert_eq!(round_trip::<Time>(text), "refused", "{text}");
        }
        for text in [
            "",
            "-1",
            "+1",
            "1e3",
            "340282366920938463463374607431768211457",
        ] {
            assert_eq!(round_trip::<Decimal>(text), "refused", "{text}");
        }
        for text in ["1", "0.25", "0.25000", "-0.2500", "0.+250"] {
            assert_eq!(round_trip::<Ratio>(text), "refused", "{text}");
        }
        assert_eq!(round_trip::<Cidr>("10.0.0.1/8"), "refused");
        assert_eq!(round_trip::<Hex128>("7"), "refused");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_shown_as_its_end() {
        assert_eq!(Time(u64::MAX).to_string(), "9999-12-30T22:00:00.000Z");
    }
}
