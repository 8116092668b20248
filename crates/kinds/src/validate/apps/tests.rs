//! What is wrong with workloads.

use crate::validate::check_table;

#[track_caller]
fn check(object: &str, old: Option<&str>, expected: &[&str]) {
    check_table(("apps", "Deployment", ""), object, old, expected);
}

const SPEC: &str = r#""strategy":{"type":"Recreate"},"template":{"metadata":{"labels":{"a":"b","c":"d"}},"spec":{
    "containers":[{"name":"c","image":"i","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],
    "restartPolicy":"Always","dnsPolicy":"ClusterFirst","terminationGracePeriodSeconds":30}}"#;

fn deployment(head: &str) -> String {
    format!(r#"{{"spec":{{{head},{SPEC}}}}}"#)
}

#[test]
fn a_selector_selects_its_own_template() {
    let good = deployment(r#""replicas":1,"selector":{"matchLabels":{"a":"b"}}"#);
    check(&good, None, &[]);
    check(
        &deployment(r#""replicas":-1,"selector":{"matchLabels":{"a":"x"}}"#),
        None,
        &[
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            r#"spec.template.metadata.labels: Invalid value: {"a":"b","c":"d"}: `selector` does not match template `labels`"#,
        ],
    );
    check(
        &deployment(r#""replicas":1,"selector":{}"#),
        None,
        &["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
    );
}

#[test]
fn a_selector_never_changes() {
    let good = deployment(r#""replicas":1,"selector":{"matchLabels":{"a":"b"}}"#);
    check(&good, Some(&good), &[]);
    check(
        &deployment(r#""replicas":1,"selector":{"matchLabels":{"c":"d"}}"#),
        Some(&good),
        &[r#"spec.selector: Invalid value: {"matchLabels":{"c":"d"}}: field is immutable"#],
    );
}

#[test]
fn strategies_are_known() {
    let good = deployment(r#""replicas":1,"selector":{"matchLabels":{"a":"b"}}"#);
    let other = |strategy: &str| good.replace(r#"{"type":"Recreate"}"#, strategy);
    check(
        &other(r#"{"type":"x"}"#),
        None,
        &[
            r#"spec.strategy: Unsupported value: {"Type":"x","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate""#,
        ],
    );
    check(
        &other(r#"{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":0,"maxSurge":"0%"}}"#),
        None,
        &[
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ],
    );
}
