//! `cargo xtask kinds`: runs the Go program that writes down the facts of the built-in kinds.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The files that the program writes, relative to the repository.
const FILES: [&str; 7] = [
    "crates/access/data/bootstrap-rbac.json",
    "crates/kinds/data/bootstrap-flowcontrol.json",
    "crates/kinds/data/bootstrap-priorityclasses.json",
    "crates/kinds/data/kinds.txt",
    "crates/kinds/tests/tables/cells.jsonl",
    "crates/kinds/tests/tables/conversions.jsonl",
    "crates/schema/tests/all/unserved.txt",
];

/// What to do with the facts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail if the committed files differ from what would be written.
    #[arg(long)]
    check: bool,
}

/// Writes or checks the facts.
///
/// # Errors
/// A sentence that names the file or the program that failed.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("xtask lies outside a repository")?;
    if !arguments.check {
        return generate(repository, repository);
    }
    let fresh = repository.join("target/kinds-check");
    generate(repository, &fresh)?;
    let stale: Vec<&str> = FILES
        .into_iter()
        .filter(|file| fs::read(repository.join(file)).ok() != fs::read(fresh.join(file)).ok())
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} out of date; run `cargo xtask kinds`",
        stale.join(", ")
    ))
}

/// Runs the program, which writes every one of [`FILES`] below `into`.
fn generate(repository: &Path, into: &Path) -> Result<(), String> {
    for file in FILES {
        let folder: PathBuf = into.join(file).with_file_name("");
        fs::create_dir_all(&folder)
            .map_err(|problem| format!("{}: {problem}", folder.display()))?;
    }
    let status = Command::new("go")
        .args(["run", ".", "-into"])
        .arg(into)
        .current_dir(repository.join("xtask/kinds-facts"))
        .status()
        .map_err(|problem| format!("failed to run go: {problem}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("kinds-facts ended with {status}"))
    }
}
