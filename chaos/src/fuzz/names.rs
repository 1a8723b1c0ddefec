//! What stands in paths, queries and headers: names, blocks, ranges, times, selectors.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use allocator::name::{Name, Owner};
use allocator::prefix::{Address, Prefix};
use api::pool_selector::PoolSelector;
use api::requests::{path, query};
use api::scalar::{Cidr, Decimal, Hex128, Ratio, Time};

/// What was taken is written in one way, and that is read as the same. What is no name is none in a query either.
pub(super) fn read(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    same::<Prefix>(text);
    same::<Address>(text);
    same::<Cidr>(text);
    same::<Time>(text);
    same::<Decimal>(text);
    same::<Ratio>(text);
    same::<Hex128>(text);
    if let Ok(name) = Name::new(text) {
        assert_eq!(name.as_str(), text);
        assert_eq!(path::name("name", text).as_ref(), Ok(&name));
    }
    if let Ok(owner) = Owner::new(text) {
        assert_eq!(owner.as_str(), text);
        assert!(owner.covers(&owner));
    }
    if let Ok(block) = path::block(text) {
        sound(block);
        assert_eq!(path::block(&block.to_string()), Ok(block));
    }
    drop(PoolSelector::of_text(text));
    queries(text);
    Name::new(text).is_ok() || path::block(text).is_ok()
}

fn same<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    let Ok(value) = text.parse::<T>() else {
        return;
    };
    let written = value.to_string();
    let again = written.parse::<T>().ok();
    assert_eq!(again, Some(value), "{text:?} was written as {written:?}");
}

fn sound(block: Prefix) {
    assert!(
        block.first() <= block.last(),
        "{block} ends before it begins"
    );
    assert!(block.contains_address(block.first()) && block.contains_address(block.last()));
    assert!(block.parent().is_none_or(|parent| parent.contains(block)));
}

fn queries(text: &str) {
    let acme = Name::new("acme").expect("a name");
    let some = Some(text);
    drop(query::PoolList::parse(some, &acme));
    drop(query::ClaimList::parse(some, &acme));
    drop(query::AllocationList::parse(some, &acme));
    drop(query::TenantList::parse(some));
    drop(query::Watch::parse(some, Some(&acme)));
    drop(query::HistoryList::parse(some, Some(&acme)));
    drop(query::Lookup::parse(some));
    drop(query::Map::parse(some));
    drop(query::PoolDelete::parse(some));
    drop(query::Reading::parse(some));
    drop(query::Mutation::parse(some));
}
