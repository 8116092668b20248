//! The list of steps that Pintle does not pass yet, each with its reason.
//!
//! `conformance/gaps.txt` holds one step a paragraph: `suite/topic: the line that begins the step`,
//! then the reason, indented. A listed step that passes fails the run, so the list never claims
//! more than is true.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::repository;
use super::transcripts::Mismatch;
use crate::failure::{Doing, Failure};

/// What the list begins with.
const HEADING: &str = "# Steps that Pintle does not pass yet, and why. A listed step that passes \
                       fails the run.\n";

/// The list.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    entries: Vec<Gap>,
}

#[derive(Debug, PartialEq, Eq)]
struct Gap {
    /// `suite/topic`.
    place: String,
    /// First line of the step.
    step: String,
    reason: String,
}

impl Gaps {
    /// Reads the list; no file is an empty list.
    ///
    /// # Errors
    /// The file cannot be read, or a line is neither a step nor a reason.
    pub fn load() -> Result<Self, Failure> {
        Self::read(&file())
    }

    /// Reads another list of the same form; no file is an empty list.
    ///
    /// # Errors
    /// The file cannot be read, or a line is neither a step nor a reason.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        if !path.is_file() {
            return Ok(Self::default());
        }
        let what = format!("read {}", path.display());
        let text = std::fs::read_to_string(path).doing(&what)?;
        Self::parse(&text).doing(&what)
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut entries: Vec<Gap> = Vec::new();
        for line in text.lines() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(reason) = line.strip_prefix("  ") {
                let last = entries.last_mut().ok_or("a reason comes before its step")?;
                reason.trim().clone_into(&mut last.reason);
                continue;
            }
            let (place, step) = line
                .split_once(": ")
                .ok_or_else(|| format!("neither step nor reason: {line}"))?;
            entries.push(Gap {
                place: place.to_owned(),
                step: step.to_owned(),
                reason: String::new(),
            });
        }
        if let Some(gap) = entries.iter().find(|gap| gap.reason.is_empty()) {
            return Err(format!("no reason for {}: {}", gap.place, gap.step));
        }
        Ok(Self { entries })
    }

    /// Returns every listed step with its place.
    pub fn steps(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|gap| (gap.place.as_str(), gap.step.as_str()))
    }

    fn render(&self) -> String {
        let mut text = HEADING.to_owned();
        for gap in &self.entries {
            let _ = write!(text, "\n{}: {}\n  {}\n", gap.place, gap.step, gap.reason);
        }
        text
    }

    /// Returns why a step is not passed yet, if it is listed.
    #[must_use]
    pub fn reason(&self, place: &str, step: &str) -> Option<&str> {
        self.entries
            .iter()
            .find(|gap| gap.place == place && gap.step == first_line(step))
            .map(|gap| gap.reason.as_str())
    }

    /// Returns the listed steps of a topic that are not among its mismatches.
    pub(super) fn stale(&self, place: &str, mismatches: &[Mismatch]) -> Vec<String> {
        self.entries
            .iter()
            .filter(|gap| gap.place == place)
            .filter(|gap| {
                !mismatches
                    .iter()
                    .any(|mismatch| first_line(&mismatch.step) == gap.step)
            })
            .map(|gap| gap.step.clone())
            .collect()
    }

    /// Lists mismatches that are not listed yet and writes the file.
    pub(super) fn accept(
        &mut self,
        place: &str,
        mismatches: &[Mismatch],
        reason: &str,
    ) -> Result<(), Failure> {
        for mismatch in mismatches {
            if self.reason(place, &mismatch.step).is_none() {
                self.entries.push(Gap {
                    place: place.to_owned(),
                    step: first_line(&mismatch.step).to_owned(),
                    reason: reason.to_owned(),
                });
            }
        }
        std::fs::write(file(), self.render()).doing("write conformance/gaps.txt")
    }
}

/// A command may go on over several lines; its first one names it.
fn first_line(step: &str) -> &str {
    step.lines().next().unwrap_or_default()
}

fn file() -> PathBuf {
    repository().join("conformance/gaps.txt")
}

#[cfg(test)]
mod tests {
    use super::{Gaps, HEADING};

    #[test]
    fn parses_what_it_renders() {
        let text = format!("{HEADING}\nkubectl/get: $ kubectl get cm: x\n  not yet\n");
        let gaps = Gaps::parse(&text).expect("the text is well formed");
        assert_eq!(gaps.render(), text);
        assert_eq!(
            gaps.reason("kubectl/get", "$ kubectl get cm: x"),
            Some("not yet")
        );
        assert_eq!(gaps.reason("kubectl/get", "$ kubectl get cm"), None);
        assert_eq!(gaps.stale("kubectl/get", &[]), ["$ kubectl get cm: x"]);
    }

    #[test]
    fn refuses_a_step_without_reason() {
        assert_eq!(
            Gaps::parse("a/b: $ c\n"),
            Err("no reason for a/b: $ c".to_owned())
        );
        assert_eq!(
            Gaps::parse("  why\n"),
            Err("a reason comes before its step".to_owned())
        );
        assert_eq!(
            Gaps::parse("nothing\n"),
            Err("neither step nor reason: nothing".to_owned())
        );
    }
}
