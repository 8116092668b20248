//! Reads of one object.

use std::sync::Arc;

use api::Status;
use base::Clock;
use schema::Scope;
use store::Revision;

use crate::{
    Answer, Call,
    collection::{Stored, place_of},
    convert::{self, Converter},
    faults,
    list::{self, parse_revision},
    registry::Resource,
    render::Showing,
};

/// Returns the end of the key of the object a request is about.
pub(crate) fn place(call: &Call, resource: &Resource) -> api::Text {
    match resource.kind().scope {
        Scope::Cluster => call.path.name.clone(),
        Scope::Namespaced => place_of(&call.path.namespace, &call.path.name),
    }
}

/// Returns the 404 of the object a request is about.
pub(crate) fn not_found(call: &Call, resource: &Resource) -> Status {
    Status::not_found(resource.group(), resource.plural(), &call.path.name)
}

/// Answers a GET of one object.
///
/// The newest state is as cheap as any other, so `resourceVersion` only says what to wait for.
///
/// # Errors
/// 404; 504 for a revision that does not come; faults.
pub(crate) async fn get(
    (clock, converter): (&Clock, &Converter),
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Status> {
    let showing = Showing::of(call, resource)?;
    let mut object = stored(clock, call, resource).await?;
    if convert::is_needed(resource, call.accepted.form) {
        object = converter.read(resource, object).await?;
    }
    showing.answer(200, &object)
}

/// Returns the object a GET is about.
///
/// # Errors
/// As [`get`].
pub(crate) async fn stored(
    clock: &Clock,
    call: &Call,
    resource: &Resource,
) -> Result<Arc<Stored>, Status> {
    let collection = &resource.served.collection;
    if !call.options.resource_version.is_empty() {
        let revision = parse_revision(&call.options.resource_version)
            .map_err(|error| list::as_fault(&error))?;
        if revision != Revision(0) {
            list::wait_for(clock, collection, revision).await?;
        }
    }
    collection
        .get(&place(call, resource))
        .await
        .map_err(|error| faults::read(&error))?
        .ok_or_else(|| not_found(call, resource))
}
