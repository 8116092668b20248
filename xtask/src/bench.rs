//! `cargo xtask bench`: builds Pintle and the load generator in release mode, then runs the latter.

mod cel;

use std::path::PathBuf;
use std::process::Command;

use crate::conformance::upstream;
use crate::failure::{Doing, Failure};

/// What `cargo xtask bench` takes; the rest goes to the load generator as it is.
#[derive(clap::Args)]
pub struct Arguments {
    /// Measures this binary instead of building Pintle.
    #[arg(long)]
    pintle: Option<PathBuf>,
    /// Directory that holds etcd, kube-apiserver and kube-controller-manager.
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Measures rules in CEL beside cel-go instead, and nothing else.
    #[arg(long)]
    cel: bool,
    /// Arguments of the load generator, for example `-- --rows get,list --rounds 3`.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Builds what is measured and measures it.
///
/// # Errors
/// A build that fails, or a load generator that does.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.cel {
        return cel::run();
    }
    let bin = upstream::provide(arguments.bin.as_deref(), &upstream::Program::CONTROL_PLANE)?;
    let pintle = match &arguments.pintle {
        Some(path) => path.clone(),
        None => crate::control_plane::build_pintle(crate::control_plane::Profile::Release)?,
    };
    let status = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--package", "bench", "--"])
        .arg("--bin")
        .arg(bin)
        .arg("--pintle")
        .arg(pintle)
        .args(&arguments.rest)
        .status()
        .doing("start the load generator")?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new("the benchmark failed"))
    }
}
