//! Server-side apply against the cases that structured-merge-diff is tested with, and properties of
//! applies and merges.

#[path = "../all/loader.rs"]
mod loader;
mod merges;
mod objects;
mod properties;
mod schemas;
mod typed;
mod writes;

use api::{Value, json};

/// Returns the cases of a table.
fn table(text: &str) -> Vec<Value> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| json::read(line.as_bytes()).expect("a line is JSON").value)
        .collect()
}

fn shown(value: &Value) -> String {
    let mut out = Vec::new();
    json::write(value, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}
