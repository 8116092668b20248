//! What watches promise.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::{Check, delete, drain, holed, newest, put, watch};
use crate::contract::{Durability, Expected, Prefix, Revision, Store, StoreError, Watch, Write};

pub(super) const ALL: &[(&str, Check)] = &[
    ("shows_every_change_under_the_prefix_in_order", in_order),
    ("shows_a_write_before_its_receipt", before_receipt),
    ("starts_at_any_revision_in_the_window", starts_anywhere),
    ("carries_the_stamped_last_state", carries_last),
    ("wakes_only_whose_prefix_matches", wakes_matching),
    ("refuses_a_revision_of_the_future", refuses_future),
    ("tells_progress", tells_progress),
    ("keeps_ten_thousand_prefixes", many_prefixes),
    ("ends_after_the_last_event", ends),
    ("gives_relaxed_writes_their_place", relaxed_in_order),
];

fn in_order(store: &dyn Store) {
    let start = newest(store);
    let mut all = watch(store, "/", start);
    let mut pods = watch(store, "/pods/", start);
    let mut narrow = watch(store, "/pods/ns1/", start);
    put(store, "/pods/ns1/a", "1");
    put(store, "/pods/ns10/a", "2");
    put(store, "/podsx/ns1/a", "3");
    put(store, "/pods/ns1/a", "4");
    delete(store, "/pods/ns1/a");
    let narrow_lines = [
        "Put /pods/ns1/a - -> 1",
        "Put /pods/ns1/a 1 -> 4",
        "Delete /pods/ns1/a 4 -> -",
    ];
    assert_eq!(drain(&mut narrow), narrow_lines);
    assert_eq!(drain(&mut pods).len(), 4);
    let lines = drain(&mut all);
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[2], "Put /podsx/ns1/a - -> 3");
    assert_eq!(drain(&mut all), [""; 0]);
}

fn before_receipt(store: &dyn Store) {
    let mut pods = watch(store, "/pods/", newest(store));
    for _ in 0..20 {
        let revision = put(store, "/pods/a", "x").revision;
        let mut events = Vec::new();
        let count = pods.try_next_batch(10, &mut events).expect("in the window");
        assert_eq!((count, events[0].revision), (1, revision));
    }
}

fn starts_anywhere(store: &dyn Store) {
    let start = newest(store);
    let revisions: Vec<Revision> = (0..20)
        .map(|n| put(store, &format!("/a/{n}"), "x").revision)
        .collect();
    // A narrow feed first, so that later watches have to reach back behind it.
    let mut late = watch(store, "/a/", revisions[15]);
    for (seen, after) in [start].iter().chain(&revisions).enumerate() {
        let mut early = watch(store, "/a/", *after);
        assert_eq!(drain(&mut early).len(), 20 - seen);
    }
    assert_eq!(drain(&mut late).len(), 4);
    let mut elsewhere = watch(store, "/b/", start);
    assert_eq!(drain(&mut elsewhere), [""; 0]);
}

fn carries_last(store: &dyn Store) {
    let mut all = watch(store, "/", newest(store));
    put(store, "/a/1", "x");
    let write = Write::delete("/a/1", Some(holed("gone at {}")), Expected::Any);
    let revision = store.write(write).wait().expect("a delete").revision;
    let lines = drain(&mut all);
    assert_eq!(lines[1], format!("Delete /a/1 x -> gone at {revision}"));
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn is_ready(watch: &mut Watch, count: &Arc<Count>) -> bool {
    let waker = Waker::from(Arc::clone(count));
    let ready = pin!(watch.ready());
    ready.poll(&mut Context::from_waker(&waker)) == Poll::Ready(())
}

fn wakes_matching(store: &dyn Store) {
    let mut pods = watch(store, "/pods/", newest(store));
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut ctx = Context::from_waker(&waker);
    {
        let mut ready = pin!(pods.ready());
        assert_eq!(ready.as_mut().poll(&mut ctx), Poll::Pending);
        put(store, "/nodes/a", "x");
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert_eq!(ready.as_mut().poll(&mut ctx), Poll::Pending);
        put(store, "/pods/a", "x");
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(ready.as_mut().poll(&mut ctx), Poll::Ready(()));
    }
    assert_eq!(drain(&mut pods).len(), 1);
    assert!(!is_ready(&mut pods, &count));
    // A future that was dropped loses nothing.
    put(store, "/pods/a", "x");
    assert!(is_ready(&mut pods, &count));
    assert!(is_ready(&mut pods, &count));
}

fn refuses_future(store: &dyn Store) {
    let revision = newest(store).next();
    match store.watch(&Prefix::new("/a"), revision) {
        Err(StoreError::Future {
            revision: asked,
            newest,
        }) => {
            assert_eq!((asked, newest.next()), (revision, revision));
        }
        other => panic!("a watch of the future: {other:?}"),
    }
}

fn tells_progress(store: &dyn Store) {
    let start = newest(store);
    let mut pods = watch(store, "/pods/", start);
    assert_eq!(pods.progress(), start);
    let revision = put(store, "/nodes/a", "x").revision;
    assert_eq!(pods.progress(), revision);
    let first = put(store, "/pods/a", "x").revision;
    assert_eq!(pods.progress(), revision, "an event waits");
    let last = put(store, "/nodes/b", "x").revision;
    assert_eq!(drain(&mut pods).len(), 1);
    assert!(first < last);
    assert_eq!(pods.progress(), last);
}

fn many_prefixes(store: &dyn Store) {
    let start = newest(store);
    let prefix = |n: usize| format!("/pods/ns{n}/");
    let mut watches: Vec<Watch> = (0..10_000)
        .map(|n| watch(store, &prefix(n), start))
        .collect();
    for n in [0, 77, 9_999] {
        put(store, &format!("{}a", prefix(n)), "x");
    }
    let has_events = |(n, watch): (usize, &mut Watch)| (!drain(watch).is_empty()).then_some(n);
    let hit: Vec<usize> = watches
        .iter_mut()
        .enumerate()
        .filter_map(has_events)
        .collect();
    assert_eq!(hit, [0, 77, 9_999]);
}

fn ends(store: &dyn Store) {
    let mut pods = watch(store, "/pods/", newest(store));
    put(store, "/pods/a", "x");
    store.close().wait().expect("a healthy store can be closed");
    let mut events = Vec::new();
    assert_eq!(
        pods.try_next_batch(10, &mut events)
            .expect("the event first"),
        1
    );
    let count = Arc::new(Count::default());
    assert!(is_ready(&mut pods, &count));
    let end = pods.try_next_batch(10, &mut events);
    assert!(matches!(end, Err(StoreError::Closed)));
    let mut late = watch(store, "/pods/", newest(store));
    assert!(matches!(
        late.try_next_batch(10, &mut events),
        Err(StoreError::Closed)
    ));
}

fn relaxed_in_order(store: &dyn Store) {
    let mut all = watch(store, "/", newest(store));
    let mut receipts = Vec::new();
    for n in 0..200 {
        let durability = match n % 3 {
            0 => Durability::Synced,
            _ => Durability::Relaxed,
        };
        let write = Write::put(format!("/a/{}", n % 7), holed("{}"), Expected::Any);
        receipts.push(store.write(write.with_durability(durability)));
    }
    for receipt in receipts {
        receipt.wait().expect("a put");
    }
    let mut events = Vec::new();
    all.try_next_batch(1_000, &mut events)
        .expect("in the window");
    assert_eq!(events.len(), 200);
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].revision.next() == pair[1].revision)
    );
}
