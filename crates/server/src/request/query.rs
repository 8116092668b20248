//! The query of a URL, decoded once.

use std::borrow::Cow;

use api::Text;

/// The parameters of a URL in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    raw: Text,
    pairs: Vec<(Text, Text)>,
}

impl Query {
    /// Decodes a query as Go's `url.ParseQuery` does: parts that are malformed are left out.
    #[must_use]
    pub fn parse(raw: &str) -> Self {
        let pairs = raw
            .split('&')
            .filter(|part| !part.is_empty() && !part.contains(';'))
            .filter_map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                Some((
                    Text::from(decode(name, Plus::IsSpace)?),
                    Text::from(decode(value, Plus::IsSpace)?),
                ))
            })
            .collect();
        Self {
            raw: Text::new(raw),
            pairs,
        }
    }

    /// Returns the query as it was written, for passing on.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Returns all names and values in order.
    #[must_use]
    pub fn pairs(&self) -> Vec<(String, String)> {
        let pairs = self.pairs.iter();
        pairs
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    /// Returns the first value given under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns every value given under this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What a plus sign stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plus {
    /// In a query.
    IsSpace,
    /// In a path.
    IsPlus,
}

/// Decodes percent signs. `None` if one is not followed by two hexadecimal digits; bytes that are
/// not UTF-8 become U+FFFD.
pub(crate) fn decode(text: &str, plus: Plus) -> Option<Cow<'_, str>> {
    let is_plain = |byte: &u8| *byte != b'%' && (*byte != b'+' || plus == Plus::IsPlus);
    let bytes = text.as_bytes();
    let Some(start) = bytes.iter().position(|byte| !is_plain(byte)) else {
        return Some(Cow::Borrowed(text));
    };
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&bytes[..start]);
    let mut rest = bytes[start..].iter();
    while let Some(&byte) = rest.next() {
        out.push(match byte {
            b'%' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            b'+' if plus == Plus::IsSpace => b' ',
            other => other,
        });
    }
    Some(match String::from_utf8(out) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    })
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Plus, Query, decode};

    #[track_caller]
    fn check(raw: &str, expected: &[(&str, &str)]) {
        let query = Query::parse(raw);
        let pairs: Vec<(&str, &str)> = query
            .pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(pairs, expected, "{raw}");
    }

    #[test]
    fn decodes_as_go_does() {
        check("", &[]);
        check("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]);
        check("watch", &[("watch", "")]);
        check("a=x%3Dy%2c+z", &[("a", "x=y, z")]);
        check("a=%zz&b=1&c=%4", &[("b", "1")]);
        check("a=1;b=2&c=3", &[("c", "3")]);
        check("a=%ff", &[("a", "\u{fffd}")]);
    }

    #[test]
    fn finds_the_first_and_all() {
        let query = Query::parse("a=1&a=2");
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.get("b"), None);
    }

    #[test]
    fn a_plus_in_a_path_stays() {
        assert_eq!(decode("a+b%20c", Plus::IsPlus).as_deref(), Some("a+b c"));
    }
}
