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
mod follow;
mod leave;
mod lifetime;
mod names;
mod source;
mod status;
mod subresources;
mod wrong;

use std::{sync::Arc, time::Duration};

use api::{Value, meta::Meta};
use base::WallTime;
use schema::{Kind, Shape, View};
use store::{Revision, StoreError};

use crate::{
    registry::{ClusterId, Origin, Resource},
    render,
    serving::Serving,
};

use compile::Shared;
use follow::Definitions;

pub(crate) use definition::hold;
pub(crate) use leave::call;
pub(crate) use names::{Claims, Names};

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
    hold_built_in_names(serving);
    let shared = shared(serving, &resource);
    let mut definitions = Definitions::new(resource, shared);
    let cursor = definitions.read_all(serving).await?;
    serving.definitions.send_replace(Some(0));
    let follow = follow::follow(Arc::clone(serving), definitions, cursor);
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
        shelf: Arc::default(),
    }
}

/// Notes the names of built-in kinds, which no definition in their groups can get.
fn hold_built_in_names(serving: &Serving) {
    let table = serving.registry.table();
    for (group, versions) in &table.groups(ClusterId::ONLY) {
        let versions = versions.versions.iter();
        let resources = versions.flat_map(|version| version.resources.values());
        for resource in resources.filter(|one| one.served.origin == Origin::BuiltIn) {
            let names = names::of(&resource.kind().names);
            serving.names.hold(group, "", &[], &names);
        }
    }
}

/// Gives a new definition the status that whoever follows the definitions would give it, so that it
/// is written once and served at once. Its names are claimed until they see it.
///
/// Nothing happens in a server that does not follow definitions.
pub(crate) fn accept(serving: &Serving, object: &mut Value, now: WallTime) -> Option<Claims> {
    serving.definitions.borrow().as_ref()?;
    let group = object.str_at(&["spec", "group"])?;
    let mut decided = Value::Null;
    let claims = serving
        .names
        .claim(group, Meta::of(object).name(), |taken| {
            decided = status::decide(object, taken, now);
            decided
                .get("acceptedNames")
                .map_or_else(Vec::new, names::accepted)
        });
    object.set_at(&["status"], decided);
    Some(claims)
}

/// Says that everything up to a revision is served as it is defined.
fn note(serving: &Serving, revision: Revision) {
    serving.names.see(revision);
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
