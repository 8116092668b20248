//! What one definition among thousands costs, and what is learned without one.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use base::Clock;
use bytes::Bytes;
use http_body_util::Full;
use kit::{Change, Client};

use super::{CHANGES_MAX, Catalog, Definition, Since};

/// Definition number `number`, with these versions.
fn definition(number: usize, versions: &str, established: bool) -> Arc<Definition> {
    let versions: Vec<serde_json::Value> = versions
        .split_whitespace()
        .map(|name| serde_json::json!({"name": name, "served": true, "schema": {"type": "object"}}))
        .collect();
    let names =
        serde_json::json!({"plural": format!("kinds{number}"), "kind": format!("Kind{number}")});
    let is = if established { "True" } else { "False" };
    let text = serde_json::json!({
        "metadata": {"name": format!("kinds{number}.x.io"), "resourceVersion": "7"},
        "spec": {"group": "x.io", "scope": "Namespaced", "names": names, "versions": versions},
        "status": {"acceptedNames": names, "conditions": [{"type": "Established", "status": is}]},
    });
    Arc::new(serde_json::from_str(&text.to_string()).unwrap())
}

fn set(catalog: &Catalog, new: &Arc<Definition>) {
    catalog.define(&Change::Set { old: None, new });
}

/// A server that serves one resource of its own and one that is defined, and counts requests.
fn server() -> (Catalog, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let client = Client::in_process(tower::service_fn(
        move |request: http::Request<kube::client::Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let body = if request.uri().path() == "/api" {
                r#"{"items":[{"versions":[{"version":"v1","resources":[
                    {"resource":"pods","responseKind":{"kind":"Pod"},"scope":"Namespaced","verbs":["list"]}]}]}]}"#
            } else {
                r#"{"items":[{"metadata":{"name":"x.io"},"versions":[
                    {"version":"v2","resources":[{"resource":"kinds0","responseKind":{"kind":"Kind0"},"scope":"Namespaced",
                        "verbs":["delete","deletecollection","get","list","patch","create","update","watch"]}]},
                    {"version":"v1beta1","resources":[{"resource":"kinds0","responseKind":{"kind":"Kind0"},"scope":"Namespaced",
                        "verbs":["delete","deletecollection","get","list","patch","create","update","watch"]}]}]}]}"#
            };
            async move { Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(body)))) }
        },
    ));
    (Catalog::new(client, Clock::system()), asked)
}

#[tokio::test]
async fn what_definitions_say_is_what_discovery_says() {
    let (catalog, _) = server();
    let held = catalog.refresh().await.unwrap();
    let (seen, _) = catalog.since(0);
    set(&catalog, &definition(0, "v1beta1 v2", true));
    assert!(*catalog.held() == *held);
    catalog.refresh().await.unwrap();
    assert_eq!(
        catalog.since(seen).1,
        Since::These(vec![("x.io".into(), "kinds0".into())])
    );
    let resource = catalog.held().resource("x.io/v1", "Kind0").cloned();
    assert_eq!(resource.unwrap().path(), "/apis/x.io/v2/kinds0");
    assert!(catalog.held().resource("v1", "Pod").is_some());
}

#[tokio::test]
async fn one_definition_among_thousands_costs_what_one_costs() {
    for count in [100, 3_000] {
        let (catalog, asked) = server();
        catalog.refresh().await.unwrap();
        for number in 0..count {
            set(&catalog, &definition(number, "v1", true));
        }
        let (seen, _) = catalog.since(0);
        let before = asked.load(Ordering::Relaxed);
        // One becomes what it is not, one goes, one comes, and one stays what it is.
        set(&catalog, &definition(3, "v1 v2", true));
        catalog.define(&Change::Gone(&definition(5, "v1", true)));
        set(&catalog, &definition(count, "v1", true));
        set(&catalog, &definition(4, "v1", true));
        assert_eq!(asked.load(Ordering::Relaxed), before, "nobody is asked");
        let (_, since) = catalog.since(seen);
        let Since::These(places) = since else {
            panic!("what changed is known");
        };
        let mut places: Vec<&str> = places.iter().map(|(_, plural)| &**plural).collect();
        places.dedup();
        assert_eq!(places, ["kinds3", "kinds5", &*format!("kinds{count}")]);
        let held = catalog.held();
        let path = |kind| {
            held.resource("x.io/v1", kind)
                .map(|resource: &kit::Resource| resource.path())
        };
        assert_eq!(path("Kind3").as_deref(), Some("/apis/x.io/v2/kinds3"));
        assert_eq!(path("Kind5"), None);
    }
}

#[tokio::test]
async fn whoever_is_far_behind_looks_at_everything() {
    let (catalog, _) = server();
    set(&catalog, &definition(9, "v1", true));
    assert_eq!(*catalog.changes().borrow(), 0, "discovery comes first");
    catalog.refresh().await.unwrap();
    let place = ("x.io".into(), "kinds9".into());
    assert!(catalog.held().at(&place).is_some(), "it is not forgotten");
    assert_eq!(catalog.since(0).1, Since::Everything);
    let (seen, _) = catalog.since(0);
    assert_eq!(catalog.since(seen).1, Since::These(Vec::new()));
    for number in 0..CHANGES_MAX {
        set(&catalog, &definition(number, "v3", true));
    }
    assert_eq!(catalog.since(seen).1, Since::Everything);
    set(&catalog, &definition(9, "v3", false));
    assert!(catalog.held().at(&place).is_none(), "it is not established");
}
