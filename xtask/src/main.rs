//! The one door for automation: `cargo xtask …`. Each sub-command is a file of its own.

mod check;
mod kinds;

use std::process::ExitCode;

use clap::Parser;

/// The one door for automation.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Run everything that must hold before a change lands.
    Check(check::Arguments),
    /// Write the facts of the built-in kinds anew, or check that they are up to date.
    Kinds(kinds::Arguments),
    /// Run real upstream programs and real manifests against Pintle.
    Conformance(xtask::conformance::Arguments),
    /// Measure Pintle beside kube-apiserver and etcd, in one interleaved run.
    Bench(xtask::bench::Arguments),
    /// Run every fuzz target for a while and write down what they did.
    Fuzz(xtask::fuzz::Arguments),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Check(arguments) => check::run(&arguments),
        Command::Kinds(arguments) => kinds::run(&arguments),
        Command::Conformance(arguments) => {
            xtask::conformance::run(&arguments).map_err(|failure| failure.to_string())
        }
        Command::Bench(arguments) => {
            xtask::bench::run(&arguments).map_err(|failure| failure.to_string())
        }
        Command::Fuzz(arguments) => {
            xtask::fuzz::run(&arguments).map_err(|failure| failure.to_string())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}
