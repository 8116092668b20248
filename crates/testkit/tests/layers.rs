//! The arrows of the house are those of `layers.toml` and no others.

use std::{
    collections::{BTreeMap, BTreeSet},
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
