//! What ranges and the past promise.

use std::num::NonZeroUsize;

use super::{Check, delete, drain, lines, lines_at, newest, put, range, watch};
use crate::contract::{Key, Prefix, RangeQuery, Revision, Start, Store, StoreError};

pub(super) const ALL: &[(&str, Check)] = &[
    ("ranges_over_a_prefix_in_the_order_of_keys", in_order),
    ("pages_through_a_range", pages),
    ("starts_a_range_at_or_after_a_key", starts),
    ("reads_a_range_as_it_was", as_it_was),
    ("refuses_the_future_and_the_forgotten", refuses),
    (
        "compaction_ends_only_watches_that_need_it",
        compaction_and_watches,
    ),
];

fn in_order(store: &dyn Store) {
    for key in [
        "/a/b/2",
        "/a/b/10",
        "/a/c",
        "/a/b-/1",
        "/a/b",
        "/b/1",
        "/a/b/\u{ff}",
    ] {
        put(store, key, "x");
    }
    let expected = ["/a/b/10=x", "/a/b/2=x", "/a/b/\u{ff}=x"];
    assert_eq!(lines_at(store, "/a/b/", None), expected);
    assert_eq!(lines_at(store, "/", None).len(), 7);
    assert_eq!(lines_at(store, "/none/", None), [""; 0]);
    let found = range(store, RangeQuery::all("/a/b/")).expect("the present");
    assert_eq!((found.more, found.remaining), (false, 0));
    assert_eq!(found.revision, newest(store));
}

fn page(limit: usize, start: Start, at: Option<Revision>) -> RangeQuery {
    RangeQuery {
        start,
        limit: NonZeroUsize::new(limit),
        at,
        ..RangeQuery::all("/a/")
    }
}

fn pages(store: &dyn Store) {
    for n in 0..10 {
        put(store, &format!("/a/{n}"), "old");
    }
    let at = newest(store);
    // What changes between two pages does not show in the second.
    put(store, "/a/5", "new");
    put(store, "/a/55", "new");
    delete(store, "/a/8");
    let mut seen = Vec::new();
    let mut start = Start::First;
    let mut remaining = Vec::new();
    loop {
        let found = range(store, page(4, start, Some(at))).expect("inside the window");
        assert_eq!(found.revision, at);
        assert_eq!(found.more, found.remaining > 0);
        seen.extend(lines(&found));
        remaining.push(found.remaining);
        match found.entries.last() {
            Some(last) if found.more => start = Start::After(last.key.clone()),
            _ => break,
        }
    }
    let expected: Vec<String> = (0..10).map(|n| format!("/a/{n}=old")).collect();
    assert_eq!(seen, expected);
    assert_eq!(remaining, [6, 2, 0]);
    let exact = range(store, page(10, Start::First, None)).expect("the present");
    assert_eq!((exact.entries.len(), exact.more), (10, false));
}

fn starts(store: &dyn Store) {
    for key in ["/a/1", "/a/2", "/a/3", "/b/1"] {
        put(store, key, "x");
    }
    let check = |start: Start, expected: &[&str]| {
        let found = range(store, page(0, start.clone(), None)).expect("the present");
        let keys: Vec<String> = found
            .entries
            .iter()
            .map(|entry| entry.key.to_string())
            .collect();
        assert_eq!(keys, expected, "{start:?}");
    };
    check(Start::At(Key::from("/a/2")), &["/a/2", "/a/3"]);
    check(Start::After(Key::from("/a/2")), &["/a/3"]);
    check(Start::At(Key::from("/a/2\0")), &["/a/3"]);
    check(Start::After(Key::from("/a/3")), &[]);
    check(Start::At(Key::from("/A")), &["/a/1", "/a/2", "/a/3"]);
    check(Start::After(Key::from("/A")), &["/a/1", "/a/2", "/a/3"]);
    check(Start::At(Key::from("/b/1")), &[]);
    check(Start::After(Key::from("/z")), &[]);
}

fn as_it_was(store: &dyn Store) {
    let mut then = vec![(newest(store), lines_at(store, "/a/", None))];
    for n in 0..40 {
        let key = format!("/a/{}", n * 7 % 11);
        match n % 5 {
            4 if super::get(store, &key).is_some() => delete(store, &key).revision,
            _ => put(store, &key, &n.to_string()).revision,
        };
        put(store, "/b/noise", "x");
        then.push((newest(store), lines_at(store, "/a/", None)));
    }
    for (revision, expected) in then {
        assert_eq!(
            lines_at(store, "/a/", Some(revision)),
            expected,
            "at {revision}"
        );
    }
}

fn refuses(store: &dyn Store) {
    let revisions: Vec<Revision> = (0..10)
        .map(|n| put(store, "/a/1", &n.to_string()).revision)
        .collect();
    let future = newest(store).next();
    let at = |revision| range(store, page(0, Start::First, Some(revision)));
    assert!(matches!(at(future), Err(StoreError::Future { .. })));
    assert!(matches!(
        store.compact(future).wait(),
        Err(StoreError::Future { .. })
    ));

    store
        .compact(revisions[4])
        .wait()
        .expect("it is in the past");
    match at(revisions[3]) {
        Err(StoreError::Compacted { revision, oldest }) => {
            assert_eq!((revision, oldest), (revisions[3], revisions[4]));
        }
        other => panic!("read what was forgotten: {other:?}"),
    }
    let early = store.watch(&Prefix::new("/a"), revisions[3]);
    assert!(matches!(early, Err(StoreError::Compacted { .. })));
    assert_eq!(lines_at(store, "/a/", Some(revisions[4])), ["/a/1=4"]);
    let mut rest = watch(store, "/a/", revisions[4]);
    assert_eq!(drain(&mut rest).len(), 5);
    store
        .compact(newest(store))
        .wait()
        .expect("it is the present");
    assert_eq!(lines_at(store, "/a/", Some(newest(store))), ["/a/1=9"]);
}

fn compaction_and_watches(store: &dyn Store) {
    let start = newest(store);
    let mut slow = watch(store, "/a/", start);
    let mut quiet = watch(store, "/quiet/", start);
    for _ in 0..10 {
        put(store, "/a/1", "x");
    }
    store
        .compact(newest(store))
        .wait()
        .expect("it is the present");
    let mut events = Vec::new();
    let outcome = slow.try_next_batch(10, &mut events);
    assert!(matches!(outcome, Err(StoreError::Compacted { .. })));
    assert!(slow.is_ready(), "it has something to say");
    put(store, "/quiet/1", "x");
    assert_eq!(
        drain(&mut quiet).len(),
        1,
        "nothing of its own was forgotten"
    );
}
