//! JSON rows as they come: objects one after the other, an array, or a list with `items` as kubectl prints
//! it, each with the line on which it begins. No more than one row is held.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Calls `each` with the line and the object of every row, until it says that this is enough.
pub(super) fn rows(
    source: impl Read,
    mut each: impl FnMut(u64, Value) -> bool,
) -> Result<(), serde_json::Error> {
    let line = Rc::new(Cell::new(1));
    let counted = Lines {
        source,
        line: line.clone(),
    };
    let mut stream = Rows {
        line,
        each: &mut each,
        over: false,
    };
    let mut json = serde_json::Deserializer::from_reader(counted);
    loop {
        match json.end() {
            Ok(()) => return Ok(()),
            // There is a further text.
            Err(error) if error.is_syntax() => match (&mut stream).deserialize(&mut json) {
                Err(_) if stream.over => return Ok(()),
                outcome => outcome?,
            },
            Err(error) => return Err(error),
        }
    }
}

/// Counts the lines of what is read. It hands out one byte at a time, as `serde_json` reads, so that it is
/// never more than one byte ahead.
struct Lines<R> {
    source: R,
    line: Rc<Cell<u64>>,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(one) = buffer.get_mut(..1) else {
            return Ok(0);
        };
        let count = self.source.read(one)?;
        if count == 1 && one == b"\n" {
            self.line.set(self.line.get() + 1);
        }
        Ok(count)
    }
}

struct Rows<'a, F> {
    line: Rc<Cell<u64>>,
    each: &'a mut F,
    over: bool,
}

impl<F: FnMut(u64, Value) -> bool> Rows<'_, F> {
    fn row<E: Error>(&mut self, line: u64, row: Value) -> Result<(), E> {
        if (self.each)(line, row) {
            return Ok(());
        }
        self.over = true;
        Err(E::custom("nobody wants more"))
    }
}

impl<'de, F: FnMut(u64, Value) -> bool> DeserializeSeed<'de> for &mut Rows<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(u64, Value) -> bool> Visitor<'de> for &mut Rows<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, an array of objects, or a list with items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        // Each is an object of its own, or a list again.
        while access.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let (line, mut fields, mut is_list) = (self.line.get(), Map::new(), false);
        while let Some(key) = access.next_key::<String>()? {
            match key.as_str() {
                "items" => {
                    access.next_value_seed(&mut *self)?;
                    is_list = true;
                }
                _ if is_list => drop(access.next_value::<IgnoredAny>()?),
                _ if fields.contains_key(&key) => {
                    return Err(A::Error::custom(format_args!("{key:?} stands twice")));
                }
                _ => drop(fields.insert(key, access.next_value()?)),
            }
        }
        if is_list {
            return Ok(());
        }
        self.row(line, fields.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        rows(text.as_bytes(), |line, row| {
            found.push(format!("{line} {row}"));
            true
        })
        .map_err(|error| error.to_string())?;
        Ok(found)
    }

    #[test]
    fn rows_stand_alone_in_arrays_and_in_lists() {
        let two = vec![r#"1 {"a":1}"#, r#"2 {"a":2}"#];
        for text in [
            "{\"a\":1}\n{\"a\":2}\n",
            "[{\"a\":1},\n{\"a\":2}]",
            "{\"kind\":\"List\",\"items\":[{\"a\":1},\n{\"a\":2}],\"metadata\":{\"x\":[1]}}\n\n",
        ] {
            assert_eq!(read(text).unwrap(), two, "{text}");
        }
        assert_eq!(read(" \n").unwrap(), Vec::<String>::new());
        assert_eq!(read("\n\n{\n\"a\":\n1}").unwrap(), [r#"3 {"a":1}"#]);
    }

    #[test]
    fn what_is_no_row_is_an_error_with_its_line() {
        for (text, place) in [
            ("{\"a\":1}\n{\"a\":", "line 2"),
            ("{\"a\":1}\n7", "line 2"),
            ("[\"a\"]", "line 1"),
            ("{\"a\":1,\"a\":2}", "stands twice"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(place), "{text}: {error}");
        }
    }

    #[test]
    fn nobody_who_has_enough_is_sent_more() {
        let mut count = 0;
        let endless = io::repeat(b' ').take(3).chain("[{},{},{}]".as_bytes());
        let outcome = rows(endless, |_, _| {
            count += 1;
            count < 2
        });
        assert!(outcome.is_ok());
        assert_eq!(count, 2);
    }
}
