//! Events: short notes on an object, for the people who look after it.
//!
//! As client-go's recorder does, kit writes core `v1` Events, counts repetitions in one object,
//! joins many similar ones, and lets one object have only so many. [`Correlator`] is the pure core
//! that decides; [`Recorder`] hands notes to one task that writes them. Notes are a courtesy: when
//! too many wait, the newest are dropped.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use base::{Clock, Moment, Tasks, WallTime};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::{
    error::Error,
    object::{Head, Partial, Time, Uid},
    resource::{Resource, Scope},
    transport::{Client, Patch},
};

/// Most notes that wait to be written; as client-go.
const WAITING_MAX: usize = 1_000;

/// Most objects and texts that are remembered; as client-go's caches.
const REMEMBERED_MAX: usize = 4_096;

/// Notes one object may have at once, and how long until it may have one more; as client-go's spam
/// filter.
const BURST: f64 = 25.0;
const REFILL: Duration = Duration::from_secs(300);

/// Similar notes within [`SIMILAR_WITHIN`] after which they are joined; as client-go's aggregator.
const SIMILAR_MAX: u32 = 10;
const SIMILAR_WITHIN: Duration = Duration::from_secs(600);

/// How loud a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Severity {
    /// For information.
    Normal,
    /// Something is wrong.
    Warning,
}

/// The object a note is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; empty for cluster-scoped objects.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Identity.
    pub uid: Uid,
    /// Revision the writer of the note looked at.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
}

impl About {
    /// Returns a reference to an object of a resource.
    #[must_use]
    pub fn object(resource: &Resource, head: &Head) -> Self {
        Self {
            api_version: resource.api_version(),
            kind: resource.kind.to_string(),
            name: head.name.to_string(),
            namespace: head.namespace.to_string(),
            uid: head.uid.clone(),
            resource_version: head.resource_version.to_string(),
        }
    }
}

/// A note before it is decided whether and how it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Note {
    /// What it is about.
    pub about: About,
    /// How loud it is.
    pub severity: Severity,
    /// One word for machines.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// What is to be done with a note.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Write a new event of this name.
    Create {
        /// Name of the event.
        name: String,
        /// Its text.
        message: String,
    },
    /// Count one more in the event of this name.
    Count {
        /// Name of the event.
        name: String,
        /// How often it happened by now.
        count: u32,
        /// Its text.
        message: String,
    },
    /// Write nothing: the object has had enough notes.
    Drop,
}

/// The pure core: what was noted before decides how a note is written.
#[derive(Debug, Default)]
pub struct Correlator {
    buckets: BTreeMap<String, Bucket>,
    similar: HashMap<String, Similar>,
    written: HashMap<String, Written>,
    serial: u64,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Moment,
}

#[derive(Debug)]
struct Similar {
    count: u32,
    last: Moment,
}

#[derive(Debug)]
struct Written {
    name: String,
    count: u32,
    used: u64,
}

impl Correlator {
    /// Decides about one note. `wall` makes the name of a new event.
    pub fn decide(&mut self, note: &Note, now: Moment, wall: WallTime) -> Decision {
        let object = format!(
            "{} {} {}",
            note.about.kind, note.about.namespace, note.about.uid
        );
        let group = format!("{object} {:?} {}", note.severity, note.reason);
        let message = self.join_similar(group.clone(), &note.message, now);
        if !self.may_write(object, now) {
            return Decision::Drop;
        }
        self.serial += 1;
        let joined = message.len() != note.message.len();
        // Joined notes differ in their text, and still are one event.
        let text = if joined { "" } else { message.as_str() };
        let key = format!("{group} {text}");
        if let Some(written) = self.written.get_mut(&key) {
            written.count += 1;
            written.used = self.serial;
            return Decision::Count {
                name: written.name.clone(),
                count: written.count,
                message,
            };
        }
        if self.written.len() >= REMEMBERED_MAX {
            forget_half(&mut self.written, |written| written.used);
        }
        // The serial number keeps apart what the clock does not.
        let nanos = wall.micros.unsigned_abs() * 1_000 + self.serial % 1_000;
        let name = format!("{}.{nanos:x}", note.about.name);
        self.written.insert(
            key,
            Written {
                name: name.clone(),
                count: 1,
                used: self.serial,
            },
        );
        Decision::Create { name, message }
    }

    /// Forgets an event that is no longer there, so that the note is written anew.
    pub fn forget(&mut self, name: &str) {
        self.written.retain(|_, written| written.name != name);
    }

    fn join_similar(&mut self, group: String, message: &str, now: Moment) -> String {
        if self.similar.len() >= REMEMBERED_MAX {
            self.similar
                .retain(|_, similar| now.since(similar.last) <= SIMILAR_WITHIN);
            if self.similar.len() >= REMEMBERED_MAX {
                self.similar.clear();
            }
        }
        let similar = self.similar.entry(group).or_insert(Similar {
            count: 0,
            last: now,
        });
        if now.since(similar.last) > SIMILAR_WITHIN {
            similar.count = 0;
        }
        similar.last = now;
        similar.count += 1;
        if similar.count < SIMILAR_MAX {
            message.to_owned()
        } else {
            format!("(combined from similar events): {message}")
        }
    }

    fn may_write(&mut self, object: String, now: Moment) -> bool {
        if self.buckets.len() >= REMEMBERED_MAX {
            self.buckets.retain(|_, bucket| bucket.left < BURST - 1.0);
            if self.buckets.len() >= REMEMBERED_MAX {
                self.buckets.clear();
            }
        }
        let bucket = self.buckets.entry(object).or_insert(Bucket {
            left: BURST,
            at: now,
        });
        let refilled = now.since(bucket.at).as_secs_f64() / REFILL.as_secs_f64();
        bucket.left = (bucket.left + refilled).min(BURST);
        bucket.at = now;
        if bucket.left < 1.0 {
            return false;
        }
        bucket.left -= 1.0;
        true
    }
}

/// Forgets the half that was not used for longest.
fn forget_half<K: Clone + std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, used: fn(&V) -> u64) {
    let mut uses: Vec<u64> = map.values().map(used).collect();
    let middle = uses.len() / 2;
    let (_, middle, _) = uses.select_nth_unstable(middle);
    let middle = *middle;
    map.retain(|_, value| used(value) >= middle);
}

/// Takes notes on objects. Cheap to clone; taking a note never waits.
#[derive(Clone)]
pub struct Recorder(Option<Arc<mpsc::Sender<Note>>>);

impl Recorder {
    /// Returns a recorder that writes nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self(None)
    }

    /// Starts a recorder that writes as `component`, until the tasks drain.
    #[must_use]
    pub fn start(component: &'static str, client: Client, tasks: &Tasks, clock: &Clock) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let writer = Writer {
            component,
            client,
            clock: clock.clone(),
            events: Resource::new("", "v1", "events", "Event", Scope::Namespaced),
            correlator: Correlator::default(),
        };
        tasks.spawn("events", writer.run(receiver, tasks.drain_signal()));
        Self(Some(Arc::new(sender)))
    }

    /// Takes a note. If too many wait it is dropped.
    pub fn note(&self, about: About, severity: Severity, reason: &str, message: String) {
        let Some(sender) = &self.0 else { return };
        let note = Note {
            about,
            severity,
            reason: reason.to_owned(),
            message,
        };
        if sender.try_send(note).is_err() {
            tracing::debug!(reason, "an event was dropped because too many wait");
        }
    }
}

struct Writer {
    component: &'static str,
    client: Client,
    clock: Clock,
    events: Resource,
    correlator: Correlator,
}

impl Writer {
    async fn run(mut self, mut receiver: mpsc::Receiver<Note>, mut drain: base::Drain) {
        loop {
            let note = tokio::select! {
                biased;
                () = drain.requested() => return,
                note = receiver.recv() => note,
            };
            let Some(note) = note else { return };
            if let Err(error) = self.write(&note).await {
                // A namespace that goes takes its events with it; that is no news.
                tracing::debug!(reason = note.reason, error = %base::Chain(&error), "an event was not written");
            }
        }
    }

    async fn write(&mut self, note: &Note) -> Result<(), Error> {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        match self.correlator.decide(note, now, wall) {
            Decision::Drop => Ok(()),
            Decision::Create { name, message } => self.create(note, &name, &message, 1).await,
            Decision::Count {
                name,
                count,
                message,
            } => {
                let body = serde_json::json!({
                    "count": count, "lastTimestamp": Time::from_wall(wall), "message": message,
                });
                let path = self.events.path_to(namespace(&note.about), &name);
                let patch = self
                    .client
                    .patch::<Partial>(&path, Patch::Merge, json(&body)?);
                match patch.await {
                    // It has expired meanwhile.
                    Err(error) if error.is_not_found() => {
                        self.create(note, &name, &message, count).await
                    }
                    other => other.map(drop),
                }
            }
        }
    }

    async fn create(
        &mut self,
        note: &Note,
        name: &str,
        message: &str,
        count: u32,
    ) -> Result<(), Error> {
        let time = Time::from_wall(self.clock.wall());
        let body = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace(&note.about)},
            "involvedObject": note.about,
            "reason": note.reason,
            "message": message,
            "source": {"component": self.component},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": count,
            "type": note.severity,
            "reportingComponent": self.component,
            "reportingInstance": "",
        });
        let path = self.events.path_in(namespace(&note.about));
        let created = self.client.create::<Partial>(&path, json(&body)?).await;
        if created.is_err() {
            self.correlator.forget(name);
        }
        created.map(drop)
    }
}

/// Events on cluster-scoped objects live in `default`.
fn namespace(about: &About) -> &str {
    if about.namespace.is_empty() {
        "default"
    } else {
        &about.namespace
    }
}

fn json(value: &serde_json::Value) -> Result<Bytes, Error> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|source| Error::Decode {
            what: "an own text",
            source,
        })
}

#[cfg(test)]
#[path = "events/tests.rs"]
mod tests;
