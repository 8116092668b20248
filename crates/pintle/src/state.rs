//! The data directory: what lies in it, and making what is missing.
//!
//! ```text
//! DIR/
//!   admin.kubeconfig      for kubectl; written at each start
//!   pki/ca.{crt,key}      signs serving and client certificates; lives ten years
//!   pki/serving.{crt,key} renewed when near its end or when an address is new
//!   pki/admin.{crt,key}   group system:masters
//!   pki/kubelet-client.{crt,key}  shown to nodes; group system:masters
//!   pki/front-proxy-ca.{crt,key}, front-proxy.{crt,key}
//!   pki/service-accounts.key
//!   store/                the objects; see docs/internals/store-file-format.md
//! ```
//!
//! Nothing that exists is ever replaced, except certificates that pintle itself can renew.

pub mod certificates;
pub mod kubeconfig;

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base::WallTime;

use crate::failure::Failure;

/// The keys and certificates a server needs, as PEM text.
#[derive(Clone, Default)]
pub struct Identities {
    /// Signs servers; goes into kubeconfigs and `kube-root-ca.crt`.
    pub ca: String,
    /// Vouches for clients; empty if nobody does.
    pub client_ca: String,
    /// What the listener shows.
    pub serving: Pair,
    /// The administrator's client certificate.
    pub admin: Pair,
    /// Signs the client certificate towards aggregated servers; empty if nobody does.
    pub front_proxy_ca: String,
    /// The client certificate towards aggregated servers.
    pub front_proxy: Pair,
    /// The client certificate towards nodes; empty if none is shown.
    pub kubelet_client: Pair,
    /// Signs service-account tokens (PKCS #8).
    pub service_accounts_key: String,
}

/// A certificate (chain) and its key, as PEM text.
#[derive(Clone, Default)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its private key, PKCS #8.
    pub key: String,
}

/// The data directory, open for use.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
}

impl DataDirectory {
    /// Opens `path`, creating it (readable by the owner only) if it is missing.
    ///
    /// # Errors
    /// [`Failure::File`] when it cannot be created.
    pub fn open(path: PathBuf) -> Result<Self, Failure> {
        for part in [path.clone(), path.join("pki")] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&part)
                .map_err(|source| Failure::File {
                    action: "create",
                    path: part,
                    source,
                })?;
        }
        Ok(Self { path })
    }

    /// Returns where the objects lie.
    #[must_use]
    pub fn store_path(&self) -> PathBuf {
        self.path.join("store")
    }

    /// Returns where the administrator's kubeconfig lies.
    #[must_use]
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.path.join("admin.kubeconfig")
    }

    /// Loads the identities, making those that are missing or about to expire.
    ///
    /// `addresses` are the names and IP addresses under which the server will be reached.
    ///
    /// # Errors
    /// [`Failure::Damaged`] when a file is there but cannot be used, [`Failure::File`] when one
    /// cannot be read or written.
    pub fn identities(&self, addresses: &[String], now: WallTime) -> Result<Identities, Failure> {
        certificates::load_or_make(self, addresses, now)
    }

    /// Writes the administrator's kubeconfig for a server at `url`.
    ///
    /// # Errors
    /// [`Failure::File`] when it cannot be written.
    pub fn write_kubeconfig(&self, identities: &Identities, url: &str) -> Result<(), Failure> {
        let text = kubeconfig::render(identities, url);
        write_private(&self.kubeconfig_path(), &text)
    }

    fn pki(&self, name: &str) -> PathBuf {
        self.path.join("pki").join(name)
    }
}

/// Reads a file; `None` when it is not there.
fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Failure::Damaged {
            path: path.to_owned(),
            what: "it is not text".to_owned(),
        }),
        Err(source) => Err(Failure::File {
            action: "read",
            path: path.to_owned(),
            source,
        }),
    }
}

/// Writes a file readable by the owner only, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let draft = path.with_extension("new");
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_data()
        })
        .and_then(|()| fs::rename(&draft, path));
    written.map_err(|source| Failure::File {
        action: "write",
        path: path.to_owned(),
        source,
    })
}
