//! What clients were told, and whether the cluster stands by it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};

use crate::tenant::Held;

/// The clients' side of the story.
#[derive(Debug, Default, Clone)]
pub struct Ledger {
    /// Claims that were acknowledged and whose release was not asked for.
    pub held: BTreeMap<String, Held>,
    /// Names with a request whose outcome nobody was told.
    pub unknown: BTreeSet<String>,
}

impl Ledger {
    /// Judges a list of all claims, read over HTTP: no block twice, every acknowledged claim there with its block and
    /// generation, nothing there that nobody asked for.
    pub fn judge(&self, listed: &BTreeMap<String, Held>) -> Result<()> {
        let mut holder_of = BTreeMap::new();
        for (name, held) in listed {
            if let Some(other) = holder_of.insert(&held.block, name) {
                bail!("{} is held by {other} and by {name}", held.block);
            }
            ensure!(
                self.held.contains_key(name) || self.unknown.contains(name),
                "{name} holds {} though it was never acknowledged, or was released",
                held.block
            );
        }
        for (name, held) in &self.held {
            if self.unknown.contains(name) {
                continue;
            }
            match listed.get(name) {
                None => bail!("lost: {name} was told that it holds {}", held.block),
                Some(now) => ensure!(
                    now == held,
                    "{name} was told {held:?}, the list says {now:?}"
                ),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(block: &str) -> Held {
        Held {
            block: block.to_owned(),
            generation: 1,
        }
    }

    fn list(rows: &[(&str, &str)]) -> BTreeMap<String, Held> {
        rows.iter()
            .map(|(name, block)| ((*name).to_owned(), held(block)))
            .collect()
    }

    #[test]
    fn a_list_is_judged_by_what_clients_were_told() {
        let ledger = Ledger {
            held: list(&[("a", "10.0.0.0/32"), ("b", "10.0.0.1/32")]),
            unknown: BTreeSet::from(["c".to_owned()]),
        };
        let both = [("a", "10.0.0.0/32"), ("b", "10.0.0.1/32")];
        let with = |row| list(&[both[0], both[1], row]);
        for (listed, refused) in [
            (list(&both), None),
            (with(("c", "10.0.0.2/32")), None),
            (list(&both[..1]), Some("lost: b")),
            (
                list(&[both[0], ("b", "10.0.0.9/32")]),
                Some("the list says"),
            ),
            (with(("c", "10.0.0.0/32")), Some("by a and by c")),
            (with(("d", "10.0.0.3/32")), Some("never acknowledged")),
        ] {
            let judged = ledger.judge(&listed).map_err(|error| error.to_string());
            match refused {
                None => assert_eq!(judged, Ok(()), "{listed:?}"),
                Some(part) => assert!(
                    judged.as_ref().is_err_and(|error| error.contains(part)),
                    "{listed:?}: {judged:?}"
                ),
            }
        }
    }
}
