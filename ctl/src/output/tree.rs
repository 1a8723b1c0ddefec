//! A pool and all below it, indented.

use api::views::TreeNode;

use super::rows::{labels, percent};
use super::{Column, column, table, wide_column};

const COLUMNS: &[Column] = &[
    column("NAME"),
    column("CIDRS"),
    column("UTIL"),
    column("AVAILABLE"),
    column("TOTAL"),
    column("HELD"),
    wide_column("LABELS"),
];

/// The rows of a tree, parents before their children.
#[derive(Debug, Default)]
pub(crate) struct TreeRows {
    rows: Vec<Vec<String>>,
}

impl TreeRows {
    /// The tree as a table; HELD is what claims really hold, in it and below.
    pub(crate) fn render(root: &TreeNode, wide: bool) -> String {
        let mut rows = Self::default();
        rows.push(root, "", "");
        table::render(COLUMNS, &rows.rows, wide, false)
    }

    /// `branch` stands before the node's own name, `indent` before those of its children. Pools nest
    /// at most 16 deep, which bounds the recursion.
    fn push(&mut self, node: &TreeNode, branch: &str, indent: &str) {
        let tenant = || {
            node.tenant
                .as_ref()
                .map(|tenant| format!("(tenant {tenant})"))
        };
        let name = node
            .name
            .as_ref()
            .map(ToString::to_string)
            .or_else(tenant)
            .unwrap_or_default();
        let cidrs: Vec<String> = node.cidrs.iter().map(ToString::to_string).collect();
        self.rows.push(vec![
            format!("{branch}{name}"),
            cidrs.join(","),
            percent(node.utilization),
            node.capacity.available.to_string(),
            node.capacity.total.to_string(),
            node.held_below.to_string(),
            labels(&node.labels),
        ]);
        let shown = u64::try_from(node.children.len()).unwrap_or(u64::MAX);
        let hidden = node.children_total.saturating_sub(shown);
        let mut children = node.children.iter().peekable();
        while let Some(child) = children.next() {
            let last = children.peek().is_none() && hidden == 0;
            let (branch, below) = if last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            self.push(
                child,
                &format!("{indent}{branch}"),
                &format!("{indent}{below}"),
            );
        }
        if hidden > 0 {
            self.rows.push(vec![format!("{indent}└─ … {hidden} more")]);
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::{Value, json};

    use super::*;

    fn node(name: &str, total: u64, children: &[Value]) -> Value {
        json!({
            "name": name, "cidrs": ["10.0.0.0/24"], "utilization": "0.5000", "heldBelow": "3",
            "capacity": {
                "total": "256", "allocated": "128", "inUse": "0", "released": "0", "reserved": "0", "available": "128",
            },
            "labels": { "env": "prod" }, "childrenTotal": total, "children": children,
        })
    }

    #[test]
    fn each_level_is_indented_below_its_parent() {
        let mut foreign = node("x", 0, &[]);
        foreign["name"] = Value::Null;
        foreign["tenant"] = "umbrella".into();
        let left = node("left", 1, &[node("leaf", 0, &[])]);
        let right = node("right", 5, &[foreign, node("last-shown", 0, &[])]);
        let root: TreeNode = serde_json::from_value(node("root", 2, &[left, right])).unwrap();
        expect![[r#"
            NAME                      CIDRS         UTIL     AVAILABLE   TOTAL   HELD
            root                      10.0.0.0/24   50.00%   128         256     3
            ├─ left                   10.0.0.0/24   50.00%   128         256     3
            │  └─ leaf                10.0.0.0/24   50.00%   128         256     3
            └─ right                  10.0.0.0/24   50.00%   128         256     3
               ├─ (tenant umbrella)   10.0.0.0/24   50.00%   128         256     3
               ├─ last-shown          10.0.0.0/24   50.00%   128         256     3
               └─ … 3 more            -             -        -           -       -
        "#]]
        .assert_eq(&TreeRows::render(&root, false));
    }
}
