//! What a reviewer should not have to say twice (STYLE.md).

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Past this a file is split (style 1.8).
const LINES_MAX: usize = 1_000;

/// Names that say nothing (design.md section 2, style 1.7).
const NAMES_REFUSED: [&str; 6] = ["common", "core", "util", "utils", "types", "helpers"];

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("testkit lies two folders below the workspace")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                rust_files(&path, found);
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "bench", "examples", "fuzz"] {
        let folder = workspace().join(folder);
        if folder.is_dir() {
            rust_files(&folder, &mut files);
        }
    }
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("source is text");
            (path, text)
        })
        .collect()
}

/// Returns what is wrong with one file, if anything.
fn remarks(path: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let shown = path.display();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        found.push(format!("{shown}: {lines} lines; split it at {LINES_MAX}"));
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    if stem == "mod" {
        found.push(format!(
            "{shown}: name it after the module, beside its folder"
        ));
    }
    if NAMES_REFUSED.contains(&stem.as_ref()) {
        found.push(format!("{shown}: '{stem}' says nothing"));
    }
    let first = text.lines().next().unwrap_or_default();
    if !first.starts_with("//!") && !first.starts_with("#!") {
        found.push(format!("{shown}: begin with //! and the file's purpose"));
    }
    found
}

#[test]
fn files_are_tidy() {
    let found: Vec<String> = sources()
        .iter()
        .flat_map(|(path, text)| remarks(path, text))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_says_what_it_refuses() {
    let rooms = workspace().join("crates");
    for room in fs::read_dir(rooms).expect("the rooms").flatten() {
        let page = room.path().join("src/lib.rs");
        let text = fs::read_to_string(&page).expect("every room has a page");
        assert!(
            text.contains("//! Invariant: "),
            "{}: say what the room refuses, in lines beginning 'Invariant:'",
            page.display()
        );
    }
}

#[test]
fn an_untidy_file_is_found() {
    let check = |name: &str, text: &str, expected: usize| {
        assert_eq!(remarks(Path::new(name), text).len(), expected, "{name}");
    };
    check("crates/api/src/names.rs", "//! Names.\n", 0);
    check("crates/api/src/mod.rs", "//! Names.\n", 1);
    check("crates/api/src/helpers.rs", "fn a() {}\n", 2);
    check(
        "long.rs",
        &format!("//! Long.\n{}", "\n".repeat(LINES_MAX)),
        1,
    );
}
