//! Finds blocks of PEM, as leniently as Go does: what stands between them is skipped.

use base64::{Engine as _, engine::general_purpose::STANDARD};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// A block of PEM.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// What it is said to hold.
    pub(super) kind: String,
    /// Whether headers stand before what it holds.
    pub(super) has_headers: bool,
    /// What it holds.
    pub(super) bytes: Vec<u8>,
}

/// Returns the first block and what follows it.
pub(super) fn decode(text: &[u8]) -> Option<(Block, &[u8])> {
    let mut rest = text;
    loop {
        let at = find_line(rest, BEGIN)?;
        rest = &rest[at + BEGIN.len()..];
        if let Some((block, after)) = block(rest) {
            return Some((block, after));
        }
    }
}

/// Returns where a line that begins with this stands.
fn find_line(text: &[u8], begin: &[u8]) -> Option<usize> {
    let mut places = text.windows(begin.len()).enumerate();
    places.find_map(|(at, window)| {
        let is_line = at == 0 || text[at - 1] == b'\n';
        (is_line && window == begin).then_some(at)
    })
}

/// Splits a line off, without the space at its end.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(at) => (text[..at].trim_ascii_end(), &text[at + 1..]),
        None => (text.trim_ascii_end(), &[]),
    }
}

fn block(text: &[u8]) -> Option<(Block, &[u8])> {
    let (head, mut rest) = line(text);
    let kind = head.strip_suffix(DASHES)?;
    let mut has_headers = false;
    loop {
        let (one, after) = line(rest);
        if after.is_empty() || !one.contains(&b':') {
            break;
        }
        has_headers = true;
        rest = after;
    }
    let end = match rest.strip_prefix(END) {
        Some(_) => 0,
        None => find_line(rest, END)?,
    };
    let (tail, after) = line(&rest[end + END.len()..]);
    if tail.strip_suffix(DASHES) != Some(kind) {
        return None;
    }
    let is_text = |byte: &u8| !matches!(byte, b'\n' | b'\r');
    let body: Vec<u8> = rest[..end].iter().copied().filter(is_text).collect();
    let block = Block {
        kind: String::from_utf8_lossy(kind).into_owned(),
        has_headers,
        bytes: STANDARD.decode(body.trim_ascii()).ok()?,
    };
    Some((block, after))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, bool, &[u8], &str)>) {
        let found = decode(text.as_bytes());
        let found = found.as_ref().map(|(block, rest)| {
            let rest = std::str::from_utf8(rest).expect("it was text");
            (
                block.kind.as_str(),
                block.has_headers,
                block.bytes.as_slice(),
                rest,
            )
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn finds_blocks_wherever_they_are() {
        check("", None);
        check("x -----BEGIN A-----\n-----END A-----", None);
        check(
            "x\n-----BEGIN A B-----\nYW\nI=\n-----END A B-----\nrest",
            Some(("A B", false, b"ab", "rest")),
        );
        check(
            "-----BEGIN A-----\nk: v\n\nYWI=\n-----END A-----",
            Some(("A", true, b"ab", "")),
        );
        check("-----BEGIN A-----\nYWI=\n-----END B-----\n", None);
        check(
            "-----BEGIN A-----\n?\n-----END A-----\n-----BEGIN C-----\n-----END C-----\n",
            Some(("C", false, b"", "")),
        );
    }
}
