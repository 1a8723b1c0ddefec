//! A [`Tree`] as a deserializer whose errors are a path, what is wrong there and what is allowed.

use std::fmt;

use allocator::answer::FieldProblem;
use serde::de::value::StringDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::tree::Tree;
use crate::requests::check::shown;

/// What is wrong with one field.
#[derive(Debug)]
pub(crate) struct Fault {
    /// From the innermost step outwards, since it is built on the way up.
    path: Vec<Step>,
    problem: String,
    allowed: String,
}

#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
}

impl Fault {
    fn new(problem: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            problem: problem.into(),
            allowed: allowed.into(),
        }
    }

    /// The fault of a part of a document that stands at `place`.
    pub(super) fn at(self, place: &str) -> FieldProblem {
        let place = Step::Key(place.to_owned());
        self.below(place).into()
    }

    fn below(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }
}

impl From<Fault> for FieldProblem {
    fn from(fault: Fault) -> Self {
        let mut field = String::new();
        for step in fault.path.iter().rev() {
            match step {
                Step::Key(key) if field.is_empty() => field.push_str(key),
                Step::Key(key) => {
                    field.push('.');
                    field.push_str(key);
                }
                Step::Index(index) => field = format!("{field}[{index}]"),
            }
        }
        if field.is_empty() {
            field.push_str("body");
        }
        Self {
            field,
            problem: fault.problem,
            allowed: fault.allowed,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; allowed: {}", self.problem, self.allowed)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    /// A type whose own parser refused: its message says what is allowed.
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new("is not valid", message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("is {}", word(&unexpected)), expected.to_string())
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("is {}", word(&unexpected)), expected.to_string())
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("is the string {}", shown(variant)), list(expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new("is not a field", list(expected)).below(Step::Key(shown_key(field)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("is missing", "a value: the field is required").below(Step::Key(field.to_owned()))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("is stated twice", "each field once").below(Step::Key(field.to_owned()))
    }
}

/// A key as part of a path, cut where it is absurdly long.
fn shown_key(key: &str) -> String {
    match key.char_indices().nth(64) {
        None => key.to_owned(),
        Some((end, _)) => format!("{}…", &key[..end]),
    }
}

fn list(allowed: &[&str]) -> String {
    allowed.join(", ")
}

fn word(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(text) => format!("the string {}", shown(text)),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        other => other.to_string(),
    }
}

impl Tree {
    /// Without the fields that are `null`: a client whose language writes its empty values so means
    /// that they are absent. One that is not a field, or is stated twice, stays to be refused.
    fn without_nulls(self, fields: &[&str]) -> Self {
        let Self::Object(mut pairs) = self else {
            return self;
        };
        let field_of = |key: &str| fields.iter().position(|field| *field == key);
        let mut stated = vec![0_usize; fields.len()];
        for place in pairs.iter().filter_map(|(key, _)| field_of(key)) {
            stated[place] += 1;
        }
        pairs.retain(|(key, value)| {
            let is_absent = |place: usize| *value == Self::Null && stated[place] == 1;
            !field_of(key).is_some_and(is_absent)
        });
        Self::Object(pairs)
    }

    fn refuse<T>(&self, allowed: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::new(self.description(), allowed))
    }
}

/// Whole numbers in the bounds of their type; a fraction is refused even where it is zero.
macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let value = match &self {
                Tree::Number(number) => number.as_u64().and_then(|value| <$type>::try_from(value).ok()),
                _ => None,
            };
            match value {
                Some(value) => visitor.$visit(value),
                None => self.refuse(format!("a whole number from 0 to {}", <$type>::MAX)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Tree {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (None, Some(value), _) => visitor.visit_i64(value),
                (None, None, value) => visitor.visit_f64(value.unwrap_or(f64::INFINITY)),
            },
            Self::Text(text) => visitor.visit_string(text),
            Self::List(items) => visitor.visit_seq(Items {
                items: items.into_iter(),
                index: 0,
            }),
            Self::Object(pairs) => visitor.visit_map(Pairs {
                pairs: pairs.into_iter(),
                value: None,
            }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::Null => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    whole_numbers! {
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::Bool(value) => visitor.visit_bool(value),
            other => other.refuse("true or false"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::Text(text) => visitor.visit_string(text),
            other => other.refuse("a string"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::List(_) => self.deserialize_any(visitor),
            other => other.refuse("an array"),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::Object(_) => self.deserialize_any(visitor),
            other => other.refuse("an object"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.without_nulls(fields).deserialize_map(visitor)
    }

    /// Enums of the contract are plain words.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Self::Text(text) => {
                visitor.visit_enum(IntoDeserializer::<Fault>::into_deserializer(text))
            }
            other => other.refuse(list(variants)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

struct Items {
    items: std::vec::IntoIter<Tree>,
    index: usize,
}

impl<'de> de::SeqAccess<'de> for Items {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let index = self.index;
        self.index = index.saturating_add(1);
        seed.deserialize(item)
            .map(Some)
            .map_err(|fault| fault.below(Step::Index(index)))
    }
}

struct Pairs {
    pairs: std::vec::IntoIter<(String, Tree)>,
    value: Option<(String, Tree)>,
}

impl<'de> de::MapAccess<'de> for Pairs {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.pairs.next() else {
            return Ok(None);
        };
        let step = key.clone();
        self.value = Some((step, value));
        seed.deserialize(StringDeserializer::<Fault>::new(key))
            .map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let (key, value) = self
            .value
            .take()
            .expect("serde asks for a value only after its key");
        seed.deserialize(value)
            .map_err(|fault| fault.below(Step::Key(shown_key(&key))))
    }
}
