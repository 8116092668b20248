//! Questions asked by creating an object, through every phase.

use access::{allow::Mode, identify::TokenFile};
use api::json;
use server::Server;

use crate::harness::{Answer, Local, Options, server};

const ROLES: &str = "POST /apis/rbac.authorization.k8s.io/v1/namespaces/a";
const REVIEWS: &str = "POST /apis/authorization.k8s.io/v1";

/// Returns what lies under a path of an answer, printed; `-` for nothing.
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

/// A server on which bob may read pods of the namespace `a`, and whose token is `t0ken`.
async fn rbac() -> Server {
    let tokens = "t0ken,bob,u-1,\"devs,ops\"\n";
    let (server, _tasks) = server(Options {
        mode: Mode::Rbac,
        tokens: TokenFile::read(tokens).expect("it is well formed"),
        ..Options::default()
    })
    .await;
    let master = Local::of(&server, "me", &["system:masters"]);
    for (line, body) in [
        ("POST /api/v1/namespaces", r#"{"metadata":{"name":"a"}}"#),
        (
            &format!("{ROLES}/roles"),
            r#"{"metadata":{"name":"r"},"rules":[{"apiGroups":[""],"resources":["pods","pods/log"],"verbs":["get","list"]}]}"#,
        ),
        (
            &format!("{ROLES}/rolebindings"),
            r#"{"metadata":{"name":"b"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"bob"}],"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"r"}}"#,
        ),
        (
            "POST /apis/rbac.authorization.k8s.io/v1/clusterroles",
            r#"{"metadata":{"name":"asks"},"rules":[{"apiGroups":["authorization.k8s.io","authentication.k8s.io"],"resources":["*"],"verbs":["create"]},{"nonResourceURLs":["/metrics"],"verbs":["get"]}]}"#,
        ),
        (
            "POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            r#"{"metadata":{"name":"asks"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"bob"}],"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"asks"}}"#,
        ),
    ] {
        let answer = master.send(line, JSON, body).await;
        assert_eq!(answer.code, 201, "{line}: {answer}");
    }
    server
}

const JSON: &str = "content-type: application/json";

#[tokio::test]
async fn says_what_someone_may_do() {
    let server = rbac().await;
    let (master, bob) = (
        Local::of(&server, "me", &["system:masters"]),
        Local::of(&server, "bob", &[]),
    );
    let by_role = r#"RBAC: allowed by RoleBinding "b/a" of Role "r" to User "bob""#;
    let by_cluster =
        r#"RBAC: allowed by ClusterRoleBinding "asks" of ClusterRole "asks" to User "bob""#;
    for (attributes, allowed, reason) in [
        (
            r#"{"verb":"get","resource":"pods","namespace":"a"}"#,
            "true",
            by_role,
        ),
        (
            r#"{"verb":"get","resource":"pods","subresource":"log","namespace":"a","name":"x"}"#,
            "true",
            by_role,
        ),
        (
            r#"{"verb":"get","resource":"pods","namespace":"b"}"#,
            "false",
            "-",
        ),
        (
            r#"{"verb":"delete","resource":"pods","namespace":"a"}"#,
            "false",
            "-",
        ),
        (r#"{"verb":"get","resource":"pods"}"#, "false", "-"),
        (
            r#"{"verb":"create","group":"authorization.k8s.io","resource":"x"}"#,
            "true",
            by_cluster,
        ),
    ] {
        let own = format!(r#"{{"spec":{{"resourceAttributes":{attributes}}}}}"#);
        let others = format!(r#"{{"spec":{{"user":"bob","resourceAttributes":{attributes}}}}}"#);
        for (who, kind, body) in [
            (&bob, "selfsubjectaccessreviews", &own),
            (&master, "subjectaccessreviews", &others),
        ] {
            let answer = who.send(&format!("{REVIEWS}/{kind}"), JSON, body).await;
            assert_eq!(answer.code, 201, "{answer}");
            assert_eq!(at(&answer, "status/allowed"), allowed, "{attributes}");
            assert_eq!(at(&answer, "status/reason"), reason, "{attributes}");
            assert_eq!(at(&answer, "metadata/uid"), "-", "nothing is stored");
        }
    }
    for (path, allowed) in [("/metrics", "true"), ("/metrics/x", "false")] {
        let body =
            format!(r#"{{"spec":{{"nonResourceAttributes":{{"verb":"get","path":"{path}"}}}}}}"#);
        let answer = bob
            .send(&format!("{REVIEWS}/selfsubjectaccessreviews"), JSON, &body)
            .await;
        assert_eq!(at(&answer, "status/allowed"), allowed, "{path}");
    }
}

#[tokio::test]
async fn refuses_questions_that_make_no_sense() {
    let server = rbac().await;
    let master = Local::of(&server, "me", &["system:masters"]);
    for (kind, body, code, part) in [
        (
            "subjectaccessreviews",
            r#"{"spec":{"user":"bob"}}"#,
            422,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        (
            "subjectaccessreviews",
            r#"{"spec":{"resourceAttributes":{"verb":"get"}}}"#,
            422,
            "at least one of user or group must be specified",
        ),
        (
            "namespaces/a/localsubjectaccessreviews",
            r#"{"spec":{"user":"bob","resourceAttributes":{"verb":"get","namespace":"b"}}}"#,
            422,
            "must match metadata.namespace",
        ),
        (
            "selfsubjectrulesreviews",
            r#"{"spec":{}}"#,
            400,
            "no namespace on request",
        ),
    ] {
        let answer = master.send(&format!("{REVIEWS}/{kind}"), JSON, body).await;
        assert_eq!(answer.code, code, "{kind}: {answer}");
        assert!(at(&answer, "message").contains(part), "{kind}: {answer}");
    }
    // A question is a create like any other: who may not create may not ask.
    let alice = Local::of(&server, "alice", &[]);
    let line = format!("{REVIEWS}/subjectaccessreviews");
    let answer = alice.send(&line, JSON, r#"{"spec":{"user":"bob"}}"#).await;
    assert_eq!(answer.code, 403, "{answer}");
    let listed = master.send(&line.replace("POST", "GET"), "", "").await;
    assert_eq!(listed.code, 405, "{listed}");
}

#[tokio::test]
async fn asks_within_a_namespace() {
    let server = rbac().await;
    let master = Local::of(&server, "me", &["system:masters"]);
    let line = format!("{REVIEWS}/namespaces/a/localsubjectaccessreviews");
    let body = r#"{"metadata":{"namespace":"a"},"spec":{"user":"bob","resourceAttributes":{"verb":"list","resource":"pods","namespace":"a"}}}"#;
    let answer = master.send(&line, JSON, body).await;
    assert_eq!(answer.code, 201, "{answer}");
    assert_eq!(at(&answer, "status/allowed"), "true");
}

#[tokio::test]
async fn lists_what_one_may_do() {
    let server = rbac().await;
    let bob = Local::of(&server, "bob", &[]);
    let line = format!("{REVIEWS}/selfsubjectrulesreviews");
    let answer = bob.send(&line, JSON, r#"{"spec":{"namespace":"a"}}"#).await;
    assert_eq!(answer.code, 201, "{answer}");
    let rules = at(&answer, "status/resourceRules");
    assert!(
        rules.contains(
            r#"{"verbs":["get","list"],"apiGroups":[""],"resources":["pods","pods/log"]}"#
        ),
        "{rules}"
    );
    let paths = at(&answer, "status/nonResourceRules");
    assert!(
        paths.contains(r#"{"verbs":["get"],"nonResourceURLs":["/metrics"]}"#),
        "{paths}"
    );
    assert_eq!(at(&answer, "status/incomplete"), "false");
    let other = bob.send(&line, JSON, r#"{"spec":{"namespace":"b"}}"#).await;
    assert!(
        !at(&other, "status/resourceRules").contains("pods"),
        "{other}"
    );
}

#[tokio::test]
async fn says_whose_token_it_is() {
    let server = rbac().await;
    let master = Local::of(&server, "me", &["system:masters"]);
    let line = "POST /apis/authentication.k8s.io/v1/tokenreviews";
    let ask = async |token: &str| {
        let body = format!(r#"{{"spec":{{"token":"{token}"}}}}"#);
        master.send(line, JSON, &body).await
    };
    let known = ask("t0ken").await;
    assert_eq!(known.code, 201, "{known}");
    assert_eq!(at(&known, "status/authenticated"), "true");
    assert_eq!(at(&known, "status/user/username"), "bob");
    assert_eq!(at(&known, "status/user/uid"), "u-1");
    let groups = at(&known, "status/user/groups");
    assert_eq!(groups, r#"["devs","ops","system:authenticated"]"#);
    let unknown = ask("other").await;
    assert_eq!(unknown.code, 201, "{unknown}");
    assert_eq!(at(&unknown, "status/authenticated"), "-");
    assert_eq!(at(&unknown, "status/user"), "{}");
    let none = ask("").await;
    assert_eq!(none.code, 400, "{none}");
}

#[tokio::test]
async fn says_who_is_asking() {
    let server = rbac().await;
    let bob = Local::of(&server, "bob", &["devs"]);
    let line = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews";
    let answer = bob.send(line, JSON, "{}").await;
    assert_eq!(answer.code, 201, "{answer}");
    assert_eq!(at(&answer, "status/userInfo/username"), "bob");
    assert!(at(&answer, "status/userInfo/groups").contains("devs"));
}
