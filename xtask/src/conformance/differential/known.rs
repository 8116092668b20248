//! Cases that Pintle answers otherwise than upstream, each with its reason.
//!
//! They are list items of `conformance/differences.md`: ``- `family/topic: case`: reason``.

use super::answer::Answer;
use crate::conformance::repository;
use crate::failure::{Doing, Failure};

/// The list.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Places with their reasons.
    entries: Vec<(String, String)>,
}

impl Known {
    /// Reads the list; no file is an empty list.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load() -> Result<Self, Failure> {
        let path = repository().join("conformance/differences.md");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(&path).doing("read conformance/differences.md")?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let entry = |line: &str| {
            let (place, reason) = line.strip_prefix("- `")?.split_once("`: ")?;
            Some((place.to_owned(), reason.to_owned()))
        };
        Self {
            entries: text.lines().filter_map(entry).collect(),
        }
    }

    /// Returns whether an answer is the expected one (`true`) or a known difference (`false`).
    ///
    /// # Errors
    /// What is wrong, for people: an answer that differs and is not listed, or one that is listed
    /// and does not differ.
    pub fn judge(
        &self,
        topic: &str,
        case: &str,
        expected: &Answer,
        found: &Answer,
    ) -> Result<bool, String> {
        let place = format!("{topic}: {case}");
        let listed = self.entries.iter().any(|(known, _)| *known == place);
        match (expected == found, listed) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            (true, true) => Err(format!("{place}\n  passes, but is listed as a difference")),
            (false, false) => Err(format!("{place}{}", difference(expected, found))),
        }
    }
}

/// Shows the lines that only one side has.
fn difference(expected: &Answer, found: &Answer) -> String {
    let mut text = String::new();
    if expected.code != found.code {
        text = format!("\n  expected {}, found {}", expected.code, found.code);
    }
    let lines = |of: &Answer, but: &Answer, word: &str| -> String {
        let only = of.lines.iter().filter(|line| !but.lines.contains(line));
        only.map(|line| format!("\n  {word} {line}")).collect()
    };
    text.push_str(&lines(expected, found, "upstream:"));
    text.push_str(&lines(found, expected, "pintle:  "));
    text
}

#[cfg(test)]
mod tests {
    use super::Known;
    use crate::conformance::differential::answer::Answer;

    fn answer(code: u16, line: &str) -> Answer {
        Answer {
            code,
            lines: vec![line.to_owned()],
        }
    }

    #[test]
    fn a_difference_is_listed_or_a_failure() {
        let known = Known::parse("# Text\n\n- `f/t: a`: because\n- other\n");
        let (one, other) = (answer(201, "+ /a 1"), answer(422, "+ /a 2"));
        assert_eq!(known.judge("f/t", "b", &one, &one), Ok(true));
        assert_eq!(known.judge("f/t", "a", &one, &other), Ok(false));
        assert_eq!(
            known.judge("f/t", "a", &one, &one),
            Err("f/t: a\n  passes, but is listed as a difference".to_owned())
        );
        assert_eq!(
            known.judge("f/t", "b", &one, &other),
            Err(
                "f/t: b\n  expected 201, found 422\n  upstream: + /a 1\n  pintle:   + /a 2"
                    .to_owned()
            )
        );
    }
}
