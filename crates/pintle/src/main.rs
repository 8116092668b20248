//! The command line: says what was asked to the library and how it ended to the shell.

use std::process::ExitCode;

use clap::Parser;
use pintle::{
    arguments::{Arguments, Command},
    failure::Report,
    run::{self, Roles},
};

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Up(arguments) => run::serve(&arguments, Roles::All),
        Command::Server(arguments) => run::serve(&arguments, Roles::ServerOnly),
        Command::Version => {
            println!("{}", run::version_text());
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", Report(&failure));
            ExitCode::from(failure.exit_code())
        }
    }
}
