//! host-local: a node's directory (`/var/lib/cni/networks`), or that of one network: a file for each address,
//! with the container's id and the interface in it.
//!
//! The claims are named and owned as the CNI plugin names and owns them, so that it finds the addresses of
//! containers that were there before it: `cni.` and 40 hex digits of SHA-256 over network, node, container,
//! interface and the number of the address among those of the interface, divided by NUL.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allocator::prefix::{Address, Prefix};
use sha2::{Digest, Sha256};

use super::{claim, owner};
use crate::failure::Failure;
use crate::transfer::rows::{Said, unreadable};

/// What holds an address there.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    container: String,
    interface: String,
}

/// Reads the directory; `each` gets the file and what it says, until it wants no more.
pub(in crate::transfer) fn read(
    folder: &Path,
    node: &str,
    mut each: impl FnMut(Arc<str>, Said) -> bool,
) -> Result<(), Failure> {
    // "." is a network of the name that the directory has; a link keeps the name that it was given by.
    let folder = match folder.file_name() {
        Some(_) => folder,
        None => &fs::canonicalize(folder).map_err(|source| unreadable(folder, source))?,
    };
    if folder.file_name().is_none() {
        let reason = format!("{} has no name that a network could have", folder.display());
        return Err(Failure::Usage(reason));
    }
    let mut networks = vec![folder.to_owned()];
    for path in entries(folder)? {
        if path.is_dir() {
            networks.push(path);
        }
    }
    for network in networks {
        if !one(&network, node, &mut each)? {
            break;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let listed = fs::read_dir(folder).map_err(|source| unreadable(folder, source))?;
    let mut paths = Vec::new();
    for entry in listed {
        paths.push(entry.map_err(|source| unreadable(folder, source))?.path());
    }
    paths.sort();
    Ok(paths)
}

fn one(
    folder: &Path,
    node: &str,
    each: &mut impl FnMut(Arc<str>, Said) -> bool,
) -> Result<bool, Failure> {
    let name_of = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let network = name_of(folder).unwrap_or_default();
    // The addresses of one interface have numbers, IPv4 first.
    let mut held: BTreeMap<Holder, Vec<(Address, Arc<str>)>> = BTreeMap::new();
    for path in entries(folder)? {
        let address = name_of(&path).and_then(|name| name.parse::<Address>().ok());
        // Beside the addresses there are a lock and notes of the last one given.
        let Some(address) = address.filter(|_| path.is_file()) else {
            continue;
        };
        let text = fs::read_to_string(&path).map_err(|source| unreadable(&path, source))?;
        let file: Arc<str> = path.display().to_string().into();
        let mut words = text.split_whitespace();
        let Some(container) = words.next() else {
            // What a power failure leaves behind there.
            if each(
                file,
                Said::Skipped("it is empty: nobody is known to hold it".to_owned()),
            ) {
                continue;
            }
            return Ok(false);
        };
        let interface = words.next().unwrap_or_default();
        let holder = Holder {
            container: container.to_owned(),
            interface: interface.to_owned(),
        };
        held.entry(holder).or_default().push((address, file));
    }
    for (holder, mut addresses) in held {
        let Holder {
            container,
            interface,
        } = holder;
        addresses.sort();
        for (index, (address, file)) in addresses.into_iter().enumerate() {
            let said = Said::Claim(claim(
                &claim_name(&network, node, &container, &interface, index),
                &Prefix::single(address).to_string(),
                &owner(&[node, &network, &container, &interface]),
                &[
                    ("network", &network),
                    ("node", node),
                    ("container", &container),
                    ("interface", &interface),
                ],
            ));
            if !each(file, said) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn claim_name(network: &str, node: &str, container: &str, interface: &str, index: usize) -> String {
    let identity = [network, node, container, interface, &index.to_string()].join("\0");
    let mut name = "cni.".to_owned();
    for byte in &Sha256::digest(identity.as_bytes())[..20] {
        write!(name, "{byte:02x}").expect("a string takes what is written");
    }
    name
}
