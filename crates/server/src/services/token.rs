//! `serviceaccounts/token`: signs a token for a service account.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/registry/core/serviceaccount/storage/token.go and
//! pkg/apis/authentication/validation.

use std::time::Duration;

use access::identify::{
    ServiceAccounts,
    service_account::{Bound, Grant, Reference, reference_to},
};
use api::{
    Cause, Status, Text, Value,
    field::{self, Error, Path},
    meta::Meta,
    time,
};

use super::Asked;
use crate::{
    Answer, Call, Content,
    admit::{Ask, Operation},
    write::{body, meta},
};

/// How long a token lives that does not say.
const DEFAULT_SECONDS: i64 = 60 * 60;
const SECONDS_MIN: i64 = 10 * 60;
const SECONDS_MAX: i64 = 1 << 32;

/// What kubelets ask for on behalf of pods: such tokens live longer than they say, and are worth a
/// warning after what they say, so that old clients that do not renew them go on working.
const POD_SECONDS: i64 = 60 * 60 + 7;
const EXTENDED_SECONDS: u64 = 365 * 24 * 60 * 60;

/// Answers a `TokenRequest`.
pub(super) async fn answer(
    asked: &Asked<'_>,
    call: &mut Call,
    accounts: &ServiceAccounts,
) -> Result<Answer, Status> {
    let mut request = read(asked, call)?;
    let name = call.path.name.clone();
    let ask = Ask {
        serving: asked.serving,
        resource: asked.resource,
        operation: Operation::Create,
        subresource: "token",
    };
    ask.mutate(call, &mut request, None).await?;
    let (_, account) = asked
        .object(("", "serviceaccounts"), &call.path.namespace, &name)
        .await?;
    complete(&mut request, &account, call, accounts)?;
    check(&request)?;
    ask.validate(call, Some(&request), None).await?;
    let seconds = request
        .at(&["spec", "expirationSeconds"])
        .and_then(Value::as_int);
    let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
    let (bound, node) = bound(asked, call, &request).await?;
    let lifetime = Duration::from_secs(seconds.unsigned_abs());
    let audiences = audiences(&request);
    let is_extended = matches!(bound, Some(Bound::Pod(_)))
        && seconds == POD_SECONDS
        && audiences
            .iter()
            .all(|one| accounts.audiences().contains(one));
    let grant = Grant {
        namespace: &call.path.namespace,
        name: &name,
        uid: Meta::of(&account).uid(),
        bound,
        node,
        audiences,
        lifetime: if is_extended {
            Duration::from_secs(EXTENDED_SECONDS)
        } else {
            lifetime
        },
        warn_after: is_extended.then_some(lifetime),
    };
    let now = call.received;
    let token = asked.serving.random(|rng| accounts.sign(&grant, now, rng));
    let token = token.map_err(|error| {
        Status::internal(format!("failed to generate token: {}", base::Chain(&error)))
    })?;
    request.set_at(&["status", "token"], Value::string(token.text));
    request.set_at(
        &["status", "expirationTimestamp"],
        time::to_value(now + lifetime),
    );
    show(asked, call, request)
}

/// Reads the request, which may name nobody else.
fn read(asked: &Asked<'_>, call: &mut Call) -> Result<Value, Status> {
    let mut request = body::read(call, &asked.expected())?;
    let given = meta::text(&request, "namespace");
    if !given.is_empty() && given != call.path.namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if request
        .at(&["spec", "expirationSeconds"])
        .is_none_or(Value::is_null)
    {
        request.set_at(&["spec", "expirationSeconds"], Value::Int(DEFAULT_SECONDS));
    }
    let name = call.path.name.clone();
    let given = meta::text(&request, "name");
    if !given.is_empty() && given != name {
        let root = Path::new("metadata");
        let why = "must match the service account name if specified";
        let error = Error::invalid(&root.child("name"), given, why);
        return Err(invalid(&name, &[error]));
    }
    Ok(request)
}

/// Answers with the request as it has become.
fn show(asked: &Asked<'_>, call: &Call, mut request: Value) -> Result<Answer, Status> {
    schema::decode(
        &asked.sub.shape,
        &mut request,
        &mut schema::Unknown::ignore(),
    )
    .map_err(Status::internal)?;
    Ok(Answer::Object {
        code: 201,
        accepted: call.accepted,
        content: Content::Tree {
            value: request,
            gvk: api::Gvk {
                group_version: asked.sub.group_version.clone(),
                kind: asked.sub.kind.clone(),
            },
            shape: asked.sub.shape.clone(),
        },
    })
}

/// Fills in what the request leaves open.
fn complete(
    request: &mut Value,
    account: &Value,
    call: &Call,
    accounts: &ServiceAccounts,
) -> Result<(), Status> {
    let uid = Meta::of(account).uid();
    let given = meta::text(request, "uid");
    if !given.is_empty() && given != uid {
        let why = format!(
            "the UID in the token request ({given}) does not match the UID of the service account ({uid})"
        );
        let name = &call.path.name;
        return Err(Status::conflict(
            "authentication.k8s.io",
            "TokenRequest",
            name,
            &why,
        ));
    }
    if audiences(request).is_empty() {
        let all = accounts.audiences().iter().cloned().map(Value::String);
        request.set_at(&["spec", "audiences"], Value::Array(all.collect()));
    }
    let fields = meta::of(request);
    fields.insert("name", Value::String(call.path.name.clone()));
    fields.insert("namespace", Value::String(call.path.namespace.clone()));
    fields.insert("uid", Value::from(uid));
    fields.insert("creationTimestamp", time::to_value(call.received));
    request.remove_at(&["status"]);
    Ok(())
}

fn check(request: &Value) -> Result<(), Status> {
    let seconds = request
        .at(&["spec", "expirationSeconds"])
        .and_then(Value::as_int);
    let seconds = seconds.unwrap_or(0);
    let why = if seconds < SECONDS_MIN {
        "may not specify a duration less than 10 minutes"
    } else if seconds > SECONDS_MAX {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Ok(());
    };
    let root = Path::new("spec");
    let error = Error::invalid(&root.child("expirationSeconds"), seconds, why);
    Err(invalid("", &[error]))
}

fn invalid(name: &str, errors: &[Error]) -> Status {
    let causes: Vec<Cause> = field::causes(errors);
    Status::invalid("authentication.k8s.io", "TokenRequest", name, causes)
}

fn audiences(request: &Value) -> Vec<Text> {
    let found = request.at(&["spec", "audiences"]).and_then(Value::as_array);
    let texts = found.unwrap_or_default().iter().filter_map(Value::as_str);
    texts.map(Text::new).collect()
}

/// Returns what the token is bound to, and the node of a pod it is bound to.
async fn bound(
    asked: &Asked<'_>,
    call: &Call,
    request: &Value,
) -> Result<(Option<Bound>, Option<Reference>), Status> {
    let reference = request.at(&["spec", "boundObjectRef"]);
    let Some(reference) = reference.filter(|reference| !reference.is_null()) else {
        return Ok((None, None));
    };
    let text = |name| reference.str_at(&[name]).unwrap_or_default();
    let (version, kind, name) = (text("apiVersion"), text("kind"), text("name"));
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let namespace = call.path.namespace.as_str();
    let mut node = None;
    let (bound, uid) = match (group, kind) {
        ("", "Pod") => {
            let (_, pod) = asked.object(("", "pods"), namespace, name).await?;
            let account = pod.str_at(&["spec", "serviceAccountName"]);
            if account != Some(&call.path.name) {
                return Err(Status::bad_request(format!(
                    "cannot bind token for serviceaccount {} to pod running with different serviceaccount name.",
                    api::quote::quote(&call.path.name)
                )));
            }
            node = node_of(asked, &pod).await?;
            let pod = reference_to(&pod);
            (Bound::Pod(pod.clone()), pod.uid)
        }
        ("", "Node") => {
            let (_, node) = asked.object(("", "nodes"), "", name).await?;
            let node = reference_to(&node);
            (Bound::Node(node.clone()), node.uid)
        }
        ("", "Secret") => {
            let (_, secret) = asked.object(("", "secrets"), namespace, name).await?;
            let secret = reference_to(&secret);
            (Bound::Secret(secret.clone()), secret.uid)
        }
        _ => {
            let version = if version.contains('/') {
                version.to_owned()
            } else {
                format!("/{version}")
            };
            return Err(Status::bad_request(format!(
                "cannot bind token to object of type {version}, Kind={kind}"
            )));
        }
    };
    let wanted = text("uid");
    if !wanted.is_empty() && uid != wanted {
        let why = format!(
            "the UID in the bound object reference ({wanted}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict(group, kind, name, &why));
    }
    Ok((Some(bound), node))
}

/// Returns the node a pod runs on; one that is not known has no uid.
async fn node_of(asked: &Asked<'_>, pod: &Value) -> Result<Option<Reference>, Status> {
    let name = pod.str_at(&["spec", "nodeName"]).unwrap_or_default();
    if name.is_empty() {
        return Ok(None);
    }
    match asked.object(("", "nodes"), "", name).await {
        Ok((_, node)) => Ok(Some(reference_to(&node))),
        Err(status) if status.code == 404 => Ok(Some(Reference {
            name: Text::new(name),
            uid: Text::default(),
        })),
        Err(status) => Err(status),
    }
}
