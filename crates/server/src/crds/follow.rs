//! Whoever follows the definitions: serves what they define, and says in their status what holds.
//!
//! A definition is looked at as it is, so a restart, a lost event and a repeated one are the same
//! case. What one look costs does not depend on how many definitions there are.

use std::{collections::HashMap, sync::Arc};

use api::{Status, Text, Value, meta::Meta};
use base::Chain;
use bytes::Bytes;
use ring::digest;
use store::{Revision, StoreError};

use super::{
    BATCH, CLEANUP, compile,
    compile::Shared,
    computed, leave,
    names::{self, Name},
    note,
    source::Source,
    status,
};
use crate::{
    collection::{Change, Cursor, Interest, Step, Stored},
    registry::{Origin, Resource, Served},
    render,
    serving::Serving,
    write::Door,
};

/// What is known of every definition.
pub(super) struct Definitions {
    pub(super) resource: Resource,
    pub(super) shared: Shared,
    known: HashMap<Text, Known>,
}

/// A hash of what a kind is made of.
type MadeOf = [u8; 16];

/// What is known of one definition.
#[derive(Default)]
struct Known {
    group: Text,
    names: Box<[Name]>,
    /// What the kind was made of, and where its schemas are read.
    made: Option<(MadeOf, Arc<Source>)>,
    served: Option<Arc<Served>>,
    cleaning: bool,
}

/// Follows the definitions until the server drains.
pub(super) async fn follow(
    serving: Arc<Serving>,
    mut definitions: Definitions,
    mut cursor: Cursor,
) {
    let mut drain = serving.tasks.drain_signal();
    let collection = definitions.resource.served.collection.clone();
    let seat = collection.sit(Interest::All);
    loop {
        let next = std::future::poll_fn(|ctx| {
            seat.wait(ctx.waker());
            match collection.step(&mut cursor, BATCH) {
                Step::Changes(changes, _) if changes.is_empty() => std::task::Poll::Pending,
                step => std::task::Poll::Ready(step),
            }
        });
        let step = tokio::select! {
            biased;
            () = drain.requested() => break,
            step = next => step,
        };
        match step {
            Step::Changes(changes, _) => {
                for change in changes {
                    definitions.take_in(&serving, &change).await;
                    note(&serving, change.revision);
                }
            }
            Step::Lost => match definitions.read_all(&serving).await {
                Ok(fresh) => {
                    cursor = fresh;
                    let view = collection.peek();
                    note(&serving, view.map_or(Revision(0), |view| view.changed));
                }
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "definitions can no longer be followed");
                    break;
                }
            },
            Step::Ended => break,
        }
    }
    serving.definitions.send_replace(None);
}

impl Definitions {
    /// Returns what is known before anything was read.
    pub(super) fn new(resource: Resource, shared: Shared) -> Self {
        Self {
            resource,
            shared,
            known: HashMap::new(),
        }
    }

    /// Reads every definition as it is now.
    pub(super) async fn read_all(&mut self, serving: &Arc<Serving>) -> Result<Cursor, StoreError> {
        let collection = self.resource.served.collection.clone();
        let (view, cursor) = collection.follow().await?;
        let gone: Vec<Text> = self
            .known
            .keys()
            .filter(|name| !view.objects.contains_key(name.as_str()))
            .cloned()
            .collect();
        for name in gone {
            self.forget(serving, &name).await;
        }
        for (name, object) in view.objects {
            self.look(serving, &name, &object).await;
        }
        Ok(cursor)
    }

    async fn take_in(&mut self, serving: &Arc<Serving>, change: &Change) {
        if change.deleted {
            self.forget(serving, &change.place).await;
        } else {
            self.look(serving, &change.place, &change.object).await;
        }
    }

    async fn forget(&mut self, serving: &Arc<Serving>, name: &str) {
        let Some(known) = self.known.remove(name) else {
            return;
        };
        if let Some(served) = known.served {
            serving.registry.remove(&served);
        }
        // Its names are free again.
        let waiting = serving.names.leave(&known.group, name, &known.names);
        let collection = self.resource.served.collection.clone();
        for name in waiting {
            if let Ok(Some(object)) = collection.get(&name).await {
                self.look(serving, &name, &object).await;
            }
        }
    }

    /// Looks at one definition as it is: serves it, and writes the status it should have.
    async fn look(&mut self, serving: &Arc<Serving>, name: &Text, stored: &Stored) {
        let mut object = match render::parse(&stored.bytes) {
            Ok(object) => object,
            Err(error) => {
                tracing::error!(name = %name, error = %error, "a definition cannot be read");
                return;
            }
        };
        let is_leaving = Meta::of(&object).is_leaving();
        let group = object.str_at(&["spec", "group"]).unwrap_or_default();
        let mut is_new = false;
        if !is_leaving {
            let decided = serving.names.look(group, name, |taken| {
                status::decide(&object, taken, serving.clock.wall())
            });
            if object.get("status") != Some(&decided) {
                is_new = true;
                object.set_at(&["status"], decided);
            }
        }
        self.serve(serving, name, &object, &stored.bytes);
        note(serving, stored.revision);
        if is_leaving {
            self.clean_up(serving, name, &object);
        } else if is_new {
            self.write_status(serving, name).await;
        }
    }

    /// Makes the kind of a definition and serves it, if it is established and has changed.
    fn serve(&mut self, serving: &Arc<Serving>, name: &Text, object: &Value, bytes: &Bytes) {
        let nothing = Value::Null;
        let accepted = object.at(&["status", "acceptedNames"]).unwrap_or(&nothing);
        let known = self.known.entry(name.clone()).or_default();
        known.group = Text::new(object.str_at(&["spec", "group"]).unwrap_or_default());
        let names = names::accepted(accepted);
        serving.names.hold(&known.group, name, &known.names, &names);
        known.names = names.into();
        let is_unhappy = !status::is_true(object, "NamesAccepted");
        serving.names.mark(&known.group, name, is_unhappy);
        if !status::is_true(object, "Established") {
            if let Some(served) = known.served.take() {
                serving.registry.remove(&served);
            }
            known.made = None;
            return;
        }
        let made_of = made_of(object, accepted);
        match &known.made {
            // The schemas are the same; the bytes of before need not be kept for them.
            Some((of, source)) if *of == made_of => source.renew(bytes),
            _ => {
                let source = Arc::new(Source::new(bytes));
                let kind = compile::kind(object, &source, &self.shared);
                let served = serving.served(kind, Origin::Custom(name.clone()));
                serving.registry.put(&served, known.served.as_ref());
                crate::expiry::start(serving, &served);
                known.served = Some(served);
                known.made = Some((made_of, source));
            }
        }
        if let Some(served) = &known.served
            && Meta::of(object).is_leaving()
        {
            served.terminate();
        }
    }

    async fn write_status(&self, serving: &Arc<Serving>, name: &Text) {
        let now = serving.clock.wall();
        let edit = |object: &Value| {
            // Deletion may have begun meanwhile; then the status is no longer ours.
            if Meta::of(object).is_leaving() {
                return None;
            }
            let group = object.str_at(&["spec", "group"]).unwrap_or_default();
            let decided = serving
                .names
                .look(group, name, |taken| status::decide(object, taken, now));
            let mut object = object.clone();
            object.set_at(&["status"], decided);
            Some(object)
        };
        let written = leave::rewrite(serving, &self.resource, name, Door::Status, edit);
        report(name, written.await);
    }

    /// Deletes the objects of a leaving definition, in a task of its own.
    fn clean_up(&mut self, serving: &Arc<Serving>, name: &Text, object: &Value) {
        if !Meta::of(object).has_finalizer(CLEANUP) {
            return;
        }
        let Some(known) = self.known.get_mut(name) else {
            return;
        };
        if std::mem::replace(&mut known.cleaning, true) {
            return;
        }
        let served = known.served.clone();
        let (serving, resource, name) = (Arc::clone(serving), self.resource.clone(), name.clone());
        let tasks = serving.tasks.clone();
        let cleaning = async move {
            let outcome = leave::clean_up(&serving, &resource, &name, served.as_ref()).await;
            report(&name, outcome);
        };
        drop(tasks.spawn("definition-cleanup", cleaning));
    }
}

/// Returns a hash of what a kind is made of: uid, generation, accepted names, annotations of ours.
fn made_of(object: &Value, accepted: &Value) -> MadeOf {
    let meta = Meta::of(object);
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut add = |part: &[u8]| {
        hash.update(&part.len().to_le_bytes());
        hash.update(part);
    };
    add(meta.uid().as_bytes());
    add(&meta.generation().to_le_bytes());
    let mut names = Vec::with_capacity(256);
    api::json::write(accepted, &mut names);
    add(&names);
    for (key, value) in computed::ours(object) {
        add(key.as_bytes());
        add(value.as_bytes());
    }
    let mut made_of = MadeOf::default();
    made_of.copy_from_slice(&hash.finish().as_ref()[..16]);
    made_of
}

fn report(name: &str, outcome: Result<(), Status>) {
    if let Err(status) = outcome {
        tracing::error!(name = %name, error = %status, "a definition could not be updated");
    }
}
