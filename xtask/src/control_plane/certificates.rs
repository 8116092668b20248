//! The certificates of an upstream control plane, made afresh for each run by `openssl`.
//!
//! They are of the kind that Pintle makes for itself (ECDSA P-256, one CA), so that neither side
//! of the benchmark pays for a slower handshake.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Doing, Failure};

/// A certificate (or public key) and its private key, as PEM files.
pub struct Pair {
    /// The public part.
    pub certificate: PathBuf,
    /// The private part.
    pub key: PathBuf,
}

/// Everything that kube-apiserver, its controllers and an admin need.
pub struct Certificates {
    /// Certificate of the one CA.
    pub authority: PathBuf,
    /// What the API server presents, valid for 127.0.0.1.
    pub serving: Pair,
    /// Client certificate in group system:masters.
    pub admin: Pair,
    /// Keys that sign service account tokens.
    pub service_account: Pair,
}

impl Certificates {
    /// Makes all of them in `directory`.
    ///
    /// # Errors
    /// `openssl` is missing or refuses.
    pub fn make(directory: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(directory).doing("create the directory of certificates")?;
        let authority = pair(directory, "ca");
        new_key(&authority.key)?;
        openssl(&[
            "req",
            "-x509",
            "-new",
            "-sha256",
            "-days",
            "30",
            "-subj",
            "/CN=ground-ca",
            "-key",
            text(&authority.key),
            "-out",
            text(&authority.certificate),
        ])?;
        let serving = signed(
            directory,
            "serving",
            &authority,
            "/CN=kube-apiserver",
            "subjectAltName=IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc\n\
             extendedKeyUsage=serverAuth\n",
        )?;
        let admin = signed(
            directory,
            "admin",
            &authority,
            "/O=system:masters/CN=admin",
            "extendedKeyUsage=clientAuth\n",
        )?;
        let service_account = pair(directory, "service-account");
        new_key(&service_account.key)?;
        openssl(&[
            "ec",
            "-in",
            text(&service_account.key),
            "-pubout",
            "-out",
            text(&service_account.certificate),
        ])?;
        Ok(Self {
            authority: authority.certificate,
            serving,
            admin,
            service_account,
        })
    }
}

fn pair(directory: &Path, name: &str) -> Pair {
    Pair {
        certificate: directory.join(format!("{name}.crt")),
        key: directory.join(format!("{name}.key")),
    }
}

fn signed(
    directory: &Path,
    name: &str,
    authority: &Pair,
    subject: &str,
    extensions: &str,
) -> Result<Pair, Failure> {
    let pair = pair(directory, name);
    let request = directory.join(format!("{name}.csr"));
    let extension_file = directory.join(format!("{name}.ext"));
    std::fs::write(&extension_file, extensions).doing("write certificate extensions")?;
    new_key(&pair.key)?;
    openssl(&[
        "req",
        "-new",
        "-sha256",
        "-subj",
        subject,
        "-key",
        text(&pair.key),
        "-out",
        text(&request),
    ])?;
    openssl(&[
        "x509",
        "-req",
        "-sha256",
        "-days",
        "30",
        "-CAcreateserial",
        "-CA",
        text(&authority.certificate),
        "-CAkey",
        text(&authority.key),
        "-extfile",
        text(&extension_file),
        "-in",
        text(&request),
        "-out",
        text(&pair.certificate),
    ])?;
    Ok(pair)
}

fn new_key(path: &Path) -> Result<(), Failure> {
    openssl(&[
        "ecparam",
        "-name",
        "prime256v1",
        "-genkey",
        "-noout",
        "-out",
        text(path),
    ])
}

fn text(path: &Path) -> &str {
    path.to_str()
        .expect("temporary directories have UTF-8 names")
}

fn openssl(arguments: &[&str]) -> Result<(), Failure> {
    let output = Command::new("openssl")
        .args(arguments)
        .output()
        .doing("start openssl, which makes the certificates of the run")?;
    if output.status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "openssl {}: {}",
            arguments[0],
            String::from_utf8_lossy(&output.stderr).trim()
        )))
    }
}
