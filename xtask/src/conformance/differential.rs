//! `cargo xtask conformance differential`: the same requests to upstream and to Pintle.
//!
//! A family of cases is a folder under `conformance/differential`, a topic a `*.cases` file in it
//! ([`cases`]). Each case is one request, sent as a dry run; what upstream answered was recorded as
//! what it changed of the object it was sent, or as the refusal's code, reason and causes
//! ([`answer`]). Families differ in what they ask: `defaults` sends good objects and looks at what
//! the server filled in; mutations of them belong in a family of their own.
//!
//! What Pintle answers otherwise is listed with its reason in `conformance/differences.md`; a
//! listed case that passes fails the run. `crates/testkit/tests/differential.rs` replays the
//! recorded answers without upstream.

pub mod answer;
pub mod cases;
mod exchange;
pub mod known;

use std::fmt::Write as _;

use super::{Against, Ground, Target, write_result};
use crate::failure::Failure;
use answer::Answer;
use cases::{Case, Topic};
use exchange::Door;
use known::Known;

/// What `cargo xtask conformance differential` takes.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Families to run; all of them if none is named.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Runs only cases whose name holds this text.
    #[arg(long)]
    case: Option<String>,
    /// Compares with upstream's recorded answers instead of starting upstream beside.
    #[arg(long)]
    recorded: bool,
    /// Writes upstream's answers into the case files.
    #[arg(long)]
    record: bool,
    /// Writes a page into conformance/results.
    #[arg(long)]
    results: bool,
}

/// Sends the cases to both sides and prints what differs.
///
/// # Errors
/// Something kept the run from happening, or cases differ (their count).
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut topics = cases::load(&arguments.only)?;
    let wanted = |case: &Case| {
        let part = arguments.case.as_deref().unwrap_or_default();
        case.is_setup || case.name.contains(part)
    };
    if arguments.record || !arguments.recorded {
        let side = Side::start(&upstream(&arguments.target))?;
        let mut moved = 0;
        for topic in &mut topics {
            let place = topic.place();
            for case in topic.cases.iter_mut().filter(|case| wanted(case)) {
                let Some(answer) = side.ask(case)? else {
                    continue;
                };
                if case.answer.as_ref() != Some(&answer) {
                    moved += 1;
                    if !arguments.record {
                        println!("not what was recorded: {place}: {}", case.name);
                    }
                }
                case.answer = Some(answer);
            }
            if arguments.record {
                topic.write()?;
            }
        }
        println!("{moved} answers of upstream are not what was recorded");
        if arguments.record {
            return Ok(());
        }
    }
    let side = Side::start(&arguments.target)?;
    let report = compare(&side, &topics, &wanted)?;
    print!("{}", report.text);
    println!("{}", report.sum());
    if arguments.results {
        let body = format!("{}\n\n```text\n{}```\n", report.sum(), report.text);
        write_result(
            "differential",
            "cargo xtask conformance differential",
            &body,
        )?;
    }
    match report.failed {
        0 => Ok(()),
        failed => Err(Failure::new(format!("{failed} cases differ"))),
    }
}

fn upstream(target: &Target) -> Target {
    Target {
        against: Against::Upstream,
        kubeconfig: None,
        pintle: target.pintle.clone(),
    }
}

/// What a comparison found.
#[derive(Default)]
struct Report {
    text: String,
    same: usize,
    known: usize,
    failed: usize,
}

impl Report {
    fn sum(&self) -> String {
        format!(
            "{} cases are the same, {} known differences, {} failures",
            self.same, self.known, self.failed
        )
    }
}

fn compare(
    side: &Side,
    topics: &[Topic],
    wanted: &dyn Fn(&Case) -> bool,
) -> Result<Report, Failure> {
    let known = Known::load()?;
    let mut report = Report::default();
    for topic in topics {
        for case in topic.cases.iter().filter(|case| wanted(case)) {
            let Some(found) = side.ask(case)? else {
                continue;
            };
            let Some(expected) = &case.answer else {
                return Err(Failure::new(format!(
                    "{}: {}: nothing is recorded",
                    topic.place(),
                    case.name
                )));
            };
            match known.judge(&topic.place(), &case.name, expected, &found) {
                Ok(true) => report.same += 1,
                Ok(false) => report.known += 1,
                Err(text) => {
                    report.failed += 1;
                    let _ = writeln!(report.text, "{text}");
                }
            }
        }
    }
    Ok(report)
}

/// One server and the way to it.
struct Side {
    door: Door,
    /// Keeps the server running.
    _ground: Ground,
}

impl Side {
    fn start(target: &Target) -> Result<Self, Failure> {
        let ground = Ground::prepare(target, &[])?;
        let door = Door::open(&ground.bin, &ground.kubeconfig)?;
        Ok(Self {
            door,
            _ground: ground,
        })
    }

    /// Sends a case and returns the answer; that of a setup must be a success, and is nobody's.
    fn ask(&self, case: &Case) -> Result<Option<Answer>, Failure> {
        let (code, body) = self.door.send(&case.request, &case.target())?;
        if !case.is_setup {
            return Ok(Some(Answer::of(&case.request, code, &body)));
        }
        if case.is_set_up(code) {
            return Ok(None);
        }
        Err(Failure::new(format!("{}: {code}: {body}", case.name)))
    }
}
