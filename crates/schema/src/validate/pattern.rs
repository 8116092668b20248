//! A regular expression that is compiled when it is first needed.

use std::sync::OnceLock;

use api::Text;
use regex::{Regex, RegexBuilder};

/// How many bytes a compiled expression may take. Go has no such limit; expressions beyond this
/// one would take longer to compile than any write may.
const COMPILED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A `pattern`: its text, and the expression once somebody asked.
///
/// Most patterns of a CRD are never needed, and a compiled one takes a hundred times the memory.
#[derive(Debug, Default)]
pub struct Pattern {
    text: Text,
    compiled: OnceLock<Result<Regex, String>>,
}

impl Pattern {
    /// Returns the pattern with this text, which may be wrong.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            text: Text::new(text),
            compiled: OnceLock::new(),
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether a part of `text` matches.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn is_match(&self, text: &str) -> Result<bool, &str> {
        let compiled = self.compiled.get_or_init(|| compile(&self.text));
        match compiled {
            Ok(regex) => Ok(regex.is_match(text)),
            Err(error) => Err(error),
        }
    }

    /// Returns what is wrong with the pattern.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        compile(&self.text).err()
    }
}

impl Clone for Pattern {
    fn clone(&self) -> Self {
        Self::new(&self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Compiles a pattern as Go means it.
pub(crate) fn compile(text: &str) -> Result<Regex, String> {
    let build = |text: &str| {
        RegexBuilder::new(text)
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .build()
    };
    // Go's \z, and classes such as \d, which are ASCII there and Unicode here.
    build(&ascii_classes(text)).map_err(|error| {
        let last = error.to_string();
        let last = last.lines().last().unwrap_or_default();
        format!(
            "error parsing regexp: {}",
            last.trim_start_matches("error: ")
        )
    })
}

/// Writes `\d`, `\w`, `\s`, `\b` and their opposites as the ASCII classes that Go means.
fn ascii_classes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                let escaped = match (letters.peek(), in_class) {
                    (Some('d'), _) => "0-9",
                    (Some('w'), _) => "0-9A-Za-z_",
                    (Some('s'), _) => r"\t\n\x0C\r ",
                    (Some('D'), false) => "^0-9",
                    (Some('W'), false) => "^0-9A-Za-z_",
                    (Some('S'), false) => r"^\t\n\x0C\r ",
                    (Some('b'), false) => {
                        letters.next();
                        out.push_str(r"(?-u:\b)");
                        continue;
                    }
                    _ => {
                        out.push('\\');
                        // `/` and others need no escape, but Go lets them have one.
                        out.extend(letters.next());
                        continue;
                    }
                };
                letters.next();
                if in_class {
                    out.push_str(escaped);
                } else {
                    out.push('[');
                    out.push_str(escaped);
                    out.push(']');
                }
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if letters.peek() == Some(&'^') {
                    out.extend(letters.next());
                }
                // A bracket that comes first closes nothing.
                if letters.peek() == Some(&']') {
                    letters.next();
                    out.push_str(r"\]");
                }
            }
            '[' if letters.peek() != Some(&':') => out.push_str(r"\["),
            '[' => {
                // A named class: everything up to `:]` stands as it is.
                out.push('[');
                for letter in letters.by_ref() {
                    out.push(letter);
                    if letter == ']' {
                        break;
                    }
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            // Operators on sets that Go does not know.
            '&' | '~' if in_class && letters.peek() == Some(&letter) => {
                out.push('\\');
                out.push(letter);
            }
            '-' if in_class && letters.peek() == Some(&'-') => out.push_str(r"\-"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn matches_as_go_does() {
        let check = |pattern: &str, text: &str, expected: bool| {
            let done = Pattern::new(pattern).is_match(text).map_err(str::to_owned);
            assert_eq!(done, Ok(expected), "{pattern} on {text}");
        };
        check(r"^\d+$", "12", true);
        check(r"^\d+$", "١٢", false);
        check(r"^[\w.-]+$", "a_b-c.d", true);
        check(r"^[^/]+$", "a/b", false);
        check(r"^[a-z&&x]+$", "&", true);
        check(r"^[[:alpha:]]+$", "abc", true);
        check(r"^\/[\S]+\z", "/a", true);
        check("b", "abc", true);
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(Pattern::new("(").error().is_some());
        assert!(Pattern::new("(?=a)").error().is_some());
        assert!(Pattern::new("((a{1000}){1000}){1000}").error().is_some());
        assert!(Pattern::new("(").is_match("a").is_err());
        assert_eq!(Pattern::new("a+").error(), None);
    }
}
