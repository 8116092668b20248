//! The token with which a client asks for the next page of a list.
//!
//! It is base64url of a small JSON object whose form is public, so that tokens of one server are
//! understood by another.
//!
//! Source: k8s.io/apiserver, pkg/storage/continue.go.

use crate::{Value, json};

const VERSION: &str = "meta.k8s.io/v1";
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continue {
    /// Revision of the first page; negative if a new one may be taken.
    pub revision: i64,
    /// The key to begin with, below the list's prefix, without a leading slash.
    pub start: String,
    /// When the first page was read, in seconds since 1970, if the token says so: ours do, and other
    /// servers read over it.
    pub since: Option<i64>,
}

/// Why a token is not understood; answer 400 with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContinueError {
    /// It is not base64, not JSON, or climbs out of its list.
    #[error("continue key is not valid: {0}")]
    Invalid(String),
    /// It has no revision.
    #[error(
        "continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)"
    )]
    Revision,
    /// It has no key.
    #[error("continue key is not valid: encoded start key empty (version meta.k8s.io/v1)")]
    Start,
    /// It is of a later server.
    #[error("continue key is not valid: server does not recognize this encoded version {0}")]
    Version(String),
}

/// Returns the token.
#[must_use]
pub fn encode(token: &Continue) -> String {
    let mut text = Vec::with_capacity(64 + token.start.len());
    text.extend_from_slice(b"{\"v\":\"meta.k8s.io/v1\",\"rv\":");
    text.extend_from_slice(itoa::Buffer::new().format(token.revision).as_bytes());
    text.extend_from_slice(b",\"start\":");
    json::write_string(&token.start, &mut text);
    if let Some(since) = token.since {
        text.extend_from_slice(b",\"t\":");
        text.extend_from_slice(itoa::Buffer::new().format(since).as_bytes());
    }
    text.push(b'}');
    to_base64(&text)
}

/// Reads a token.
///
/// # Errors
/// [`ContinueError`] with upstream's text.
pub fn decode(token: &str) -> Result<Continue, ContinueError> {
    let text = from_base64(token)
        .map_err(|at| ContinueError::Invalid(format!("illegal base64 data at input byte {at}")))?;
    let parsed = json::read(&text).map_err(|error| ContinueError::Invalid(error.to_string()))?;
    let fields = &parsed.value;
    if !matches!(fields, Value::Object(_) | Value::Null) {
        let kind = go_kind(fields);
        let text =
            format!("json: cannot unmarshal {kind} into Go value of type storage.continueToken");
        return Err(ContinueError::Invalid(text));
    }
    let version = text_field(fields, "v")?;
    let revision = match fields.get("rv") {
        None | Some(Value::Null) => 0,
        Some(Value::Int(number)) => *number,
        Some(other) => return Err(wrong_type(other, "rv", "int64")),
    };
    let start = text_field(fields, "start")?;
    if version != VERSION {
        return Err(ContinueError::Version(version.to_owned()));
    }
    if revision == 0 {
        return Err(ContinueError::Revision);
    }
    if start.is_empty() {
        return Err(ContinueError::Start);
    }
    if !is_clean(start) {
        return Err(ContinueError::Invalid(start.to_owned()));
    }
    Ok(Continue {
        revision,
        start: start.strip_prefix('/').unwrap_or(start).to_owned(),
        since: fields.get("t").and_then(Value::as_int),
    })
}

fn text_field<'a>(fields: &'a Value, name: &str) -> Result<&'a str, ContinueError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(wrong_type(other, name, "string")),
    }
}

fn wrong_type(value: &Value, name: &str, wanted: &str) -> ContinueError {
    let kind = match value {
        Value::Float(number) => format!("number {number}"),
        other => go_kind(other).to_owned(),
    };
    ContinueError::Invalid(format!(
        "json: cannot unmarshal {kind} into Go struct field continueToken.{name} of type {wanted}"
    ))
}

fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Float(_) => "number",
        other => other.type_name(),
    }
}

/// Returns whether cleaning the path, with a slash before it, would change nothing.
fn is_clean(start: &str) -> bool {
    let below = start.strip_prefix('/').unwrap_or(start);
    below.is_empty() || !below.split('/').any(|part| matches!(part, "" | "." | ".."))
}

fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for letter in 0..=chunk.len() {
            out.push(char::from(
                LETTERS[(bits >> (18 - 6 * letter) & 63) as usize],
            ));
        }
    }
    out
}

/// Reads base64url without padding; line ends are skipped. The error is the place, as Go counts it.
fn from_base64(text: &str) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for (at, byte) in text.bytes().enumerate() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            b'\r' | b'\n' => continue,
            _ => return Err(at),
        };
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, count) = (0, 0);
        }
    }
    match count {
        0 => {}
        1 => return Err(text.len() - 1),
        2 => out.push((bits >> 4) as u8),
        _ => out.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{Continue, decode, encode, to_base64};

    #[track_caller]
    fn check(token: &str, expected: &str) {
        let printed = match decode(token) {
            Ok(token) => format!("{} {:?}", token.revision, token.start),
            Err(error) => error.to_string(),
        };
        assert_eq!(printed, expected);
    }

    #[track_caller]
    fn check_text(text: &str, expected: &str) {
        check(&to_base64(text.as_bytes()), expected);
    }

    #[test]
    fn comes_back_as_it_went() {
        for start in ["a", "default/web\0", "default/ü<", "abcd", "abcde"] {
            for since in [None, Some(1_700_000_000)] {
                let token = Continue {
                    revision: 42,
                    start: start.to_owned(),
                    since,
                };
                assert_eq!(decode(&encode(&token)), Ok(token));
            }
        }
    }

    #[test]
    fn is_upstreams_token() {
        check(
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NDIsInN0YXJ0IjoiZGVmYXVsdC93ZWJcdTAwMDAifQ",
            "42 \"default/web\\0\"",
        );
        assert_eq!(
            encode(&Continue {
                revision: 42,
                start: "default/web\0".to_owned(),
                since: None,
            }),
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NDIsInN0YXJ0IjoiZGVmYXVsdC93ZWJcdTAwMDAifQ"
        );
    }

    #[test]
    fn refuses_in_upstreams_words() {
        check(
            "a!",
            "continue key is not valid: illegal base64 data at input byte 1",
        );
        check(
            "aaaaa",
            "continue key is not valid: illegal base64 data at input byte 4",
        );
        check_text(
            "x",
            "continue key is not valid: invalid character 'x' looking for beginning of value",
        );
        check_text(
            "[]",
            "continue key is not valid: json: cannot unmarshal array into Go value of type storage.continueToken",
        );
        check_text(
            r#"{"v":1}"#,
            "continue key is not valid: json: cannot unmarshal number into Go struct field continueToken.v of type string",
        );
        check_text(
            "{}",
            "continue key is not valid: server does not recognize this encoded version ",
        );
        check_text(
            r#"{"v":"meta.k8s.io/v1","start":"a"}"#,
            "continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
        );
        check_text(
            r#"{"v":"meta.k8s.io/v1","rv":1}"#,
            "continue key is not valid: encoded start key empty (version meta.k8s.io/v1)",
        );
        for start in ["../a", "a/../b", "a//b", "./a", "a/", "a/."] {
            let text = format!(r#"{{"v":"meta.k8s.io/v1","rv":1,"start":"{start}"}}"#);
            check_text(&text, &format!("continue key is not valid: {start}"));
        }
        check_text(
            r#"{"v":"meta.k8s.io/v1","rv":-1,"start":"/a/..b"}"#,
            "-1 \"a/..b\"",
        );
    }
}
