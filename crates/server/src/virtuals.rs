//! Questions: kinds whose objects are never stored, only answered.
//!
//! The answers come from `access`; this file only knows which question goes where.

use access::reviews;
use api::{Gvk, Status, Text, Value};
use schema::{ResourceName, View};

use crate::{
    Answer, Call, Content, Form,
    admit::{Ask, Operation},
    registry::{ClusterId, Resource},
    serving::Serving,
    write::{self, body, meta},
};

/// Answers the question in the body of a create.
///
/// # Errors
/// 400 for a body that is not understood, and what the one who answers refuses.
pub(crate) async fn answer(
    serving: &Serving,
    call: &mut Call,
    resource: &Resource,
) -> Result<Answer, Status> {
    if let Some((of, subresource)) = resource.kind().traits.stands_for {
        return stand_in(serving, call, of, subresource).await;
    }
    if !matches!(call.accepted.form, Form::Object) {
        // A question has no metadata and no columns, so it is neither a table nor metadata alone.
        return Err(Status::not_acceptable(
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        ));
    }
    let version = resource.version();
    let kind = resource.kind();
    let expected = body::Expected {
        group_version: &version.group_version,
        kind: &kind.names.kind,
        shape: &version.shape,
        custom: kind.traits.custom,
    };
    let mut question = body::read(call, &expected)?;
    meta::wipe(&mut question);
    meta::of(&mut question).remove("managedFields");
    meta::settle_namespace(&mut question, kind.scope, &call.path.namespace)?;
    schema::default(&version.shape, &mut question);
    let ask = Ask {
        serving,
        resource,
        operation: Operation::Create,
        subresource: "",
    };
    ask.mutate(call, &mut question, None).await?;
    ask.validate(call, Some(&question), None).await?;
    let mut value = find(serving, call, resource, question)?;
    schema::decode(&version.shape, &mut value, &mut schema::Unknown::ignore())
        .map_err(Status::internal)?;
    let gvk: Gvk = resource.gvk();
    Ok(Answer::Object {
        code: 201,
        accepted: call.accepted,
        content: Content::Tree {
            value,
            gvk,
            shape: version.shape.clone(),
        },
    })
}

/// Changes the object that the body names through a subresource of it.
async fn stand_in(
    serving: &Serving,
    call: &mut Call,
    (group, plural): ResourceName,
    subresource: &str,
) -> Result<Answer, Status> {
    let table = serving.registry.table();
    let objects = table.find_any(ClusterId::ONLY, group, plural);
    drop(table);
    let objects = objects.ok_or_else(Status::no_such_page)?;
    let sub = objects.version().subresource(subresource);
    let sub = sub.ok_or_else(Status::no_such_page)?;
    let View::Fold(fold) = &sub.view else {
        return Err(Status::no_such_page());
    };
    let body = body::read(
        call,
        &body::Expected {
            group_version: &sub.group_version,
            kind: &sub.kind,
            shape: &sub.shape,
            custom: false,
        },
    )?;
    let name = meta::text(&body, "name");
    if name.is_empty() {
        return Err(Status::bad_request("Name parameter required."));
    }
    call.path.resource = Text::new(objects.plural());
    call.path.name = Text::new(name);
    call.path.subresource = sub.name.clone();
    write::fold(serving, call, &objects, &**fold, sub).await
}

fn find(
    serving: &Serving,
    call: &Call,
    resource: &Resource,
    question: Value,
) -> Result<Value, Status> {
    let terms = serving.terms().ok_or_else(Status::no_such_page)?;
    let (access, world) = (&terms.access, &*terms.world);
    let user = &*call.user;
    match resource.plural() {
        "selfsubjectaccessreviews" => {
            reviews::self_subject_access(question, user, &access.allow, world)
        }
        "subjectaccessreviews" => reviews::subject_access(question, &access.allow, world),
        "localsubjectaccessreviews" => {
            reviews::local_subject_access(question, &call.path.namespace, &access.allow, world)
        }
        "selfsubjectrulesreviews" => {
            reviews::self_subject_rules(question, user, &access.allow, world)
        }
        "selfsubjectreviews" => Ok(reviews::self_subject(question, user, call.received)),
        "tokenreviews" => reviews::token(question, &access.identify, world, call.received),
        _ => Err(Status::no_such_page()),
    }
}
