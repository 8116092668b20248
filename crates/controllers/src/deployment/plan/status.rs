//! What a deployment's status says: the counts, and how the rollout goes.

use kit::Time;

use super::{Set, World};
use crate::deployment::{Condition, Status};

/// Reasons of the condition `Progressing`.
mod progress {
    pub(super) const PAUSED: &str = "DeploymentPaused";
    pub(super) const RESUMED: &str = "DeploymentResumed";
    pub(super) const CREATED: &str = "NewReplicaSetCreated";
    pub(super) const FOUND: &str = "FoundNewReplicaSet";
    pub(super) const UPDATED: &str = "ReplicaSetUpdated";
    pub(super) const AVAILABLE: &str = "NewReplicaSetAvailable";
    pub(super) const TIMED_OUT: &str = "ProgressDeadlineExceeded";
    pub(super) const NOT_CREATED: &str = "ReplicaSetCreateError";
}

const PROGRESSING: &str = "Progressing";
const AVAILABLE: &str = "Available";
const FAILURE: &str = "ReplicaFailure";

/// Returns the status that says a replica set could not be created.
#[must_use]
pub fn not_created(status: &Status, text: &str, now: Time) -> Status {
    let mut status = status.clone();
    let condition = condition(PROGRESSING, "False", progress::NOT_CREATED, text, now);
    set(&mut status, condition);
    status
}

impl World<'_> {
    /// Notes that rollouts rest, or go on, so that the time of rest is not held against them.
    pub(super) fn note_pause(&mut self) {
        if self.deployment.deadline_secs.is_none() {
            return;
        }
        let reason = get(&self.status, PROGRESSING).map(|condition| condition.reason.as_str());
        if reason == Some(progress::TIMED_OUT) {
            return;
        }
        let rests = reason == Some(progress::PAUSED);
        let (reason, text) = match (self.deployment.paused, rests) {
            (true, false) => (progress::PAUSED, "Deployment is paused"),
            (false, true) => (progress::RESUMED, "Deployment is resumed"),
            (true, true) | (false, false) => return,
        };
        let condition = condition(PROGRESSING, "Unknown", reason, text, self.now);
        set(&mut self.status, condition);
    }

    /// Notes the first sight of a new replica set, from which progress is judged.
    pub(super) fn note_found(&mut self, name: &str) {
        if self.deployment.deadline_secs.is_none() || get(&self.status, PROGRESSING).is_some() {
            return;
        }
        let text = format!("Found new replica set {name:?}");
        let condition = condition(PROGRESSING, "True", progress::FOUND, &text, self.now);
        set(&mut self.status, condition);
    }

    /// Notes that the new replica set was created.
    pub(super) fn note_created(&mut self, name: &str) {
        if self.deployment.deadline_secs.is_none() {
            return;
        }
        let text = format!("Created new replica set {name:?}");
        let condition = condition(PROGRESSING, "True", progress::CREATED, &text, self.now);
        set(&mut self.status, condition);
    }

    /// Returns whether all wanted pods are there, current and available, and no others.
    pub(super) fn is_complete(&self, status: &Status) -> bool {
        let wanted = self.deployment.replicas;
        status.updated_replicas == wanted
            && status.replicas == wanted
            && status.available_replicas == wanted
            && status.observed_generation >= self.deployment.metadata.generation
    }

    /// Completes the status; returns when a rollout that stands still is to be looked at again.
    pub(super) fn finish_status(&mut self, rolling: bool) -> Option<Time> {
        // Conditions noted in this round are what progress is judged by.
        let before = Status {
            conditions: self.status.conditions.clone(),
            ..self.deployment.status.clone()
        };
        self.status = self.counted();
        if !rolling {
            return None;
        }
        let Some(deadline_secs) = self.deployment.deadline_secs else {
            remove(&mut self.status, PROGRESSING);
            self.note_failures();
            return None;
        };
        self.note_progress(&before, deadline_secs);
        self.note_failures();
        self.next_check(deadline_secs)
    }

    /// Returns the status with its counts and whether enough pods are available.
    fn counted(&self) -> Status {
        let sum = |count: &dyn Fn(&Set) -> i32| self.all().map(count).sum::<i32>();
        let available = sum(&|set| set.status.available_replicas);
        let updated = self.new.as_ref().map_or(0, |set| set.status.replicas);
        // A set that was looked at and does not say how many leave makes the sum unknown.
        let unknown = self.all().any(|set| {
            set.status.observed_generation != 0 && set.status.terminating_replicas.is_none()
        });
        let leaving = sum(&|set| set.status.terminating_replicas.unwrap_or(0));
        let mut status = Status {
            observed_generation: self.deployment.metadata.generation,
            replicas: sum(&|set| set.status.replicas),
            updated_replicas: updated,
            ready_replicas: sum(&|set| set.status.ready_replicas),
            available_replicas: available,
            unavailable_replicas: (self.replicas() - available).max(0),
            terminating_replicas: (!unknown).then_some(leaving),
            conditions: self.status.conditions.clone(),
            collision_count: self.status.collision_count,
        };
        let enough = self.deployment.replicas - self.deployment.unavailable_max();
        let (word, reason, text) = if available >= enough {
            (
                "True",
                "MinimumReplicasAvailable",
                "Deployment has minimum availability.",
            )
        } else {
            (
                "False",
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            )
        };
        let condition = condition(AVAILABLE, word, reason, text, self.now);
        set(&mut status, condition);
        status
    }

    /// Says how the rollout goes, unless it was done before and still is.
    fn note_progress(&mut self, before: &Status, deadline_secs: i32) {
        let current = get(before, PROGRESSING).cloned();
        let was_done = current
            .as_ref()
            .is_some_and(|condition| condition.reason == progress::AVAILABLE);
        if was_done && self.status.replicas == self.status.updated_replicas {
            return;
        }
        let who = match &self.new {
            Some(new) => format!("ReplicaSet {:?}", new.name),
            None => format!("Deployment {:?}", self.deployment.metadata.name),
        };
        if self.is_complete(&self.status) {
            let text = format!("{who} has successfully progressed.");
            let condition = condition(PROGRESSING, "True", progress::AVAILABLE, &text, self.now);
            set(&mut self.status, condition);
        } else if moved(before, &self.status) {
            let text = format!("{who} is progressing.");
            let mut condition = condition(PROGRESSING, "True", progress::UPDATED, &text, self.now);
            // The same word is written again for its time: it tells when something last moved.
            if let Some(current) = current.filter(|current| current.status == "True") {
                condition.last_transition_time = current.last_transition_time;
            }
            remove(&mut self.status, PROGRESSING);
            self.status.conditions.push(condition);
        } else if timed_out(&self.status, deadline_secs, self.now) {
            let text = format!("{who} has timed out progressing.");
            let condition = condition(PROGRESSING, "False", progress::TIMED_OUT, &text, self.now);
            set(&mut self.status, condition);
        }
    }

    /// Passes on what a replica set says of its failure, the new one's first.
    fn note_failures(&mut self) {
        let of = |set: &Set| {
            let mut conditions = set.status.conditions.iter();
            conditions
                .find(|condition| condition.kind == FAILURE)
                .cloned()
        };
        let failure = self.new.iter().chain(&self.old).find_map(of);
        match failure {
            Some(failure) => set(
                &mut self.status,
                Condition {
                    kind: failure.kind,
                    status: failure.status,
                    last_update_time: failure.last_transition_time,
                    last_transition_time: failure.last_transition_time,
                    reason: failure.reason,
                    message: failure.message,
                },
            ),
            None => remove(&mut self.status, FAILURE),
        }
    }

    fn next_check(&self, deadline_secs: i32) -> Option<Time> {
        let condition = get(&self.status, PROGRESSING)?;
        if self.is_complete(&self.status) || condition.reason == progress::TIMED_OUT {
            return None;
        }
        // A second more, since times are whole seconds.
        Some(Time {
            secs: condition.last_update_time?.secs + i64::from(deadline_secs) + 1,
        })
    }
}

/// Returns whether pods came, became ready or available, or old ones went.
fn moved(before: &Status, after: &Status) -> bool {
    let old = |status: &Status| status.replicas - status.updated_replicas;
    after.updated_replicas > before.updated_replicas
        || old(after) < old(before)
        || after.ready_replicas > before.ready_replicas
        || after.available_replicas > before.available_replicas
}

fn timed_out(status: &Status, deadline_secs: i32, now: Time) -> bool {
    let Some(condition) = get(status, PROGRESSING) else {
        return false;
    };
    match condition.reason.as_str() {
        progress::AVAILABLE => false,
        progress::TIMED_OUT => true,
        _ => condition
            .last_update_time
            .is_some_and(|from| from.secs + i64::from(deadline_secs) < now.secs),
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str, now: Time) -> Condition {
    Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        last_update_time: Some(now),
        last_transition_time: Some(now),
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

fn get<'a>(status: &'a Status, kind: &str) -> Option<&'a Condition> {
    let mut conditions = status.conditions.iter();
    conditions.find(|condition| condition.kind == kind)
}

/// Puts a condition in, last; one that says the same already is left as it is.
fn set(status: &mut Status, mut condition: Condition) {
    let held = get(status, &condition.kind);
    if let Some(held) = held.filter(|held| held.status == condition.status) {
        if held.reason == condition.reason {
            return;
        }
        condition.last_transition_time = held.last_transition_time;
    }
    remove(status, &condition.kind);
    status.conditions.push(condition);
}

fn remove(status: &mut Status, kind: &str) {
    status.conditions.retain(|condition| condition.kind != kind);
}
