//! Tests of defaults: what each rule does that a table does not say, and what holds for all.

use std::{fs, sync::Arc};

use api::{GroupVersion, Value, json, time};
use expect_test::{Expect, expect};
use schema::{Kind, Occasion, Unknown, decode, default};

use crate::load;

fn write(value: &Value) -> String {
    let mut out = Vec::new();
    json::write(value, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn read(text: &str) -> Value {
    json::read(text.as_bytes()).expect("it is JSON").value
}

/// Decodes an object, sets its defaults and brings it into normal form, as a write does.
fn prepare(kinds: &[Kind], object: &mut Value) {
    let version = object.str_at(&["apiVersion"]).unwrap_or_default();
    let group_version = GroupVersion::parse(version).expect("it has a version");
    let name = object.str_at(&["kind"]).unwrap_or_default().to_owned();
    let known = kinds.iter().find_map(|kind| {
        let version = kind.version(&group_version)?;
        (kind.names.kind == name).then_some((kind, version))
    });
    let (kind, version) = known.expect("the kind is built in");
    decode(&version.shape, object, &mut Unknown::ignore()).expect("it is well formed");
    default(&version.shape, object);
    let occasion = Occasion {
        now: time::parse("2026-01-01T00:00:00Z").expect("it is a time"),
        group_version: &version.group_version,
        asked: &version.group_version,
        subresource: "",
        asker: schema::Asker::NOBODY,
    };
    kind.behavior.default(occasion, object);
    decode(&version.shape, object, &mut Unknown::ignore()).expect("it is still well formed");
}

/// Sets the defaults of an object and shows what is there at a path afterwards.
#[track_caller]
fn check(object: &str, path: &str, expected: &Expect) {
    let mut object = read(object);
    prepare(&load().kinds, &mut object);
    let path: Vec<&str> = path.split('.').collect();
    let found = object.at(&path).map(write);
    expected.assert_eq(&found.unwrap_or_default());
}

#[test]
fn every_rule_names_a_type_and_a_field() {
    let builtins = load();
    assert_eq!(super::unknown_names(&builtins.table), Vec::<String>::new());
    let mut names: Vec<&str> = super::TABLES.into_iter().flatten().map(|it| it.0).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a type stands in one table once");
    assert!(Arc::strong_count(&builtins.table) > 1, "the plan shares it");
}

#[test]
fn a_template_has_its_rules_wherever_it_stands() {
    let template = r#"{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i:1","resources":{"limits":{"cpu":"100u"}}}],"volumes":[{"name":"v"}]}}"#;
    let filled = expect![[
        r#"{"metadata":{"labels":{"a":"b"}},"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c","image":"i:1","resources":{"limits":{"cpu":"1m"}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler"}}"#
    ]];
    for (version, kind, path) in [
        ("apps/v1", "Deployment", "spec.template"),
        ("apps/v1", "ReplicaSet", "spec.template"),
        ("apps/v1", "StatefulSet", "spec.template"),
        ("apps/v1", "DaemonSet", "spec.template"),
        ("batch/v1", "Job", "spec.template"),
        ("batch/v1", "CronJob", "spec.jobTemplate.spec.template"),
        ("v1", "ReplicationController", "spec.template"),
        ("v1", "PodTemplate", "template"),
    ] {
        let mut object = Value::object();
        object.set_at(&["apiVersion"], version.into());
        object.set_at(&["kind"], kind.into());
        let steps: Vec<&str> = path.split('.').collect();
        object.set_at(&steps, read(template));
        check(&write(&object), path, &filled);
    }
}

#[test]
fn a_pod_asks_for_its_limits_and_a_template_does_not() {
    let pod = r#"{"apiVersion":"v1","kind":"Pod","spec":{"hostNetwork":true,"terminationGracePeriodSeconds":-1,"serviceAccount":"sa",
        "containers":[{"name":"c","image":"i","ports":[{"containerPort":80},{"containerPort":81,"hostPort":8081}],
        "resources":{"limits":{"memory":"1Gi","cpu":"2"},"requests":{"cpu":"1"}}}]}}"#;
    check(
        pod,
        "spec",
        &expect![[
            r#"{"containers":[{"name":"c","image":"i","ports":[{"hostPort":80,"containerPort":80,"protocol":"TCP"},{"hostPort":8081,"containerPort":81,"protocol":"TCP"}],"resources":{"limits":{"cpu":"2","memory":"1Gi"},"requests":{"cpu":"1","memory":"1Gi"}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"restartPolicy":"Always","terminationGracePeriodSeconds":1,"dnsPolicy":"ClusterFirst","serviceAccountName":"sa","serviceAccount":"sa","hostNetwork":true,"securityContext":{},"schedulerName":"default-scheduler","enableServiceLinks":true}"#
        ]],
    );
}

#[test]
fn a_strategy_says_how_it_rolls_if_it_rolls() {
    let deployment = |strategy: &str| {
        format!(
            r#"{{"apiVersion":"apps/v1","kind":"Deployment","spec":{{"strategy":{strategy}}}}}"#
        )
    };
    check(
        &deployment("{}"),
        "spec.strategy",
        &expect![[
            r#"{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}}"#
        ]],
    );
    check(
        &deployment(r#"{"rollingUpdate":{"maxSurge":0}}"#),
        "spec.strategy",
        &expect![[
            r#"{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":0}}"#
        ]],
    );
    check(
        &deployment(r#"{"type":"Recreate"}"#),
        "spec.strategy",
        &expect![[r#"{"type":"Recreate"}"#]],
    );
    let set = |strategy: &str| {
        format!(
            r#"{{"apiVersion":"apps/v1","kind":"StatefulSet","spec":{{"updateStrategy":{strategy}}}}}"#
        )
    };
    check(
        &set("{}"),
        "spec.updateStrategy",
        &expect![[
            r#"{"type":"RollingUpdate","rollingUpdate":{"partition":0,"maxUnavailable":1}}"#
        ]],
    );
    check(
        &set(r#"{"type":"RollingUpdate"}"#),
        "spec.updateStrategy",
        &expect![[r#"{"type":"RollingUpdate"}"#]],
    );
}

#[test]
fn a_job_without_numbers_is_one_pod() {
    let job = |spec: &str| format!(r#"{{"apiVersion":"batch/v1","kind":"Job","spec":{spec}}}"#);
    check(&job("{}"), "spec.completions", &expect!["1"]);
    check(
        &job(r#"{"parallelism":2}"#),
        "spec.completions",
        &expect![""],
    );
    check(
        &job(r#"{"backoffLimitPerIndex":1}"#),
        "spec.backoffLimit",
        &expect!["2147483647"],
    );
}

#[test]
fn a_service_gets_what_its_type_needs() {
    let service = |spec: &str| format!(r#"{{"apiVersion":"v1","kind":"Service","spec":{spec}}}"#);
    check(
        &service(r#"{"ports":[{"port":80},{"port":81,"targetPort":"web","protocol":"UDP"}]}"#),
        "spec",
        &expect![[
            r#"{"ports":[{"protocol":"TCP","port":80,"targetPort":80},{"protocol":"UDP","port":81,"targetPort":"web"}],"type":"ClusterIP","sessionAffinity":"None","internalTrafficPolicy":"Cluster"}"#
        ]],
    );
    check(
        &service(r#"{"type":"LoadBalancer","sessionAffinity":"ClientIP"}"#),
        "spec",
        &expect![[
            r#"{"type":"LoadBalancer","sessionAffinity":"ClientIP","externalTrafficPolicy":"Cluster","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":10800}},"allocateLoadBalancerNodePorts":true,"internalTrafficPolicy":"Cluster"}"#
        ]],
    );
    check(
        &service(r#"{"type":"ExternalName","sessionAffinityConfig":{"clientIP":{}}}"#),
        "spec",
        &expect![[r#"{"type":"ExternalName","sessionAffinity":"None"}"#]],
    );
    check(
        r#"{"apiVersion":"v1","kind":"Service","spec":{"type":"LoadBalancer"},"status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"},{"hostname":"a"}]}}}"#,
        "status",
        &expect![[
            r#"{"loadBalancer":{"ingress":[{"ip":"1.2.3.4","ipMode":"VIP"},{"hostname":"a"}]}}"#
        ]],
    );
}

#[test]
fn objects_of_the_cluster_get_theirs() {
    check(
        r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"}}"#,
        "metadata.labels",
        &expect![[r#"{"kubernetes.io/metadata.name":"n"}"#]],
    );
    check(
        r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"generateName":"n-"}}"#,
        "metadata.labels",
        &expect![""],
    );
    check(
        r#"{"apiVersion":"v1","kind":"Secret","data":{"b":"AA==","a":"AA=="},"stringData":{"a":"x"}}"#,
        "data",
        &expect![[r#"{"a":"eA==","b":"AA=="}"#]],
    );
    check(
        r#"{"apiVersion":"v1","kind":"LimitRange","spec":{"limits":[{"type":"Container","max":{"cpu":"2"},"min":{"cpu":"1","memory":"1Mi"}}]}}"#,
        "spec.limits",
        &expect![[
            r#"[{"type":"Container","max":{"cpu":"2"},"min":{"cpu":"1","memory":"1Mi"},"default":{"cpu":"2"},"defaultRequest":{"cpu":"2","memory":"1Mi"}}]"#
        ]],
    );
    check(
        r#"{"apiVersion":"v1","kind":"Node","status":{"capacity":{"cpu":"1500u"}}}"#,
        "status.allocatable",
        &expect![[r#"{"cpu":"2m"}"#]],
    );
    for spec in [
        r#"{"podCIDR":"a","podCIDRs":["b","c"]}"#,
        r#"{"podCIDRs":["a"]}"#,
    ] {
        check(
            &format!(r#"{{"apiVersion":"v1","kind":"Node","spec":{spec}}}"#),
            "spec",
            &expect![[r#"{"podCIDR":"a","podCIDRs":["a"]}"#]],
        );
    }
    check(
        r#"{"apiVersion":"v1","kind":"ReplicationController","spec":{"template":{"metadata":{"labels":{"a":"b"}}}}}"#,
        "spec.selector",
        &expect![[r#"{"a":"b"}"#]],
    );
    check(
        r#"{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","spec":{"egress":[{"ports":[{"port":1}]}]}}"#,
        "spec",
        &expect![[
            r#"{"podSelector":{},"egress":[{"ports":[{"protocol":"TCP","port":1}]}],"policyTypes":["Ingress","Egress"]}"#
        ]],
    );
    check(
        r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","subjects":[{"kind":"User","name":"u"},{"kind":"ServiceAccount","name":"s"}],"roleRef":{"kind":"Role","name":"r"}}"#,
        "roleRef.apiGroup",
        &expect![[r#""rbac.authorization.k8s.io""#]],
    );
    check(
        r#"{"apiVersion":"resource.k8s.io/v1","kind":"ResourceSlice","spec":{"devices":[{"name":"d","taints":[{"key":"k","effect":"NoExecute"}]}]}}"#,
        "spec.devices",
        &expect![[
            r#"[{"name":"d","taints":[{"key":"k","effect":"NoExecute","timeAdded":"2026-01-01T00:00:00Z"}]}]"#
        ]],
    );
}

#[test]
fn autoscalers_and_definitions_get_theirs() {
    check(
        r#"{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","spec":{"behavior":{"scaleUp":{"selectPolicy":"Min"}}}}"#,
        "spec",
        &expect![[
            r#"{"scaleTargetRef":{"kind":"","name":""},"minReplicas":1,"maxReplicas":0,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}],"behavior":{"scaleUp":{"stabilizationWindowSeconds":0,"selectPolicy":"Min","policies":[{"type":"Pods","value":4,"periodSeconds":15},{"type":"Percent","value":100,"periodSeconds":15}]},"scaleDown":{"selectPolicy":"Max","policies":[{"type":"Percent","value":100,"periodSeconds":15}]}}}"#
        ]],
    );
    check(
        r#"{"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler","spec":{}}"#,
        "spec.minReplicas",
        &expect!["1"],
    );
    check(
        r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","spec":{"names":{"kind":"Foo"},"versions":[{"name":"v1","storage":true}]}}"#,
        "spec.names",
        &expect![[r#"{"plural":"","singular":"foo","kind":"Foo","listKind":"FooList"}"#]],
    );
}

#[test]
fn setting_defaults_again_changes_nothing() {
    let corpus =
        std::env::home_dir().map(|home| home.join("go/pkg/mod/k8s.io/api@v0.37.1/testdata/HEAD"));
    let Some(corpus) = corpus.filter(|path| path.is_dir()) else {
        eprintln!("no corpus; run `go mod download k8s.io/api@v0.37.1`");
        return;
    };
    let builtins = load();
    let mut known = 0;
    for entry in fs::read_dir(corpus).expect("the corpus can be read") {
        let file = entry.expect("the corpus can be read").path();
        if file.extension().is_none_or(|end| end != "json") {
            continue;
        }
        let mut object = read(&fs::read_to_string(&file).expect("the corpus is text"));
        let version = object.str_at(&["apiVersion"]).and_then(GroupVersion::parse);
        let kind = object.str_at(&["kind"]).unwrap_or_default();
        let is_served = builtins.kinds.iter().any(|it| {
            it.names.kind == kind && version.as_ref().is_some_and(|v| it.version(v).is_some())
        });
        if !is_served {
            continue;
        }
        known += 1;
        prepare(&builtins.kinds, &mut object);
        let once = write(&object);
        prepare(&builtins.kinds, &mut object);
        assert!(write(&object) == once, "{}", file.display());
    }
    assert!(known > 60, "only {known} objects are of served kinds");
}
