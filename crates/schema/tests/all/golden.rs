//! The golden corpus of the `k8s.io/api` Go module, byte for byte.
//!
//! The corpus is not part of the repository. It is looked for in Go's module cache
//! (`go mod download k8s.io/api@v0.37.1`); without it these tests fail.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use schema::{Shape, Unknown, decode, proto};

use crate::{compact, loader, read};

/// How many kinds upstream's corpus has.
const KINDS: usize = 193;

/// Kinds of older releases that upstream's own module v0.37.1 has no types for any more.
const GONE: [&str; 13] = [
    "autoscaling/v2beta1 HorizontalPodAutoscaler",
    "autoscaling/v2beta2 HorizontalPodAutoscaler",
    "certificates.k8s.io/v1alpha1 PodCertificateRequest",
    "networking.k8s.io/v1alpha1 IPAddress",
    "networking.k8s.io/v1alpha1 ServiceCIDR",
    "resource.k8s.io/v1alpha3 DeviceClass",
    "resource.k8s.io/v1alpha3 ResourceClaim",
    "resource.k8s.io/v1alpha3 ResourceClaimTemplate",
    "resource.k8s.io/v1alpha3 ResourceSlice",
    "scheduling.k8s.io/v1alpha1 PriorityClass",
    "scheduling.k8s.io/v1alpha1 Workload",
    "scheduling.k8s.io/v1alpha2 PodGroup",
    "scheduling.k8s.io/v1alpha2 Workload",
];

/// Returns the directory of one release's objects.
///
/// # Panics
/// Without the corpus: a test that proves nothing must not pass.
fn corpus(version: &str) -> PathBuf {
    let home = std::env::home_dir().expect("there is a home directory");
    let path = home
        .join("go/pkg/mod/k8s.io/api@v0.37.1/testdata")
        .join(version);
    assert!(
        path.is_dir(),
        "no corpus in {}\nhint: run `go mod download k8s.io/api@v0.37.1`",
        path.display()
    );
    path
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

/// Every shape there is: of what is served, and of what upstream knows besides.
fn all_shapes() -> HashMap<String, Shape> {
    let texts = [
        include_str!("../../../kinds/data/kinds.txt"),
        include_str!("unserved.txt"),
    ];
    loader::load(&texts.concat())
}

#[test]
fn every_kind_goes_round_byte_for_byte() {
    let shapes = all_shapes();
    let (mut done, mut absent, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for (file, kind) in objects(&corpus("HEAD")) {
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
    assert_eq!(absent, BTreeSet::new(), "every kind has a shape");
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert_eq!(done, KINDS);
}

#[test]
fn objects_of_older_releases_decode() {
    let shapes = all_shapes();
    let mut absent = BTreeSet::new();
    for version in ["v1.33.0", "v1.34.0", "v1.35.0", "v1.36.0"] {
        let mut done = 0;
        for (file, kind) in objects(&corpus(version)) {
            if file.to_string_lossy().contains("after_roundtrip") {
                continue;
            }
            let Some(shape) = shapes.get(&kind) else {
                absent.insert(kind);
                continue;
            };
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
            done += 1;
        }
        assert!(done > 150, "only {done} kinds of {version}");
    }
    let gone: BTreeSet<String> = GONE.iter().map(ToString::to_string).collect();
    assert_eq!(absent, gone);
}
