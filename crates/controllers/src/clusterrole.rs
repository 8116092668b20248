//! Fills aggregated cluster roles with the rules of the roles they select.

use std::sync::Arc;

use base::WallTime;
use kit::{
    After, Cache, Client, Controller, Error, Head, Key, Partial, Patch, Resource, Scope, Selector,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{claim::headed, write};

/// What is remembered of a cluster role.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRole {
    metadata: Head,
    #[serde(default)]
    rules: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    aggregation_rule: Option<AggregationRule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AggregationRule {
    cluster_role_selectors: Option<Vec<Selector>>,
}

impl ClusterRole {
    /// Returns the resource.
    #[must_use]
    pub fn resource() -> Resource {
        Resource::new(
            "rbac.authorization.k8s.io",
            "v1",
            "clusterroles",
            "ClusterRole",
            Scope::Cluster,
        )
    }

    /// Returns whether its rules are those of others.
    #[must_use]
    pub fn is_aggregated(&self) -> bool {
        self.aggregation_rule.is_some()
    }
}

headed!(ClusterRole);

/// Returns the rules that an aggregated role is to have, or `None` if it has them.
///
/// `all` is in the order of names. A rule that two roles have is taken once.
#[must_use]
pub fn plan(role: &ClusterRole, all: &[Arc<ClusterRole>]) -> Option<Vec<serde_json::Value>> {
    let aggregation = role.aggregation_rule.as_ref()?;
    let parse = |rules: &Option<Vec<Box<RawValue>>>| -> Vec<serde_json::Value> {
        let rules = rules.iter().flatten();
        rules
            .filter_map(|rule| serde_json::from_str(rule.get()).ok())
            .collect()
    };
    let mut wanted: Vec<serde_json::Value> = Vec::new();
    for selector in aggregation.cluster_role_selectors.iter().flatten() {
        let selected = all.iter().filter(|other| {
            other.metadata.name != role.metadata.name && selector.matches(&other.metadata.labels)
        });
        for other in selected {
            for rule in parse(&other.rules) {
                if !wanted.contains(&rule) {
                    wanted.push(rule);
                }
            }
        }
    }
    (wanted != parse(&role.rules)).then_some(wanted)
}

/// The aggregation controller.
pub struct Aggregator {
    /// Its way to the server.
    pub client: Client,
    /// Cluster roles.
    pub roles: Cache<ClusterRole>,
}

/// What was seen.
pub struct Seen {
    role: Arc<ClusterRole>,
    all: Vec<Arc<ClusterRole>>,
}

impl Controller for Aggregator {
    type Key = Key;
    type Seen = Seen;
    type Plan = Option<Vec<serde_json::Value>>;

    fn name(&self) -> &'static str {
        "clusterrole-aggregation"
    }

    fn observe(&self, key: &Key) -> Option<Seen> {
        let role = self.roles.get(key).filter(|role| role.is_aggregated())?;
        let all = self.roles.all();
        Some(Seen { role, all })
    }

    fn plan(&self, seen: &Seen, _now: WallTime) -> Self::Plan {
        plan(&seen.role, &seen.all)
    }

    async fn act(&self, key: &Key, seen: Seen, rules: Self::Plan) -> Result<After, Error> {
        let Some(rules) = rules else {
            return Ok(After::Done);
        };
        // Upstream applies with force; a merge patch of the whole list comes to the same and needs
        // no field owner.
        let version = seen.role.metadata.resource_version.to_string();
        let body = json!({"metadata": {"resourceVersion": version}, "rules": rules});
        let path = self.roles.resource().path_to("", key.name());
        let body = write::text(&body)?;
        self.client
            .patch::<Partial>(&path, Patch::Merge, body)
            .await?;
        Ok(After::Done)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ClusterRole, plan};

    /// Roles as `name:label:verbs`; a role whose verbs are `@x` aggregates those labelled `x`.
    #[track_caller]
    fn check(roles: &str, role: &str, expected: Option<&str>) {
        let roles: Vec<Arc<ClusterRole>> = roles
            .split_whitespace()
            .map(|word| {
                let parts: Vec<&str> = word.split(':').collect();
                let mut role = serde_json::json!({
                    "metadata": {"name": parts[0], "labels": {"to": parts[1]}}, "rules": []});
                for verb in parts[2].split(',').filter(|verb| !verb.is_empty()) {
                    match verb.strip_prefix('@') {
                        Some(label) => {
                            role["aggregationRule"] = serde_json::json!({"clusterRoleSelectors":
                                [{"matchLabels": {"to": label}}]});
                        }
                        None => role["rules"]
                            .as_array_mut()
                            .unwrap()
                            .push(serde_json::json!({"verbs": [verb]})),
                    }
                }
                Arc::new(serde_json::from_value(role).unwrap())
            })
            .collect();
        let role = roles
            .iter()
            .find(|held| &*held.metadata.name == role)
            .unwrap();
        let planned = plan(role, &roles).map(|rules| {
            let verbs: Vec<&str> = rules
                .iter()
                .map(|rule| rule["verbs"][0].as_str().unwrap())
                .collect();
            verbs.join(",")
        });
        assert_eq!(planned.as_deref(), expected);
    }

    #[test]
    fn joins_the_rules_of_the_selected_once() {
        check(
            "a:x:get,list b:x:list,watch c:y:delete all::@x",
            "all",
            Some("get,list,watch"),
        );
    }

    #[test]
    fn does_nothing_when_they_are_there() {
        check("a:x:get all::@x,get", "all", None);
        check("a:x:get", "a", None);
    }

    #[test]
    fn takes_back_what_is_no_longer_selected_and_never_itself() {
        check("a:y:get all::@x,get", "all", Some(""));
        check("all:x:@x,get", "all", Some(""));
    }
}
