//! `ipamctl`: ipamd from the command line, as a library: the program is [`run`] and nothing else.
//!
//! 1. Data goes to stdout, everything else to stderr; so output can be piped as it is.
//! 2. Every failure has one of the exit codes of `failure`, and is printed once.
//! 3. Whatever destroys something asks for its name, or for their number where there are several, or for
//!    `--yes`; where nobody can be asked it is refused.
//! 4. A command can be repeated after any failure: claims have names, releases have generations. A fence
//!    that was not stated (a generation, a revision, an epoch) is told before anything is sent.

mod args;
mod clock;
mod commands;
mod confirm;
mod failure;
mod interrupt;
mod manifest;
mod output;
mod progress;
pub mod reading;
mod settings;
mod transfer;

use std::io;

use clap::Parser;

use args::Cli;
use failure::Failure;

/// Does what the command line says, and returns the exit code.
pub async fn run() -> i32 {
    let cli = Cli::parse();
    let outcome = tokio::select! {
        outcome = commands::run(cli) => outcome,
        interrupted = interrupt::interrupted() => Err(match interrupted {
            Ok(()) => Failure::Aborted,
            Err(error) => Failure::Local { what: "cannot listen for Ctrl-C".to_owned(), source: error },
        }),
    };
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            // When stderr is gone too there is nobody left to tell.
            failure.print(&mut io::stderr().lock()).ok();
            failure.exit_code()
        }
    }
}
