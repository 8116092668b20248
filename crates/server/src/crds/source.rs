//! The schemas of definitions, made into shapes when they are first needed.
//!
//! Most of what is defined is never asked for. Until somebody asks, a kind keeps the bytes of its
//! definition, which lie in the store anyway, and nothing else. Versions and definitions whose
//! schemas say the same share one shape for as long as any of them is there.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use api::{Value, json};
use bytes::Bytes;
use parking_lot::Mutex;
use ring::digest;
use schema::{
    Shape, ShapeId, Shapes,
    structural::{compile, compile_any},
};

use super::definition::versions;

/// How many shapes there may be before those that are gone are looked for.
const SWEEP_MIN: usize = 64;

/// The bytes of one definition.
#[derive(Debug)]
pub(crate) struct Source(Mutex<Bytes>);

/// The shapes that are in use, by what their schemas say.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    shapes: HashMap<[u8; 32], (Weak<Shapes>, ShapeId)>,
    /// So many shapes lead to the next look for those that are gone.
    sweep_at: usize,
}

impl Source {
    /// Returns a source that reads these bytes.
    pub(crate) fn new(bytes: &Bytes) -> Self {
        Self(Mutex::new(bytes.clone()))
    }

    /// Reads from now on bytes with the same schemas in them, so that the old ones are let go.
    pub(crate) fn renew(&self, bytes: &Bytes) {
        *self.0.lock() = bytes.clone();
    }

    fn schema(&self, version: &str) -> Option<Value> {
        let bytes = self.0.lock().clone();
        let definition = json::read(&bytes).ok()?.value;
        let mut versions = versions(&definition).iter();
        let found = versions.find(|one| one.str_at(&["name"]) == Some(version))?;
        found.at(&["schema", "openAPIV3Schema"]).cloned()
    }
}

impl Shelf {
    /// Returns the shape of a version; one that no shape can be made of lets anything pass, as it
    /// was refused when it was written.
    pub(crate) fn shape(&self, source: &Source, version: &str, meta: &Shape) -> Shape {
        let Some(schema) = source.schema(version) else {
            return compile_any(meta);
        };
        let mut text = Vec::new();
        json::write(&schema, &mut text);
        let mut key = [0; 32];
        key.copy_from_slice(digest::digest(&digest::SHA256, &text).as_ref());
        drop(text);
        if let Some(known) = self.0.lock().find(&key) {
            return known;
        }
        // Two that ask at once make it twice, and the second one counts.
        let shape = compile(&schema, meta).unwrap_or_else(|_| compile_any(meta));
        self.0.lock().put(key, &shape);
        shape
    }

    /// Returns how many shapes are in use.
    #[cfg(test)]
    fn len(&self) -> usize {
        let held = self.0.lock();
        let used = |(weak, _): &&(Weak<Shapes>, ShapeId)| weak.strong_count() > 0;
        held.shapes.values().filter(used).count()
    }
}

impl Held {
    fn find(&self, key: &[u8; 32]) -> Option<Shape> {
        let (weak, root) = self.shapes.get(key)?;
        weak.upgrade().map(|table| Shape::new(table, *root))
    }

    fn put(&mut self, key: [u8; 32], shape: &Shape) {
        if self.shapes.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.shapes.retain(|_, (weak, _)| weak.strong_count() > 0);
            self.sweep_at = self.shapes.len() * 2;
        }
        let entry = (Arc::downgrade(shape.table()), shape.root());
        self.shapes.insert(key, entry);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use schema::Shape;

    use super::{SWEEP_MIN, Shelf, Source};

    fn source(field: &str) -> Source {
        let version = |name: &str| {
            format!(
                r#"{{"name":"{name}","schema":{{"openAPIV3Schema":{{"type":"object","properties":{{"{field}":{{"type":"string"}}}}}}}}}}"#
            )
        };
        let text = format!(
            r#"{{"spec":{{"versions":[{},{}]}}}}"#,
            version("v1"),
            version("v2")
        );
        Source::new(&Bytes::from(text))
    }

    #[test]
    fn what_says_the_same_is_made_once() {
        let (shelf, meta) = (Shelf::default(), Shape::any());
        let first = shelf.shape(&source("a"), "v1", &meta);
        let second = shelf.shape(&source("a"), "v2", &meta);
        assert!(Arc::ptr_eq(first.table(), second.table()));
        let other = shelf.shape(&source("b"), "v1", &meta);
        assert!(!Arc::ptr_eq(first.table(), other.table()));
        assert_eq!(shelf.len(), 2);
        drop((first, second));
        assert_eq!(shelf.len(), 1);
        // What is gone leaves nothing behind.
        for number in 0..2 * SWEEP_MIN {
            drop(shelf.shape(&source(&format!("f{number}")), "v1", &meta));
        }
        assert!(shelf.0.lock().shapes.len() <= SWEEP_MIN);
        assert!(other.is_custom());
    }

    #[test]
    fn reads_the_bytes_of_today() {
        let (shelf, meta) = (Shelf::default(), Shape::any());
        let read = source("a");
        let old = Bytes::from_static(br#"{"spec":{"versions":[]}}"#);
        read.renew(&old);
        // A version that is not there lets anything pass.
        let shape = shelf.shape(&read, "v1", &meta);
        assert!(matches!(shape.node().form, schema::Form::Any));
    }
}
