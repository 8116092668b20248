//! Decides how many pods a replica set is missing or has too many of, and what its status says.
//!
//! Knows nothing of clients, clocks or queues: it is given what is wanted and what was seen, and
//! answers with steps. `act` carries the steps out.

use std::{cmp::Ordering, collections::HashMap, fmt, sync::Arc};

use kit::Time;

use super::{ReplicaSet, Status};
use crate::condition::Condition;
use crate::{
    claim::{Claims, claim},
    pod::Pod,
};

/// Upper bound on pods created or deleted per round, so one huge set cannot starve the others; as
/// upstream's burst.
pub const STEPS_MAX: usize = 500;

/// What a round saw.
#[derive(Debug)]
pub struct Seen {
    /// The replica set.
    pub set: Arc<ReplicaSet>,
    /// Its pods and the orphans of its namespace.
    pub pods: Vec<Arc<Pod>>,
    /// Pods of the replica sets that share its owner, its own among them; looked up only when pods
    /// are to be deleted.
    pub related: Vec<Arc<Pod>>,
}

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// Pods to keep, adopt and release.
    pub claims: Claims<Pod>,
    /// Pods that leave.
    pub leaving: usize,
    /// The step towards the wanted number.
    pub step: Step,
}

/// One step towards the wanted number of pods.
#[derive(Debug)]
pub enum Step {
    /// The number is right, or the set itself leaves.
    Nothing,
    /// Create so many pods from the template.
    Create(usize),
    /// Delete these pods.
    Delete(Vec<Arc<Pod>>),
}

/// Returns what brings the seen pods closer to the wanted number.
///
/// The step is never longer than [`STEPS_MAX`]; the next round continues. Adopted pods count
/// already. The same input always gives the same answer.
#[must_use]
pub fn plan(seen: &Seen, now: Time) -> Plan {
    let set = &seen.set;
    let active: Vec<Arc<Pod>> = seen
        .pods
        .iter()
        .filter(|pod| pod.is_active())
        .cloned()
        .collect();
    let claims = claim(&set.metadata, &set.selector, &active);
    let leaving = seen.pods.iter().filter(|pod| {
        let owner = pod.metadata.controller();
        pod.metadata.is_leaving()
            && !pod.is_over()
            && owner.is_some_and(|owner| owner.uid == set.metadata.uid)
            && set.selector.matches(&pod.metadata.labels)
    });
    let leaving = leaving.count();

    let wanted = usize::try_from(set.replicas).unwrap_or(0);
    let there = claims.keep.len() + claims.adopt.len();
    let step = if set.metadata.is_leaving() {
        Step::Nothing
    } else if there < wanted {
        Step::Create((wanted - there).min(STEPS_MAX))
    } else if there > wanted {
        let mut pods = claims.keep.clone();
        pods.extend(claims.adopt.iter().cloned());
        let excess = (there - wanted).min(STEPS_MAX);
        rank(&mut pods, &seen.related, now);
        pods.truncate(excess);
        Step::Delete(pods)
    } else {
        Step::Nothing
    };
    Plan {
        claims,
        leaving,
        step,
    }
}

/// Sorts pods so that those to be given up first come first.
///
/// In this order, each deciding only where the ones before do not: unassigned before assigned;
/// pending before unknown before running; not ready before ready; cheaper before dearer; on a
/// fuller node before a lonelier one; ready for a shorter time; more restarts; younger; by uid.
///
/// Times count by magnitude (by doublings of their age), so that among pods of like age none is
/// singled out by a second. Upstream lets the uid decide as soon as two ready times differ within
/// one magnitude, which is not an order (three pods can each come before the next); here the
/// restarts and the age still have their say.
fn rank(pods: &mut [Arc<Pod>], related: &[Arc<Pod>], now: Time) {
    let mut on_node: HashMap<&str, usize> = HashMap::new();
    for pod in related.iter().filter(|pod| pod.is_active()) {
        *on_node.entry(&pod.node).or_default() += 1;
    }
    let crowd = |pod: &Pod| on_node.get(&*pod.node).copied().unwrap_or(0);
    let since = |pod: &Pod| pod.ready.map(|ready| magnitude(ready.since, now));
    pods.sort_by(|a, b| {
        (!a.node.is_empty())
            .cmp(&!b.node.is_empty())
            .then(a.phase.cmp(&b.phase))
            .then(a.ready.is_some().cmp(&b.ready.is_some()))
            .then(a.deletion_cost.cmp(&b.deletion_cost))
            .then_with(|| crowd(b).cmp(&crowd(a)))
            .then_with(|| since(a).cmp(&since(b)))
            .then(b.restarts.cmp(&a.restarts))
            .then_with(|| {
                let age = |pod: &Pod| magnitude(pod.metadata.creation_timestamp, now);
                age(a).cmp(&age(b))
            })
            .then_with(|| a.metadata.uid.cmp(&b.metadata.uid))
    });
}

/// Returns the number of doublings in an age. No time is the youngest, one in the future next.
fn magnitude(time: Option<Time>, now: Time) -> i64 {
    let Some(time) = time else { return -2 };
    // Upstream takes the logarithm of nanoseconds; whole seconds below one have none.
    match u64::try_from(now.secs - time.secs) {
        Ok(0) | Err(_) => -1,
        Ok(secs) => i64::from(secs.saturating_mul(1_000_000_000).ilog2()),
    }
}

/// Returns the status as it should be written, and when an available pod is to be counted anew.
///
/// `failed` is why a step could not be carried out.
#[must_use]
pub fn status(
    set: &ReplicaSet,
    active: &[Arc<Pod>],
    leaving: usize,
    failed: Option<&str>,
    now: Time,
) -> (Status, Option<Time>) {
    let count = |test: &dyn Fn(&Pod) -> bool| {
        let count = active.iter().filter(|pod| test(pod)).count();
        i32::try_from(count).unwrap_or(i32::MAX)
    };
    let available_at = |pod: &Pod| pod.available_at(set.min_ready_secs);
    let wanted = usize::try_from(set.replicas).unwrap_or(0);
    let mut conditions = set.status.conditions.clone();
    let at = conditions
        .iter()
        .position(|condition| condition.kind == "ReplicaFailure");
    match (failed, at) {
        (Some(message), None) => conditions.push(Condition {
            kind: "ReplicaFailure".to_owned(),
            status: "True".to_owned(),
            last_transition_time: Some(now),
            reason: match active.len().cmp(&wanted) {
                Ordering::Less => "FailedCreate",
                Ordering::Greater => "FailedDelete",
                Ordering::Equal => "",
            }
            .to_owned(),
            message: message.to_owned(),
        }),
        (None, Some(at)) => {
            conditions.remove(at);
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    let status = Status {
        replicas: count(&|_| true),
        fully_labeled_replicas: count(&|pod| {
            pod.metadata.labels.contains_all(&set.template.labels)
        }),
        ready_replicas: count(&|pod| pod.ready.is_some()),
        available_replicas: count(&|pod| available_at(pod).is_some_and(|at| at <= now)),
        terminating_replicas: Some(i32::try_from(leaving).unwrap_or(i32::MAX)),
        observed_generation: set.metadata.generation,
        conditions,
    };
    let next = active
        .iter()
        .filter_map(|pod| available_at(pod))
        .filter(|at| *at > now)
        .min();
    (status, next)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Create(count) => write!(f, "create {count}"),
            Self::Delete(pods) => {
                f.write_str("delete")?;
                pods.iter()
                    .try_for_each(|pod| write!(f, " {}", pod.metadata.name))
            }
        }
    }
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
