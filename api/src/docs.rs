//! The contract as one HTML page, without scripts and without anything from elsewhere.

use std::fmt::Write as _;

use crate::problem::CATALOGUE;
use crate::routes::{Operation, Values, operations};

/// The page served at `/docs`.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    let mut tag = "";
    for operation in operations() {
        if operation.tag != tag {
            tag = operation.tag;
            push(&mut page, format_args!("<h2>{}</h2>\n", escaped(tag)));
        }
        push_operation(&mut page, operation);
    }
    page.push_str("<h2 id=\"problems\">Problems</h2>\n<p>All that fails is <code>application/problem+json</code>.</p>\n");
    page.push_str("<table><tr><th>status</th><th>code</th><th>retry</th><th>meaning</th></tr>\n");
    for entry in CATALOGUE {
        let retry = if entry.retryable { "yes" } else { "no" };
        let (name, status, doc) = (entry.name, entry.status, with_code(entry.doc));
        push(
            &mut page,
            format_args!(
                "<tr id=\"{name}\"><td>{status}</td><td><code>{name}</code></td><td>{retry}</td><td>{doc}</td></tr>\n"
            ),
        );
    }
    page.push_str("</table>\n</main>\n</html>\n");
    page
}

fn push_operation(page: &mut String, operation: &Operation) {
    let (id, method, path) = (
        operation.id,
        operation.method.as_str(),
        escaped(operation.path),
    );
    push(
        page,
        format_args!(
            "<section id=\"{id}\"><h3><code>{method} {path}</code></h3>\n<p>{} <small>{id}</small></p>\n",
            with_code(operation.summary)
        ),
    );
    if operation.query_and_headers().next().is_some() {
        page.push_str("<table>");
        for parameter in operation.query_and_headers() {
            let (name, doc) = (parameter.name, with_code(parameter.doc));
            push(
                page,
                format_args!(
                    "<tr><td><code>{name}</code></td><td>{}</td><td>{doc}</td></tr>\n",
                    values(parameter.values)
                ),
            );
        }
        page.push_str("</table>\n");
    }
    if let Some(schema) = operation.request {
        push(page, format_args!("<p>Body: <code>{schema}</code>.</p>\n"));
    }
    for response in operation.responses {
        push(
            page,
            format_args!(
                "<p><b>{}</b> {}</p>\n",
                response.status,
                with_code(response.doc)
            ),
        );
    }
    page.push_str("<p class=\"codes\">");
    for code in operation.codes() {
        push(
            page,
            format_args!("<a href=\"#{code}\">{} {code}</a> ", code.status()),
        );
    }
    page.push_str("</p></section>\n");
}

fn values(values: Values) -> String {
    match values {
        Values::Text => "text".to_owned(),
        Values::Flag => "true or false".to_owned(),
        Values::Number { min, max } => format!("{min} to {max}"),
        Values::Words(words) => words.join(", "),
    }
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text)
        .expect("a string takes all that is written to it");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Escaped, with what stands in backticks as code.
fn with_code(text: &str) -> String {
    let mut html = String::new();
    for (number, part) in escaped(text).split('`').enumerate() {
        if number > 0 {
            html.push_str(if number % 2 == 1 { "<code>" } else { "</code>" });
        }
        html.push_str(part);
    }
    html
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">
<title>ipamd: HTTP API</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1c1f23;background:#fff}
main{max-width:60rem;margin:auto;padding:1rem}
section{border-top:1px solid #ccd2d9;padding:.5rem 0}
h3{margin:.5rem 0;font-size:1rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #e6e9ed}
code{background:#f1f3f5;padding:0 .2rem}small,.codes a{color:#5b6570;font-size:.85rem}
@media(prefers-color-scheme:dark){body{color:#e6e9ed;background:#15181c}code{background:#262b31}
section,td,th{border-color:#39414a}small,.codes a{color:#9aa5b1}}
</style>
<main>
<h1>ipamd: HTTP API</h1>
<p>JSON in and out under <code>/v1</code>. The same contract for programs: <a href=\"/openapi.json\">/openapi.json</a>.
Every answer carries <code>Ipam-Revision</code> and <code>Ipam-Leader</code>; local reads <code>Ipam-Staleness-Ms</code> too.</p>
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_operation_and_every_code_and_loads_nothing() {
        let page = page();
        for operation in operations() {
            assert!(
                page.contains(&format!("<section id=\"{}\">", operation.id)),
                "{}",
                operation.id
            );
        }
        for entry in CATALOGUE {
            assert!(
                page.contains(&format!("<tr id=\"{}\">", entry.name)),
                "{}",
                entry.name
            );
        }
        for outside in ["http://", "https://", "<script", "<img", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(
            page.matches("<code>").count(),
            page.matches("</code>").count()
        );
    }
}
