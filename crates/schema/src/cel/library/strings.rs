//! Strings. Places and lengths are counted in characters.

use super::{
    super::value::{Fault, List, Outcome, Str, Val, count},
    as_text, mismatch, part_of, strings_list,
};

fn out_of_range<'a>(place: i64) -> Outcome<'a> {
    Err(Fault::new(format!("index out of range: {place}")))
}

/// Returns the byte at which the character at this place begins; the end for the place behind.
fn byte_of(text: &str, place: usize) -> Option<usize> {
    if text.is_ascii() {
        return (place <= text.len()).then_some(place);
    }
    let mut starts = text.char_indices().map(|(at, _)| at);
    match starts.nth(place) {
        Some(at) => Some(at),
        None => (place == count(text)).then_some(text.len()),
    }
}

fn place_of(text: &str, at: usize) -> i64 {
    i64::try_from(count(&text[..at])).unwrap_or(i64::MAX)
}

pub(super) fn char_at<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::String(text), Val::Int(place)] = args else {
        return mismatch();
    };
    let start = usize::try_from(*place).ok();
    let Some(start) = start.and_then(|place| byte_of(text.as_str(), place)) else {
        return out_of_range(*place);
    };
    let letter = text.as_str()[start..].chars().next();
    let end = start + letter.map_or(0, char::len_utf8);
    Ok(part_of(text, start..end))
}

pub(super) fn index_of<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let (text, part, offset) = match args {
        [Val::String(text), Val::String(part)] => (text, part, 0),
        [Val::String(text), Val::String(part), Val::Int(offset)] => (text, part, *offset),
        _ => return mismatch(),
    };
    let (text, part) = (text.as_str(), part.as_str());
    if part.is_empty() {
        return Ok(Val::Int(offset));
    }
    let from = usize::try_from(offset).ok();
    let Some(from) = from.and_then(|offset| byte_of(text, offset)) else {
        return out_of_range(offset);
    };
    let found = text[from..].find(part);
    Ok(Val::Int(found.map_or(-1, |at| place_of(text, from + at))))
}

pub(super) fn last_index_of<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let (text, part, offset) = match args {
        [Val::String(text), Val::String(part)] => (text.as_str(), part.as_str(), None),
        [Val::String(text), Val::String(part), Val::Int(offset)] => {
            (text.as_str(), part.as_str(), Some(*offset))
        }
        _ => return mismatch(),
    };
    if part.is_empty() {
        let end = || place_of(text, text.len());
        return Ok(Val::Int(offset.unwrap_or_else(end)));
    }
    let length = place_of(text, text.len());
    if let Some(offset) = offset
        && !(0..=length).contains(&offset)
    {
        return out_of_range(offset);
    }
    // The last occurrence that begins at the offset or before it.
    let start = offset.and_then(|offset| byte_of(text, usize::try_from(offset).ok()?));
    let end = start.map_or(text.len(), |start| (start + part.len()).min(text.len()));
    let mut end = end;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let found = text[..end].rfind(part);
    Ok(Val::Int(found.map_or(-1, |at| place_of(text, at))))
}

pub(super) fn lower<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text)] => Ok(Val::text(text.as_str().to_ascii_lowercase())),
        _ => mismatch(),
    }
}

pub(super) fn upper<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text)] => Ok(Val::text(text.as_str().to_ascii_uppercase())),
        _ => mismatch(),
    }
}

pub(super) fn replace<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let (text, from, to, times) = match args {
        [Val::String(text), Val::String(from), Val::String(to)] => (text, from, to, -1),
        [
            Val::String(text),
            Val::String(from),
            Val::String(to),
            Val::Int(times),
        ] => (text, from, to, *times),
        _ => return mismatch(),
    };
    let (text, from, to) = (text.as_str(), from.as_str(), to.as_str());
    Ok(Val::text(match usize::try_from(times) {
        Ok(times) => text.replacen(from, to, times),
        Err(_) => text.replace(from, to),
    }))
}

pub(super) fn split<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let (text, separator, most) = match args {
        [Val::String(text), Val::String(separator)] => (text, separator, -1),
        [Val::String(text), Val::String(separator), Val::Int(most)] => (text, separator, *most),
        _ => return mismatch(),
    };
    if most == 0 {
        return Ok(Val::list(Vec::new()));
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let (text, separator) = (text.as_str(), separator.as_str());
    if !separator.is_empty() {
        let parts = text.splitn(most, separator).map(str::to_owned);
        return Ok(strings_list(parts));
    }
    // Nothing separates every character from the next.
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if parts.len() + 1 == most {
            parts.push(rest.to_owned());
            break;
        }
        parts.push(letter.to_string());
        rest = &rest[letter.len_utf8()..];
    }
    Ok(strings_list(parts))
}

pub(super) fn substring<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let (text, start, end) = match args {
        [Val::String(text), Val::Int(start)] => (text, *start, None),
        [Val::String(text), Val::Int(start), Val::Int(end)] => (text, *start, Some(*end)),
        _ => return mismatch(),
    };
    if let Some(end) = end
        && start > end
    {
        let words = format!("invalid substring range. start: {start}, end: {end}");
        return Err(Fault::new(words));
    }
    let at = |place: i64| byte_of(text.as_str(), usize::try_from(place).ok()?);
    let Some(from) = at(start) else {
        return out_of_range(start);
    };
    let to = match end {
        Some(end) => match at(end) {
            Some(to) => to,
            None => return out_of_range(end),
        },
        None => text.as_str().len(),
    };
    Ok(part_of(text, from..to))
}

pub(super) fn trim<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::String(text)] = args else {
        return mismatch();
    };
    let whole = text.as_str();
    let start = whole.len() - whole.trim_start().len();
    let end = whole.trim_end().len().max(start);
    Ok(part_of(text, start..end))
}

pub(super) fn join<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let (list, separator): (&List<'a>, &str) = match args {
        [Val::List(list)] => (list, ""),
        [Val::List(list), separator] => match as_text(separator) {
            Some(separator) => (list, separator),
            None => return mismatch(),
        },
        _ => return mismatch(),
    };
    let mut out = String::new();
    for (place, item) in list.items().enumerate() {
        let item = item?;
        let Some(text) = item.as_str() else {
            let shown = super::super::value::show(&item);
            return Err(Fault::new(format!("join: invalid input: {shown}")));
        };
        if place > 0 {
            out.push_str(separator);
        }
        out.push_str(text);
    }
    Ok(Val::text(out))
}

pub(super) fn quote<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::String(text)] = args else {
        return mismatch();
    };
    Ok(Val::String(Str::Shared(quoted(text.as_str()).into())))
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
