//! The pinned upstream programs: built from their Go modules, unmodified.
//!
//! The pins are the `go.mod` files under `conformance/upstream` and in `conformance/e2e`; nothing of upstream is copied
//! into this repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::repository;
use crate::failure::{Doing, Failure};

/// Names a directory that already holds some of the programs; they are copied, not built.
const REUSE_VARIABLE: &str = "PINTLE_UPSTREAM_BIN";

/// A program of upstream that the suites run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Program {
    /// The command line.
    Kubectl,
    /// The API server.
    KubeApiserver,
    /// The controllers.
    KubeControllerManager,
    /// The database of the API server.
    Etcd,
    /// The example controller.
    SampleController,
    /// The conformance tests.
    E2eTest,
}

impl Program {
    /// Every program.
    pub const ALL: [Self; 6] = [
        Self::Kubectl,
        Self::KubeApiserver,
        Self::Etcd,
        Self::SampleController,
        Self::KubeControllerManager,
        Self::E2eTest,
    ];

    /// What a whole upstream control plane consists of.
    pub const CONTROL_PLANE: [Self; 3] =
        [Self::Etcd, Self::KubeApiserver, Self::KubeControllerManager];

    /// Returns the name of the binary.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kubectl => "kubectl",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Etcd => "etcd",
            Self::SampleController => "sample-controller",
            Self::E2eTest => "e2e.test",
        }
    }

    /// Returns the folder of its pin under conformance, and its Go package.
    fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::Kubectl => ("upstream/kubernetes", "k8s.io/kubernetes/cmd/kubectl"),
            Self::KubeApiserver => (
                "upstream/kubernetes",
                "k8s.io/kubernetes/cmd/kube-apiserver",
            ),
            Self::KubeControllerManager => (
                "upstream/kubernetes",
                "k8s.io/kubernetes/cmd/kube-controller-manager",
            ),
            Self::Etcd => ("upstream/etcd", "go.etcd.io/etcd/server/v3"),
            Self::SampleController => ("upstream/sample-controller", "k8s.io/sample-controller"),
            Self::E2eTest => ("e2e", "k8s.io/kubernetes/test/e2e"),
        }
    }
}

/// What `cargo xtask conformance upstream` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// Programs to build; all of them if none is named.
    #[arg(value_enum)]
    programs: Vec<Program>,
    /// Copies programs from this directory instead of building them (also PINTLE_UPSTREAM_BIN).
    #[arg(long)]
    reuse: Option<PathBuf>,
}

/// Builds the programs and says where they are.
///
/// # Errors
/// The Go tool is missing or a build fails.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let programs = if arguments.programs.is_empty() {
        &Program::ALL[..]
    } else {
        &arguments.programs
    };
    let directory = provide(arguments.reuse.as_deref(), programs)?;
    println!("{}", directory.display());
    Ok(())
}

/// Returns the directory with the programs, after copying or building those that are missing or
/// older than their pin.
///
/// # Errors
/// The Go tool is missing or a build fails.
pub fn provide(reuse: Option<&Path>, programs: &[Program]) -> Result<PathBuf, Failure> {
    let directory = repository().join("conformance/.bin");
    std::fs::create_dir_all(&directory).doing("create conformance/.bin")?;
    let reuse = reuse
        .map(Path::to_path_buf)
        .or_else(|| std::env::var_os(REUSE_VARIABLE).map(PathBuf::from));
    for &program in programs {
        let target = directory.join(program.name());
        if is_current(program, &target) {
            continue;
        }
        let ready_made = reuse.as_ref().map(|from| from.join(program.name()));
        match ready_made.filter(|path| path.is_file()) {
            Some(from) => install(&from, &target)?,
            None => build(program, &target)?,
        }
    }
    Ok(directory)
}

/// True if the binary exists and is at least as new as the pin it was built from.
fn is_current(program: Program, binary: &Path) -> bool {
    let pin = pin_of(program).join("go.mod");
    let modified = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    match (modified(binary), modified(&pin)) {
        (Some(built), Some(pinned)) => built >= pinned,
        _ => false,
    }
}

fn pin_of(program: Program) -> PathBuf {
    repository().join("conformance").join(program.source().0)
}

/// Copies beside the target first, so that an interrupted copy never looks like a program.
fn install(from: &Path, target: &Path) -> Result<(), Failure> {
    let partial = target.with_extension("partial");
    // `fs::copy` keeps the mode but gives the copy a new time, which `is_current` relies on.
    std::fs::copy(from, &partial).doing(format!("copy {}", from.display()))?;
    std::fs::rename(&partial, target).doing(format!("write {}", target.display()))
}

fn build(program: Program, target: &Path) -> Result<(), Failure> {
    eprintln!("building {} (once; takes minutes)", program.name());
    let partial = target.with_extension("partial");
    let verb: &[&str] = match program {
        Program::E2eTest => &["test", "-c", "-vet=off"],
        _ => &["build"],
    };
    let status = Command::new("go")
        .current_dir(pin_of(program))
        .args(verb)
        .args(["-buildvcs=false", "-ldflags", &link_flags(program)?, "-o"])
        .arg(&partial)
        .arg(program.source().1)
        // Static binaries start faster and run on any machine of the same kind.
        .env("CGO_ENABLED", "0")
        .status()
        .doing("start go, which builds the upstream programs")?;
    if !status.success() {
        return Err(Failure::new(format!("building {} failed", program.name())));
    }
    std::fs::rename(&partial, target).doing(format!("write {}", target.display()))
}

/// Stamps the version that the module is pinned at; without it the programs call themselves v0.0.0.
fn link_flags(program: Program) -> Result<String, Failure> {
    if !program.source().1.starts_with("k8s.io/kubernetes/") {
        return Ok("-s -w".to_owned());
    }
    let pin = pin_of(program).join("go.mod");
    let text = std::fs::read_to_string(&pin).doing(format!("read {}", pin.display()))?;
    let version = text
        .lines()
        .find_map(|line| {
            line.trim()
                .trim_start_matches("require ")
                .strip_prefix("k8s.io/kubernetes ")
        })
        .and_then(|rest| rest.split_whitespace().next())
        .ok_or_else(|| Failure::new("go.mod pins no version of k8s.io/kubernetes"))?;
    let mut numbers = version.trim_start_matches('v').split('.');
    let major = numbers.next().unwrap_or("0");
    let minor = numbers.next().unwrap_or("0");
    let at = "k8s.io/component-base/version";
    Ok(format!(
        "-s -w -X {at}.gitVersion={version} -X {at}.gitMajor={major} -X {at}.gitMinor={minor} \
         -X {at}.gitTreeState=clean"
    ))
}

/// Returns the directory of a Go module at a version, `path@version`, after downloading it.
///
/// The Go tool checks the download against the public checksum database.
///
/// # Errors
/// The Go tool is missing, or there is no such module.
pub fn module(module: &str) -> Result<PathBuf, Failure> {
    let output = Command::new("go")
        .args(["mod", "download", "-json", module])
        .current_dir(std::env::temp_dir())
        .output()
        .doing("start go, which downloads modules")?;
    let answer: serde_json::Value =
        serde_json::from_slice(&output.stdout).doing(format!("download {module}"))?;
    answer["Dir"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| Failure::new(format!("download {module}: {}", answer["Error"])))
}
