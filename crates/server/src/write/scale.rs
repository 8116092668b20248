//! The scale of an object: how many replicas are wanted, and how many there are.
//!
//! Source: k8s.io/kubernetes, pkg/registry/apps/deployment/storage; k8s.io/apiextensions-apiserver,
//! pkg/registry/customresource/etcd.go.

use std::sync::Arc;

use api::{Cause, Gvk, Status, Text, Value, selector::LabelSelector, value};
use schema::{ScalePaths, Subresource, Unknown, View};

use super::{Old, Writer, body, managers::Applied, meta};
use crate::{
    Answer, Content, Form,
    collection::Stored,
    media::MetaVersion,
    patch::Patch,
    registry::Resource,
    render::{self, Showing},
    table,
};

/// Returns the scale subresource and its paths.
fn of(resource: &Resource) -> Result<(&Subresource, &ScalePaths), Status> {
    let found = resource.version().subresource("scale");
    match found.map(|sub| (sub, &sub.view)) {
        Some((sub, View::Scale(paths))) => Ok((sub, paths)),
        _ => Err(Status::no_such_page()),
    }
}

fn at<'a>(object: &'a Value, path: &[Text]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, name| value.get(name))
}

/// Checks that the numbers of a custom resource are numbers; upstream says so in 500s.
fn check(resource: &Resource, object: &Value) -> Result<(), Status> {
    let (_, paths) = of(resource)?;
    let printed = |path: &[Text]| {
        let names: Vec<&str> = path.iter().map(Text::as_str).collect();
        format!(".{}", names.join("."))
    };
    for path in [&paths.spec, &paths.status] {
        let Some(found) = at(object, path).filter(|found| found.as_int().is_none()) else {
            continue;
        };
        let (shown, kind) = match found {
            Value::String(text) => (text.to_string(), "string"),
            Value::Bool(flag) => (flag.to_string(), "bool"),
            Value::Float(number) => (number.to_string(), "float64"),
            Value::Null => ("<nil>".to_owned(), "<nil>"),
            Value::Object(_) => ("map[]".to_owned(), "map[string]interface {}"),
            _ => ("[]".to_owned(), "[]interface {}"),
        };
        let text = format!(
            "{} accessor error: {shown} is of the type {kind}, expected int64",
            printed(path)
        );
        return Err(Status::new(500, api::Reason::Unknown, text));
    }
    if at(object, &paths.spec).is_none() {
        return Err(Status::internal(format!(
            "the spec replicas field {} does not exist",
            api::quote::quote(&printed(&paths.spec))
        )));
    }
    Ok(())
}

/// Returns the scale of an object.
fn show(resource: &Resource, object: &Value) -> Result<Value, Status> {
    let (sub, paths) = of(resource)?;
    let number = |path: &[Text]| at(object, path).and_then(Value::as_int).unwrap_or(0);
    let mut scale = value!({
        "kind": "Scale",
        "apiVersion": (Value::string(sub.group_version.to_string())),
        "metadata": {},
        "spec": {"replicas": (number(&paths.spec))},
        "status": {"replicas": (number(&paths.status))},
    });
    for name in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let Some(known) = object.at(&["metadata", name]) {
            meta::of(&mut scale).insert(name, known.clone());
        }
    }
    let selector = at(object, &paths.selector).filter(|_| !paths.selector.is_empty());
    let selector = match selector {
        None => String::new(),
        Some(Value::String(text)) => text.to_string(),
        Some(other) => selector_text(other)?,
    };
    if !selector.is_empty() {
        scale.set_at(&["status", "selector"], Value::string(selector));
    }
    schema::decode(&sub.shape, &mut scale, &mut Unknown::ignore()).map_err(Status::internal)?;
    Ok(scale)
}

/// Prints a selector object; replication controllers have plain labels there.
fn selector_text(value: &Value) -> Result<String, Status> {
    let is_plain = value.as_object().is_some_and(|fields| {
        fields
            .iter()
            .all(|(name, value)| value.as_str().is_some() && !name.starts_with("match"))
    });
    let selector = if is_plain {
        let fields = value
            .as_object()
            .into_iter()
            .flat_map(|object| object.iter());
        LabelSelector::from_labels(
            fields.map(|(name, value)| (name, value.as_str().unwrap_or_default())),
        )
    } else {
        LabelSelector::from_value(Some(value))
            .map_err(|error| Status::bad_request(error.to_string()))?
    };
    Ok(selector.to_string())
}

/// Answers with the scale of a stored object.
pub(crate) fn get(showing: &Showing, object: &Stored) -> Result<Answer, Status> {
    let resource = &showing.resource;
    let (sub, _) = of(resource)?;
    let custom = resource.kind().traits.custom;
    if custom && matches!(showing.accepted.form, Form::Table(_)) {
        // Nobody says how a scale of theirs is printed.
        return Err(Status::not_acceptable(
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        ));
    }
    let object = render::tree(resource, object)?;
    if custom {
        check(resource, &object)?;
    }
    let value = show(resource, &object)?;
    match showing.accepted.form {
        Form::Object => {}
        Form::Table(version) => {
            let bytes = table::of_scale(&value, version, showing);
            return Ok(made(showing, bytes, version, "Table"));
        }
        Form::PartialObjectMetadata(version) | Form::PartialObjectMetadataList(version) => {
            let mut bytes = Vec::new();
            table::put_partial_scale(&value, version, &mut bytes);
            return Ok(made(showing, bytes, version, "PartialObjectMetadata"));
        }
    }
    let gvk = Gvk {
        group_version: sub.group_version.clone(),
        kind: sub.kind.clone(),
    };
    Ok(Answer::Object {
        code: 200,
        accepted: showing.accepted,
        content: Content::Tree {
            value,
            gvk,
            shape: sub.shape.clone(),
        },
    })
}

/// Answers with another form of a scale.
fn made(showing: &Showing, bytes: Vec<u8>, version: MetaVersion, kind: &str) -> Answer {
    Answer::Object {
        code: 200,
        accepted: showing.accepted,
        content: Content::Bytes {
            json: bytes.into(),
            gvk: Gvk::new("meta.k8s.io", version.as_str(), kind),
            shape: schema::Shape::any(),
        },
    }
}

pub(super) async fn answer(writer: &Writer<'_>, object: &Arc<Stored>) -> Result<Answer, Status> {
    let object = writer.shown(object).await?;
    get(&Showing::of(writer.call, writer.resource)?, &object)
}

fn expected(sub: &Subresource) -> body::Expected<'_> {
    body::Expected {
        group_version: &sub.group_version,
        kind: &sub.kind,
        shape: &sub.shape,
        custom: false,
    }
}

/// Returns the object with the number of replicas that a PUT of its scale wants.
pub(super) fn replaced(writer: &mut Writer<'_>, old: &Old) -> Result<Value, Status> {
    let (sub, _) = of(writer.resource)?;
    let mut scale = body::read(writer.call, &expected(sub))?;
    let kind = writer.resource.kind();
    meta::settle_namespace(&mut scale, kind.scope, &writer.call.path.namespace)?;
    meta::check_name(&scale, &writer.call.path.name)?;
    let shown = show(writer.resource, &old.value)?;
    let entries = writer.track_scale(sub, shown, &mut scale, old);
    take(writer, &scale, old, entries)
}

/// Returns the object with the number of replicas that a patch of its scale wants.
pub(super) fn patched(writer: &mut Writer<'_>, patch: &Patch, old: &Old) -> Result<Value, Status> {
    let (sub, _) = of(writer.resource)?;
    let shown = show(writer.resource, &old.value)?;
    let mut scale = patch.apply(writer.call, &expected(sub), shown.clone())?;
    meta::check_name(&scale, &writer.call.path.name)?;
    let entries = writer.track_scale(sub, shown, &mut scale, old);
    take(writer, &scale, old, entries)
}

/// Returns the object with the number of replicas that an apply to its scale wants.
pub(super) fn applied(
    writer: &mut Writer<'_>,
    applied: &Applied,
    old: &Old,
) -> Result<Value, Status> {
    let (sub, _) = of(writer.resource)?;
    let shown = show(writer.resource, &old.value)?;
    let (scale, entries) = writer.applied_scale(sub, applied, shown, old)?;
    take(writer, &scale, old, entries)
}

/// Puts the wanted number into the object, and who owns it.
fn take(
    writer: &Writer<'_>,
    scale: &Value,
    old: &Old,
    entries: Option<Value>,
) -> Result<Value, Status> {
    let resource = writer.resource;
    let (sub, paths) = of(resource)?;
    let name = &writer.call.path.name;
    let wanted = scale
        .at(&["spec", "replicas"])
        .and_then(Value::as_int)
        .unwrap_or(0);
    if wanted < 0 {
        let cause = Cause {
            reason: Text::const_new("FieldValueInvalid"),
            message: format!("Invalid value: {wanted}: must be greater than or equal to 0"),
            field: "spec.replicas".to_owned(),
        };
        let group = &sub.group_version.group;
        return Err(Status::invalid(group, &sub.kind, name, vec![cause]));
    }
    let uid = meta::text(scale, "uid");
    let known = meta::text(&old.value, "uid");
    if !uid.is_empty() && uid != known {
        return Err(writer.uid_differs(uid, known));
    }
    let mut object = old.value.clone();
    let path: Vec<&str> = paths.spec.iter().map(Text::as_str).collect();
    object.set_at(&path, Value::Int(wanted));
    meta::put(meta::of(&mut object), "managedFields", entries);
    // Without a version of its own, a scale applies to whatever there is.
    let version = match meta::text(scale, "resourceVersion") {
        "" => old.stored.revision.to_string(),
        given => {
            // Upstream's own text, which nobody makes a refusal of.
            if given.parse::<u64>().is_err() {
                let text = format!(
                    "strconv.ParseUint: parsing {}: invalid syntax",
                    api::quote::quote(given)
                );
                return Err(Status::new(500, api::Reason::Unknown, text));
            }
            given.to_owned()
        }
    };
    meta::of(&mut object).insert("resourceVersion", Value::string(version));
    Ok(object)
}
