//! Labels in two allocations, whatever their number.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::name::Labels;

/// Labels as one text: key, value, key, value, in order of the keys, with the end of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackedLabels {
    text: Box<str>,
    ends: Box<[u32]>,
}

impl PackedLabels {
    pub(crate) fn new(labels: &Labels) -> Self {
        let mut text = String::with_capacity(
            labels
                .iter()
                .map(|(key, value)| key.len().saturating_add(value.len()))
                .sum(),
        );
        let mut ends = Vec::with_capacity(labels.len().saturating_mul(2));
        for part in labels.iter().flat_map(|(key, value)| [key, value]) {
            text.push_str(part);
            ends.push(u32::try_from(text.len()).expect("a command is far below 4 GiB"));
        }
        Self {
            text: text.into_boxed_str(),
            ends: ends.into_boxed_slice(),
        }
    }

    pub(crate) fn to_labels(&self) -> Labels {
        self.iter()
            .map(|(key, value)| (Box::from(key), Box::from(value)))
            .collect()
    }

    /// The value of a label.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.iter()
            .find(|(there, _)| *there == key)
            .map(|(_, value)| value)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0_usize;
        self.ends.chunks_exact(2).filter_map(move |ends| {
            let [key_end, value_end] = ends else {
                return None;
            };
            let (key_end, value_end) = (
                usize::try_from(*key_end).ok()?,
                usize::try_from(*value_end).ok()?,
            );
            let pair = (
                self.text.get(start..key_end)?,
                self.text.get(key_end..value_end)?,
            );
            start = value_end;
            Some(pair)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_labels_are_the_same_labels() {
        for pairs in [
            &[][..],
            &[("a", "")][..],
            &[("app", "web"), ("b", "ü"), ("zone", "eu-1")][..],
        ] {
            let labels: Labels = pairs
                .iter()
                .map(|(key, value)| (Box::from(*key), Box::from(*value)))
                .collect();
            let packed = PackedLabels::new(&labels);
            assert_eq!(packed.to_labels(), labels);
            for (key, value) in pairs {
                assert_eq!(packed.get(key), Some(*value));
            }
            assert_eq!(packed.get("absent"), None);
        }
    }
}
