//! Tests of this room.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use api::{GroupVersion, Gvk};
use expect_test::{Expect, expect};
use schema::{Form, Generation, Kind, ListKind, Scope, Shape, Struct};

use crate::{Builtins, data, load};

fn kind<'a>(builtins: &'a Builtins, group: &str, plural: &str) -> &'a Kind {
    let found = builtins
        .kinds
        .iter()
        .find(|kind| kind.group() == group && kind.names.plural == plural);
    found.expect("the kind is built in")
}

fn structure(shape: &Shape) -> &Struct {
    match &shape.node().form {
        Form::Struct(fields) => fields,
        other => panic!("not a struct: {other:?}"),
    }
}

/// Describes the field at a path of names, which goes through lists and maps.
#[track_caller]
fn check_field(gvk: (&str, &str, &str), path: &str, expected: &Expect) {
    let builtins = load();
    let mut shape = builtins
        .shape(&Gvk::new(gvk.0, gvk.1, gvk.2))
        .expect("the kind is built in");
    let mut said = String::new();
    for name in path.split('.') {
        let field = structure(&shape).field(name).expect("the field is there");
        let node = shape.table().node(field.shape);
        said.clear();
        let proto = [field.inline[0].into(), field.inline[1].into(), field.proto];
        write!(said, "{:?} {proto:?}", field.omit).expect("strings take everything");
        if field.pointer {
            said.push_str(" pointer");
        }
        if field.required {
            said.push_str(" required");
        }
        if let Some(patch) = &field.patch {
            write!(said, " merge={} key={:?}", patch.merge, patch.merge_key)
                .expect("strings take everything");
        }
        if let Some(default) = &field.default {
            write!(said, " default={default:?}").expect("strings take everything");
        }
        let inner = match &node.form {
            Form::Struct(inner) => {
                write!(said, " struct atomic={}", inner.atomic).expect("strings take everything");
                field.shape
            }
            Form::List { item, kind } => {
                write!(said, " list {kind:?} wrapped={}", node.wrapped)
                    .expect("strings take everything");
                *item
            }
            Form::Map { value, atomic } => {
                write!(said, " map atomic={atomic}").expect("strings take everything");
                *value
            }
            Form::Scalar(scalar) => {
                write!(said, " {scalar:?}").expect("strings take everything");
                field.shape
            }
            Form::Any => field.shape,
        };
        if let Some(rules) = &shape.table().node(inner).rules {
            write!(said, " enum={}", rules.enumeration.len()).expect("strings take everything");
        }
        shape = shape.part(inner);
    }
    expected.assert_eq(&said);
}

#[test]
fn serves_as_many_kinds_as_upstream() {
    let builtins = load();
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for version in builtins.kinds.iter().flat_map(|kind| &kind.versions) {
        let count = counts.entry(version.group_version.to_string()).or_default();
        count.0 += 1;
        count.1 += version.subresources.len();
    }
    let said: String = counts
        .iter()
        .map(|(version, (kinds, subs))| format!("{version} {kinds} {subs}\n"))
        .collect();
    // Resources and subresources, counted in the discovery of kube-apiserver 1.37.1.
    expect![[r#"
        admissionregistration.k8s.io/v1 6 1
        apiextensions.k8s.io/v1 1 1
        apiregistration.k8s.io/v1 1 1
        apps/v1 5 7
        authentication.k8s.io/v1 2 0
        authorization.k8s.io/v1 4 0
        autoscaling/v1 1 1
        autoscaling/v2 1 1
        batch/v1 2 2
        certificates.k8s.io/v1 3 3
        coordination.k8s.io/v1 1 0
        discovery.k8s.io/v1 1 0
        events.k8s.io/v1 1 0
        flowcontrol.apiserver.k8s.io/v1 2 2
        networking.k8s.io/v1 5 2
        node.k8s.io/v1 1 0
        policy/v1 1 1
        rbac.authorization.k8s.io/v1 4 0
        resource.k8s.io/v1 5 2
        scheduling.k8s.io/v1 1 0
        storage.k8s.io/v1 6 2
        storagemigration.k8s.io/v1 1 1
        v1 17 22
    "#]]
    .assert_eq(&said);
    assert_eq!(builtins.versions.len(), counts.len());
    assert_eq!(builtins.facts.len(), builtins.kinds.len());
}

#[test]
fn keeps_what_go_tags_say() {
    let pod = ("", "v1", "Pod");
    check_field(
        pod,
        "metadata",
        &expect!["Empty [0, 0, 1] struct atomic=false"],
    );
    check_field(
        pod,
        "metadata.creationTimestamp",
        &expect!["Zero [0, 0, 8] Time"],
    );
    check_field(
        pod,
        "spec.containers",
        &expect![[
            r#"Never [0, 0, 2] required merge=true key=Some("name") list Map(["name"]) wrapped=false"#
        ]],
    );
    check_field(
        pod,
        "spec.containers.ports",
        &expect![[
            r#"Empty [0, 0, 6] merge=true key=Some("containerPort") list Map(["containerPort", "protocol"]) wrapped=false"#
        ]],
    );
    check_field(
        pod,
        "spec.containers.ports.protocol",
        &expect![[r#"Empty [0, 0, 4] default="TCP" String enum=3"#]],
    );
    check_field(
        pod,
        "spec.nodeSelector",
        &expect!["Empty [0, 0, 7] map atomic=true"],
    );
    check_field(
        pod,
        "spec.volumes.emptyDir",
        &expect!["Empty [2, 0, 2] pointer struct atomic=false"],
    );
    check_field(
        pod,
        "spec.volumes.emptyDir.sizeLimit",
        &expect!["Empty [0, 0, 2] pointer Quantity"],
    );
    check_field(
        pod,
        "spec.restartPolicy",
        &expect!["Empty [0, 0, 3] String enum=3"],
    );
    check_field(
        pod,
        "spec.containers.livenessProbe.grpc.service",
        &expect![[r#"Never [0, 0, 2] pointer default="" String"#]],
    );
}

#[test]
fn keeps_atomicity_inlining_and_wrapping() {
    check_field(
        ("apps", "v1", "Deployment"),
        "spec.selector",
        &expect!["Never [0, 0, 2] pointer required struct atomic=true"],
    );
    check_field(
        ("", "v1", "PersistentVolume"),
        "spec.claimRef",
        &expect!["Empty [0, 0, 4] pointer struct atomic=false"],
    );
    check_field(
        (
            "admissionregistration.k8s.io",
            "v1",
            "ValidatingAdmissionPolicy",
        ),
        "spec.matchConstraints.resourceRules.apiGroups",
        &expect!["Empty [2, 2, 1] list Atomic wrapped=false"],
    );
    check_field(
        ("authentication.k8s.io", "v1", "TokenReview"),
        "status.user.extra",
        &expect!["Empty [0, 0, 4] map atomic=false"],
    );
    check_field(
        ("", "v1", "ConfigMap"),
        "data",
        &expect!["Empty [0, 0, 2] map atomic=false"],
    );
    check_field(
        ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
        "spec.versions.schema.openAPIV3Schema.items",
        &expect!["Empty [0, 0, 24] pointer SchemaOrArray(ShapeId(1001))"],
    );
}

#[test]
fn knows_the_words_of_requests() {
    let builtins = load();
    for (group, version, kind) in [
        ("", "v1", "Status"),
        ("", "v1", "PodList"),
        ("", "v1", "PodExecOptions"),
        ("meta.k8s.io", "v1", "DeleteOptions"),
        ("meta.k8s.io", "v1", "PartialObjectMetadataList"),
        ("autoscaling", "v1", "Scale"),
        ("policy", "v1", "Eviction"),
        ("admission.k8s.io", "v1", "AdmissionReview"),
        ("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList"),
    ] {
        assert!(
            builtins.shape(&Gvk::new(group, version, kind)).is_some(),
            "{group}/{version} {kind}"
        );
    }
    assert!(builtins.shape(&Gvk::new("", "v1", "Nothing")).is_none());
    assert!(builtins.definition("io.k8s.api.core.v1.PodSpec").is_some());
}

#[test]
fn events_and_autoscalers_are_one_kind_in_two_groups_or_versions() {
    let builtins = load();
    let say = |kind: &Kind| {
        let versions = kind.versions.iter();
        let versions: Vec<String> = versions
            .map(|version| version.group_version.to_string())
            .collect();
        format!(
            "{} stores {}",
            versions.join(" "),
            kind.stored().group_version
        )
    };
    let events = kind(&builtins, "", "events");
    assert_eq!(say(events), "v1 events.k8s.io/v1 stores v1");
    let autoscalers = kind(&builtins, "autoscaling", "horizontalpodautoscalers");
    assert_eq!(
        say(autoscalers),
        "autoscaling/v2 autoscaling/v1 stores autoscaling/v2"
    );
}

#[test]
fn knows_what_strategies_allow() {
    let builtins = load();
    let pods = kind(&builtins, "", "pods");
    assert_eq!(pods.scope, Scope::Namespaced);
    assert!(pods.traits.unconditional_update && pods.traits.returns_deleted);
    assert_eq!(pods.traits.generation, Generation::Spec);
    let leases = kind(&builtins, "coordination.k8s.io", "leases");
    assert!(leases.traits.create_on_update && !leases.traits.unconditional_update);
    assert_eq!(leases.traits.generation, Generation::None);
    let services = kind(&builtins, "", "services");
    assert_eq!(services.key_prefix, "services/specs");
    let labels: Vec<String> = pods.versions[0]
        .selectable
        .iter()
        .map(|field| format!("{}={}:{}", field.label, field.path.join("."), field.absent))
        .collect();
    expect!["spec.host=spec.nodeName: spec.hostNetwork=spec.hostNetwork:false spec.nodeName=spec.nodeName: spec.restartPolicy=spec.restartPolicy: spec.schedulerName=spec.schedulerName: spec.serviceAccountName=spec.serviceAccountName: status.nominatedNodeName=status.nominatedNodeName: status.phase=status.phase: status.podIP=status.podIP:"].assert_eq(&labels.join(" "));
}

#[test]
fn an_event_without_a_source_is_selected_by_who_reports_it() {
    let builtins = load();
    let events = kind(&builtins, "", "events");
    let source = events.versions[0]
        .selectable
        .iter()
        .find(|field| field.label == "source")
        .expect("events are selected by source");
    assert_eq!(source.path.join("."), "source.component");
    assert_eq!(source.otherwise.join("."), "reportingComponent");
}

#[test]
fn every_shape_is_there_once_and_shares_one_table() {
    let builtins = load();
    let mut fields = 0;
    for version in builtins.kinds.iter().flat_map(|kind| &kind.versions) {
        assert!(Arc::ptr_eq(version.shape.table(), &builtins.table));
        let shape = structure(&version.shape);
        assert_eq!(shape.fields[0].name, "kind");
        assert_eq!(shape.fields[1].name, "apiVersion");
        assert_eq!(shape.fields[2].name, "metadata", "{:?}", shape.name);
        fields += shape.fields.len();
    }
    assert!(fields > 300, "only {fields} fields");
    assert!(
        builtins.table.len() < 2_000,
        "{} nodes",
        builtins.table.len()
    );
}

#[track_caller]
fn check_refusal(text: &str, expected: &str) {
    let error = data::read(text).expect_err("the text is wrong");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn refuses_what_it_does_not_know() {
    check_refusal("package core/v1", "line 1: its name in OpenAPI is missing");
    check_refusal("what", "line 1: unknown word 'what'");
    check_refusal(" f string 1", "line 1: it belongs to no line above it");
    check_refusal("type T", "line 1: it belongs to no line above it");
    check_refusal(
        "package p o\ntype T\n f U 1",
        "line 3: no type is called 'U'",
    );
    check_refusal(
        "package p o\ntype T\n f string 1 odd",
        "line 3: unknown word 'odd'",
    );
    check_refusal(
        "package p o\ntype T\n f string x",
        "line 3: unknown word 'x'",
    );
    check_refusal("kind v1 T p.T", "line 1: no type is called 'p.T'");
    check_refusal(
        "resource things Thing cluster",
        "line 1: it belongs to no line above it",
    );
    check_refusal(
        "version v1 1 1\nresource things Thing cluster",
        "line 2: no type is called '/v1, Kind=Thing'",
    );
    check_refusal("version v1 1 x", "line 1: unknown word 'x'");
    check_refusal(
        "version v1 1 1\n column",
        "line 2: it belongs to no line above it",
    );
}

#[test]
fn lists_say_how_their_items_are_told_apart() {
    let builtins = load();
    let pod = builtins
        .shape(&Gvk::new("", "v1", "Pod"))
        .expect("pods are built in");
    let spec = pod.part(structure(&pod).field("spec").expect("it is there").shape);
    let tolerations = structure(&spec)
        .field("topologySpreadConstraints")
        .expect("it is there");
    let Form::List { kind, .. } = &spec.part(tolerations.shape).node().form.clone() else {
        panic!("not a list");
    };
    let keys = vec!["topologyKey".into(), "whenUnsatisfiable".into()];
    assert_eq!(*kind, ListKind::Map(keys));
    let _ = GroupVersion::new("", "v1");
}
