//! What controllers may say of jobs.
//!
//! Most rules look only at what changes, so that a status that was wrong may be mended.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/batch/validation/validation.go and
//! pkg/registry/batch/job/strategy.go.

use api::{Value, field::Error, time};

use super::{indexes, invalid_unseen};
use crate::validate::{Findings, Place, Seen, Subject, gostruct, labels, numbers::non_negative};

/// A job and its status, before and after.
struct Change<'a> {
    spec: Place<'a>,
    status: Place<'a>,
    old: Place<'a>,
}

impl Change<'_> {
    /// Whether a condition holds now.
    fn is(&self, condition: &str) -> bool {
        is_true(self.status.list_of("conditions"), condition)
    }

    fn was(&self, condition: &str) -> bool {
        is_true(self.old.list_of("conditions"), condition)
    }

    fn turns(&self, condition: &str) -> bool {
        self.is(condition) != self.was(condition)
    }

    fn is_finished(&self) -> bool {
        self.is("Complete") || self.is("Failed")
    }

    fn finishes(&self) -> bool {
        self.is_finished() != (self.was("Complete") || self.was("Failed"))
    }

    fn changes(&self, field: &str) -> bool {
        self.status.get(field) != self.old.get(field)
    }

    fn count(&self, field: &str) -> i64 {
        self.status.int_of(field).unwrap_or(0)
    }

    fn is_indexed(&self) -> bool {
        self.spec.text_of("completionMode") == "Indexed"
    }

    /// Says that the conditions do not fit together.
    fn refuse(&self, is_wrong: bool, why: &str, found: &mut Findings) {
        if is_wrong {
            invalid_unseen(self.status.child("conditions").path(), why, found);
        }
    }
}

/// Whether a condition of this type is true.
pub(super) fn is_true(conditions: &[Value], kind: &str) -> bool {
    has(conditions, kind, "True")
}

fn has(conditions: &[Value], kind: &str, status: &str) -> bool {
    let is_it = |one: &Value| {
        one.str_at(&["type"]) == Some(kind) && one.str_at(&["status"]) == Some(status)
    };
    conditions.iter().any(is_it)
}

/// Checks a status.
pub(super) fn check(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    labels::finalizers(&root, found);
    let change = Change {
        spec: root.child("spec"),
        status: root.child("status"),
        old: old.child("status"),
    };
    for field in ["active", "succeeded", "failed", "ready", "terminating"] {
        non_negative(&change.status.child(field), found);
    }
    uncounted(&change, found);
    times(&change, found);
    finished(&change, found);
    lists(&change, found);
    counts(&change, found);
    transitions(&change, found);
}

fn uncounted(change: &Change<'_>, found: &mut Findings) {
    let pods = change.status.child("uncountedTerminatedPods");
    let mut seen = Seen::new();
    for list in ["succeeded", "failed"] {
        let values = pods.list_of(list);
        let list = pods.child(list);
        for (pod, value) in list.items().zip(values) {
            let id = value.as_str().unwrap_or_default();
            if id.is_empty() {
                found.invalid_text(&pod, "must not be empty");
            } else if !seen.insert(id) {
                found.duplicate(&pod);
            }
        }
    }
}

fn times(change: &Change<'_>, found: &mut Findings) {
    let is_complete = change.is("Complete");
    let completes = change.turns("Complete");
    change.refuse(
        (completes || change.turns("Failed")) && is_complete && change.is("Failed"),
        "cannot set Complete=True and Failed=true conditions",
        found,
    );
    change.refuse(
        (completes || change.turns("FailureTarget")) && is_complete && change.is("FailureTarget"),
        "cannot set Complete=True and FailureTarget=true conditions",
        found,
    );
    let (start, end) = (
        change.status.child("startTime"),
        change.status.child("completionTime"),
    );
    let end_changes = change.changes("completionTime");
    if completes || end_changes {
        if end.is_set() && !is_complete {
            let why = "cannot set completionTime when there is no Complete=True condition";
            found.invalid(&end, why);
        }
        if !end.is_set() && is_complete {
            found.required(&end, "completionTime is required for Complete jobs");
        }
    }
    let read = |place: &Place<'_>| time::parse(place.str()?).ok();
    if (change.changes("startTime") || end_changes)
        && let (Some(begun), Some(ended)) = (read(&start), read(&end))
        && ended < begun
    {
        found.invalid(&end, "must be equal to or after `startTime`");
    }
    change.refuse(
        (change.turns("Failed") || change.changes("failedIndexes"))
            && change.is("Failed")
            && !change.is("FailureTarget"),
        "cannot set Failed=True condition without the FailureTarget=true condition",
        found,
    );
    change.refuse(
        (completes || change.turns("SuccessCriteriaMet"))
            && is_complete
            && !change.is("SuccessCriteriaMet"),
        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        found,
    );
}

fn finished(change: &Change<'_>, found: &mut Findings) {
    if !change.is_finished() {
        return;
    }
    let finishes = change.finishes();
    if (finishes || change.changes("active")) && change.count("active") > 0 {
        let active = change.status.child("active");
        found.invalid(&active, "active>0 is invalid for finished job");
    }
    let is_nothing = change.spec.flag_of("suspend") == Some(true)
        && change.spec.int_of("completions") == Some(0);
    let start = change.status.child("startTime");
    if (finishes || change.changes("startTime")) && !is_nothing && !start.is_set() {
        found.required(&start, "startTime is required for finished job");
    }
    let pods = change.status.child("uncountedTerminatedPods");
    let count = pods.list_of("succeeded").len() + pods.list_of("failed").len();
    if (finishes || change.changes("uncountedTerminatedPods")) && count > 0 {
        let shown = gostruct::shown(&pods, "UncountedTerminatedPods");
        let why = "must be empty for finished job";
        found.push(Error::invalid(pods.path(), shown, why));
    }
}

fn lists(change: &Change<'_>, found: &mut Findings) {
    let (completed, failed) = (
        change.status.child("completedIndexes"),
        change.status.child("failedIndexes"),
    );
    let all = change.spec.int_of("completions");
    let (completed_changes, failed_changes) = (
        change.changes("completedIndexes"),
        change.changes("failedIndexes"),
    );
    if completed_changes
        && let Some(Err(why)) = all.map(|all| indexes::parse(completed.text(), all))
    {
        found.invalid(&completed, format!("error parsing completedIndexes: {why}"));
    }
    let has_limit = change.spec.has("backoffLimitPerIndex");
    if failed_changes
        && has_limit
        && failed.is_set()
        && let Some(Err(why)) = all.map(|all| indexes::parse(failed.text(), all))
    {
        found.invalid(&failed, format!("error parsing failedIndexes: {why}"));
    }
    if completed_changes && !completed.text().is_empty() && !change.is_indexed() {
        let why = "cannot set non-empty completedIndexes when non-indexed completion mode";
        found.invalid(&completed, why);
    }
    if failed_changes && failed.is_set() && !has_limit {
        let why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
        found.invalid(&failed, why);
    }
    if (completed_changes || failed_changes)
        && failed.is_set()
        && let Some(at) = all.and_then(|all| indexes::overlap(completed.text(), failed.text(), all))
    {
        let why = format!("failedIndexes and completedIndexes overlap at index: {at}");
        found.invalid(&failed, why);
    }
}

fn counts(change: &Change<'_>, found: &mut Findings) {
    let terminating = change.status.child("terminating");
    if (change.finishes() || change.changes("terminating"))
        && change.is_finished()
        && change.count("terminating") > 0
    {
        found.invalid(&terminating, "terminating>0 is invalid for finished job");
    }
    let ready = change.status.child("ready");
    if (change.changes("ready") || change.changes("active"))
        && ready
            .int()
            .is_some_and(|ready| ready > change.count("active"))
    {
        found.invalid(&ready, "cannot set more ready pods than active");
    }
    let is_met = change.is("SuccessCriteriaMet");
    change.refuse(
        is_met && change.is("Failed"),
        "cannot set SuccessCriteriaMet=True and Failed=true conditions",
        found,
    );
    change.refuse(
        is_met && change.is("FailureTarget"),
        "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
        found,
    );
    change.refuse(
        change.spec.has("successPolicy") && !is_met && change.is("Complete"),
        "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
        found,
    );
}

fn transitions(change: &Change<'_>, found: &mut Findings) {
    for condition in ["Failed", "Complete", "FailureTarget"] {
        let why = format!("cannot disable the terminal {condition}=True condition");
        change.refuse(change.was(condition) && !change.is(condition), &why, found);
    }
    let falls = |field: &str| change.count(field) < change.old.int_of(field).unwrap_or(0);
    if falls("failed") {
        let why = "cannot decrease the failed counter";
        found.invalid_number(&change.status.child("failed"), why);
    }
    let is_scaled =
        change.is_indexed() && change.spec.get("completions") == change.spec.get("parallelism");
    if !is_scaled && falls("succeeded") {
        let why = "cannot decrease the succeeded counter";
        found.invalid_number(&change.status.child("succeeded"), why);
    }
    let end = change.status.child("completionTime");
    if end.is_set() && change.old.has("completionTime") && change.changes("completionTime") {
        found.invalid(&end, "field is immutable");
    }
    let resumes =
        change.was("Suspended") && has(change.status.list_of("conditions"), "Suspended", "False");
    if change.old.has("startTime")
        && change.changes("startTime")
        && !resumes
        && change.spec.flag_of("suspend") != Some(true)
    {
        let start = change.status.child("startTime");
        found.invalid(&start, "field is immutable for unsuspended job once set");
    }
    let (was_met, is_met) = (
        change.was("SuccessCriteriaMet"),
        change.is("SuccessCriteriaMet"),
    );
    change.refuse(
        was_met && !is_met,
        "cannot disable the SuccessCriteriaMet=True condition",
        found,
    );
    change.refuse(
        change.was("Complete") && !was_met && is_met,
        "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions",
        found,
    );
}
