//! The objects that are created: their JSON, at the sizes that the rows name.

use serde_json::{Value, json};

/// Returns a ConfigMap of about 1 KB.
pub(crate) fn config_map(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": "bench", "tier": "back"}},
        "data": {"settings.conf": "x".repeat(400), "more.conf": "y".repeat(350)},
    })
}

/// Returns a pod of about 2.4 KB as JSON.
pub(crate) fn pod(name: &str, group: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/name": "bench", "app.kubernetes.io/instance": "bench-one",
                "app.kubernetes.io/component": "web", "pod-template-hash": "6d4cf56db6",
                "group": group,
            },
            "annotations": {
                "prometheus.io/scrape": "true", "prometheus.io/port": "9090",
                "checksum/config": "0123456789abcdef".repeat(4),
            },
        },
        "spec": {
            "containers": [container("web"), container("sidecar")],
            "volumes": [
                {"name": "config", "configMap": {"name": "bench-config"}},
                {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
            ],
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
                "weight": 100,
                "podAffinityTerm": {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "bench"}},
                },
            }]}},
            "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "bench", "effect": "NoSchedule"}],
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "fsGroup": 1000},
            "terminationGracePeriodSeconds": 30,
        },
    })
}

/// Returns a pod of the list rows with `padding` bytes more than it needs.
pub(crate) fn listed_pod(name: &str, group: &str, padding: usize) -> Value {
    let mut pod = pod(name, group);
    if let Some(containers) = pod["spec"]["containers"].as_array_mut() {
        containers.truncate(1);
    }
    pod["spec"]["affinity"].take();
    pod["metadata"]["annotations"]["bench.example.com/notes"] = json!("n".repeat(padding));
    pod
}

fn container(name: &str) -> Value {
    json!({
        "name": name,
        "image": "registry.example.com/bench/web:v1.2.3",
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/web", "--listen=:8080", "--config=/etc/web/settings.conf"],
        "ports": [{"name": format!("{name}-http"), "containerPort": 8080, "protocol": "TCP"}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "LOG_LEVEL", "value": "info"},
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "500m", "memory": "256Mi"},
        },
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 10},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": 8080}, "periodSeconds": 10},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/web", "readOnly": true},
            {"name": "scratch", "mountPath": "/tmp"},
        ],
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    })
}

/// Group of the custom resources.
pub(crate) const GROUP: &str = "bench.example.com";

/// Returns the CRD with this plural; its schema has about 18 KB.
pub(crate) fn definition(plural: &str) -> Value {
    let kind = format!("Kind{plural}");
    let mut fields = serde_json::Map::new();
    for index in 0..70 {
        fields.insert(format!("field{index:02}"), field(index));
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural, "kind": kind, "listKind": format!("{kind}List")},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {"type": "object", "properties": fields},
                        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    },
                }},
            }],
        },
    })
}

/// Returns the CRD of [`definition`] with rules in CEL on the object and on each of its fields: a
/// comparison, a pattern, and one that looks at two fields together.
pub(crate) fn ruled_definition(plural: &str) -> Value {
    let mut definition = definition(plural);
    let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let spec = &mut schema["properties"]["spec"];
    spec["x-kubernetes-validations"] = json!([
        {"rule": "!has(self.field00) || !has(self.field01) || self.field00.count <= self.field01.count",
         "message": "counts grow"},
        {"rule": "[self.?field02.?name, self.?field03.?name].all(name, name.orValue('a').size() < 60)"},
    ]);
    for index in 0..14 {
        spec["properties"][format!("field{index:02}")]["x-kubernetes-validations"] = json!([
            {"rule": "self.count >= 0 && self.count < 1000", "message": "out of range"},
            {"rule": "self.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')"},
        ]);
    }
    definition
}

fn field(index: usize) -> Value {
    json!({
        "type": "object",
        "description": format!("Field number {index} of the schema, with a description as long as the ones people write."),
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z]"},
            "count": {"type": "integer", "minimum": 0, "default": 1},
        },
    })
}

/// Returns an object of the CRD with this plural, about 1 KB.
pub(crate) fn custom_resource(plural: &str, name: &str) -> Value {
    let mut spec = serde_json::Map::new();
    for index in 0..14 {
        spec.insert(
            format!("field{index:02}"),
            json!({"name": "an-ordinary-name-of-some-length", "count": index}),
        );
    }
    json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": format!("Kind{plural}"),
        "metadata": {"name": name}, "spec": spec,
    })
}

/// Returns a Deployment without pods.
pub(crate) fn deployment(name: &str) -> Value {
    let mut spec = pod("unused", "bench")["spec"].take();
    if let Some(containers) = spec["containers"].as_array_mut() {
        containers.truncate(1);
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{config_map, custom_resource, definition, pod};

    /// The rows say how large their objects are; this holds them to it.
    #[track_caller]
    fn check(bytes: usize, promised: usize) {
        let (least, most) = (promised * 9 / 10, promised * 11 / 10);
        assert!(
            (least..=most).contains(&bytes),
            "{bytes} bytes, promised {promised}"
        );
    }

    #[test]
    fn sizes_are_as_promised() {
        check(config_map("bench-000000").to_string().len(), 1_000);
        check(pod("bench-000000", "one").to_string().len(), 2_400);
        check(definition("things").to_string().len(), 18_000);
        check(
            custom_resource("things", "bench-000000").to_string().len(),
            1_000,
        );
    }
}
