//! How long defaults take: `cargo run --release -p kinds --example defaults_speed`.
//!
//! Wall time of one thread, medians of many runs; nothing else should run beside it.

use std::{hint::black_box, time::Instant};

use api::{Value, json, time};
use schema::{Occasion, Unknown, decode, default};

const RUNS: usize = 5_000;

/// A pod as a controller sends it, without what the server fills in.
const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-7c5ddbdf54-x2x9v","namespace":"default","labels":{"app":"web","pod-template-hash":"7c5ddbdf54"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-7c5ddbdf54","uid":"d9607e19-f88f-11e6-a518-42010a800195","controller":true,"blockOwnerDeletion":true}]},"spec":{"containers":[{"name":"web","image":"registry.example.com/team/web:1.2.3","command":["/web"],"args":["--listen=:8080","--level=info"],"ports":[{"name":"http","containerPort":8080},{"name":"metrics","containerPort":9090}],"env":[{"name":"POD_NAME","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},{"name":"POD_IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},{"name":"MODE","value":"production"}],"resources":{"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":"100m"}},"livenessProbe":{"httpGet":{"path":"/live","port":"http"},"initialDelaySeconds":5},"readinessProbe":{"httpGet":{"path":"/ready","port":"http"}},"volumeMounts":[{"name":"config","mountPath":"/etc/web"},{"name":"cache","mountPath":"/cache"}]},{"name":"sidecar","image":"registry.example.com/team/proxy@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","args":["--upstream=127.0.0.1:8080"],"ports":[{"containerPort":15001}],"securityContext":{"runAsNonRoot":true}}],"volumes":[{"name":"config","configMap":{"name":"web"}},{"name":"cache","emptyDir":{}},{"name":"token","projected":{"sources":[{"serviceAccountToken":{"path":"token"}}]}}],"nodeSelector":{"kubernetes.io/os":"linux"},"tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}]}}"#;

#[allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn measure(name: &str, input: &Value, mut work: impl FnMut(&mut Value)) {
    let mut times: Vec<u128> = (0..RUNS)
        .map(|_| {
            let mut value = input.clone();
            let start = Instant::now();
            work(black_box(&mut value));
            let time = start.elapsed().as_nanos();
            drop(black_box(value));
            time
        })
        .collect();
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!(
        "{name:<44} {:>4}.{:02} µs",
        median / 1000,
        median % 1000 / 10
    );
}

fn main() {
    let builtins = kinds::load();
    let mut all = builtins.kinds.iter();
    let pods = all.find(|kind| kind.names.kind == "Pod");
    let pods = pods.expect("pods are built in");
    let version = pods.stored();
    let occasion = Occasion {
        now: time::parse("2026-01-01T00:00:00Z").expect("it is a time"),
        group_version: &version.group_version,
        asked: &version.group_version,
        subresource: "",
        asker: schema::Asker::NOBODY,
    };
    let normalize = |value: &mut Value| {
        decode(&version.shape, value, &mut Unknown::ignore()).expect("the pod is well formed");
    };
    let fill = |value: &mut Value| {
        default(&version.shape, value);
        pods.behavior.default(occasion, value);
    };
    let mut given = json::read(POD.as_bytes()).expect("the pod is JSON").value;
    normalize(&mut given);
    let mut filled = given.clone();
    fill(&mut filled);
    let mut out = Vec::new();
    json::write(&filled, &mut out);
    println!("pod: {} bytes given, {} bytes filled", POD.len(), out.len());

    measure("declared defaults, first time", &given, |value| {
        default(&version.shape, value)
    });
    measure("rules, first time", &given, |value| {
        pods.behavior.default(occasion, value)
    });
    measure("both, first time", &given, fill);
    measure("both, nothing left to do", &filled, fill);
    measure("normal form of the filled pod", &filled, normalize);
}
