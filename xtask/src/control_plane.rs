//! A control plane as child processes on loopback: Pintle, or etcd with upstream's programs.
//!
//! Both get a directory of their own, free ports, TLS, RBAC and an admin client certificate, and
//! both end as an admin kubeconfig. Dropping a [`ControlPlane`] kills its processes.

pub mod certificates;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::conformance::repository;
use crate::failure::{Doing, Failure};
use certificates::Certificates;

/// How long a control plane may take until it is ready; kube-apiserver needs 3 to 10 seconds.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a process may take to stop by itself before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Whether kube-controller-manager runs beside the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controllers {
    /// It runs, with its default controllers.
    On,
    /// The API server is alone.
    Off,
}

/// Where Pintle keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In memory only.
    Memory,
    /// On disk, every acknowledged write synced.
    Disk,
}

/// How Pintle is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Fast to build.
    Dev,
    /// Fast to run.
    Release,
}

/// A running control plane.
pub struct ControlPlane {
    /// Admin kubeconfig.
    pub kubeconfig: PathBuf,
    /// Port of the API on 127.0.0.1.
    pub port: u16,
    /// The processes in the order of their start, by name.
    processes: Vec<Process>,
}

struct Process {
    name: &'static str,
    child: Child,
}

impl ControlPlane {
    /// Starts etcd, kube-apiserver and, if wanted, kube-controller-manager out of `bin`.
    ///
    /// # Errors
    /// A program that does not start, or that is not ready within a minute; its log is named.
    pub fn start_upstream(
        bin: &Path,
        directory: &Path,
        controllers: Controllers,
    ) -> Result<Self, Failure> {
        let certificates = Certificates::make(&directory.join("pki"))?;
        let mut plane = Self::launch_upstream(bin, directory, &certificates)?;
        plane.wait_until_ready(bin)?;
        if controllers == Controllers::On {
            plane.start_controller_manager(bin, directory, &certificates)?;
        }
        Ok(plane)
    }

    /// Starts etcd and kube-apiserver and returns at once; [`Self::port`] is where it will listen.
    ///
    /// # Errors
    /// A program that does not start.
    pub fn launch_upstream(
        bin: &Path,
        directory: &Path,
        certificates: &Certificates,
    ) -> Result<Self, Failure> {
        std::fs::create_dir_all(directory).doing("create the directory of upstream")?;
        let [etcd, etcd_peer, api] = free_ports()?;
        let kubeconfig = directory.join("admin.kubeconfig");
        write_kubeconfig(&kubeconfig, api, certificates)?;
        let mut plane = Self {
            kubeconfig,
            port: api,
            processes: Vec::new(),
        };
        plane.spawn(
            "etcd",
            directory,
            &mut etcd_command(bin, directory, etcd, etcd_peer),
        )?;
        plane.spawn(
            "kube-apiserver",
            directory,
            &mut apiserver_command(bin, directory, certificates, etcd, api),
        )?;
        Ok(plane)
    }

    /// Starts kube-controller-manager beside a kube-apiserver that is ready.
    ///
    /// # Errors
    /// The program does not start.
    pub fn start_controller_manager(
        &mut self,
        bin: &Path,
        directory: &Path,
        certificates: &Certificates,
    ) -> Result<(), Failure> {
        let [port] = free_ports()?;
        let mut command = Command::new(bin.join("kube-controller-manager"));
        controller_manager_arguments(&mut command, &self.kubeconfig, certificates, port);
        self.spawn("kube-controller-manager", directory, &mut command)
    }

    /// Starts `pintle up`, or `pintle server` where no controllers shall run, with its data in
    /// `directory` and waits until it says where it listens.
    ///
    /// # Errors
    /// A program that exits, or that says nothing within a minute.
    pub fn start_pintle(
        program: &Path,
        directory: &Path,
        storage: Storage,
        controllers: Controllers,
    ) -> Result<Self, Failure> {
        let role = match controllers {
            Controllers::On => "up",
            Controllers::Off => "server",
        };
        let mut plane = Self::launch(program, directory, storage, 0, role)?;
        let child = &mut plane.processes[0].child;
        let stdout = child.stdout.take().expect("stdout was asked to be piped");
        plane.port = first_port_printed(stdout)?;
        Ok(plane)
    }

    /// Starts `pintle up` on `port` and returns at once.
    ///
    /// # Errors
    /// The program does not start.
    pub fn launch_pintle(
        program: &Path,
        directory: &Path,
        storage: Storage,
        port: u16,
    ) -> Result<Self, Failure> {
        Self::launch(program, directory, storage, port, "up")
    }

    fn launch(
        program: &Path,
        directory: &Path,
        storage: Storage,
        port: u16,
        role: &str,
    ) -> Result<Self, Failure> {
        std::fs::create_dir_all(directory).doing("create the directory of pintle")?;
        let mut command = Command::new(program);
        command
            .arg(role)
            .arg(format!("--listen=127.0.0.1:{port}"))
            .arg("--data")
            .arg(directory);
        if storage == Storage::Memory {
            command.arg("--in-memory");
        }
        let log = std::fs::File::create(directory.join("pintle.log")).doing("create pintle.log")?;
        // With a port of its own choice, Pintle has to be listened to; otherwise nobody reads it.
        let stdout = if port == 0 {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(log)
            .spawn()
            .doing(format!("start {}", program.display()))?;
        Ok(Self {
            kubeconfig: directory.join("admin.kubeconfig"),
            port,
            processes: vec![Process {
                name: "pintle",
                child,
            }],
        })
    }

    /// Returns the process ids with the names of their programs, first started first.
    #[must_use]
    pub fn processes(&self) -> Vec<(&'static str, u32)> {
        self.processes
            .iter()
            .map(|process| (process.name, process.child.id()))
            .collect()
    }

    /// Asks every process to stop (SIGTERM, last started first), waits for it, and returns how long
    /// all of them took together.
    ///
    /// # Errors
    /// A process that has to be killed.
    pub fn stop(mut self) -> Result<Duration, Failure> {
        let started = Instant::now();
        while let Some(mut process) = self.processes.pop() {
            terminate(process.child.id());
            if !wait_for_exit(&mut process.child, STOP_TIMEOUT) {
                let _ = process.child.kill();
                let _ = process.child.wait();
                return Err(Failure::new(format!("{} did not stop", process.name)));
            }
        }
        Ok(started.elapsed())
    }

    fn spawn(
        &mut self,
        name: &'static str,
        directory: &Path,
        command: &mut Command,
    ) -> Result<(), Failure> {
        let log = directory.join(format!("{name}.log"));
        let log = std::fs::File::create(&log).doing(format!("create {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .doing(format!("start {name}"))?;
        self.processes.push(Process { name, child });
        Ok(())
    }

    /// Asks `/readyz` through kubectl until it answers.
    fn wait_until_ready(&mut self, bin: &Path) -> Result<(), Failure> {
        let started = Instant::now();
        loop {
            let exited = self.processes.iter_mut().find_map(|process| {
                let status = process.child.try_wait().ok().flatten()?;
                Some(format!("{} exited ({status}); see its log", process.name))
            });
            if let Some(text) = exited {
                return Err(Failure::new(text));
            }
            // A connection attempt is cheaper than kubectl; only ask once somebody listens.
            let listens = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
            if listens && answers_ready(bin, &self.kubeconfig) {
                return Ok(());
            }
            if started.elapsed() > READY_TIMEOUT {
                return Err(Failure::new("kube-apiserver is not ready after a minute"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // The process may be gone already; there is nothing more to do about it here.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

/// Builds Pintle and returns the binary.
///
/// # Errors
/// The build fails.
pub fn build_pintle(profile: Profile) -> Result<PathBuf, Failure> {
    let mut command = Command::new("cargo");
    command.current_dir(repository()).args([
        "build",
        "--package",
        "pintle",
        "--message-format=json-render-diagnostics",
    ]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .doing("start cargo")?;
    if !output.status.success() {
        return Err(Failure::new("building pintle failed"));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "pintle")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| Failure::new("cargo built no pintle binary"))
}

/// Writes a kubeconfig that presents the admin client certificate.
fn write_kubeconfig(path: &Path, port: u16, certificates: &Certificates) -> Result<(), Failure> {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: admin\n\
         clusters:\n- name: ground\n  cluster:\n    server: https://127.0.0.1:{port}\n    \
         certificate-authority: {}\n\
         users:\n- name: admin\n  user:\n    client-certificate: {}\n    client-key: {}\n\
         contexts:\n- name: admin\n  context:\n    cluster: ground\n    user: admin\n",
        certificates.authority.display(),
        certificates.admin.certificate.display(),
        certificates.admin.key.display(),
    );
    std::fs::write(path, text).doing(format!("write {}", path.display()))
}

fn etcd_command(bin: &Path, directory: &Path, client: u16, peer: u16) -> Command {
    let mut command = Command::new(bin.join("etcd"));
    command
        .arg("--data-dir")
        .arg(directory.join("etcd"))
        .arg(format!("--listen-client-urls=http://127.0.0.1:{client}"))
        .arg(format!("--advertise-client-urls=http://127.0.0.1:{client}"))
        .arg(format!("--listen-peer-urls=http://127.0.0.1:{peer}"))
        .arg(format!(
            "--initial-advertise-peer-urls=http://127.0.0.1:{peer}"
        ))
        .arg(format!("--initial-cluster=default=http://127.0.0.1:{peer}"))
        .arg("--log-level=warn");
    command
}

fn apiserver_command(
    bin: &Path,
    directory: &Path,
    certificates: &Certificates,
    etcd: u16,
    port: u16,
) -> Command {
    let mut command = Command::new(bin.join("kube-apiserver"));
    let path = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{etcd}"))
        .arg("--bind-address=127.0.0.1")
        .arg("--advertise-address=127.0.0.1")
        .arg("--endpoint-reconciler-type=none")
        .arg(format!("--secure-port={port}"))
        .arg(path("cert-dir", &directory.join("apiserver")))
        .arg(path("tls-cert-file", &certificates.serving.certificate))
        .arg(path("tls-private-key-file", &certificates.serving.key))
        .arg(path("client-ca-file", &certificates.authority))
        .arg("--authorization-mode=Node,RBAC")
        .arg("--allow-privileged=true")
        .arg("--service-cluster-ip-range=10.96.0.0/16")
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .arg(path(
            "service-account-key-file",
            &certificates.service_account.certificate,
        ))
        .arg(path(
            "service-account-signing-key-file",
            &certificates.service_account.key,
        ));
    command
}

fn controller_manager_arguments(
    command: &mut Command,
    kubeconfig: &Path,
    certificates: &Certificates,
    port: u16,
) {
    let path = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
    command
        .arg(path("kubeconfig", kubeconfig))
        .arg(path("authentication-kubeconfig", kubeconfig))
        .arg(path("authorization-kubeconfig", kubeconfig))
        .arg(path("root-ca-file", &certificates.authority))
        .arg(path(
            "service-account-private-key-file",
            &certificates.service_account.key,
        ))
        .arg("--use-service-account-credentials=true")
        .arg("--leader-elect=false")
        // Its default of 20 requests a second would measure the limit and not the controllers.
        .arg("--kube-api-qps=2000")
        .arg("--kube-api-burst=4000")
        .arg("--bind-address=127.0.0.1")
        .arg(format!("--secure-port={port}"));
}

fn answers_ready(bin: &Path, kubeconfig: &Path) -> bool {
    Command::new(bin.join("kubectl"))
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(["get", "--raw", "/readyz"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Returns ports that nobody listens on now.
///
/// All are held at once so that they differ. Another process may still take one before it is
/// used; then the start fails with a message that says so.
///
/// # Errors
/// Loopback has no free port left.
pub fn free_ports<const N: usize>() -> Result<[u16; N], Failure> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("find a free port")?;
        *port = listener.local_addr().doing("find a free port")?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// Reads what a program prints until it names its address, then keeps draining the pipe in a thread.
pub(crate) fn first_port_printed(stdout: impl Read + Send + 'static) -> Result<u16, Failure> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { return };
            if let Some(port) = port_in(&line) {
                // Only the first port is wanted; later ones find nobody waiting.
                let _ = sender.try_send(port);
            }
            if std::env::var_os("XTASK_ECHO").is_some() {
                let _ = writeln!(std::io::stderr(), "pintle: {line}");
            }
        }
    });
    receiver
        .recv_timeout(READY_TIMEOUT)
        .map_err(|_| Failure::new("the program did not say where it listens; see its log"))
}

/// Returns the port of the first `127.0.0.1:PORT` in a line.
fn port_in(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("127.0.0.1:")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|&port| port != 0)
}

fn terminate(pid: u32) {
    // The standard library can only kill; stopping cleanly is what is to be seen here.
    let _ = Command::new("kill")
        .arg("-TERM")
        .arg(pid.to_string())
        .status();
}

fn wait_for_exit(child: &mut Child, timeout: Duration) -> bool {
    let started = Instant::now();
    while started.elapsed() < timeout {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{free_ports, port_in};

    #[test]
    fn finds_the_port_in_a_line() {
        assert_eq!(port_in("  https://127.0.0.1:6443  (API)"), Some(6443));
        assert_eq!(port_in("listening on 127.0.0.1:0"), None);
        assert_eq!(port_in("nothing here"), None);
    }

    #[test]
    fn gives_different_ports() {
        let [one, two] = free_ports().expect("loopback has free ports");
        assert_ne!(one, two);
    }
}
