//! Decides how a deployment's replica sets are to change and what its status says.
//!
//! Knows nothing of clients, clocks or queues. One round makes the moves that its view of the world
//! allows and reckons their outcome itself; [`super::act`] carries them out, and the next round
//! looks at the world anew.

pub mod rollout;
pub mod status;

use std::{cmp::Ordering, fmt, sync::Arc};

use kit::{Labels, Time, Uid};

use super::{Deployment, Status, Strategy};
use crate::{
    pod::Pod,
    replicaset::{self, ReplicaSet},
    template::HASH_LABEL,
};

/// Annotation of replica sets and deployments: which revision it is.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// Annotation of a replica set: which revisions it was before.
pub const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// Annotation of a replica set: the deployment's wanted number when it was last scaled.
pub const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// Annotation of a replica set: how many pods the deployment might have then.
pub const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// Longest text of [`REVISION_HISTORY`]: about a hundred revisions.
const HISTORY_CHARS_MAX: usize = 2_000;

/// Longest name of an object.
const NAME_MAX: usize = 253;

/// What a round saw.
#[derive(Debug)]
pub struct Seen {
    /// The deployment.
    pub deployment: Arc<Deployment>,
    /// Its replica sets, after adoption.
    pub sets: Vec<Arc<ReplicaSet>>,
    /// Pods of its replica sets; looked up only for [`Strategy::Recreate`].
    pub pods: Vec<Arc<Pod>>,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// Changes of replica sets, in their order. If one fails the rest is left to the next round.
    pub steps: Vec<Step>,
    /// The status to be written if all went well, if it differs.
    pub status: Option<Status>,
    /// The revision to be noted on the deployment, if it differs.
    pub revision: Option<String>,
    /// When to look again for a rollout that stands still.
    pub again: Option<Time>,
}

/// One change of a replica set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Create the replica set of the current template.
    Create {
        /// Its name.
        name: String,
        /// Hash that sets its pods apart.
        hash: String,
        /// Its number of pods.
        replicas: i32,
        /// Its annotations.
        annotations: Labels,
    },
    /// Change one.
    Change {
        /// Its name.
        name: String,
        /// The revision it was seen in.
        seen: u64,
        /// New number of pods, and the old one.
        replicas: Option<(i32, i32)>,
        /// Annotations to set.
        annotations: Vec<(String, String)>,
        /// New time until a ready pod is available.
        min_ready_secs: Option<i32>,
    },
    /// Delete one that is older than the history goes.
    Delete {
        /// Its name.
        name: String,
        /// Its identity.
        uid: Uid,
    },
}

/// A replica set as it is reckoned with during a round.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    name: String,
    uid: Uid,
    seen: u64,
    created: Option<Time>,
    leaving: bool,
    generation: i64,
    replicas: i32,
    min_ready_secs: i32,
    annotations: Labels,
    fingerprint: u128,
    status: replicaset::Status,
}

/// The world of one round.
pub(crate) struct World<'a> {
    deployment: &'a Deployment,
    pods: &'a [Arc<Pod>],
    now: Time,
    /// The replica set of the current template.
    new: Option<Set>,
    /// The others, oldest first.
    old: Vec<Set>,
    status: Status,
    revision: Option<String>,
    steps: Vec<Step>,
}

/// Returns what brings a deployment closer to its wish. The same input gives the same plan.
#[must_use]
pub fn plan(seen: &Seen, now: Time) -> Plan {
    let deployment = &*seen.deployment;
    if deployment.selector.is_empty() {
        return only_observed(deployment);
    }
    let mut world = World::new(seen, now);
    let rolling = if deployment.metadata.is_leaving() {
        false
    } else {
        world.note_pause();
        world.roll()
    };
    world.finish(rolling)
}

/// A deployment that means every pod is refused its wish; only that it was looked at is noted.
fn only_observed(deployment: &Deployment) -> Plan {
    let mut status = deployment.status.clone();
    status.observed_generation = deployment.metadata.generation;
    Plan {
        status: (status != deployment.status).then_some(status),
        ..Plan::default()
    }
}

impl<'a> World<'a> {
    fn new(seen: &'a Seen, now: Time) -> Self {
        let deployment = &*seen.deployment;
        let mut old: Vec<Set> = seen.sets.iter().map(|set| Set::new(set)).collect();
        old.sort_by(Set::by_age);
        // Of several sets with the current template the oldest is it.
        let fingerprint = deployment.template.fingerprint;
        let at = old.iter().position(|set| set.fingerprint == fingerprint);
        let new = at.map(|at| old.remove(at));
        Self {
            deployment,
            pods: &seen.pods,
            now,
            new,
            old,
            status: deployment.status.clone(),
            revision: None,
            steps: Vec::new(),
        }
    }

    /// Makes the moves; returns whether the rollout's progress is to be judged.
    fn roll(&mut self) -> bool {
        self.sync_new();
        if self.deployment.paused || self.is_scaling() {
            self.scale();
            if self.deployment.paused {
                self.clean_up();
            }
            return false;
        }
        match self.deployment.strategy {
            Strategy::Recreate => self.roll_recreate(),
            Strategy::RollingUpdate { .. } => self.roll_gradually(),
        }
        true
    }

    fn finish(mut self, rolling: bool) -> Plan {
        let again = self.finish_status(rolling);
        let held = self.deployment.metadata.annotations.get(REVISION);
        let revision = self.revision.filter(|new| held != Some(new));
        let changed = self.status != self.deployment.status || revision.is_some();
        Plan {
            steps: self.steps,
            status: changed.then_some(self.status),
            revision,
            again,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Set> {
        self.old.iter().chain(&self.new)
    }

    /// Returns the set at a place: the old ones by age, then the new one.
    fn at(&mut self, place: usize) -> &mut Set {
        let old = self.old.len();
        if place < old {
            &mut self.old[place]
        } else {
            self.new.as_mut().expect("a place comes from the same sets")
        }
    }

    /// Returns the number of pods that all sets want.
    fn replicas(&self) -> i32 {
        self.all().map(|set| set.replicas).sum()
    }

    /// Brings the revision and the annotations of the new set up to date, if there is one.
    fn sync_new(&mut self) {
        let next = self.old.iter().map(Set::revision).max().unwrap_or(0) + 1;
        let deployment = self.deployment;
        let Some(new) = &mut self.new else { return };
        let annotations = new.with_annotations_of(deployment, next);
        let changed: Vec<(String, String)> = annotations
            .iter()
            .filter(|(name, value)| new.annotations.get(name) != Some(value))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let min_ready =
            (new.min_ready_secs != deployment.min_ready_secs).then_some(deployment.min_ready_secs);
        if !changed.is_empty() || min_ready.is_some() {
            self.steps.push(Step::Change {
                name: new.name.clone(),
                seen: new.seen,
                replicas: None,
                annotations: changed,
                min_ready_secs: min_ready,
            });
            new.annotations = annotations;
            new.min_ready_secs = deployment.min_ready_secs;
        }
        self.revision = new.annotations.get(REVISION).map(str::to_owned);
        let name = new.name.clone();
        self.note_found(&name);
    }

    /// Creates the new set unless there is one.
    fn ensure_new(&mut self) {
        if self.new.is_some() {
            return;
        }
        let deployment = self.deployment;
        let next = self.old.iter().map(Set::revision).max().unwrap_or(0) + 1;
        let hash = deployment.template.hash(deployment.status.collision_count);
        let name = set_name(&deployment.metadata.name, &hash);
        let mut new = Set {
            name: name.clone(),
            uid: Uid::default(),
            seen: 0,
            created: Some(self.now),
            leaving: false,
            generation: 1,
            replicas: 0,
            min_ready_secs: deployment.min_ready_secs,
            annotations: Labels::default(),
            fingerprint: deployment.template.fingerprint,
            status: replicaset::Status::default(),
        };
        new.replicas = self.new_replicas(0);
        new.annotations = new
            .with_annotations_of(deployment, next)
            .with(DESIRED, &deployment.replicas.to_string())
            .with(MAX, &deployment.replicas_max().to_string());
        self.steps.push(Step::Create {
            name: name.clone(),
            hash,
            replicas: new.replicas,
            annotations: new.annotations.clone(),
        });
        self.revision = Some(next.to_string());
        self.new = Some(new);
        self.note_created(&name);
    }

    /// Returns how many pods the new set is to have, which has `held` now.
    fn new_replicas(&self, held: i32) -> i32 {
        let wanted = self.deployment.replicas;
        match &self.deployment.strategy {
            Strategy::Recreate => wanted,
            Strategy::RollingUpdate { surge, .. } => {
                // The surge alone counts here, not the fence that keeps things moving.
                let most = wanted.saturating_add(surge.of_rounded_up(wanted));
                let there = self.replicas();
                if there >= most {
                    return held;
                }
                held + (most - there).min(wanted - held)
            }
        }
    }

    /// Sets the wanted number of one set, and notes on it what it is part of.
    fn resize(&mut self, place: usize, replicas: i32, force: Force) -> bool {
        let deployment = self.deployment;
        let set = self.at(place);
        let resized = set.replicas != replicas;
        if !resized && force == Force::No {
            return false;
        }
        let wanted = [
            (DESIRED, deployment.replicas.to_string()),
            (MAX, deployment.replicas_max().to_string()),
        ];
        let annotations: Vec<(String, String)> = wanted
            .into_iter()
            .filter(|(name, value)| set.annotations.get(name) != Some(value))
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        if !resized && annotations.is_empty() {
            return false;
        }
        for (name, value) in &annotations {
            set.annotations = set.annotations.with(name, value);
        }
        let old = std::mem::replace(&mut set.replicas, replicas);
        let (name, seen) = (set.name.clone(), set.seen);
        self.push_change(name, seen, resized.then_some((old, replicas)), annotations);
        resized
    }

    /// Adds a change; one of the same set in the same round becomes part of it.
    fn push_change(
        &mut self,
        set: String,
        at: u64,
        size: Option<(i32, i32)>,
        more: Vec<(String, String)>,
    ) {
        for step in &mut self.steps {
            match step {
                Step::Change {
                    name,
                    replicas,
                    annotations,
                    ..
                } if *name == set => {
                    if let Some((old, new)) = size {
                        *replicas = Some((replicas.map_or(old, |(first, _)| first), new));
                    }
                    annotations.extend(more);
                    return;
                }
                Step::Create {
                    name,
                    replicas,
                    annotations,
                    ..
                } if *name == set => {
                    if let Some((_, new)) = size {
                        *replicas = new;
                    }
                    for (name, value) in &more {
                        *annotations = annotations.with(name, value);
                    }
                    return;
                }
                _ => {}
            }
        }
        self.steps.push(Step::Change {
            name: set,
            seen: at,
            replicas: size,
            annotations: more,
            min_ready_secs: None,
        });
    }
}

/// Whether a set of the right size is written for its annotations alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Force {
    /// It is left alone.
    No,
    /// It is written.
    Annotations,
}

impl Set {
    fn new(set: &ReplicaSet) -> Self {
        let head = &set.metadata;
        Self {
            name: head.name.to_string(),
            uid: head.uid.clone(),
            seen: head.resource_version,
            created: head.creation_timestamp,
            leaving: head.is_leaving(),
            generation: head.generation,
            replicas: set.replicas,
            min_ready_secs: set.min_ready_secs,
            annotations: head.annotations.clone(),
            fingerprint: set.template.fingerprint,
            status: set.status.clone(),
        }
    }

    fn by_age(a: &Self, b: &Self) -> Ordering {
        a.created.cmp(&b.created).then_with(|| a.name.cmp(&b.name))
    }

    fn revision(&self) -> i64 {
        let revision = self.annotations.get(REVISION);
        revision.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Returns the annotations it is to have: its own, the deployment's, and the revision `next` if
    /// its own is smaller.
    fn with_annotations_of(&self, deployment: &Deployment, next: i64) -> Labels {
        const KEPT_APART: [&str; 6] = [
            "kubectl.kubernetes.io/last-applied-configuration",
            REVISION,
            REVISION_HISTORY,
            DESIRED,
            MAX,
            "deprecated.deployment.rollback.to",
        ];
        let theirs = deployment.metadata.annotations.iter();
        let copied = theirs.filter(|(name, _)| !KEPT_APART.contains(name));
        let mut annotations: Labels = self.annotations.iter().chain(copied).collect();
        let held = self.annotations.get(REVISION);
        let number = match held {
            None | Some("") => 0,
            Some(text) => match text.parse::<i64>() {
                Ok(number) => number,
                // Someone wrote nonsense there; it is left as it is.
                Err(_) => return annotations,
            },
        };
        if number >= next {
            return annotations;
        }
        annotations = annotations.with(REVISION, &next.to_string());
        // A set that had a revision and gets a new one is rolled back to; the old one is kept.
        if let Some(held) = held {
            let history = self.annotations.get(REVISION_HISTORY).unwrap_or_default();
            if let Some(history) = longer_history(history, held) {
                annotations = annotations.with(REVISION_HISTORY, &history);
            }
        }
        annotations
    }
}

/// Appends a revision to a history; the oldest give way when it gets too long.
fn longer_history(history: &str, revision: &str) -> Option<String> {
    if history.is_empty() {
        return Some(revision.to_owned());
    }
    let mut rest = history;
    while rest.len() + 1 + revision.len() > HISTORY_CHARS_MAX {
        rest = rest.split_once(',')?.1;
    }
    Some(format!("{rest},{revision}"))
}

/// Returns the name of a deployment's set with this hash.
fn set_name(deployment: &str, hash: &str) -> String {
    let room = NAME_MAX.saturating_sub(hash.len() + 1);
    let prefix = deployment.get(..room).unwrap_or(deployment);
    format!("{prefix}-{hash}")
}

/// Returns the selector of a new set: the deployment's, and its hash.
#[must_use]
pub fn set_selector(deployment: &Deployment, hash: &str) -> serde_json::Value {
    let text = deployment.selector_raw.get();
    let mut selector: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    selector["matchLabels"][HASH_LABEL] = hash.into();
    selector
}

/// Returns the template of a new set: the deployment's, and its hash.
#[must_use]
pub fn set_template(deployment: &Deployment, hash: &str) -> serde_json::Value {
    let text = deployment.template.text();
    let mut template: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    template["metadata"]["labels"][HASH_LABEL] = hash.into();
    template
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, pairs: &mut dyn Iterator<Item = (&str, &str)>| {
            for (name, value) in pairs {
                let short = name.rsplit('/').next().unwrap_or(name);
                write!(f, " {short}={value}")?;
            }
            Ok(())
        };
        match self {
            Self::Create {
                replicas,
                annotations,
                ..
            } => {
                write!(f, "create new at {replicas}")?;
                list(f, &mut annotations.iter())
            }
            Self::Change {
                name,
                replicas,
                annotations,
                min_ready_secs,
                ..
            } => {
                write!(f, "change {name}")?;
                if let Some((old, new)) = replicas {
                    write!(f, " {old}->{new}")?;
                }
                if let Some(secs) = min_ready_secs {
                    write!(f, " ready {secs}s")?;
                }
                let mut pairs = annotations.iter().map(|(a, b)| (a.as_str(), b.as_str()));
                list(f, &mut pairs)
            }
            Self::Delete { name, .. } => write!(f, "delete {name}"),
        }
    }
}

#[cfg(test)]
mod tests;
