//! Names of fields as expressions say them: what is no identifier there is spelled out.

use super::parse::RESERVED;

/// Returns how an expression says the name of a field; none if it cannot.
#[must_use]
pub fn escape(name: &str) -> Option<String> {
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let mut out = String::with_capacity(name.len());
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '_' if letters.peek() == Some(&'_') => {
                letters.next();
                out.push_str("__underscores__");
            }
            '.' => out.push_str("__dot__"),
            '-' => out.push_str("__dash__"),
            '/' => out.push_str("__slash__"),
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => out.push(letter),
            _ => return None,
        }
    }
    Some(out)
}

/// Returns the name of the field that an expression means; none if it means none.
#[must_use]
pub fn unescape(escaped: &str) -> Option<String> {
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(start) = rest.find("__") {
        // The shortest `__word__` whose word has no underscore.
        let after = &rest[start + 2..];
        let word = after.find('_').filter(|end| *end > 0);
        let word = word.filter(|end| after[*end..].starts_with("__"));
        let Some(end) = word else {
            out.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        };
        out.push_str(&rest[..start]);
        let word = &after[..end];
        match word {
            "underscores" => out.push_str("__"),
            "dot" => out.push('.'),
            "dash" => out.push('-'),
            "slash" => out.push('/'),
            _ if RESERVED.contains(&word) && word.len() + 4 == escaped.len() => out.push_str(word),
            _ => return None,
        }
        rest = &after[end + 2..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{escape, unescape};

    #[track_caller]
    fn check(name: &str, escaped: Option<&str>) {
        assert_eq!(escape(name).as_deref(), escaped, "{name}");
        if let Some(escaped) = escaped {
            assert_eq!(unescape(escaped).as_deref(), Some(name), "{escaped}");
        }
    }

    #[test]
    fn spells_out_what_is_no_identifier() {
        check("namespace", Some("__namespace__"));
        check("a-b", Some("a__dash__b"));
        check("a.b/c", Some("a__dot__b__slash__c"));
        check("a__b", Some("a__underscores__b"));
        check("_plain_", Some("_plain_"));
        check("a$b", None);
        check("9a", None);
        check("", None);
        assert_eq!(unescape("__wrong__"), None);
    }
}
