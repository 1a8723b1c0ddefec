//! Label selectors as Kubernetes writes them: `app=web,tier!=db,zone in (a,b),env notin (dev),gpu,!old`.
//!
//! As there, `!=` and `notin` also match where the label is absent. No value holds a comma, an
//! equals sign, a parenthesis or a space; a label that does cannot be selected by its value.

use allocator::filter::{LabelRequirement, LabelSelector};
use allocator::name::{LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX};

use super::check::shown;
use crate::problem::Problem;

/// Most requirements in one selector.
pub(super) const REQUIREMENTS_MAX: usize = 64;

/// Parses the parameter `labelSelector`; an empty one lets everything pass.
pub(crate) fn parse(text: &str) -> Result<LabelSelector, Problem> {
    let mut requirements = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (requirement, after) = split_requirement(rest);
        requirements.push(requirement_of(requirement.trim()).ok_or_else(|| refused(text))?);
        match after {
            None => break,
            Some(after) if after.trim().is_empty() => return Err(refused(text)),
            Some(after) => rest = after,
        }
    }
    if requirements.len() > REQUIREMENTS_MAX {
        return Err(refused(text));
    }
    Ok(LabelSelector { requirements })
}

fn refused(text: &str) -> Problem {
    Problem::invalid_parameter(
        "labelSelector",
        format_args!("is {}", shown(text)),
        format_args!(
            "at most {REQUIREMENTS_MAX} of: key=value, key!=value, key in (a,b), key notin (a,b), key, !key"
        ),
    )
}

/// Up to the first comma outside parentheses, and what comes after it.
fn split_requirement(text: &str) -> (&str, Option<&str>) {
    let mut inside = false;
    for (position, character) in text.char_indices() {
        match character {
            '(' => inside = true,
            ')' => inside = false,
            ',' if !inside => return (&text[..position], Some(&text[position + 1..])),
            _ => {}
        }
    }
    (text, None)
}

fn requirement_of(text: &str) -> Option<LabelRequirement> {
    if let Some(key) = text.strip_prefix('!') {
        return Some(LabelRequirement::Absent(key_of(key)?));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Some(LabelRequirement::NotIn(
            key_of(key)?,
            vec![value_of(value)?],
        ));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some(LabelRequirement::In(key_of(key)?, vec![value_of(value)?]));
    }
    if let Some(list) = text.strip_suffix(')') {
        let (before, values) = list.split_once('(')?;
        let values: Option<Vec<Box<str>>> = values.split(',').map(value_of).collect();
        let (key, word) = before.trim().rsplit_once(char::is_whitespace)?;
        return match word {
            "in" => Some(LabelRequirement::In(key_of(key)?, values?)),
            "notin" => Some(LabelRequirement::NotIn(key_of(key)?, values?)),
            _ => None,
        };
    }
    Some(LabelRequirement::Exists(key_of(text)?))
}

fn key_of(text: &str) -> Option<Box<str>> {
    let key = text.trim();
    let fits = (1..=LABEL_KEY_BYTES_MAX).contains(&key.len());
    (fits && key.chars().all(is_plain)).then(|| key.into())
}

fn value_of(text: &str) -> Option<Box<str>> {
    let value = text.trim();
    (value.len() <= LABEL_VALUE_BYTES_MAX && value.chars().all(is_plain)).then(|| value.into())
}

fn is_plain(character: char) -> bool {
    !character.is_whitespace() && !matches!(character, ',' | '=' | '!' | '(' | ')')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_requirement_is_read() {
        let selector =
            parse("app=web, tier!=db,zone in (a, b),env notin (dev),gpu,!old,x==y,empty=").unwrap();
        let expected = [
            LabelRequirement::In("app".into(), vec!["web".into()]),
            LabelRequirement::NotIn("tier".into(), vec!["db".into()]),
            LabelRequirement::In("zone".into(), vec!["a".into(), "b".into()]),
            LabelRequirement::NotIn("env".into(), vec!["dev".into()]),
            LabelRequirement::Exists("gpu".into()),
            LabelRequirement::Absent("old".into()),
            LabelRequirement::In("x".into(), vec!["y".into()]),
            LabelRequirement::In("empty".into(), vec!["".into()]),
        ];
        assert_eq!(selector.requirements, expected);
        assert_eq!(parse("  ").unwrap(), LabelSelector::default());
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        let many = vec!["a"; 65].join(",");
        for bad in [
            ",",
            "a,",
            ",a",
            "=v",
            "!",
            "a=b=c",
            "a b",
            "a in b",
            "a in (b",
            "a within (b)",
            "(b)",
            many.as_str(),
        ] {
            assert_eq!(
                parse(bad).unwrap_err().facts["parameter"],
                "labelSelector",
                "{bad}"
            );
        }
    }
}
