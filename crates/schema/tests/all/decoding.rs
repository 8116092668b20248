//! What decoding makes of objects, and what it says of those it refuses.

use schema::{Unknown, decode, strict_errors};

use crate::{compact, read, shapes};

/// Decodes `input` as `kind`; the answer is the object as it is written, or the error.
#[track_caller]
fn check(kind: &str, input: &str, expected: &str) {
    let mut value = read(input.as_bytes());
    let done = match decode(&shapes()[kind], &mut value, &mut Unknown::ignore()) {
        Ok(()) => compact(&value),
        Err(error) => error.to_string(),
    };
    assert_eq!(done, expected);
}

#[test]
fn writes_what_go_writes() {
    // Fields in Go's order, structs by value though empty, nothing that is empty else.
    check(
        "v1 Pod",
        r#"{"spec":{"nodeName":"","containers":[{"image":"i","name":"c","ports":[]}]},"kind":"Pod","metadata":{"name":"p","labels":{"b":"2","a":null},"annotations":{}}}"#,
        r#"{"kind":"Pod","metadata":{"name":"p","labels":{"a":"","b":"2"}},"spec":{"containers":[{"name":"c","image":"i","resources":{}}]},"status":{}}"#,
    );
    // Fields without omitempty are there whatever was given.
    check(
        "rbac.authorization.k8s.io/v1 Role",
        r#"{"kind":"Role"}"#,
        r#"{"kind":"Role","metadata":{},"rules":null}"#,
    );
    // A pointer keeps what a value loses.
    check(
        "apps/v1 Deployment",
        r#"{"spec":{"replicas":0,"minReadySeconds":0,"paused":false,"selector":null}}"#,
        r#"{"metadata":{},"spec":{"replicas":0,"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"strategy":{}},"status":{}}"#,
    );
}

#[test]
fn spells_scalars_one_way() {
    check(
        "v1 ResourceQuota",
        r#"{"metadata":{"creationTimestamp":"2026-01-01T02:00:00.5+02:00"},"spec":{"hard":{"pods":10,"cpu":"1000m","memory":"1024Mi"}}}"#,
        r#"{"metadata":{"creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"hard":{"cpu":"1","memory":"1Gi","pods":"10"}},"status":{}}"#,
    );
    check(
        "v1 Secret",
        r#"{"data":{"a":"YQ==","b":"Y\nWI=","c":null}}"#,
        r#"{"metadata":{},"data":{"a":"YQ==","b":"YWI=","c":null}}"#,
    );
    check(
        "v1 Service",
        r#"{"spec":{"ports":[{"port":80},{"port":81,"targetPort":"http"}]}}"#,
        r#"{"metadata":{},"spec":{"ports":[{"port":80,"targetPort":0},{"port":81,"targetPort":"http"}]},"status":{"loadBalancer":{}}}"#,
    );
}

#[test]
fn refuses_wrong_types_in_gos_words() {
    let deployment = "apps/v1 Deployment";
    check(
        deployment,
        r#"{"spec":{"replicas":"3"}}"#,
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    );
    check(
        deployment,
        r#"{"spec":{"replicas":3000000000}}"#,
        "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
    );
    check(
        deployment,
        r#"{"spec":{"template":{"spec":{"containers":[{"image":1}]}}}}"#,
        "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.image of type string",
    );
    check(
        deployment,
        r#"{"metadata":{"labels":"a"}}"#,
        "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
    );
    check(
        deployment,
        r#"{"spec":{"template":{"spec":{"containers":{}}}}}"#,
        "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
    );
    check(
        deployment,
        "[]",
        "json: cannot unmarshal array into Go value of type v1.Deployment",
    );
    check(
        "v1 Service",
        r#"{"spec":{"ports":[{"targetPort":true}]}}"#,
        "json: cannot unmarshal bool into Go struct field ServicePort.spec.ports.targetPort of type int32",
    );
    check(
        "v1 ResourceQuota",
        r#"{"spec":{"hard":{"cpu":"ten"}}}"#,
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
    check(
        "v1 Secret",
        r#"{"data":{"a":"no"}}"#,
        "illegal base64 data at input byte 0",
    );
}

#[test]
fn reports_what_strict_decoding_reports() {
    let input =
        r#"{"spec":{"containers":[{"name":"a","imag":"x","imag":"y"}],"foo":{"a":1}},"bar":1}"#;
    let parsed = api::json::read(input.as_bytes()).expect("it is JSON");
    let mut value = parsed.value;
    let mut unknown = Unknown::collect();
    decode(&shapes()["v1 Pod"], &mut value, &mut unknown).expect("it decodes");
    assert_eq!(
        strict_errors(&parsed.duplicates, &unknown).join("; "),
        r#"duplicate field "spec.containers[0].imag"; unknown field "spec.containers[0].imag"; unknown field "spec.foo"; unknown field "bar""#
    );
}
