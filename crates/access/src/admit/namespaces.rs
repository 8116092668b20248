//! Nothing is made where there is no namespace, or where it is going away.
//!
//! Source: k8s.io/apiserver, pkg/admission/plugin/namespace/lifecycle.

use api::{Cause, Status, Text, Value, json};

use super::{Around, Operation, Refusal, Request};
use crate::world::Resource;

const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

pub(super) fn change(
    request: &Request<'_>,
    object: &Value,
    around: &Around<'_>,
) -> Result<(), Refusal> {
    let is_namespace = request.resource == "namespaces" && request.group.is_empty();
    if is_namespace {
        let immortal = IMMORTAL.contains(&request.name) && request.subresource.is_empty();
        if request.operation == Operation::Delete && immortal {
            let why = "this namespace may not be deleted";
            return Err(Refusal::of(Status::forbidden(
                "",
                "namespaces",
                request.name,
                why,
            )));
        }
        return Ok(());
    }
    let checked = matches!(request.operation, Operation::Create | Operation::Connect);
    let review =
        request.resource == "localsubjectaccessreviews" && request.group == "authorization.k8s.io";
    if request.namespace.is_empty() || !checked || review {
        return Ok(());
    }
    let namespace = request.namespace;
    let found = around.world.get(Resource::NAMESPACES, "", namespace);
    let Some(found) = found else {
        let status = Status::not_found("", "namespaces", namespace);
        let refusal = Refusal::of(status);
        return Err(refusal.awaiting(Resource::NAMESPACES, "", namespace));
    };
    let phase = json::scan::find_str(&found, &["status", "phase"]);
    if request.operation != Operation::Create || phase != Some("Terminating") {
        return Ok(());
    }
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let mut refusal = request.forbidden(object, why);
    let cause = Cause {
        reason: Text::const_new("NamespaceTerminating"),
        message: format!("namespace {namespace} is being terminated"),
        field: "metadata.namespace".to_owned(),
    };
    refusal.status = Box::new(refusal.status.with_cause(cause));
    Err(refusal)
}
