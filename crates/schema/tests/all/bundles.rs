//! Real CRDs: every schema of the five bundles is found sound and compiles.
//!
//! They are looked for in Go's module cache (`go mod download sigs.k8s.io/gateway-api@v1.6.1` and
//! so on); without them the test fails.

use std::{fs, path::PathBuf};

use api::{Value, field, yaml};
use schema::{
    Unknown, decode,
    structural::{CheckOptions, StatusDoor, check, compile},
};

use crate::{meta, shapes};

const BUNDLES: [&str; 5] = [
    "sigs.k8s.io/gateway-api@v1.6.1/config/crd/standard",
    "github.com/prometheus-operator/prometheus-operator@v0.93.0/bundle.yaml",
    "sigs.k8s.io/cluster-api@v1.14.0/core/config/crd/bases",
    "github.com/cert-manager/cert-manager@v1.21.1/deploy/crds",
    "istio.io/api@v1.31.1/kubernetes/customresourcedefinitions.gen.yaml",
];

fn files(bundle: &str) -> Vec<PathBuf> {
    let Some(home) = std::env::home_dir() else {
        return Vec::new();
    };
    let path = home.join("go/pkg/mod").join(bundle);
    if path.is_file() {
        return vec![path];
    }
    let entries = fs::read_dir(path).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    files
}

/// Returns the module of a bundle: everything up to its version.
fn module(bundle: &str) -> &str {
    let version = bundle.find('@').expect("bundles are pinned");
    let end = bundle[version..]
        .find('/')
        .map_or(bundle.len(), |end| version + end);
    &bundle[..end]
}

fn documents(path: &PathBuf) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the bundle can be read");
    format!("\n{text}")
        .split("\n---")
        .filter(|document| document.contains("kind: CustomResourceDefinition"))
        .map(|document| {
            yaml::read(document.as_bytes())
                .expect("the bundle is YAML")
                .value
        })
        .collect()
}

#[test]
fn every_schema_is_sound() {
    let crds = &shapes()["apiextensions.k8s.io/v1 CustomResourceDefinition"];
    let meta = meta();
    let (mut versions, mut wrong) = (0, Vec::new());
    for bundle in BUNDLES {
        let files = files(bundle);
        assert!(
            !files.is_empty(),
            "no {bundle} in Go's module cache\nhint: run `go mod download {}`",
            module(bundle)
        );
        for mut crd in files.iter().flat_map(documents) {
            let mut unknown = Unknown::collect();
            decode(crds, &mut crd, &mut unknown).expect("a CRD decodes");
            let name = crd
                .str_at(&["metadata", "name"])
                .unwrap_or_default()
                .to_owned();
            if !unknown.paths().is_empty() {
                wrong.push(format!("{name}: unknown {:?}", unknown.paths()));
            }
            let all = crd.at(&["spec", "versions"]).and_then(Value::as_array);
            for version in all.unwrap_or_default() {
                let Some(schema) = version.at(&["schema", "openAPIV3Schema"]) else {
                    continue;
                };
                versions += 1;
                let options = match version.at(&["subresources", "status"]) {
                    Some(_) => CheckOptions {
                        status: StatusDoor::Present,
                        ..CheckOptions::default()
                    },
                    None => CheckOptions::default(),
                };
                let errors = check(schema, &field::Path::new("schema"), &meta, options);
                let mut texts = errors.iter().map(ToString::to_string);
                wrong.extend(
                    texts
                        .next()
                        .map(|text| format!("{name}: {} errors: {text:.300}", errors.len())),
                );
                compile(schema, &meta).expect("it compiles");
            }
        }
    }
    assert!(versions > 90, "only {versions} schemas were read");
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
