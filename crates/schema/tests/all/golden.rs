//! The golden corpus of the `k8s.io/api` Go module, byte for byte.
//!
//! The corpus is not part of the repository. It is looked for in Go's module cache
//! (`go mod download k8s.io/api@v0.37.1`); without it these tests say so and prove nothing.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use schema::{Shape, Unknown, decode, proto};

use crate::{compact, read, shapes};

fn corpus(version: &str) -> Option<PathBuf> {
    let home = std::env::home_dir()?;
    let path = home
        .join("go/pkg/mod/k8s.io/api@v0.37.1/testdata")
        .join(version);
    path.is_dir().then_some(path)
}

/// Returns (file without ending, `group/version Kind`) of each object of the corpus.
fn objects(path: &Path) -> Vec<(PathBuf, String)> {
    let mut found: Vec<(PathBuf, String)> = fs::read_dir(path)
        .expect("the corpus can be read")
        .map(|entry| entry.expect("the corpus can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| {
            let stem = path
                .file_stem()
                .expect("files have names")
                .to_string_lossy()
                .into_owned();
            // Names go `group.version.Kind` and, for the output of older releases, end otherwise.
            let stem = stem
                .split(".after_roundtrip")
                .next()
                .unwrap_or_default()
                .to_owned();
            let mut parts = stem.rsplitn(3, '.');
            let kind = parts.next().unwrap_or_default();
            let version = parts.next().unwrap_or_default();
            let group = match parts.next().unwrap_or_default() {
                "core" => String::new(),
                group => format!("{group}/"),
            };
            (path.clone(), format!("{group}{version} {kind}"))
        })
        .collect();
    found.sort();
    found
}

/// JSON → tree → protobuf → tree → JSON; returns what differs.
fn round(shape: &Shape, json_path: &Path) -> Result<(), String> {
    let given = fs::read(json_path).expect("the corpus can be read");
    let original = read(&given);
    let golden = fs::read(json_path.with_extension("pb")).expect("the corpus can be read");

    let mut tree = original.clone();
    let mut unknown = Unknown::collect();
    decode(shape, &mut tree, &mut unknown).map_err(|error| error.to_string())?;
    if !unknown.paths().is_empty() {
        return Err(format!("unknown fields {:?}", unknown.paths()));
    }
    let (before, after) = (compact(&original), compact(&tree));
    if before != after {
        return Err(format!("decoding changed it:\n{before}\n{after}"));
    }
    let envelope = proto::read_envelope(&golden).map_err(|error| error.to_string())?;
    let quick = proto::transcode(shape, after.as_bytes()).map_err(|error| error.to_string())?;
    if quick != proto::object(shape, &tree) {
        return Err("transcoding gives other bytes".to_owned());
    }
    let message = proto::object(shape, &tree);
    if message != envelope.raw {
        let same = message
            .iter()
            .zip(envelope.raw)
            .take_while(|(a, b)| a == b)
            .count();
        let near = |bytes: &[u8]| {
            let part =
                &bytes[same.saturating_sub(40).min(bytes.len())..(same + 40).min(bytes.len())];
            String::from_utf8_lossy(part).into_owned()
        };
        return Err(format!(
            "protobuf differs at byte {same}:\n{:?}\n{:?}",
            near(&message),
            near(envelope.raw)
        ));
    }
    if proto::envelope(&envelope.api_version, &envelope.kind, &message) != golden {
        return Err("the envelope differs".to_owned());
    }
    let back = proto::read_object(shape, &envelope).map_err(|error| error.to_string())?;
    let back = compact(&back);
    if back != before {
        return Err(format!("reading protobuf changed it:\n{before}\n{back}"));
    }
    Ok(())
}

#[test]
fn every_kind_goes_round_byte_for_byte() {
    let Some(path) = corpus("HEAD") else {
        eprintln!("no corpus; run `go mod download k8s.io/api@v0.37.1`");
        return;
    };
    let shapes = shapes();
    let (mut done, mut absent, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for (file, kind) in objects(&path) {
        match shapes.get(&kind) {
            None => {
                absent.insert(kind);
            }
            Some(shape) => match round(shape, &file) {
                Ok(()) => done += 1,
                Err(error) => wrong.push(format!("{kind}: {error}")),
            },
        }
    }
    eprintln!(
        "{done} kinds go round; no shape for {}: {absent:?}",
        absent.len()
    );
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(done >= 94, "only {done} kinds were tried");
}

#[test]
fn objects_of_older_releases_decode() {
    let shapes = shapes();
    for version in ["v1.33.0", "v1.34.0", "v1.35.0", "v1.36.0"] {
        let Some(path) = corpus(version) else {
            eprintln!("no corpus; run `go mod download k8s.io/api@v0.37.1`");
            return;
        };
        for (file, kind) in objects(&path) {
            let Some(shape) = shapes.get(&kind) else {
                continue;
            };
            if file.to_string_lossy().contains("after_roundtrip") {
                continue;
            }
            let mut tree = read(&fs::read(&file).expect("the corpus can be read"));
            decode(shape, &mut tree, &mut Unknown::ignore()).expect(&kind);
            let golden = fs::read(file.with_extension("pb")).expect("the corpus can be read");
            let envelope = proto::read_envelope(&golden).expect(&kind);
            let back = proto::read_object(shape, &envelope).expect(&kind);
            assert_eq!(compact(&back), compact(&tree), "{version} {kind}");
            // Where the current release writes it otherwise, upstream says how.
            let roundtrip = PathBuf::from(format!(
                "{}.after_roundtrip.json",
                file.with_extension("").display()
            ));
            if let Ok(bytes) = fs::read(roundtrip) {
                assert_eq!(compact(&tree), compact(&read(&bytes)), "{version} {kind}");
            }
        }
    }
}
