//! The OpenAPI documents of the built-in kinds, beside upstream's own.
//!
//! Upstream's are looked for in Go's module cache (`go mod download k8s.io/kubernetes@v1.37.1`);
//! without them the comparison fails.

use std::{fs, path::PathBuf};

use api::{Gvk, Value, json};
use schema::openapi::{Release, Resource, Texts, document};

/// Returns one of upstream's documents.
///
/// # Panics
/// Without it: a comparison with nothing must not pass.
fn golden(file: &str) -> Value {
    let home = std::env::home_dir().expect("there is a home directory");
    let path: PathBuf = home
        .join("go/pkg/mod/k8s.io/kubernetes@v1.37.1/api/openapi-spec/v3")
        .join(file);
    let bytes = fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}\nhint: run `go mod download k8s.io/kubernetes@v1.37.1`",
            path.display()
        )
    });
    json::read(&bytes).expect("upstream writes JSON").value
}

/// Takes out what upstream's files do not say or we do not know: descriptions; enums, which upstream
/// writes only when it serves; the list type that lists have anyway.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut left = api::Object::default();
            for (name, value) in object.iter() {
                let text = matches!(value, Value::String(_)) && name == "description";
                let list = name == "x-kubernetes-list-type" && value.as_str() == Some("atomic");
                let values = name == "enum" && matches!(value, Value::Array(_));
                // A media type behind a feature gate that is off by default.
                let gated = name.contains("cbor");
                if !text && !list && !values && !gated {
                    left.push(name.into(), plain(value));
                }
            }
            left.sort();
            Value::Object(left)
        }
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

fn text(value: &Value) -> String {
    let mut out = Vec::new();
    json::write(value, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[test]
fn definitions_and_paths_are_upstreams() {
    let builtins = kinds::load();
    let meta = builtins
        .definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
        .expect("it is built in");
    let (mut same, mut other, mut paths, mut missing) = (0, Vec::new(), 0, Vec::new());
    let mut other_paths: Vec<String> = Vec::new();
    for version in &builtins.versions {
        let gv = &version.group_version;
        let file = if gv.group.is_empty() {
            format!("api__{}_openapi.json", gv.version)
        } else {
            format!("apis__{}__{}_openapi.json", gv.group, gv.version)
        };
        let resources: Vec<Resource<'_>> = builtins
            .kinds
            .iter()
            .filter(|kind| kind.version(gv).is_some())
            .map(|kind| Resource { kind, schema: None })
            .collect();
        let ours = document(
            gv,
            &resources,
            &meta,
            &Texts::default(),
            &Release::default(),
        );
        let theirs = golden(&file);
        let schemas = ours.at(&["components", "schemas"]).expect("there are some");
        for (name, definition) in schemas.as_object().expect("an object").iter() {
            let Some(wanted) = theirs.at(&["components", "schemas", name]) else {
                missing.push(format!("{gv} {name}"));
                continue;
            };
            let (definition, wanted) = (text(&plain(definition)), text(&plain(wanted)));
            if definition == wanted {
                same += 1;
            } else {
                other.push(format!("{gv} {name}\n  {definition}\n  {wanted}"));
            }
        }
        for (path, _) in ours
            .get("paths")
            .and_then(Value::as_object)
            .expect("paths")
            .iter()
        {
            match theirs.at(&["paths", path]) {
                Some(wanted) => {
                    paths += 1;
                    let found = ours.at(&["paths", path]).map(plain);
                    if found.as_ref().map(text) != Some(text(&plain(wanted))) {
                        other_paths.push(path.to_owned());
                    }
                }
                None => missing.push(path.to_owned()),
            }
        }
    }
    eprintln!(
        "{same} definitions as upstream, {} otherwise; {paths} paths of upstream; not upstream: {missing:?}",
        other.len()
    );
    assert!(other.len() * 20 <= same, "{}", other.join("\n"));
    assert_eq!(missing, Vec::<String>::new());
    assert_eq!(other_paths, Vec::<String>::new());
}

#[test]
fn kubectl_finds_what_it_looks_for() {
    let builtins = kinds::load();
    let meta = builtins
        .definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
        .expect("it is built in");
    let gvk = Gvk::new("apps", "v1", "Deployment");
    let resources: Vec<Resource<'_>> = builtins
        .kinds
        .iter()
        .filter(|kind| kind.version(&gvk.group_version).is_some())
        .map(|kind| Resource { kind, schema: None })
        .collect();
    let release = Release::default();
    let document = document(
        &gvk.group_version,
        &resources,
        &meta,
        &Texts::default(),
        &release,
    );
    let patch = document
        .at(&[
            "paths",
            "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
            "patch",
        ])
        .expect("deployments can be patched");
    assert_eq!(
        patch.str_at(&["x-kubernetes-group-version-kind", "kind"]),
        Some("Deployment")
    );
    let parameters = patch
        .get("parameters")
        .and_then(Value::as_array)
        .expect("it has some");
    for wanted in ["fieldValidation", "dryRun"] {
        assert!(
            parameters
                .iter()
                .any(|one| one.str_at(&["name"]) == Some(wanted))
        );
    }
}
