//! The directory that `KUBEBUILDER_ASSETS` points to: links to this program under the names it
//! stands in for, and kubectl.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// Names under which the program stands in for others.
const NAMES: [&str; 2] = ["kube-apiserver", "etcd"];

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    directory: PathBuf,
    /// Where kubectl was found.
    kubectl: Option<PathBuf>,
}

/// Writes the links into `directory`; kubectl is looked for in `search_path`, as in `$PATH`.
///
/// Links that are there already are replaced.
///
/// # Errors
/// [`Failure::NotALink`] where something else stands; [`Failure::File`].
pub fn write(directory: &Path, search_path: &str) -> Result<Assets, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::Server(format!("cannot find the program itself: {error}")))?;
    fs::create_dir_all(directory).map_err(|source| file_failure("create", directory, source))?;
    let directory =
        fs::canonicalize(directory).map_err(|source| file_failure("read", directory, source))?;
    for name in NAMES {
        link(&program, &directory.join(name))?;
    }
    let own = directory.join("kubectl");
    let kubectl = std::env::split_paths(search_path)
        .map(|place| place.join("kubectl"))
        .find(|path| *path != own && is_program(path));
    if let Some(kubectl) = &kubectl {
        link(kubectl, &own)?;
    }
    Ok(Assets { directory, kubectl })
}

impl Assets {
    /// Returns the line for the shell.
    #[must_use]
    pub fn export(&self) -> String {
        let directory = self.directory.display().to_string();
        format!(
            "export KUBEBUILDER_ASSETS='{}'",
            directory.replace('\'', r"'\''")
        )
    }

    /// Returns what a person should know, in whole lines.
    #[must_use]
    pub fn remarks(&self) -> String {
        match &self.kubectl {
            Some(_) => String::new(),
            None => "kubectl is left out: there is none in $PATH; envtest needs it only for \
                     ControlPlane.KubeCtl() and User.Kubectl()\n"
                .to_owned(),
        }
    }
}

fn link(target: &Path, path: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            fs::remove_file(path).map_err(|source| file_failure("replace", path, source))?;
        }
        Ok(_) => return Err(Failure::NotALink(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(file_failure("read", path, source)),
    }
    symlink(target, path).map_err(|source| file_failure("create", path, source))
}

fn is_program(path: &Path) -> bool {
    let found = fs::metadata(path);
    found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn file_failure(action: &'static str, path: &Path, source: io::Error) -> Failure {
    Failure::File {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::write;
    use crate::failure::Failure;

    #[test]
    fn writes_links_again_and_again() {
        let place = tempfile::tempdir().expect("a directory");
        let assets = place.path().join("assets");
        for _ in 0..2 {
            let written = write(&assets, "").expect("it is writable");
            assert!(written.export().starts_with("export KUBEBUILDER_ASSETS='/"));
            assert!(written.remarks().starts_with("kubectl is left out: "));
        }
        let own = std::env::current_exe().expect("we run");
        for name in ["kube-apiserver", "etcd"] {
            assert_eq!(fs::read_link(assets.join(name)).expect("a link"), own);
        }
        assert!(!assets.join("kubectl").exists());
    }

    #[test]
    fn finds_kubectl_in_the_path() {
        let place = tempfile::tempdir().expect("a directory");
        let kubectl = place.path().join("kubectl");
        // Any program will do.
        fs::copy("/bin/true", &kubectl).expect("there is a small program");
        let assets = place.path().join("assets");
        let search_path = format!("/nowhere:{}", place.path().display());
        let written = write(&assets, &search_path).expect("it is writable");
        assert_eq!(written.remarks(), "");
        assert_eq!(
            fs::read_link(assets.join("kubectl")).expect("a link"),
            kubectl
        );
    }

    #[test]
    fn replaces_nothing_but_links() {
        let place = tempfile::tempdir().expect("a directory");
        let etcd = place.path().join("etcd");
        fs::write(&etcd, "someone's").expect("it is writable");
        let refused = write(place.path(), "");
        let etcd = fs::canonicalize(etcd).expect("it is there");
        assert!(matches!(refused, Err(Failure::NotALink(path)) if path == etcd));
    }
}
