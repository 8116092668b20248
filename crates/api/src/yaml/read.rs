//! Bytes to nodes: characters are checked, events become a table of nodes.
//!
//! Two parsers give the events. The quick one reads nearly everything; what it refuses is read again
//! by a port of libyaml, from which upstream's parser comes too: it says what upstream says, and
//! goes as deep.

use std::borrow::Cow;

use hashbrown::HashMap;

use super::{
    YamlError, YamlParsed, decode,
    events::{self, Event},
    flow,
};
use crate::json::DEPTH_MAX;

/// Reads the first document.
///
/// # Errors
/// [`YamlError`], with upstream's text.
pub fn read(bytes: &[u8]) -> Result<YamlParsed, YamlError> {
    let text = text_of(bytes)?;
    if let Some(done) = flow::read(&text) {
        return Ok(done);
    }
    // The quick parser takes directives that upstream refuses; nobody writes them.
    if (text.starts_with('%') || text.contains("\n%"))
        && let Some(done) = read_exactly(&text)
    {
        return done;
    }
    match read_with(events::Quick::new(&text)) {
        // The quick parser does not know the names of anchors, nor upstream's sentences.
        Err(first @ (YamlError::Grammar { .. } | YamlError::Cycle(_))) => {
            read_exactly(&text).unwrap_or(Err(first))
        }
        done => done,
    }
}

/// Reads with the exact parser; none where that is not up to the text.
fn read_exactly(text: &str) -> Option<Result<YamlParsed, YamlError>> {
    // It panics where a tag has a comma in it or an escape has no character: such
    // texts are kept from it, and what else may lie there is caught.
    let mut words = text.split(|c: char| c.is_whitespace());
    if words.any(|word| word.contains('!') && word.contains(',')) {
        return None;
    }
    let unfinished = text.ends_with('\\').then(|| format!("{text}q"));
    let text = unfinished.as_deref().unwrap_or(text);
    let read = || read_with(events::Exact::new(text));
    let done = std::panic::catch_unwind(read).ok()?;
    match done {
        // The character that was added here must not be read.
        Ok(_) if unfinished.is_some() => None,
        Err(YamlError::Aliases) => None,
        done => Some(done),
    }
}

pub(super) fn read_with<'a>(
    events: impl Iterator<Item = Result<Event<'a>, YamlError>>,
) -> Result<YamlParsed, YamlError> {
    decode::decode(&Nodes::read(events)?)
}

/// Returns the text, if every character in it may stand in YAML. Mark of byte order and UTF-16 are
/// understood as upstream does.
fn text_of(bytes: &[u8]) -> Result<Cow<'_, str>, YamlError> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(utf8(rest)?),
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)?),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)?),
        rest => Cow::Borrowed(utf8(rest)?),
    };
    match text.chars().all(may_stand) {
        true => Ok(text),
        false => Err(YamlError::Encoding(CONTROL)),
    }
}

const CONTROL: &str = "control characters are not allowed";

fn may_stand(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn utf8(bytes: &[u8]) -> Result<&str, YamlError> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let (valid, rest) = bytes.split_at(error.valid_up_to());
    // What stands before is looked at first.
    let valid = std::str::from_utf8(valid).unwrap_or_default();
    let why = if valid.chars().all(may_stand) {
        broken(rest)
    } else {
        CONTROL
    };
    Err(YamlError::Encoding(why))
}

/// Says what is wrong with a sequence of bytes that is no character.
fn broken(bytes: &[u8]) -> &'static str {
    let width = match bytes.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => return "invalid leading UTF-8 octet",
    };
    let Some(sequence) = bytes.get(..width) else {
        return "incomplete UTF-8 octet sequence";
    };
    if sequence[1..].iter().any(|octet| octet & 0xc0 != 0x80) {
        return "invalid trailing UTF-8 octet";
    }
    let lead = u32::from(sequence[0]) & (0x7f >> width);
    let code = sequence[1..]
        .iter()
        .fold(lead, |code, octet| code << 6 | u32::from(octet & 0x3f));
    let least = [0x80, 0x800, 0x1_0000][width - 2];
    if code < least {
        "invalid length of a UTF-8 sequence"
    } else {
        "invalid Unicode character"
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, YamlError> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    match text {
        Ok(text) if odd.is_empty() => Ok(text),
        Ok(_) => Err(YamlError::Encoding("incomplete UTF-16 character")),
        Err(error) if error.unpaired_surrogate() >= 0xdc00 => {
            Err(YamlError::Encoding("unexpected low surrogate area"))
        }
        Err(_) => Err(YamlError::Encoding("expected low surrogate area")),
    }
}

pub(super) struct Node<'a> {
    /// Line, from 1.
    pub(super) line: usize,
    pub(super) what: What<'a>,
}

pub(super) enum What<'a> {
    Scalar {
        text: Cow<'a, str>,
        plain: bool,
        tag: Option<String>,
    },
    List(Vec<usize>),
    /// Keys and values in turn.
    Map(Vec<usize>),
    Alias {
        target: usize,
        /// Name of the anchor, if the parser knows it.
        name: String,
    },
}

pub(super) struct Nodes<'a> {
    pub(super) all: Vec<Node<'a>>,
    pub(super) root: Option<usize>,
}

impl<'a> Nodes<'a> {
    fn read(events: impl Iterator<Item = Result<Event<'a>, YamlError>>) -> Result<Self, YamlError> {
        let mut nodes = Self {
            all: Vec::new(),
            root: None,
        };
        let mut open: Vec<usize> = Vec::new();
        let mut anchors: HashMap<String, usize> = HashMap::new();
        for event in events {
            let (line, what, anchor) = match event? {
                Event::End => {
                    open.pop();
                    continue;
                }
                Event::Alias { line, name } => match anchors.get(&name) {
                    Some(target) => {
                        let target = *target;
                        (line, What::Alias { target, name }, None)
                    }
                    None => return Err(YamlError::Anchor(name)),
                },
                Event::Node { line, what, anchor } => (line, what, anchor),
            };
            let opens = matches!(what, What::List(_) | What::Map(_));
            let place = nodes.all.len();
            nodes.all.push(Node { line, what });
            match open.last() {
                None => nodes.root = Some(place),
                Some(parent) => nodes.add(*parent, place),
            }
            if let Some(anchor) = anchor {
                anchors.insert(anchor, place);
            }
            if opens {
                // Upstream counts what is in brackets and what is not each for itself; a document
                // that is deep in both is refused a little early here.
                if open.len() > DEPTH_MAX {
                    let line = if line > 1 { line } else { 0 };
                    return Err(YamlError::TooDeep { line });
                }
                open.push(place);
            }
        }
        Ok(nodes)
    }

    fn add(&mut self, parent: usize, child: usize) {
        if let What::List(children) | What::Map(children) = &mut self.all[parent].what {
            children.push(child);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::text_of;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let found = match text_of(bytes) {
            Ok(text) => text.into_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_characters_as_upstream() {
        check(b"a\xc3\xa9", "aé");
        check(b"\xef\xbb\xbfa", "a");
        check(b"\xff\xfea\0\xe9\0", "aé");
        check(b"\xfe\xff\0a\0\xe9", "aé");
    }

    #[test]
    fn refuses_what_is_no_character() {
        check(b"\xff", "yaml: invalid leading UTF-8 octet");
        check(b"a\x80", "yaml: invalid leading UTF-8 octet");
        check(b"\xc3", "yaml: incomplete UTF-8 octet sequence");
        check(b"\xe2\x82", "yaml: incomplete UTF-8 octet sequence");
        check(b"\xc3(", "yaml: invalid trailing UTF-8 octet");
        check(b"\xc0\x80", "yaml: invalid length of a UTF-8 sequence");
        check(b"\xe0\x80\x80", "yaml: invalid length of a UTF-8 sequence");
        check(b"\xed\xa0\x80", "yaml: invalid Unicode character");
        check(b"\xf4\x90\x80\x80", "yaml: invalid Unicode character");
        check(b"\0\xff", "yaml: control characters are not allowed");
        check(b"\x7f", "yaml: control characters are not allowed");
        check(b"\xff\xfea", "yaml: incomplete UTF-16 character");
        check(b"\xff\xfe\0\xdc", "yaml: unexpected low surrogate area");
        check(b"\xff\xfe\0\xd8a\0", "yaml: expected low surrogate area");
    }
}
