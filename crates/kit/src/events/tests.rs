//! Tests of events.

use std::time::Duration;

use base::{Clock, Tasks, WallTime};

use super::{About, Correlator, Decision, Note, Recorder, Severity};
use crate::{
    Uid,
    scripted::{Answer, Script},
};

fn note(name: &str, reason: &str, message: &str) -> Note {
    Note {
        about: About {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: name.to_owned(),
            namespace: "n".to_owned(),
            uid: Uid::new(name),
            resource_version: "7".to_owned(),
        },
        severity: Severity::Normal,
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

/// Notes the words as `object/reason/message`; `+5` moves the clock by 5 s. Prints `new` or the
/// count, `!` behind it when the text was joined, `-` for a dropped one.
fn run(script: impl IntoIterator<Item = String>) -> Vec<String> {
    let (clock, handle) = Clock::fake(WallTime::from_secs(1_000));
    let mut correlator = Correlator::default();
    let mut out = Vec::new();
    for word in script {
        if let Some(secs) = word.strip_prefix('+') {
            handle.advance(Duration::from_secs(secs.parse().unwrap()));
            continue;
        }
        let parts: Vec<&str> = word.split('/').collect();
        let note = note(parts[0], parts[1], parts[2]);
        let mark = |message: &str| if message.starts_with('(') { "!" } else { "" };
        out.push(match correlator.decide(&note, clock.now(), clock.wall()) {
            Decision::Create { message, .. } => format!("new{}", mark(&message)),
            Decision::Count { count, message, .. } => format!("{count}{}", mark(&message)),
            Decision::Drop => "-".to_owned(),
        });
    }
    out
}

#[track_caller]
fn check(script: &str, expected: &str) {
    let out = run(script.split_whitespace().map(str::to_owned));
    assert_eq!(out.join(" "), expected);
}

#[test]
fn the_same_note_is_counted() {
    check("a/R/m a/R/m b/R/m a/R/other a/R/m", "new 2 new new 3");
}

#[test]
fn many_similar_notes_are_joined() {
    let out = run((0..12).map(|number| format!("a/R/{number}")));
    assert_eq!(out[..9], ["new"; 9]);
    assert_eq!(out[9..], ["new!", "2!", "3!"]);
}

#[test]
fn similar_notes_far_apart_are_not_joined() {
    let out = run((0..12).flat_map(|number| [format!("a/R/{number}"), "+601".to_owned()]));
    assert_eq!(out, ["new"; 12]);
}

#[test]
fn one_object_may_have_only_so_many() {
    let out = run((0..30).map(|number| format!("a/R{number}/m")));
    assert_eq!(out[..25], ["new"; 25]);
    assert_eq!(out[25..], ["-"; 5]);
    let more = (0..26).map(|number| format!("a/R{number}/m"));
    let out = run(more.chain(["+300".to_owned(), "a/Q/m".to_owned(), "a/Q/m".to_owned()]));
    assert_eq!(out[25..], ["-", "new", "-"]);
}

#[test]
fn what_it_remembers_is_bounded() {
    let mut correlator = Correlator::default();
    let (clock, _handle) = Clock::fake(WallTime::from_secs(0));
    for number in 0..10_000 {
        let note = note(&format!("o{number}"), "R", "m");
        correlator.decide(&note, clock.now(), clock.wall());
    }
    assert!(correlator.written.len() <= super::REMEMBERED_MAX);
    assert!(correlator.similar.len() <= super::REMEMBERED_MAX);
    assert!(correlator.buckets.len() <= super::REMEMBERED_MAX);
}

#[tokio::test]
async fn writes_counts_and_writes_again_what_expired() {
    let created = r#"{"metadata":{"name":"x"}}"#;
    let script = Script::new([
        Answer::ends(201, created),
        Answer::ends(200, created),
        Answer::ends(404, r#"{"code":404,"reason":"NotFound"}"#),
        Answer::ends(201, created),
    ]);
    let (clock, _handle) = Clock::fake(WallTime::from_secs(1_000));
    let tasks = Tasks::new();
    let recorder = Recorder::start("tester", script.client(), &tasks, &clock);
    for _ in 0..3 {
        let note = note("a", "Done", "it is done");
        recorder.note(note.about, note.severity, &note.reason, note.message);
    }
    while script.asked().len() < 4 {
        tokio::task::yield_now().await;
    }
    let asked = script.asked();
    assert!(
        asked[0].starts_with("POST /api/v1/namespaces/n/events {"),
        "{}",
        asked[0]
    );
    for part in [
        r#""involvedObject":{"apiVersion":"v1","kind":"Pod","name":"a","namespace":"n","resourceVersion":"7","uid":"a"}"#,
        r#""source":{"component":"tester"}"#,
        r#""firstTimestamp":"1970-01-01T00:16:40Z""#,
        r#""type":"Normal""#,
    ] {
        assert!(asked[0].contains(part), "{part} in {}", asked[0]);
    }
    assert!(
        asked[1].starts_with("PATCH /api/v1/namespaces/n/events/a."),
        "{}",
        asked[1]
    );
    assert!(asked[1].contains(r#""count":2"#) && asked[3].contains(r#""count":3"#));
    assert!(asked[3].starts_with("POST "));
    Recorder::silent().note(
        note("a", "R", "m").about,
        Severity::Warning,
        "R",
        String::new(),
    );
}
