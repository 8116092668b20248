//! `cargo xtask conformance differential`: the same requests to upstream and to Pintle.
//!
//! A family of cases is a folder under `conformance/differential`, a topic a `*.cases` file in it
//! ([`cases`]). Each case is one request, sent as a dry run; what upstream answered was recorded as
//! what it changed of the object it was sent, or as the refusal's code, reason and causes
//! ([`answer`]). Families differ in what they ask: `defaults` sends good objects and looks at what
//! the server filled in; `rules` holds good objects and variants of them, most of which are wrong
//! ([`variants`]); `doors` goes through every subresource; `warnings` looks at the `Warning` headers
//! and at nothing else.
//!
//! What Pintle answers otherwise is listed with its reason in `conformance/differences.md`; a
//! listed case that passes fails the run. `crates/testkit/tests/differential.rs` replays the
//! recorded answers without upstream.

pub mod answer;
pub mod cases;
pub(super) mod exchange;
pub mod known;
pub mod play;
pub mod variants;

use std::fmt::Write as _;
use std::time::Duration;

use super::{Against, Ground, Target, write_result};
use crate::control_plane::Controllers;
use crate::failure::Failure;
use cases::{Role, Topic};
use exchange::Door;
use known::Known;
use play::{Play, Told};
use variants::Variants;

/// Pause between two looks at something that is not there yet.
const PAUSE: Duration = Duration::from_millis(50);

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
    /// Makes the variants of every base anew, and writes upstream's answers.
    #[arg(long)]
    vary: bool,
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
    let part = arguments.case.as_deref().unwrap_or_default();
    let is_written = arguments.record || arguments.vary;
    if is_written || !arguments.recorded {
        if arguments.vary {
            topics.iter_mut().for_each(vary);
        }
        let side = Side::start(&upstream(&arguments.target))?;
        let mut moved = 0;
        for topic in &mut topics {
            // What became of a base stands in the file before its variants are told beside it.
            moved += side.record(topic, part, Asked::Cases)?;
            moved += side.record(topic, part, Asked::Variants)?;
            if arguments.vary {
                // Another was faster: such an answer tells nothing of rules.
                let is_conflict = |answer: &answer::Answer| answer.code == 409;
                let variants = &mut topic.variants.0;
                variants.retain(|one| !one.answer.as_ref().is_some_and(is_conflict));
            }
            if is_written {
                topic.write()?;
            }
        }
        println!("{moved} answers of upstream are not what was recorded");
        if is_written {
            return Ok(());
        }
    }
    let side = Side::start(&arguments.target)?;
    let report = compare(&side, &topics, part)?;
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

/// Makes the variants of a topic's bases; answers of those that were there are kept.
fn vary(topic: &mut Topic) {
    let before = std::mem::take(&mut topic.variants);
    for base in topic.cases.iter().filter(|case| case.role == Role::Base) {
        topic.variants.0.extend(Variants::of(base).0);
    }
    for variant in &mut topic.variants.0 {
        let is_same = |one: &&variants::Variant| one.name() == variant.name();
        let known = before.0.iter().find(is_same);
        variant.answer = known.and_then(|known| known.answer.clone());
    }
}

fn compare(side: &Side, topics: &[Topic], part: &str) -> Result<Report, Failure> {
    let known = Known::load()?;
    let mut report = Report::default();
    for topic in topics {
        let mut play = Play::new(topic, part);
        while let Some(told) = side.ask(&mut play)? {
            let (name, expected, found) = match told {
                Told::Nothing | Told::NotYet => continue,
                Told::Failed(why) => {
                    report.failed += 1;
                    let _ = writeln!(report.text, "{}: {why}", topic.place());
                    continue;
                }
                Told::Case { case, found, .. } => (case.name.clone(), &case.answer, found),
                Told::Variant { variant, found, .. } => (variant.name(), &variant.answer, found),
            };
            let Some(expected) = expected else {
                let place = topic.place();
                return Err(Failure::new(format!(
                    "{place}: {name}: nothing is recorded"
                )));
            };
            match known.judge(&topic.place(), &name, expected, &found) {
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

/// Which answers are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Cases,
    Variants,
}

/// One server and the way to it.
struct Side {
    door: Door,
    /// Keeps the server running.
    _ground: Ground,
}

impl Side {
    fn start(target: &Target) -> Result<Self, Failure> {
        // Controllers would change what is compared while it is compared.
        let ground = Ground::prepare_with(target, &[], Controllers::Off)?;
        let door = Door::open(&ground.bin, &ground.kubeconfig)?;
        Ok(Self {
            door,
            _ground: ground,
        })
    }

    /// Sends the next request of a play, if there is one, and returns what the answer tells.
    fn ask<'a>(&self, play: &mut Play<'a>) -> Result<Option<Told<'a>>, Failure> {
        let Some(sent) = play.send_next() else {
            return Ok(None);
        };
        let heard = self.door.hear(&sent.request, &sent.target)?;
        let told = play.answered(&heard);
        if matches!(told, Told::NotYet) {
            std::thread::sleep(PAUSE);
        }
        Ok(Some(told))
    }

    /// Writes this side's answers into a topic and returns how many are other than before.
    fn record(&self, topic: &mut Topic, part: &str, asked: Asked) -> Result<usize, Failure> {
        let place = topic.place();
        let mut answers = Vec::new();
        let mut play = match asked {
            Asked::Cases => Play::cases(topic, part),
            Asked::Variants => Play::variants(topic, part),
        };
        while let Some(told) = self.ask(&mut play)? {
            match told {
                Told::Nothing | Told::NotYet => {}
                Told::Failed(why) => return Err(Failure::new(format!("{place}: {why}"))),
                Told::Case { at, found, .. } | Told::Variant { at, found, .. } => {
                    answers.push((at, found));
                }
            }
        }
        let mut moved = 0;
        for (at, found) in answers {
            let (name, answer) = match asked {
                Asked::Cases => {
                    let case = &mut topic.cases[at];
                    (case.name.clone(), &mut case.answer)
                }
                Asked::Variants => {
                    let variant = &mut topic.variants.0[at];
                    (variant.name(), &mut variant.answer)
                }
            };
            if answer.as_ref() != Some(&found) {
                moved += 1;
                println!("not what was recorded: {place}: {name}");
            }
            *answer = Some(found);
        }
        Ok(moved)
    }
}
