//! One of the two sides: its processes, its credentials and its client.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use xtask::control_plane::certificates::Certificates;
use xtask::control_plane::{ControlPlane, Storage, free_ports};
use xtask::failure::{Doing, Failure};

use crate::client::{Client, Credentials};
use crate::process::CpuMoment;

/// Connections of the load generator to one side.
pub(crate) const CONNECTIONS: usize = 4;

/// How long a side may take until it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Which side it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Which {
    /// kube-apiserver and etcd.
    Upstream,
    /// Pintle.
    Pintle,
}

/// What starts the two sides.
pub(crate) struct Programs {
    /// Directory with upstream's programs.
    pub(crate) bin: PathBuf,
    /// The Pintle binary.
    pub(crate) pintle: PathBuf,
    /// Where the sides keep their data.
    pub(crate) scratch: PathBuf,
}

/// A running side.
pub(crate) struct Side {
    /// Which one it is.
    pub(crate) which: Which,
    /// The client that asks it.
    pub(crate) client: Client,
    /// For rows that open connections of their own.
    pub(crate) credentials: Credentials,
    /// Time from starting the first process to an answer that it is ready.
    pub(crate) ready_after: Duration,
    plane: ControlPlane,
    directory: PathBuf,
    certificates: Option<Certificates>,
}

impl Side {
    /// Starts a side with empty data and waits until it answers that it is ready.
    ///
    /// Pintle runs with everything it has, its controllers included; upstream is kube-apiserver
    /// and etcd until [`Self::start_controllers`].
    pub(crate) async fn start(which: Which, programs: &Programs) -> Result<Self, Failure> {
        let [port] = free_ports()?;
        let directory = programs.scratch.join(format!("{which:?}-{port}"));
        let certificates = match which {
            // Made beforehand: upstream's own start does not make certificates for a user.
            Which::Upstream => Some(Certificates::make(&directory.join("pki"))?),
            Which::Pintle => None,
        };
        let started = Instant::now();
        let plane = match &certificates {
            Some(made) => ControlPlane::launch_upstream(&programs.bin, &directory, made)?,
            None => ControlPlane::launch_pintle(&programs.pintle, &directory, Storage::Disk, port)?,
        };
        let credentials = loop {
            if let Some(credentials) = ask_ready(&plane).await {
                break credentials;
            }
            if started.elapsed() > READY_TIMEOUT {
                return Err(Failure::new(format!(
                    "{which:?} is not ready after a minute"
                )));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let ready_after = started.elapsed();
        let client = Client::open(&credentials, plane.port, CONNECTIONS).await?;
        Ok(Self {
            which,
            client,
            credentials,
            ready_after,
            plane,
            directory,
            certificates,
        })
    }

    /// Starts kube-controller-manager beside kube-apiserver; Pintle's controllers run already.
    pub(crate) fn start_controllers(&mut self, programs: &Programs) -> Result<(), Failure> {
        match &self.certificates {
            Some(made) => self
                .plane
                .start_controller_manager(&programs.bin, &self.directory, made),
            None => Ok(()),
        }
    }

    /// Returns the ids of all its processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.plane
            .processes()
            .into_iter()
            .map(|(_, pid)| pid)
            .collect()
    }

    /// Returns the CPU time spent so far.
    pub(crate) fn cpu(&self) -> CpuMoment {
        CpuMoment::now(&self.pids())
    }

    /// Returns the port of its API.
    pub(crate) fn port(&self) -> u16 {
        self.plane.port
    }

    /// Stops it and returns how long that took.
    pub(crate) fn stop(self) -> Result<Duration, Failure> {
        drop(self.client);
        self.plane.stop()
    }
}

/// Asks `/readyz` once, after the kubeconfig is there and somebody listens.
async fn ask_ready(plane: &ControlPlane) -> Option<Credentials> {
    if !plane.kubeconfig.is_file() {
        return None;
    }
    tokio::net::TcpStream::connect(("127.0.0.1", plane.port))
        .await
        .ok()?;
    let credentials = credentials_of(plane).ok()?;
    loop {
        let client = Client::open(&credentials, plane.port, 1).await.ok()?;
        if client.get("/readyz").await.ok()?.status.is_success() {
            return Some(credentials);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn credentials_of(plane: &ControlPlane) -> Result<Credentials, Failure> {
    let text = std::fs::read_to_string(&plane.kubeconfig).doing("read the kubeconfig")?;
    Credentials::new(
        &pem_in(&text, "certificate-authority")?,
        &pem_in(&text, "client-certificate")?,
        &pem_in(&text, "client-key")?,
    )
}

/// Returns what a kubeconfig holds or names under `key`.
///
/// Both kubeconfigs hold one cluster and one user, one `key: value` a line; asking kubectl to read
/// them would add its own start to the time until ready.
fn pem_in(kubeconfig: &str, key: &str) -> Result<Vec<u8>, Failure> {
    let value = |key: &str| {
        kubeconfig
            .lines()
            .filter_map(|line| line.trim_start_matches([' ', '-']).split_once(": "))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.trim().trim_matches('"'))
    };
    if let Some(data) = value(&format!("{key}-data")) {
        return base64::engine::general_purpose::STANDARD
            .decode(data)
            .doing(format!("decode {key} in the kubeconfig"));
    }
    let path = value(key).ok_or_else(|| Failure::new(format!("the kubeconfig has no {key}")))?;
    std::fs::read(path).doing(format!("read {path}"))
}

#[cfg(test)]
mod tests {
    use super::pem_in;

    #[test]
    fn finds_data_before_files() {
        let config = "users:\n- name: a\n  user:\n    client-key-data: aGk=\n";
        assert_eq!(pem_in(config, "client-key").expect("is there"), b"hi");
        assert!(pem_in(config, "client-certificate").is_err());
        assert!(pem_in("client-key: /nowhere/at/all", "client-key").is_err());
    }
}
