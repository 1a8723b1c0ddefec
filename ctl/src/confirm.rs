//! Asking before something is destroyed.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::failure::Failure;

/// Goes on only when the user types `word`, which names what goes; `yes` stands for having typed it.
pub(crate) async fn confirm(what: &str, word: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let reason =
            format!("{what} needs --yes where nobody can be asked (stdin is not a terminal)");
        return Err(Failure::Usage(reason));
    }
    let prompt = format!("{what}. Type {word} to go on: ");
    let answer = tokio::task::spawn_blocking(move || {
        asked(&prompt, &mut io::stderr(), &mut io::stdin().lock())
    })
    .await;
    let line = answer
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|source| Failure::Local {
            what: "cannot ask".to_owned(),
            source,
        })?;
    if line.trim() == word {
        Ok(())
    } else {
        Err(Failure::Aborted)
    }
}

fn asked(prompt: &str, to: &mut impl Write, from: &mut impl BufRead) -> io::Result<String> {
    write!(to, "{prompt}")?;
    to.flush()?;
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_comes_first_and_one_line_is_read() {
        let mut shown = Vec::new();
        let line = asked("Type p: ", &mut shown, &mut "p\nrest".as_bytes()).unwrap();
        assert_eq!(
            (shown.as_slice(), line.as_str()),
            (b"Type p: ".as_slice(), "p\n")
        );
        assert_eq!(asked("", &mut Vec::new(), &mut "".as_bytes()).unwrap(), "");
    }
}
