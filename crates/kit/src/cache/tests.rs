//! Tests of cache.

use std::{sync::Arc, time::Duration};

use base::{Clock, Rng, Tasks, WallTime};
use parking_lot::Mutex;

use super::{Cache, Change};
use crate::{
    Error, Key, Object, Partial, Resource, Scope,
    scripted::{Answer, Script},
};

fn line(kind: &str, name: &str, revision: u64, app: &str) -> String {
    format!(
        "{{\"type\":\"{kind}\",\"object\":{{\"metadata\":{{\"name\":\"{name}\",\"resourceVersion\":\"{revision}\",\"labels\":{{\"app\":\"{app}\"}}}}}}}}\n"
    )
}

fn end(revision: u64) -> String {
    format!(
        "{{\"type\":\"BOOKMARK\",\"object\":{{\"metadata\":{{\"resourceVersion\":\"{revision}\",\"annotations\":{{\"k8s.io/initial-events-end\":\"true\"}}}}}}}}\n"
    )
}

fn pods() -> Cache<Partial> {
    Cache::of_metadata(Resource::new("", "v1", "pods", "Pod", Scope::Namespaced))
}

/// Starts a cache on a script and waits until it has seen `revision`.
async fn started(cache: &Cache<Partial>, script: &Script, revision: u64) {
    let (clock, tasks) = (Clock::system(), Tasks::new());
    cache.start(&script.client(), &tasks, &clock, Rng::from_seed(1));
    cache.synced().await;
    let reached = cache.reached(revision, &clock, Duration::from_secs(10));
    reached.await.unwrap();
}

fn names(objects: &[Arc<Partial>]) -> String {
    let names: Vec<&str> = objects
        .iter()
        .map(|object| &*object.metadata.name)
        .collect();
    names.join(" ")
}

#[tokio::test]
async fn holds_what_is_there_and_finds_it_by_index() {
    let frames = [
        line("ADDED", "b", 1, "x"),
        line("ADDED", "a", 2, "x"),
        end(3),
        line("MODIFIED", "b", 4, "y"),
        line("ADDED", "c", 5, "x"),
        line("DELETED", "a", 6, "x"),
    ]
    .concat();
    let cache = pods();
    let by_app = cache.index_by(|object, found| {
        if let Some(app) = object.metadata.labels.get("app") {
            found(app);
        }
    });
    started(&cache, &Script::new([Answer::stays(&[&frames])]), 6).await;
    assert_eq!(names(&cache.all()), "b c");
    assert_eq!(names(&cache.find(by_app, "x")), "c");
    assert_eq!(names(&cache.find(by_app, "y")), "b");
    assert!(cache.has(by_app, "y") && !cache.has(by_app, "z"));
    assert_eq!(cache.get(&Key::new("", "b")).unwrap().revision(), 4);
    let late = cache.index_by(|object, found| found(&object.metadata.name));
    assert_eq!(names(&cache.find(late, "c")), "c");
}

#[tokio::test]
async fn listeners_are_told_of_all_in_order() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listen = |told: &Arc<Mutex<Vec<String>>>| {
        let told = Arc::clone(told);
        move |change: &Change<'_, Partial>| {
            told.lock().push(match change {
                Change::Set { old: None, new } => format!("+{}", new.metadata.name),
                Change::Set { new, .. } => format!("~{}", new.metadata.name),
                Change::Gone(last) => format!("-{}@{}", last.metadata.name, last.revision()),
                Change::Complete => "complete".to_owned(),
            });
        }
    };
    let frames = [
        line("ADDED", "a", 1, ""),
        end(2),
        line("MODIFIED", "a", 3, ""),
        line("ADDED", "b", 4, ""),
        line("DELETED", "a", 5, ""),
    ]
    .concat();
    let cache = pods();
    cache.on_change(listen(&told));
    started(&cache, &Script::new([Answer::stays(&[&frames])]), 5).await;
    assert_eq!(told.lock().join(" "), "+a complete ~a +b -a@5");
    told.lock().clear();
    cache.on_change(listen(&told));
    assert_eq!(told.lock().join(" "), "+b complete");
}

#[tokio::test]
async fn a_new_list_removes_what_it_does_not_confirm() {
    let expired = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}\n";
    let first = [line("ADDED", "a", 1, ""), line("ADDED", "b", 2, ""), end(3)].concat();
    let second = [line("ADDED", "b", 2, ""), end(9)].concat();
    let script = Script::new([
        Answer::stream(&[&first, expired]),
        Answer::stays(&[&second]),
    ]);
    let cache = pods();
    started(&cache, &script, 9).await;
    assert_eq!(names(&cache.all()), "b");
}

#[tokio::test]
async fn a_projection_may_keep_nothing() {
    let frames = [
        line("ADDED", "a", 1, "keep"),
        line("ADDED", "b", 2, "drop"),
        end(3),
        line("MODIFIED", "a", 4, "drop"),
    ]
    .concat();
    let cache = pods();
    let (clock, tasks) = (Clock::system(), Tasks::new());
    let script = Script::new([Answer::stays(&[&frames])]);
    cache.start_projected::<Partial>(
        &script.client(),
        &tasks,
        &clock,
        Rng::from_seed(1),
        |object| (object.metadata.labels.get("app") == Some("keep")).then_some(object),
    );
    cache.synced().await;
    let reached = cache.reached(4, &clock, Duration::from_secs(10));
    reached.await.unwrap();
    assert!(cache.is_empty());
    assert_eq!(cache.len(), 0);
}

#[tokio::test]
async fn waiting_for_what_does_not_come_ends() {
    let (clock, handle) = Clock::fake(WallTime::from_secs(0));
    let cache = pods();
    cache.set(serde_json::from_str(r#"{"metadata":{"name":"a","resourceVersion":"3"}}"#).unwrap());
    assert!(cache.reached(3, &clock, Duration::ZERO).await.is_ok());
    let waiting = cache.reached(4, &clock, Duration::from_secs(5));
    let (reached, ()) = tokio::join!(waiting, async { handle.advance(Duration::from_secs(6)) });
    assert!(matches!(reached, Err(Error::Behind { .. })));
    let keys = vec![Key::new("", "a"), Key::new("", "b")];
    let waiting = cache.none_left(keys.clone(), &clock, Duration::from_secs(5), |_| true);
    let (left, ()) = tokio::join!(waiting, async { handle.advance(Duration::from_secs(6)) });
    assert!(matches!(left, Err(Error::Behind { .. })));
    let waiting = cache.none_left(keys, &clock, Duration::from_secs(5), |_| true);
    let (left, ()) = tokio::join!(waiting, async {
        cache.remove(&Key::new("", "a"), None, 5);
    });
    assert!(left.is_ok());
}
