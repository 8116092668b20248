//! Packs the descriptions that lie in the sources of `k8s-openapi`.
#![allow(
    clippy::disallowed_methods,
    reason = "a build script is told everything by its environment"
)]

#[path = "src/distil.rs"]
mod distil;

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use flate2::{Compression, write::DeflateEncoder};

/// The release whose texts these are; a feature of the dependency chooses the same one.
const RELEASE: &str = "v1_37";

/// Fewer types than this and the sources no longer look as they did: 769 were there when this was
/// written.
const TYPES_MIN: usize = 600;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/distil.rs");
    // The sources of a released crate do not change; another release comes with another lock file.
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    let sources = sources().join("src").join(RELEASE);
    let mut files = Vec::new();
    gather(&sources, &mut files);
    files.sort();
    let mut text = String::new();
    let types = files
        .iter()
        .filter(|file| distil::file(&read(file), &mut text))
        .count();
    assert!(
        types >= TYPES_MIN,
        "only {types} types are described in {}\nhint: the generator of k8s-openapi changed; see crates/texts/src/distil.rs",
        sources.display()
    );
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
    packer
        .write_all(text.as_bytes())
        .expect("a vector takes everything");
    let packed = packer.finish().expect("a vector takes everything");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names it"));
    fs::write(out.join("texts.deflate"), packed).expect("the output directory can be written");
}

/// Returns where the dependency lies, as cargo itself tells: the registry, a vendored copy, a path.
fn sources() -> PathBuf {
    let metadata = metadata(&["--offline"])
        .or_else(|| metadata(&[]))
        .expect("cargo metadata tells where k8s-openapi lies");
    // The name of a package stands before the path of its manifest.
    let (_, package) = metadata
        .split_once("\"name\":\"k8s-openapi\",\"version\":")
        .expect("k8s-openapi is a dependency");
    let (_, path) = package
        .split_once("\"manifest_path\":\"")
        .expect("every package has a manifest");
    let (path, _) = path.split_once('"').expect("JSON strings end");
    let manifest = PathBuf::from(path.replace("\\\\", "\\"));
    manifest
        .parent()
        .expect("a manifest lies in a directory")
        .to_owned()
}

fn metadata(more: &[&str]) -> Option<String> {
    let directory = env::var_os("CARGO_MANIFEST_DIR").expect("cargo names it");
    let host = env::var("HOST").expect("cargo names it");
    let output = Command::new(env::var_os("CARGO").expect("cargo names itself"))
        .args(["metadata", "--format-version", "1", "--filter-platform"])
        .arg(host)
        .args(more)
        .current_dir(directory)
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn gather(directory: &Path, files: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path = entry.expect("the directory can be read").path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
