//! The core group: a line for the object, one for each thing that is wrong with it.

use crate::validate::check_table;

#[track_caller]
fn check(kind: &str, object: &str, expected: &[&str]) {
    check_table(("", kind, ""), object, None, expected);
}

#[track_caller]
fn check_change(kind: &str, object: &str, old: &str, expected: &[&str]) {
    check_table(("", kind, ""), object, Some(old), expected);
}

/// Returns a Service of these fields, which are added to what every Service has.
fn service(more: &str) -> String {
    format!(r#"{{"spec":{{"sessionAffinity":"None","internalTrafficPolicy":"Cluster",{more}}}}}"#)
}

const PORT: &str = r#""ports":[{"port":80,"protocol":"TCP","targetPort":80}]"#;

#[track_caller]
fn check_service(more: &str, expected: &[&str]) {
    check("Service", &service(&format!("{PORT},{more}")), expected);
}

#[test]
fn services_fit_their_type() {
    let plain = r#""type":"ClusterIP","clusterIP":"10.0.0.9","clusterIPs":["10.0.0.9"],"ipFamilies":["IPv4"]"#;
    check_service(plain, &[]);
    check_service(
        r#""type":"ExternalName","clusterIPs":["10.0.0.9"]"#,
        &[
            "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
            "spec.externalName: Required value",
        ],
    );
    check_service(
        r#""type":"NodePort","externalTrafficPolicy":"Cluster","clusterIP":"None","clusterIPs":["None"]"#,
        &[
            r#"spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services"#,
        ],
    );
    check_service(
        r#""type":"ClusterIP","loadBalancerSourceRanges":["10.0.0.0/8"]"#,
        &[
            "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ],
    );
    check(
        "Service",
        &service(r#""type":"ClusterIP""#),
        &["spec.ports: Required value"],
    );
}

#[test]
fn ports_of_services_differ() {
    let port = |more: &str| format!(r#"{{"port":80,"protocol":"TCP","targetPort":80{more}}}"#);
    let (one, other) = (
        port(r#","name":"a""#),
        port(r#","name":"b","nodePort":30000"#),
    );
    check(
        "Service",
        &service(&format!(r#""type":"ClusterIP","ports":[{one},{other}]"#)),
        &[
            "spec.ports[1].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
            r#"spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}"#,
        ],
    );
}

#[test]
fn the_first_address_of_a_service_stays() {
    let with = |addresses: &str, family: &str| {
        service(&format!(
            r#"{PORT},"type":"ClusterIP","clusterIP":"10.0.0.9","clusterIPs":{addresses},"ipFamilies":{family},"ipFamilyPolicy":"PreferDualStack""#
        ))
    };
    let both = with(r#"["10.0.0.9","fd00::9"]"#, r#"["IPv4","IPv6"]"#);
    check_change("Service", &both, &both, &[]);
    check_change(
        "Service",
        &with(r#"["10.0.0.9"]"#, r#"["IPv4"]"#),
        &both,
        &[
            r#"spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary clusterIP"#,
            r#"spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary ipFamily"#,
        ],
    );
    check_change(
        "Service",
        &with(r#"["10.0.0.9"]"#, r#"["IPv4"]"#),
        &with(r#"["10.0.0.8"]"#, r#"["IPv6"]"#),
        &[
            r#"spec.clusterIPs[0]: Invalid value: ["10.0.0.9"]: may not change once set"#,
            r#"spec.ipFamilies[0]: Invalid value: ["IPv4"]: may not change once set"#,
        ],
    );
}

#[test]
fn balancers_listen_at_addresses() {
    let status = |points: &str| {
        format!(
            r#"{{"spec":{{"type":"LoadBalancer"}},"status":{{"loadBalancer":{{"ingress":{points}}}}}}}"#
        )
    };
    let check = |points: &str, expected: &[&str]| {
        check_table(
            ("", "Service", "status"),
            &status(points),
            Some("{}"),
            expected,
        );
    };
    check(r#"[{"ip":"192.0.2.1","ipMode":"VIP"}]"#, &[]);
    check(
        r#"[{"ip":"192.0.2.1"},{"hostname":"1.2.3.4","ipMode":"VIP"}]"#,
        &[
            "status.loadBalancer.ingress[0].ipMode: Required value: must be specified when `ip` is set",
            "status.loadBalancer.ingress[1].ipMode: Forbidden: may not be specified when `ip` is not set",
            r#"status.loadBalancer.ingress[1].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address"#,
        ],
    );
}

#[test]
fn endpoints_may_stay_odd() {
    let odd = r#"{"subsets":[{"addresses":[{"ip":"127.0.0.1"}],"ports":[{"port":0,"protocol":"TCP"}]},{}]}"#;
    check(
        "Endpoints",
        odd,
        &[
            r#"subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)"#,
            "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "subsets[1]: Required value: must specify `addresses` or `notReadyAddresses`",
        ],
    );
    check_change("Endpoints", odd, odd, &[]);
}

#[test]
fn contents_are_fixed_if_they_say_so() {
    let fixed = r#"{"immutable":true,"data":{"a":"1"}}"#;
    check_change("ConfigMap", fixed, fixed, &[]);
    check_change(
        "ConfigMap",
        r#"{"data":{"a":"2"},"binaryData":{"a":"AA=="}}"#,
        fixed,
        &[
            "immutable: Forbidden: field is immutable when `immutable` is set",
            "data: Forbidden: field is immutable when `immutable` is set",
            "binaryData: Forbidden: field is immutable when `immutable` is set",
            r#"data[a]: Invalid value: "a": duplicate of key present in binaryData"#,
        ],
    );
    check_change(
        "Secret",
        r#"{"type":"b"}"#,
        r#"{"type":"a"}"#,
        &[r#"type: Invalid value: "b": field is immutable"#],
    );
}

#[test]
fn secrets_hold_what_their_type_says() {
    let redacted = r#"data[.dockercfg]: Invalid value: "<secret contents redacted>": "#;
    for (object, expected) in [
        (
            r#"{"type":"kubernetes.io/dockercfg","data":{".dockercfg":"e30="}}"#,
            "",
        ),
        (
            r#"{"type":"kubernetes.io/dockercfg","data":{".dockercfg":"WzFd"}}"#,
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            r#"{"type":"kubernetes.io/dockercfg","data":{".dockercfg":"eA=="}}"#,
            "invalid character 'x' looking for beginning of value",
        ),
    ] {
        let expected = [format!("{redacted}{expected}")];
        let expected: Vec<&str> = expected.iter().map(|line| &**line).collect();
        check(
            "Secret",
            object,
            if object.contains("e30") {
                &[]
            } else {
                &expected
            },
        );
    }
    check(
        "Secret",
        r#"{"type":"kubernetes.io/tls","data":{"tls.key":""}}"#,
        &["data[tls.crt]: Required value"],
    );
}

#[test]
fn limits_have_an_order() {
    let limits = |limit: &str| format!(r#"{{"spec":{{"limits":[{limit}]}}}}"#);
    check(
        "LimitRange",
        &limits(r#"{"type":"Container","max":{"cpu":"2"},"min":{"cpu":"1"}}"#),
        &[],
    );
    check(
        "LimitRange",
        &limits(
            r#"{"type":"Container","max":{"cpu":"1"},"min":{"cpu":"2"},"maxLimitRequestRatio":{"cpu":"500m"}},{"type":"Pod","default":{"cpu":"1"}}"#,
        ),
        &[
            r#"spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1"#,
            r#"spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1"#,
            "spec.limits[1].default: Forbidden: may not be specified when `type` is 'Pod'",
        ],
    );
}

#[test]
fn scopes_fit_their_resources() {
    check(
        "ResourceQuota",
        r#"{"spec":{"hard":{"services":"1"},"scopes":["BestEffort","x"]}}"#,
        &[
            r#"spec.scopes: Invalid value: ["BestEffort","x"]: unsupported scope applied to resource"#,
            r#"spec.scopes: Invalid value: ["BestEffort","x"]: unsupported scope"#,
        ],
    );
}

#[test]
fn nodes_keep_their_provider() {
    check_change(
        "Node",
        r#"{"spec":{"providerID":"b","taints":[{"key":"a","effect":"NoExecute"},{"key":"a","effect":"NoExecute"}]}}"#,
        r#"{"spec":{"providerID":"a"}}"#,
        &[
            r#"metadata.taints[1]: Duplicate value: {"Key":"a","Value":"","Effect":"NoExecute","TimeAdded":null}: taints must be unique by key and effect pair"#,
            "spec.providerID: Invalid value: null: field cannot be modified once set",
        ],
    );
}

#[test]
fn volumes_are_of_one_kind() {
    let volume = |source: &str| {
        format!(
            r#"{{"spec":{{"accessModes":["ReadWriteOnce"],"capacity":{{"storage":"1Gi"}}{source}}}}}"#
        )
    };
    check(
        "PersistentVolume",
        &volume(r#","hostPath":{"path":"/x"}"#),
        &[],
    );
    check(
        "PersistentVolume",
        &volume(""),
        &["spec: Required value: must specify a volume type"],
    );
    check(
        "PersistentVolume",
        &volume(r#","hostPath":{"path":""},"cephfs":{}"#),
        &[
            "spec.hostPath.path: Required value",
            "spec.cephFS: Forbidden: may not specify more than 1 volume type",
        ],
    );
}

#[test]
fn claims_only_grow() {
    let claim = |more: &str| {
        format!(
            r#"{{"spec":{{"accessModes":["ReadWriteOnce"],"resources":{{"requests":{{"storage":"1Gi"}}}}{more}}}}}"#
        )
    };
    check("PersistentVolumeClaim", &claim(""), &[]);
    check_change(
        "PersistentVolumeClaim",
        &claim(r#","volumeMode":"Block""#),
        &claim(r#","volumeMode":"Filesystem""#),
        &[
            "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n@@ -11,7 +11,7 @@\n  },\n  \"VolumeName\": \"\",\n  \"StorageClassName\": null,\n- \"VolumeMode\": \"Filesystem\",\n+ \"VolumeMode\": \"Block\",\n  \"DataSource\": null,\n  \"DataSourceRef\": null,\n  \"VolumeAttributesClassName\": null\n",
            r#"volumeMode: Invalid value: "Block": field is immutable"#,
        ],
    );
}

#[test]
fn namespaces_leave_when_they_are_deleted() {
    let of = ("", "Namespace", "status");
    check_table(of, r#"{"status":{"phase":"Active"}}"#, None, &[]);
    check_table(
        of,
        r#"{"status":{"phase":"Terminating"}}"#,
        None,
        &[
            r#"status.Phase: Invalid value: "Terminating": may only be 'Active' if `deletionTimestamp` is empty"#,
        ],
    );
    check_table(
        ("", "Namespace", "finalize"),
        r#"{"spec":{"finalizers":["x"]}}"#,
        None,
        &[
            r#"spec.finalizers[0]: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified"#,
        ],
    );
}
