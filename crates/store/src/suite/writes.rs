//! What writes promise.

use bytes::Bytes;

use super::{Check, delete, get, holed, newest, plain, put};
use crate::contract::{
    Change, Durability, Expected, KEY_BYTES_MAX, Key, Revision, Store, StoreError, VALUE_BYTES_MAX,
    Value, Write,
};

pub(super) const ALL: &[(&str, Check)] = &[
    ("begins_empty_at_the_start_revision", begins_empty),
    ("gives_every_write_its_own_revision", own_revisions),
    ("puts_the_revision_into_the_hole", stamps),
    ("keeps_when_an_entry_was_created", keeps_created),
    (
        "refuses_what_is_not_as_expected_and_shows_it",
        refuses_changed,
    ),
    ("deletes_only_what_is_there", deletes_what_is_there),
    ("refuses_what_is_too_large", refuses_too_large),
    ("takes_the_largest_value_and_key", takes_largest),
    ("keeps_values_of_any_bytes", any_bytes),
    ("writes_relaxed_values_too", relaxed),
    ("one_of_many_writers_wins", one_writer_wins),
    ("refuses_writes_after_close_and_still_reads", closes),
];

fn begins_empty(store: &dyn Store) {
    assert_eq!(newest(store), Revision::START);
    assert_eq!(get(store, "/a/b"), None);
    assert!(store.health().is_ok());
}

fn own_revisions(store: &dyn Store) {
    let first = put(store, "/a/1", "x").revision;
    let second = put(store, "/a/1", "x").revision;
    let third = delete(store, "/a/1").revision;
    assert_eq!(first, Revision::START.next());
    assert_eq!((second, third), (first.next(), first.next().next()));
    assert_eq!(newest(store), third);
}

fn stamps(store: &dyn Store) {
    for _ in 0..12 {
        let write = Write::put("/a/1", holed(r#"{"rv":"{}"}"#), Expected::Any);
        let written = store.write(write).wait().expect("a put");
        let expected = format!(r#"{{"rv":"{}"}}"#, written.revision);
        assert_eq!(written.value.as_deref(), Some(expected.as_bytes()));
        let entry = get(store, "/a/1").expect("it was just written");
        assert_eq!(&*entry.value, expected.as_bytes());
        assert_eq!(entry.revision, written.revision);
    }
    let write = Write::delete("/a/1", Some(holed("last {}")), Expected::Any);
    let written = store.write(write).wait().expect("a delete");
    let expected = format!("last {}", written.revision);
    assert_eq!(written.value.as_deref(), Some(expected.as_bytes()));
    assert_eq!(get(store, "/a/1"), None);
}

fn keeps_created(store: &dyn Store) {
    let created = put(store, "/a/1", "x").revision;
    let changed = put(store, "/a/1", "y");
    let previous = changed.previous.expect("there was an entry");
    assert_eq!((previous.revision, &*previous.value), (created, &b"x"[..]));
    let entry = get(store, "/a/1").expect("it was just written");
    assert_eq!((entry.created, entry.revision), (created, changed.revision));
    delete(store, "/a/1");
    let again = put(store, "/a/1", "z");
    assert_eq!(again.previous, None);
    assert_eq!(get(store, "/a/1").expect("written").created, again.revision);
}

fn refuses_changed(store: &dyn Store) {
    let check = |expected: Expected, found: Option<&str>| {
        let before = newest(store);
        for change in [Change::Put(plain("new")), Change::Delete { last: None }] {
            let write = Write {
                key: Key::from("/a/1"),
                change,
                expected,
                durability: Durability::Synced,
            };
            match store.write(write).wait() {
                Err(StoreError::Changed {
                    expected: named,
                    found: entry,
                }) => {
                    assert_eq!(named, expected);
                    let value = entry.map(|entry| entry.value.clone());
                    assert_eq!(value.as_deref(), found.map(str::as_bytes));
                }
                other => panic!("{expected} was accepted: {other:?}"),
            }
        }
        assert_eq!(newest(store), before, "a refused write takes no revision");
    };
    check(Expected::At(Revision(5)), None);
    let first = put(store, "/a/1", "x").revision;
    check(Expected::Absent, Some("x"));
    check(Expected::At(first.next()), Some("x"));
    let second = put(store, "/a/1", "y").revision;
    check(Expected::At(first), Some("y"));
    let write = Write::put("/a/1", plain("z"), Expected::At(second));
    assert!(store.write(write).wait().is_ok());
}

fn deletes_what_is_there(store: &dyn Store) {
    for expected in [Expected::Any, Expected::Absent] {
        let outcome = store.write(Write::delete("/a/1", None, expected)).wait();
        assert!(matches!(
            outcome,
            Err(StoreError::Changed { found: None, .. })
        ));
    }
    let revision = put(store, "/a/1", "x").revision;
    let write = Write::delete("/a/1", None, Expected::At(revision));
    let written = store.write(write).wait().expect("it is as expected");
    assert_eq!(written.previous.expect("it was there").revision, revision);
    assert_eq!(written.value, None);
}

fn refuses_too_large(store: &dyn Store) {
    let value = |size: usize| Value::Plain(Bytes::from(vec![b'x'; size]));
    let writes = [
        Write::create("/a/1", value(VALUE_BYTES_MAX + 1)),
        Write::create(vec_key(KEY_BYTES_MAX + 1), value(1)),
    ];
    for write in writes {
        let outcome = store.write(write).wait();
        assert!(
            matches!(outcome, Err(StoreError::TooLarge { .. })),
            "{outcome:?}"
        );
    }
    put(store, "/a/1", "x");
    let write = Write::delete("/a/1", Some(value(VALUE_BYTES_MAX + 1)), Expected::Any);
    let outcome = store.write(write).wait();
    assert!(matches!(outcome, Err(StoreError::TooLarge { .. })));
    assert!(get(store, "/a/1").is_some());
}

fn vec_key(size: usize) -> Key {
    Key::new([b"/a/".to_vec(), vec![b'k'; size - 3]].concat())
}

fn takes_largest(store: &dyn Store) {
    let value = Bytes::from(vec![b'x'; VALUE_BYTES_MAX]);
    for key in [vec_key(KEY_BYTES_MAX), vec_key(KEY_BYTES_MAX - 1)] {
        let write = Write::create(key.clone(), Value::Plain(value.clone()));
        store.write(write).wait().expect("it is not too large");
        let entry = store.get(&key).wait().expect("a get").expect("it is there");
        assert_eq!(entry.value, value);
    }
}

fn any_bytes(store: &dyn Store) {
    for value in [&b""[..], &[0; 100], &[0xff; 33], b"\r\n\0\"{}"] {
        let value = Bytes::copy_from_slice(value);
        let write = Write::put("/a/1", Value::Plain(value.clone()), Expected::Any);
        store.write(write).wait().expect("a put");
        assert_eq!(get(store, "/a/1").expect("written").value, value);
    }
}

fn relaxed(store: &dyn Store) {
    for count in 0..100 {
        let write = Write::put("/lease/1", holed("beat {}"), Expected::Any);
        let write = write.with_durability(Durability::Relaxed);
        let written = store.write(write).wait().expect("a put");
        assert_eq!(newest(store), written.revision);
        assert_eq!(
            get(store, "/lease/1").expect("written").revision,
            written.revision
        );
        if count % 10 == 0 {
            let synced = put(store, "/a/1", "x").revision;
            assert_eq!(synced, written.revision.next());
        }
    }
}

fn one_writer_wins(store: &dyn Store) {
    let start = put(store, "/a/1", "start").revision;
    let wins: usize = std::thread::scope(|scope| {
        let write = |_| {
            scope.spawn(|| {
                let write = Write::put("/a/1", plain("mine"), Expected::At(start));
                match store.write(write).wait() {
                    Ok(_) => 1,
                    Err(StoreError::Changed { found, .. }) => {
                        // Who lost sees who won, and so can everyone.
                        let found = found.expect("nobody deletes");
                        assert_eq!(get(store, "/a/1"), Some(found));
                        0
                    }
                    Err(other) => panic!("{other}"),
                }
            })
        };
        let writers: Vec<_> = (0..8).map(write).collect();
        writers
            .into_iter()
            .map(|writer| writer.join().expect("no panic"))
            .sum()
    });
    assert_eq!(wins, 1);
    assert_eq!(newest(store), start.next());
}

fn closes(store: &dyn Store) {
    put(store, "/a/1", "x");
    store.close().wait().expect("a healthy store can be closed");
    let outcome = store.write(Write::create("/a/2", plain("y"))).wait();
    assert!(matches!(outcome, Err(StoreError::Closed)));
    assert!(matches!(store.health(), Err(StoreError::Closed)));
    assert!(get(store, "/a/1").is_some());
}
