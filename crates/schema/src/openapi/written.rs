//! Documents of many kinds, whose parts are written as soon as they are known.
//!
//! The tree of a kind's paths and definitions takes ten times the memory of its text. With
//! thousands of custom resources in one group only one of them at a time is a tree.

use std::collections::BTreeMap;

use api::{Object, Text, Value, json};

use super::{definitions::Definitions, document_of};
use crate::Shape;

/// A path or a definition: as a tree, or written already.
#[derive(Debug)]
pub(super) enum Part {
    Tree(Value),
    Written(Box<[u8]>),
}

impl Part {
    pub(super) fn written(value: &Value) -> Self {
        let mut text = Vec::new();
        json::write(value, &mut text);
        Self::Written(text.into())
    }

    pub(super) fn tree(self) -> Value {
        match self {
            Self::Tree(value) => value,
            // We wrote it ourselves.
            Self::Written(text) => json::read(&text).map_or(Value::Null, |read| read.value),
        }
    }

    pub(super) fn change(&mut self, change: impl FnOnce(&mut Value)) {
        match self {
            Self::Tree(value) => change(value),
            Self::Written(text) => {
                let read = json::read(text).map_or(Value::Null, |read| read.value);
                let mut value = read;
                change(&mut value);
                *self = Self::written(&value);
            }
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Tree(value) => json::write(value, out),
            Self::Written(text) => out.extend_from_slice(text),
        }
    }
}

/// Values by name, in the order in which they stand.
type Named = Vec<(Text, Value)>;

/// Returns paths and definitions of a v3 document.
pub(super) fn parts(document: Value) -> (Named, Named) {
    let mut document = document;
    let mut take = |path: &[&str]| match document.at_mut(path).map(std::mem::take) {
        Some(Value::Object(mut all)) => std::mem::take(all.fields_mut()),
        _ => Vec::new(),
    };
    (take(&["paths"]), take(&["components", "schemas"]))
}

/// Gathers the documents of the custom resources of one group and version into one.
#[derive(Debug, Default)]
pub struct Gathered {
    paths: BTreeMap<Text, Part>,
    schemas: BTreeMap<Text, Part>,
}

impl Gathered {
    /// Adds the document of one kind, as [`document`](super::document) makes it.
    pub fn add(&mut self, document: Value) {
        let (paths, schemas) = parts(document);
        for (path, item) in paths {
            self.paths.insert(path, Part::written(&item));
        }
        for (name, schema) in schemas {
            // What several kinds refer to is the same in all.
            let known = self.schemas.entry(name);
            known.or_insert_with(|| Part::written(&schema));
        }
    }

    /// Returns the whole document as JSON.
    #[must_use]
    pub fn write(self, meta: &Shape, texts: &super::Texts) -> Vec<u8> {
        let empty = document_of(Definitions::new(meta, texts), Object::default(), None);
        let Value::Object(mut empty) = empty else {
            return Vec::new();
        };
        empty.remove("components");
        let mut out = write_frame(&empty, &[("paths", &self.paths)]);
        // The definitions lie one level deeper, at the end.
        out.pop();
        out.extend_from_slice(b",\"components\":{\"schemas\":");
        put_all(&self.schemas, &mut out);
        out.extend_from_slice(b"}}");
        out
    }
}

/// Writes a document whose large fields are `large`.
pub(super) fn write_frame(frame: &Object, large: &[(&str, &BTreeMap<Text, Part>)]) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (place, (name, value)) in frame.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        json::write(&Value::from(name), &mut out);
        out.push(b':');
        match large.iter().find(|(large, _)| *large == name) {
            Some((_, all)) => put_all(all, &mut out),
            None => json::write(value, &mut out),
        }
    }
    out.push(b'}');
    out
}

fn put_all(all: &BTreeMap<Text, Part>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (place, (name, part)) in all.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        json::write(&Value::String(name.clone()), out);
        out.push(b':');
        part.put(out);
    }
    out.push(b'}');
}
