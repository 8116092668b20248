//! The end of a definition: its objects are deleted first, and then it is let go.

use std::sync::Arc;

use api::{GroupVersion, Status, Text, Value};
use store::StoreError;

use super::{
    CLEANUP,
    status::{self, Condition, Is},
};
use crate::{
    Accepted, Call, Options, ResourcePath, Verb,
    collection::{Interest, Step, Stored},
    delete::{self, options::DeleteOptions},
    faults,
    registry::{Resource, Served},
    request::BodyType,
    serving::Serving,
    write::{Done, Door, Writer},
};

/// Deletes all objects of a definition, waits until they are gone, and lets the definition go.
///
/// Dropping the future leaves the definition held; the next start goes on.
pub(super) async fn clean_up(
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
pub(super) async fn rewrite(
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
