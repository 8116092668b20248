//! Decides what comes next in a migration, and words what is said of it.
//!
//! Knows nothing of clients or queues: it is given the migrations there are, and times as values.

use std::sync::Arc;

use kit::Time;

use super::{Condition, Migration, Status};

/// It is this migration's turn.
pub const RUNNING: &str = "Running";

/// Everything is rewritten.
pub const SUCCEEDED: &str = "Succeeded";

/// It cannot be done.
pub const FAILED: &str = "Failed";

const RUNNING_REASON: &str = "MigrationRunning";

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it is over, or another one runs.
    Leave,
    /// It is its turn: say so, also on the definition.
    Begin,
    /// Note up to which revision objects may be stored in an older version.
    Note,
    /// Rewrite them.
    Migrate,
    /// It is over: say so on the definition, and let the next one begin.
    End,
}

/// Returns what comes next for a migration, of which `all` is one.
#[must_use]
pub fn plan(own: &Migration, all: &[Arc<Migration>]) -> Step {
    let is_over = own.status.is_over();
    match (own.status.is(RUNNING), is_over) {
        (true, true) => return Step::End,
        (false, true) => return Step::Leave,
        (true, false) if own.status.resource_version.is_empty() => return Step::Note,
        (true, false) => return Step::Migrate,
        (false, false) => {}
    }
    let of_same = all.iter().filter(|other| {
        other.spec.resource == own.spec.resource && other.metadata.name != own.metadata.name
    });
    for other in of_same {
        let is_waiting = !other.status.is(RUNNING) && !other.status.is_over();
        if other.status.is(RUNNING) || (is_waiting && rank(other) < rank(own)) {
            return Step::Leave;
        }
    }
    Step::Begin
}

/// Who was created first comes first.
fn rank(migration: &Migration) -> (i64, &str) {
    let head = &migration.metadata;
    (
        head.creation_timestamp.map_or(0, |time| time.secs),
        &head.name,
    )
}

impl Status {
    /// Returns whether a condition is true.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.any(|one| one.kind == kind && one.status == "True")
    }

    /// Returns whether it succeeded or failed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is(SUCCEEDED) || self.is(FAILED)
    }

    /// Returns it with a condition; its time moves only when its status does.
    #[must_use]
    fn with(mut self, made: Condition) -> Self {
        match self.conditions.iter_mut().find(|one| one.kind == made.kind) {
            Some(known) => {
                let since = known
                    .last_transition_time
                    .filter(|_| known.status == made.status);
                *known = Condition {
                    last_transition_time: since.or(made.last_transition_time),
                    ..made
                };
            }
            None => self.conditions.push(made),
        }
        self
    }

    /// Returns the state of one whose turn it is.
    #[must_use]
    pub fn begun(self, now: Time) -> Self {
        self.running(None, now)
    }

    /// Returns the state of one that runs: how much is left of how much, and what went wrong for
    /// now.
    #[must_use]
    pub fn running(self, progress: Option<&Progress>, now: Time) -> Self {
        let message = progress.map_or_else(|| "The migration is running".to_owned(), running_text);
        self.with(condition(RUNNING, RUNNING_REASON, message, now))
    }

    /// Returns the state of one that is done.
    #[must_use]
    pub fn succeeded(self, progress: &Progress, now: Time) -> Self {
        let message = "Migration completed".to_owned();
        let reason = "StorageVersionMigrationSucceeded";
        self.running(Some(progress), now)
            .with(condition(SUCCEEDED, reason, message, now))
    }

    /// Returns the state of one that cannot be done.
    #[must_use]
    pub fn failed(self, progress: Option<&Progress>, why: &str, now: Time) -> Self {
        let mut state = self;
        let message = match progress {
            None => why.to_owned(),
            Some(Progress { left, total, .. }) => {
                state = state.running(progress, now);
                format!(
                    "{left}/{total} not yet migrated. migration encountered unhandled error: {why}"
                )
            }
        };
        state.with(condition(
            FAILED,
            "StorageVersionMigrationFailed",
            message,
            now,
        ))
    }

    /// Returns the state of one that is over and no longer in the way of others.
    #[must_use]
    pub fn ended(self, generation: i64, now: Time) -> Self {
        let message = "Migration completed".to_owned();
        self.with(Condition {
            status: "False".to_owned(),
            observed_generation: generation,
            ..condition(RUNNING, "MigrationCompleted", message, now)
        })
    }
}

/// How far a migration is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Objects that are still to be rewritten.
    pub left: usize,
    /// Objects there are.
    pub total: usize,
    /// What went wrong and is tried again.
    pub transient: Option<String>,
}

fn running_text(progress: &Progress) -> String {
    let Progress {
        left,
        total,
        transient,
    } = progress;
    let mut text = "The migration is running".to_owned();
    match (total, left) {
        (0, _) => {}
        (_, 0) => text.push_str(&format!(", {total} objects verified migrated")),
        _ => text.push_str(&format!(", {left}/{total} objects not yet migrated")),
    }
    if let Some(why) = transient {
        text.push_str(&format!("; transient error: {why}"));
    }
    text
}

fn condition(kind: &str, reason: &str, message: String, now: Time) -> Condition {
    Condition {
        kind: kind.to_owned(),
        status: "True".to_owned(),
        observed_generation: 0,
        last_transition_time: Some(now),
        reason: reason.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::{Expect, expect};
    use kit::Time;

    use super::{
        super::{Migration, Status},
        Progress, plan,
    };

    /// Migrations as `name:resource:age:words`, the older the larger; words are conditions that are
    /// true and `@` for a noted revision.
    #[track_caller]
    fn check(migrations: &str, expected: &str) {
        let read = |word: &str| -> Arc<Migration> {
            let parts: Vec<&str> = word.split(':').collect();
            let time = Time {
                secs: 1_000_000 - parts[2].parse::<i64>().expect("an age"),
            };
            let mut made = serde_json::json!({
                "metadata": {"name": parts[0], "creationTimestamp": time},
                "spec": {"resource": {"group": "g", "resource": parts[1]}},
                "status": {"conditions": []},
            });
            for word in parts[3].split(',').filter(|word| !word.is_empty()) {
                if word == "@" {
                    made["status"]["resourceVersion"] = "7".into();
                    continue;
                }
                let condition = serde_json::json!({"type": word, "status": "True"});
                made["status"]["conditions"]
                    .as_array_mut()
                    .expect("a list")
                    .push(condition);
            }
            Arc::new(serde_json::from_value(made).expect("it fits"))
        };
        let all: Vec<Arc<Migration>> = migrations.split_whitespace().map(read).collect();
        let steps = all.iter().map(|one| format!("{:?}", plan(one, &all)));
        assert_eq!(steps.collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn one_goes_through_its_states() {
        check("a:foos:1:", "Begin");
        check("a:foos:1:Running", "Note");
        check("a:foos:1:Running,@", "Migrate");
        check("a:foos:1:Running,@,Succeeded", "End");
        check("a:foos:1:Running,Failed", "End");
        check("a:foos:1:@,Succeeded", "Leave");
    }

    #[test]
    fn of_one_resource_the_oldest_begins() {
        check("a:foos:1: b:foos:2: c:bars:1:", "Leave Begin Begin");
        check("b:foos:1: a:foos:1:", "Leave Begin");
        check("a:foos:1: b:foos:2:Running", "Leave Note");
        check("a:foos:1: b:foos:2:Running,Failed", "Leave End");
        check("a:foos:1: b:foos:2:Failed", "Begin Leave");
    }

    #[track_caller]
    fn says(status: Status, expected: &Expect) {
        let lines: Vec<String> = status
            .conditions
            .iter()
            .map(|one| {
                let since = one.last_transition_time.map_or(0, |time| time.secs);
                format!(
                    "{}={} {} @{since}: {}",
                    one.kind, one.status, one.reason, one.message
                )
            })
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn says_what_upstream_says() {
        let at = |secs| Time { secs };
        let begun = Status::default().begun(at(1));
        says(
            begun.clone(),
            &expect!["Running=True MigrationRunning @1: The migration is running"],
        );
        let slow = Progress {
            left: 2,
            total: 5,
            transient: Some("busy".to_owned()),
        };
        says(
            begun.clone().running(Some(&slow), at(2)),
            &expect![
                "Running=True MigrationRunning @1: The migration is running, 2/5 objects not yet migrated; transient error: busy"
            ],
        );
        let done = Progress {
            left: 0,
            total: 5,
            transient: None,
        };
        says(
            begun.clone().succeeded(&done, at(3)).ended(1, at(4)),
            &expect![[r#"
                Running=False MigrationCompleted @4: Migration completed
                Succeeded=True StorageVersionMigrationSucceeded @3: Migration completed"#]],
        );
        let stuck = Progress {
            left: 2,
            total: 5,
            transient: None,
        };
        says(
            begun.failed(Some(&stuck), "no", at(3)),
            &expect![[r#"
                Running=True MigrationRunning @1: The migration is running, 2/5 objects not yet migrated
                Failed=True StorageVersionMigrationFailed @3: 2/5 not yet migrated. migration encountered unhandled error: no"#]],
        );
    }
}
