//! What a cluster begins with, and which of it is missing.

use std::collections::BTreeMap;

use access::bootstrap::{Step, reconcile};
use api::{Value, value};

/// Namespaces that upstream's server creates, in its order.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// One object that a cluster begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Path of its collection: `/api/v1/namespaces`.
    pub collection: String,
    /// The object.
    pub object: Value,
    /// What becomes of one that is there already.
    pub kept: Kept,
}

/// What becomes of an object that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It belongs to the users now.
    AsFound,
    /// What is missing in it is added (roles and bindings).
    Reconciled,
    /// What is wanted of it, its metadata aside, is put right (where the server is found).
    Exact,
}

/// What is there: objects by name, by path of their collection.
pub type Seen = BTreeMap<String, BTreeMap<String, Value>>;

/// Objects of one stage may be created in any order; a later stage needs the earlier.
pub type Stage = Vec<Wanted>;

/// Returns the objects, in stages: namespaces and the range of addresses first, then what lies in
/// them. `cas` are those of the front proxy and of clients.
#[must_use]
pub fn wanted(range: Option<Wanted>, data: Vec<Wanted>, cas: (&str, &str)) -> [Stage; 2] {
    let namespaces = NAMESPACES.iter().map(|name| Wanted {
        collection: "/api/v1/namespaces".to_owned(),
        object: value!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": (*name)}
        }),
        kept: Kept::AsFound,
    });
    let mut rest = data;
    rest.push(authentication_map(cas.0, cas.1));
    [namespaces.chain(range).collect(), rest]
}

/// What aggregated servers read to know whom to trust.
/// Source: k8s.io/apiserver, pkg/server/options/authentication.go.
fn authentication_map(front_proxy_ca: &str, client_ca: &str) -> Wanted {
    let mut data = api::Object::default();
    let mut put = |name: &'static str, text: &str| {
        data.push(api::Text::const_new(name), text.into());
    };
    if !client_ca.is_empty() {
        put("client-ca-file", client_ca);
    }
    if !front_proxy_ca.is_empty() {
        put("requestheader-client-ca-file", front_proxy_ca);
        put("requestheader-allowed-names", "[\"front-proxy-client\"]");
        put("requestheader-username-headers", "[\"X-Remote-User\"]");
        put("requestheader-uid-headers", "[\"X-Remote-Uid\"]");
        put("requestheader-group-headers", "[\"X-Remote-Group\"]");
        put(
            "requestheader-extra-headers-prefix",
            "[\"X-Remote-Extra-\"]",
        );
    }
    Wanted {
        collection: "/api/v1/namespaces/kube-system/configmaps".to_owned(),
        object: value!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "extension-apiserver-authentication",
                "namespace": "kube-system"
            },
            "data": (Value::Object(data))
        }),
        kept: Kept::AsFound,
    }
}

/// Returns what is to be done about `stage`, each with its collection, in the stage's order.
#[must_use]
pub fn plan(stage: &Stage, seen: &Seen) -> Vec<(String, Step)> {
    let steps = stage.iter().map(|wanted| {
        let found = seen
            .get(&wanted.collection)
            .and_then(|objects| objects.get(name_of(&wanted.object)));
        let step = match (wanted.kept, found) {
            (Kept::AsFound, Some(_)) => Step::Keep,
            (Kept::Exact, Some(found)) if says(found, &wanted.object) => Step::Keep,
            (Kept::Exact, Some(_)) => Step::Update(wanted.object.clone()),
            _ => reconcile(&wanted.object, found),
        };
        (wanted.collection.clone(), step)
    });
    steps.filter(|(_, step)| *step != Step::Keep).collect()
}

/// Returns whether an object says what is wanted, its metadata aside.
fn says(found: &Value, wanted: &Value) -> bool {
    let parts = wanted.as_object().into_iter().flat_map(api::Object::iter);
    let mut parts = parts.filter(|(name, _)| !matches!(*name, "apiVersion" | "kind" | "metadata"));
    parts.all(|(name, value)| found.get(name) == Some(value))
}

pub(super) fn name_of(object: &Value) -> &str {
    object.str_at(&["metadata", "name"]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use api::{Value, value};

    use super::{Seen, Step, plan, wanted};
    use crate::network::Networking;

    /// `seen` lists what is there as `collection name`; `expected` names what is created.
    fn check(seen: &[(&str, &str)], expected: &[&str]) {
        let mut objects = Seen::new();
        for (collection, name) in seen {
            let known = objects.entry((*collection).to_owned()).or_default();
            known.insert((*name).to_owned(), value!({"metadata": {"name": (*name)}}));
        }
        let networking = Networking::default();
        let address = "192.0.2.1:6443".parse().expect("an address");
        let service = super::Wanted {
            collection: "/api/v1/namespaces/default/services".to_owned(),
            object: networking.service(address),
            kept: super::Kept::AsFound,
        };
        let range = super::Wanted {
            collection: "/apis/networking.k8s.io/v1/servicecidrs".to_owned(),
            object: networking.range_object(),
            kept: super::Kept::AsFound,
        };
        let stages = wanted(Some(range), vec![service], ("front", "client"));
        let created: Vec<String> = stages
            .iter()
            .flat_map(|stage| plan(stage, &objects))
            .map(|(_, step)| match step {
                Step::Create(object) => super::name_of(&object).to_owned(),
                other => panic!("only creations are expected: {other:?}"),
            })
            .collect();
        assert_eq!(created, expected);
    }

    #[test]
    fn rules_that_are_missing_are_added() {
        let collection = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
        let role = |rules: Value| value!({"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": (rules)});
        let rule = value!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]);
        let stage = vec![super::Wanted {
            collection: collection.to_owned(),
            object: role(rule.clone()),
            kept: super::Kept::Reconciled,
        }];
        let found = |object: Value| {
            let objects = [("r".to_owned(), object)].into_iter().collect();
            Seen::from([(collection.to_owned(), objects)])
        };
        assert!(plan(&stage, &found(role(rule))).is_empty());
        let steps = plan(&stage, &found(role(Value::Array(Vec::new()))));
        assert!(
            matches!(steps.as_slice(), [(_, Step::Update(_))]),
            "{steps:?}"
        );
    }

    #[test]
    fn what_must_be_exact_is_put_right() {
        let collection = "/api/v1/namespaces/default/endpoints";
        let endpoints = |address: &str| {
            let address = address.parse().expect("an address");
            Networking::default().endpoints(address).remove(0)
        };
        let stage = vec![super::Wanted {
            collection: collection.to_owned(),
            object: endpoints("192.0.2.1:6443"),
            kept: super::Kept::Exact,
        }];
        let steps = |found: Value| {
            let objects = [("kubernetes".to_owned(), found)].into_iter().collect();
            plan(&stage, &Seen::from([(collection.to_owned(), objects)]))
        };
        let mut same = endpoints("192.0.2.1:6443");
        same.set_at(&["metadata", "uid"], "u".into());
        assert!(steps(same).is_empty());
        let moved = steps(endpoints("192.0.2.2:6443"));
        assert!(
            matches!(moved.as_slice(), [(_, Step::Update(_))]),
            "{moved:?}"
        );
    }

    #[test]
    fn an_empty_store_misses_everything() {
        let all = [
            "default",
            "kube-system",
            "kube-public",
            "kube-node-lease",
            "kubernetes",
            "kubernetes",
            "extension-apiserver-authentication",
        ];
        check(&[], &all);
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let namespaces = "/api/v1/namespaces";
        check(
            &[
                (namespaces, "default"),
                (namespaces, "kube-public"),
                (namespaces, "kube-node-lease"),
                ("/api/v1/namespaces/default/services", "kubernetes"),
                ("/apis/networking.k8s.io/v1/servicecidrs", "kubernetes"),
                ("/api/v1/namespaces/kube-system/configmaps", "kubernetes"),
            ],
            &["kube-system", "extension-apiserver-authentication"],
        );
    }
}
