//! CustomResourceDefinitions: from an object in the store to a kind that is served.
//!
//! One task follows the collection of definitions. For each change it decides the status (which
//! names are free, what holds), serves or stops serving the kind, and writes the status. A restart,
//! a lost event and a repeated one are the same case: it looks at the definition as it is.
//!
//! A definition that is being deleted keeps serving, but takes no new objects; its objects are
//! deleted, and when the last one is gone the definition lets go of itself.

mod approval;
mod compile;
mod computed;
mod definition;
mod lifetime;
mod status;
mod wrong;

use std::{collections::HashMap, sync::Arc, time::Duration};

use api::{GroupVersion, Status, Text, Value, meta::Meta};
use base::Chain;
use schema::{Kind, Shape, View};
use store::{Revision, StoreError};

use crate::{
    Accepted, Call, Options, ResourcePath, Verb,
    collection::{Change, Cursor, Interest, Step, Stored},
    delete::{self, options::DeleteOptions},
    faults,
    registry::{ClusterId, Origin, Resource, Served},
    render,
    request::BodyType,
    serving::Serving,
    write::{Done, Door, Writer},
};

use compile::Shared;
use status::{Condition, Is, Taken};

pub(crate) use definition::hold;

/// Holds a definition until its objects are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

const GROUP: &str = "apiextensions.k8s.io";
const PLURAL: &str = "customresourcedefinitions";

/// How long the writer of a definition waits until it is served.
const SETTLE_MAX: Duration = Duration::from_secs(1);

/// How many changes of definitions are taken in at once.
const BATCH: usize = 64;

/// Returns whether a kind is the one that defines others.
pub(crate) fn is_definition(kind: &Kind) -> bool {
    kind.names.plural == PLURAL && kind.group() == GROUP
}

/// Gives the kind of definitions the behaviour that belongs to it.
pub(crate) fn equip(kind: &mut Kind) {
    let meta = match &kind.stored().shape.node().form {
        schema::Form::Struct(fields) => fields
            .field("metadata")
            .map(|field| kind.stored().shape.part(field.shape)),
        _ => None,
    };
    kind.behavior = Arc::new(definition::Definition {
        inner: Arc::clone(&kind.behavior),
        meta: meta.unwrap_or_else(Shape::any),
    });
}

/// What is known of every definition.
struct Definitions {
    resource: Resource,
    shared: Shared,
    known: HashMap<Text, Known>,
}

/// Uid, generation, accepted names and annotations of ours.
type MadeOf = (String, i64, Value, Vec<(Text, Text)>);

/// What is known of one definition.
#[derive(Default)]
struct Known {
    group: Text,
    taken: Taken,
    /// Some name is taken by another; looked at again when names become free.
    conflicts: bool,
    /// What the kind was made of.
    made_of: Option<MadeOf>,
    served: Option<Arc<Served>>,
    cleaning: bool,
}

/// Serves what is defined in the store, and follows the definitions from then on.
///
/// Returns when everything that is there already is served.
///
/// # Errors
/// Faults of the store.
pub(crate) async fn open(serving: &Arc<Serving>) -> Result<(), StoreError> {
    let found = serving
        .registry
        .table()
        .find_any(ClusterId::ONLY, GROUP, PLURAL);
    let Some(resource) = found else {
        // A server without definitions is a normal case.
        return Ok(());
    };
    let mut definitions = Definitions {
        shared: shared(serving, &resource),
        resource,
        known: HashMap::new(),
    };
    let cursor = definitions.read_all(serving).await?;
    serving.definitions.send_replace(Some(0));
    let follow = follow(Arc::clone(serving), definitions, cursor);
    drop(serving.tasks.spawn("definitions", follow));
    Ok(())
}

/// Finds the shapes that custom resources share among those of the built-in kinds.
fn shared(serving: &Serving, resource: &Resource) -> Shared {
    let table = serving.registry.table();
    let scale = table.served(ClusterId::ONLY).find_map(|served| {
        let mut subresources = served
            .kind
            .versions
            .iter()
            .flat_map(|version| version.subresources.iter());
        subresources
            .find(|sub| matches!(sub.view, View::Scale(_)))
            .map(|sub| sub.shape.clone())
    });
    Shared {
        meta: render::meta_shape(resource).unwrap_or_else(Shape::any),
        scale: scale.unwrap_or_else(Shape::any),
    }
}

async fn follow(serving: Arc<Serving>, mut definitions: Definitions, mut cursor: Cursor) {
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

/// Says that everything up to a revision is served as it is defined.
fn note(serving: &Serving, revision: Revision) {
    serving.definitions.send_if_modified(|seen| match seen {
        Some(seen) if *seen < revision.0 => {
            *seen = revision.0;
            true
        }
        _ => false,
    });
}

/// Waits until what is defined by now is served, so that whoever has written a definition finds it.
///
/// Dropping the future loses nothing.
pub(crate) async fn settled(serving: &Serving, resource: &Resource) {
    let Some(view) = resource.served.collection.peek() else {
        return;
    };
    let mut seen = serving.definitions.subscribe();
    // Nobody follows definitions in a server that was not opened.
    let reached = seen.wait_for(|seen| seen.is_none_or(|seen| seen >= view.changed.0));
    // One that cannot be served in time is served later; the write itself has happened.
    let _ = serving.clock.timeout(SETTLE_MAX, reached).await;
}

impl Definitions {
    /// Reads every definition as it is now.
    async fn read_all(&mut self, serving: &Arc<Serving>) -> Result<Cursor, StoreError> {
        let collection = self.resource.served.collection.clone();
        let (view, cursor) = collection.follow().await?;
        let gone: Vec<Text> = self
            .known
            .keys()
            .filter(|name| !view.objects.contains_key(name.as_str()))
            .cloned()
            .collect();
        for name in gone {
            self.forget(serving, &name);
        }
        for (name, object) in view.objects {
            self.look(serving, &name, &object).await;
        }
        Ok(cursor)
    }

    async fn take_in(&mut self, serving: &Arc<Serving>, change: &Change) {
        let group = self
            .known
            .get(&change.place)
            .map(|known| known.group.clone());
        if change.deleted {
            self.forget(serving, &change.place);
            // Its names are free again.
            self.look_at_conflicts(serving, &group.unwrap_or_default())
                .await;
        } else {
            self.look(serving, &change.place, &change.object).await;
        }
    }

    fn forget(&mut self, serving: &Serving, name: &str) {
        if let Some(known) = self.known.remove(name)
            && let Some(served) = known.served
        {
            serving.registry.remove(&served);
        }
    }

    async fn look_at_conflicts(&mut self, serving: &Arc<Serving>, group: &str) {
        let names: Vec<Text> = self
            .known
            .iter()
            .filter(|(_, known)| known.conflicts && known.group == group)
            .map(|(name, _)| name.clone())
            .collect();
        let collection = self.resource.served.collection.clone();
        for name in names {
            if let Ok(Some(object)) = collection.get(&name).await {
                self.look(serving, &name, &object).await;
            }
        }
    }

    /// Looks at one definition as it is: serves it, and writes the status it should have.
    async fn look(&mut self, serving: &Arc<Serving>, name: &Text, stored: &Stored) {
        let object = match render::parse(&stored.bytes) {
            Ok(object) => object,
            Err(error) => {
                tracing::error!(name = %name, error = %error, "a definition cannot be read");
                return;
            }
        };
        let group = object.str_at(&["spec", "group"]).unwrap_or_default();
        let taken = self.taken_by_others(serving, name, group);
        let is_leaving = Meta::of(&object).is_leaving();
        let decided = if is_leaving {
            object.clone()
        } else {
            status::decide(&object, &taken, serving.clock.wall())
        };
        self.serve(serving, name, &decided);
        note(serving, stored.revision);
        if is_leaving {
            self.clean_up(serving, name, &decided);
        } else if decided != object {
            self.write_status(serving, name, &taken).await;
        }
    }

    /// Returns the names that others in the group have.
    fn taken_by_others(&self, serving: &Serving, name: &str, group: &str) -> Taken {
        let mut taken = Taken::default();
        for (other, known) in &self.known {
            if known.group == group && other != name {
                taken
                    .resources
                    .extend(known.taken.resources.iter().cloned());
                taken.kinds.extend(known.taken.kinds.iter().cloned());
            }
        }
        let table = serving.registry.table();
        let versions = table.group(ClusterId::ONLY, group);
        for version in versions.iter().flat_map(|group| &group.versions) {
            for resource in version.resources.values() {
                if resource.served.origin == Origin::BuiltIn {
                    let names = &resource.kind().names;
                    taken.resources.push(names.plural.to_string());
                    taken.resources.push(names.singular.to_string());
                    taken.kinds.push(names.kind.to_string());
                    taken.kinds.push(names.list_kind.to_string());
                }
            }
        }
        taken
    }

    /// Makes the kind of a definition and serves it, if it is established and has changed.
    fn serve(&mut self, serving: &Arc<Serving>, name: &Text, object: &Value) {
        let accepted = object
            .at(&["status", "acceptedNames"])
            .cloned()
            .unwrap_or_default();
        let is_established = status::is_true(object, "Established");
        let meta = Meta::of(object);
        let made_of = (
            meta.uid().to_owned(),
            meta.generation(),
            accepted.clone(),
            computed::ours(object),
        );
        let known = self.known.entry(name.clone()).or_default();
        known.group = Text::new(object.str_at(&["spec", "group"]).unwrap_or_default());
        known.taken = taken(&accepted);
        known.conflicts = !status::is_true(object, "NamesAccepted");
        if !is_established {
            if let Some(served) = known.served.take() {
                serving.registry.remove(&served);
            }
            known.made_of = None;
            return;
        }
        if known.made_of.as_ref() != Some(&made_of) {
            let kind = compile::kind(object, &self.shared);
            let served = serving.served(kind, Origin::Custom(name.clone()));
            serving.registry.put(&served, known.served.as_ref());
            crate::expiry::start(serving, &served);
            known.served = Some(served);
            known.made_of = Some(made_of);
        }
        if let Some(served) = &known.served
            && meta.is_leaving()
        {
            served.terminate();
        }
    }

    async fn write_status(&self, serving: &Arc<Serving>, name: &Text, taken: &Taken) {
        let now = serving.clock.wall();
        let written = rewrite(serving, &self.resource, name, Door::Status, |object| {
            // Deletion may have begun meanwhile; then the status is no longer ours.
            (!Meta::of(object).is_leaving()).then(|| status::decide(object, taken, now))
        });
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
            let outcome = clean_up(&serving, &resource, &name, served.as_ref()).await;
            report(&name, outcome);
        };
        drop(tasks.spawn("definition-cleanup", cleaning));
    }
}

/// Returns the names that a definition has.
fn taken(accepted: &Value) -> Taken {
    let text = |name: &str| accepted.str_at(&[name]).unwrap_or_default().to_owned();
    let mut resources = vec![text("plural"), text("singular")];
    resources.extend(status::texts(accepted, "shortNames"));
    resources.retain(|name| !name.is_empty());
    let mut kinds = vec![text("kind"), text("listKind")];
    kinds.retain(|name| !name.is_empty());
    Taken { resources, kinds }
}

fn report(name: &str, outcome: Result<(), Status>) {
    if let Err(status) = outcome {
        tracing::error!(name = %name, error = %status, "a definition could not be updated");
    }
}

/// Deletes all objects of a definition, waits until they are gone, and lets the definition go.
///
/// Dropping the future leaves the definition held; the next start goes on.
async fn clean_up(
    serving: &Arc<Serving>,
    resource: &Resource,
    name: &Text,
    served: Option<&Arc<Served>>,
) -> Result<(), Status> {
    let say = |is, reason, message: &str| Condition {
        kind: "Terminating",
        is,
        reason,
        message: message.to_owned(),
    };
    let now = serving.clock.wall();
    let begun = say(
        Is::True,
        "InstanceDeletionInProgress",
        "CustomResource deletion is in progress",
    );
    set_condition(serving, resource, name, begun, now).await?;
    if let Some(served) = served {
        let own = Resource {
            served: Arc::clone(served),
            place: served.kind.storage,
        };
        delete_objects(serving, &own).await?;
    }
    let done = say(
        Is::False,
        "InstanceDeletionCompleted",
        "removed all instances",
    );
    set_condition(serving, resource, name, done, now).await?;
    rewrite(serving, resource, name, Door::Main, |object| {
        let mut object = object.clone();
        let finalizers = object.at_mut(&["metadata", "finalizers"])?.as_array_mut()?;
        finalizers.retain(|one| one.as_str() != Some(CLEANUP));
        Some(object)
    })
    .await
}

async fn set_condition(
    serving: &Arc<Serving>,
    resource: &Resource,
    name: &Text,
    condition: Condition,
    now: base::WallTime,
) -> Result<(), Status> {
    rewrite(serving, resource, name, Door::Status, |object| {
        let mut object = object.clone();
        status::set(&mut object, condition.clone(), now);
        Some(object)
    })
    .await
}

/// Deletes every object and waits until the last one has gone.
async fn delete_objects(serving: &Arc<Serving>, own: &Resource) -> Result<(), Status> {
    let collection = &own.served.collection;
    let fault = |error: StoreError| faults::read(&error);
    let mut call = call(serving, own, "");
    call.verb = Verb::DeleteCollection;
    let (view, mut cursor) = collection.follow().await.map_err(fault)?;
    let items: Vec<(Text, Arc<Stored>)> = view.objects.into_iter().collect();
    let options = DeleteOptions::default();
    delete::all(serving, &mut call, own, &options, &items).await?;
    let seat = collection.sit(Interest::All);
    let gone = std::future::poll_fn(|ctx| {
        seat.wait(ctx.waker());
        match collection.step(&mut cursor, usize::MAX) {
            Step::Changes(..) | Step::Lost => {}
            Step::Ended => return std::task::Poll::Ready(()),
        }
        match collection.peek() {
            Some(view) if !view.objects.is_empty() => std::task::Poll::Pending,
            _ => std::task::Poll::Ready(()),
        }
    });
    gone.await;
    Ok(())
}

/// Changes an object of the server's own accord, going round until it is written.
async fn rewrite(
    serving: &Arc<Serving>,
    resource: &Resource,
    name: &str,
    door: Door<'_>,
    edit: impl Fn(&Value) -> Option<Value>,
) -> Result<(), Status> {
    let mut call = call(serving, resource, name);
    let mut writer = Writer::new(serving, &mut call, resource, door);
    loop {
        let Some(old) = writer.current(name).await? else {
            return Ok(());
        };
        let Some(object) = edit(&old.value) else {
            return Ok(());
        };
        if object == old.value {
            return Ok(());
        }
        let approved = writer.approve_own(object, &old)?;
        match writer.commit(approved).await? {
            Done::Is(_) => return Ok(()),
            Done::Changed(_) => writer.in_time()?,
        }
    }
}

/// Returns a call in the server's own name.
pub(crate) fn call(serving: &Serving, resource: &Resource, name: &str) -> Call {
    let GroupVersion { group, version } = resource.version().group_version.clone();
    Call {
        verb: Verb::Update,
        path: ResourcePath {
            group_version: GroupVersion { group, version },
            namespace: Text::default(),
            resource: Text::new(resource.plural()),
            name: Text::new(name),
            selected_by_name: false,
            subresource: Text::default(),
            rest: Text::default(),
            verb_by_path: false,
        },
        options: Options::default(),
        query: Default::default(),
        accepted: Accepted::default(),
        body_type: BodyType::Json,
        body: bytes::Bytes::new(),
        user: Arc::clone(&serving.own_user),
        received: serving.clock.wall(),
        deadline: None,
        warnings: Vec::new(),
        table: Arc::clone(&serving.registry.table()),
        audit_id: Text::default(),
        user_agent: Text::default(),
    }
}
