//! Pintle under the names `kube-apiserver` and `etcd`, for harnesses that start those by themselves
//! (envtest above all).
//!
//! The same server as `pintle server`, put together by the same [`compose`](crate::compose), but
//! spoken to with upstream's flags, with certificates that others made, and with its objects in
//! memory. `etcd` is a stub that says it is well: the store is inside the server.
//!
//! Invariant: a flag of upstream's is used, ignored with a warning, or refused with a reason; its row
//! in [`apiserver_flags`] or [`etcd_flags`] says which.

pub mod apiserver;
pub mod apiserver_flags;
pub mod etcd;
pub mod etcd_flags;
pub mod words;

use std::{ffi::OsStr, path::Path};

use crate::failure::Failure;

/// Whom the process stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// The API server.
    KubeApiserver,
    /// The database.
    Etcd,
}

impl StandIn {
    /// Returns whom a process started under this name stands in for, if anyone.
    #[must_use]
    pub fn of(program: &OsStr) -> Option<Self> {
        match Path::new(program).file_name()?.to_str()? {
            "kube-apiserver" => Some(Self::KubeApiserver),
            "etcd" => Some(Self::Etcd),
            _ => None,
        }
    }

    /// Does what the program would, with the words of its command line. `controllers` are those to
    /// run beside the API server.
    ///
    /// # Errors
    /// Why it could not start or had to stop.
    pub fn run(self, said: &[String], controllers: Vec<String>) -> Result<(), Failure> {
        let program = match self {
            Self::KubeApiserver => &apiserver_flags::KUBE_APISERVER,
            Self::Etcd => &etcd_flags::ETCD,
        };
        let words = program.parse(said)?;
        if words.has("help") {
            print!("{}", program.help());
            return Ok(());
        }
        if words.has("version") {
            println!("{}", self.version());
            return Ok(());
        }
        let ignored = words.ignored();
        if !ignored.is_empty() {
            let name = program.name;
            eprintln!("{name}: these flags mean nothing here: {ignored} (see {name} --help)");
        }
        match self {
            Self::KubeApiserver => apiserver::serve(&words, controllers),
            Self::Etcd => etcd::serve(&words),
        }
    }

    fn version(self) -> String {
        let own = env!("CARGO_PKG_VERSION");
        match self {
            // Harnesses read this line, so it is upstream's.
            Self::KubeApiserver => format!("Kubernetes {}", crate::compose::KUBERNETES_VERSION),
            Self::Etcd => format!("etcd stand-in of pintle {own}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StandIn;

    #[test]
    fn the_name_decides() {
        let check = |program: &str, expected: Option<StandIn>| {
            assert_eq!(StandIn::of(program.as_ref()), expected, "{program}");
        };
        check("/opt/assets/kube-apiserver", Some(StandIn::KubeApiserver));
        check("etcd", Some(StandIn::Etcd));
        check("/usr/bin/pintle", None);
        check("etcd/pintle", None);
        check("", None);
    }
}
