//! Tests of watch.

use std::time::Duration;

use base::{Clock, Rng, WallTime};

use super::{Event, Extent, Read, Watch, read_line};
use crate::{
    Partial,
    scripted::{Answer, Script},
};

fn object(name: &str, revision: u64) -> String {
    format!(r#"{{"metadata":{{"name":"{name}","resourceVersion":"{revision}"}}}}"#)
}

fn line(kind: &str, name: &str, revision: u64) -> String {
    format!(
        "{{\"type\":\"{kind}\",\"object\":{}}}\n",
        object(name, revision)
    )
}

fn bookmark(revision: u64, end: &str) -> String {
    let annotations = match end {
        "end" => r#","annotations":{"k8s.io/initial-events-end":"true"}"#,
        _ => "",
    };
    format!(
        "{{\"type\":\"BOOKMARK\",\"object\":{{\"kind\":\"Pod\",\"metadata\":{{\"resourceVersion\":\"{revision}\"{annotations}}}}}}}\n"
    )
}

fn gone() -> String {
    r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"old"}}"#
        .to_owned()
        + "\n"
}

fn print(event: Event<Partial>) -> String {
    match event {
        Event::Begin => "begin".to_owned(),
        Event::Seen(object) => format!("+{}", object.metadata.name),
        Event::Gone(object) => format!("-{}", object.metadata.name),
        Event::Complete(revision) => format!("complete {revision}"),
        Event::Progress(revision) => format!("at {revision}"),
    }
}

/// Plays a script until the watch has nothing more to say; the fake clock moves when it waits.
async fn play(script: &Script, events: usize) -> String {
    let (clock, handle) = Clock::fake(WallTime::from_secs(0));
    let mut watch: Watch<Partial> = Watch::new(
        script.client(),
        "/api/v1/pods".to_owned(),
        String::new(),
        Extent::Metadata,
        clock.clone(),
        Rng::from_seed(1),
    );
    let mut out = Vec::new();
    while out.len() < events {
        let mut next = std::pin::pin!(watch.next());
        let event = std::future::poll_fn(|ctx| {
            loop {
                if let std::task::Poll::Ready(event) = next.as_mut().poll(ctx) {
                    return std::task::Poll::Ready(event);
                }
                match handle.next_wake() {
                    Some(_) => handle.advance(Duration::from_secs(10)),
                    None => panic!("the watch waits for ever after {:?}", script.asked()),
                }
            }
        });
        out.push(print(event.await));
    }
    out.join(", ")
}

const STREAM: &str = "GET /api/v1/pods?watch=true&allowWatchBookmarks=true&timeoutSeconds=&\
                      sendInitialEvents=true&resourceVersionMatch=NotOlderThan";

fn from(revision: u64) -> String {
    format!(
        "GET /api/v1/pods?watch=true&allowWatchBookmarks=true&timeoutSeconds=&resourceVersion={revision}"
    )
}

#[tokio::test]
async fn streams_the_list_and_goes_on() {
    let frames = [
        line("ADDED", "a", 3),
        line("ADDED", "b", 4),
        bookmark(5, "end"),
        line("MODIFIED", "a", 6),
        line("DELETED", "b", 7),
        bookmark(9, ""),
    ];
    let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
    let script = Script::new([Answer::stays(&frames)]);
    assert_eq!(
        play(&script, 7).await,
        "begin, +a, +b, complete 5, +a, -b, at 9"
    );
    assert_eq!(script.asked(), [STREAM]);
}

#[tokio::test]
async fn frames_may_cut_lines_anywhere() {
    let text = line("ADDED", "a", 3) + &bookmark(5, "end") + "\n" + &line("DELETED", "a", 6);
    for at in 0..text.len() {
        let (one, two) = text.split_at(at);
        let script = Script::new([Answer::stays(&[one, two])]);
        assert_eq!(play(&script, 4).await, "begin, +a, complete 5, -a", "{at}");
    }
}

#[tokio::test]
async fn goes_on_from_the_last_revision_after_an_end() {
    let first = line("ADDED", "a", 3) + &bookmark(5, "end") + &line("MODIFIED", "a", 8);
    let script = Script::new([
        Answer::stream(&[&first]),
        Answer::stays(&[&line("DELETED", "a", 9)]),
    ]);
    assert_eq!(play(&script, 5).await, "begin, +a, complete 5, +a, -a");
    assert_eq!(script.asked(), [STREAM.to_owned(), from(8)]);
}

#[tokio::test]
async fn begins_again_when_its_revision_is_too_old() {
    let list = line("ADDED", "a", 3) + &bookmark(5, "end");
    let script = Script::new([
        Answer::stream(&[&list, &gone()]),
        Answer::stays(&[&bookmark(20, "end")]),
    ]);
    assert_eq!(
        play(&script, 5).await,
        "begin, +a, complete 5, begin, complete 20"
    );
    assert_eq!(script.asked(), [STREAM, STREAM]);
}

#[tokio::test]
async fn a_list_that_is_cut_off_begins_again() {
    let script = Script::new([
        Answer::stream(&[&line("ADDED", "a", 3)]),
        Answer::stays(&[&bookmark(5, "end")]),
    ]);
    assert_eq!(play(&script, 4).await, "begin, +a, begin, complete 5");
}

#[tokio::test]
async fn asks_for_pages_where_lists_are_not_streamed() {
    let page = |name, revision, token| {
        format!(
            r#"{{"metadata":{{"resourceVersion":"7","continue":"{token}"}},"items":[{}]}}"#,
            object(name, revision)
        )
    };
    let script = Script::new([
        Answer::ends(422, r#"{"kind":"Status","code":422,"reason":"Invalid"}"#),
        Answer::ends(200, &page("a", 1, "t1")),
        Answer::ends(200, &page("b", 2, "")),
        Answer::stays(&[&line("ADDED", "c", 8)]),
    ]);
    assert_eq!(play(&script, 5).await, "begin, +a, +b, complete 7, +c");
    assert_eq!(
        script.asked()[1..],
        [
            "GET /api/v1/pods?limit=500".to_owned(),
            "GET /api/v1/pods?limit=500&continue=t1".to_owned(),
            from(7)
        ]
    );
}

#[tokio::test]
async fn a_page_without_items_is_empty() {
    let script = Script::new([
        Answer::ends(422, r#"{"kind":"Status","code":422,"reason":"Invalid"}"#),
        Answer::ends(200, r#"{"metadata":{"resourceVersion":"7"},"items":null}"#),
    ]);
    assert_eq!(play(&script, 2).await, "begin, complete 7");
}

#[tokio::test]
async fn waits_and_tries_again_after_a_failure() {
    let script = Script::new([
        Answer::ends(500, r#"{"kind":"Status","code":500,"message":"ouch"}"#),
        Answer::ends(404, r#"{"kind":"Status","code":404,"reason":"NotFound"}"#),
        Answer::stays(&[&bookmark(5, "end")]),
    ]);
    assert_eq!(play(&script, 2).await, "begin, complete 5");
    assert_eq!(script.asked().len(), 3);
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_waited_for() {
    let script = Script::new([
        Answer::stream(&[&bookmark(5, "end")]),
        Answer::stream(&[]),
        Answer::stream(&["{\"type\":\"WEIRD\",\"object\":{}}\n"]),
        Answer::stays(&[&line("ADDED", "a", 6)]),
    ]);
    assert_eq!(play(&script, 3).await, "begin, complete 5, +a");
    assert_eq!(
        script.asked(),
        [STREAM.to_owned(), from(5), from(5), from(5)]
    );
}

#[test]
fn reads_lines_of_any_spacing_and_order() {
    for line in [
        r#"{"type":"ADDED","object":{"metadata":{"name":"a"}}}"#,
        r#"{ "object": {"metadata":{"name":"a"}}, "type": "ADDED" }"#,
    ] {
        let Read::Seen(object) = read_line::<Partial>(line.as_bytes()).unwrap() else {
            panic!("{line}");
        };
        assert_eq!(&*object.metadata.name, "a");
    }
    assert!(read_line::<Partial>(b"{").is_err());
}
