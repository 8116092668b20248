//! `cargo xtask conformance`: real upstream programs and manifests against a running control plane.
//!
//! Every command can run against Pintle (the default) or against upstream's own binaries
//! (`--against upstream`). What upstream answers is the expectation; nothing here is written by hand
//! that could be recorded.

pub mod bad_input;
mod cel;
pub mod differential;
mod e2e;
mod envtest;
pub mod gaps;
pub mod ginkgo;
mod openapi;
mod stage;
mod standing;
pub mod steps;
pub mod suites;
pub mod transcripts;
pub mod upstream;

use std::path::{Path, PathBuf};

use crate::control_plane::{self, ControlPlane, Profile};
use crate::failure::{Doing, Failure};

/// What `cargo xtask conformance` takes.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Suite,
}

#[derive(clap::Subcommand)]
enum Suite {
    /// Builds the pinned upstream programs into conformance/.bin.
    Upstream(upstream::Arguments),
    /// Replays the recorded kubectl transcripts of conformance/kubectl.
    Kubectl(transcripts::Arguments),
    /// Runs the unmodified sample-controller and watches what it does.
    SampleController(transcripts::Arguments),
    /// Creates the real CRD bundles of conformance/crds and one object of each kind.
    Crds(transcripts::Arguments),
    /// Sends the requests of conformance/differential to upstream and to Pintle and compares.
    Differential(differential::Arguments),
    /// Sends input that no server should accept and compares the refusals with upstream's.
    BadInput(bad_input::Arguments),
    /// Sends the rules of conformance/cel in real definitions and compares with what is recorded.
    Cel(cel::Arguments),
    /// Compares the OpenAPI documents of both sides.
    Openapi(openapi::Arguments),
    /// Runs controller-runtime's envtest and its own suites on what `pintle assets` writes.
    Envtest(envtest::Arguments),
    /// Runs upstream's own conformance binary against a control plane without nodes.
    E2e(e2e::Arguments),
}

/// Where a suite finds the server it talks to.
#[derive(clap::Args)]
pub struct Target {
    /// Starts this control plane for the run and stops it afterwards.
    #[arg(long, value_enum, default_value_t = Against::Pintle)]
    pub against: Against,
    /// Uses a running server through this kubeconfig instead of starting one.
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,
    /// Runs this Pintle binary instead of building one.
    #[arg(long)]
    pub pintle: Option<PathBuf>,
}

/// The control plane a suite runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Against {
    /// Pintle, in memory.
    Pintle,
    /// etcd, kube-apiserver and kube-controller-manager.
    Upstream,
}

impl Against {
    /// Returns the word for it in headings and file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pintle => "pintle",
            Self::Upstream => "upstream",
        }
    }
}

/// Runs the suite that was asked for.
///
/// # Errors
/// Whatever kept the suite from running, or the count of what did not match.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Suite::Upstream(arguments) => upstream::run(arguments),
        Suite::Kubectl(arguments) => transcripts::run(&suites::KUBECTL, arguments),
        Suite::SampleController(arguments) => {
            transcripts::run(&suites::SAMPLE_CONTROLLER, arguments)
        }
        Suite::Crds(arguments) => transcripts::run(&suites::CRDS, arguments),
        Suite::Differential(arguments) => differential::run(arguments),
        Suite::BadInput(arguments) => bad_input::run(arguments),
        Suite::Cel(arguments) => cel::run(arguments),
        Suite::Openapi(arguments) => openapi::run(arguments),
        Suite::Envtest(arguments) => envtest::run(arguments),
        Suite::E2e(arguments) => e2e::run(arguments),
    }
}

/// Returns the root of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the root of the repository")
}

/// A server to talk to: its kubeconfig, and the processes if this run started them.
pub struct Ground {
    /// Admin kubeconfig.
    pub kubeconfig: PathBuf,
    /// Directory with kubectl and the other programs.
    pub bin: PathBuf,
    /// Scratch directory of this run, removed at the end.
    pub scratch: Scratch,
    /// The control plane, if this run started it. Dropping it stops it.
    pub started: Option<ControlPlane>,
}

impl Ground {
    /// Prepares the server that `target` names, and the `programs` the suite needs besides kubectl.
    ///
    /// # Errors
    /// A program that cannot be built, or a server that does not become ready.
    pub fn prepare(target: &Target, programs: &[upstream::Program]) -> Result<Self, Failure> {
        Self::prepare_with(target, programs, control_plane::Controllers::On)
    }

    /// Prepares the same, where upstream runs with or without its controllers.
    ///
    /// # Errors
    /// A program that cannot be built, or a server that does not become ready.
    pub fn prepare_with(
        target: &Target,
        programs: &[upstream::Program],
        controllers: control_plane::Controllers,
    ) -> Result<Self, Failure> {
        let starts_upstream = target.kubeconfig.is_none() && target.against == Against::Upstream;
        let mut wanted = vec![upstream::Program::Kubectl];
        wanted.extend_from_slice(programs);
        if starts_upstream {
            wanted.extend_from_slice(&upstream::Program::CONTROL_PLANE);
        }
        let bin = upstream::provide(None, &wanted)?;
        let scratch = Scratch::new("conformance")?;
        let started = match (&target.kubeconfig, target.against) {
            (Some(_), _) => None,
            (None, Against::Upstream) => Some(ControlPlane::start_upstream(
                &bin,
                &scratch.path.join("upstream"),
                controllers,
            )?),
            (None, Against::Pintle) => {
                let program = match &target.pintle {
                    Some(path) => path.clone(),
                    None => control_plane::build_pintle(Profile::Dev)?,
                };
                Some(ControlPlane::start_pintle(
                    &program,
                    &scratch.path.join("pintle"),
                    control_plane::Storage::Memory,
                    controllers,
                )?)
            }
        };
        let kubeconfig = match (&started, &target.kubeconfig) {
            (Some(plane), _) => plane.kubeconfig.clone(),
            (None, Some(path)) => path.clone(),
            (None, None) => unreachable!("one of the two was chosen above"),
        };
        Ok(Self {
            kubeconfig,
            bin,
            scratch,
            started,
        })
    }
}

/// A directory that is removed when the run ends.
pub struct Scratch {
    /// Where it is.
    pub path: PathBuf,
}

impl Scratch {
    /// Makes a fresh directory in the system's place for temporary files.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn new(purpose: &str) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("pintle-{purpose}-{}", std::process::id()));
        std::fs::create_dir_all(&path).doing(format!("create {}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover in the temporary directory is not worth failing a finished run.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Writes a result page into conformance/results, under a heading with the date and the command.
///
/// # Errors
/// The file cannot be written.
pub fn write_result(name: &str, command: &str, body: &str) -> Result<PathBuf, Failure> {
    let directory = repository().join("conformance/results");
    std::fs::create_dir_all(&directory).doing("create conformance/results")?;
    let path = directory.join(format!("{name}.md"));
    let page = format!(
        "# {name}\n\nDate: {}\nCommand: `{command}`\n\n{body}",
        today()
    );
    std::fs::write(&path, page).doing(format!("write {}", path.display()))?;
    Ok(path)
}

/// Returns the date of today in UTC as `2026-01-31`.
#[must_use]
pub fn today() -> String {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    date_of(seconds / 86_400)
}

/// Returns the civil date of a day counted from 1970-01-01.
///
/// Years are counted from March, so that the leap day is the last day of the year; then months
/// have a regular pattern of lengths (153 days in five months).
fn date_of(days: u64) -> String {
    let days = days + 719_468; // Days from 0000-03-01 to 1970-01-01.
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::date_of;

    #[test]
    fn counts_days_across_leap_years() {
        assert_eq!(date_of(0), "1970-01-01");
        assert_eq!(date_of(11_016), "2000-02-29");
        assert_eq!(date_of(20_778), "2026-11-21");
    }
}
