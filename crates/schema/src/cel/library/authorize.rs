//! Questions to an authorizer, which the caller brings.

use std::rc::Rc;

use api::names::validate::{dns1123_label, dns1123_subdomain};

use super::{
    super::{
        extension::{Decision, Extension, Request, ResourceCheck, Subject},
        value::{Fault, Outcome, Val},
    },
    Function, extension, mismatch,
};

fn of<'r, 'a>(args: &'r [Val<'a>]) -> Option<(&'r Extension<'a>, &'r str)> {
    match args {
        [Val::Extension(value), Val::String(text)] => Some((value, text.as_str())),
        _ => None,
    }
}

fn path<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let Some((Extension::Authorizer(subject), path)) = of(args) else {
        return mismatch();
    };
    if path.trim().is_empty() {
        return Err(Fault::new("path must not be empty"));
    }
    extension(Extension::PathCheck(subject.clone(), path.into()))
}

fn group<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match of(args) {
        Some((Extension::Authorizer(subject), group)) => {
            extension(Extension::GroupCheck(subject.clone(), group.into()))
        }
        _ => mismatch(),
    }
}

fn service_account<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [
        Val::Extension(value),
        Val::String(namespace),
        Val::String(name),
    ] = args
    else {
        return mismatch();
    };
    let Extension::Authorizer(subject) = &**value else {
        return mismatch();
    };
    if !dns1123_subdomain(name.as_str()).is_empty() {
        return Err(Fault::new("Invalid service account name"));
    }
    if !dns1123_label(namespace.as_str()).is_empty() {
        return Err(Fault::new("Invalid service account namespace"));
    }
    extension(Extension::Authorizer(Subject {
        authorizer: subject.authorizer,
        service_account: Some((namespace.as_str().into(), name.as_str().into())),
    }))
}

fn resource<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let Some((Extension::GroupCheck(subject, group), resource)) = of(args) else {
        return mismatch();
    };
    if resource.trim().is_empty() {
        return Err(Fault::new("resource must not be empty"));
    }
    let check = ResourceCheck {
        group: group.to_string(),
        resource: resource.to_owned(),
        ..ResourceCheck::default()
    };
    extension(Extension::ResourceCheck(subject.clone(), check))
}

fn with<'a>(args: &[Val<'a>], change: fn(&mut ResourceCheck, String)) -> Outcome<'a> {
    let Some((Extension::ResourceCheck(subject, check), text)) = of(args) else {
        return mismatch();
    };
    let mut check = check.clone();
    change(&mut check, text.to_owned());
    extension(Extension::ResourceCheck(subject.clone(), check))
}

fn check<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let Some((asked, verb)) = of(args) else {
        return mismatch();
    };
    let (subject, request) = match asked {
        Extension::PathCheck(subject, path) => (subject, Request::Path { path, verb }),
        Extension::ResourceCheck(subject, check) => (subject, Request::Resource { check, verb }),
        _ => return mismatch(),
    };
    let account = subject.service_account.as_ref();
    let account = account.map(|(namespace, name)| (&**namespace, &**name));
    let decision = subject.authorizer.decide(account, request);
    Ok(Val::Extension(Rc::new(Extension::Decision(decision))))
}

fn decision<'a>(args: &[Val<'a>], answer: fn(&Decision) -> Val<'a>) -> Outcome<'a> {
    match args {
        [Val::Extension(value)] => match &**value {
            Extension::Decision(decision) => Ok(answer(decision)),
            _ => mismatch(),
        },
        _ => mismatch(),
    }
}

/// Functions that make up a question, ask it and look at the answer.
pub(super) fn part(name: &str) -> Option<Function> {
    Some(match name {
        "path" => path,
        "group" => group,
        "serviceAccount" => service_account,
        "resource" => resource,
        "subresource" => |args| with(args, |check, text| check.subresource = text),
        "namespace" => |args| with(args, |check, text| check.namespace = text),
        "name" => |args| with(args, |check, text| check.name = text),
        "fieldSelector" => |args| with(args, |check, text| check.field_selector = text),
        "labelSelector" => |args| with(args, |check, text| check.label_selector = text),
        "check" => check,
        "allowed" => |args| decision(args, |answer| Val::Bool(answer.allowed)),
        "reason" => |args| decision(args, |answer| Val::text(&answer.reason)),
        "errored" => |args| decision(args, |answer| Val::Bool(answer.error.is_some())),
        "error" => |args| {
            decision(args, |answer| {
                Val::text(answer.error.as_deref().unwrap_or_default())
            })
        },
        _ => return None,
    })
}
