//! `cargo xtask bench --cel`: the same rules evaluated by cel-go and here, one beside the other.
//!
//! Both programs print a line per rule (name, nanoseconds on a processor, cost); they run in turn, and
//! of each the best round counts. Where the costs differ, something else than the same was measured.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::conformance::{Scratch, repository, today};
use crate::failure::{Doing, Failure};

/// How often each program runs.
const ROUNDS: usize = 3;

/// What a rule took, and cost.
struct Line {
    name: String,
    nanos: f64,
    cost: u64,
}

/// Builds both programs, runs them and writes the result page.
pub(super) fn run() -> Result<(), Failure> {
    let scratch = Scratch::new("bench-cel")?;
    let theirs = scratch.path.join("speed");
    let folder = repository().join("conformance/cel/speed");
    done(
        Command::new("go")
            .args(["build", "-o"])
            .arg(&theirs)
            .arg(".")
            .current_dir(&folder),
        "build the program in Go",
    )?;
    done(
        Command::new("cargo").args([
            "build",
            "--release",
            "--quiet",
            "-p",
            "schema",
            "--example",
            "cel",
        ]),
        "build the example",
    )?;
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| repository().join("target"), Into::into);
    let ours = target.join("release/examples/cel");
    let (mut upstream, mut here) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        best(&mut upstream, measured(&theirs, &folder)?);
        best(&mut here, measured(&ours, &folder)?);
    }
    let table = table(&upstream, &here)?;
    print!("{table}");
    let path = repository().join(format!("bench/results/{}-cel.md", today()));
    let page = format!(
        "# Rules in CEL beside cel-go\n\nDate: {}\nCommand: `cargo xtask bench --cel`\n\
         Evaluation alone, of compiled rules with cost and limits counted, on an object that was made a \
         value before; nanoseconds on a processor, median of 30 samples, best of {ROUNDS} rounds in turn. \
         The rules and the object are in `conformance/cel/speed/speed.json`.\n\n{table}",
        today()
    );
    std::fs::write(&path, page).doing(format!("write {}", path.display()))
}

fn done(command: &mut Command, what: &str) -> Result<(), Failure> {
    let status = command.status().doing(what)?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::new(format!("{what}: {status}"))),
    }
}

fn measured(program: &Path, folder: &Path) -> Result<Vec<Line>, Failure> {
    let what = || format!("run {}", program.display());
    let output = Command::new(program)
        .current_dir(folder)
        .output()
        .doing(what())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Option<Vec<Line>> = text.lines().map(line).collect();
    match lines.filter(|lines| output.status.success() && !lines.is_empty()) {
        Some(lines) => Ok(lines),
        None => Err(Failure::new(format!("{}: {text}", what()))),
    }
}

fn line(text: &str) -> Option<Line> {
    let mut words = text.split_whitespace();
    Some(Line {
        name: words.next()?.to_owned(),
        nanos: words.next()?.parse().ok()?,
        cost: words.next()?.parse().ok()?,
    })
}

/// Keeps the faster of two rounds, rule by rule.
fn best(known: &mut Vec<Line>, round: Vec<Line>) {
    if known.is_empty() {
        *known = round;
        return;
    }
    for (known, one) in known.iter_mut().zip(round) {
        known.nanos = known.nanos.min(one.nanos);
    }
}

fn table(upstream: &[Line], here: &[Line]) -> Result<String, Failure> {
    let mut text =
        String::from("| rule | cel-go | Pintle | faster | cost |\n|---|---|---|---|---|\n");
    for (theirs, ours) in upstream.iter().zip(here) {
        if theirs.name != ours.name || theirs.cost != ours.cost {
            let (a, b) = (theirs.cost, ours.cost);
            return Err(Failure::new(format!("{}: costs {a} and {b}", theirs.name)));
        }
        let _ = writeln!(
            text,
            "| {} | {:.2} µs | {:.2} µs | {:.1}x | {} |",
            ours.name,
            theirs.nanos / 1e3,
            ours.nanos / 1e3,
            theirs.nanos / ours.nanos,
            ours.cost
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{Line, best, line, table};

    fn lines(text: &str) -> Vec<Line> {
        text.lines().map(|one| line(one).expect("a line")).collect()
    }

    #[test]
    fn the_best_round_of_each_counts() {
        let mut known = Vec::new();
        best(&mut known, lines("a 3000 7\nb 1000 8"));
        best(&mut known, lines("a 2000 7\nb 4000 8"));
        let table = table(&known, &lines("a 500 7\nb 500 8")).expect("the costs agree");
        assert!(table.ends_with(
            "| a | 2.00 µs | 0.50 µs | 4.0x | 7 |\n| b | 1.00 µs | 0.50 µs | 2.0x | 8 |\n"
        ));
    }

    #[test]
    fn other_costs_are_another_measurement() {
        assert!(table(&lines("a 1 7"), &lines("a 1 8")).is_err());
        assert!(line("a b c").is_none());
    }
}
