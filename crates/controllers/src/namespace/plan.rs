//! Decides what a namespace's deletion needs next, and words its conditions.
//!
//! Knows nothing of clients, clocks or queues. The texts are upstream's: people and tests match on
//! them.

use std::{collections::BTreeMap, fmt};

use kit::Time;

use super::{Namespace, Status};
use crate::condition::Condition;

/// Finalizer that holds a namespace until it is empty.
pub const FINALIZER: &str = "kubernetes";

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is not being deleted, or no longer ours to empty.
    Leave,
    /// Delete what is in it, then decide again with the [`Report`].
    Empty,
}

/// What became of an attempt to empty a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Groups and versions that could not be discovered, with the reason.
    pub undiscovered: Vec<String>,
    /// Deletions that failed.
    pub failures: Vec<String>,
    /// Objects that are left, by resource.
    pub left: BTreeMap<String, usize>,
    /// Objects that a finalizer holds, by finalizer.
    pub held: BTreeMap<String, usize>,
    /// Longest time that pods were given to end.
    pub grace_secs: u64,
}

impl Report {
    /// Returns whether the namespace may go.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.undiscovered.is_empty() && self.failures.is_empty() && self.left.is_empty()
    }

    /// Returns after how long to try again if nothing wakes the deletion: half of what the pods
    /// were given, or of the 15 seconds that a finalizer is given, and a second.
    #[must_use]
    pub fn patience_secs(&self) -> u64 {
        let given = if self.held.is_empty() { 0 } else { 15 };
        given.max(self.grace_secs) / 2 + 1
    }
}

/// Decides about a namespace as it was seen.
#[must_use]
pub fn plan(namespace: &Namespace) -> Step {
    let ours = namespace
        .spec
        .finalizers
        .iter()
        .any(|held| held == FINALIZER);
    if namespace.metadata.is_leaving() && ours {
        Step::Empty
    } else {
        Step::Leave
    }
}

/// Returns the finalizers that are left once ours is done.
#[must_use]
pub fn other_finalizers(namespace: &Namespace) -> Vec<String> {
    let held = namespace.spec.finalizers.iter();
    let mut others: Vec<String> = held.filter(|held| *held != FINALIZER).cloned().collect();
    others.sort_unstable();
    others.dedup();
    others
}

/// Returns the status after an attempt; conditions that say the same keep their time.
#[must_use]
pub fn status(before: &Status, report: &Report, now: Time) -> Status {
    let mut status = before.clone();
    "Terminating".clone_into(&mut status.phase);
    for (kind, reason, message, failed) in words(report) {
        let word = if failed { "True" } else { "False" };
        let new = Condition {
            kind: kind.to_owned(),
            status: word.to_owned(),
            last_transition_time: Some(now),
            reason: reason.to_owned(),
            message,
        };
        let held = status.conditions.iter_mut().find(|held| held.kind == kind);
        match held {
            None => status.conditions.push(new),
            Some(held) => {
                let last_transition_time = if held.status == new.status {
                    held.last_transition_time
                } else {
                    new.last_transition_time
                };
                *held = Condition {
                    last_transition_time,
                    ..new
                };
            }
        }
    }
    status
}

/// What a condition says: its type, reason, message and whether something is wrong.
type Words = (&'static str, &'static str, String, bool);

/// Returns what each condition says.
fn words(report: &Report) -> [Words; 5] {
    [
        discovery(report),
        (
            // Versions here are never parsed from text, so this one cannot fail.
            "NamespaceDeletionGroupVersionParsingFailure",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".to_owned(),
            false,
        ),
        deletion(report),
        remaining(report),
        finalizers(report),
    ]
}

fn discovery(report: &Report) -> Words {
    let kind = "NamespaceDeletionDiscoveryFailure";
    if report.undiscovered.is_empty() {
        let message = "All resources successfully discovered".to_owned();
        return (kind, "ResourcesDiscovered", message, false);
    }
    let stale: Vec<String> = report
        .undiscovered
        .iter()
        .map(|version| format!("{version}: stale GroupVersion discovery: {version}"))
        .collect();
    let message = format!(
        "Discovery failed for some groups, {} failing: unable to retrieve the complete list of server APIs: {}",
        stale.len(),
        stale.join(", ")
    );
    (kind, "DiscoveryFailed", message, true)
}

fn deletion(report: &Report) -> Words {
    let kind = "NamespaceDeletionContentFailure";
    if report.failures.is_empty() {
        let message = "All content successfully deleted, may be waiting on finalization".to_owned();
        return (kind, "ContentDeleted", message, false);
    }
    let mut failures = report.failures.clone();
    failures.sort_unstable();
    let message = format!(
        "Failed to delete all resource types, {} remaining: {}",
        failures.len(),
        failures.join(", ")
    );
    (kind, "ContentDeletionFailed", message, true)
}

fn remaining(report: &Report) -> Words {
    let kind = "NamespaceContentRemaining";
    if report.left.is_empty() {
        let message = "All content successfully removed".to_owned();
        return (kind, "ContentRemoved", message, false);
    }
    let counts = counts(&report.left, "has");
    let message = format!("Some resources are remaining: {counts}");
    (kind, "SomeResourcesRemain", message, true)
}

fn finalizers(report: &Report) -> Words {
    let kind = "NamespaceFinalizersRemaining";
    if report.held.is_empty() {
        let message = "All content-preserving finalizers finished".to_owned();
        return (kind, "ContentHasNoFinalizers", message, false);
    }
    let counts = counts(&report.held, "in");
    let message = format!("Some content in the namespace has finalizers remaining: {counts}");
    (kind, "SomeFinalizersRemain", message, true)
}

fn counts(map: &BTreeMap<String, usize>, has: &str) -> String {
    let parts: Vec<String> = map
        .iter()
        .map(|(name, count)| format!("{name} {has} {count} resource instances"))
        .collect();
    parts.join(", ")
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}={} {}: {}",
            self.kind, self.status, self.reason, self.message
        )
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use kit::Time;

    use super::{Namespace, Report, Status, Step, other_finalizers, plan, status};

    fn namespace(leaving: &str, finalizers: &[&str]) -> Namespace {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "n", "deletionTimestamp":
                (!leaving.is_empty()).then_some("2026-01-01T00:00:00Z")},
            "spec": {"finalizers": finalizers},
        }))
        .unwrap()
    }

    #[test]
    fn empties_only_what_leaves_and_is_ours() {
        assert_eq!(plan(&namespace("", &["kubernetes"])), Step::Leave);
        assert_eq!(plan(&namespace("leaving", &["kubernetes"])), Step::Empty);
        assert_eq!(plan(&namespace("leaving", &["other"])), Step::Leave);
        assert_eq!(plan(&namespace("leaving", &[])), Step::Leave);
    }

    #[test]
    fn leaves_the_finalizers_of_others() {
        let namespace = namespace("leaving", &["z", "kubernetes", "a", "z"]);
        assert_eq!(other_finalizers(&namespace), ["a", "z"]);
    }

    fn report() -> Report {
        Report {
            undiscovered: vec!["metrics.k8s.io/v1beta1".to_owned()],
            failures: vec!["b".to_owned(), "a".to_owned()],
            left: [("pods.".to_owned(), 2), ("as.x.io".to_owned(), 1)].into(),
            held: [("x/y".to_owned(), 3)].into(),
            grace_secs: 30,
        }
    }

    #[track_caller]
    fn check(report: &Report, expected: &Expect) {
        let status = status(&Status::default(), report, Time { secs: 1 });
        assert_eq!(status.phase, "Terminating");
        let lines: Vec<String> = status.conditions.iter().map(ToString::to_string).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn says_that_all_is_well() {
        check(
            &Report::default(),
            &expect![[r#"
                NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered: All resources successfully discovered
                NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions: All legacy kube types successfully parsed
                NamespaceDeletionContentFailure=False ContentDeleted: All content successfully deleted, may be waiting on finalization
                NamespaceContentRemaining=False ContentRemoved: All content successfully removed
                NamespaceFinalizersRemaining=False ContentHasNoFinalizers: All content-preserving finalizers finished"#]],
        );
    }

    #[test]
    fn says_what_is_in_the_way() {
        check(
            &report(),
            &expect![[r#"
                NamespaceDeletionDiscoveryFailure=True DiscoveryFailed: Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1
                NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions: All legacy kube types successfully parsed
                NamespaceDeletionContentFailure=True ContentDeletionFailed: Failed to delete all resource types, 2 remaining: a, b
                NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: as.x.io has 1 resource instances, pods. has 2 resource instances
                NamespaceFinalizersRemaining=True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: x/y in 3 resource instances"#]],
        );
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let first = status(&Status::default(), &report(), Time { secs: 1 });
        let mut less = report();
        less.left = [("pods.".to_owned(), 1)].into();
        let second = status(&first, &less, Time { secs: 2 });
        assert_eq!(
            second.conditions[3].last_transition_time,
            Some(Time { secs: 1 })
        );
        assert!(second.conditions[3].message.contains("has 1"));
        let third = status(&second, &Report::default(), Time { secs: 3 });
        assert_eq!(
            third.conditions[3].last_transition_time,
            Some(Time { secs: 3 })
        );
        assert_eq!(status(&third, &Report::default(), Time { secs: 4 }), third);
    }

    #[test]
    fn waits_as_long_as_those_that_leave_were_given() {
        assert_eq!(report().patience_secs(), 16);
        assert_eq!(Report::default().patience_secs(), 1);
        assert!(Report::default().is_empty() && !report().is_empty());
    }
}
