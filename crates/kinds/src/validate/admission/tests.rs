//! What is wrong with webhooks and policies of admission.

use crate::validate::check_table;

#[track_caller]
fn check(kind: &str, object: &str, old: Option<&str>, expected: &[&str]) {
    let of = ("admissionregistration.k8s.io", kind, "");
    check_table(of, object, old, expected);
}

const HOOKS: &str = "ValidatingWebhookConfiguration";

fn hook(client: &str, more: &str) -> String {
    format!(
        r#"{{"webhooks":[{{"name":"a.b.c","sideEffects":"None","admissionReviewVersions":["v1"],"clientConfig":{client}{more}}}]}}"#
    )
}

#[test]
fn hooks_are_reached_somewhere() {
    check(HOOKS, &hook(r#"{"url":"https://h/p"}"#, ""), None, &[]);
    check(
        HOOKS,
        &hook("{}", ""),
        None,
        &["webhooks[0].clientConfig: Required value: exactly one of url or service is required"],
    );
    check(
        HOOKS,
        &hook(r#"{"url":"http://u@/p?q#f"}"#, ""),
        None,
        &[
            r#"webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]"#,
            r#"webhooks[0].clientConfig.url: Invalid value: "": host must be specified; desired format: https://host[/path]"#,
            r#"webhooks[0].clientConfig.url: Invalid value: "u": user information is not permitted in the URL"#,
            r#"webhooks[0].clientConfig.url: Invalid value: "f": fragments are not permitted in the URL"#,
            r#"webhooks[0].clientConfig.url: Invalid value: "q": query parameters are not permitted in the URL"#,
        ],
    );
    check(
        HOOKS,
        &hook(r#"{"url":":x"}"#, ""),
        None,
        &[
            r#"webhooks[0].clientConfig.url: Required value: url must be a valid URL: parse ":x": missing protocol scheme; desired format: https://host[/path]"#,
        ],
    );
    check(
        HOOKS,
        &hook(r#"{"service":{"name":"n","port":0,"path":"a/"}}"#, ""),
        None,
        &[
            "webhooks[0].clientConfig.service.name: Required value",
            "webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
            r#"webhooks[0].clientConfig.service.path: Invalid value: "a/": must start with a '/'"#,
            r#"webhooks[0].clientConfig.service.path: Invalid value: "a/": segment[0] may not be empty"#,
        ],
    );
}

#[test]
fn rules_name_each_thing_once() {
    let rules = r#","rules":[{"operations":["*","X"],"apiGroups":[],"apiVersions":[""],"resources":["*","a/*","a/b","*/*","c"],"scope":"x"}]"#;
    check(
        HOOKS,
        &hook(r#"{"url":"https://h"}"#, rules),
        None,
        &[
            r#"webhooks[0].rules[0].operations: Invalid value: ["*","X"]: if '*' is present, must not specify other operations"#,
            r#"webhooks[0].rules[0].operations[1]: Unsupported value: "X": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE""#,
            "webhooks[0].rules[0].apiGroups: Required value",
            "webhooks[0].rules[0].apiVersions[0]: Required value",
            r#"webhooks[0].rules[0].resources[2]: Invalid value: "a/b": if 'a/*' is present, must not specify a/b"#,
            r#"webhooks[0].rules[0].resources: Invalid value: ["*","a/*","a/b","*/*","c"]: if '*/*' is present, must not specify other resources"#,
            r#"webhooks[0].rules[0].resources: Invalid value: ["*","a/*","a/b","*/*","c"]: if '*' is present, must not specify other resources without subresources"#,
            r#"webhooks[0].rules[0].scope: Unsupported value: "x": supported values: "*", "Cluster", "Namespaced""#,
        ],
    );
}

#[test]
fn what_was_tolerated_stays() {
    let old = r#"{"webhooks":[{"name":"a.b.c","sideEffects":"Some","admissionReviewVersions":["v2"],"clientConfig":{"url":"https://h"}}]}"#;
    check(HOOKS, old, Some(old), &[]);
    check(
        HOOKS,
        old,
        None,
        &[
            r#"webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun""#,
            r#"webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1"#,
        ],
    );
}

#[test]
fn policies_say_what_they_match() {
    check(
        "ValidatingAdmissionPolicy",
        r#"{"metadata":{"name":"p"},"spec":{"paramKind":{"apiVersion":"a/b/c","kind":"_"},"variables":[{"name":"in"}]}}"#,
        None,
        &[
            "spec.failurePolicy: Required value",
            r#"spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c"#,
            r#"spec.paramKind.kind: Invalid value: "_": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"#,
            "spec.matchConstraints: Required value",
            r#"spec.variables[0].name: Invalid value: "in": must be a valid CEL identifier"#,
            "spec.variables[0].expression: Required value: expression is not specified",
            "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
            "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
        ],
    );
}

#[test]
fn bindings_name_a_policy_and_what_to_do() {
    check(
        "ValidatingAdmissionPolicyBinding",
        r#"{"spec":{"paramRef":{"name":"a","selector":{}},"validationActions":["Deny","Warn","Deny"]}}"#,
        None,
        &[
            "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
            "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
            "spec.paramRef.parameterNotFoundAction: Required value",
            r#"spec.validationActions[2]: Duplicate value: "Deny""#,
            r#"spec.validationActions: Invalid value: ["Deny","Warn","Deny"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)"#,
            "spec.policyName: Required value",
        ],
    );
    check(
        "MutatingAdmissionPolicyBinding",
        r#"{"spec":{}}"#,
        None,
        &["spec.policyName: Required value"],
    );
}
