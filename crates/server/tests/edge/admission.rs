//! Rules of admission through every phase: what they change is stored, what they refuse is not.

use std::time::Duration;

use access::allow::Mode;
use api::json;
use base::{Clock, FakeClock, WallTime};

use crate::harness::{Answer, Local, Options, server};

const JSON: &str = "content-type: application/json";
const MERGE: &str = "content-type: application/merge-patch+json";

/// A server whose clock stands still, and someone who may do everything.
struct Ground {
    server: server::Server,
    master: Local,
    clock: FakeClock,
}

fn at(answer: &Answer, path: &str) -> String {
    let value = json::read(&answer.body).expect("it is JSON").value;
    let path: Vec<&str> = path.split('/').collect();
    match value.at(&path) {
        None => "-".to_owned(),
        Some(api::Value::String(text)) => text.to_string(),
        Some(other) => {
            let mut out = Vec::new();
            json::write(other, &mut out);
            String::from_utf8(out).expect("it is text")
        }
    }
}

impl Ground {
    /// Begins with the namespace `a` and its default service account.
    async fn new() -> Self {
        let (clock, handle) = Clock::fake(WallTime::from_secs(1_800_000_000));
        let (server, _tasks) = server(Options {
            clock,
            mode: Mode::Rbac,
            ..Options::default()
        })
        .await;
        let ground = Self {
            master: Local::of(&server, "me", &["system:masters"]),
            server,
            clock: handle,
        };
        ground
            .create("/api/v1/namespaces", r#"{"metadata":{"name":"a"}}"#)
            .await;
        let account = r#"{"metadata":{"name":"default"}}"#;
        ground
            .create("/api/v1/namespaces/a/serviceaccounts", account)
            .await;
        ground
    }

    /// Creates something that must come in.
    async fn create(&self, path: &str, body: &str) -> Answer {
        let answer = self.master.send(&format!("POST {path}"), JSON, body).await;
        assert_eq!(answer.code, 201, "{path}: {answer}");
        answer
    }

    /// Tries what must be refused; returns code and message. Rules that wait for something wait on
    /// the clock, which is moved here.
    async fn refused(&self, line: &str, body: &str) -> String {
        let headers = if line.starts_with("PATCH") {
            MERGE
        } else {
            JSON
        };
        let sending = self.master.send(line, headers, body);
        let moving = async {
            loop {
                tokio::task::yield_now().await;
                if self.clock.next_wake().is_some() {
                    self.clock.advance(Duration::from_millis(500));
                }
            }
        };
        let answer = tokio::select! {
            biased;
            answer = sending => answer,
            () = moving => unreachable!("the clock moves for ever"),
        };
        assert!(answer.code >= 400, "{line}: {answer}");
        format!("{} {}", answer.code, at(&answer, "message"))
    }
}

fn pod(spec: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"p"}},"spec":{{{spec}"containers":[{{"name":"c","image":"i"}}]}}}}"#
    )
}

const PODS: &str = "/api/v1/namespaces/a/pods";

#[tokio::test]
async fn nothing_comes_into_a_namespace_that_is_not_there_or_goes() {
    let ground = Ground::new().await;
    let map = r#"{"metadata":{"name":"m"}}"#;
    assert_eq!(
        ground
            .refused("POST /api/v1/namespaces/none/configmaps", map)
            .await,
        r#"404 namespaces "none" not found"#
    );
    let maps = "/api/v1/namespaces/a/configmaps";
    ground.create(maps, map).await;
    let gone = ground
        .master
        .send("DELETE /api/v1/namespaces/a", "", "")
        .await;
    assert_eq!(gone.code, 200, "{gone}");
    assert_eq!(
        ground
            .refused(&format!("POST {maps}"), r#"{"metadata":{"name":"n"}}"#)
            .await,
        r#"403 configmaps "n" is forbidden: unable to create new content in namespace a because it is being terminated"#
    );
    // What is there can still be changed and deleted.
    let patch = format!("PATCH {maps}/m");
    let body = r#"{"data":{"k":"v"}}"#;
    assert_eq!(ground.master.send(&patch, MERGE, body).await.code, 200);
    let delete = format!("DELETE {maps}/m");
    assert_eq!(ground.master.send(&delete, "", "").await.code, 200);
    ground
        .create("/api/v1/namespaces", r#"{"metadata":{"name":"default"}}"#)
        .await;
    assert_eq!(
        ground
            .refused("DELETE /api/v1/namespaces/default", "")
            .await,
        r#"403 namespaces "default" is forbidden: this namespace may not be deleted"#
    );
}

#[tokio::test]
async fn a_pod_gets_an_account_tolerations_and_a_priority() {
    let ground = Ground::new().await;
    let class = r#"{"metadata":{"name":"high"},"value":1000,"globalDefault":true,"preemptionPolicy":"Never"}"#;
    ground
        .create("/apis/scheduling.k8s.io/v1/priorityclasses", class)
        .await;
    let made = ground.create(PODS, &pod("")).await;
    let found = ground.master.send(&format!("GET {PODS}/p"), "", "").await;
    for answer in [&made, &found] {
        assert_eq!(at(answer, "spec/serviceAccountName"), "default");
        assert_eq!(at(answer, "spec/priority"), "1000");
        assert_eq!(at(answer, "spec/priorityClassName"), "high");
        assert_eq!(at(answer, "spec/preemptionPolicy"), "Never");
        let tolerations = at(answer, "spec/tolerations");
        for key in ["not-ready", "unreachable"] {
            let one = format!(
                r#"{{"key":"node.kubernetes.io/{key}","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}"#
            );
            assert!(tolerations.contains(&one), "{tolerations}");
        }
        let mounts = answer.text();
        assert!(
            mounts.contains("/var/run/secrets/kubernetes.io/serviceaccount"),
            "{mounts}"
        );
    }
    let create = format!("POST {PODS}");
    assert_eq!(
        ground
            .refused(&create, &pod(r#""priorityClassName":"none","#))
            .await,
        r#"403 pods "p" is forbidden: no PriorityClass with name none was found"#
    );
    assert_eq!(
        ground
            .refused(&create, &pod(r#""serviceAccountName":"none","#))
            .await,
        r#"403 pods "p" is forbidden: error looking up service account a/none: serviceaccount "none" not found"#
    );
    assert_eq!(
        ground
            .refused(&create, &pod(r#""runtimeClassName":"none","#))
            .await,
        r#"403 pods "p" is forbidden: pod rejected: RuntimeClass "none" not found"#
    );
}

#[tokio::test]
async fn limits_are_set_and_kept() {
    let ground = Ground::new().await;
    let range = r#"{"metadata":{"name":"l"},"spec":{"limits":[{"type":"Container","default":{"cpu":"500m"},"defaultRequest":{"cpu":"100m"},"max":{"cpu":"1"}}]}}"#;
    ground
        .create("/api/v1/namespaces/a/limitranges", range)
        .await;
    let made = ground.create(PODS, &pod("")).await;
    assert!(
        made.text()
            .contains(r#""resources":{"limits":{"cpu":"500m"},"requests":{"cpu":"100m"}}"#),
        "{made}"
    );
    let greedy = r#"{"metadata":{"name":"g"},"spec":{"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"2"}}}]}}"#;
    assert_eq!(
        ground.refused(&format!("POST {PODS}"), greedy).await,
        r#"403 pods "g" is forbidden: maximum cpu usage per Container is 1, but limit is 2"#
    );
    // Gone, it binds nobody: the rule reads the live collection.
    let gone = ground
        .master
        .send("DELETE /api/v1/namespaces/a/limitranges/l", "", "")
        .await;
    assert_eq!(gone.code, 200, "{gone}");
    ground.create(PODS, greedy).await;
}

#[tokio::test]
async fn nodes_volumes_claims_and_ingresses_are_furnished() {
    let ground = Ground::new().await;
    let node = ground
        .create("/api/v1/nodes", r#"{"metadata":{"name":"n"}}"#)
        .await;
    assert_eq!(
        at(&node, "spec/taints"),
        r#"[{"key":"node.kubernetes.io/not-ready","effect":"NoSchedule"}]"#
    );
    let class = r#"{"metadata":{"name":"fast","annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},"provisioner":"x/y"}"#;
    ground
        .create("/apis/storage.k8s.io/v1/storageclasses", class)
        .await;
    let claim = r#"{"metadata":{"name":"c"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}"#;
    let claim = ground
        .create("/api/v1/namespaces/a/persistentvolumeclaims", claim)
        .await;
    assert_eq!(at(&claim, "spec/storageClassName"), "fast");
    assert_eq!(
        at(&claim, "metadata/finalizers"),
        r#"["kubernetes.io/pvc-protection"]"#
    );
    let class = r#"{"metadata":{"name":"web","annotations":{"ingressclass.kubernetes.io/is-default-class":"true"}},"spec":{"controller":"x.io/y"}}"#;
    ground
        .create("/apis/networking.k8s.io/v1/ingressclasses", class)
        .await;
    let ingress = r#"{"metadata":{"name":"i"},"spec":{"defaultBackend":{"service":{"name":"s","port":{"number":80}}}}}"#;
    let ingress = ground
        .create("/apis/networking.k8s.io/v1/namespaces/a/ingresses", ingress)
        .await;
    assert_eq!(at(&ingress, "spec/ingressClassName"), "web");
}

#[tokio::test]
async fn a_dry_run_is_admitted_and_not_kept() {
    let ground = Ground::new().await;
    let dry = ground
        .master
        .send(&format!("POST {PODS}?dryRun=All"), JSON, &pod(""))
        .await;
    assert_eq!(dry.code, 201, "{dry}");
    assert_eq!(at(&dry, "spec/serviceAccountName"), "default");
    let found = ground.master.send(&format!("GET {PODS}/p"), "", "").await;
    assert_eq!(found.code, 404);
}

#[tokio::test]
async fn nobody_gives_rights_they_do_not_have() {
    let ground = Ground::new().await;
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    // Bob may write roles, and read pods; nothing else.
    let role = r#"{"metadata":{"name":"writer"},"rules":[{"apiGroups":["rbac.authorization.k8s.io"],"resources":["roles"],"verbs":["create"]},{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]}"#;
    ground.create(&format!("{rbac}/clusterroles"), role).await;
    let binding = r#"{"metadata":{"name":"writer"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"bob"}],"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"writer"}}"#;
    ground
        .create(&format!("{rbac}/clusterrolebindings"), binding)
        .await;
    let bob = Local::of(&ground.server, "bob", &[]);
    let line = format!("POST {rbac}/namespaces/a/roles");
    let role = |name: &str, resource: &str| {
        format!(
            r#"{{"metadata":{{"name":"{name}"}},"rules":[{{"apiGroups":[""],"resources":["{resource}"],"verbs":["get"]}}]}}"#
        )
    };
    let own = bob.send(&line, JSON, &role("x", "pods")).await;
    assert_eq!(own.code, 201, "{own}");
    let more = bob.send(&line, JSON, &role("y", "secrets")).await;
    assert_eq!(more.code, 403, "{more}");
    let message = at(&more, "message");
    assert!(
        message.contains("is attempting to grant RBAC permissions not currently held"),
        "{message}"
    );
}

#[tokio::test]
async fn only_a_signer_s_friends_approve() {
    let ground = Ground::new().await;
    let requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let csr = r#"{"metadata":{"name":"x"},"spec":{"request":"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIR01HNENBUUF3RERFS01BZ0dBMVVFQXd3QmRUQlpNQk1HQnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCTGU3M1Y3dG9oMlc4bVk1L1A5aFZXQmlmMzdCekZMdzFyUHY2WHRJZWh2NE5lS1VzS3Bnd3FaaEx4bSt4VXFyCldzYUpwR00yUW93Q01yNzR1eEEyVWFPZ0FEQUtCZ2dxaGtqT1BRUURBZ05JQURCRkFpQlRJelN6VzVjRGdlcWsKeUpoT3RXZWdKUXRVMXp6Zmg3djBLUE8wcXJOSW1RSWhBSzFQMjBHdHFmd0hTQmVyN3FSVTNLVXZlbVB3SDVmdQpGNnY5TmpVZTFhajQKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==","signerName":"a.b/c","usages":["client auth"]}}"#;
    ground.create(requests, csr).await;
    let role = r#"{"metadata":{"name":"approver"},"rules":[{"apiGroups":["certificates.k8s.io"],"resources":["certificatesigningrequests/approval"],"verbs":["patch","update"]}]}"#;
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    ground.create(&format!("{rbac}/clusterroles"), role).await;
    let binding = r#"{"metadata":{"name":"approver"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"bob"}],"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"approver"}}"#;
    ground
        .create(&format!("{rbac}/clusterrolebindings"), binding)
        .await;
    let patch = r#"{"status":{"conditions":[{"type":"Approved","status":"True","reason":"R","message":"m"}]}}"#;
    let line = format!("PATCH {requests}/x/approval");
    let bob = Local::of(&ground.server, "bob", &[]);
    let answer = bob.send(&line, MERGE, patch).await;
    assert_eq!(answer.code, 403, "{answer}");
    let message = at(&answer, "message");
    assert!(
        message.contains(r#"user not permitted to approve requests with signerName "a.b/c""#),
        "{message}"
    );
    assert_eq!(ground.master.send(&line, MERGE, patch).await.code, 200);
}
