//! Fields of a request as the allocator's types, with every problem collected before any is told.
//!
//! Invariant: [`Noted`] is made only where a problem was noted; so a request without problems has all
//! its values.

use std::fmt;

use allocator::answer::FieldProblem;
use allocator::command::{self, Exclusion, Gateway, PRIORITY_MAX, Range, Sharing};
use allocator::name::{
    self, DESCRIPTION_BYTES_MAX, LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX,
    NAME_ALLOWED, Name, OWNER_ALLOWED, Owner,
};
use allocator::prefix::{Address, Family, InvalidPrefix, Prefix};

use crate::fields;
use crate::problem::Problem;

/// The longest text of a field that a message repeats, in characters.
const SHOWN_CHARACTERS_MAX: usize = 64;

/// Most problems that an answer shows; a body of a megabyte can have hundreds of thousands.
const PROBLEMS_SHOWN_MAX: usize = 100;

/// A value, or word that what is wrong with it was noted.
pub(crate) type Checked<T> = Result<T, Noted>;

/// A problem was noted in the [`Check`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noted(());

/// Collects what is wrong with a request.
#[derive(Debug, Default)]
pub(crate) struct Check {
    /// What stands before each field, `operations[3].createClaim.`; empty for a whole document.
    place: String,
    /// The first of them.
    problems: Vec<FieldProblem>,
    /// How many came after those.
    more: usize,
}

impl Check {
    /// The fields that follow stand below `place`.
    pub(crate) fn enter(&mut self, place: String) {
        self.place = place;
    }

    /// The value, unless a problem was noted.
    pub(crate) fn finish<T>(self, value: Checked<T>) -> Result<T, Problem> {
        match value {
            Ok(value) if self.problems.is_empty() => Ok(value),
            Ok(_) | Err(Noted(())) => Err(Problem::invalid_fields_of(&self.problems, self.noted())),
        }
    }

    /// Notes what is wrong with a field and goes on.
    pub(crate) fn note(
        &mut self,
        field: &str,
        problem: impl fmt::Display,
        allowed: impl fmt::Display,
    ) {
        if self.problems.len() == PROBLEMS_SHOWN_MAX {
            self.more += 1;
            return;
        }
        self.problems.push(FieldProblem {
            field: format!("{}{field}", self.place),
            problem: problem.to_string(),
            allowed: allowed.to_string(),
        });
    }

    /// How many problems there are so far.
    fn noted(&self) -> usize {
        self.problems.len() + self.more
    }

    /// Notes what is wrong with a field that has no value then.
    pub(crate) fn refuse<T>(
        &mut self,
        field: &str,
        problem: impl fmt::Display,
        allowed: impl fmt::Display,
    ) -> Checked<T> {
        self.note(field, problem, allowed);
        Err(Noted(()))
    }

    pub(crate) fn name(&mut self, field: &str, text: &str) -> Checked<Name> {
        match Name::new(text) {
            Ok(name) => Ok(name),
            Err(_) => self.refuse(field, format_args!("is {}", shown(text)), NAME_ALLOWED),
        }
    }

    /// Absent is `Ok(None)`, in this and all `optional_…`.
    pub(crate) fn optional_name(
        &mut self,
        field: &str,
        text: Option<&str>,
    ) -> Checked<Option<Name>> {
        text.map_or(Ok(None), |text| self.name(field, text).map(Some))
    }

    pub(crate) fn optional_owner(
        &mut self,
        field: &str,
        text: Option<&str>,
    ) -> Checked<Option<Owner>> {
        text.map_or(Ok(None), |text| self.owner(field, text).map(Some))
    }

    pub(crate) fn owner(&mut self, field: &str, text: &str) -> Checked<Owner> {
        match Owner::new(text) {
            Ok(owner) => Ok(owner),
            Err(_) => self.refuse(field, format_args!("is {}", shown(text)), OWNER_ALLOWED),
        }
    }

    pub(crate) fn pool_ref(
        &mut self,
        field: &str,
        pool: &fields::PoolRef,
    ) -> Checked<command::PoolRef> {
        let (tenant_field, name_field) = match pool.tenant {
            Some(_) => (format!("{field}.tenant"), format!("{field}.name")),
            None => (String::new(), field.to_owned()),
        };
        let tenant = self.optional_name(&tenant_field, pool.tenant.as_deref());
        let name = self.name(&name_field, &pool.name);
        Ok(command::PoolRef {
            tenant: tenant?,
            name: name?,
        })
    }

    pub(crate) fn prefix(&mut self, field: &str, text: &str) -> Checked<Prefix> {
        match text.parse() {
            Ok(prefix) => Ok(prefix),
            Err(InvalidPrefix::HostBits { canonical }) => self.refuse(
                field,
                format_args!("is {}, which has host bits set", shown(text)),
                canonical,
            ),
            Err(InvalidPrefix::Length { bits }) => self.refuse(
                field,
                format_args!("is {}", shown(text)),
                format_args!("a prefix length from 0 to {bits}"),
            ),
            Err(InvalidPrefix::Syntax) => {
                self.refuse(field, format_args!("is {}", shown(text)), CIDR_ALLOWED)
            }
        }
    }

    pub(crate) fn optional_prefix(
        &mut self,
        field: &str,
        text: Option<&str>,
    ) -> Checked<Option<Prefix>> {
        text.map_or(Ok(None), |text| self.prefix(field, text).map(Some))
    }

    pub(crate) fn optional_prefix_length(
        &mut self,
        field: &str,
        length: Option<u8>,
    ) -> Checked<Option<u8>> {
        match length {
            Some(length) if length > Family::IPv6.bits() => self.refuse(
                field,
                format_args!("is {length}"),
                "0 to 32 for IPv4, 0 to 128 for IPv6",
            ),
            length => Ok(length),
        }
    }

    pub(crate) fn optional_gateway(
        &mut self,
        field: &str,
        text: Option<&str>,
    ) -> Checked<Option<Gateway>> {
        match text {
            None => Ok(None),
            Some("first") => Ok(Some(Gateway::First)),
            Some("last") => Ok(Some(Gateway::Last)),
            Some(text) => match text.parse() {
                Ok(address) => Ok(Some(Gateway::Address(address))),
                Err(_) => self.refuse(
                    field,
                    format_args!("is {}", shown(text)),
                    "first, last or an address",
                ),
            },
        }
    }

    /// Tenants that may use a pool, or `*` alone.
    pub(crate) fn sharing(&mut self, field: &str, tenants: &[String]) -> Checked<Sharing> {
        if tenants == ["*"] {
            return Ok(Sharing::Everyone);
        }
        if tenants.len() > Sharing::TENANTS_MAX {
            let problem = format_args!("has {} entries", tenants.len());
            return self.refuse(
                field,
                problem,
                format_args!("at most {}, or \"*\" alone", Sharing::TENANTS_MAX),
            );
        }
        let names = each(tenants, |index, tenant| {
            self.name(&format!("{field}[{index}]"), tenant)
        });
        Ok(Sharing::with(names?.into_iter().collect()))
    }

    pub(crate) fn optional_priority(
        &mut self,
        field: &str,
        priority: Option<u16>,
    ) -> Checked<Option<u16>> {
        match priority {
            Some(priority) if priority > PRIORITY_MAX => self.refuse(
                field,
                format_args!("is {priority}"),
                format_args!("0 to {PRIORITY_MAX}"),
            ),
            priority => Ok(priority),
        }
    }

    pub(crate) fn exclusion(
        &mut self,
        field: &str,
        exclusion: &fields::Exclusion,
    ) -> Checked<Exclusion> {
        let (addresses_field, reason_field) = match exclusion.reason {
            Some(_) => (format!("{field}.addresses"), format!("{field}.reason")),
            None => (field.to_owned(), String::new()),
        };
        let range = self.range(&addresses_field, &exclusion.addresses);
        let reason = self.text(
            &reason_field,
            exclusion.reason.as_deref().unwrap_or_default(),
        );
        let Range { first, last } = range?;
        Ok(Exclusion {
            first,
            last,
            reason: reason?,
            text: exclusion.addresses.as_str().into(),
        })
    }

    /// First and last address of a CIDR, an address or `first-last`.
    pub(crate) fn range(&mut self, field: &str, text: &str) -> Checked<Range> {
        if text.contains('/') {
            return self.prefix(field, text).map(Range::from);
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.parse::<Address>(), last.parse::<Address>()) {
            (Ok(first), Ok(last)) if Family::of(first) == Family::of(last) && first <= last => {
                Ok(Range { first, last })
            }
            (Ok(_), Ok(_)) => self.refuse(
                field,
                format_args!("is {}", shown(text)),
                "a range whose first address is not above the last, both of one family",
            ),
            _ => self.refuse(
                field,
                format_args!("is {}", shown(text)),
                "a CIDR, an address or a range first-last",
            ),
        }
    }

    pub(crate) fn labels(&mut self, field: &str, labels: &fields::Labels) -> Checked<name::Labels> {
        let before = self.noted();
        if labels.0.len() > LABELS_MAX {
            self.note(
                field,
                format_args!("has {} entries", labels.0.len()),
                format_args!("at most {LABELS_MAX}"),
            );
        }
        for (key, value) in labels.0.iter().take(LABELS_MAX) {
            if key.is_empty() || key.len() > LABEL_KEY_BYTES_MAX {
                let problem = format!("has the key {} of {} bytes", shown(key), key.len());
                self.note(
                    field,
                    problem,
                    format_args!("keys of 1 to {LABEL_KEY_BYTES_MAX} bytes"),
                );
            }
            if value.len() > LABEL_VALUE_BYTES_MAX {
                let place = format!(
                    "{field}.{}",
                    key.chars().take(SHOWN_CHARACTERS_MAX).collect::<String>()
                );
                let problem = format!("has {} bytes", value.len());
                self.note(
                    &place,
                    problem,
                    format_args!("at most {LABEL_VALUE_BYTES_MAX} bytes"),
                );
            }
        }
        if self.noted() > before {
            return Err(Noted(()));
        }
        Ok(labels
            .0
            .iter()
            .map(|(key, value)| (key.as_str().into(), value.as_str().into()))
            .collect())
    }

    pub(crate) fn text(&mut self, field: &str, text: &str) -> Checked<Box<str>> {
        if text.len() > DESCRIPTION_BYTES_MAX {
            let problem = format!("has {} bytes", text.len());
            return self.refuse(
                field,
                problem,
                format_args!("at most {DESCRIPTION_BYTES_MAX} bytes"),
            );
        }
        Ok(text.into())
    }
}

/// Every item checked, also after the first that fails.
pub(crate) fn each<T, U>(
    items: &[T],
    mut check: impl FnMut(usize, &T) -> Checked<U>,
) -> Checked<Vec<U>> {
    let checked: Vec<Checked<U>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| check(index, item))
        .collect();
    checked.into_iter().collect()
}

/// What a CIDR looks like, for messages.
const CIDR_ALLOWED: &str = "a CIDR such as 10.0.1.0/24 or 2001:db8::/48";

/// The text in quotes, cut where it is long: a message does not repeat a whole body.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}… of {} bytes", &text[..end], text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_many_problems_the_first_are_shown_and_all_are_counted() {
        for (count, shown) in [(100, 100), (101, 100), (350_000, 100)] {
            let mut check = Check::default();
            let found: Checked<Vec<Range>> = each(&vec![""; count], |index, item| {
                check.range(&format!("within[{index}]"), item)
            });
            let problem = check.finish(found).unwrap_err();
            assert_eq!(problem.fields().len(), shown);
            let total = problem
                .facts
                .get("fieldsTotal")
                .and_then(serde_json::Value::as_u64);
            assert_eq!(total, (count > shown).then_some(count as u64));
            assert!(
                problem
                    .detail
                    .ends_with(&format!("And {} more.", count - 3))
            );
        }
    }
}
