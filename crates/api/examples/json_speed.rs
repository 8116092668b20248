//! Times the JSON codec on a pod of usual size: `cargo run --release -p api --example json_speed`.

#![allow(clippy::disallowed_methods, reason = "a stopwatch reads the clock")]

use std::{hint::black_box, time::Instant};

use api::{Head, json};

const ROUNDS: u32 = 5_000;

fn main() {
    let pod = pod();
    println!("pod of {} bytes", pod.len());
    let value = json::read(&pod).expect("it is JSON").value;
    let mut out = Vec::new();
    json::write(&value, &mut out);
    assert_eq!(out, pod, "it comes back as it went");
    time("read", || drop(black_box(json::read(black_box(&pod)))));
    time("read, kept", || {
        std::mem::forget(black_box(json::read(black_box(&pod))))
    });
    time("write", || {
        out.clear();
        json::write(black_box(&value), &mut out);
    });
    time("clone", || drop(black_box(value.clone())));
    time("head", || drop(black_box(Head::scan(black_box(&pod)))));
    time("find status.phase", || {
        black_box(json::scan::find_str(black_box(&pod), &["status", "phase"]));
    });
}

/// Prints the best of ten averages; arguments choose what is timed.
fn time(what: &str, mut work: impl FnMut()) {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if !chosen.is_empty() && !chosen.iter().any(|one| one == what) {
        return;
    }
    (0..ROUNDS / 10).for_each(|_| work());
    let best = (0..10).map(|_| {
        let begun = Instant::now();
        (0..ROUNDS / 10).for_each(|_| work());
        begun.elapsed() / (ROUNDS / 10)
    });
    println!("{what}: {:?}", best.min().unwrap_or_default());
}

/// Returns a pod with two containers, managed fields and a full status, about 7.7 KB.
fn pod() -> Vec<u8> {
    let container = |name: &str| {
        format!(
            concat!(
                r#"{{"name":"{name}","image":"registry.example.com/team/{name}:v1.2.3","command":["/bin/{name}"],"#,
                r#""args":["--port=8080","--log-level=info","--config=/etc/config/config.yaml"],"#,
                r#""ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}},{{"name":"metrics","containerPort":9090,"protocol":"TCP"}}],"#,
                r#""env":[{{"name":"POD_NAME","valueFrom":{{"fieldRef":{{"apiVersion":"v1","fieldPath":"metadata.name"}}}}}},"#,
                r#"{{"name":"POD_IP","valueFrom":{{"fieldRef":{{"apiVersion":"v1","fieldPath":"status.podIP"}}}}}},{{"name":"MODE","value":"production"}}],"#,
                r#""resources":{{"limits":{{"cpu":"500m","memory":"512Mi"}},"requests":{{"cpu":"100m","memory":"128Mi"}}}},"#,
                r#""volumeMounts":[{{"name":"config","readOnly":true,"mountPath":"/etc/config"}},"#,
                r#"{{"name":"kube-api-access-x7x2k","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}}],"#,
                r#""livenessProbe":{{"httpGet":{{"path":"/healthz","port":8080,"scheme":"HTTP"}},"initialDelaySeconds":10,"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3}},"#,
                r#""readinessProbe":{{"httpGet":{{"path":"/readyz","port":8080,"scheme":"HTTP"}},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3}},"#,
                r#""terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}}"#
            ),
            name = name
        )
    };
    let managed = |manager: &str| {
        format!(
            concat!(
                r#"{{"manager":"{manager}","operation":"Update","apiVersion":"v1","time":"2026-11-21T12:00:00Z","fieldsType":"FieldsV1","fieldsV1":"#,
                r#"{{"f:metadata":{{"f:generateName":{{}},"f:labels":{{".":{{}},"f:app":{{}},"f:pod-template-hash":{{}},"f:tier":{{}}}},"#,
                r#""f:ownerReferences":{{".":{{}},"k:{{\"uid\":\"3f2b1c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d\"}}":{{}}}}}},"#,
                r#""f:spec":{{"f:containers":{{"k:{{\"name\":\"web\"}}":{{".":{{}},"f:args":{{}},"f:command":{{}},"f:env":{{".":{{}},"k:{{\"name\":\"MODE\"}}":{{".":{{}},"f:name":{{}},"f:value":{{}}}}}},"#,
                r#""f:image":{{}},"f:imagePullPolicy":{{}},"f:name":{{}},"f:resources":{{".":{{}},"f:limits":{{".":{{}},"f:cpu":{{}},"f:memory":{{}}}}}}}}}},"#,
                r#""f:dnsPolicy":{{}},"f:enableServiceLinks":{{}},"f:restartPolicy":{{}},"f:schedulerName":{{}},"f:securityContext":{{}},"f:terminationGracePeriodSeconds":{{}}}}}}}}"#
            ),
            manager = manager
        )
    };
    let condition = |kind: &str| {
        format!(
            r#"{{"type":"{kind}","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-21T12:00:01Z"}}"#
        )
    };
    let status = |name: &str| {
        format!(
            concat!(
                r#"{{"name":"{name}","state":{{"running":{{"startedAt":"2026-11-21T12:00:03Z"}}}},"lastState":{{}},"ready":true,"restartCount":0,"#,
                r#""image":"registry.example.com/team/{name}:v1.2.3","imageID":"registry.example.com/team/{name}@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1","#,
                r#""containerID":"containerd://9dcd8c6e0f4f5bb0cde1d3e1a3e8a9a27a3d7e3d7b5cf1d0d9d9fbb0bd7b8a5e","started":true}}"#
            ),
            name = name
        )
    };
    format!(
        concat!(
            r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"web-7d4b9c6f5d-x7x2k","generateName":"web-7d4b9c6f5d-","namespace":"production","#,
            r#""uid":"0b7f8c9d-1a2b-4c3d-8e4f-5a6b7c8d9e0f","resourceVersion":"1234567","generation":1,"creationTimestamp":"2026-11-21T12:00:00Z","#,
            r#""labels":{{"app":"web","pod-template-hash":"7d4b9c6f5d","tier":"frontend"}},"annotations":{{"prometheus.io/scrape":"true","prometheus.io/port":"9090"}},"#,
            r#""ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-7d4b9c6f5d","uid":"3f2b1c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d","controller":true,"blockOwnerDeletion":true}}],"#,
            r#""managedFields":[{m1},{m2}]}},"spec":{{"volumes":[{{"name":"config","configMap":{{"name":"web-config","defaultMode":420}}}}],"#,
            r#""containers":[{c1},{c2}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"web","serviceAccount":"web","#,
            r#""nodeName":"node-17","securityContext":{{}},"schedulerName":"default-scheduler","tolerations":[{{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}],"#,
            r#""priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}},"status":{{"phase":"Running","conditions":[{k1},{k2},{k3},{k4}],"#,
            r#""hostIP":"10.0.0.17","podIP":"10.244.3.12","podIPs":[{{"ip":"10.244.3.12"}}],"startTime":"2026-11-21T12:00:00Z","containerStatuses":[{s1},{s2}],"qosClass":"Burstable"}}}}"#
        ),
        m1 = managed("kube-controller-manager"),
        m2 = managed("kubelet"),
        c1 = container("web"),
        c2 = container("proxy"),
        k1 = condition("PodScheduled"),
        k2 = condition("Initialized"),
        k3 = condition("ContainersReady"),
        k4 = condition("Ready"),
        s1 = status("web"),
        s2 = status("proxy"),
    )
    .into_bytes()
}
