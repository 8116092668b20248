//! The command line: says what was asked to the library and how it ended to the shell.

use std::process::ExitCode;

use clap::Parser;
use pintle::{
    arguments::{Arguments, Command},
    assets,
    failure::{Failure, Report},
    run::{self, Roles},
    standin::StandIn,
};

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let stand_in = words.next().and_then(|program| StandIn::of(&program));
    let result = match stand_in {
        Some(stand_in) => {
            // A word that is no text is no flag either, and is refused as one.
            let words = words.map(|word| word.to_string_lossy().into_owned());
            stand_in.run(&words.collect::<Vec<_>>(), controllers())
        }
        None => run_command(Arguments::parse().command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", Report(&failure));
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run_command(command: Command) -> Result<(), Failure> {
    match command {
        Command::Up(arguments) => run::serve(&arguments, Roles::All),
        Command::Server(arguments) => run::serve(&arguments, Roles::ServerOnly),
        Command::Assets(arguments) => {
            let written = assets::write(&arguments.directory, &environment("PATH"))?;
            eprint!("{}", written.remarks());
            println!("{}", written.export());
            Ok(())
        }
        Command::KubeApiserver(arguments) => {
            StandIn::KubeApiserver.run(&arguments.words, controllers())
        }
        Command::Etcd(arguments) => StandIn::Etcd.run(&arguments.words, Vec::new()),
        Command::Version => {
            println!("{}", run::version_text());
            Ok(())
        }
    }
}

/// Returns the controllers to run beside a stand-in, which harnesses cannot ask for with a flag.
fn controllers() -> Vec<String> {
    let said = environment("PINTLE_CONTROLLERS");
    let names = said.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[allow(
    clippy::disallowed_methods,
    reason = "the binary is the one place that reads the environment"
)]
fn environment(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
