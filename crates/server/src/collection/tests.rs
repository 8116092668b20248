//! One collection read, followed and written by many threads at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use base::{Clock, Rng, Task, Tasks};
use store::{
    EmbeddedOptions, EmbeddedStore, Expected, MemoryStore, Prefix, Revision, Store, Value, Write,
    disk::SimDisk,
};

use super::{Collection, Cursor, Interest, Step};

const WRITERS: u64 = 4;
const WRITES: u64 = 400;
const KEYS: u64 = 7;
const READERS: usize = 3;
const WATCHERS: usize = 4;

/// Nothing here takes a hundredth of this; past it the test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// Every write of the test is below the prefix, so a watcher must see every revision.
const LAST: Revision = Revision(1 + WRITERS * WRITES);

fn body(writer: u64, count: u64) -> Value {
    Value::stamped(
        r#"{"metadata":{"name":"n","resourceVersion":""#,
        format!(r#""}},"data":{{"writer":"{writer}","count":"{count}"}}}}"#),
    )
}

/// Writes to its own keys, one after another; every tenth time it deletes instead.
fn write(store: &dyn Store, collection: &Collection, writer: u64, done: &AtomicU64) {
    for count in 0..WRITES {
        let place = format!("w{writer}/{}", count % KEYS);
        let key = collection.key(&place);
        // A place that was written before may be gone again, so deletes follow a put of their key.
        let write = if count % 10 == 9 && count >= KEYS && (count - KEYS) % 10 != 9 {
            Write::delete(key, Some(body(writer, count)), Expected::Any)
        } else {
            Write::put(key, body(writer, count), Expected::Any)
        };
        let written = store.write(write).wait().expect("a healthy store");
        done.fetch_max(written.revision.0, Ordering::AcqRel);
    }
}

/// Reads until the end: what was acknowledged is there, and nothing goes back.
async fn read(collection: Collection, done: Arc<AtomicU64>) -> u64 {
    let (mut newest, mut reads) = (Revision(0), 0);
    while newest < LAST {
        let acknowledged = Revision(done.load(Ordering::Acquire));
        let view = collection.view().await.expect("a healthy store");
        assert!(
            view.revision >= acknowledged,
            "an acknowledged write is missing"
        );
        assert!(view.revision >= newest, "a read went back");
        assert!(view.changed <= view.revision);
        for (place, object) in &view.objects {
            assert!(object.revision <= view.revision, "{place} is of the future");
            let stamp = format!(r#""resourceVersion":"{}""#, object.revision);
            assert!(String::from_utf8_lossy(&object.bytes).contains(&stamp));
        }
        let one = collection.get("w0/0").await.expect("a healthy store");
        assert!(one.is_none_or(|one| one.revision <= LAST));
        // The past does not change while the present does.
        if reads % 16 == 0 && view.revision > Revision(30) {
            let at = Revision(view.revision.0 - 20);
            let (first, second) = (
                collection.view_at(at).await.expect("it is in the window"),
                collection.view_at(at).await.expect("it is in the window"),
            );
            assert!(first.objects.keys().eq(second.objects.keys()));
            assert!(first.objects.values().all(|object| object.revision <= at));
        }
        newest = view.revision;
        reads += 1;
        tokio::task::yield_now().await;
    }
    reads
}

/// Follows until the end, waiting for the bell in between; returns how many changes it saw.
async fn follow(collection: Collection, from: Revision, mut cursor: Cursor, most: usize) -> u64 {
    let seat = collection.sit(Interest::All);
    let (mut seen, mut through) = (from, from);
    while through < LAST {
        let changes = std::future::poll_fn(|ctx| {
            // First the seat, then the look: a change in between rings.
            seat.wait(ctx.waker());
            match collection.step(&mut cursor, most) {
                Step::Changes(changes, reached) if !changes.is_empty() || reached > through => {
                    through = reached;
                    Poll::Ready(changes)
                }
                Step::Changes(..) => Poll::Pending,
                Step::Lost | Step::Ended => panic!("a watcher that looks is not cut off"),
            }
        })
        .await;
        for change in changes {
            assert_eq!(change.revision, seen.next(), "each revision once, in order");
            seen = change.revision;
            assert!(seen <= through, "no more is promised than was shown");
        }
    }
    assert_eq!(seen, LAST);
    LAST.0 - from.0
}

async fn stress(store: Arc<dyn Store>) {
    let (clock, tasks) = (Clock::system(), Tasks::new());
    let collection = Collection::new(
        Arc::clone(&store),
        Prefix::new("/things/"),
        clock.clone(),
        tasks.clone(),
    );
    let done = Arc::new(AtomicU64::new(0));
    let watchers = |from: Revision, count: usize| {
        let collection = collection.clone();
        let tasks = tasks.clone();
        async move {
            let mut all: Vec<Task<u64>> = Vec::new();
            for place in 0..count {
                let cursor = collection.follow_after(from).await.expect("it is kept");
                let followed = follow(collection.clone(), from, cursor, 1 + place * 50);
                all.push(tasks.spawn("watcher", followed));
            }
            all
        }
    };
    collection.view().await.expect("a healthy store");
    let mut watching = watchers(Revision::START, WATCHERS).await;
    let reading: Vec<Task<u64>> = (0..READERS)
        .map(|_| tasks.spawn("reader", read(collection.clone(), Arc::clone(&done))))
        .collect();
    let writing: Vec<std::thread::JoinHandle<()>> = (0..WRITERS)
        .map(|writer| {
            let (store, collection, done) =
                (Arc::clone(&store), collection.clone(), Arc::clone(&done));
            std::thread::spawn(move || write(&*store, &collection, writer, &done))
        })
        .collect();
    // Some come later, for changes that have happened already.
    watching.extend(watchers(Revision::START, 2).await);
    let all = async {
        for task in reading {
            assert!(task.await.expect("it did not panic") > 0);
        }
        for task in watching {
            assert_eq!(task.await.expect("it did not panic"), WRITERS * WRITES);
        }
    };
    let ended = clock.timeout(PATIENCE, all).await;
    assert!(ended.is_ok(), "someone was never woken");
    for writer in writing {
        writer.join().expect("it did not panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_on_memory() {
    stress(Arc::new(MemoryStore::new(Clock::system()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_on_a_log() {
    let disk = Arc::new(SimDisk::new(1));
    let options = EmbeddedOptions::default();
    let store = EmbeddedStore::open_on(disk, &Clock::system(), Rng::from_seed(1), options);
    stress(Arc::new(store.expect("an empty disk"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everyone_is_told_when_a_collection_ends() {
    let clock = Clock::system();
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let tasks = Tasks::new();
    let collection = Collection::new(store, Prefix::new("/x/"), clock.clone(), tasks.clone());
    let waiting = Arc::new(AtomicBool::new(false));
    let (_, mut cursor) = collection.follow().await.expect("a healthy store");
    let (watched, flag) = (collection.clone(), Arc::clone(&waiting));
    let watcher = tasks.spawn("watcher", async move {
        let seat = watched.sit(Interest::At("a".into()));
        std::future::poll_fn(|ctx| {
            seat.wait(ctx.waker());
            match watched.step(&mut cursor, 10) {
                Step::Ended => Poll::Ready(()),
                _ => {
                    flag.store(true, Ordering::Release);
                    Poll::Pending
                }
            }
        })
        .await;
    });
    while !waiting.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
    collection.end();
    let ended = clock.timeout(PATIENCE, watcher).await;
    assert!(matches!(ended, Ok(Ok(()))), "it was not told");
}
