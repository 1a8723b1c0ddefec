//! Selectors of pools, in the shape of Kubernetes' label selectors: what requests and views share.

use std::collections::BTreeMap;

use allocator::command;
use allocator::filter::{LabelRequirement, LabelSelector};
use allocator::name::Name;
use allocator::prefix::Family;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fields::Labels;
use crate::problem::Problem;
use crate::requests::selector;

/// Which pools may serve a claim. They are tried by `priority`, then by name; those that cannot serve it
/// are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolSelector {
    /// Labels that the pool has, with these values.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub match_labels: Labels,
    /// Further requirements, all of which must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<MatchExpression>,
    /// Only pools of this family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::scalar::family_schema)]
    pub family: Option<Family>,
    /// Pools of this tenant, as far as they are shared; the claim's own tenant where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// One requirement on the labels of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchExpression {
    /// The label.
    pub key: String,
    /// What is asked of it.
    pub operator: MatchOperator,
    /// The values, for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// What is asked of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum MatchOperator {
    /// It is there with one of the values.
    In,
    /// It is absent or has none of the values.
    NotIn,
    /// It is there.
    Exists,
    /// It is absent.
    DoesNotExist,
}

impl PoolSelector {
    /// Of a text as `labelSelector` takes it: `app=web,tier!=db,zone in (a,b)`.
    ///
    /// # Errors
    /// `invalid_parameter`, with what is allowed.
    pub fn of_text(text: &str) -> Result<Self, Problem> {
        let labels = selector::parse(text)?;
        Ok(Self::from(&command::PoolSelector {
            tenant: None,
            family: None,
            labels,
        }))
    }
}

impl From<&command::PoolSelector> for PoolSelector {
    /// One value that must be there is a label, whichever way it was asked for.
    fn from(selector: &command::PoolSelector) -> Self {
        let LabelSelector { requirements } = &selector.labels;
        let mut match_labels = BTreeMap::new();
        let mut match_expressions = Vec::new();
        for requirement in requirements {
            match requirement {
                LabelRequirement::In(key, values)
                    if values.len() == 1 && !match_labels.contains_key(&**key) =>
                {
                    let value = values.first().map(ToString::to_string);
                    match_labels.insert(key.to_string(), value.unwrap_or_default());
                }
                other => match_expressions.push(MatchExpression::from(other)),
            }
        }
        Self {
            match_labels: Labels(match_labels),
            match_expressions,
            family: selector.family,
            tenant: selector.tenant.as_ref().map(Name::to_string),
        }
    }
}

impl From<&LabelRequirement> for MatchExpression {
    fn from(requirement: &LabelRequirement) -> Self {
        let (key, operator, values) = match requirement {
            LabelRequirement::In(key, values) => (key, MatchOperator::In, &**values),
            LabelRequirement::NotIn(key, values) => (key, MatchOperator::NotIn, &**values),
            LabelRequirement::Exists(key) => (key, MatchOperator::Exists, &[][..]),
            LabelRequirement::Absent(key) => (key, MatchOperator::DoesNotExist, &[][..]),
        };
        Self {
            key: key.to_string(),
            operator,
            values: values.iter().map(ToString::to_string).collect(),
        }
    }
}
