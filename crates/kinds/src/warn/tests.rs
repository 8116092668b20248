//! What clients are warned of.

use api::{GroupVersion, Value, json, time};

use super::{Warnings, of};
use crate::validate::Subject;

#[track_caller]
fn check(kind: (&str, &str, &str), object: &str, old: Option<&str>, expected: &[&str]) {
    let read = |text: &str| -> Value { json::read(text.as_bytes()).expect("it is JSON").value };
    let (object, old) = (read(object), old.map(read));
    let subject = Subject {
        object: &object,
        old: old.as_ref(),
        occasion: schema::Occasion {
            now: time::parse("2026-01-01T00:00:00Z").expect("it is a time"),
            group_version: &GroupVersion::new(kind.0, "v1"),
            asked: &GroupVersion::new(kind.0, "v1"),
            subresource: kind.2,
            asker: schema::Asker::NOBODY,
        },
    };
    let mut warnings = Warnings::default();
    of(kind.0, kind.1, kind.2).expect("it is looked over")(&subject, &mut warnings);
    assert_eq!(warnings.into_texts(), expected);
}

#[test]
fn pods_with_old_names() {
    let pod = ("", "Pod", "");
    check(pod, r#"{"metadata":{"name":"p"},"spec":{}}"#, None, &[]);
    let old = r#"{"metadata":{"name":"p"},"spec":{"nodeSelector":{"beta.kubernetes.io/os":"linux"},
        "volumes":[{"name":"v","rbd":{}}],"imagePullSecrets":[{"name":"a"},{"name":"a"}],
        "containers":[{"name":"c","env":[{"name":"A"},{"name":"A"}],"resources":{"limits":{"memory":"1m"}}}]}}"#;
    check(
        pod,
        old,
        None,
        &[
            r#"spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead"#,
            "spec.volumes[0].rbd: deprecated in v1.28, non-functional in v1.31+",
            r#"spec.imagePullSecrets[1].name: duplicate name "a""#,
            r#"spec.containers[0].resources.limits[memory]: fractional byte value "1m" is invalid, must be an integer"#,
            r#"spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply"#,
        ],
    );
    check(pod, old, Some(old), &[]);
}

#[test]
fn ports_and_files_that_clash() {
    check(
        ("", "Pod", ""),
        r#"{"metadata":{"name":"p"},"spec":{"volumes":[{"name":"v","configMap":{"name":"m","items":[{"path":"a"},{"path":"a/b"}]}}],
            "containers":[{"ports":[{"name":"x","containerPort":1,"protocol":"TCP"},{"name":"x","containerPort":1,"protocol":"TCP"}]}]}}"#,
        None,
        &[
            r#"volume "v" (ConfigMap "m"): overlapping paths: "a/b" with "a""#,
            "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
            r#"spec.containers[0].ports[1]: duplicate port name "x" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0]"#,
        ],
    );
}

#[test]
fn workloads_say_it_when_they_change() {
    let set = |generation: i64| {
        format!(
            r#"{{"metadata":{{"name":"a.b","generation":{generation}}},"spec":{{"template":{{"spec":{{"terminationGracePeriodSeconds":-1}}}}}}}}"#
        )
    };
    let grace = "spec.template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1";
    let deployment = ("apps", "Deployment", "");
    check(deployment, &set(2), Some(&set(1)), &[grace]);
    check(deployment, &set(1), Some(&set(1)), &[]);
    check(
        deployment,
        &set(1),
        None,
        &[
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
            grace,
        ],
    );
}
