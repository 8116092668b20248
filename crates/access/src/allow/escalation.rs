//! Nobody grants what they do not hold: the checks on writes of roles and bindings.

use api::{Status, Text, Value, quote::quote};

use super::{Allow, Attributes, Rule, rule::quoted};
use crate::{User, World, user::MASTERS};

const GROUP: &str = "rbac.authorization.k8s.io";

/// A write of a role or a binding.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Who writes.
    pub user: &'a User,
    /// `roles`, `clusterroles`, `rolebindings` or `clusterrolebindings`
    pub resource: &'a str,
    /// Namespace of the request, or nothing.
    pub namespace: &'a str,
    /// Name in the request's path; empty on create.
    pub name: &'a str,
    /// What is written.
    pub object: &'a Value,
    /// What is there already.
    pub old: Option<&'a Value>,
}

/// Checks a write of any of the four kinds; other resources pass.
///
/// # Errors
/// The 403 that upstream answers when rights would grow, a 404 if a binding's role is missing.
pub fn check(write: &Write<'_>, allow: &Allow, world: &dyn World) -> Result<(), Status> {
    if write.user.is_in(MASTERS) {
        return Ok(());
    }
    if write
        .old
        .is_some_and(|old| only_for_collector(write.object, old))
    {
        return Ok(());
    }
    match write.resource {
        "roles" | "clusterroles" => escalate(write, allow, world),
        "rolebindings" | "clusterrolebindings" => bind(write, allow, world),
        _ => Ok(()),
    }
}

/// Checks the write of a role: the writer holds its rules, or may `escalate`.
fn escalate(write: &Write<'_>, allow: &Allow, world: &dyn World) -> Result<(), Status> {
    let attributes = Attributes {
        version: "*",
        ..Attributes::resource(write.user, "escalate", GROUP, write.resource)
            .within(write.namespace)
            .named(write.name)
    };
    if allow.decide(&attributes, world).is_allowed() {
        return Ok(());
    }
    let rules = Rule::all_of(write.object);
    held(write.user, write.namespace, &rules, allow, world)
        .map_err(|why| forbidden(write, &why))?;
    let aggregates = has_aggregation(write.object) || write.old.is_some_and(has_aggregation);
    if write.resource == "clusterroles" && aggregates {
        // A selector may gather anything, so whoever sets one must hold everything.
        held(write.user, "", &full_authority(), allow, world).map_err(|_| {
            forbidden(
                write,
                "must have cluster-admin privileges to use the aggregationRule",
            )
        })?;
    }
    Ok(())
}

fn has_aggregation(role: &Value) -> bool {
    let selectors = role.at(&["aggregationRule", "clusterRoleSelectors"]);
    selectors
        .and_then(Value::as_array)
        .is_some_and(|selectors| !selectors.is_empty())
}

fn full_authority() -> [Rule; 2] {
    let all = || vec![Text::const_new("*")];
    let resources = Rule {
        verbs: all(),
        groups: all(),
        resources: all(),
        ..Rule::default()
    };
    let paths = Rule {
        verbs: all(),
        paths: all(),
        ..Rule::default()
    };
    [resources, paths]
}

/// Checks the write of a binding: the writer holds the role's rules, or may `bind` it.
fn bind(write: &Write<'_>, allow: &Allow, world: &dyn World) -> Result<(), Status> {
    let text = |name| write.object.str_at(&["roleRef", name]).unwrap_or_default();
    let (kind, name) = (text("kind"), text("name"));
    let resource = match kind {
        "ClusterRole" => "clusterroles",
        "Role" => "roles",
        _ => return missing_role(kind, name),
    };
    let attributes = Attributes {
        version: "*",
        ..Attributes::resource(write.user, "bind", GROUP, resource)
            .within(write.namespace)
            .named(name)
    };
    if allow.decide(&attributes, world).is_allowed() {
        return Ok(());
    }
    let rules = allow.rbac().role_rules(kind, name, write.namespace, world);
    let Ok(rules) = rules else {
        return missing_role(kind, name);
    };
    held(write.user, write.namespace, &rules, allow, world).map_err(|why| forbidden(write, &why))
}

fn missing_role(kind: &str, name: &str) -> Result<(), Status> {
    match kind {
        "ClusterRole" => Err(Status::not_found(GROUP, "clusterroles", name)),
        "Role" => Err(Status::not_found(GROUP, "roles", name)),
        other => Err(Status::internal(format!(
            "unsupported role reference kind: {}",
            quote(other)
        ))),
    }
}

fn forbidden(write: &Write<'_>, why: &str) -> Status {
    let name = api::Meta::of(write.object).name();
    Status::forbidden(GROUP, write.resource, name, why)
}

/// Checks that a user holds all of `rules` in a namespace (nothing: everywhere).
///
/// # Errors
/// Upstream's sentence, with the rules that are missing.
pub fn held(
    user: &User,
    namespace: &str,
    rules: &[Rule],
    allow: &Allow,
    world: &dyn World,
) -> Result<(), String> {
    let (own, unresolved) = allow.rbac().rules_for(user, namespace, world);
    let atoms = rules.iter().flat_map(Rule::atoms);
    let missing: Vec<Rule> = atoms
        .filter(|atom| !own.iter().any(|rule| rule.covers(atom)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut texts: Vec<String> = compacted(missing).iter().map(Rule::compact).collect();
    texts.sort_unstable();
    texts.dedup();
    let mut sentence = format!(
        "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        quote(&user.name),
        quoted(&user.groups),
        texts.join("\n")
    );
    if !unresolved.is_empty() {
        let unresolved = match unresolved.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        sentence.push_str(&format!("; resolution errors: [{unresolved}]"));
    }
    Err(sentence)
}

/// Joins rules that differ only in their verbs.
fn compacted(rules: Vec<Rule>) -> Vec<Rule> {
    let mut joined: Vec<Rule> = Vec::new();
    for rule in rules {
        let same = |other: &&mut Rule| {
            let simple = rule.paths.is_empty() && other.paths.is_empty();
            simple
                && other.groups == rule.groups
                && other.resources == rule.resources
                && other.names == rule.names
        };
        match joined.iter_mut().find(same) {
            Some(other) => other.verbs.extend(rule.verbs),
            None => joined.push(rule),
        }
    }
    joined
}

/// Returns whether a write changes only what the garbage collector needs: owners and finalizers.
fn only_for_collector(object: &Value, old: &Value) -> bool {
    let bare = |value: &Value| {
        let mut value = value.clone();
        for name in ["ownerReferences", "finalizers", "managedFields"] {
            value.remove_at(&["metadata", name]);
        }
        value
    };
    bare(object) == bare(old)
}
