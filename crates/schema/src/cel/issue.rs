//! What is wrong with an expression, printed as upstream prints it: place, words, line and mark.

use std::fmt;

/// How many issues are printed; the rest is counted.
const ISSUES_MAX: usize = 100;

/// How long a line may be that is shown below an issue.
const SNIPPET_MAX: usize = 16_384;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Byte offset in the source; none if the whole expression is meant.
    pub at: Option<u32>,
    /// What is wrong.
    pub text: String,
}

/// All that is wrong with one expression; prints as upstream's compiler prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issues {
    source: String,
    found: Vec<Issue>,
}

impl Issues {
    /// Returns an empty list of issues of this source.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            found: Vec::new(),
        }
    }

    /// Adds an issue at a byte of the source.
    pub fn add(&mut self, at: u32, text: impl Into<String>) {
        self.found.push(Issue {
            at: Some(at),
            text: text.into(),
        });
    }

    /// Adds an issue of the whole source.
    pub fn add_whole(&mut self, text: impl Into<String>) {
        self.found.push(Issue {
            at: None,
            text: text.into(),
        });
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns what was found, in the order in which it was found.
    #[must_use]
    pub fn found(&self) -> &[Issue] {
        &self.found
    }

    /// Returns line and column (both in characters, from 1 and 0) of a byte.
    fn place(&self, at: u32) -> (usize, usize) {
        let before = &self.source[..floor(&self.source, at as usize)];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |place| place + 1);
        (line, before[start..].chars().count())
    }
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Issues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted: Vec<&Issue> = self.found.iter().take(ISSUES_MAX).collect();
        // Issues without a place come first: upstream places them on line -1.
        sorted.sort_by_key(|issue| issue.at);
        for (place, issue) in sorted.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            let Some(at) = issue.at else {
                write!(f, "ERROR: <input>:-1:0: {}", issue.text)?;
                continue;
            };
            let (line, column) = self.place(at);
            write!(f, "ERROR: <input>:{line}:{}: {}", column + 1, issue.text)?;
            let snippet = self.source.split('\n').nth(line - 1).unwrap_or_default();
            if snippet.len() > SNIPPET_MAX {
                continue;
            }
            let snippet = snippet.replace('\t', " ");
            write!(f, "\n | {snippet}\n | ")?;
            let mut letters = snippet.chars();
            for letter in letters.by_ref().take(column) {
                f.write_str(if letter.len_utf8() > 1 {
                    "\u{ff0e}"
                } else {
                    "."
                })?;
            }
            let wide = letters.next().is_some_and(|letter| letter.len_utf8() > 1);
            f.write_str(if wide { "\u{ff3e}" } else { "^" })?;
        }
        if self.found.len() > ISSUES_MAX {
            let more = self.found.len() - ISSUES_MAX;
            write!(f, "\n{more} more errors were truncated")?;
        }
        Ok(())
    }
}
