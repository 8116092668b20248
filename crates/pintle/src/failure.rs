//! Why pintle could not start or had to stop: the words and the exit code.

use std::{fmt, io, path::PathBuf};

/// Why the process ends, other than by request.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The listen address is no address.
    #[error("cannot understand the address '{0}'")]
    BadAddress(String),
    /// The network of Services is not understood.
    #[error("cannot understand the network of Services")]
    Network(#[source] crate::network::NetworkingError),
    /// Someone else serves there.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no place for the state.
    #[error("no data directory is known")]
    NoDataDirectory,
    /// A file of the state cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// `read`, `write`, `create`
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file of the state does not hold what it should.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The store could not be opened.
    #[error("cannot open the store in {}", path.display())]
    Store {
        /// Its directory.
        path: PathBuf,
        /// What the store said.
        #[source]
        source: store::StoreError,
    },
    /// A file of static tokens cannot be understood.
    #[error("cannot understand {}: {what}", path.display())]
    Tokens {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A flag of a program that pintle stands in for is not taken.
    #[error(transparent)]
    Words(#[from] crate::standin::words::WordsError),
    /// A file that a flag names cannot be used.
    #[error("cannot use --{flag} {}: {what}", path.display())]
    Material {
        /// The flag.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Something stands where a link is to be written.
    #[error("{} is there and is not a link", .0.display())]
    NotALink(PathBuf),
    /// A controller is named that does not exist.
    #[error("cannot choose the controllers")]
    Controllers(#[source] controllers::switches::UnknownController),
    /// The server could not be put together or failed.
    #[error("{0}")]
    Server(String),
    /// A certificate could not be made.
    #[error("cannot make the {what} certificate")]
    Certificate {
        /// Which one.
        what: &'static str,
        /// What the library said.
        #[source]
        source: rcgen::Error,
    },
}

impl Failure {
    /// Returns the exit code: 2 for what the caller can say better, 3 for the state, 4 for the
    /// machine, 1 for anything else, kube-apiserver's flags included (etcd exits with 2).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Words(crate::standin::words::WordsError::Undefined(_))
            | Self::NotALink(_)
            | Self::BadAddress(_)
            | Self::Network(_)
            | Self::NoDataDirectory
            | Self::Controllers(_)
            | Self::Tokens { .. } => 2,
            Self::Damaged { .. } | Self::Store { .. } => 3,
            Self::Listen { .. } | Self::File { .. } => 4,
            Self::Words(_) | Self::Material { .. } | Self::Server(_) | Self::Certificate { .. } => {
                1
            }
        }
    }

    /// Returns what the user could do about it, where that can be guessed.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::BadAddress(_) => "write it as HOST:PORT, such as 127.0.0.1:6443".to_owned(),
            Self::Listen { source, address } => match source.kind() {
                io::ErrorKind::AddrInUse => format!(
                    "another program serves on {address}; stop it, or choose a free port with --listen 127.0.0.1:0"
                ),
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 need privileges; choose a higher one".to_owned()
                }
                _ => return None,
            },
            Self::NoDataDirectory => "name one with --data DIR".to_owned(),
            Self::File { source, path, .. } => file_hint(source, path)?,
            Self::Damaged { path, .. } => format!(
                "restore {} from a backup; if you remove it, pintle makes a new one and old clients must be given it",
                path.display()
            ),
            Self::Store { source, path } => store_hint(source, path)?,
            Self::Tokens { .. } => {
                "each line is token,user,uid and optionally \"group1,group2\"".to_owned()
            }
            Self::Controllers(_) => "pintle up --help tells how controllers are named".to_owned(),
            Self::NotALink(_) => "remove it, or name another directory".to_owned(),
            Self::Words(_)
            | Self::Material { .. }
            | Self::Network(_)
            | Self::Server(_)
            | Self::Certificate { .. } => return None,
        };
        Some(text)
    }
}

fn file_hint(source: &io::Error, path: &std::path::Path) -> Option<String> {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(format!(
            "pintle needs to read and write {}; choose another directory with --data DIR",
            path.display()
        )),
        io::ErrorKind::StorageFull => Some("the disk is full; free some space".to_owned()),
        io::ErrorKind::NotADirectory => {
            Some("a file stands where a directory is needed".to_owned())
        }
        _ => None,
    }
}

fn store_hint(source: &store::StoreError, path: &std::path::Path) -> Option<String> {
    match source {
        store::StoreError::Locked { .. } => Some(format!(
            "another pintle uses {}; stop it, or choose another directory with --data DIR",
            path.display()
        )),
        store::StoreError::Damaged { .. } => Some(format!(
            "nothing was changed; restore {} from a backup, or start on another directory with --data DIR",
            path.display()
        )),
        _ => None,
    }
}

/// Prints the failure as the user sees it: the chain, then the hint on a line of its own.
pub struct Report<'a>(pub &'a Failure);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pintle: {}", base::Chain(self.0))?;
        if let Some(hint) = self.0.hint() {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Failure, Report};

    #[test]
    fn says_what_happened_and_what_to_do() {
        let failure = Failure::Listen {
            address: "127.0.0.1:6443".to_owned(),
            source: io::Error::from(io::ErrorKind::AddrInUse),
        };
        assert_eq!(failure.exit_code(), 4);
        let text = Report(&failure).to_string();
        assert!(
            text.starts_with("pintle: cannot listen on 127.0.0.1:6443: ")
                && text.contains("\nhint: another program serves on 127.0.0.1:6443;"),
            "{text}"
        );
    }
}
