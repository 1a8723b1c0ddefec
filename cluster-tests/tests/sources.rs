//! What must hold of the source text itself.

use std::path::{Path, PathBuf};

/// One idea a file: past this length there are certainly two.
const LINES_MAX: usize = 600;

#[test]
fn no_source_file_is_longer_than_six_hundred_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root).expect("the workspace") {
        let crate_folder = entry.expect("an entry of the workspace").path();
        if crate_folder.join("Cargo.toml").is_file() {
            for part in ["src", "tests", "benches", "examples"] {
                rust_files(&crate_folder.join(part), &mut files);
            }
        }
    }
    assert!(files.len() > 20, "the walk found the sources: {files:?}");
    let long: Vec<String> = files
        .iter()
        .map(|file| {
            (
                file,
                std::fs::read_to_string(file)
                    .expect("a source file")
                    .lines()
                    .count(),
            )
        })
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines}", file.display()))
        .collect();
    assert!(long.is_empty(), "longer than {LINES_MAX} lines: {long:#?}");
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}
