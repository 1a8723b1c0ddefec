//! Selectors of pools as asked for.

use allocator::command::PoolSelector;
use allocator::filter::{LabelRequirement, LabelSelector};
use allocator::name::{LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX};

use super::check::{Check, Checked, each, shown};
use super::selector::REQUIREMENTS_MAX;
use crate::pool_selector::{self, MatchExpression, MatchOperator};

impl Check {
    /// A selector in canonical order: equal ones are equal however they were written.
    pub(crate) fn pool_selector(
        &mut self,
        field: &str,
        selector: &pool_selector::PoolSelector,
    ) -> Checked<Box<PoolSelector>> {
        let below = |name: &str| format!("{field}.{name}");
        let tenant = self.optional_name(&below("tenant"), selector.tenant.as_deref());
        let labels = self.labels(&below("matchLabels"), &selector.match_labels);
        let count = selector.match_expressions.len();
        if count > REQUIREMENTS_MAX {
            return self.refuse(
                &below("matchExpressions"),
                format_args!("has {count} entries"),
                format_args!("at most {REQUIREMENTS_MAX}"),
            );
        }
        let expressions = each(&selector.match_expressions, |index, expression| {
            self.expression(&format!("{field}.matchExpressions[{index}]"), expression)
        });
        let pairs = labels?.into_iter();
        let equal = pairs.map(|(key, value)| LabelRequirement::In(key, vec![value]));
        let mut requirements: Vec<_> = equal.chain(expressions?).collect();
        requirements.sort();
        requirements.dedup();
        Ok(Box::new(PoolSelector {
            tenant: tenant?,
            family: selector.family,
            labels: LabelSelector { requirements },
        }))
    }

    fn expression(
        &mut self,
        field: &str,
        expression: &MatchExpression,
    ) -> Checked<LabelRequirement> {
        let key = &expression.key;
        if key.is_empty() || key.len() > LABEL_KEY_BYTES_MAX {
            return self.refuse(
                &format!("{field}.key"),
                format_args!("is {}", shown(key)),
                format_args!("1 to {LABEL_KEY_BYTES_MAX} bytes"),
            );
        }
        let listed = matches!(
            expression.operator,
            MatchOperator::In | MatchOperator::NotIn
        );
        let sound = expression.values.len() <= REQUIREMENTS_MAX
            && expression.values.is_empty() != listed
            && expression
                .values
                .iter()
                .all(|value| value.len() <= LABEL_VALUE_BYTES_MAX);
        if !sound {
            let allowed = if listed {
                format!("1 to {REQUIREMENTS_MAX} values of at most {LABEL_VALUE_BYTES_MAX} bytes")
            } else {
                format!("none beside the operator {:?}", expression.operator)
            };
            return self.refuse(
                &format!("{field}.values"),
                format_args!("has {} entries", expression.values.len()),
                allowed,
            );
        }
        let key = Box::from(key.as_str());
        let mut values: Vec<Box<str>> = expression
            .values
            .iter()
            .map(|value| value.as_str().into())
            .collect();
        values.sort();
        values.dedup();
        Ok(match expression.operator {
            MatchOperator::In => LabelRequirement::In(key, values),
            MatchOperator::NotIn => LabelRequirement::NotIn(key, values),
            MatchOperator::Exists => LabelRequirement::Exists(key),
            MatchOperator::DoesNotExist => LabelRequirement::Absent(key),
        })
    }
}
