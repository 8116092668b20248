//! How a run of Go tests stands against its list of known gaps.
//!
//! A test may fail only if the list names it with a reason, and a named one that passes fails the
//! run, so that the list never claims more than is true.

use std::fmt::Write as _;

use super::gaps::Gaps;
use super::ginkgo::{Outcome, State};

/// The longest text of a failure that a page repeats; the whole of it is on the terminal.
const MESSAGE_MAX: usize = 600;

/// The tests of one place: a package, or a class of tests.
pub(super) struct Standing {
    /// Its name, as the list of gaps has it.
    pub(super) place: String,
    /// Every test that was run.
    pub(super) outcomes: Vec<Outcome>,
    /// Wall time of the whole, in seconds.
    pub(super) seconds: f64,
}

/// What is wrong with a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Tests that failed and are not listed.
    pub(super) failed: Vec<String>,
    /// Tests that are listed and passed.
    pub(super) stale: Vec<String>,
}

impl Standing {
    /// Returns how many tests ended so.
    pub(super) fn count(&self, state: State) -> usize {
        self.outcomes
            .iter()
            .filter(|one| one.state == state)
            .count()
    }

    /// Compares with the list.
    pub(super) fn verdict(&self, gaps: &Gaps) -> Verdict {
        let names = |state, listed| -> Vec<String> {
            self.outcomes
                .iter()
                .filter(|one| one.state == state)
                .filter(|one| gaps.reason(&self.place, &one.name).is_some() == listed)
                .map(|one| format!("{}: {}", self.place, one.name))
                .collect()
        };
        Verdict {
            failed: names(State::Failed, false),
            stale: names(State::Passed, true),
        }
    }

    /// Writes the tests that failed, with the list's reason or what the test said.
    pub(super) fn write_failures(&self, page: &mut String, gaps: &Gaps) {
        for one in &self.outcomes {
            if one.state != State::Failed {
                continue;
            }
            let _ = match gaps.reason(&self.place, &one.name) {
                Some(reason) => writeln!(page, "- `{}: {}`: {reason}", self.place, one.name),
                None => writeln!(
                    page,
                    "- `{}: {}` fails and is not listed:\n```text\n{}\n```",
                    self.place,
                    one.name,
                    shortened(&one.message)
                ),
            };
        }
    }
}

impl Verdict {
    /// Adds another place's.
    pub(super) fn add(&mut self, other: Self) {
        self.failed.extend(other.failed);
        self.stale.extend(other.stale);
    }

    /// Returns what to say if the run must fail.
    pub(super) fn complaint(&self) -> Option<String> {
        if self.failed.is_empty() && self.stale.is_empty() {
            return None;
        }
        let mut text = format!(
            "{} tests failed that are not listed, {} passed that are listed as gaps",
            self.failed.len(),
            self.stale.len()
        );
        for name in &self.failed {
            let _ = write!(text, "\n  failed: {name}");
        }
        for name in &self.stale {
            let _ = write!(text, "\n  passed: {name}");
        }
        Some(text)
    }
}

/// Cuts a long text, at a line if it has several, so that a dumped object does not fill a page.
fn shortened(text: &str) -> &str {
    let Some((end, _)) = text.char_indices().nth(MESSAGE_MAX) else {
        return text.trim_end();
    };
    let text = &text[..end];
    text.rfind('\n').map_or(text, |line| &text[..line])
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE_MAX, Standing, Verdict, shortened};
    use crate::conformance::gaps::Gaps;
    use crate::conformance::ginkgo::{Outcome, State};

    fn standing(states: &[(&str, State)]) -> Standing {
        let outcomes = states
            .iter()
            .map(|&(name, state)| Outcome {
                name: name.to_owned(),
                state,
                seconds: 0.0,
                message: "so".to_owned(),
            })
            .collect();
        Standing {
            place: "pkg".to_owned(),
            outcomes,
            seconds: 1.0,
        }
    }

    #[test]
    fn complains_of_new_failures_and_of_gaps_that_passed() {
        let gaps = Gaps::parse("pkg: known\n  why\n\npkg: mended\n  why\n").unwrap();
        let standing = standing(&[
            ("known", State::Failed),
            ("mended", State::Passed),
            ("new", State::Failed),
            ("fine", State::Passed),
            ("other", State::Skipped),
        ]);
        assert_eq!(
            standing.verdict(&gaps),
            Verdict {
                failed: vec!["pkg: new".to_owned()],
                stale: vec!["pkg: mended".to_owned()],
            }
        );
        let mut page = String::new();
        standing.write_failures(&mut page, &gaps);
        assert_eq!(
            page,
            "- `pkg: known`: why\n- `pkg: new` fails and is not listed:\n```text\nso\n```\n"
        );
    }

    #[test]
    fn is_content_with_known_failures() {
        let gaps = Gaps::parse("pkg: known\n  why\n").unwrap();
        let mut verdict = standing(&[("known", State::Failed)]).verdict(&gaps);
        assert_eq!(verdict.complaint(), None);
        verdict.add(standing(&[("new", State::Failed)]).verdict(&gaps));
        assert_eq!(
            verdict.complaint().unwrap(),
            "1 tests failed that are not listed, 0 passed that are listed as gaps\n  failed: pkg: new"
        );
    }

    #[test]
    fn cuts_long_texts_at_a_line() {
        assert_eq!(shortened("a\nb\n"), "a\nb");
        let long = "x".repeat(2 * MESSAGE_MAX);
        assert_eq!(shortened(&long).len(), MESSAGE_MAX);
        assert_eq!(shortened(&format!("a\n{long}")), "a");
    }
}
