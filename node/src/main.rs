//! The program `ipamd`. Everything it does is in the library; here are the command line, the exit
//! code, and the one place where an error is printed.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use node::config::{ServeSwitches, Settings};
use node::dev::DevSwitches;
use node::logging::Log;

/// What one thread makes and another frees is most of what a claim leaves behind: the allocator of memory is one that
/// is made for it.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Hands out blocks of IP address space, and never the same one twice.
#[derive(Debug, Parser)]
#[command(name = "ipamd", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one node of a cluster
    Serve(Box<ServeSwitches>),
    /// Run a whole cluster on this machine, with a tenant to try things on
    Dev(DevSwitches),
}

/// Exit code where the program was told something that it cannot follow.
const USAGE: u8 = 2;
/// Exit code where something else failed.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve(switches) => serve(*switches),
        Command::Dev(switches) => dev(switches),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, error)) => {
            // If stderr is gone there is nobody to tell; the exit code remains.
            writeln!(std::io::stderr(), "ipamd: {error:#}").ok();
            ExitCode::from(code)
        }
    }
}

fn serve(switches: ServeSwitches) -> Result<(), (u8, anyhow::Error)> {
    let settings = Settings::resolve(switches).map_err(usage)?;
    let log = Log::start(settings.log_format, &settings.log_filter).map_err(usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime
        .block_on(node::serve::serve(settings, &log))
        .map_err(failed)
}

fn dev(switches: DevSwitches) -> Result<(), (u8, anyhow::Error)> {
    // One thread, this one: the kernel ends the nodes when the thread that started them ends.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(node::dev::dev(switches)).map_err(failed)
}

fn usage(error: impl Into<anyhow::Error>) -> (u8, anyhow::Error) {
    (USAGE, error.into())
}

fn failed(error: impl Into<anyhow::Error>) -> (u8, anyhow::Error) {
    (FAILED, error.into())
}
