//! One definition among many is looked at alone, and what is printed in parts is the same.

use api::GroupVersion;
use bytes::Bytes;
use schema::openapi::{Release, Swagger};

use super::{Library, Name, Print, Shelf, print};
use crate::{registry::ClusterId, serving::tests::Bench};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// Defines kinds `from..to` of one group.
async fn define(bench: &Bench, from: usize, to: usize) {
    for number in from..to {
        let body = format!(
            r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
            "metadata":{{"name":"kinds{number}.example.com"}},
            "spec":{{"group":"example.com","scope":"Namespaced",
            "names":{{"plural":"kinds{number}","kind":"Kind{number}"}},
            "versions":[{{"name":"v1","served":true,"storage":true,"subresources":{{"status":{{}}}},
                "schema":{{"openAPIV3Schema":{{"type":"object","properties":{{"spec":{{"type":"object",
                "properties":{{"field{number}":{{"type":"string","nullable":true}}}}}}}}}}}}}}]}}}}"#
        );
        bench.ok(&format!("POST {CRDS}"), &body).await;
    }
}

/// Returns how many definitions of the group were looked at so far.
fn looked_at(shelf: &Shelf<'_>, name: &Name) -> usize {
    let kinds = shelf.kinds(name);
    kinds.iter().filter(|kind| kind.content().is_some()).count()
}

#[tokio::test]
async fn one_definition_among_many_is_looked_at_alone() {
    let bench = Bench::new();
    bench.serving.open().await.expect("the store reads");
    let library = Library::new(&[], Release::default(), Vec::new());
    let name = Name::Version(GroupVersion::new("example.com", "v1"));
    for count in [10, 60] {
        define(&bench, if count == 10 { 0 } else { 10 }, count).await;
        let table = bench.serving.registry().table();
        let shelf = Shelf::new(&table, ClusterId::ONLY);
        let before = library.hash(&shelf, &name);
        assert_eq!(library.hash(&shelf, &name), before);
        assert_eq!(looked_at(&shelf, &name), count);

        let patch = r#"merge {"spec":{"names":{"shortNames":["k"]}}}"#;
        let url = format!("PATCH {CRDS}/kinds3.example.com");
        bench
            .ok(&url, &patch.replace('k', &format!("k{count}")))
            .await;
        let table = bench.serving.registry().table();
        let shelf = Shelf::new(&table, ClusterId::ONLY);
        // Whatever the number of the others, all of them are as they were.
        assert_eq!(looked_at(&shelf, &name), count - 1);
        assert_ne!(library.hash(&shelf, &name), before);
        assert_eq!(looked_at(&shelf, &name), count);
    }
}

#[tokio::test]
async fn a_document_written_in_parts_is_the_same() {
    let bench = Bench::new();
    bench.serving.open().await.expect("the store reads");
    define(&bench, 0, 12).await;
    let library = Library::new(&[], Release::default(), Vec::new());
    let table = bench.serving.registry().table();
    let shelf = Shelf::new(&table, ClusterId::ONLY);
    let name = Name::Version(GroupVersion::new("example.com", "v1"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("JSON is text");
    let whole = text(print(&library.make(&shelf, &name)));
    let in_parts = library.document(&shelf, &name, Print::Json);
    assert!(whole.contains("com.example.v1.Kind11"), "{whole}");
    assert_eq!(text(in_parts.to_vec()), whole);

    let mut swagger = Swagger::default();
    for name in library.names(&shelf) {
        swagger.add(library.make(&shelf, &name));
    }
    let whole = Bytes::from(print(&swagger.finish(&Release::default())));
    let in_parts = library.swagger(&shelf, Print::Json);
    assert_eq!(text(in_parts.to_vec()), text(whole.to_vec()));
}
