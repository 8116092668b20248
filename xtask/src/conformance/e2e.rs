//! `cargo xtask conformance e2e`: upstream's own conformance binary against a cluster without nodes.
//!
//! The pin is `conformance/e2e/go.mod`, the tests are named in `conformance/e2e/tests.txt`, each
//! with the class of what it needs, and those known to fail in `conformance/e2e/gaps.txt`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::gaps::Gaps;
use super::ginkgo::{self, Outcome, State};
use super::standing::{Standing, Verdict};
use super::{Against, Ground, Target, repository, upstream, write_result};
use crate::failure::{Doing, Failure};

/// The longest that a run may take; upstream's takes 20 minutes.
const TIMEOUT: &str = "1h";

/// The longest that a test may take that is known to fail; some wait for ever for what is missing.
const KNOWN_TIMEOUT: &str = "30s";

/// What `cargo xtask conformance e2e` takes.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Which tests to run.
    #[arg(long, value_enum, default_value_t = Class::Api)]
    class: Class,
    /// Runs only tests whose name contains this.
    #[arg(long)]
    only: Vec<String>,
    /// Writes a page into conformance/results.
    #[arg(long)]
    results: bool,
}

/// What a test needs besides kubectl.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Class {
    /// Everything that needs no node.
    Api,
    /// The API server alone.
    #[value(name = "A0")]
    A0,
    /// The API server and controllers.
    #[value(name = "A1")]
    A1,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::A0 => "A0",
            Self::A1 => "A1",
        }
    }

    /// Returns the classes of the list that it stands for.
    fn members(self) -> &'static [Self] {
        match self {
            Self::Api => &[Self::A0, Self::A1],
            Self::A0 => &[Self::A0],
            Self::A1 => &[Self::A1],
        }
    }
}

/// Runs the tests in one process, one after the other, as the certification does; those that are
/// known to fail each in a process of its own afterwards, so that none can hold up the others.
///
/// # Errors
/// A program that cannot be built, a server that does not start, or tests that fail and are not
/// listed.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let text = std::fs::read_to_string(pin().join("tests.txt")).doing("read tests.txt")?;
    let listed = parse_tests(&text).doing("read tests.txt")?;
    let wanted: Vec<(Class, String)> = listed
        .into_iter()
        .filter(|(class, _)| arguments.class.members().contains(class))
        .filter(|(_, name)| {
            arguments.only.is_empty() || arguments.only.iter().any(|part| name.contains(part))
        })
        .collect();
    if wanted.is_empty() {
        return Err(Failure::new("no test has such a name"));
    }
    let gaps = match arguments.target.against {
        Against::Pintle => Gaps::read(&pin().join("gaps.txt"))?,
        // What upstream fails without a node is to be seen, not to be hidden.
        Against::Upstream => Gaps::default(),
    };
    let ground = Ground::prepare(&arguments.target, &[upstream::Program::E2eTest])?;
    let (known, others): (Vec<_>, Vec<_>) = wanted
        .iter()
        .cloned()
        .partition(|(class, name)| gaps.reason(class.name(), name).is_some());
    let started = Instant::now();
    let mut seen = execute(&ground, &others, TIMEOUT)?;
    let seconds = started.elapsed().as_secs_f64();
    for one in &known {
        seen.extend(execute(&ground, std::slice::from_ref(one), KNOWN_TIMEOUT)?);
    }
    let standings: Vec<Standing> = arguments
        .class
        .members()
        .iter()
        .map(|&class| standing(class, &wanted, &seen))
        .collect();
    let mut verdict = Verdict::default();
    for standing in &standings {
        verdict.add(standing.verdict(&gaps));
        for one in &standing.outcomes {
            println!(
                "{} {:<7} {:>6.1} s  {}",
                standing.place,
                word(one.state),
                one.seconds,
                one.name
            );
            if one.state != State::Passed {
                println!("    {}", one.message.replace('\n', "\n    "));
            }
        }
    }
    print!("{}", sums(&standings, seconds));
    if arguments.results {
        let against = arguments.target.against;
        let name = page_name(arguments.class, against);
        let command = format!(
            "cargo xtask conformance e2e --class {} --against {} --results",
            arguments.class.name(),
            against.name()
        );
        write_result(&name, &command, &page(&standings, &gaps, seconds))?;
    }
    verdict
        .complaint()
        .map_or(Ok(()), |text| Err(Failure::new(text)))
}

/// Where the pin and the lists are.
fn pin() -> PathBuf {
    repository().join("conformance/e2e")
}

/// Reads `A0 name` lines.
fn parse_tests(text: &str) -> Result<Vec<(Class, String)>, String> {
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (class, name) = line.split_once(' ').unwrap_or((line, ""));
            let class = match class {
                "A0" => Class::A0,
                "A1" => Class::A1,
                _ => return Err(format!("neither A0 nor A1: {line}")),
            };
            Ok((class, name.to_owned()))
        })
        .collect()
}

/// Runs the binary and returns what it reports, by name.
fn execute(
    ground: &Ground,
    wanted: &[(Class, String)],
    timeout: &str,
) -> Result<HashMap<String, Outcome>, Failure> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let report = ground.scratch.path.join("e2e.json");
    if report.exists() {
        std::fs::remove_file(&report).doing("remove the last report")?;
    }
    let log_path = ground.bin.join(format!("e2e-{}.log", std::process::id()));
    let log = std::fs::File::options()
        .append(true)
        .create(true)
        .open(&log_path)
        .doing("create the log")?;
    let mut command = Command::new(ground.bin.join("e2e.test"));
    command
        .current_dir(&ground.scratch.path)
        .args(["--provider=skeleton", "--num-nodes=0"])
        .arg(format!("--kubeconfig={}", ground.kubeconfig.display()))
        .arg(format!(
            "--kubectl-path={}",
            ground.bin.join("kubectl").display()
        ))
        .arg(format!("--ginkgo.json-report={}", report.display()))
        .arg(format!("--ginkgo.timeout={timeout}"))
        .args(["--ginkgo.no-color", "--ginkgo.v"])
        .env("KUBECONFIG", &ground.kubeconfig)
        .stdin(Stdio::null())
        .stderr(log.try_clone().doing("open the log")?)
        .stdout(log);
    for (_, name) in wanted {
        command.arg(format!("--ginkgo.focus={}$", regex::escape(name)));
    }
    eprintln!(
        "running {} tests; their log is {}",
        wanted.len(),
        log_path.display()
    );
    // How it exits says no more than the report does.
    command
        .status()
        .doing("start e2e.test")
        .and_then(|_| read_report(&report, &log_path))
}

fn read_report(report: &Path, log: &Path) -> Result<HashMap<String, Outcome>, Failure> {
    let text = std::fs::read_to_string(report)
        .doing(format!("read the report; the log is {}", log.display()))?;
    let outcomes = ginkgo::specs(&text).doing("read the report")?;
    Ok(outcomes
        .into_iter()
        .map(|one| (one.name.clone(), one))
        .collect())
}

/// Puts the wanted tests of a class in their order beside what became of them.
fn standing(class: Class, wanted: &[(Class, String)], seen: &HashMap<String, Outcome>) -> Standing {
    let outcomes: Vec<Outcome> = wanted
        .iter()
        .filter(|(of, _)| *of == class)
        .map(|(_, name)| seen.get(name).cloned().unwrap_or_else(|| missing(name)))
        .collect();
    Standing {
        place: class.name().to_owned(),
        seconds: outcomes.iter().map(|one| one.seconds).sum(),
        outcomes,
    }
}

/// A test that the list names and the report does not has not passed.
fn missing(name: &str) -> Outcome {
    Outcome {
        name: name.to_owned(),
        state: State::Failed,
        seconds: 0.0,
        message: "was not run: the binary has no such test, or the run ended before it".to_owned(),
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Passed => "passed",
        State::Failed => "failed",
        State::Skipped => "skipped",
    }
}

fn page_name(class: Class, against: Against) -> String {
    let mut name = "1.37".to_owned();
    if class != Class::Api {
        let _ = write!(name, "-{}", class.name());
    }
    if against == Against::Upstream {
        name.push_str("-upstream");
    }
    name
}

fn sums(standings: &[Standing], seconds: f64) -> String {
    let mut text = String::new();
    for standing in standings {
        let _ = writeln!(
            text,
            "{}: {} of {} passed, {} failed, {} skipped, {:.0} s",
            standing.place,
            standing.count(State::Passed),
            standing.outcomes.len(),
            standing.count(State::Failed),
            standing.count(State::Skipped),
            standing.seconds
        );
    }
    let _ = writeln!(
        text,
        "the tests that are not listed as gaps took {seconds:.0} s in one process"
    );
    text
}

fn page(standings: &[Standing], gaps: &Gaps, seconds: f64) -> String {
    let mut page = format!(
        "Upstream's `e2e.test` without nodes, one test after the other. \
         Known gaps run by themselves, {KNOWN_TIMEOUT} at most.\n\n```text\n{}```\n",
        sums(standings, seconds)
    );
    let mut failures = String::new();
    for standing in standings {
        standing.write_failures(&mut failures, gaps);
    }
    if !failures.is_empty() {
        let _ = write!(page, "\nWhat fails:\n\n{failures}");
    }
    for standing in standings {
        let _ = write!(
            page,
            "\n## {}\n\n| test | result | seconds |\n|---|---|---|\n",
            standing.place
        );
        for one in &standing.outcomes {
            let _ = writeln!(
                page,
                "| {} | {} | {:.1} |",
                one.name,
                word(one.state),
                one.seconds
            );
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{Class, Outcome, State, page_name, parse_tests, pin, standing};
    use crate::conformance::Against;
    use crate::conformance::gaps::Gaps;
    use std::collections::{HashMap, HashSet};

    #[test]
    fn reads_the_list_of_tests() {
        let tests = parse_tests("# comment\n\nA0 [sig] one\nA1 two\n").unwrap();
        assert_eq!(
            tests,
            [
                (Class::A0, "[sig] one".to_owned()),
                (Class::A1, "two".to_owned())
            ]
        );
        assert_eq!(
            parse_tests("R three").unwrap_err(),
            "neither A0 nor A1: R three"
        );
    }

    #[test]
    fn the_committed_lists_agree() {
        let text = std::fs::read_to_string(pin().join("tests.txt")).unwrap();
        let tests = parse_tests(&text).unwrap();
        let names: HashSet<_> = tests.iter().map(|(_, name)| name).collect();
        assert_eq!(names.len(), tests.len(), "a test is listed twice");
        assert_eq!(tests.len(), 152);
        let gaps = Gaps::read(&pin().join("gaps.txt")).unwrap();
        let listed = |place: &str, step: &str| {
            tests
                .iter()
                .any(|(class, name)| class.name() == place && name == step)
        };
        let strays: Vec<_> = gaps
            .steps()
            .filter(|(place, step)| !listed(place, step))
            .collect();
        assert_eq!(strays, []);
    }

    #[test]
    fn what_was_not_run_has_failed() {
        let wanted = [
            (Class::A0, "one".to_owned()),
            (Class::A0, "two".to_owned()),
            (Class::A1, "three".to_owned()),
        ];
        let passed = Outcome {
            name: "one".to_owned(),
            state: State::Passed,
            seconds: 2.0,
            message: String::new(),
        };
        let seen = HashMap::from([("one".to_owned(), passed)]);
        let standing = standing(Class::A0, &wanted, &seen);
        assert_eq!(standing.count(State::Passed), 1);
        assert_eq!(standing.count(State::Failed), 1);
        assert!((standing.seconds - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn pages_are_named_by_what_was_run() {
        assert_eq!(page_name(Class::Api, Against::Pintle), "1.37");
        assert_eq!(page_name(Class::A0, Against::Upstream), "1.37-A0-upstream");
    }
}
