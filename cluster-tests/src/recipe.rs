//! Recipes: documents whose commands are run as they stand.
//!
//! 1. Every fenced block that is a `console` is run, in order, by one shell: what one command sets, the next one has.
//!    A line that begins with `$ ` begins a command, which goes on over lines that end in `\` and here-documents.
//! 2. A fenced block whose first line is `# file: NAME` is written to that file first.
//! 3. What a command prints, on stdout and stderr, is what stands below it: line by line, spaces counted as one, `…`
//!    standing for anything in a line, and a line of `…` alone for any lines.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// A command and what it prints.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// The line of the document on which it begins.
    pub line: usize,
    /// As the shell gets it.
    pub command: String,
    /// The lines below it.
    pub expected: Vec<String>,
}

/// A document.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// Names and texts.
    pub files: Vec<(String, String)>,
    /// In order.
    pub steps: Vec<Step>,
}

impl Recipe {
    /// Reads a document.
    pub fn parse(document: &str) -> Result<Self> {
        let mut recipe = Self::default();
        let mut lines = document.lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            let Some(language) = line.strip_prefix("```") else {
                continue;
            };
            let mut block = Vec::new();
            loop {
                match lines.next() {
                    Some(("```", _)) => break,
                    Some(inside) => block.push(inside),
                    None => bail!("the block of line {number} has no end"),
                }
            }
            if language == "console" {
                recipe.steps.extend(steps(&block)?);
            } else if let Some((first, rest)) = block.split_first()
                && let Some(name) = first.0.strip_prefix("# file: ")
            {
                let text = rest
                    .iter()
                    .fold(String::new(), |text, (line, _)| text + line + "\n");
                recipe.files.push((name.to_owned(), text));
            }
        }
        Ok(recipe)
    }

    /// Runs it in `folder`, with `environment` beside that of this program.
    ///
    /// # Errors
    /// The first command that prints something else than stands below it.
    pub fn run(&self, folder: &Path, environment: &[(&str, &str)]) -> Result<()> {
        for (name, text) in &self.files {
            std::fs::write(folder.join(name), text)?;
        }
        let mark = |number: usize| format!("--- step {number} of {} ---", self.steps.len());
        let mut script = String::new();
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(script, "echo '{}'\n{}", mark(number), step.command)?;
        }
        let path = folder.join("recipe.sh");
        std::fs::write(&path, &script)?;
        let output = Command::new("sh")
            .args(["-c", "exec sh recipe.sh 2>&1"])
            .current_dir(folder)
            .envs(environment.iter().copied())
            .stdin(std::process::Stdio::null())
            .output()
            .context("sh")?;
        let printed = String::from_utf8(output.stdout).context("what the commands printed")?;
        let mut lines = printed.lines().peekable();
        for (number, step) in (1..).zip(&self.steps) {
            ensure!(
                lines.next() == Some(mark(number).as_str()),
                "step {number} was not reached"
            );
            let end = mark(number + 1);
            let mut got = Vec::new();
            while let Some(line) = lines.next_if(|line| *line != end) {
                got.push(line.trim_end());
            }
            let expected: Vec<&str> = step.expected.iter().map(String::as_str).collect();
            ensure!(
                fit(&expected, &got),
                "line {}: {}\nprinted\n{}\n\nand not\n{}",
                step.line,
                step.command,
                got.join("\n"),
                expected.join("\n")
            );
        }
        Ok(())
    }
}

fn steps(block: &[(&str, usize)]) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut open: Option<Open> = None;
    for (line, number) in block {
        if let (Some(how), Some(step)) = (&open, steps.last_mut()) {
            write!(step.command, "\n{line}")?;
            open = match how {
                Open::Line if line.ends_with('\\') => Some(Open::Line),
                Open::Line => None,
                Open::Document(end) if line == end => None,
                Open::Document(end) => Some(Open::Document(end.clone())),
            };
            continue;
        }
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                open = Open::of(command);
                steps.push(Step {
                    line: *number,
                    command: command.to_owned(),
                    expected: Vec::new(),
                });
            }
            (None, Some(step)) => step.expected.push((*line).to_owned()),
            (None, None) => bail!("line {number}: what prints this?"),
        }
    }
    Ok(steps)
}

/// Why a command is not over.
#[derive(Debug)]
enum Open {
    Line,
    Document(String),
}

impl Open {
    fn of(command: &str) -> Option<Self> {
        if let Some((_, end)) = command.split_once("<<'") {
            let end = end.split('\'').next().unwrap_or_default();
            return Some(Self::Document(end.to_owned()));
        }
        command.ends_with('\\').then_some(Self::Line)
    }
}

/// The lines are those that are expected.
fn fit(expected: &[&str], got: &[&str]) -> bool {
    match (expected.split_first(), got.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), _) => (0..=got.len()).any(|skipped| fit(rest, &got[skipped..])),
        (Some((wanted, wanted_rest)), Some((line, rest))) => {
            fits(&words(wanted), &words(line)) && fit(wanted_rest, rest)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// `…` stands for anything.
fn fits(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "text\n```yaml\n# file: a.yaml\nkind: Pool\n```\n```yaml\nkind: Claim\n```\n\
        ```console\n$ one \\\n  more\nout\n$ cat <<'EOF'\n$ not a command\nEOF\n$ two\n```\n";

    #[test]
    fn commands_files_and_what_is_printed_are_told_apart() {
        let recipe = Recipe::parse(DOCUMENT).unwrap();
        assert_eq!(
            recipe.files,
            [("a.yaml".to_owned(), "kind: Pool\n".to_owned())]
        );
        let steps: Vec<(usize, &str, usize)> = recipe
            .steps
            .iter()
            .map(|step| (step.line, step.command.as_str(), step.expected.len()))
            .collect();
        assert_eq!(
            steps,
            [
                (10, "one \\\n  more", 1),
                (13, "cat <<'EOF'\n$ not a command\nEOF", 0),
                (16, "two", 0)
            ]
        );
        assert!(Recipe::parse("```console\n$ a\n").is_err());
        assert!(Recipe::parse("```console\nout\n```\n").is_err());
    }

    #[test]
    fn a_line_is_what_is_expected_or_the_run_fails() {
        for (wanted, line, expected) in [
            ("a  b", "a b ", true),
            ("a b", "a c", false),
            ("a … c", "a b b c", true),
            ("a … c", "a b", false),
            ("…", "", true),
            ("a…", "b", false),
            ("a … b … c", "a 1 b 2 c", true),
        ] {
            assert_eq!(fit(&[wanted], &[line]), expected, "{wanted} {line}");
        }
        assert!(fit(&["a", "…", "c"], &["a", "b", "b", "c"]));
        assert!(!fit(&["a", "…", "c"], &["a", "b"]));
        assert!(!fit(&["a"], &["a", "b"]));
        assert!(!fit(&["a", "b"], &["a"]));
    }

    #[test]
    fn a_command_that_prints_something_else_is_told_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let run = |text: &str| {
            let recipe = Recipe::parse(text).unwrap();
            recipe.run(folder.path(), &[("WORD", "x")])
        };
        run("```console\n$ A=1\n$ echo $A $WORD\n1 x\n$ echo e >&2; false; echo \"exit $?\"\ne\nexit 1\n```\n").unwrap();
        let error = run("```console\n$ echo a\na\n$ echo b\nc\n```\n").unwrap_err();
        assert!(error.to_string().starts_with("line 4: echo b"), "{error}");
        assert!(run("```console\n$ echo a\n```\n").is_err());
        assert!(run("```console\n$ exit 3\n$ echo b\nb\n```\n").is_err());
    }
}
