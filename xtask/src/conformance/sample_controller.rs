//! `cargo xtask conformance sample-controller`: the unmodified upstream example controller.

use super::{Ground, Target, upstream};
use crate::failure::Failure;

/// What `cargo xtask conformance sample-controller` takes.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
}

/// Runs the controller and checks what it did.
///
/// # Errors
/// The first check that failed.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let _ground = Ground::prepare(&arguments.target, &[upstream::Program::SampleController])?;
    Err(Failure::new("sample-controller is not driven yet"))
}
