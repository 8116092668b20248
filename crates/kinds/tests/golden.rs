//! The golden corpus of the `k8s.io/api` Go module through the shapes of this room, byte for byte.
//!
//! The corpus is not part of the repository. It is looked for in Go's module cache
//! (`go mod download k8s.io/api@v0.37.1`); without it the test fails.

use std::{fs, path::PathBuf};

use api::{GroupVersion, Gvk, Value, json};
use kinds::Builtins;
use schema::{Unknown, decode, proto};

/// How many objects of the corpus are of kinds that are built in; all go round.
const OBJECTS_MIN: usize = 87;

/// Returns the directory of the corpus.
///
/// # Panics
/// Without it: a test that proves nothing must not pass.
fn corpus() -> PathBuf {
    let home = std::env::home_dir().expect("there is a home directory");
    let path = home.join("go/pkg/mod/k8s.io/api@v0.37.1/testdata/HEAD");
    assert!(
        path.is_dir(),
        "no corpus in {}\nhint: run `go mod download k8s.io/api@v0.37.1`",
        path.display()
    );
    path
}

fn compact(value: &Value) -> String {
    let mut out = Vec::new();
    json::write(value, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// Returns what differs, or whether the kind is built in.
fn round(builtins: &Builtins, path: &std::path::Path) -> Result<bool, String> {
    let given = fs::read(path).expect("the corpus can be read");
    let original = json::read(&given).expect("the corpus is JSON").value;
    let kind = original.str_at(&["kind"]).unwrap_or_default();
    let version = original.str_at(&["apiVersion"]).unwrap_or_default();
    let Some(group_version) = GroupVersion::parse(version) else {
        return Ok(false);
    };
    let gvk = Gvk {
        group_version,
        kind: kind.into(),
    };
    let Some(shape) = builtins.shape(&gvk) else {
        return Ok(false);
    };
    let mut tree = original.clone();
    let mut unknown = Unknown::collect();
    decode(&shape, &mut tree, &mut unknown).map_err(|error| error.to_string())?;
    if !unknown.paths().is_empty() {
        return Err(format!("unknown fields {:?}", unknown.paths()));
    }
    if compact(&tree) != compact(&original) {
        return Err("decoding changed it".to_owned());
    }
    let golden = fs::read(path.with_extension("pb")).expect("the corpus can be read");
    let envelope = proto::read_envelope(&golden).map_err(|error| error.to_string())?;
    if proto::object(&shape, &tree) != envelope.raw {
        return Err("protobuf differs".to_owned());
    }
    Ok(true)
}

#[test]
fn every_built_in_kind_of_the_corpus_goes_round() {
    let path = corpus();
    let builtins = kinds::load();
    let (mut known, mut wrong) = (0, String::new());
    for entry in fs::read_dir(&path).expect("the corpus can be read") {
        let file = entry.expect("the corpus can be read").path();
        if file.extension().is_none_or(|end| end != "json") {
            continue;
        }
        match round(&builtins, &file) {
            Ok(built_in) => known += usize::from(built_in),
            Err(why) => wrong.push_str(&format!("{}: {why}\n", file.display())),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(
        known >= OBJECTS_MIN,
        "only {known} objects are of known kinds"
    );
}
