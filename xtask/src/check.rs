//! `cargo xtask check`: everything that must hold before a change lands.
//!
//! The steps run in the order in which they fail fastest. Each prints its own output; the first
//! that fails ends the run.

use std::process::Command;

/// One step: its name for people and its command line.
type Step = (&'static str, &'static [&'static str]);

const STEPS: [Step; 6] = [
    ("formatting", &["cargo", "fmt", "--all", "--check"]),
    (
        "lints",
        &[
            "cargo",
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    ),
    // What tests are compared with; without it they fail.
    (
        "upstream's files",
        &[
            "go",
            "mod",
            "download",
            "k8s.io/api@v0.37.1",
            "k8s.io/kubernetes@v1.37.1",
            "cel.dev/expr@v0.25.3",
            "sigs.k8s.io/gateway-api@v1.6.1",
            "github.com/prometheus-operator/prometheus-operator@v0.93.0",
            "sigs.k8s.io/cluster-api@v1.14.0",
            "github.com/cert-manager/cert-manager@v1.21.1",
            "istio.io/api@v1.31.1",
        ],
    ),
    ("tests", &["cargo", "test", "--workspace", "--no-fail-fast"]),
    (
        "kubectl against pintle",
        &["cargo", "xtask", "conformance", "kubectl"],
    ),
    (
        "sample-controller against pintle",
        &["cargo", "xtask", "conformance", "sample-controller"],
    ),
];

/// What `cargo xtask check` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Leave out the steps that need programs from the Go module proxy
    #[arg(long)]
    offline: bool,
}

/// Runs every step.
///
/// # Errors
/// The name of the step that failed.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    // The step `tests` builds it, with the features of the whole workspace; building it alone would
    // build half of the workspace again.
    let built = std::env::current_exe()
        .map_err(|error| format!("cannot say where xtask runs from: {error}"))?
        .with_file_name("pintle");
    for (name, words) in STEPS {
        if arguments.offline && (words.contains(&"conformance") || words[0] == "go") {
            println!("check: {name}: left out (--offline)");
            continue;
        }
        println!("check: {name}");
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        if words.contains(&"conformance") {
            command.arg("--pintle").arg(&built);
        }
        let status = command
            .status()
            .map_err(|error| format!("cannot run {}: {error}", words[0]))?;
        if !status.success() {
            return Err(format!("check failed at: {name} ({})", words.join(" ")));
        }
    }
    println!("check: all steps passed");
    Ok(())
}
