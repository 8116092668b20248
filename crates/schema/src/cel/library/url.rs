//! URLs, read as Go's `net/url` reads them.

use std::fmt::Write;

use super::{
    super::{
        extension::Extension,
        value::{Fault, Outcome, Val},
    },
    Function, extension, map_of, mismatch, strings_list,
};

/// The parts of a URL.
#[derive(Clone, Debug, Default)]
pub struct Url {
    scheme: String,
    user: Option<String>,
    host: String,
    /// Path as it was written.
    path: String,
    query: Option<String>,
    fragment: Option<String>,
    /// What follows the scheme of a URL without slashes.
    opaque: Option<String>,
}

impl Url {
    /// Reads an absolute URL or an absolute path.
    ///
    /// # Errors
    /// Go's words.
    fn parse(text: &str) -> Result<Self, String> {
        let fail = |words: &str| Err(format!("parse {}: {words}", api::quote::quote(text)));
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return fail("net/url: invalid control character in URL");
        }
        if text.is_empty() {
            return fail("empty url");
        }
        let mut url = Self::default();
        let mut rest = text;
        if let Some(end) = text.find(|letter: char| {
            !letter.is_ascii_alphanumeric() && !matches!(letter, '+' | '-' | '.')
        }) && text[end..].starts_with(':')
        {
            if end == 0 {
                return fail("missing protocol scheme");
            }
            if text.as_bytes()[0].is_ascii_alphabetic() {
                url.scheme = text[..end].to_ascii_lowercase();
                rest = &text[end + 1..];
            }
        }
        if let Some((before, fragment)) = rest.split_once('#') {
            url.fragment = Some(fragment.to_owned());
            rest = before;
        }
        if let Some((before, query)) = rest.split_once('?') {
            url.query = Some(query.to_owned());
            rest = before;
        }
        if !rest.starts_with('/') {
            if url.scheme.is_empty() {
                return fail("invalid URI for request");
            }
            url.opaque = Some(rest.to_owned());
            return Ok(url);
        }
        if let Some(after) = rest.strip_prefix("//")
            && (!url.scheme.is_empty() || !rest.starts_with("///"))
        {
            let end = after.find('/').unwrap_or(after.len());
            let authority = &after[..end];
            rest = &after[end..];
            let host = match authority.rsplit_once('@') {
                Some((user, host)) => {
                    url.user = Some(user.to_owned());
                    host
                }
                None => authority,
            };
            url.host = match checked_host(host) {
                Ok(host) => host,
                Err(words) => return fail(&words),
            };
        }
        if let Some(wrong) = wrong_escape(rest) {
            return fail(&format!("invalid URL escape {}", api::quote::quote(wrong)));
        }
        url.path = rest.to_owned();
        Ok(url)
    }

    /// Returns host and port apart.
    fn host_and_port(&self) -> (&str, &str) {
        let (host, port) = match self.host.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (self.host.as_str(), ""),
        };
        let inner = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        (inner.unwrap_or(host), port)
    }

    /// Returns the URL as text.
    pub(in super::super) fn text(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            let _ = write!(out, "{}:", self.scheme);
        }
        match &self.opaque {
            Some(opaque) => out.push_str(opaque),
            None => {
                if !self.host.is_empty() || self.user.is_some() || !self.scheme.is_empty() {
                    out.push_str("//");
                    if let Some(user) = &self.user {
                        let _ = write!(out, "{user}@");
                    }
                    out.push_str(&self.host);
                }
                out.push_str(&escaped_path(&self.path));
            }
        }
        if let Some(query) = &self.query {
            let _ = write!(out, "?{query}");
        }
        if let Some(fragment) = &self.fragment {
            let _ = write!(out, "#{fragment}");
        }
        out
    }
}

fn checked_host(host: &str) -> Result<String, String> {
    let (name, port) = if host.starts_with('[') {
        let Some(end) = host.rfind(']') else {
            return Err("missing ']' in host".to_owned());
        };
        host.split_at(end + 1)
    } else {
        host.split_at(host.rfind(':').unwrap_or(host.len()))
    };
    if !port.is_empty() && !port[1..].bytes().all(|byte| byte.is_ascii_digit()) {
        let port = api::quote::quote(port);
        return Err(format!("invalid port {port} after host"));
    }
    if !name.starts_with('[') && name.contains(':') {
        let port = api::quote::quote(&host[host.find(':').unwrap_or(0)..]);
        return Err(format!("invalid port {port} after host"));
    }
    let wrong = |letter: &char| {
        matches!(
            letter,
            ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'
        )
    };
    if let Some(letter) = name.chars().find(wrong) {
        let shown = api::quote::quote(&letter.to_string());
        return Err(format!("invalid character {shown} in host name"));
    }
    if let Some(escape) = wrong_escape(name) {
        let shown = api::quote::quote(escape);
        return Err(format!("invalid URL escape {shown}"));
    }
    Ok(unescaped(host, false))
}

/// Returns the first `%` that is not followed by two hexadecimal digits.
fn wrong_escape(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let places = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    for (at, _) in places {
        let digits = bytes.get(at + 1..at + 3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            let mut end = (at + 3).min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            return Some(&text[at..end]);
        }
    }
    None
}

fn unescaped(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text
            .get(at + 1..at + 3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) if plus_is_space => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Escapes what may not stand in a path as it is.
fn escaped_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@%!'()*[]".contains(&byte);
        if plain {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

pub(super) fn read<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::String(text)] = args else {
        return mismatch();
    };
    match Url::parse(text.as_str()) {
        Ok(url) => extension(Extension::Url(url)),
        Err(words) => Err(Fault::new(format!(
            "URL parse error during conversion from string: {words}"
        ))),
    }
}

/// Returns what is wrong with a URL.
pub(super) fn error(text: &str) -> Option<String> {
    Url::parse(text).err()
}

pub(super) fn is_url<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text)] => Ok(Val::Bool(Url::parse(text.as_str()).is_ok())),
        _ => mismatch(),
    }
}

fn of<'a>(args: &[Val<'a>], answer: impl FnOnce(&Url) -> Val<'a>) -> Outcome<'a> {
    match args {
        [Val::Extension(value)] => match &**value {
            Extension::Url(url) => Ok(answer(url)),
            _ => mismatch(),
        },
        _ => mismatch(),
    }
}

/// Functions that answer a part of a URL.
pub(super) fn part(name: &str) -> Option<Function> {
    Some(match name {
        "getScheme" => |args| of(args, |url| Val::text(&url.scheme)),
        "getHost" => |args| of(args, |url| Val::text(&url.host)),
        "getHostname" => |args| of(args, |url| Val::text(url.host_and_port().0)),
        "getPort" => |args| of(args, |url| Val::text(url.host_and_port().1)),
        "getEscapedPath" => |args| of(args, |url| Val::text(escaped_path(&url.path))),
        "getQuery" => |args| of(args, query),
        _ => return None,
    })
}

fn query<'a>(url: &Url) -> Val<'a> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let query = url.query.as_deref().unwrap_or_default();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        if part.contains(';') || wrong_escape(key).is_some() || wrong_escape(value).is_some() {
            continue;
        }
        let (key, value) = (unescaped(key, true), unescaped(value, true));
        match found.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => found.push((key, vec![value])),
        }
    }
    let entries = found.into_iter();
    map_of(
        entries
            .map(|(key, values)| (Val::text(key), strings_list(values)))
            .collect(),
    )
}
