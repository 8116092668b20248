//! `cargo xtask fuzz`: every target of `fuzz/`, one after another, and a page with what they did.
//!
//! The page is written anew after each target, and rows of the same day that were not run again
//! stay, so that a run can be stopped and taken up again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::conformance::{repository, today};
use crate::failure::{Doing, Failure};

/// What `cargo xtask fuzz` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// How long each target runs.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Leaves the committed page alone.
    #[arg(long)]
    dry: bool,
    /// Runs what is built already.
    #[arg(long)]
    no_build: bool,
    /// Runs only these targets, in this order.
    targets: Vec<String>,
}

/// One input may take this long before it counts as a hang.
const INPUT_SECONDS_MAX: u32 = 25;

/// One row of the page.
struct Row {
    executions: u64,
    seconds: u64,
    corpus_files: u64,
    corpus_bytes: u64,
    finding: String,
}

/// Builds all targets, runs those that were asked for, and writes the page.
///
/// # Errors
/// A build that fails (cargo-fuzz and a nightly compiler are needed), or inputs that were found.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let known = targets()?;
    if let Some(unknown) = arguments.targets.iter().find(|name| !known.contains(name)) {
        return Err(Failure::new(format!(
            "no target {unknown}; there are {}",
            known.join(", ")
        )));
    }
    if !arguments.no_build {
        build()?;
    }
    let mut found = Vec::new();
    let chosen = match arguments.targets.as_slice() {
        [] => known,
        some => some.to_vec(),
    };
    for target in chosen {
        println!("fuzz: {target}: {} seconds", arguments.seconds);
        let row = fuzz(&target, arguments.seconds)?;
        println!("fuzz: {target}: {}", row.cells());
        if row.finding != "none" {
            found.push(target.clone());
        }
        if !arguments.dry {
            note(&target, &row)?;
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "inputs were found by {}; they lie in fuzz/artifacts",
        found.join(", ")
    )))
}

fn directory() -> PathBuf {
    repository().join("fuzz")
}

/// Returns the targets in the order of `fuzz/Cargo.toml`.
fn targets() -> Result<Vec<String>, Failure> {
    let manifest = fs::read_to_string(directory().join("Cargo.toml")).doing("fuzz/Cargo.toml")?;
    let names = manifest.split("[[bin]]").skip(1).filter_map(|bin| {
        let name = bin.trim_start().strip_prefix("name = \"")?;
        Some(name.split('"').next()?.to_owned())
    });
    Ok(names.collect())
}

/// Builds every target. The rooms have no unsafe code, so the address sanitizer would only make each
/// input slower.
fn build() -> Result<(), Failure> {
    let status = Command::new("cargo")
        // The toolchain of the outer cargo would win over `+nightly`.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .args(["+nightly", "fuzz", "build", "--sanitizer", "none"])
        .current_dir(repository())
        .status()
        .doing("start cargo fuzz")?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(
        "the targets cannot be built\nhint: `rustup toolchain install nightly` and `cargo install cargo-fuzz`",
    ))
}

/// Returns where cargo-fuzz has put a target: under a folder with the name of this machine's kind.
fn program(target: &str) -> Result<PathBuf, Failure> {
    let folder = std::env::var_os("CARGO_TARGET_DIR");
    let folder = folder.map_or_else(|| directory().join("target"), PathBuf::from);
    for entry in fs::read_dir(&folder).doing(folder.display())? {
        let path = entry.doing(folder.display())?.path();
        let program = path.join("release").join(target);
        if path.join("CACHEDIR.TAG").is_file() && program.is_file() {
            return Ok(program);
        }
    }
    Err(Failure::new(format!(
        "{target} is not in {}",
        folder.display()
    )))
}

/// Runs one target on its seeds and what earlier runs have found.
fn fuzz(target: &str, seconds: u64) -> Result<Row, Failure> {
    let corpus = directory().join("corpus").join(target);
    let seeds = directory().join("seeds").join(target);
    let artifacts = directory().join("artifacts").join(target);
    for path in [&corpus, &seeds, &artifacts] {
        fs::create_dir_all(path).doing(format!("create {}", path.display()))?;
    }
    let known = files(&artifacts)?.0;
    let started = Instant::now();
    // Not by `cargo fuzz run`: that would build again whatever was edited since the run began.
    let output = Command::new(program(target)?)
        .args([&corpus, &seeds])
        .args(["-print_final_stats=1", "-verbosity=0"])
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .arg("-rss_limit_mb=3072")
        .stdout(Stdio::null())
        .output()
        .doing(format!("start the target {target}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let (corpus_files, corpus_bytes) = files(&corpus)?;
    let finding = if output.status.success() {
        "none".to_owned()
    } else {
        println!("{said}");
        let new = files(&artifacts)?.0.saturating_sub(known);
        format!("{new} new in fuzz/artifacts/{target}")
    };
    Ok(Row {
        executions: executions(&said),
        seconds: started.elapsed().as_secs(),
        corpus_files,
        corpus_bytes,
        finding,
    })
}

/// Returns how many inputs libFuzzer says it has tried.
fn executions(said: &str) -> u64 {
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.and_then(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

/// Returns count and size of the files of a directory.
fn files(path: &Path) -> Result<(u64, u64), Failure> {
    let mut sum = (0, 0);
    for entry in fs::read_dir(path).doing(path.display())? {
        let metadata = entry.doing(path.display())?.metadata().doing("metadata")?;
        sum = (sum.0 + 1, sum.1 + metadata.len());
    }
    Ok(sum)
}

impl Row {
    fn cells(&self) -> String {
        format!(
            "{} | {} | {} | {} | {}",
            self.executions, self.seconds, self.corpus_files, self.corpus_bytes, self.finding
        )
    }
}

/// Puts a target's row into the page of today.
fn note(target: &str, row: &Row) -> Result<(), Failure> {
    let date = today();
    let name = format!("fuzz-{date}");
    let path = repository().join(format!("conformance/results/{name}.md"));
    let mut rows = rows_of(&fs::read_to_string(path).unwrap_or_default());
    rows.insert(target.to_owned(), row.cells());
    let rows: Vec<String> = rows
        .iter()
        .map(|(target, cells)| format!("| {target} | {cells} |\n"))
        .collect();
    let body = format!(
        "One process, libFuzzer with coverage, debug assertions and overflow checks on, no sanitizer (the rooms have no unsafe code).\n\
         Seconds are of the wall, on a machine that did other things as well.\n\n\
         {HEAD}{}",
        rows.concat()
    );
    crate::conformance::write_result(&name, "cargo xtask fuzz", &body)?;
    Ok(())
}

const HEAD: &str = "| target | executions | seconds | corpus files | corpus bytes | findings |\n|---|---|---|---|---|---|\n";

/// Returns the rows of a page by target.
fn rows_of(page: &str) -> BTreeMap<String, String> {
    let rows = page.split_once("|---|---|---|---|---|---|\n");
    let lines = rows.map_or("", |(_, rows)| rows).lines();
    let row = |line: &str| {
        let (target, cells) = line.strip_prefix("| ")?.split_once(" | ")?;
        Some((target.to_owned(), cells.trim_end_matches(" |").to_owned()))
    };
    lines.filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::{HEAD, executions, rows_of, targets};

    #[test]
    fn knows_the_targets() {
        let targets = targets().expect("the manifest can be read");
        assert!(targets.contains(&"store_recover".to_owned()), "{targets:?}");
        for target in targets {
            let path = super::directory().join(format!("fuzz_targets/{target}.rs"));
            assert!(path.is_file(), "{target}");
        }
    }

    #[test]
    fn reads_what_it_wrote() {
        let page =
            format!("# x\n\n{HEAD}| a | 1 | 2 | 3 | 4 | none |\n| b | 5 | 6 | 7 | 8 | none |\n");
        let rows = rows_of(&page);
        assert_eq!(rows["a"], "1 | 2 | 3 | 4 | none");
        assert_eq!(rows.len(), 2);
        assert!(rows_of("").is_empty());
    }

    #[test]
    fn reads_what_the_fuzzer_says() {
        let said = "Done\nstat::number_of_executed_units: 1234\nstat::peak_rss_mb: 40\n";
        assert_eq!(executions(said), 1234);
        assert_eq!(executions("nothing"), 0);
    }
}
