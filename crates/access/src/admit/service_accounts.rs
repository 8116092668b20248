//! Every pod runs as a service account, and finds its token.
//!
//! Source: k8s.io/kubernetes, plugin/pkg/admission/serviceaccount.

use api::{Meta, Text, Value, names::validate, value};

use super::{Around, Operation, Refusal, Request, list_at, read};
use crate::world::Resource;

const DEFAULT: &str = "default";
const MIRROR: &str = "kubernetes.io/config.mirror";
const ENFORCE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";
const VOLUME_PREFIX: &str = "kube-api-access-";
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// An hour and a mark by which injected tokens are known.
const TOKEN_SECONDS: i64 = 3607;

pub(super) fn change(
    request: &Request<'_>,
    object: &mut Value,
    around: &mut Around<'_>,
) -> Result<(), Refusal> {
    if !request.creates("", "pods") || is_mirror(object) {
        return Ok(());
    }
    if account_name(object).is_empty() {
        object.set_at(&["spec", "serviceAccountName"], Value::from(DEFAULT));
        object.set_at(&["spec", "serviceAccount"], Value::from(DEFAULT));
    }
    let account = find(request, object, around)?;
    if mounts(&account, object) {
        mount_token(object, around);
    }
    let has_pull_secrets = object.at(&["spec", "imagePullSecrets"]);
    let has_pull_secrets = has_pull_secrets
        .and_then(Value::as_array)
        .is_some_and(|secrets| !secrets.is_empty());
    if !has_pull_secrets
        && let Some(Value::Array(secrets)) = account.get("imagePullSecrets")
        && !secrets.is_empty()
    {
        let names = secrets.iter().map(|secret| {
            let name = secret.get("name").cloned().unwrap_or_default();
            value!({"name": (name)})
        });
        let secrets = Value::Array(names.collect());
        object.set_at(&["spec", "imagePullSecrets"], secrets);
    }
    Ok(())
}

pub(super) fn check(
    request: &Request<'_>,
    object: &Value,
    around: &Around<'_>,
) -> Result<(), Refusal> {
    let on_pods = request.resource == "pods" && request.group.is_empty();
    let ephemeral =
        request.operation == Operation::Update && request.subresource == "ephemeralcontainers";
    if !on_pods || !(ephemeral || request.creates("", "pods")) {
        return Ok(());
    }
    if !ephemeral && is_mirror(object) {
        return check_mirror(request, object);
    }
    if account_name(object).is_empty() {
        let name = Meta::of(object).name();
        let why = format!(
            "no service account specified for pod {}/{name}",
            request.namespace
        );
        return Err(request.forbidden(object, why));
    }
    let account = find(request, object, around)?;
    let enforced = Meta::of(&account).annotation(ENFORCE_SECRETS);
    if !matches!(enforced, Some("1" | "t" | "T" | "true" | "TRUE" | "True")) {
        return Ok(());
    }
    let limited = if ephemeral {
        limit_containers(
            &account,
            object,
            "ephemeralContainers",
            "ephemeral container",
        )
    } else {
        limit_secrets(&account, object)
    };
    limited.map_err(|why| request.forbidden(object, why))
}

fn is_mirror(pod: &Value) -> bool {
    Meta::of(pod).annotation(MIRROR).is_some()
}

fn account_name(pod: &Value) -> &str {
    pod.str_at(&["spec", "serviceAccountName"])
        .unwrap_or_default()
}

fn find(request: &Request<'_>, pod: &Value, around: &Around<'_>) -> Result<Value, Refusal> {
    let (namespace, name) = (request.namespace, account_name(pod));
    let found = around
        .world
        .get(Resource::SERVICE_ACCOUNTS, namespace, name);
    found.map(|bytes| read(&bytes)).ok_or_else(|| {
        let why = format!(
            "error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found"
        );
        let refusal = request.forbidden(pod, why);
        refusal.awaiting(Resource::SERVICE_ACCOUNTS, namespace, name)
    })
}

fn mounts(account: &Value, pod: &Value) -> bool {
    let own = pod.at(&["spec", "automountServiceAccountToken"]);
    let accounts = account.get("automountServiceAccountToken");
    let said = |value: Option<&Value>| value.and_then(Value::as_bool);
    said(own).or_else(|| said(accounts)).unwrap_or(true)
}

fn mount_token(pod: &mut Value, around: &mut Around<'_>) {
    let volumes = pod.at(&["spec", "volumes"]).and_then(Value::as_array);
    let known = volumes.unwrap_or_default().iter().find_map(|volume| {
        let name = volume.get("name")?.as_str()?;
        name.starts_with(VOLUME_PREFIX).then(|| name.to_owned())
    });
    let has_volume = known.is_some();
    let name = known.unwrap_or_else(|| validate::generate_name(VOLUME_PREFIX, around.rng));
    let mut needed = false;
    for containers in ["initContainers", "containers"] {
        let Some(Value::Array(containers)) = pod.at_mut(&["spec", containers]) else {
            continue;
        };
        for container in containers {
            let mounted = container.get("volumeMounts").and_then(Value::as_array);
            let mounted = mounted.unwrap_or_default().iter();
            let mut paths = mounted.filter_map(|mount| mount.get("mountPath")?.as_str());
            if paths.any(|path| path == MOUNT_PATH) {
                continue;
            }
            needed = true;
            list_at(container, &["volumeMounts"]).push(value!({
                "name": (name.as_str()), "readOnly": true, "mountPath": MOUNT_PATH
            }));
        }
    }
    if needed && !has_volume {
        list_at(pod, &["spec", "volumes"]).push(token_volume(&name));
    }
}

fn token_volume(name: &str) -> Value {
    value!({
        "name": (name),
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": (TOKEN_SECONDS), "path": "token"}},
                {"configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{"key": "ca.crt", "path": "ca.crt"}]
                }},
                {"downwardAPI": {"items": [{
                    "path": "namespace",
                    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
                }]}}
            ],
            "defaultMode": 420
        }
    })
}

fn check_mirror(request: &Request<'_>, pod: &Value) -> Result<(), Refusal> {
    if !account_name(pod).is_empty() {
        let why = "a mirror pod may not reference service accounts";
        return Err(request.forbidden(pod, why));
    }
    if names_secret(pod.get("spec")) {
        return Err(request.forbidden(pod, "a mirror pod may not reference secrets"));
    }
    let volumes = pod.at(&["spec", "volumes"]).and_then(Value::as_array);
    let projects_token = |volume: &Value| {
        let sources = volume
            .at(&["projected", "sources"])
            .and_then(Value::as_array);
        let mut sources = sources.unwrap_or_default().iter();
        sources.any(|source| source.get("serviceAccountToken").is_some())
    };
    if volumes.unwrap_or_default().iter().any(projects_token) {
        let why = "a mirror pod may not use ServiceAccountToken volume projections";
        return Err(request.forbidden(pod, why));
    }
    Ok(())
}

/// Returns whether anything in a pod's spec names a secret: fields called so do nothing else.
fn names_secret(value: Option<&Value>) -> bool {
    let named = |value: &Value| !matches!(value, Value::Null);
    match value {
        Some(Value::Array(items)) => items.iter().any(|item| names_secret(Some(item))),
        Some(Value::Object(object)) => object.iter().any(|(name, value)| {
            let is_reference = matches!(
                name,
                "secret"
                    | "secretRef"
                    | "secretKeyRef"
                    | "nodePublishSecretRef"
                    | "imagePullSecrets"
            );
            (is_reference && named(value)) || names_secret(Some(value))
        }),
        _ => false,
    }
}

fn names_of(object: &Value, list: &str) -> Vec<Text> {
    let items = object.get(list).and_then(Value::as_array);
    let items = items.unwrap_or_default().iter();
    items
        .filter_map(|item| item.get("name")?.as_str())
        .map(Text::new)
        .collect()
}

/// Checks that a pod uses only the secrets that its service account lists.
fn limit_secrets(account: &Value, pod: &Value) -> Result<(), String> {
    let allowed = names_of(account, "secrets");
    let account_name = Meta::of(account).name();
    let volumes = pod.at(&["spec", "volumes"]).and_then(Value::as_array);
    for volume in volumes.unwrap_or_default() {
        let Some(secret) = volume.str_at(&["secret", "secretName"]) else {
            continue;
        };
        if !allowed.iter().any(|name| name == secret) {
            return Err(format!(
                "volume with secret.secretName=\"{secret}\" is not allowed because service account {account_name} does not reference that secret"
            ));
        }
    }
    limit_containers(account, pod, "initContainers", "init container")?;
    limit_containers(account, pod, "containers", "container")?;
    let allowed = names_of(account, "imagePullSecrets");
    let used = names_of(pod.get("spec").unwrap_or(&Value::Null), "imagePullSecrets");
    for (place, secret) in used.iter().enumerate() {
        if !allowed.contains(secret) {
            return Err(format!(
                "imagePullSecrets[{place}].name=\"{secret}\" is not allowed because service account {account_name} does not reference that imagePullSecret"
            ));
        }
    }
    Ok(())
}

fn limit_containers(account: &Value, pod: &Value, list: &str, what: &str) -> Result<(), String> {
    let allowed = names_of(account, "secrets");
    let account_name = Meta::of(account).name();
    let refused = |secret: &str| !allowed.iter().any(|name| name == secret);
    let because = |secret: &str| {
        format!(
            "referencing secret.secretName=\"{secret}\" is not allowed because service account {account_name} does not reference that secret"
        )
    };
    let containers = pod.at(&["spec", list]).and_then(Value::as_array);
    for container in containers.unwrap_or_default() {
        let name = container.str_at(&["name"]).unwrap_or_default();
        let entries = |field| {
            let items = container.get(field).and_then(Value::as_array);
            items.unwrap_or_default()
        };
        for entry in entries("env") {
            let secret = entry.str_at(&["valueFrom", "secretKeyRef", "name"]);
            if let Some(secret) = secret.filter(|secret| refused(secret)) {
                let variable = entry.str_at(&["name"]).unwrap_or_default();
                return Err(format!(
                    "{what} {name} with envVar {variable} {}",
                    because(secret)
                ));
            }
        }
        for entry in entries("envFrom") {
            let secret = entry.str_at(&["secretRef", "name"]);
            if let Some(secret) = secret.filter(|secret| refused(secret)) {
                return Err(format!("{what} {name} with envFrom {}", because(secret)));
            }
        }
    }
    Ok(())
}
