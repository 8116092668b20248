//! A regular expression that is compiled when it is first needed.

use std::sync::OnceLock;

use api::Text;
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

/// How many bytes a compiled expression may take. Go has no such limit; expressions beyond this
/// one would take longer to compile than any write may.
const COMPILED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Patterns of so many states surely stay below that: a state takes less than a hundred bytes.
const WEIGHT_LIGHT: u64 = 20_000;

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
    ///
    /// It is only read where that is enough, which costs a fiftieth of compiling it.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        match regex_syntax::parse(&ascii_classes(&self.text)) {
            Ok(read) if weight(&read) <= WEIGHT_LIGHT => None,
            Ok(_) => compile(&self.text).err(),
            Err(error) => Some(said(&error.to_string())),
        }
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
    build(&ascii_classes(text)).map_err(|error| said(&error.to_string()))
}

fn said(error: &str) -> String {
    let last = error.lines().last().unwrap_or_default();
    format!(
        "error parsing regexp: {}",
        last.trim_start_matches("error: ")
    )
}

/// Returns how many states a pattern has when it is compiled, at most.
fn weight(pattern: &Hir) -> u64 {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        // A range of letters is at most a dozen ranges of bytes, of up to four bytes each.
        HirKind::Class(Class::Unicode(class)) => class.ranges().len() as u64 * 48,
        HirKind::Class(Class::Bytes(class)) => class.ranges().len() as u64,
        HirKind::Repetition(repeated) => {
            let times = repeated.max.unwrap_or(repeated.min).max(repeated.min);
            (weight(&repeated.sub) + 2).saturating_mul(u64::from(times) + 1)
        }
        HirKind::Capture(captured) => weight(&captured.sub) + 2,
        HirKind::Concat(all) | HirKind::Alternation(all) => {
            let weights = all.iter().map(|one| weight(one) + 1);
            weights.fold(0, u64::saturating_add)
        }
    }
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
        // What is only read is wrong in the same words as what is compiled.
        for text in [
            "(",
            "(?=a)",
            "a**",
            "[z-a]",
            r"\p{Nothing}",
            "a{2,1}",
            r"\1",
            r"^[\p{L}\p{N}]{1,2000}$",
            "((a{1000}){1000}){1000}",
            "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        ] {
            let compiled = super::compile(text).err();
            assert_eq!(Pattern::new(text).error(), compiled, "{text}");
        }
    }
}
