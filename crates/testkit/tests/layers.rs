//! The arrows of the house are those of `layers.toml` and no others, and the server knows no kind
//! by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde::Deserialize;

#[derive(Deserialize)]
struct Layers {
    /// Room to the rooms it may use; `*` for all.
    rooms: BTreeMap<String, Vec<String>>,
    /// Room to the foreign crates that it must never use, directly.
    refused: BTreeMap<String, Vec<String>>,
}

/// Room to its direct dependencies; those of tests only are left out.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Returns what breaks the law, one line each.
fn violations(layers: &Layers, arrows: &Arrows) -> Vec<String> {
    let mut found = Vec::new();
    for (room, used) in arrows {
        let Some(allowed) = layers.rooms.get(room) else {
            found.push(format!("{room} is not in layers.toml"));
            continue;
        };
        let free = allowed.iter().any(|name| name == "*");
        for name in used {
            let is_room = layers.rooms.contains_key(name);
            if is_room && !free && !allowed.contains(name) {
                found.push(format!("{room} must not use the room {name}"));
            }
            let refused = layers.refused.get(room);
            if refused.is_some_and(|refused| refused.contains(name)) {
                found.push(format!("{room} must not use the crate {name}"));
            }
        }
    }
    for room in layers.rooms.keys() {
        if !arrows.contains_key(room) {
            found.push(format!("layers.toml names {room}, which is not there"));
        }
    }
    found
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("testkit lies two folders below the workspace")
}

fn arrows_of_the_workspace() -> Arrows {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata failed");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("a list");
            let used = dependencies
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]))
                .collect();
            (text(&package["name"]), used)
        })
        .collect()
}

fn law() -> Layers {
    let text = std::fs::read_to_string(workspace().join("layers.toml")).expect("it is there");
    toml::from_str(&text).expect("layers.toml is TOML of this form")
}

#[test]
fn arrows_are_those_of_layers_toml() {
    let found = violations(&law(), &arrows_of_the_workspace());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_wrong_arrow_is_found() {
    let arrows = |room: &str, used: &str| {
        let mut arrows = arrows_of_the_workspace();
        arrows
            .entry(room.to_owned())
            .or_default()
            .insert(used.to_owned());
        violations(&law(), &arrows)
    };
    assert_eq!(arrows("store", "api"), ["store must not use the room api"]);
    assert_eq!(
        arrows("kit", "server"),
        ["kit must not use the room server"]
    );
    assert_eq!(arrows("api", "tokio"), ["api must not use the crate tokio"]);
    assert_eq!(arrows("attic", "api"), ["attic is not in layers.toml"]);
}

/// What the server may name: file, literal and why.
const NAMES_ALLOWED: [(&str, &str, &str); 6] = [
    (
        "request/path.rs",
        "namespaces",
        "a word of the grammar of paths",
    ),
    (
        "impersonate.rs",
        "serviceaccounts",
        "who is asked about, in words of authorizers",
    ),
    (
        "impersonate.rs",
        "nodes",
        "who is asked about, in words of authorizers",
    ),
    (
        "crds/compile.rs",
        "Scale",
        "a subresource that custom resources have",
    ),
    (
        "crds/wrong/shared.rs",
        "Scale",
        "upstream's name of a struct that refusals print",
    ),
    (
        "write/scale.rs",
        "Scale",
        "a subresource that custom resources have",
    ),
];

/// Groups whose kinds configure the server, or ask it what it thinks of a user.
const GROUPS_ALLOWED: [&str; 7] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "rbac.authorization.k8s.io",
];

/// Returns the names of the built-in kinds that the server must not know, those of the bodies of
/// their subresources among them.
fn kinds_unknown() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for kind in kinds::load().kinds {
        for version in &kind.versions {
            let subs = version.subresources.iter();
            names.extend(subs.map(|sub| sub.kind.to_string()));
        }
        let group = &kind.versions[0].group_version.group;
        if !GROUPS_ALLOWED.contains(&group.as_str()) {
            names.extend([kind.names.kind.to_string(), kind.names.plural.to_string()]);
        }
    }
    for kind in kinds::load().kinds {
        let group = &kind.versions[0].group_version.group;
        if GROUPS_ALLOWED.contains(&group.as_str()) {
            names.remove(kind.names.kind.as_str());
        }
    }
    names
}

/// Returns the names that stand as literals in a file's own code, its tests left out.
fn literals<'n>(names: &'n BTreeSet<String>, text: &str) -> Vec<&'n str> {
    let own = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = own.lines().map(str::trim_start);
    let code: Vec<&str> = lines.filter(|line| !line.starts_with("//")).collect();
    let code = code.join("\n");
    let stands = |name: &&String| code.contains(&format!("\"{name}\""));
    names.iter().filter(stands).map(String::as_str).collect()
}

fn read_files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let shown = path.to_string_lossy().replace('\\', "/");
        if shown.ends_with("/tests") || shown.ends_with("/tests.rs") {
            continue;
        }
        if path.is_dir() {
            read_files(&path, found);
        } else if shown.ends_with(".rs") {
            found.push((shown, fs::read_to_string(&path).expect("source is text")));
        }
    }
}

#[test]
fn the_server_knows_no_kind_by_name() {
    let names = kinds_unknown();
    let mut files = Vec::new();
    read_files(&workspace().join("crates/server/src"), &mut files);
    let mut found = Vec::new();
    let mut unused = NAMES_ALLOWED.to_vec();
    for (path, text) in &files {
        for name in literals(&names, text) {
            let is_meant = |one: &(&str, &str, &str)| {
                path.ends_with(&format!("src/{}", one.0)) && one.1 == name
            };
            match unused.iter().position(is_meant) {
                Some(place) => drop(unused.remove(place)),
                None => found.push(format!("{path}: \"{name}\" is for `kinds` to know")),
            }
        }
    }
    found.extend(
        unused
            .iter()
            .map(|(path, name, _)| format!("{path} does not name \"{name}\" any more")),
    );
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_kind_that_is_named_is_found() {
    let names = kinds_unknown();
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(literals(&names, text), expected, "{text}");
    };
    check(
        r#"find("policy", "poddisruptionbudgets")"#,
        &["poddisruptionbudgets"],
    );
    check(r#"("", "Pod") => "TokenRequest""#, &["Pod", "TokenRequest"]);
    check(r#"kind == "CustomResourceDefinition""#, &[]);
    check("// as in \"Pod\"\nlet pod = 1;", &[]);
    check("#[cfg(test)]\nconst KIND: &str = \"Pod\";", &[]);
}
