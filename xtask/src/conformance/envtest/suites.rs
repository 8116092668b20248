//! controller-runtime's own suites, out of the Go module cache.
//!
//! Tests that are known to fail stand in `conformance/envtest/gaps.txt`, each with its reason.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::{Arguments, module};
use crate::conformance::gaps::Gaps;
use crate::conformance::ginkgo::{self, Outcome, State};
use crate::conformance::standing::{Standing, Verdict};
use crate::conformance::{Against, Scratch, write_result};
use crate::failure::{Doing, Failure};

/// The module whose suites are run.
const MODULE: &str = "sigs.k8s.io/controller-runtime";

/// The packages whose tests start a server, or come near one.
const PACKAGES: [&str; 18] = [
    "pkg/builder",
    "pkg/cache",
    "pkg/client",
    "pkg/client/apiutil",
    "pkg/cluster",
    "pkg/controller",
    "pkg/controller/controllerutil",
    "pkg/envtest",
    "pkg/handler",
    "pkg/internal/controller",
    "pkg/internal/recorder",
    "pkg/internal/testing/controlplane",
    "pkg/manager",
    "pkg/manager/internal/integration",
    "pkg/metrics/filters",
    "pkg/reconcile",
    "pkg/source",
    "pkg/webhook",
];

/// The longest that one package may take; upstream's slowest takes two minutes.
const TIMEOUT: &str = "10m";

/// Runs the packages one after the other, so that their times can be compared.
pub(super) fn run(
    arguments: &Arguments,
    scratch: &Scratch,
    assets: &Path,
    times: &str,
) -> Result<(), Failure> {
    let source = source()?;
    let ground = scratch.path.join("module");
    copy(&source, &ground)?;
    let gaps = match arguments.against {
        Against::Pintle => Gaps::read(&module().join("gaps.txt"))?,
        // Upstream has no gaps: its suites were written against it.
        Against::Upstream => Gaps::default(),
    };
    let all: Vec<String> = PACKAGES.iter().map(ToString::to_string).collect();
    let packages = match arguments.packages.is_empty() {
        true => &all,
        false => &arguments.packages,
    };
    let mut standings = Vec::new();
    let mut verdict = Verdict::default();
    for package in packages {
        let standing = Package {
            name: package,
            source: &source,
            ground: &ground,
            scratch: &scratch.path,
            assets,
        }
        .run(arguments.focus.as_deref())?;
        println!("{}", line(&standing));
        for one in &standing.outcomes {
            if one.state == State::Failed {
                println!(
                    "  {}\n    {}",
                    one.name,
                    one.message.replace('\n', "\n    ")
                );
            }
        }
        verdict.add(standing.verdict(&gaps));
        standings.push(standing);
    }
    let body = page(&standings, &gaps, times);
    println!("{}", sum(&standings));
    if arguments.results {
        let name = format!("envtest-{}", arguments.against.name());
        let command = format!(
            "cargo xtask conformance envtest --against {} --results",
            arguments.against.name()
        );
        write_result(&name, &command, &body)?;
    }
    verdict
        .complaint()
        .map_or(Ok(()), |text| Err(Failure::new(text)))
}

/// Asks the Go tool where the pinned module lies.
fn source() -> Result<PathBuf, Failure> {
    let output = Command::new("go")
        .current_dir(module())
        .args(["list", "-m", "-f", "{{.Version}}", MODULE])
        .output()
        .doing("start go, which knows the pin")?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    crate::conformance::upstream::module(&format!("{MODULE}@{version}"))
}

/// Copies the module: its archive does not say which files are programs, and some tests run the
/// scripts beside them.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let what = || format!("copy {}", from.display());
    std::fs::create_dir_all(to).doing(what())?;
    for entry in std::fs::read_dir(from).doing(what())? {
        let entry = entry.doing(what())?;
        let target = to.join(entry.file_name());
        if entry.file_type().doing(what())?.is_dir() {
            copy(&entry.path(), &target)?;
            continue;
        }
        std::fs::copy(entry.path(), &target).doing(what())?;
        let is_script = target.extension().is_some_and(|word| word == "sh");
        let mode = if is_script { 0o755 } else { 0o644 };
        std::fs::set_permissions(&target, Permissions::from_mode(mode)).doing(what())?;
    }
    Ok(())
}

/// A package of the module, about to be tested.
struct Package<'a> {
    name: &'a str,
    /// The module as the Go tool keeps it, where its tests are built.
    source: &'a Path,
    /// A copy, where they run.
    ground: &'a Path,
    scratch: &'a Path,
    assets: &'a Path,
}

impl Package<'_> {
    /// Builds the package's tests, runs them in its directory and reads what they report.
    fn run(&self, focus: Option<&str>) -> Result<Standing, Failure> {
        let word = self.name.replace('/', "-");
        let binary = self.scratch.join(format!("{word}.test"));
        self.build(&binary)?;
        let report = self.scratch.join(format!("{word}.json"));
        let mut command = Command::new(&binary);
        command
            .current_dir(self.ground.join(self.name))
            .args(["-test.v", "-test.timeout", TIMEOUT])
            .env("KUBEBUILDER_ASSETS", self.assets);
        if self.has_specs()? {
            command.arg(format!("-ginkgo.json-report={}", report.display()));
            if let Some(focus) = focus {
                command.arg(format!("-ginkgo.focus={focus}"));
            }
        }
        let started = Instant::now();
        let output = command
            .output()
            .doing(format!("run {}", binary.display()))?;
        let seconds = started.elapsed().as_secs_f64();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        // Test binaries are large; the next one needs the room.
        std::fs::remove_file(&binary).doing(format!("remove {}", binary.display()))?;
        let mut outcomes = ginkgo::plain_tests(&printed);
        if report.is_file() {
            let text = std::fs::read_to_string(&report).doing("read the report")?;
            outcomes.extend(ginkgo::specs(&text).doing("read the report")?);
        }
        let standing = Standing {
            place: self.name.to_owned(),
            outcomes,
            seconds,
        };
        Ok(self.or_broken(standing, output.status.success(), &printed))
    }

    /// A run that failed without any test that failed, as in a timeout, is a failure of its own.
    fn or_broken(&self, mut standing: Standing, succeeded: bool, printed: &str) -> Standing {
        if !succeeded && standing.count(State::Failed) == 0 {
            let tail: Vec<&str> = printed.lines().rev().take(20).collect();
            standing.outcomes.push(Outcome {
                name: "[the run]".to_owned(),
                state: State::Failed,
                seconds: 0.0,
                message: tail.into_iter().rev().collect::<Vec<_>>().join("\n"),
            });
        }
        standing
    }

    fn build(&self, binary: &Path) -> Result<(), Failure> {
        let status = Command::new("go")
            .current_dir(self.source)
            .args(["test", "-c", "-vet=off", "-buildvcs=false", "-o"])
            .arg(binary)
            .arg(format!("./{}", self.name))
            .env("CGO_ENABLED", "0")
            .status()
            .doing("start go, which builds the tests")?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::new(format!("building {} failed", self.name))),
        }
    }

    /// True if the package's tests are ginkgo's; others do not know its arguments.
    fn has_specs(&self) -> Result<bool, Failure> {
        let format = "{{join .TestImports \" \"}} {{join .XTestImports \" \"}}";
        let output = Command::new("go")
            .current_dir(self.source)
            .args(["list", "-f", format])
            .arg(format!("./{}", self.name))
            .output()
            .doing("start go, which knows the imports")?;
        Ok(String::from_utf8_lossy(&output.stdout).contains("github.com/onsi/ginkgo/"))
    }
}

fn line(standing: &Standing) -> String {
    format!(
        "{:<36} {:>4} passed, {:>3} failed, {:>3} skipped, {:>6.1} s",
        standing.place,
        standing.count(State::Passed),
        standing.count(State::Failed),
        standing.count(State::Skipped),
        standing.seconds
    )
}

fn sum(standings: &[Standing]) -> String {
    let count = |state| standings.iter().map(|one| one.count(state)).sum::<usize>();
    format!(
        "{} passed, {} failed, {} skipped in {} packages in {:.0} s",
        count(State::Passed),
        count(State::Failed),
        count(State::Skipped),
        standings.len(),
        standings.iter().map(|one| one.seconds).sum::<f64>()
    )
}

fn page(standings: &[Standing], gaps: &Gaps, times: &str) -> String {
    let mut page = format!(
        "{}.\n\nStarts and stops of one environment:\n\n```text\n{times}```\n\n\
         | package | passed | failed | skipped | seconds |\n|---|---|---|---|---|\n",
        sum(standings)
    );
    for standing in standings {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {:.1} |",
            standing.place,
            standing.count(State::Passed),
            standing.count(State::Failed),
            standing.count(State::Skipped),
            standing.seconds
        );
    }
    let mut failures = String::new();
    for standing in standings {
        standing.write_failures(&mut failures, gaps);
    }
    if !failures.is_empty() {
        let _ = write!(page, "\nWhat fails:\n\n{failures}");
    }
    page
}
