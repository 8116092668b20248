//! Views, heads and rules of metadata.

use base::Rng;

use super::{Head, Labels, Meta, Uid, check};
use crate::{Value, field::Path, json, names::validate::NameRule, value};

const UID: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn pod() -> Value {
    value!({
        "kind": "Pod",
        "metadata": {
            "name": "web", "namespace": "default", "uid": UID, "resourceVersion": "12345",
            "generation": 3, "creationTimestamp": "2026-11-21T12:00:00Z",
            "deletionTimestamp": "2026-11-21T13:00:00Z", "deletionGracePeriodSeconds": 30,
            "labels": {"b": "2", "a": "1"}, "annotations": {"x": "y"},
            "finalizers": ["a.io/f"],
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "odd", "controller": true},
                {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": UID, "blockOwnerDeletion": true}
            ]
        },
        "spec": {}
    })
}

fn bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    json::write(value, &mut out);
    out
}

#[test]
fn reads_metadata() {
    let pod = pod();
    let meta = Meta::of(&pod);
    assert_eq!(
        (meta.name(), meta.namespace(), meta.uid()),
        ("web", "default", UID)
    );
    assert_eq!((meta.resource_version(), meta.generation()), ("12345", 3));
    assert!(meta.is_leaving());
    assert_eq!(meta.deletion_grace_seconds(), Some(30));
    assert_eq!(meta.label("a"), Some("1"));
    assert_eq!(meta.annotation("x"), Some("y"));
    assert!(meta.has_finalizer("a.io/f"));
    assert_eq!(
        meta.controller().map(|owner| owner.kind),
        Some("ReplicaSet")
    );
    let created = meta.creation_timestamp().expect("a time");
    let deleted = meta.deletion_timestamp().expect("a time");
    assert_eq!(deleted.secs() - created.secs(), 3600);
    let nothing = Value::Null;
    let meta = Meta::of(&nothing);
    assert_eq!(
        (meta.name(), meta.generation(), meta.is_leaving()),
        ("", 0, false)
    );
}

#[test]
fn keeps_a_small_head() {
    let pod = pod();
    let bytes = bytes(&pod);
    let head = Head::scan(&bytes).expect("there is metadata");
    assert_eq!(head, Head::of(&pod, &bytes));
    assert_eq!((head.namespace(), head.name()), ("default", "web"));
    assert_eq!(head.resource_version(&bytes), "12345");
    assert_eq!(head.uid.to_string(), UID);
    assert_eq!(format!("{:?}", head.labels), r#"{"a": "1", "b": "2"}"#);
    assert_eq!(head.owners[0].uid, Uid::Other("odd".into()));
    assert!(head.owners[0].controller && head.owners[1].block_owner_deletion);
    assert!(head.has_finalizers && head.deletion_timestamp.is_some());
    assert!(size_of::<Head>() <= 136, "{}", size_of::<Head>());
    assert_eq!(Head::scan(b"{}"), None);
    let bare = Head::scan(br#"{"metadata":{"name":"x"}}"#).expect("there is metadata");
    assert_eq!((bare.resource_version(b""), bare.rv_at.clone()), ("", 0..0));
    assert!(bare.uid.is_empty());
}

#[test]
fn finds_labels() {
    let labels = Labels::new([("b", "2"), ("a", ""), ("c", "3"), ("x\0", "")]);
    let found: Vec<_> = labels.iter().collect();
    assert_eq!(found, [("a", ""), ("b", "2"), ("c", "3")]);
    assert_eq!((labels.get("a"), labels.get("c")), (Some(""), Some("3")));
    assert_eq!((labels.get("aa"), labels.get("d")), (None, None));
    assert!(Labels::default().is_empty());
    assert_eq!(Labels::default().iter().count(), 0);
}

#[test]
fn makes_uids() {
    let uid = Uid::random(&mut Rng::from_seed(7)).to_string();
    assert_eq!((uid.len(), &uid[14..15]), (36, "4"));
    assert_eq!(Uid::new(&uid).to_string(), uid);
    let upper = UID.to_uppercase();
    assert_eq!(Uid::new(&upper).to_string(), upper);
}

/// Prints what is wrong with `metadata` on create.
#[track_caller]
fn check_create(metadata: Value, expected: &[&str]) {
    let object = value!({"metadata": (metadata)});
    let path = Path::new("metadata");
    let errors = check::create(
        &object,
        check::Scope::Namespaced,
        NameRule::Subdomain,
        &path,
    );
    compare(&errors, expected);
}

#[track_caller]
fn compare(errors: &[crate::field::Error], expected: &[&str]) {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), expected.len(), "{texts:?}");
    for (text, expected) in texts.iter().zip(expected) {
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn checks_new_objects() {
    check_create(value!({"name": "a", "namespace": "b"}), &[]);
    check_create(
        value!({"generateName": "AB-", "namespace": "b.c"}),
        &[
            r#"metadata.generateName: Invalid value: "AB-": a lowercase RFC 1123 subdomain"#,
            "metadata.name: Required value: name or generateName is required",
            r#"metadata.namespace: Invalid value: "b.c": must not contain dots"#,
        ],
    );
    check_create(
        value!({
            "name": "a/b", "generation": (-1), "labels": {"a b": "-"},
            "annotations": {"A/B": "x"}, "finalizers": ["orphan", "foregroundDeletion", "x y"],
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Event", "name": "n", "uid": "u", "controller": true},
                {"apiVersion": "a/b/c", "controller": true}
            ],
            "managedFields": [{"operation": "Apply", "manager": "m"}, {}, {"operation": "X", "fieldsType": "F"}]
        }),
        &[
            r#"metadata.name: Invalid value: "a/b": a lowercase"#,
            "metadata.namespace: Required value",
            "metadata.generation: Invalid value: -1: must be greater than or equal to 0",
            r#"metadata.labels: Invalid value: "a b": name part must consist of"#,
            r#"metadata.labels: Invalid value: "-": a valid label must be"#,
            r#"metadata.ownerReferences[0]: Invalid value: {"apiVersion":"v1","kind":"Event","name":"n","uid":"u","controller":true}: /v1, Kind=Event is disallowed from being an owner"#,
            r#"metadata.ownerReferences[1].apiVersion: Invalid value: "a/b/c": must be <group>/<version> or <version>"#,
            "metadata.ownerReferences[1].kind: Required value: must not be empty",
            "metadata.ownerReferences[1].name: Required value: must not be empty",
            "metadata.ownerReferences[1].uid: Required value: must not be empty",
            "metadata.ownerReferences: Invalid value: [",
            "metadata.managedFields[1].operation: Required value: must not be empty",
            r#"metadata.managedFields[2].operation: Unsupported value: "X": supported values: "Apply", "Update""#,
            r#"metadata.managedFields[2].fieldsType: Invalid value: "F": must be `FieldsV1`"#,
            r#"metadata.finalizers: Invalid value: "x y": name part must"#,
            r#"metadata.finalizers: Invalid value: ["orphan","foregroundDeletion","x y"]: finalizer orphan and foregroundDeletion cannot be both set"#,
        ],
    );
    let big = "x".repeat(check::ANNOTATIONS_BYTES_MAX);
    check_create(
        value!({"name": "a", "namespace": "b", "annotations": {"a": (big.as_str())}}),
        &["metadata.annotations: Too long: may not be more than 262144 bytes"],
    );
    let object = value!({"metadata": {"name": "a", "namespace": "b"}});
    let path = Path::new("metadata");
    compare(
        &check::create(&object, check::Scope::Cluster, NameRule::Any, &path),
        &["metadata.namespace: Forbidden: not allowed on this type"],
    );
}

#[test]
fn checks_changes() {
    let old = pod();
    let mut new = old.clone();
    let path = Path::new("metadata");
    compare(&check::update(&new, &old, &path), &[]);
    new.set_at(
        &["metadata", "finalizers"],
        value!(["a.io/f", "c.io/g", "b.io/g"]),
    );
    new.set_at(&["metadata", "resourceVersion"], value!(""));
    new.set_at(&["metadata", "generation"], value!(2));
    new.set_at(&["metadata", "uid"], value!("other"));
    new.set_at(&["metadata", "deletionGracePeriodSeconds"], value!(5));
    new.remove_at(&["metadata", "creationTimestamp"]);
    compare(
        &check::update(&new, &old, &path),
        &[
            r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"b.io/g", "c.io/g"}"#,
            r#"metadata.resourceVersion: Invalid value: "": must be specified for an update"#,
            "metadata.generation: Invalid value: 2: must not be decremented",
            r#"metadata.uid: Invalid value: "other": field is immutable"#,
            "metadata.creationTimestamp: Invalid value: null: field is immutable",
            "metadata.deletionGracePeriodSeconds: Invalid value: 5: field is immutable",
        ],
    );
}

#[test]
fn checks_selectors_and_managers() {
    let selector = value!({
        "matchLabels": {"a b": "c"},
        "matchExpressions": [
            {"key": "a", "operator": "In"},
            {"key": "a", "operator": "Exists", "values": ["x y"]},
            {"key": "", "operator": "Gt"}
        ]
    });
    let path = Path::new("selector");
    compare(
        &check::label_selector(&selector, &path),
        &[
            r#"selector.matchLabels: Invalid value: "a b": name part"#,
            "selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            "selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            r#"selector.matchExpressions[1].values[0]: Invalid value: "x y": a valid label"#,
            r#"selector.matchExpressions[2].operator: Invalid value: "Gt": not a valid selector operator"#,
            r#"selector.matchExpressions[2].key: Invalid value: "": name part must be non-empty"#,
            r#"selector.matchExpressions[2].key: Invalid value: "": name part must consist"#,
        ],
    );
    let mut errors = Vec::new();
    check::field_manager(&"m".repeat(129), &Path::new("fieldManager"), &mut errors);
    check::field_manager("a\u{1}", &Path::new("fieldManager"), &mut errors);
    compare(
        &errors,
        &[
            "fieldManager: Too long: may not be more than 128 bytes",
            r#"fieldManager: Invalid value: "a\x01": invalid character U+0001 (at position 1)"#,
        ],
    );
}

/// Whoever matches must have the selector's mark; whoever has not does not match.
#[test]
fn a_mark_never_hides_what_a_selector_means() {
    use crate::selector::LabelSelector;
    let all: Vec<Labels> = (0..400)
        .map(|number| {
            let (app, tier) = (format!("app-{}", number % 20), format!("t{}", number % 7));
            Labels::new([("app", app.as_str()), ("tier", tier.as_str())])
        })
        .chain([Labels::default()])
        .collect();
    let mut passed = 0;
    for text in [
        "app=app-3",
        "app=app-3,tier in (t2)",
        "tier!=t1",
        "app",
        "!app",
        "app in (app-1,app-2)",
    ] {
        let selector = LabelSelector::parse(text).expect("it is a selector");
        let mark = selector.mark();
        for labels in &all {
            let matches = selector.matches(|key| labels.get(key));
            let fits = labels.mark() & mark == mark;
            assert!(fits || !matches, "{text} and {labels:?}");
            passed += usize::from(fits && !matches && text == "app=app-3");
        }
    }
    assert!(passed < 60, "{passed} of 380 others pass");
}
