//! What is wrong with claims of devices and what they are made of.

use crate::validate::check_table;

#[track_caller]
fn check(of: (&str, &str), object: &str, old: Option<&str>, expected: &[&str]) {
    check_table(("resource.k8s.io", of.0, of.1), object, old, expected);
}

#[test]
fn claims_ask_in_one_way_and_stay() {
    let good = r#"{"spec":{"devices":{"requests":[{"name":"r","exactly":{"deviceClassName":"c","allocationMode":"ExactCount","count":1}}]}}}"#;
    check(("ResourceClaim", ""), good, None, &[]);
    check(
        ("ResourceClaim", ""),
        r#"{"spec":{}}"#,
        Some(good),
        &["spec: Invalid value: null: field is immutable"],
    );
    check(
        ("ResourceClaim", ""),
        r#"{"spec":{"devices":{"requests":[{"name":"r"},{"name":"r","exactly":{"allocationMode":"x","tolerations":[{"operator":"Exists","value":"v"}]}}],"constraints":[{"requests":["q"],"matchAttribute":"a"}],"config":[{"opaque":{"driver":"","parameters":5}}]}}}"#,
        None,
        &[
            "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required",
            "spec.devices.requests[1].exactly.deviceClassName: Required value",
            r#"spec.devices.requests[1].exactly.tolerations[0].value: Invalid value: "v": must be empty for operator `Exists`"#,
            r#"spec.devices.constraints[0].requests[0]: Invalid value: "q": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"#,
            r#"spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object"#,
            r#"spec.devices.requests[1]: Duplicate value: {"name":"r","exactly":{"allocationMode":"x","tolerations":[{"operator":"Exists","value":"v"}]}}"#,
            r#"spec.devices.requests[1].exactly.allocationMode: Unsupported value: "x": supported values: "All", "ExactCount""#,
            r#"spec.devices.constraints[0].matchAttribute: Invalid value: "a": a fully qualified name must be a domain and a name separated by a slash"#,
            "spec.devices.config[0].opaque.driver: Required value",
        ],
    );
}

#[test]
fn slices_say_from_where_their_devices_are_reached() {
    check(
        ("ResourceSlice", ""),
        r#"{"spec":{"driver":"d","pool":{"name":"p","resourceSliceCount":1},"allNodes":true,"devices":[{"name":"a","attributes":{"x":{"version":"1.0"},"y":{}}},{"name":"a","nodeName":"n"}]}}"#,
        None,
        &[
            r#"spec.devices[0].attributes[x].version: Invalid value: "1.0": must be a string compatible with semver.org spec 2.0.0"#,
            "spec.devices[1]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec",
            r#"spec.devices[1]: Duplicate value: "a""#,
            r#"spec.devices[0].attributes[y]: Invalid value: "": must specify one of: `int`, `bool`, `string`, `version`, `ints`, `bools`, `strings`, `versions`"#,
        ],
    );
}

#[test]
fn capacities_are_shared_by_a_policy() {
    let slice = |policy: &str| {
        format!(
            r#"{{"spec":{{"driver":"d","pool":{{"name":"p","resourceSliceCount":1}},"allNodes":true,"devices":[{{"name":"a","allowMultipleAllocations":true,"capacity":{{"m":{{"value":"10","requestPolicy":{policy}}}}}}}]}}}}"#
        )
    };
    check(
        ("ResourceSlice", ""),
        &slice(r#"{"default":"1","validRange":{"min":"1","max":"9","step":"4"}}"#),
        None,
        &[],
    );
    let at = "spec.devices[0].capacity[m].requestPolicy";
    check(
        ("ResourceSlice", ""),
        &slice(r#"{"default":"3","validValues":["2","1","11"]}"#),
        None,
        &[
            &format!(
                r#"{at}.validValues[1]: Invalid value: "1": values must be sorted in ascending order"#
            ),
            &format!(
                r#"{at}.validValues[2]: Invalid value: "11": option is larger than capacity value: 10"#
            ),
            &format!(
                r#"{at}.validValues: Invalid value: "3": default value is not valid according to the requestPolicy"#
            ),
        ],
    );
}

#[test]
fn taints_have_an_effect() {
    check(
        ("DeviceTaintRule", ""),
        r#"{"spec":{"deviceSelector":{"pool":"a//b"},"taint":{"key":"k"}}}"#,
        None,
        &[
            r#"spec.deviceSelector.pool: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#,
            "spec.taint.effect: Required value",
        ],
    );
}

#[test]
fn what_is_reserved_is_allocated_first() {
    check(
        ("ResourceClaim", "status"),
        r#"{"status":{"reservedFor":[{"name":"n","uid":"u"}]}}"#,
        Some("{}"),
        &[
            "status.reservedFor[0].resource: Required value",
            "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
        ],
    );
}
