//! Actions: a POST below a custom resource changes it as its definition says.
//!
//! What becomes of the object comes as a JSON merge patch, made of the object as it is now, and
//! takes the way of every write. If the object changes meanwhile, all of it is done again: rules,
//! patch and write.

use api::{
    Reason, Status, Value,
    field::{self, Error, Path},
    json, time,
};
use schema::{Action, Subresource, Unknown, action::Misfit, patch::merge, strict_errors};

use super::{Door, Old, Proposed, Writer};
use crate::{Answer, Call, read, registry::Resource, request::BodyType, serving::Serving};

/// Does what was posted.
///
/// # Errors
/// 400 for a body that is not understood, 404, 422 for one that breaks the rules of the parameters
/// and for an action that its own rules or its object do not allow, and what a write may be
/// refused for.
pub(crate) async fn act(
    serving: &Serving,
    call: &mut Call,
    resource: &Resource,
    sub: &Subresource,
    action: &Action,
) -> Result<Answer, Status> {
    let body = body(call)?;
    let mut request = request(call, body);
    let acting = Acting {
        resource,
        name: &sub.name,
        object: &call.path.name.clone(),
        action,
    };
    action
        .fit(&mut request)
        .map_err(|misfit| acting.misfit(misfit))?;
    let place = read::place(call, resource);
    let mut writer = Writer::new(serving, call, resource, Door::Action(&sub.name));
    loop {
        let old = writer.current(&place).await?;
        let old = old.ok_or_else(|| read::not_found(writer.call, resource))?;
        let said = writer.call.warnings.len();
        let patch = acting.patch(&old.value, &request)?;
        let proposed = writer.acted(&acting, patch, old);
        if !writer.must_go_round().await?
            && let Some(stored) = writer.replace(proposed?).await?
        {
            return writer.answer(200, &stored).await;
        }
        writer.call.warnings.truncate(said);
        writer.in_time()?;
    }
}

/// An action that is being done.
struct Acting<'a> {
    resource: &'a Resource,
    /// Name of the subresource.
    name: &'a str,
    /// Name of the object.
    object: &'a str,
    action: &'a Action,
}

impl Acting<'_> {
    /// Returns the merge patch that the action makes of an object.
    fn patch(&self, object: &Value, request: &Value) -> Result<Value, Status> {
        self.action
            .allow(object, request)
            .map_err(|refusals| self.refused(&refusals))?;
        match self.action.patch(object, request) {
            Some(patch) => patch.map_err(|why| self.refused(&[format!("expression: {why}")])),
            None => Err(Status::internal("there is nobody to ask")),
        }
    }

    /// Returns the refusal of an action that may not be taken, or that failed on this object.
    fn refused(&self, refusals: &[String]) -> Status {
        let path = Path::new(self.name);
        let errors = refusals.iter().map(|why| Error::forbidden(&path, why));
        self.invalid(&errors.collect::<Vec<Error>>())
    }

    fn misfit(&self, misfit: Misfit) -> Status {
        match misfit {
            Misfit::Unknown(paths) => {
                let unknown = paths
                    .iter()
                    .map(|path| format!("unknown field {}", api::quote::quote(path)));
                let unknown: Vec<String> = unknown.collect();
                let why = format!("strict decoding error: {}", unknown.join(", "));
                Status::bad_request(why)
            }
            Misfit::Invalid(errors) => self.invalid(&errors),
        }
    }

    fn invalid(&self, errors: &[Error]) -> Status {
        let kind = self.resource.kind();
        let causes = field::causes(errors);
        Status::invalid(kind.group(), &kind.names.kind, self.object, causes)
    }

    /// Checks that a patch leaves alone what actions do not reach; it is the fault of whoever
    /// wrote the action if it does not.
    fn check_patch(&self, patch: &Value) -> Result<(), Status> {
        let refuse = |what: String| {
            let name = self.name;
            let text = format!("the patch of the action {name} {what}");
            Err(Status::new(500, Reason::InternalError, text))
        };
        let Some(fields) = patch.as_object() else {
            return refuse("is no map".to_owned());
        };
        if let Some(name) = ["apiVersion", "kind"]
            .into_iter()
            .find(|name| fields.contains(name))
        {
            return refuse(format!("may not change {name}"));
        }
        let Some(meta) = fields.get("metadata") else {
            return Ok(());
        };
        let Some(meta) = meta.as_object() else {
            return refuse("may not change metadata as a whole".to_owned());
        };
        let mut names = meta.iter().map(|(name, _)| name);
        match names.find(|name| !matches!(*name, "labels" | "annotations")) {
            Some(name) => refuse(format!("may not change metadata.{name}")),
            None => Ok(()),
        }
    }
}

impl Writer<'_> {
    /// Returns the object as the patch of an action makes it.
    fn acted(&mut self, acting: &Acting<'_>, patch: Value, old: Old) -> Result<Proposed, Status> {
        acting.check_patch(&patch)?;
        let mut object = old.value.clone();
        merge::apply(&mut object, patch).map_err(|error| error.status())?;
        let mut unknown = Unknown::collect();
        schema::decode(self.shape(), &mut object, &mut unknown).map_err(Status::internal)?;
        self.call.warnings.extend(strict_errors(&[], &unknown));
        let mut object = self.adopt(object)?;
        self.track(Some(&old.value), &mut object)?;
        Ok(Proposed {
            object,
            old: Some(old),
        })
    }
}

/// Reads what was posted; nothing is an empty object.
fn body(call: &Call) -> Result<Value, Status> {
    let unread = |why: String| {
        Status::bad_request(format!("the body of the request could not be read: {why}"))
    };
    let strict = |why: &str| Status::bad_request(format!("strict decoding error: {why}"));
    let mut value = match call.body_type {
        _ if call.body.trim_ascii().is_empty() => Value::Null,
        BodyType::Json => {
            let parsed = json::read(&call.body).map_err(|error| unread(error.to_string()))?;
            if !parsed.duplicates.is_empty() {
                let errors = strict_errors(&parsed.duplicates, &Unknown::ignore());
                return Err(strict(&errors.join(", ")));
            }
            parsed.value
        }
        BodyType::Yaml => {
            let parsed = api::yaml::read(&call.body).map_err(|error| unread(error.to_string()))?;
            if let Some(why) = parsed.strict {
                return Err(strict(&why));
            }
            parsed.value
        }
        _ => {
            let types = "application/json, application/yaml";
            return Err(Status::unsupported_media_type(types));
        }
    };
    if value.is_null() {
        value.make_object();
    }
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(unread("it must be an object".to_owned())),
    }
}

/// Returns the request as expressions and webhooks see it.
fn request(call: &Call, body: Value) -> Value {
    let user = &call.user;
    let texts = |all: &[api::Text]| -> Value {
        Value::Array(all.iter().map(|text| Value::String(text.clone())).collect())
    };
    let mut who = Value::object();
    let fields = who.make_object();
    fields.insert("username", Value::String(user.name.clone()));
    if !user.uid.is_empty() {
        fields.insert("uid", Value::String(user.uid.clone()));
    }
    fields.insert("groups", texts(&user.groups));
    if !user.extra.is_empty() {
        let extra = user.extra.iter();
        let extra = extra.map(|(name, values)| (name.clone(), texts(values)));
        fields.insert("extra", Value::Object(extra.collect()));
    }
    api::value!({
        "name": (Value::String(call.path.name.clone())),
        "namespace": (Value::String(call.path.namespace.clone())),
        "time": (Value::string(time::format(call.received))),
        "dryRun": (Value::Bool(call.options.dry_run)),
        "userInfo": (who),
        "body": (body),
    })
}
