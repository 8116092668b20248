//! `cargo xtask conformance bad-input`: input that no server should accept, to upstream and Pintle.
//!
//! `conformance/bad-input/cases.jsonl` holds one request a line and what upstream answered: code,
//! reason and message. Where Pintle answers otherwise, the line says how and why. The same table is
//! replayed in process by `cargo test -p server`.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::differential::exchange::Door;
use super::{Ground, Target, repository};
use crate::failure::{Doing, Failure};

/// What `cargo xtask conformance bad-input` takes.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Writes what upstream answers into the table (with `--against upstream`).
    #[arg(long)]
    record: bool,
}

/// How often, and after which pause, something is looked for that is about to be served.
const SETUP_TRIES_MAX: usize = 100;
const SETUP_PAUSE: Duration = Duration::from_millis(100);

/// How much of a message is kept; some repeat what they were sent.
const MESSAGE_CHARS_MAX: usize = 400;

/// Behind this the object stands that a patch made.
const SHOWN: &str = "patch: Invalid value: \"{";

/// Sends every request, and records or compares what comes back.
///
/// # Errors
/// Something kept the run from happening, or answers differ (their count).
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = table();
    let text = std::fs::read_to_string(&path).doing(path.display())?;
    let ground = Ground::prepare(&arguments.target, &[])?;
    let door = Door::open(&ground.bin, &ground.kubeconfig)?;
    let (mut lines, mut count, mut wrong) = (String::new(), 0, 0);
    for line in text.lines() {
        let mut case: Value = serde_json::from_str(line).doing(line)?;
        if case["setup"] == true {
            set_up(&door, &case)?;
            lines.push_str(&format!("{case}\n"));
            continue;
        }
        let answer = send(&door, &case)?;
        if arguments.record {
            if case.get("pintle") == Some(&answer)
                && let Some(fields) = case.as_object_mut()
            {
                fields.remove("pintle");
            }
            case["upstream"] = answer;
        } else {
            let expected = case.get("pintle").unwrap_or(&case["upstream"]);
            count += 1;
            if *expected != answer {
                wrong += 1;
                println!(
                    "{}\n  expected {expected}\n  found    {answer}",
                    case["name"]
                );
            }
        }
        lines.push_str(&format!("{case}\n"));
    }
    if arguments.record {
        std::fs::write(&path, lines).doing(path.display())?;
        return Ok(());
    }
    println!("{count} bad inputs, {wrong} answered otherwise");
    match wrong {
        0 => Ok(()),
        wrong => Err(Failure::new(format!("{wrong} answers differ"))),
    }
}

fn table() -> PathBuf {
    repository().join("conformance/bad-input/cases.jsonl")
}

/// Returns the bytes of a case's body: pieces of text, repeated text and hexadecimal bytes.
fn body_of(case: &Value) -> Vec<u8> {
    let mut body = Vec::new();
    for piece in case["body"].as_array().into_iter().flatten() {
        if let Some(text) = piece.as_str() {
            body.extend_from_slice(text.as_bytes());
        } else if let Some(text) = piece["repeat"].as_str() {
            let count = usize::try_from(piece["count"].as_u64().unwrap_or(0)).unwrap_or(0);
            body.extend_from_slice(text.repeat(count).as_bytes());
        } else if let Some(text) = piece["hex"].as_str() {
            let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
            body.extend((0..text.len()).step_by(2).filter_map(byte));
        }
    }
    body
}

/// Returns code, reason and message of an answer; only the code of a good one.
fn brief(code: u16, body: &str) -> Value {
    if code < 300 {
        return json!({ "code": code });
    }
    let cut = |text: &str| {
        // A refused patch shows the whole object, with what differs from server to server.
        let end = text.find(SHOWN).map_or(text.len(), |at| at + SHOWN.len());
        text[..end]
            .chars()
            .take(MESSAGE_CHARS_MAX)
            .collect::<String>()
    };
    match serde_json::from_str::<Value>(body) {
        Ok(status) if status["kind"] == "Status" => json!({
            "code": code,
            "reason": status["reason"].as_str().unwrap_or_default(),
            "message": cut(status["message"].as_str().unwrap_or_default()),
        }),
        _ => json!({ "code": code, "reason": "", "message": cut(body) }),
    }
}

/// Makes what the cases need. What is made may take a moment until it is served, for which a GET in
/// the table waits.
fn set_up(door: &Door, case: &Value) -> Result<(), Failure> {
    let is_get = case["line"].as_str().unwrap_or_default().starts_with("GET");
    for _ in 0..SETUP_TRIES_MAX {
        let answer = send(door, case)?;
        match answer["code"].as_u64() {
            Some(200 | 201) => return Ok(()),
            Some(404 | 429) if is_get => std::thread::sleep(SETUP_PAUSE),
            _ => return Err(Failure::new(format!("{}: {answer}", case["name"]))),
        }
    }
    Err(Failure::new(format!("{}: it is not served", case["name"])))
}

fn send(door: &Door, case: &Value) -> Result<Value, Failure> {
    let (line, body) = (case["line"].as_str().unwrap_or_default(), body_of(case));
    let media = match case["type"].as_str() {
        Some(media) => format!("Content-Type: {media}\r\n"),
        None => String::new(),
    };
    let head = format!(
        "{line} HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nUser-Agent: bad-input\r\n\
         {media}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let (code, body) = door.pass(line, &head, &body)?;
    Ok(brief(code, &body))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{body_of, brief};

    #[test]
    fn puts_bodies_together() {
        let case = json!({"body": ["ab", {"repeat": "[", "count": 3}, {"hex": "00ff"}]});
        assert_eq!(body_of(&case), b"ab[[[\x00\xff");
        assert_eq!(body_of(&json!({})), b"");
    }

    #[test]
    fn keeps_what_clients_match_on() {
        let status = r#"{"kind":"Status","reason":"BadRequest","message":"m","code":400}"#;
        let expected = json!({"code": 400, "reason": "BadRequest", "message": "m"});
        assert_eq!(brief(400, status), expected);
        let expected = json!({"code": 404, "reason": "", "message": "none"});
        assert_eq!(brief(404, "none"), expected);
        assert_eq!(brief(200, "{}"), json!({"code": 200}));
    }
}
