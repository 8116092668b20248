//! `cargo xtask conformance envtest`: controller-runtime's envtest, unmodified, on Pintle.
//!
//! The Go program and its pin are in `conformance/envtest`; it prints how long starts and stops take.

use std::path::PathBuf;
use std::process::Command;

use super::{Scratch, repository};
use crate::control_plane::{self, Profile};
use crate::failure::{Doing, Failure};

/// What `cargo xtask conformance envtest` takes.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Runs this Pintle binary instead of building one.
    #[arg(long)]
    pintle: Option<PathBuf>,
    /// Runs the programs of this directory, such as upstream's, instead of Pintle.
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
}

/// Starts and stops environments and prints the times.
///
/// # Errors
/// A program that cannot be built, or an environment that does not do what it should.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let scratch = Scratch::new("envtest")?;
    let assets = match &arguments.assets {
        Some(assets) => assets.clone(),
        None => write_assets(arguments, &scratch)?,
    };
    let mut command = Command::new("go");
    command
        .current_dir(repository().join("conformance/envtest"))
        .args(["run", "-buildvcs=false", "."])
        .arg(format!("-rounds={}", arguments.rounds))
        .env("CGO_ENABLED", "0")
        .env("KUBEBUILDER_ASSETS", assets);
    if let Some(limit) = &arguments.start_max {
        command.arg(format!("-start-max={limit}"));
    }
    if let Some(limit) = &arguments.stop_max {
        command.arg(format!("-stop-max={limit}"));
    }
    let status = command.status().doing("start go, which runs envtest")?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::new("envtest failed")),
    }
}

fn write_assets(arguments: &Arguments, scratch: &Scratch) -> Result<PathBuf, Failure> {
    let program = match &arguments.pintle {
        Some(path) => path.clone(),
        None => control_plane::build_pintle(Profile::Dev)?,
    };
    let assets = scratch.path.join("assets");
    let status = Command::new(&program)
        .arg("assets")
        .arg(&assets)
        .status()
        .doing(format!("start {}", program.display()))?;
    match status.success() {
        true => Ok(assets),
        false => Err(Failure::new("pintle assets failed")),
    }
}
