//! Input that no server should accept gets the refusal that upstream gives.
//!
//! The table and upstream's answers are made by `cargo xtask conformance bad-input`. Where a line has
//! an answer of our own beside upstream's, `conformance/differences.md` says why.

use std::fmt::Write;

use api::{Value, json};
use bytes::Bytes;

use crate::harness::{Answer, Local, Options, server};

const CASES: &str = include_str!("../../../../conformance/bad-input/cases.jsonl");
const DIFFERENCES: &str = include_str!("../../../../conformance/differences.md");

/// How often something is looked for that is about to be served.
const SETUP_TRIES_MAX: usize = 10_000;

/// How much of a message the table keeps.
const MESSAGE_CHARS_MAX: usize = 400;

/// Behind this the object stands that a patch made.
const SHOWN: &str = "patch: Invalid value: \"{";

/// Returns the bytes of a case's body: pieces of text, repeated text and hexadecimal bytes.
fn body_of(case: &Value) -> Bytes {
    let mut body = Vec::new();
    let pieces = case.get("body").and_then(Value::as_array);
    for piece in pieces.unwrap_or_default() {
        if let Some(text) = piece.as_str() {
            body.extend_from_slice(text.as_bytes());
        } else if let Some(text) = piece.str_at(&["repeat"]) {
            let count = piece.get("count").and_then(Value::as_int);
            let count = usize::try_from(count.expect("it is counted")).expect("it is small");
            body.extend_from_slice(text.repeat(count).as_bytes());
        } else {
            let text = piece.str_at(&["hex"]).expect("a piece is one of three");
            let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("it is hex");
            body.extend((0..text.len()).step_by(2).map(byte));
        }
    }
    Bytes::from(body)
}

/// Returns code, reason and message; only the code of a good answer.
fn brief(answer: &Answer) -> String {
    if answer.code < 300 {
        return answer.code.to_string();
    }
    let status = json::read(&answer.body).ok().map(|parsed| parsed.value);
    let status = status.filter(|status| status.str_at(&["kind"]) == Some("Status"));
    let part = |name: &str| {
        let status = status.as_ref()?;
        Some(status.str_at(&[name]).unwrap_or_default().to_owned())
    };
    let message = part("message").unwrap_or_else(|| answer.text());
    // A refused patch shows the whole object, with what differs from server to server.
    let end = message
        .find(SHOWN)
        .map_or(message.len(), |at| at + SHOWN.len());
    let message: String = message[..end].chars().take(MESSAGE_CHARS_MAX).collect();
    format!(
        "{} {}: {message}",
        answer.code,
        part("reason").unwrap_or_default()
    )
}

/// Returns a recorded answer in the same words.
fn recorded(answer: &Value) -> String {
    let code = answer.get("code").and_then(Value::as_int).expect("a code");
    if code < 300 {
        return code.to_string();
    }
    let part = |name: &str| answer.str_at(&[name]).unwrap_or_default();
    format!("{code} {}: {}", part("reason"), part("message"))
}

#[tokio::test]
async fn is_refused_as_upstream_refuses_it() {
    let (server, _tasks) = server(Options::default()).await;
    let local = Local::of(&server, "me", &["system:masters"]);
    let namespace = r#"{"metadata":{"name":"default"}}"#;
    let made = local
        .send(
            "POST /api/v1/namespaces",
            "content-type: application/json",
            namespace,
        )
        .await;
    assert_eq!(made.code, 201, "{made}");
    let account = r#"{"metadata":{"name":"default"}}"#;
    let accounts = "POST /api/v1/namespaces/default/serviceaccounts";
    let made = local
        .send(accounts, "content-type: application/json", account)
        .await;
    assert_eq!(made.code, 201, "{made}");
    let (mut wrong, mut count) = (String::new(), 0);
    for line in CASES.lines() {
        let case = json::read(line.as_bytes())
            .expect("the table is JSON")
            .value;
        let name = case.str_at(&["name"]).expect("cases have names");
        let headers = match case.str_at(&["type"]) {
            Some(media) => format!("content-type: {media}"),
            None => String::new(),
        };
        let headers = format!("accept: application/json\nuser-agent: bad-input\n{headers}");
        let request = case.str_at(&["line"]).expect("cases have a line");
        let mut answer = local.send(request, headers.trim(), body_of(&case)).await;
        if case.get("setup").is_some() {
            // A GET waits until something is served.
            for _ in 0..SETUP_TRIES_MAX {
                if answer.code != 404 {
                    break;
                }
                tokio::task::yield_now().await;
                answer = local.send(request, headers.trim(), body_of(&case)).await;
            }
            assert!(matches!(answer.code, 200 | 201), "{name}: {answer}");
            continue;
        }
        let upstream = recorded(case.get("upstream").expect("it was recorded"));
        let own = case.get("pintle").map(recorded);
        if let Some(own) = &own {
            assert_ne!(*own, upstream, "{name}: it is no difference any more");
            let listed = DIFFERENCES.contains(&format!("`{name}`"));
            assert!(
                listed,
                "{name}: conformance/differences.md does not say why"
            );
        }
        let (expected, found) = (own.unwrap_or(upstream), brief(&answer));
        count += 1;
        if expected != found {
            let _ = write!(wrong, "\n{name}\n  expected {expected}\n  found    {found}");
        }
    }
    assert!(count > 400, "only {count} cases");
    assert!(wrong.is_empty(), "{wrong}");
}
