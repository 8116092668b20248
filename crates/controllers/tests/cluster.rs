//! The controllers in a whole cluster of one process, each test in a fresh one.
//!
//! Nothing sleeps here: what is waited for is watched.

use std::time::Duration;

use base::{Clock, Rng};
use bytes::Bytes;
use kit::{
    Client, Extent, Patch,
    watch::{Event, Watch},
};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use testkit::Cluster;

/// No wait here takes a hundredth of this; past it the test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(30);

const PODS: &str = "/api/v1/namespaces/default/pods";
const SETS: &str = "/apis/apps/v1/namespaces/default/replicasets";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const CONFIGS: &str = "/api/v1/namespaces/default/configmaps";

/// Follows a collection until what it holds, as JSON by name, passes a test.
async fn until(
    client: &Client,
    collection: &str,
    what: &str,
    test: impl Fn(&[Value]) -> bool,
) -> Vec<Value> {
    let clock = Clock::system();
    let mut watch: Watch<DynamicObject> = Watch::new(
        client.clone(),
        collection.to_owned(),
        String::new(),
        Extent::Whole,
        clock.clone(),
        Rng::from_seed(1),
    );
    let mut held = std::collections::BTreeMap::new();
    let mut complete = false;
    let waiting = async {
        loop {
            match watch.next().await {
                Event::Begin => held.clear(),
                Event::Seen(object) => {
                    let name = object.metadata.name.clone();
                    held.insert(name, serde_json::to_value(object).expect("it is JSON"));
                }
                Event::Gone(object) => {
                    held.remove(&object.metadata.name);
                }
                Event::Complete(_) => complete = true,
                Event::Progress(_) => {}
            }
            let all: Vec<Value> = held.values().cloned().collect();
            if complete && test(&all) {
                return all;
            }
        }
    };
    match clock.timeout(PATIENCE, waiting).await {
        Ok(all) => all,
        Err(_) => panic!("{what} never came to pass"),
    }
}

async fn create(client: &Client, collection: &str, object: Value) -> Value {
    let body = Bytes::from(object.to_string());
    match client.create(collection, body).await {
        Ok(created) => created,
        Err(error) => panic!("{collection}: {}", error.text()),
    }
}

async fn patch(client: &Client, path: &str, patch: Value) {
    let body = Bytes::from(patch.to_string());
    let patched = client.patch::<Value>(path, Patch::Merge, body).await;
    if let Err(error) = patched {
        panic!("{path}: {}", error.text());
    }
}

async fn delete(client: &Client, path: &str, policy: &str) {
    let options = json!({"propagationPolicy": policy}).to_string();
    if let Err(error) = client.delete(path, Bytes::from(options)).await {
        panic!("{path}: {}", error.text());
    }
}

fn named<'a>(objects: &'a [Value], name: &str) -> Option<&'a Value> {
    objects
        .iter()
        .find(|object| object["metadata"]["name"] == name)
}

fn deployment(name: &str, replicas: i32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                         "spec": {"containers": [{"name": "c", "image": "i:1"}]}},
        },
    })
}

/// Makes every pod ready that is not, as a kubelet would.
async fn make_ready(client: &Client, pods: &[Value]) {
    let waiting = pods.iter().filter(|pod| {
        pod["status"]["phase"] != "Running" && pod["metadata"]["deletionTimestamp"].is_null()
    });
    for pod in waiting {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let body = json!({"status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
        let path = format!("{PODS}/{name}/status");
        let patched = client.patch::<Value>(&path, Patch::Merge, Bytes::from(body.to_string()));
        match patched.await {
            Ok(_) => {}
            // The rollout was quicker.
            Err(error) if error.is_not_found() => {}
            Err(error) => panic!("{path}: {}", error.text()),
        }
    }
}

#[tokio::test]
async fn every_namespace_is_furnished_and_stays_so() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    create(
        &client,
        "/api/v1/namespaces",
        json!({"metadata": {"name": "t"}}),
    )
    .await;
    let accounts = "/api/v1/namespaces/t/serviceaccounts";
    let first = until(&client, accounts, "the account", |all| {
        named(all, "default").is_some()
    })
    .await;
    delete(&client, &format!("{accounts}/default"), "Background").await;
    let first = first[0]["metadata"]["uid"].clone();
    until(&client, accounts, "a new account", |all| {
        named(all, "default").is_some_and(|account| account["metadata"]["uid"] != first)
    })
    .await;

    let configs = "/api/v1/namespaces/t/configmaps";
    let name = "kube-root-ca.crt";
    let right = |all: &[Value]| {
        let config = named(all, name);
        config.is_some_and(|config| {
            let text = config["data"]["ca.crt"].as_str().unwrap_or_default();
            text.starts_with("-----BEGIN CERTIFICATE-----")
        })
    };
    until(&client, configs, "the root certificates", right).await;
    let path = format!("{configs}/{name}");
    patch(
        &client,
        &path,
        json!({"data": {"ca.crt": "mine", "more": "x"}}),
    )
    .await;
    until(&client, configs, "the correction", |all| {
        right(all) && named(all, name).is_some_and(|config| config["data"].get("more").is_none())
    })
    .await;
    delete(&client, &path, "Background").await;
    until(&client, configs, "the certificates again", right).await;
    cluster.stop().await;
}

#[tokio::test]
async fn aggregated_roles_are_filled() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    create(
        &client,
        roles,
        json!({
        "metadata": {"name": "sum"}, "rules": [],
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "sum"}}]}}),
    )
    .await;
    create(
        &client,
        roles,
        json!({
        "metadata": {"name": "part", "labels": {"to": "sum"}},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    )
    .await;
    until(&client, roles, "the sum", |all| {
        named(all, "sum").is_some_and(|role| role["rules"][0]["verbs"][0] == "get")
    })
    .await;
    until(&client, roles, "the bootstrap roles", |all| {
        named(all, "view").is_some_and(|role| {
            role["rules"]
                .as_array()
                .is_some_and(|rules| !rules.is_empty())
        })
    })
    .await;
    cluster.stop().await;
}

#[tokio::test]
async fn a_deployment_rolls_from_one_template_to_the_next_and_back() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    create(&client, DEPLOYMENTS, deployment("web", 3)).await;
    let path = format!("{DEPLOYMENTS}/web");
    for (image, revision) in [("i:1", "1"), ("i:2", "2"), ("i:1", "3")] {
        if revision != "1" {
            patch(
                &client,
                &path,
                json!({"spec": {"template": {"spec":
                {"containers": [{"name": "c", "image": image}]}}}}),
            )
            .await;
        }
        let done = |all: &[Value]| {
            named(all, "web").is_some_and(|web| {
                let status = &web["status"];
                status["observedGeneration"] == web["metadata"]["generation"]
                    && status["updatedReplicas"] == 3
                    && status["replicas"] == 3
                    && status["availableReplicas"] == 3
                    && web["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
                        == revision
                    && status["conditions"].as_array().is_some_and(|conditions| {
                        conditions
                            .iter()
                            .any(|held| held["reason"] == "NewReplicaSetAvailable")
                    })
            })
        };
        let kubelet = async {
            loop {
                let pods = until(&client, PODS, "a pod that waits", |pods| {
                    pods.iter().any(|pod| pod["status"]["phase"] != "Running")
                })
                .await;
                make_ready(&client, &pods).await;
            }
        };
        tokio::select! {
            _ = until(&client, DEPLOYMENTS, "the rollout", done) => {}
            () = kubelet => unreachable!("a kubelet works for ever"),
        }
        let pods = until(&client, PODS, "three pods", |pods| pods.len() == 3).await;
        assert!(
            pods.iter()
                .all(|pod| pod["spec"]["containers"][0]["image"] == image)
        );
    }
    let sets = until(&client, SETS, "two sets", |sets| sets.len() == 2).await;
    let histories = sets.iter().filter_map(|set| {
        set["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"].as_str()
    });
    assert_eq!(histories.collect::<Vec<_>>(), ["1"]);
    cluster.stop().await;
}

#[tokio::test]
async fn a_deployment_takes_everything_with_it_in_each_order() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    for policy in ["Background", "Foreground", "Background", "Foreground"] {
        create(&client, DEPLOYMENTS, deployment("web", 20)).await;
        until(&client, PODS, "the pods", |pods| pods.len() == 20).await;
        delete(&client, &format!("{DEPLOYMENTS}/web"), policy).await;
        if policy == "Foreground" {
            until(&client, DEPLOYMENTS, "the end", |all| all.is_empty()).await;
            let pods: Value = client.get(PODS).await.expect("pods are listed");
            assert_eq!(
                pods["items"],
                json!([]),
                "the owner stays until they are gone"
            );
        }
        until(&client, PODS, "no pods", |pods| pods.is_empty()).await;
        until(&client, SETS, "no sets", |sets| sets.is_empty()).await;
        until(&client, DEPLOYMENTS, "no deployment", |all| all.is_empty()).await;
    }
    cluster.stop().await;
}

#[tokio::test]
async fn orphans_are_let_go_and_adopted_again() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    create(&client, DEPLOYMENTS, deployment("web", 3)).await;
    let before = until(&client, PODS, "the pods", |pods| pods.len() == 3).await;
    delete(&client, &format!("{DEPLOYMENTS}/web"), "Orphan").await;
    until(&client, DEPLOYMENTS, "no deployment", |all| all.is_empty()).await;
    let sets: Value = client.get(SETS).await.expect("sets are listed");
    assert!(sets["items"][0]["metadata"]["ownerReferences"].is_null());
    create(&client, DEPLOYMENTS, deployment("web", 3)).await;
    until(&client, SETS, "the adoption", |sets| {
        sets.len() == 1 && sets[0]["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
    })
    .await;
    let after = until(&client, PODS, "the same pods", |pods| pods.len() == 3).await;
    let names = |pods: &[Value]| {
        pods.iter()
            .map(|pod| pod["metadata"]["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&before), names(&after));
    cluster.stop().await;
}

async fn define_foos(client: &Client) {
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    create(client, definitions, json!({
        "metadata": {"name": "foos.x.io"},
        "spec": {"group": "x.io", "scope": "Namespaced", "names": {"plural": "foos", "kind": "Foo"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})).await;
    until(client, definitions, "the definition", |all| {
        let conditions =
            named(all, "foos.x.io").and_then(|foos| foos["status"]["conditions"].as_array());
        conditions.is_some_and(|conditions| {
            conditions
                .iter()
                .any(|held| held["type"] == "Established" && held["status"] == "True")
        })
    })
    .await;
}

#[tokio::test]
async fn custom_owners_count_and_missing_ones_do_not() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    define_foos(&client).await;
    let foos = "/apis/x.io/v1/namespaces/default/foos";
    let foo = create(
        &client,
        foos,
        json!({"apiVersion": "x.io/v1", "kind": "Foo", "metadata": {"name": "f"}}),
    )
    .await;
    let config =
        |name: &str, owners: Value| json!({"metadata": {"name": name, "ownerReferences": owners}});
    let owner =
        json!({"apiVersion": "x.io/v1", "kind": "Foo", "name": "f", "uid": foo["metadata"]["uid"]});
    let nobody = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody",
                        "uid": "11111111-1111-1111-1111-111111111111"});
    create(&client, CONFIGS, config("owned", json!([owner]))).await;
    create(&client, CONFIGS, config("both", json!([owner, nobody]))).await;
    create(&client, CONFIGS, config("lost", json!([nobody]))).await;
    until(
        &client,
        CONFIGS,
        "the lost one to go and the other to forget",
        |all| {
            let both =
                named(all, "both").and_then(|both| both["metadata"]["ownerReferences"].as_array());
            named(all, "lost").is_none() && both.is_some_and(|owners| owners.len() == 1)
        },
    )
    .await;
    delete(&client, &format!("{foos}/f"), "Background").await;
    let left = until(&client, CONFIGS, "all to go", |all| {
        named(all, "owned").is_none() && named(all, "both").is_none()
    })
    .await;
    assert!(named(&left, "kube-root-ca.crt").is_some() || left.is_empty());
    cluster.stop().await;
}

#[tokio::test]
async fn a_namespace_goes_with_all_that_is_in_it_and_says_what_holds_it() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    define_foos(&client).await;
    let namespaces = "/api/v1/namespaces";
    create(&client, namespaces, json!({"metadata": {"name": "t"}})).await;
    create(
        &client,
        "/apis/x.io/v1/namespaces/t/foos",
        json!({"apiVersion": "x.io/v1", "kind": "Foo",
        "metadata": {"name": "f", "finalizers": ["x.io/hold"]}}),
    )
    .await;
    for number in 0..50 {
        let config = json!({"metadata": {"name": format!("c{number}")}});
        create(&client, "/api/v1/namespaces/t/configmaps", config).await;
    }
    delete(&client, "/api/v1/namespaces/t", "Background").await;
    until(&client, namespaces, "the conditions", |all| {
        let conditions = named(all, "t").and_then(|t| t["status"]["conditions"].as_array());
        conditions.is_some_and(|conditions| {
            let says = |kind: &str, message: &str| {
                conditions.iter().any(|held| {
                    held["type"] == kind && held["status"] == "True" && held["message"] == message
                })
            };
            says("NamespaceContentRemaining", "Some resources are remaining: foos.x.io has 1 resource instances")
                && says("NamespaceFinalizersRemaining",
                    "Some content in the namespace has finalizers remaining: x.io/hold in 1 resource instances")
        })
    })
    .await;
    patch(
        &client,
        "/apis/x.io/v1/namespaces/t/foos/f",
        json!({"metadata": {"finalizers": null}}),
    )
    .await;
    until(&client, namespaces, "the end", |all| {
        named(all, "t").is_none()
    })
    .await;
    cluster.stop().await;
}

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const MIGRATIONS: &str = "/apis/storagemigration.k8s.io/v1/storageversionmigrations";

fn conditions(object: &Value) -> String {
    let conditions = object["status"]["conditions"].as_array();
    let lines = conditions.into_iter().flatten().map(|one| {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        format!("{}={} {}", text("type"), text("status"), text("message"))
    });
    lines.collect::<Vec<_>>().join("; ")
}

fn migration(name: &str, resource: &str) -> Value {
    json!({"metadata": {"name": name},
        "spec": {"resource": {"group": "example.com", "resource": resource}}})
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story from two versions to one")]
async fn a_stored_version_is_left_and_its_definition_forgets_it() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    let version = |name: &str, storage: bool| {
        json!({"name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema":
            {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
    };
    let definition = json!({"metadata": {"name": "foos.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList"},
        "versions": [version("v1", true), version("v2", false)]}});
    create(&client, DEFINITIONS, definition).await;
    let established = |all: &[Value]| {
        named(all, "foos.example.com")
            .is_some_and(|one| conditions(one).contains("Established=True"))
    };
    until(&client, DEFINITIONS, "the definition", established).await;
    let foos = "/apis/example.com/v1/namespaces/default/foos";
    let mut before = Vec::new();
    for number in 0..20 {
        let foo = json!({"apiVersion": "example.com/v1", "kind": "Foo",
            "metadata": {"name": format!("f{number}")}, "spec": {"n": number}});
        let made = create(&client, foos, foo).await;
        before.push(made["metadata"]["resourceVersion"].clone());
    }
    let path = format!("{DEFINITIONS}/foos.example.com");
    let changed = json!({"spec": {"versions": [version("v1", false), version("v2", true)]}});
    patch(&client, &path, changed).await;
    let known: Value = client.get(&path).await.expect("it is there");
    assert_eq!(known["status"]["storedVersions"], json!(["v1", "v2"]));
    let newest = json!({"spec": {"versions": [version("v2", true)]}});
    let body = Bytes::from(newest.to_string());
    let refused = client
        .patch::<Value>(&path, Patch::Merge, body.clone())
        .await;
    let refused = refused.expect_err("v1 is stored").text();
    assert!(
        refused.contains("missing from spec.versions; v1 was previously a storage version"),
        "{refused}"
    );

    create(&client, MIGRATIONS, migration("foos", "foos")).await;
    create(&client, MIGRATIONS, migration("foos-again", "foos")).await;
    create(&client, MIGRATIONS, migration("nothing", "nothing")).await;
    let is_over = |name: &'static str| {
        move |all: &[Value]| {
            named(all, name).is_some_and(|one| conditions(one).contains("Running=False"))
        }
    };
    let all = until(&client, MIGRATIONS, "the migration", is_over("foos")).await;
    let own = named(&all, "foos").expect("it is there");
    assert_eq!(
        conditions(own),
        "Running=False Migration completed; Succeeded=True Migration completed"
    );
    let known: Value = client.get(&path).await.expect("it is there");
    assert_eq!(known["status"]["storedVersions"], json!(["v2"]));
    assert!(
        conditions(&known).contains("StorageMigrating=False The migration has succeeded and the stored versions have been updated"),
        "{}",
        conditions(&known)
    );
    let left: Value = client
        .get(&foos.replace("v1", "v2"))
        .await
        .expect("they are served");
    let items = left["items"].as_array().expect("a list");
    assert_eq!(items.len(), 20);
    for item in items {
        let revision = &item["metadata"]["resourceVersion"];
        assert!(
            !before.contains(revision),
            "every object was written: {item}"
        );
        assert_eq!(item["metadata"]["generation"], json!(1), "and none changed");
    }
    // The second one has its turn, and finds nothing to write.
    until(&client, MIGRATIONS, "the second", is_over("foos-again")).await;
    let again: Value = client
        .get(&foos.replace("v1", "v2"))
        .await
        .expect("they are served");
    assert_eq!(again["items"], left["items"]);
    patch(&client, &path, newest).await;
    let served = |all: &[Value]| {
        named(all, "foos.example.com").is_some_and(|one| one["spec"]["versions"][0]["name"] == "v2")
    };
    until(&client, DEFINITIONS, "the old version's end", served).await;
    let gone = client.get::<Value>(foos).await.expect_err("v1 is gone");
    assert!(gone.is_not_found(), "{}", gone.text());
    let left: Value = client
        .get(&foos.replace("v1", "v2"))
        .await
        .expect("they are served");
    assert_eq!(left["items"].as_array().map(Vec::len), Some(20));
    let waits: Value = client
        .get(&format!("{MIGRATIONS}/nothing"))
        .await
        .expect("it is there");
    assert_eq!(conditions(&waits), "Running=True The migration is running");
}

#[tokio::test]
async fn what_cannot_be_migrated_is_told() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    // Questions are never stored.
    let asked = json!({"metadata": {"name": "questions"}, "spec": {"resource":
        {"group": "authorization.k8s.io", "resource": "subjectaccessreviews"}}});
    create(&client, MIGRATIONS, asked).await;
    let failed = |all: &[Value]| {
        named(all, "questions").is_some_and(|one| conditions(one).contains("Running=False"))
    };
    let all = until(&client, MIGRATIONS, "the failure", failed).await;
    assert_eq!(
        conditions(&all[0]),
        "Running=False Migration completed; Failed=True resource \"authorization.k8s.io/v1, Resource=subjectaccessreviews\" does not support discovery operations: [update patch list]"
    );
}
