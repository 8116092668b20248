//! One definition among many is written alone, and what is joined is what is written whole.

use api::Text;

use super::{Discovery, Table};
use crate::{registry::ClusterId, serving::tests::Bench};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

async fn define(bench: &Bench, number: usize) {
    let body = format!(
        r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
        "metadata":{{"name":"kinds{number}.example.com"}},
        "spec":{{"group":"example.com","scope":"Namespaced",
        "names":{{"plural":"kinds{number}","kind":"Kind{number}"}},
        "versions":[{{"name":"v1","served":true,"storage":true,
            "schema":{{"openAPIV3Schema":{{"type":"object"}}}}}}]}}}}"#
    );
    bench.ok(&format!("POST {CRDS}"), &body).await;
}

/// Returns how many resources of the group were written so far.
fn written(table: &Table) -> usize {
    let group = table.group(ClusterId::ONLY, "example.com");
    let resources = group.expect("it is served").versions[0].resources.values();
    resources
        .filter(|one| one.served.was_shown(one.place))
        .count()
}

#[tokio::test]
async fn one_definition_among_many_is_written_alone() {
    let bench = Bench::new();
    bench.serving.open().await.expect("the store reads");
    let discovery = Discovery::new(Vec::new(), Text::default());
    for count in [10, 60] {
        for number in (if count == 10 { 0 } else { 10 })..count {
            define(&bench, number).await;
        }
        let table = bench.serving.registry().table();
        let before = discovery.make(&table, ClusterId::ONLY).groups;
        assert_eq!(written(&table), count);
        let again = discovery.make(&table, ClusterId::ONLY).groups;
        assert!(again.etag == before.etag && again.json == before.json);

        let url = format!("PATCH {CRDS}/kinds3.example.com");
        let patch = format!(r#"merge {{"spec":{{"names":{{"shortNames":["s{count}"]}}}}}}"#);
        bench.ok(&url, &patch).await;
        let table = bench.serving.registry().table();
        assert_eq!(written(&table), count - 1);
        let after = discovery.make(&table, ClusterId::ONLY).groups;
        assert!(after.etag != before.etag);
        let read = api::json::read(&after.json).expect("it is JSON").value;
        let text = String::from_utf8_lossy(&after.json);
        assert!(
            text.contains(&format!(r#""shortNames":["s{count}"]"#)),
            "{text}"
        );
        let items = read.get("items").and_then(api::Value::as_array);
        assert!(items.is_some_and(|items| items.len() > 1));
    }
}
