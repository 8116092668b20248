//! What a client should know of an object that is right, but odd or old-fashioned.
//!
//! Warnings are texts that clients show to people; they go along with the answer.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/api/pod/warnings.go, pkg/api/job/warnings.go and
//! `WarningsOnCreate` and `WarningsOnUpdate` in pkg/registry/*/*/strategy.go.

mod paths;
mod pods;
mod workloads;

use std::fmt;

use crate::validate::{Place, Subject};

/// Looks over one object.
pub(crate) type Warn = fn(&Subject<'_>, &mut Warnings);

/// Warnings in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    texts: Vec<String>,
}

impl Warnings {
    /// Adds a warning about a field.
    pub(crate) fn at(&mut self, place: &Place<'_>, why: impl fmt::Display) {
        self.push(format!("{}: {why}", place.path()));
    }

    /// Adds a warning.
    pub(crate) fn push(&mut self, text: String) {
        self.texts.push(text);
    }

    /// Returns the texts.
    pub(crate) fn into_texts(self) -> Vec<String> {
        self.texts
    }
}

/// Returns what looks over a kind behind a door.
pub(crate) fn of(group: &str, kind: &str, door: &str) -> Option<Warn> {
    Some(match (group, kind, door) {
        ("", "Pod", "") => pods::pod,
        ("", "Pod", "status") => pods::addresses,
        ("", "PodTemplate", "") => workloads::pod_template,
        ("", "ReplicationController", "") => workloads::controller,
        ("apps", "Deployment" | "ReplicaSet", "") => workloads::named,
        ("apps", "DaemonSet", "") => workloads::templated,
        ("apps", "StatefulSet", "") => workloads::stateful_set,
        ("batch", "Job", "") => workloads::job,
        ("batch", "CronJob", "") => workloads::cron_job,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
