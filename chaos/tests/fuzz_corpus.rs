//! Every input of the corpus (`chaos/fuzz/corpus`, docs/fuzzing.md) is read without anything that must not be.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use chaos::fuzz::TARGETS;
use cluster_tests::requirements::say;

#[test]
fn every_input_of_the_corpus_is_read() -> Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for target in TARGETS {
        let folder = corpus.join(target.name);
        let inputs = fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))?;
        let (mut read, mut taken) = (0, 0);
        for input in inputs {
            let path = input?.path();
            let bytes = fs::read(&path)?;
            let Ok(is_taken) = catch_unwind(|| (target.read)(&bytes)) else {
                bail!("{} has found something", path.display());
            };
            read += 1;
            taken += usize::from(is_taken);
        }
        // Where all were refused, nothing behind the refusal was read.
        ensure!(
            taken > 0,
            "of {read} inputs of {} none was taken",
            target.name
        );
        say(&format!("{}: {read} inputs, {taken} taken", target.name));
    }
    Ok(())
}
