//! Runs recorded transcripts against a server and compares.
//!
//! A [`Suite`] is a folder of `*.steps` files, one a topic. What they expect was recorded against
//! upstream (`--against upstream --record`); a step passes only if Pintle prints the same.
//! What Pintle does not do yet is listed in `conformance/gaps.txt`; anything else fails the run.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use super::gaps::Gaps;
use super::stage::Stage;
use super::steps::{Item, Transcript};
use super::{Against, Ground, Target, repository, upstream, write_result};
use crate::failure::{Doing, Failure};

/// What every suite of transcripts takes.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Writes what is printed into the transcripts, where it does not match already.
    #[arg(long)]
    record: bool,
    /// Writes a page into conformance/results.
    #[arg(long)]
    results: bool,
    /// Adds the steps that fail to conformance/gaps.txt, with this reason.
    #[arg(long, value_name = "REASON")]
    accept: Option<String>,
    /// Topics to run; all of them if none is named.
    topics: Vec<String>,
}

/// A folder of transcripts and what their commands need.
pub struct Suite {
    /// Folder under conformance, and the name of the sub-command.
    pub name: &'static str,
    /// Programs besides kubectl.
    pub programs: &'static [upstream::Program],
    /// Go modules whose files the commands read: variable for the directory, module and version.
    pub modules: &'static [(&'static str, &'static str)],
}

/// Runs the transcripts of a suite and prints what did not match.
///
/// # Errors
/// Something kept the run from happening, or steps failed (their count).
pub fn run(suite: &Suite, arguments: &Arguments) -> Result<(), Failure> {
    let files = transcripts(suite, &arguments.topics)?;
    let modules = suite
        .modules
        .iter()
        .map(|(variable, module)| Ok(((*variable).to_owned(), upstream::module(module)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let ground = Ground::prepare(&arguments.target, suite.programs)?;
    let mut gaps = match arguments.target.against {
        Against::Pintle => Gaps::load()?,
        // Upstream has no gaps: it is what the transcripts were recorded from.
        Against::Upstream => Gaps::default(),
    };
    let mut outcomes = Vec::new();
    for file in &files {
        let mut outcome = run_topic(&ground, &modules, file, arguments.record)?;
        let place = format!("{}/{}", suite.name, outcome.topic);
        if let Some(reason) = &arguments.accept {
            gaps.accept(&place, &outcome.failures, reason)?;
        }
        let (known, new) = std::mem::take(&mut outcome.failures)
            .into_iter()
            .partition(|failure| gaps.reason(&place, &failure.step).is_some());
        outcome.known = known;
        outcome.failures = new;
        outcome.stale = gaps.stale(&place, &outcome.known);
        print!("{outcome}");
        outcomes.push(outcome);
    }
    let sum = |count: fn(&Outcome) -> usize| outcomes.iter().map(count).sum::<usize>();
    let failed = sum(|outcome| outcome.failures.len() + outcome.stale.len());
    println!(
        "{} of {} steps passed, {} known gaps, {failed} failures",
        sum(|outcome| outcome.passed),
        sum(|outcome| outcome.steps),
        sum(|outcome| outcome.known.len()),
    );
    if arguments.results {
        write_page(suite, arguments, &outcomes, &gaps)?;
    }
    if failed == 0 || arguments.record {
        Ok(())
    } else {
        Err(Failure::new(format!("{failed} steps failed")))
    }
}

/// A step that printed something else.
pub(super) struct Mismatch {
    /// The line that begins the step.
    pub(super) step: String,
    /// What was expected and what was printed.
    difference: String,
}

struct Outcome {
    topic: String,
    steps: usize,
    passed: usize,
    /// Mismatches that are listed as gaps.
    known: Vec<Mismatch>,
    /// Mismatches that are not.
    failures: Vec<Mismatch>,
    /// Listed gaps that passed.
    stale: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20} {:>3} of {:>3} steps, {} known gaps",
            self.topic,
            self.passed,
            self.steps,
            self.known.len()
        )?;
        for failure in &self.failures {
            writeln!(f, "{}\n{}", failure.step, failure.difference)?;
        }
        for step in &self.stale {
            writeln!(f, "passes; take it out of conformance/gaps.txt: {step}")?;
        }
        Ok(())
    }
}

fn transcripts(suite: &Suite, topics: &[String]) -> Result<Vec<PathBuf>, Failure> {
    let directory = repository().join("conformance").join(suite.name);
    let reading = format!("read {}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&directory).doing(&reading)? {
        let path = entry.doing(&reading)?.path();
        let is_steps = path
            .extension()
            .is_some_and(|extension| extension == "steps");
        if is_steps && (topics.is_empty() || topics.iter().any(|topic| *topic == topic_of(&path))) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::new(format!(
            "no such topic in {}",
            directory.display()
        )));
    }
    Ok(files)
}

fn topic_of(path: &Path) -> String {
    path.file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

fn run_topic(
    ground: &Ground,
    modules: &[(String, PathBuf)],
    file: &Path,
    record: bool,
) -> Result<Outcome, Failure> {
    let text = std::fs::read_to_string(file).doing(format!("read {}", file.display()))?;
    let mut transcript = Transcript::parse(&text).doing(format!("parse {}", file.display()))?;
    let mut stage = Stage::set(ground, modules, &topic_of(file))?;
    let mut outcome = Outcome {
        topic: topic_of(file),
        steps: 0,
        passed: 0,
        known: Vec::new(),
        failures: Vec::new(),
        stale: Vec::new(),
    };
    for item in &mut transcript.items {
        match item {
            Item::Prose(_) => {}
            Item::File { name, content } => {
                std::fs::write(stage.directory.join(&*name), content)
                    .doing("write an input file")?;
            }
            Item::Step(step) => {
                let printed = stage.perform(&step.mode, &step.expected, record)?;
                if !step.mode.asserts() {
                    continue;
                }
                outcome.steps += 1;
                if step.expected.matches(&printed) {
                    outcome.passed += 1;
                } else if record {
                    step.expected = printed.recorded();
                } else {
                    outcome.failures.push(Mismatch {
                        step: step.mode.line(),
                        difference: step.expected.difference(&printed),
                    });
                }
            }
        }
    }
    if record {
        std::fs::write(file, transcript.render()).doing(format!("write {}", file.display()))?;
    }
    Ok(outcome)
}

fn write_page(
    suite: &Suite,
    arguments: &Arguments,
    outcomes: &[Outcome],
    gaps: &Gaps,
) -> Result<(), Failure> {
    let against = arguments.target.against.name();
    let name = suite.name;
    let steps: usize = outcomes.iter().map(|outcome| outcome.steps).sum();
    let passed: usize = outcomes.iter().map(|outcome| outcome.passed).sum();
    let mut body = format!("{passed} of {steps} steps print what upstream 1.37.1 prints.\n\n");
    body.push_str("| topic | steps | passed | known gaps |\n|---|---|---|---|\n");
    for outcome in outcomes {
        let _ = writeln!(
            body,
            "| {} | {} | {} | {} |",
            outcome.topic,
            outcome.steps,
            outcome.passed,
            outcome.known.len()
        );
    }
    for outcome in outcomes {
        let place = format!("{name}/{}", outcome.topic);
        for failure in outcome.known.iter().chain(&outcome.failures) {
            let reason = gaps
                .reason(&place, &failure.step)
                .unwrap_or("not explained yet");
            let _ = write!(
                body,
                "\n{place}: {reason}\n```text\n{}\n{}```\n",
                failure.step, failure.difference
            );
        }
    }
    let command = format!("cargo xtask conformance {name} --against {against} --results");
    write_result(&format!("{name}-{against}"), &command, &body)?;
    Ok(())
}
