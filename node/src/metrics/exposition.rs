//! Prometheus' text format, for gauges that are read off the state and not kept.

use std::fmt::Write;

/// Text under construction. All samples of one metric stand together, after its head.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

impl Exposition {
    /// The text before which this one stands is already there.
    pub(super) fn after(text: String) -> Self {
        Self { text }
    }

    /// Begins a metric.
    pub(super) fn metric(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One sample of the metric begun last.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        let mut open = '{';
        for (label, text) in labels {
            self.write(format_args!("{open}{label}=\""));
            for character in text.chars() {
                match character {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
            open = ',';
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        self.write(format_args!(" {value}\n"));
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.text
            .write_fmt(arguments)
            .expect("writing to a String cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_with_their_labels_escaped() {
        let mut exposition = Exposition::after("before 1\n".to_owned());
        exposition.metric("ipam_x", "gauge", "What it is.");
        exposition.sample("ipam_x", &[("tenant", "a\"b\\c\nd"), ("pool", "p")], 0.5);
        exposition.sample("ipam_x", &[], 3.0);
        expect_test::expect![[r#"
            before 1
            # HELP ipam_x What it is.
            # TYPE ipam_x gauge
            ipam_x{tenant="a\"b\\c\nd",pool="p"} 0.5
            ipam_x 3
        "#]]
        .assert_eq(&exposition.into_text());
    }
}
