//! The contract, as tests that every engine passes.
//!
//! Each function takes a fresh, empty store and panics where the contract is broken. [`all`] runs
//! every one of them. Engines in other crates use them through the feature `suite`.

mod history;
mod watches;
mod writes;

use std::sync::Arc;

use bytes::Bytes;

use crate::contract::{
    Entry, Event, Expected, Key, Prefix, Range, RangeQuery, Revision, Store, StoreError, Value,
    Watch, Write, Written,
};

/// One test of the contract.
pub type Check = fn(&dyn Store);

/// Returns every test of the contract with its name.
#[must_use]
pub fn all() -> Vec<(&'static str, Check)> {
    [writes::ALL, watches::ALL, history::ALL].concat()
}

/// Runs every test, each on a store of its own.
///
/// # Panics
/// If the contract is broken; the name of the test is printed before.
pub fn run(mut fresh: impl FnMut() -> Box<dyn Store>) {
    for (name, check) in all() {
        println!("contract: {name}");
        let store = fresh();
        check(&*store);
        store.close().wait().expect("a healthy store can be closed");
    }
}

/// Returns a value without a hole.
pub(crate) fn plain(text: &str) -> Value {
    Value::Plain(Bytes::copy_from_slice(text.as_bytes()))
}

/// Returns the text with a hole where `{}` stands.
pub(crate) fn holed(text: &str) -> Value {
    let (before, after) = text.split_once("{}").expect("the text has a hole");
    Value::stamped(before.to_owned(), after.to_owned())
}

pub(crate) fn put(store: &dyn Store, key: &str, text: &str) -> Written {
    let write = Write::put(key, plain(text), Expected::Any);
    store.write(write).wait().expect("a put without condition")
}

pub(crate) fn delete(store: &dyn Store, key: &str) -> Written {
    let write = Write::delete(key, None, Expected::Any);
    store
        .write(write)
        .wait()
        .expect("the key is there to delete")
}

pub(crate) fn get(store: &dyn Store, key: &str) -> Option<Arc<Entry>> {
    store
        .get(&Key::from(key))
        .wait()
        .expect("a get of live state")
}

pub(crate) fn newest(store: &dyn Store) -> Revision {
    store.revision().wait().expect("the newest revision")
}

pub(crate) fn range(store: &dyn Store, query: RangeQuery) -> Result<Range, StoreError> {
    store.range(query).wait()
}

/// Returns the entries under `prefix` at `at`, as lines of text.
pub(crate) fn lines_at(store: &dyn Store, prefix: &str, at: Option<Revision>) -> Vec<String> {
    let query = RangeQuery {
        at,
        ..RangeQuery::all(prefix)
    };
    lines(&range(store, query).expect("a range inside the window"))
}

pub(crate) fn lines(range: &Range) -> Vec<String> {
    let line = |entry: &Arc<Entry>| {
        let value = String::from_utf8_lossy(&entry.value).into_owned();
        format!("{}={value}", entry.key)
    };
    range.entries.iter().map(line).collect()
}

pub(crate) fn watch(store: &dyn Store, prefix: &str, after: Revision) -> Watch {
    let watch = store.watch(&Prefix::new(prefix), after);
    watch.expect("a watch inside the window")
}

/// Drains `watch` and returns its events as lines of text.
pub(crate) fn drain(watch: &mut Watch) -> Vec<String> {
    let mut events = Vec::new();
    while watch
        .try_next_batch(3, &mut events)
        .expect("a watch inside the window")
        > 0
    {}
    events.iter().map(|event| event_line(event)).collect()
}

pub(crate) fn event_line(event: &Event) -> String {
    let text = |bytes: Option<&Bytes>| {
        bytes.map_or("-".into(), |bytes| {
            String::from_utf8_lossy(bytes).into_owned()
        })
    };
    let value = text(event.value.as_ref());
    let previous = text(event.previous.as_ref().map(|entry| &entry.value));
    format!("{:?} {} {previous} -> {value}", event.kind, event.key)
}
