//! `serviceaccounts/token`: what a token of a service account says.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/registry/core/serviceaccount/storage/token.go and
//! pkg/apis/authentication/validation.

use std::time::Duration;

use api::{
    Status, Text, Value,
    field::{self, Error, Path},
    meta::Meta,
    quote::quote,
    time,
};
use schema::{
    Credential, ResourceName,
    offer::{Grant, Named, Signing, Wish},
    way::Sight,
};

/// How long a token lives that does not say.
const DEFAULT_SECONDS: i64 = 60 * 60;
const SECONDS_MIN: i64 = 10 * 60;
const SECONDS_MAX: i64 = 1 << 32;

/// What kubelets ask for on behalf of pods: such tokens live longer than they say, and are worth a
/// warning after what they say, so that old clients that do not renew them go on working.
const POD_SECONDS: i64 = 60 * 60 + 7;
const EXTENDED_SECONDS: u64 = 365 * 24 * 60 * 60;

const PODS: ResourceName = ("", "pods");
const NODES: ResourceName = ("", "nodes");
const SECRETS: ResourceName = ("", "secrets");

/// Tokens of service accounts.
#[derive(Debug)]
pub(super) struct Token;

impl Credential for Token {
    fn read(&self, wish: &Wish<'_>, request: &mut Value) -> Result<(), Status> {
        let known = Meta::of(request);
        let given = known.namespace();
        if !given.is_empty() && given != wish.namespace {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        let given = known.name();
        if !given.is_empty() && given != wish.name {
            let root = Path::new("metadata");
            let why = "must match the service account name if specified";
            let error = Error::invalid(&root.child("name"), given, why);
            return Err(invalid(wish.name, &error));
        }
        if seconds(request).is_none() {
            request.set_at(&["spec", "expirationSeconds"], Value::Int(DEFAULT_SECONDS));
        }
        Ok(())
    }

    fn complete(
        &self,
        wish: &Wish<'_>,
        request: &mut Value,
        account: &Value,
    ) -> Result<(), Status> {
        let uid = Meta::of(account).uid();
        let given = Meta::of(request).uid();
        if !given.is_empty() && given != uid {
            let why = format!(
                "the UID in the token request ({given}) does not match the UID of the service account ({uid})"
            );
            return Err(Status::conflict(
                "authentication.k8s.io",
                "TokenRequest",
                wish.name,
                &why,
            ));
        }
        if audiences(request).is_empty() {
            let all = wish.audiences.iter().cloned().map(Value::String);
            request.set_at(&["spec", "audiences"], Value::Array(all.collect()));
        }
        let created = time::to_value(wish.now);
        for (field, value) in [
            ("name", Value::from(wish.name)),
            ("namespace", Value::from(wish.namespace)),
            ("uid", Value::from(uid)),
            ("creationTimestamp", created),
        ] {
            request.set_at(&["metadata", field], value);
        }
        request.remove_at(&["status"]);
        check_seconds(seconds(request).unwrap_or(0))
    }

    fn next(
        &self,
        wish: &Wish<'_>,
        request: &Value,
        seen: &[Vec<Value>],
    ) -> Result<Signing, Status> {
        let reference = request.at(&["spec", "boundObjectRef"]);
        let Some(reference) = reference.filter(|reference| !reference.is_null()) else {
            return Ok(Signing::Sign(grant(wish, request, None, None)));
        };
        let wanted = Wanted::of(reference);
        let resource = wanted.resource()?;
        let Some(object) = seen.first().and_then(|found| found.first()) else {
            return Ok(Signing::Look(Sight::Object {
                resource,
                namespace: if resource == NODES {
                    ""
                } else {
                    wish.namespace
                }
                .to_owned(),
                name: wanted.name.to_owned(),
            }));
        };
        let mut host = None;
        if resource == PODS {
            check_account(wish, object)?;
            let node = object.str_at(&["spec", "nodeName"]).unwrap_or_default();
            host = match seen.get(1) {
                _ if node.is_empty() => None,
                None => {
                    return Ok(Signing::Look(Sight::Perhaps {
                        resource: NODES,
                        namespace: String::new(),
                        name: node.to_owned(),
                    }));
                }
                Some(found) => Some(found.first().map_or_else(
                    // A node that is not known has no uid.
                    || Named {
                        name: Text::new(node),
                        uid: Text::default(),
                    },
                    named,
                )),
            };
        }
        let bound = named(object);
        wanted.check_uid(&bound.uid)?;
        let grant = grant(wish, request, Some((resource, bound)), host);
        Ok(Signing::Sign(grant))
    }

    fn show(&self, wish: &Wish<'_>, request: &mut Value, signed: String) {
        let expires = wish.now + lifetime(request);
        request.set_at(&["status", "token"], Value::string(signed));
        request.set_at(&["status", "expirationTimestamp"], time::to_value(expires));
    }
}

/// What a request binds its token to.
struct Wanted<'a> {
    version: &'a str,
    kind: &'a str,
    name: &'a str,
    uid: &'a str,
}

impl<'a> Wanted<'a> {
    fn of(reference: &'a Value) -> Self {
        let text = |name| reference.str_at(&[name]).unwrap_or_default();
        Self {
            version: text("apiVersion"),
            kind: text("kind"),
            name: text("name"),
            uid: text("uid"),
        }
    }

    fn group(&self) -> &'a str {
        self.version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Returns where the object lies.
    ///
    /// # Errors
    /// 400 for what tokens are not bound to.
    fn resource(&self) -> Result<ResourceName, Status> {
        let (version, kind) = (self.version, self.kind);
        match (self.group(), kind) {
            ("", "Pod") => Ok(PODS),
            ("", "Node") => Ok(NODES),
            ("", "Secret") => Ok(SECRETS),
            _ => {
                let slash = if version.contains('/') { "" } else { "/" };
                Err(Status::bad_request(format!(
                    "cannot bind token to object of type {slash}{version}, Kind={kind}"
                )))
            }
        }
    }

    fn check_uid(&self, found: &str) -> Result<(), Status> {
        let wanted = self.uid;
        if wanted.is_empty() || found == wanted {
            return Ok(());
        }
        let why = format!(
            "the UID in the bound object reference ({wanted}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        Err(Status::conflict(self.group(), self.kind, self.name, &why))
    }
}

/// Checks that a pod runs as the account that is asked.
fn check_account(wish: &Wish<'_>, pod: &Value) -> Result<(), Status> {
    if pod.str_at(&["spec", "serviceAccountName"]) == Some(wish.name) {
        return Ok(());
    }
    Err(Status::bad_request(format!(
        "cannot bind token for serviceaccount {} to pod running with different serviceaccount name.",
        quote(wish.name)
    )))
}

fn check_seconds(seconds: i64) -> Result<(), Status> {
    let why = if seconds < SECONDS_MIN {
        "may not specify a duration less than 10 minutes"
    } else if seconds > SECONDS_MAX {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Ok(());
    };
    let root = Path::new("spec");
    let error = Error::invalid(&root.child("expirationSeconds"), seconds, why);
    Err(invalid("", &error))
}

/// Returns what is to be signed.
fn grant(
    wish: &Wish<'_>,
    request: &Value,
    bound: Option<(ResourceName, Named)>,
    host: Option<Named>,
) -> Grant {
    let audiences = audiences(request);
    let is_of_pod = matches!(bound, Some((PODS, _))) && seconds(request) == Some(POD_SECONDS);
    let is_extended = is_of_pod && audiences.iter().all(|one| wish.audiences.contains(one));
    let lifetime = lifetime(request);
    Grant {
        bound,
        host,
        audiences,
        lifetime: if is_extended {
            Duration::from_secs(EXTENDED_SECONDS)
        } else {
            lifetime
        },
        warn_after: is_extended.then_some(lifetime),
    }
}

fn seconds(request: &Value) -> Option<i64> {
    let seconds = request.at(&["spec", "expirationSeconds"]);
    seconds.and_then(Value::as_int)
}

/// Returns how long a token is asked for.
fn lifetime(request: &Value) -> Duration {
    let seconds = seconds(request).unwrap_or(DEFAULT_SECONDS);
    Duration::from_secs(seconds.unsigned_abs())
}

fn audiences(request: &Value) -> Vec<Text> {
    let found = request.at(&["spec", "audiences"]).and_then(Value::as_array);
    let texts = found.unwrap_or_default().iter().filter_map(Value::as_str);
    texts.map(Text::new).collect()
}

fn named(object: &Value) -> Named {
    let known = Meta::of(object);
    Named {
        name: Text::new(known.name()),
        uid: Text::new(known.uid()),
    }
}

fn invalid(name: &str, error: &Error) -> Status {
    let causes = field::causes(std::slice::from_ref(error));
    Status::invalid("authentication.k8s.io", "TokenRequest", name, causes)
}

#[cfg(test)]
mod tests;
