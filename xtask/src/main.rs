//! The one door for automation: `cargo xtask …`. Each sub-command is a file of its own.

mod kinds;

use std::process::ExitCode;

use clap::Parser;

/// The one door for automation.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Command {
    /// Write the facts of the built-in kinds anew, or check that they are up to date.
    Kinds(kinds::Arguments),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Kinds(arguments) => kinds::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}
