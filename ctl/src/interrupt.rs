//! Ctrl-C: it ends the command, but for the time in which an editor has the terminal.
//!
//! A terminal sends it to all that run in it, and to an editor it is a key as any other (C-g in Emacs).

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many editors have the terminal.
static EDITORS: AtomicUsize = AtomicUsize::new(0);

/// While it is there Ctrl-C is the editor's.
#[derive(Debug)]
pub(crate) struct TerminalLent(());

impl TerminalLent {
    /// Lends the terminal to an editor.
    pub(crate) fn lend() -> Self {
        EDITORS.fetch_add(1, Ordering::SeqCst);
        Self(())
    }

    /// Takes it back, once a Ctrl-C that came before the editor's end is known to have come.
    pub(crate) async fn take_back(self) {
        // The first lets the runtime look for signals, the second lets the one who waits for them see it.
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for TerminalLent {
    fn drop(&mut self) {
        EDITORS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits for a Ctrl-C that is meant for this command.
pub(crate) async fn interrupted() -> io::Result<()> {
    loop {
        tokio::signal::ctrl_c().await?;
        if EDITORS.load(Ordering::SeqCst) == 0 {
            return Ok(());
        }
    }
}
