//! What the allocator does, from outside.

#[cfg(test)]
mod all_tenants;
#[cfg(test)]
mod cascade;
#[cfg(test)]
mod durable;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod free_space;
#[cfg(test)]
mod grace;
#[cfg(test)]
mod handouts;
#[cfg(test)]
mod history;
#[cfg(test)]
mod holders;
#[cfg(test)]
mod kept_and_edited;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod life;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod map;
#[cfg(test)]
mod model;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod reconcile;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod reservations;
#[cfg(test)]
mod selectors;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod strategies;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod time;
#[cfg(test)]
mod together;
#[cfg(test)]
mod watch;
