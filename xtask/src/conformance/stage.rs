//! Where the steps of one topic run: a directory, a namespace and a kubeconfig of their own.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Ground;
use super::steps::{Mode, Printed};
use crate::failure::{Doing, Failure};

/// How long one command may run.
const STEP_TIMEOUT_SECONDS: &str = "60";

/// How long an `~` step is repeated, and how long a watch may take to print what is expected.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long output must stay the same before it is recorded as final.
const QUIET: Duration = Duration::from_millis(1_500);

/// Pause between two looks at something that is not there yet.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the steps of one topic run: a directory, a namespace and the commands still running.
pub(super) struct Stage {
    /// Where the commands run and their input files lie.
    pub(super) directory: PathBuf,
    environment: Vec<(String, String)>,
    running: BTreeMap<String, Running>,
}

struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Stage {
    /// Makes the directory and the namespace, and a kubeconfig of its own that names both.
    pub(super) fn set(
        ground: &Ground,
        modules: &[(String, PathBuf)],
        topic: &str,
    ) -> Result<Self, Failure> {
        let directory = ground.scratch.path.join(format!("topic-{topic}"));
        std::fs::create_dir_all(&directory).doing("create the directory of a topic")?;
        std::fs::copy(&ground.kubeconfig, directory.join("kubeconfig"))
            .doing(format!("copy {}", ground.kubeconfig.display()))?;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut environment = vec![
            (
                "PATH".to_owned(),
                format!("{}:{path}", ground.bin.display()),
            ),
            ("HOME".to_owned(), directory.display().to_string()),
            (
                "KUBECONFIG".to_owned(),
                directory.join("kubeconfig").display().to_string(),
            ),
            (
                "KUBECACHEDIR".to_owned(),
                directory.join("cache").display().to_string(),
            ),
            ("TZ".to_owned(), "UTC".to_owned()),
            ("LC_ALL".to_owned(), "C.UTF-8".to_owned()),
        ];
        for (variable, directory) in modules {
            environment.push((variable.clone(), directory.display().to_string()));
        }
        let mut stage = Self {
            directory,
            environment,
            running: BTreeMap::new(),
        };
        for command in [
            format!("kubectl delete namespace {topic} --ignore-not-found"),
            format!("kubectl create namespace {topic}"),
            format!("kubectl config set-context --current --namespace {topic}"),
            // Pods are refused until the service account controller has made this one.
            "kubectl wait --for=create serviceaccount/default --timeout=30s".to_owned(),
        ] {
            let printed = stage.once(&command)?;
            if printed.exit != 0 {
                return Err(Failure::new(format!(
                    "{command}: {}",
                    printed.stderr.trim()
                )));
            }
        }
        Ok(stage)
    }

    /// Runs a step and returns what it printed.
    ///
    /// While recording, nothing is expected yet; output counts as final once it stays the same.
    pub(super) fn perform(
        &mut self,
        mode: &Mode,
        expected: &Printed,
        record: bool,
    ) -> Result<Printed, Failure> {
        match mode {
            Mode::Once(command) => self.once(command),
            Mode::Until(command) if record => self.until_quiet(command),
            Mode::Until(command) => self.until(command, expected),
            Mode::Watch { name, command } => self.watch(name, command),
            Mode::Seen(name) => self.seen(name, expected, record),
        }
    }

    fn command(&self, text: &str) -> Command {
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=1", STEP_TIMEOUT_SECONDS, "sh", "-c", text])
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .envs(self.environment.iter().cloned());
        command
    }

    fn once(&mut self, text: &str) -> Result<Printed, Failure> {
        let output = self.command(text).output().doing("start a shell")?;
        Ok(Printed {
            stdout: self.text(&output.stdout),
            stderr: self.text(&output.stderr),
            exit: output.status.code().unwrap_or(-1),
        })
    }

    /// Hides the directory of the run, which is another one each time.
    fn text(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace(&*self.directory.to_string_lossy(), "DIR")
    }

    fn until(&mut self, text: &str, expected: &Printed) -> Result<Printed, Failure> {
        let started = Instant::now();
        loop {
            let printed = self.once(text)?;
            if expected.matches(&printed) || started.elapsed() > PATIENCE {
                return Ok(printed);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn until_quiet(&mut self, text: &str) -> Result<Printed, Failure> {
        let started = Instant::now();
        let mut last = self.once(text)?;
        let mut since = Instant::now();
        while since.elapsed() < QUIET && started.elapsed() < PATIENCE {
            std::thread::sleep(PAUSE);
            let printed = self.once(text)?;
            if printed.recorded() != last.recorded() {
                since = Instant::now();
            }
            last = printed;
        }
        Ok(last)
    }

    /// Starts a command and waits until it has printed something, so that it is surely watching.
    fn watch(&mut self, name: &str, text: &str) -> Result<Printed, Failure> {
        let stdout = self.directory.join(format!(".{name}.out"));
        let stderr = self.directory.join(format!(".{name}.err"));
        // `exec` so that ending the child ends kubectl itself.
        let child = Command::new("sh")
            .args(["-c", &format!("exec {text}")])
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).doing("create a file for output")?)
            .stderr(File::create(&stderr).doing("create a file for output")?)
            .envs(self.environment.iter().cloned())
            .spawn()
            .doing("start a shell")?;
        let running = Running {
            child,
            stdout,
            stderr,
        };
        let started = Instant::now();
        let is_empty = |path: &Path| path.metadata().map_or(0, |meta| meta.len()) == 0;
        while is_empty(&running.stdout) && is_empty(&running.stderr) && started.elapsed() < PATIENCE
        {
            std::thread::sleep(PAUSE);
        }
        self.running.insert(name.to_owned(), running);
        Ok(Printed::default())
    }

    fn seen(&mut self, name: &str, expected: &Printed, record: bool) -> Result<Printed, Failure> {
        let Some(mut running) = self.running.remove(name) else {
            return Err(Failure::new(format!(
                "'seen {name}' comes before 'watch {name}:'"
            )));
        };
        let started = Instant::now();
        let mut since = Instant::now();
        let mut last = Printed::default();
        loop {
            let read = |path: &Path| std::fs::read(path).map(|bytes| self.text(&bytes));
            let printed = Printed {
                stdout: read(&running.stdout).doing("read what a watch printed")?,
                stderr: read(&running.stderr).doing("read what a watch printed")?,
                exit: 0,
            };
            if printed != last {
                since = Instant::now();
                last = printed;
            }
            let done = if record {
                since.elapsed() > QUIET
            } else {
                expected.matches(&last)
            };
            if done || started.elapsed() > PATIENCE {
                // It may have ended by itself; either way it is gone afterwards.
                let _ = running.child.kill();
                let _ = running.child.wait();
                return Ok(last);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for running in self.running.values_mut() {
            // A watch that nobody looked at; it may have ended by itself.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}
