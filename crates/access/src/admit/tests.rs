//! Each rule as a table: what is written, and what comes of it.

mod beyond_pods;

use api::{Value, json, value};
use base::{Rng, WallTime};

use super::{Admit, Around, ORDER, Operation, Place, Refusal, Request};
use crate::{
    Allow, Mode, User,
    world::{Resource, Still},
};

fn world() -> Still {
    let world = Still::new();
    let namespace = |name: &str, phase: &str| value!({"metadata": {"name": (name)}, "status": {"phase": (phase)}});
    world.put(Resource::NAMESPACES, &namespace("n", "Active"));
    world.put(Resource::NAMESPACES, &namespace("going", "Terminating"));
    world.put(
        Resource::SERVICE_ACCOUNTS,
        &value!({"metadata": {"name": "default", "namespace": "n", "uid": "u"}}),
    );
    world
}

/// A write: `who verb group/resource[/subresource][#name] [in namespace]`; the core group is `core`.
struct Written {
    result: Result<(), Refusal>,
    object: Value,
}

fn write(world: &Still, line: &str, object: Value, old: Option<&Value>) -> Written {
    let words: Vec<&str> = line.split(' ').collect();
    let user = User::named(words[0]);
    let (target, name) = words[2].split_once('#').unwrap_or((words[2], ""));
    let parts: Vec<&str> = target.split('/').collect();
    let request = Request {
        user: &user,
        operation: match words[1] {
            "create" => Operation::Create,
            "update" => Operation::Update,
            "delete" => Operation::Delete,
            _ => Operation::Connect,
        },
        group: if parts[0] == "core" { "" } else { parts[0] },
        version: "v1",
        resource: parts[1],
        subresource: parts.get(2).copied().unwrap_or_default(),
        namespace: words.get(4).copied().unwrap_or_default(),
        name,
        dry_run: false,
    };
    let admit = Admit::default();
    let allow = Allow::new(vec![Mode::Rbac]);
    let mut around = Around {
        world,
        allow: &allow,
        now: WallTime::from_secs(0),
        rng: &mut Rng::from_seed(1),
    };
    let mut object = object;
    let result = admit
        .change(&request, &mut object, old, &mut around)
        .and_then(|()| admit.check(&request, &object, old, &mut around));
    Written { result, object }
}

/// Writes and compares what lies under `path` afterwards, or the message of the refusal.
#[track_caller]
fn check(
    world: &Still,
    line: &str,
    object: Value,
    old: Option<&Value>,
    path: &[&str],
    expected: &str,
) {
    let written = write(world, line, object, old);
    let printed = match written.result {
        Ok(()) => {
            let mut out = Vec::new();
            json::write(written.object.at(path).unwrap_or(&Value::Null), &mut out);
            String::from_utf8(out).expect("text")
        }
        Err(refusal) => refusal.status.message,
    };
    assert_eq!(printed, expected);
}

#[test]
fn the_order_is_upstreams() {
    let names: Vec<String> = ORDER
        .iter()
        .map(|place| match place {
            Place::Rule(rule) => format!("{rule:?}"),
            Place::Later(name) => (*name).to_owned(),
        })
        .collect();
    let place = |name: &str| {
        names
            .iter()
            .position(|known| known == name)
            .expect("it is listed")
    };
    let pairs = [
        ("NamespaceLifecycle", "ServiceAccount"),
        ("ServiceAccount", "Priority"),
        ("Priority", "DefaultTolerationSeconds"),
        ("DefaultIngressClass", "MutatingAdmissionPolicy"),
        ("MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"),
        ("ValidatingAdmissionWebhook", "ResourceQuota"),
    ];
    for (first, second) in pairs {
        assert!(place(first) < place(second), "{first} {second}");
    }
}

#[test]
fn nothing_is_made_without_a_namespace() {
    let world = world();
    let map = || value!({"metadata": {"name": "m"}, "data": {}});
    let name = &["metadata", "name"];
    check(
        &world,
        "u create core/configmaps in n",
        map(),
        None,
        name,
        "\"m\"",
    );
    check(
        &world,
        "u create core/configmaps in gone",
        map(),
        None,
        name,
        "namespaces \"gone\" not found",
    );
    check(
        &world,
        "u update core/configmaps#m in going",
        map(),
        None,
        name,
        "\"m\"",
    );
    check(
        &world,
        "u delete core/configmaps#m in gone",
        Value::Null,
        None,
        &[],
        "null",
    );
    check(
        &world,
        "u connect core/pods/exec#m in gone",
        Value::Null,
        None,
        &[],
        "namespaces \"gone\" not found",
    );
    check(
        &world,
        "u connect core/pods/exec#m in going",
        Value::Null,
        None,
        &[],
        "null",
    );
    check(
        &world,
        "u create authorization.k8s.io/localsubjectaccessreviews in gone",
        map(),
        None,
        name,
        "\"m\"",
    );
    check(&world, "u create core/nodes", map(), None, name, "\"m\"");
}

#[test]
fn says_why_nothing_is_made() {
    let world = world();
    let map = || value!({"metadata": {"name": "m"}, "data": {}});
    let refused = write(&world, "u create core/configmaps in gone", map(), None)
        .result
        .unwrap_err();
    assert_eq!(refused.awaits.map(|one| one.name), Some("gone".to_owned()));
    let refused = write(&world, "u create core/configmaps in going", map(), None)
        .result
        .unwrap_err();
    assert_eq!(
        refused.status.message,
        "configmaps \"m\" is forbidden: unable to create new content in namespace going because it is being terminated"
    );
    let cause = &refused.status.details.expect("details").causes[0];
    assert_eq!(
        (cause.reason.as_str(), cause.field.as_str()),
        ("NamespaceTerminating", "metadata.namespace")
    );
    assert_eq!(cause.message, "namespace going is being terminated");
    let generated = value!({"metadata": {"generateName": "m-"}});
    check(
        &world,
        "u create core/configmaps in going",
        generated,
        None,
        &[],
        "configmaps \"m-\" is forbidden: unable to create new content in namespace going because it is being terminated",
    );
}

#[test]
fn some_namespaces_stay() {
    let world = world();
    for name in ["default", "kube-system", "kube-public"] {
        let line = format!("u delete core/namespaces#{name} in {name}");
        let expected =
            format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted");
        check(&world, &line, Value::Null, None, &[], &expected);
    }
    check(
        &world,
        "u delete core/namespaces#n in n",
        Value::Null,
        None,
        &[],
        "null",
    );
}

fn pod(spec: Value) -> Value {
    value!({"metadata": {"name": "p"}, "spec": (spec)})
}

const CREATE_POD: &str = "u create core/pods in n";

#[test]
fn a_pod_runs_as_a_service_account() {
    let world = world();
    let simple = || pod(value!({"containers": [{"name": "c"}]}));
    check(
        &world,
        CREATE_POD,
        simple(),
        None,
        &["spec", "serviceAccountName"],
        "\"default\"",
    );
    check(
        &world,
        CREATE_POD,
        simple(),
        None,
        &["spec", "serviceAccount"],
        "\"default\"",
    );
    let written = write(&world, CREATE_POD, simple(), None).object;
    let volumes = written
        .at(&["spec", "volumes"])
        .and_then(Value::as_array)
        .expect("volumes");
    let name = volumes[0].str_at(&["name"]).expect("a name").to_owned();
    assert!(
        name.starts_with("kube-api-access-") && name.len() == 21,
        "{name}"
    );
    let mut out = Vec::new();
    json::write(&volumes[0], &mut out);
    let expected = format!(
        concat!(
            r#"{{"name":"{name}","projected":{{"sources":[{{"serviceAccountToken":{{"expirationSeconds":3607,"path":"token"}}}},"#,
            r#"{{"configMap":{{"name":"kube-root-ca.crt","items":[{{"key":"ca.crt","path":"ca.crt"}}]}}}},"#,
            r#"{{"downwardAPI":{{"items":[{{"path":"namespace","fieldRef":{{"apiVersion":"v1","fieldPath":"metadata.namespace"}}}}]}}}}],"#,
            r#""defaultMode":420}}}}"#
        ),
        name = name
    );
    assert_eq!(String::from_utf8(out).expect("text"), expected);
    let mounts = written
        .at(&["spec", "containers"])
        .and_then(Value::as_array)
        .expect("containers");
    assert_eq!(
        format!("{:?}", mounts[0].get("volumeMounts").expect("mounts")),
        format!(
            r#"[{{"name": "{name}", "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}}]"#
        )
    );
}

#[test]
fn a_token_is_mounted_only_where_it_is_wanted() {
    let world = world();
    let volumes = &["spec", "volumes"];
    let refused =
        pod(value!({"automountServiceAccountToken": false, "containers": [{"name": "c"}]}));
    check(&world, CREATE_POD, refused, None, volumes, "null");
    let mounted = pod(value!({"containers": [{"name": "c", "volumeMounts": [
        {"name": "mine", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}]}));
    check(&world, CREATE_POD, mounted, None, volumes, "null");
    let known = pod(
        value!({"volumes": [{"name": "kube-api-access-zzzzz"}], "containers": [{"name": "c"}]}),
    );
    check(
        &world,
        CREATE_POD,
        known,
        None,
        volumes,
        r#"[{"name":"kube-api-access-zzzzz"}]"#,
    );
    world.put(
        Resource::SERVICE_ACCOUNTS,
        &value!({"metadata": {"name": "quiet", "namespace": "n"}, "automountServiceAccountToken": false,
                 "imagePullSecrets": [{"name": "pull"}]}),
    );
    let quiet = || pod(value!({"serviceAccountName": "quiet", "containers": [{"name": "c"}]}));
    check(&world, CREATE_POD, quiet(), None, volumes, "null");
    check(
        &world,
        CREATE_POD,
        quiet(),
        None,
        &["spec", "imagePullSecrets"],
        r#"[{"name":"pull"}]"#,
    );
}

#[test]
fn a_missing_service_account_is_awaited() {
    let world = world();
    let lost = pod(value!({"serviceAccountName": "lost", "containers": []}));
    let refusal = write(&world, CREATE_POD, lost, None).result.unwrap_err();
    assert_eq!(
        refusal.status.message,
        "pods \"p\" is forbidden: error looking up service account n/lost: serviceaccount \"lost\" not found"
    );
    assert_eq!(refusal.awaits.map(|one| one.name), Some("lost".to_owned()));
}

#[test]
fn mirror_pods_have_no_secrets() {
    let world = world();
    let mirror = |spec: Value| value!({"metadata": {"name": "p", "annotations": {"kubernetes.io/config.mirror": "x"}}, "spec": (spec)});
    let path = &["spec", "serviceAccountName"];
    check(
        &world,
        CREATE_POD,
        mirror(value!({"containers": []})),
        None,
        path,
        "null",
    );
    let refused = |spec: Value, why: &str| {
        let expected = format!("pods \"p\" is forbidden: {why}");
        check(&world, CREATE_POD, mirror(spec), None, path, &expected);
    };
    refused(
        value!({"serviceAccountName": "x"}),
        "a mirror pod may not reference service accounts",
    );
    refused(
        value!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}),
        "a mirror pod may not reference secrets",
    );
    refused(
        value!({"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {}}]}}]}),
        "a mirror pod may not use ServiceAccountToken volume projections",
    );
}

#[test]
fn secrets_may_be_limited() {
    let world = world();
    world.put(
        Resource::SERVICE_ACCOUNTS,
        &value!({"metadata": {"name": "strict", "namespace": "n",
            "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
            "secrets": [{"name": "mine"}]}),
    );
    let strict = |more: Value| {
        let mut pod = pod(more);
        pod.set_at(&["spec", "serviceAccountName"], value!("strict"));
        pod.set_at(&["spec", "automountServiceAccountToken"], value!(false));
        pod
    };
    let refused = |more: Value, why: &str| {
        let expected = format!("pods \"p\" is forbidden: {why}");
        check(&world, CREATE_POD, strict(more), None, &["spec"], &expected);
    };
    let because = "is not allowed because service account strict does not reference that secret";
    let volume =
        |secret: &str| value!({"volumes": [{"name": "v", "secret": {"secretName": (secret)}}]});
    assert!(
        write(&world, CREATE_POD, strict(volume("mine")), None)
            .result
            .is_ok()
    );
    refused(
        volume("other"),
        &format!("volume with secret.secretName=\"other\" {because}"),
    );
    refused(
        value!({"containers": [{"name": "c", "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "o"}}}]}]}),
        &format!("container c with envVar E referencing secret.secretName=\"o\" {because}"),
    );
    refused(
        value!({"initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "o"}}]}]}),
        &format!("init container i with envFrom referencing secret.secretName=\"o\" {because}"),
    );
    refused(
        value!({"imagePullSecrets": [{"name": "o"}]}),
        "imagePullSecrets[0].name=\"o\" is not allowed because service account strict does not reference that imagePullSecret",
    );
    let ephemeral = strict(
        value!({"ephemeralContainers": [{"name": "e", "envFrom": [{"secretRef": {"name": "o"}}]}]}),
    );
    check(
        &world,
        "u update core/pods/ephemeralcontainers#p in n",
        ephemeral,
        None,
        &[],
        &format!(
            "pods \"p\" is forbidden: ephemeral container e with envFrom referencing secret.secretName=\"o\" {because}"
        ),
    );
}

#[test]
fn priority_comes_from_the_class() {
    let world = world();
    let class = |name: &str, value: i64, default: bool| value!({"metadata": {"name": (name)}, "value": (value), "globalDefault": (default), "preemptionPolicy": "Never"});
    let with = |more: Value| {
        let mut pod = pod(more);
        pod.set_at(&["spec", "automountServiceAccountToken"], value!(false));
        pod
    };
    let priority = &["spec", "priority"];
    check(&world, CREATE_POD, with(value!({})), None, priority, "0");
    check(
        &world,
        CREATE_POD,
        with(value!({})),
        None,
        &["spec", "preemptionPolicy"],
        "\"PreemptLowerPriority\"",
    );
    world.put(Resource::PRIORITY_CLASSES, &class("high", 1000, false));
    world.put(Resource::PRIORITY_CLASSES, &class("usual", 10, true));
    check(&world, CREATE_POD, with(value!({})), None, priority, "10");
    check(
        &world,
        CREATE_POD,
        with(value!({})),
        None,
        &["spec", "priorityClassName"],
        "\"usual\"",
    );
    let high = || value!({"priorityClassName": "high"});
    check(&world, CREATE_POD, with(high()), None, priority, "1000");
    check(
        &world,
        CREATE_POD,
        with(value!({"priorityClassName": "x"})),
        None,
        priority,
        "pods \"p\" is forbidden: no PriorityClass with name x was found",
    );
    check(
        &world,
        CREATE_POD,
        with(value!({"priorityClassName": "high", "priority": 5})),
        None,
        priority,
        "pods \"p\" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 1000 from the given PriorityClass name",
    );
    check(
        &world,
        CREATE_POD,
        with(value!({"priorityClassName": "high", "preemptionPolicy": "PreemptLowerPriority"})),
        None,
        priority,
        "pods \"p\" is forbidden: the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided in pod spec; priority admission controller computed Never from the given PriorityClass name",
    );
    let old = with(value!({"priority": 7}));
    check(
        &world,
        "u update core/pods#p in n",
        with(value!({})),
        Some(&old),
        priority,
        "7",
    );
}

#[test]
fn there_is_one_default_priority() {
    let world = world();
    let class = |name: &str, value: i64, default: bool| value!({"metadata": {"name": (name)}, "value": (value), "globalDefault": (default)});
    world.put(Resource::PRIORITY_CLASSES, &class("usual", 10, true));
    let create = "u create scheduling.k8s.io/priorityclasses";
    check(
        &world,
        create,
        class("second", 5, true),
        None,
        &[],
        "priorityclasses.scheduling.k8s.io \"second\" is forbidden: PriorityClass usual is already marked as default. Only one default can exist",
    );
    let name = &["metadata", "name"];
    check(
        &world,
        create,
        class("second", 5, false),
        None,
        name,
        "\"second\"",
    );
    check(
        &world,
        "u update scheduling.k8s.io/priorityclasses#usual",
        class("usual", 11, true),
        None,
        name,
        "\"usual\"",
    );
}

#[test]
fn pods_tolerate_sick_nodes_for_a_while() {
    let world = world();
    let tolerations = &["spec", "tolerations"];
    let with = |tolerations: Value| {
        pod(value!({"automountServiceAccountToken": false, "tolerations": (tolerations)}))
    };
    let one = |key: &str| {
        format!(
            r#"{{"key":"node.kubernetes.io/{key}","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}"#
        )
    };
    let both = format!("[{},{}]", one("not-ready"), one("unreachable"));
    check(
        &world,
        CREATE_POD,
        with(value!([])),
        None,
        tolerations,
        &both,
    );
    check(
        &world,
        CREATE_POD,
        with(value!([{"operator": "Exists"}])),
        None,
        tolerations,
        r#"[{"operator":"Exists"}]"#,
    );
    let own = value!([{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]);
    let expected = format!(
        r#"[{{"key":"node.kubernetes.io/not-ready","operator":"Exists"}},{}]"#,
        one("unreachable")
    );
    check(&world, CREATE_POD, with(own), None, tolerations, &expected);
    check(
        &world,
        "u update core/pods/status#p in n",
        with(value!([])),
        None,
        tolerations,
        "[]",
    );
}

#[test]
fn runtime_classes_add_to_pods() {
    let world = world();
    world.put(
        Resource::RUNTIME_CLASSES,
        &value!({"metadata": {"name": "vm"}, "handler": "vm", "overhead": {"podFixed": {"cpu": "1000m"}},
            "scheduling": {"nodeSelector": {"vm": "yes"}, "tolerations": [{"key": "vm", "operator": "Exists"}]}}),
    );
    let with = |more: Value| {
        let mut pod = pod(more);
        pod.set_at(&["spec", "automountServiceAccountToken"], value!(false));
        pod
    };
    let vm = || with(value!({"runtimeClassName": "vm", "tolerations": [{"operator": "Exists"}]}));
    check(
        &world,
        CREATE_POD,
        vm(),
        None,
        &["spec", "overhead"],
        r#"{"cpu":"1000m"}"#,
    );
    check(
        &world,
        CREATE_POD,
        vm(),
        None,
        &["spec", "nodeSelector"],
        r#"{"vm":"yes"}"#,
    );
    check(
        &world,
        CREATE_POD,
        vm(),
        None,
        &["spec", "tolerations"],
        r#"[{"operator":"Exists"}]"#,
    );
    let same = with(value!({"runtimeClassName": "vm", "overhead": {"cpu": "1"}}));
    check(
        &world,
        CREATE_POD,
        same,
        None,
        &["spec", "overhead"],
        r#"{"cpu":"1000m"}"#,
    );
    let refused = |spec: Value, why: &str| {
        let expected = format!("pods \"p\" is forbidden: {why}");
        check(&world, CREATE_POD, with(spec), None, &[], &expected);
    };
    refused(
        value!({"runtimeClassName": "vm", "overhead": {"cpu": "2"}}),
        "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
    );
    refused(
        value!({"runtimeClassName": "vm", "nodeSelector": {"vm": "no"}}),
        "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no",
    );
    refused(
        value!({"runtimeClassName": "x"}),
        "pod rejected: RuntimeClass \"x\" not found",
    );
    refused(
        value!({"overhead": {"cpu": "1"}}),
        "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
    );
}

#[test]
fn limit_ranges_fill_and_refuse() {
    let world = world();
    world.put(
        Resource::LIMIT_RANGES,
        &value!({"metadata": {"name": "l", "namespace": "n"}, "spec": {"limits": [
            {"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "1", "memory": "1Gi"},
             "max": {"cpu": "4"}, "min": {"cpu": "500m"}, "maxLimitRequestRatio": {"cpu": "3"}},
            {"type": "Pod", "max": {"cpu": "6"}},
            {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}
        ]}}),
    );
    let with = |containers: Value| {
        pod(value!({"automountServiceAccountToken": false, "containers": (containers)}))
    };
    let plain = || with(value!([{"name": "a"}]));
    check(
        &world,
        CREATE_POD,
        plain(),
        None,
        &["spec", "containers"],
        r#"[{"name":"a","resources":{"limits":{"cpu":"2"},"requests":{"cpu":"1","memory":"1Gi"}}}]"#,
    );
    check(
        &world,
        CREATE_POD,
        plain(),
        None,
        &["metadata", "annotations"],
        r#"{"kubernetes.io/limit-ranger":"LimitRanger plugin set: cpu, memory request for container a; cpu limit for container a"}"#,
    );
    let container = |request: &str, limit: &str| value!({"name": "a", "resources": {"requests": {"cpu": (request), "memory": "1"}, "limits": {"cpu": (limit)}}});
    let refused = |containers: Value, why: &str| {
        let expected = format!("pods \"p\" is forbidden: {why}");
        check(
            &world,
            CREATE_POD,
            with(containers),
            None,
            &["metadata"],
            &expected,
        );
    };
    refused(
        value!([(container("100m", "200m"))]),
        "minimum cpu usage per Container is 500m, but request is 100m",
    );
    refused(
        value!([(container("2", "5"))]),
        "maximum cpu usage per Container is 4, but limit is 5",
    );
    refused(
        value!([(container("1", "4"))]),
        "cpu max limit to request ratio per Container is 3, but provided ratio is 4.000000",
    );
    refused(
        value!([(container("2", "4")), (container("2", "4"))]),
        "maximum cpu usage per Pod is 6, but limit is 8",
    );
    let claim = |size: &str, expected: &str| {
        let claim = value!({"metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": (size)}}}});
        check(
            &world,
            "u create core/persistentvolumeclaims in n",
            claim,
            None,
            &["metadata", "name"],
            expected,
        );
    };
    claim("1Gi", "\"c\"");
    claim(
        "3Gi",
        "persistentvolumeclaims \"c\" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi",
    );
    claim(
        "1Mi",
        "persistentvolumeclaims \"c\" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi",
    );
}
