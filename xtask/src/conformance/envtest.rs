//! `cargo xtask conformance envtest`: controller-runtime's envtest and its own suites, unmodified.
//!
//! The pin is `conformance/envtest/go.mod`. Two things are run: a small program there, which prints
//! how long starts and stops take, and the module's own tests, straight out of the module cache.

mod suites;

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Against, Scratch, repository, upstream};
use crate::control_plane::{self, Profile};
use crate::failure::{Doing, Failure};

/// What `cargo xtask conformance envtest` takes.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Whose programs envtest starts.
    #[arg(long, value_enum, default_value_t = Against::Pintle)]
    against: Against,
    /// Runs this Pintle binary instead of building one.
    #[arg(long)]
    pintle: Option<PathBuf>,
    /// Runs the programs of this directory.
    #[arg(long, conflicts_with = "pintle")]
    assets: Option<PathBuf>,
    /// How often to start and stop.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Fails if the fastest start takes longer, as in `300ms`.
    #[arg(long)]
    start_max: Option<String>,
    /// Fails if the fastest stop takes longer.
    #[arg(long)]
    stop_max: Option<String>,
    /// Leaves the module's own suites out.
    #[arg(long)]
    no_suites: bool,
    /// Runs only specs whose name matches this expression.
    #[arg(long)]
    focus: Option<String>,
    /// Writes a page into conformance/results.
    #[arg(long)]
    results: bool,
    /// Packages of the module to test, as in `pkg/client`; all that need a server if none is named.
    packages: Vec<String>,
}

/// Starts and stops environments, prints the times, and runs the suites.
///
/// # Errors
/// A program that cannot be built, an environment that does not do what it should, or tests that
/// fail and are not listed.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let scratch = Scratch::new("envtest")?;
    let assets = match (&arguments.assets, arguments.against) {
        (Some(assets), _) => assets.clone(),
        (None, Against::Upstream) => {
            let mut programs = vec![upstream::Program::Kubectl];
            programs.extend_from_slice(&upstream::Program::CONTROL_PLANE);
            upstream::provide(None, &programs)?
        }
        (None, Against::Pintle) => write_assets(arguments, &scratch)?,
    };
    let times = start_and_stop(arguments, &assets)?;
    if arguments.no_suites {
        return Ok(());
    }
    suites::run(arguments, &scratch, &assets, &times)
}

/// Runs the program that starts and stops, and returns what it printed.
fn start_and_stop(arguments: &Arguments, assets: &Path) -> Result<String, Failure> {
    let mut command = Command::new("go");
    command
        .current_dir(module())
        .args(["run", "-buildvcs=false", "."])
        .arg(format!("-rounds={}", arguments.rounds))
        .env("CGO_ENABLED", "0")
        .env("KUBEBUILDER_ASSETS", assets)
        .stderr(std::process::Stdio::inherit());
    if let Some(limit) = &arguments.start_max {
        command.arg(format!("-start-max={limit}"));
    }
    if let Some(limit) = &arguments.stop_max {
        command.arg(format!("-stop-max={limit}"));
    }
    let output = command.output().doing("start go, which runs envtest")?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{printed}");
    match output.status.success() {
        true => Ok(printed),
        false => Err(Failure::new("envtest failed")),
    }
}

/// Where the pin is.
fn module() -> PathBuf {
    repository().join("conformance/envtest")
}

fn write_assets(arguments: &Arguments, scratch: &Scratch) -> Result<PathBuf, Failure> {
    let program = match &arguments.pintle {
        // The links are made to be used from other directories.
        Some(path) => path
            .canonicalize()
            .doing(format!("find {}", path.display()))?,
        None => control_plane::build_pintle(Profile::Dev)?,
    };
    let assets = scratch.path.join("assets");
    let status = Command::new(&program)
        .arg("assets")
        .arg(&assets)
        .stdout(std::process::Stdio::null())
        .status()
        .doing(format!("start {}", program.display()))?;
    match status.success() {
        true => Ok(assets),
        false => Err(Failure::new("pintle assets failed")),
    }
}
