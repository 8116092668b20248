//! Every rule of watches is a test; its name is the rule.

use std::time::Duration;

use super::{Bench, METADATA, PROTOBUF, Said, TABLE};
use crate::{Accepted, Form, media::MetaVersion};

const NOTES: &str = "/api/v1/namespaces/a/configmaps";

fn url(query: &str) -> String {
    format!("{NOTES}?watch=1&{query}")
}

async fn one() -> Bench {
    let bench = Bench::new();
    bench.note("a", "x", "1").await;
    bench
}

async fn edit(bench: &Bench, name: &str, text: &str) {
    let body = format!(r#"merge {{"data":{{"text":"{text}"}}}}"#);
    bench.ok(&format!("PATCH {NOTES}/{name}"), &body).await;
}

#[tokio::test]
async fn begins_with_what_there_is_and_goes_on() {
    for query in ["", "resourceVersion=0"] {
        let bench = one().await;
        let mut watch = bench.watch(&url(query)).await;
        assert_eq!(watch.events(), "ADDED x=1 @2");
        edit(&bench, "x", "2").await;
        bench.note("a", "y", "1").await;
        bench.note("b", "z", "1").await;
        bench.ok(&format!("DELETE {NOTES}/x"), "").await;
        assert_eq!(
            watch.events(),
            "MODIFIED x=2 @3, ADDED y=1 @4, DELETED x=2 @6"
        );
        assert_eq!(watch.look(), Said::Nothing);
    }
}

#[tokio::test]
async fn begins_after_a_revision() {
    let bench = one().await;
    edit(&bench, "x", "2").await;
    edit(&bench, "x", "3").await;
    let mut watch = bench.watch(&url("resourceVersion=2")).await;
    assert_eq!(watch.events(), "MODIFIED x=2 @3, MODIFIED x=3 @4");
    let mut watch = bench.watch(&url("resourceVersion=4")).await;
    assert_eq!(watch.events(), "");
    edit(&bench, "x", "4").await;
    assert_eq!(watch.events(), "MODIFIED x=4 @5");
}

#[tokio::test]
async fn a_revision_from_elsewhere_is_waited_for() {
    let bench = one().await;
    let mut watch = bench.watch(&url("resourceVersion=4")).await;
    for text in ["2", "3", "4"] {
        edit(&bench, "x", text).await;
    }
    assert_eq!(watch.events(), "MODIFIED x=4 @5");
}

#[tokio::test]
async fn the_past_before_a_restart_can_be_followed() {
    let bench = one().await;
    edit(&bench, "x", "2").await;
    let again = bench.restarted();
    again.ok(&format!("GET {NOTES}"), "").await;
    let mut watch = again.watch(&url("resourceVersion=1")).await;
    assert_eq!(watch.events(), "ADDED x=1 @2, MODIFIED x=2 @3");
}

#[tokio::test]
async fn a_forgotten_revision_is_an_error_event() {
    use store::Store;
    let bench = one().await;
    edit(&bench, "x", "2").await;
    edit(&bench, "x", "3").await;
    bench
        .store
        .compact(store::Revision(4))
        .wait()
        .expect("it is reached");
    let again = bench.restarted();
    let mut watch = again.watch(&url("resourceVersion=2")).await;
    assert_eq!(watch.events(), "ERROR too old resource version: 2 (4), end");
}

#[tokio::test]
async fn bad_options_are_refused_before_the_stream() {
    let bench = one().await;
    for (query, code) in [
        ("sendInitialEvents=true", 422),
        ("resourceVersionMatch=Exact&resourceVersion=1", 422),
        ("labelSelector=%2B", 400),
        ("fieldSelector=spec.x%3Dy", 400),
    ] {
        let reply = bench.send(&format!("GET {}", url(query)), "").await;
        assert_eq!(reply.code, code, "{query}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_watch_list_says_where_the_list_ends() {
    let bench = one().await;
    bench.note("a", "y", "1").await;
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = bench.watch(&url(query)).await;
    assert_eq!(
        watch.events(),
        "ADDED x=1 @2, ADDED y=1 @3, BOOKMARK @3 end"
    );
    // Without bookmarks the list is sent, but not its end.
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let mut watch = bench.watch(&url(query)).await;
    assert_eq!(watch.events(), "ADDED x=1 @2, ADDED y=1 @3");
    let query = "sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=0";
    let mut watch = bench.watch(&url(query)).await;
    assert_eq!(watch.events(), "");
    // The old way to ask for everything ends in the same bookmark.
    let mut watch = bench
        .watch(&url("allowWatchBookmarks=1&resourceVersion=0"))
        .await;
    assert_eq!(
        watch.events(),
        "ADDED x=1 @2, ADDED y=1 @3, BOOKMARK @3 end"
    );
}

#[tokio::test]
async fn bookmarks_come_each_minute_and_before_the_end() {
    let bench = one().await;
    let query = "resourceVersion=2&allowWatchBookmarks=1&timeoutSeconds=100";
    let mut watch = bench.watch(&url(query)).await;
    bench.note("b", "elsewhere", "1").await;
    assert_eq!(watch.events(), "");
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(watch.events(), "BOOKMARK @3");
    bench.clock.advance(Duration::from_secs(37));
    assert_eq!(watch.events(), "");
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(watch.events(), "BOOKMARK @3");
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(watch.events(), "end");
}

#[tokio::test]
async fn a_bookmark_is_never_ahead_of_an_event() {
    let bench = one().await;
    let query = "resourceVersion=2&allowWatchBookmarks=1";
    let mut watch = bench.watch(&url(query)).await;
    assert_eq!(watch.events(), "");
    edit(&bench, "x", "2").await;
    bench.note("b", "elsewhere", "1").await;
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(watch.events(), "MODIFIED x=2 @3, BOOKMARK @4");
}

#[tokio::test]
async fn without_the_wish_there_are_no_bookmarks() {
    let bench = one().await;
    let mut watch = bench
        .watch(&url("resourceVersion=2&timeoutSeconds=200"))
        .await;
    bench.clock.advance(Duration::from_secs(100));
    assert_eq!(watch.events(), "");
    bench.clock.advance(Duration::from_secs(100));
    assert_eq!(watch.events(), "end");
}

#[tokio::test]
async fn lives_half_an_hour_to_an_hour() {
    let bench = one().await;
    let mut watch = bench.watch(&url("resourceVersion=2")).await;
    bench.clock.advance(Duration::from_secs(1_799));
    assert_eq!(watch.events(), "");
    bench.clock.advance(Duration::from_secs(1_801));
    assert_eq!(watch.events(), "end");
}

#[tokio::test]
async fn entering_and_leaving_a_selection_is_an_event() {
    let bench = one().await;
    let mut watch = bench.watch(&url("labelSelector=l%3Da")).await;
    assert_eq!(watch.events(), "");
    let label = |value: &str| format!(r#"merge {{"metadata":{{"labels":{{"l":{value}}}}}}}"#);
    let url = format!("PATCH {NOTES}/x");
    bench.ok(&url, &label(r#""a""#)).await;
    assert_eq!(watch.events(), "ADDED x=1 @3");
    edit(&bench, "x", "2").await;
    assert_eq!(watch.events(), "MODIFIED x=2 @4");
    let body = r#"merge {"metadata":{"labels":{"l":"b"}},"data":{"text":"3"}}"#;
    bench.ok(&url, body).await;
    // It leaves as it was when it was last in.
    assert_eq!(watch.events(), "DELETED x=2 @5");
    edit(&bench, "x", "4").await;
    assert_eq!(watch.events(), "");
}

#[tokio::test]
async fn one_object_can_be_watched() {
    let bench = one().await;
    for url in [
        url("fieldSelector=metadata.name%3Dx"),
        "/api/v1/watch/namespaces/a/configmaps/x".to_owned(),
    ] {
        let bench = bench.restarted();
        let mut watch = bench.watch(&url).await;
        assert!(watch.events().starts_with("ADDED x="), "{url}");
        bench.note("a", &format!("y{}", url.len()), "1").await;
        assert_eq!(watch.events(), "");
    }
}

#[tokio::test]
async fn a_slow_watcher_is_cut_off() {
    let bench = one().await;
    let mut slow = bench.watch(&url("resourceVersion=2")).await;
    let mut quick = bench.watch(&url("resourceVersion=2")).await;
    let made = bench.ok(&format!("GET {NOTES}/x"), "").await;
    // More than the history keeps: replaced bytes are bounded as well as their number.
    let large = "v".repeat(1 << 19);
    for n in 0..140 {
        let text = format!("{n}{large}");
        edit(&bench, "x", &text).await;
        assert!(matches!(quick.look(), Said::Frames(_)));
    }
    drop(made);
    assert_eq!(slow.look(), Said::End);
    assert_eq!(quick.look(), Said::Nothing);
}

#[tokio::test]
async fn is_woken_by_a_change() {
    let bench = one().await;
    let mut watch = bench.watch(&url("resourceVersion=2")).await;
    assert_eq!(watch.look(), Said::Nothing);
    let (said, ()) = tokio::join!(watch.wait(), edit(&bench, "x", "2"));
    assert!(said.contains("MODIFIED"), "{said}");
}

#[tokio::test]
async fn all_share_one_frame() {
    let bench = one().await;
    let query = url("resourceVersion=2");
    let mut watches = Vec::new();
    for _ in 0..3 {
        watches.push(bench.watch(&query).await);
    }
    edit(&bench, "x", "2").await;
    let said: Vec<Said> = watches.iter_mut().map(super::Watching::look).collect();
    assert_eq!(said[0], said[1]);
    assert_eq!(said[1], said[2]);
}

#[tokio::test]
async fn shows_tables_and_metadata() {
    let bench = one().await;
    let mut watch = bench.watch_as(&url(""), TABLE).await;
    let Said::Frames(first) = watch.look() else {
        panic!("there is one object");
    };
    assert!(first.contains(r#""kind":"Table""#) && first.contains(r#""columnDefinitions":[{"#));
    edit(&bench, "x", "2").await;
    let Said::Frames(second) = watch.look() else {
        panic!("there was one change");
    };
    assert!(second.contains(r#""columnDefinitions":null"#), "{second}");
    let single = Accepted {
        form: Form::PartialObjectMetadata(MetaVersion::V1),
        ..METADATA
    };
    let mut watch = bench.watch_as(&url(""), single).await;
    let Said::Frames(frame) = watch.look() else {
        panic!("there is one object");
    };
    assert!(
        frame.contains(r#""kind":"PartialObjectMetadata""#) && !frame.contains("data\":{\"text")
    );
}

#[tokio::test]
async fn speaks_protobuf() {
    let bench = one().await;
    let query = url("allowWatchBookmarks=1");
    let mut watch = bench.watch_as(&query, PROTOBUF).await;
    let Said::Frames(frames) = watch.look() else {
        panic!("there is one object");
    };
    assert!(frames.contains("ADDED") && frames.contains("k8s\0"));
    assert!(frames.contains("BOOKMARK") && frames.contains("initial-events-end"));
}

#[tokio::test]
async fn a_watch_of_nothing_stays_open() {
    let bench = one().await;
    let mut watch = bench
        .watch("/api/v1/namespaces/none/configmaps?watch=1")
        .await;
    assert_eq!(watch.events(), "");
    bench.note("none", "x", "1").await;
    assert_eq!(watch.events(), "ADDED x=1 @3");
}

#[tokio::test]
async fn a_reset_store_ends_watches() {
    let bench = one().await;
    let mark = bench.store.mark();
    let mut watch = bench.watch(&url("resourceVersion=2")).await;
    assert_eq!(watch.events(), "");
    edit(&bench, "x", "2").await;
    bench.store.reset(&mark);
    assert_eq!(watch.look(), Said::End);
    let body = bench.ok(&format!("GET {NOTES}/x"), "").await;
    assert_eq!(super::at(&body, "data/text"), "1");
}
