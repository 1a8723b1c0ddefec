//! Tables as kubectl prints them: upper-case titles, columns three spaces apart, no lines.

use std::borrow::Cow;

use super::{Column, printable};

/// Between two columns.
const GAP: &str = "   ";
/// In a cell that has nothing to show.
const NOTHING: &str = "-";

/// The table, with its titles; columns for wide tables only where `wide`.
pub(crate) fn render(columns: &[Column], rows: &[Vec<String>], wide: bool, colour: bool) -> String {
    let shown: Vec<usize> = (0..columns.len())
        .filter(|index| wide || !columns[*index].wide)
        .collect();
    let titles: Vec<&str> = shown.iter().map(|index| columns[*index].title).collect();
    let body: Vec<Vec<Cow<'_, str>>> = rows
        .iter()
        .map(|row| shown.iter().map(|index| cell(row, *index)).collect())
        .collect();
    let body: Vec<Vec<&str>> = body
        .iter()
        .map(|row| row.iter().map(AsRef::as_ref).collect())
        .collect();
    let widths: Vec<usize> = (0..titles.len())
        .map(|place| {
            let cells = body.iter().map(|row| row[place]);
            cells
                .chain([titles[place]])
                .map(|text| text.chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let mut table = line(&titles, &widths, false);
    for row in &body {
        table.push_str(&line(row, &widths, colour));
    }
    table
}

fn cell(row: &[String], index: usize) -> Cow<'_, str> {
    match row.get(index) {
        Some(text) if !text.is_empty() => printable(text),
        _ => Cow::Borrowed(NOTHING),
    }
}

/// The last column is not padded, so that no line ends in spaces.
fn line(cells: &[&str], widths: &[usize], colour: bool) -> String {
    let mut line = String::new();
    for (place, text) in cells.iter().enumerate() {
        line.push_str(&if colour {
            painted(text)
        } else {
            (*text).to_owned()
        });
        if place + 1 < cells.len() {
            line.extend(std::iter::repeat_n(
                ' ',
                widths[place].saturating_sub(text.chars().count()),
            ));
            line.push_str(GAP);
        }
    }
    line.push('\n');
    line
}

/// Phases in colour: what is well in green, what needs somebody in red.
fn painted(text: &str) -> String {
    let code = match text {
        "Ready" | "Allocated" | "InUse" | "voter" | "leader" => "32",
        "Exhausted" => "31",
        "Released" | "learner" => "33",
        _ => return text.to_owned(),
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::output::{column, wide_column};

    const COLUMNS: &[Column] = &[
        column("NAME"),
        wide_column("OWNER"),
        column("PHASE"),
        column("AGE"),
    ];

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        vec![
            row(["p", "node-7", "Ready", "5s"]),
            row(["a-longer-name", "", "Exhausted", "3d4h"]),
        ]
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        expect![[r#"
            NAME            PHASE       AGE
            p               Ready       5s
            a-longer-name   Exhausted   3d4h
        "#]]
        .assert_eq(&render(COLUMNS, &rows(), false, false));
        expect![[r#"
            NAME            OWNER    PHASE       AGE
            p               node-7   Ready       5s
            a-longer-name   -        Exhausted   3d4h
        "#]]
        .assert_eq(&render(COLUMNS, &rows(), true, false));
    }

    #[test]
    fn what_others_wrote_cannot_act_on_the_terminal() {
        let hostile = "a=1\nb=\u{1b}[31m\u{9b}2J\t\u{202e}é";
        let row = ["p", hostile, "Ready", "5s"].map(str::to_owned).to_vec();
        expect![[r#"
            NAME   OWNER                                  PHASE   AGE
            p      a=1\nb=\u{1b}[31m\u{9b}2J\t\u{202e}é   Ready   5s
        "#]]
        .assert_eq(&render(COLUMNS, &[row], true, false));
    }

    #[test]
    fn colour_does_not_move_a_column() {
        let plain = render(COLUMNS, &rows(), true, false);
        let coloured = render(COLUMNS, &rows(), true, true);
        assert!(coloured.contains("\x1b[31mExhausted\x1b[0m"));
        let bare = coloured
            .replace("\x1b[31m", "")
            .replace("\x1b[32m", "")
            .replace("\x1b[0m", "");
        assert_eq!(bare, plain);
    }
}
