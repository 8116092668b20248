//! Rules of RBAC as tables; the cases are upstream's (plugin/pkg/auth/authorizer/rbac and
//! pkg/registry/rbac/validation).

use api::{Status, Text, Value, json, value};

use super::{Allow, Attributes, Decision, Mode, Rule, escalation, refusal, sentence};
use crate::{
    User, bootstrap, reviews,
    world::{Resource, Still},
};

fn rbac() -> Allow {
    Allow::new(vec![Mode::Rbac])
}

/// Returns a world with the objects of a JSON array, sorted into resources by kind.
fn world(objects: &str) -> Still {
    let world = Still::new();
    let parsed = json::read(objects.as_bytes()).expect("JSON").value;
    for object in parsed.as_array().expect("a list") {
        let resource = bootstrap::resource_of(object).expect("a kind of RBAC");
        world.put(resource, object);
    }
    world
}

fn bootstrapped() -> Still {
    let world = Still::new();
    for object in bootstrap::objects() {
        let resource = bootstrap::resource_of(&object).expect("a kind of RBAC");
        world.put(resource, &object);
    }
    world
}

/// Returns a user from `name` or `name,group,group`.
fn user(text: &str) -> User {
    let mut parts = text.split(',');
    let mut user = User::named(parts.next().unwrap_or_default());
    user.groups = parts.map(Text::new).collect();
    user
}

/// Asks `user verb group/resource[/subresource][#name] [in namespace]`, or `user verb /path`. The core
/// group is called `core` here.
#[track_caller]
fn check(world: &Still, question: &str, expected: bool) {
    let words: Vec<&str> = question.split(' ').collect();
    let user = user(words[0]);
    let decision = if words[2].starts_with('/') {
        rbac().decide(&Attributes::path(&user, words[1], words[2]), world)
    } else {
        let (target, name) = words[2].split_once('#').unwrap_or((words[2], ""));
        let parts: Vec<&str> = target.split('/').collect();
        let group = if parts[0] == "core" { "" } else { parts[0] };
        let attributes = Attributes::resource(&user, words[1], group, parts[1])
            .below(parts.get(2).copied().unwrap_or_default())
            .named(name)
            .within(words.get(4).copied().unwrap_or_default());
        rbac().decide(&attributes, world)
    };
    assert_eq!(decision.is_allowed(), expected, "{question}");
}

const ADMIN: &str = r#"[
    {"kind": "ClusterRole", "metadata": {"name": "admin"},
     "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]},
    {"kind": "RoleBinding", "metadata": {"name": "admins", "namespace": "ns1"},
     "roleRef": {"kind": "ClusterRole", "name": "admin"},
     "subjects": [{"kind": "User", "name": "admin"}, {"kind": "Group", "name": "admins"},
                  {"kind": "ServiceAccount", "name": "robot"},
                  {"kind": "ServiceAccount", "name": "other", "namespace": "ns2"}]}
]"#;

#[test]
fn a_role_binding_grants_in_its_namespace() {
    let world = world(ADMIN);
    check(&world, "admin get core/Pods in ns1", true);
    check(&world, "admin get core/Pods in ns2", false);
    check(&world, "admin get core/Pods", false);
    check(&world, "someone,admins get core/Pods in ns1", true);
    check(&world, "admins get core/pods", false);
    check(&world, "bob delete apps/deployments#x in ns1", false);
    check(&world, "admin delete apps/deployments/scale#x in ns1", true);
    check(&world, "admin get /healthz", false);
}

#[test]
fn service_accounts_are_users() {
    let world = world(ADMIN);
    check(
        &world,
        "system:serviceaccount:ns1:robot get core/pods in ns1",
        true,
    );
    check(
        &world,
        "system:serviceaccount:ns2:robot get core/pods in ns1",
        false,
    );
    check(
        &world,
        "system:serviceaccount:ns2:other get core/pods in ns1",
        true,
    );
    check(
        &world,
        "system:serviceaccount:ns1:other get core/pods in ns1",
        false,
    );
}

#[test]
fn matches_resources_and_subresources() {
    let world = world(
        r#"[
        {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [
            {"verbs": ["update"], "apiGroups": [""], "resources": ["*/scale"]},
            {"verbs": ["get"], "apiGroups": ["g"], "resources": ["pods"]},
            {"verbs": ["get"], "apiGroups": ["g"], "resources": ["pods/log"], "resourceNames": ["a", "b"]},
            {"verbs": ["list"], "apiGroups": ["g", "h"], "resources": ["*"]}]},
        {"kind": "ClusterRoleBinding", "metadata": {"name": "b"},
         "roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]}]"#,
    );
    check(&world, "u update core/deployments/scale", true);
    check(&world, "u update core/deployments/scale in ns", true);
    check(&world, "u update core/deployments/noscale", false);
    check(&world, "u update core/scale", false);
    check(&world, "u update core/deployments", false);
    check(&world, "u get g/pods", true);
    check(&world, "u get g/pods/log#c", false);
    check(&world, "u get g/pods/log#b in ns", true);
    check(&world, "u get g/pods/log", false);
    check(&world, "u list h/anything/below", true);
    check(&world, "u list i/anything", false);
    check(&world, "u watch g/pods", false);
}

#[test]
fn matches_paths() {
    let world = world(
        r#"[
        {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [
            {"verbs": ["get"], "nonResourceURLs": ["/apis", "/apis/*", "/foo*"]},
            {"verbs": ["*"], "nonResourceURLs": ["/root"]}]},
        {"kind": "ClusterRole", "metadata": {"name": "all"}, "rules": [
            {"verbs": ["get"], "nonResourceURLs": ["*"]}]},
        {"kind": "ClusterRoleBinding", "metadata": {"name": "b"},
         "roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]},
        {"kind": "ClusterRoleBinding", "metadata": {"name": "c"},
         "roleRef": {"kind": "ClusterRole", "name": "all"}, "subjects": [{"kind": "User", "name": "v"}]}]"#,
    );
    check(&world, "u get /apis", true);
    check(&world, "u get /apis/v1", true);
    check(&world, "u get /api", false);
    check(&world, "u post /apis", false);
    check(&world, "u get /foobar", true);
    check(&world, "u delete /root", true);
    check(&world, "u delete /root/x", false);
    check(&world, "v get /anything", true);
}

#[test]
fn says_which_roles_are_missing() {
    let world = world(
        r#"[
        {"kind": "ClusterRoleBinding", "metadata": {"name": "a"},
         "roleRef": {"kind": "ClusterRole", "name": "gone"}, "subjects": [{"kind": "User", "name": "u"}]},
        {"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "n"},
         "roleRef": {"kind": "Role", "name": "lost"}, "subjects": [{"kind": "User", "name": "u"}]}]"#,
    );
    let user = user("u");
    let attributes = Attributes::resource(&user, "get", "", "pods").within("n");
    let decision = rbac().decide(&attributes, &world);
    assert_eq!(
        refusal(&attributes, &decision).message,
        r#"pods is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace "n": RBAC: [clusterrole.rbac.authorization.k8s.io "gone" not found, role.rbac.authorization.k8s.io "lost" not found]"#
    );
}

#[test]
fn says_what_someone_cannot_do() {
    let user = user("a<b");
    let check = |attributes: Attributes<'_>, expected: &str| {
        assert_eq!(sentence(&attributes), expected);
    };
    check(
        Attributes::resource(&user, "get", "apps", "deployments")
            .below("scale")
            .within("n")
            .named("x"),
        r#"User "a&lt;b" cannot get resource "deployments/scale" in API group "apps" in the namespace "n""#,
    );
    check(
        Attributes::resource(&user, "list", "", "nodes"),
        r#"User "a&lt;b" cannot list resource "nodes" in API group "" at the cluster scope"#,
    );
    check(
        Attributes::path(&user, "get", "/x"),
        r#"User "a&lt;b" cannot get path "/x""#,
    );
    let attributes = Attributes::path(&user, "get", "/x");
    let decision = rbac().decide(&attributes, &Still::new());
    assert_eq!(
        refusal(&attributes, &decision).message,
        r#"forbidden: User "a&lt;b" cannot get path "/x""#
    );
    let attributes = Attributes::resource(&user, "get", "apps", "deployments").named("x");
    let status = refusal(&attributes, &decision);
    assert!(
        status
            .message
            .starts_with(r#"deployments.apps "x" is forbidden: User"#)
    );
    assert_eq!(status.code, 403);
}

#[test]
fn follows_changes() {
    let world = world(ADMIN);
    let allow = rbac();
    let admin = user("admin");
    let attributes = Attributes::resource(&admin, "get", "", "pods").within("ns1");
    assert!(allow.decide(&attributes, &world).is_allowed());
    world.remove(Resource::ROLE_BINDINGS, "ns1", "admins");
    assert!(!allow.decide(&attributes, &world).is_allowed());
}

#[test]
fn asks_modes_in_order() {
    let world = Still::new();
    let (anyone, master) = (user("u"), user("m,system:masters"));
    let decide = |modes: &[Mode], user: &User| {
        let attributes = Attributes::resource(user, "get", "", "pods");
        Allow::new(modes.to_vec()).decide(&attributes, &world)
    };
    assert!(decide(&[Mode::Rbac, Mode::AlwaysAllow], &anyone).is_allowed());
    assert!(decide(&[], &master).is_allowed());
    assert!(!decide(&[], &anyone).is_allowed());
    let denied = decide(&[Mode::AlwaysDeny, Mode::Rbac], &anyone);
    assert!(matches!(denied, Decision::NoOpinion(_)));
    assert_eq!(denied.reason().to_string(), "Everything is forbidden.");
}

#[test]
fn bootstrap_roles_serve_controllers_and_everyone() {
    let world = bootstrapped();
    check(
        &world,
        "system:kube-controller-manager create core/serviceaccounts/token#x in kube-system",
        true,
    );
    check(
        &world,
        "system:kube-scheduler create core/pods/binding#x in n",
        true,
    );
    check(
        &world,
        "system:serviceaccount:kube-system:replicaset-controller create core/pods in n",
        true,
    );
    check(
        &world,
        "system:serviceaccount:kube-system:replicaset-controller create core/nodes",
        false,
    );
    check(
        &world,
        "system:serviceaccount:kube-system:replicaset-controller update apps/replicasets/status#x in n",
        true,
    );
    check(
        &world,
        "alice,system:authenticated create authorization.k8s.io/selfsubjectaccessreviews",
        true,
    );
    check(&world, "alice,system:authenticated get /api/v1", true);
    check(
        &world,
        "system:anonymous,system:unauthenticated get /version",
        true,
    );
    check(
        &world,
        "system:anonymous,system:unauthenticated get /api/v1",
        false,
    );
    check(
        &world,
        "alice,system:authenticated get core/pods in n",
        false,
    );
}

#[test]
fn names_the_binding_that_grants() {
    let world = world(ADMIN);
    let robot = user("system:serviceaccount:ns1:robot");
    let attributes = Attributes::resource(&robot, "get", "", "pods").within("ns1");
    assert_eq!(
        rbac().decide(&attributes, &world).reason().to_string(),
        r#"RBAC: allowed by RoleBinding "admins/ns1" of ClusterRole "admin" to ServiceAccount "robot/ns1""#
    );
}

fn rule(text: &str) -> Rule {
    Rule::of(&json::read(text.as_bytes()).expect("JSON").value)
}

#[test]
fn covers_what_is_held() {
    let check = |owner: &str, servant: &str, expected: bool| {
        let owner = rule(owner);
        let covered = rule(servant).atoms().iter().all(|atom| owner.covers(atom));
        assert_eq!(covered, expected, "{owner:?} {servant}");
    };
    let all = r#"{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}"#;
    let pods = r#"{"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]}"#;
    let log = r#"{"verbs":["get"],"apiGroups":[""],"resources":["pods/log"]}"#;
    let named = r#"{"verbs":["get"],"apiGroups":[""],"resources":["pods"],"resourceNames":["a"]}"#;
    check(all, pods, true);
    check(pods, all, false);
    check(pods, log, false);
    check(
        r#"{"verbs":["get"],"apiGroups":[""],"resources":["*/log"]}"#,
        log,
        true,
    );
    check(pods, named, true);
    check(named, pods, false);
    check(named, named, true);
    check(
        r#"{"verbs":["get"],"nonResourceURLs":["/a*"]}"#,
        r#"{"verbs":["get"],"nonResourceURLs":["/ab","/a*"]}"#,
        true,
    );
    check(
        r#"{"verbs":["get"],"nonResourceURLs":["/a"]}"#,
        r#"{"verbs":["get"],"nonResourceURLs":["/ab"]}"#,
        false,
    );
    check(all, r#"{"verbs":["get"],"nonResourceURLs":["/ab"]}"#, false);
}

const EDITORS: &str = r#"[
    {"kind": "Role", "metadata": {"name": "edit", "namespace": "n"},
     "rules": [{"verbs": ["get", "update"], "apiGroups": [""], "resources": ["pods"]}]},
    {"kind": "ClusterRole", "metadata": {"name": "binder"},
     "rules": [{"verbs": ["bind"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "resourceNames": ["powerful"]}]},
    {"kind": "Role", "metadata": {"name": "powerful", "namespace": "n"},
     "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]},
    {"kind": "ClusterRole", "metadata": {"name": "escalator"},
     "rules": [{"verbs": ["escalate"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"]}]},
    {"kind": "RoleBinding", "metadata": {"name": "e", "namespace": "n"},
     "roleRef": {"kind": "Role", "name": "edit"}, "subjects": [{"kind": "Group", "name": "editors"}]},
    {"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "n"},
     "roleRef": {"kind": "ClusterRole", "name": "binder"}, "subjects": [{"kind": "User", "name": "binder"}]},
    {"kind": "RoleBinding", "metadata": {"name": "s", "namespace": "n"},
     "roleRef": {"kind": "ClusterRole", "name": "escalator"}, "subjects": [{"kind": "User", "name": "escalator"}]}
]"#;

/// Writes an object and returns what is refused.
#[track_caller]
fn check_write(who: &str, resource: &str, object: &Value, old: Option<&Value>, expected: &str) {
    let world = world(EDITORS);
    let user = user(who);
    let write = escalation::Write {
        user: &user,
        resource,
        namespace: if resource.starts_with("cluster") {
            ""
        } else {
            "n"
        },
        name: "",
        object,
        old,
    };
    let answer = escalation::check(&write, &rbac(), &world);
    let message = answer.map_or_else(|status: Status| status.message, |()| "well".to_owned());
    assert_eq!(message, expected);
}

fn role(rules: Value) -> Value {
    value!({"metadata": {"name": "r", "namespace": "n"}, "rules": (rules)})
}

#[test]
fn nobody_grants_what_they_do_not_hold() {
    let small = role(value!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]));
    let large = role(value!([
        {"verbs": ["get", "create", "delete"], "apiGroups": [""], "resources": ["pods"]},
        {"verbs": ["get"], "nonResourceURLs": ["/x"]}
    ]));
    check_write("e,editors", "roles", &small, None, "well");
    check_write("m,system:masters", "roles", &large, None, "well");
    check_write("escalator", "roles", &large, None, "well");
    let refused = concat!(
        "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"e\" (groups=[\"editors\"]) ",
        "is attempting to grant RBAC permissions not currently held:\n",
        "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"create\" \"delete\"]}\n",
        "{NonResourceURLs:[\"/x\"], Verbs:[\"get\"]}"
    );
    check_write("e,editors", "roles", &large, None, refused);
    let mut collected = large.clone();
    collected.set_at(&["metadata", "finalizers"], value!(["x/y"]));
    check_write("e,editors", "roles", &collected, Some(&large), "well");
    let gathering =
        value!({"metadata": {"name": "g"}, "aggregationRule": {"clusterRoleSelectors": [{}]}});
    check_write(
        "e,editors",
        "clusterroles",
        &gathering,
        None,
        "clusterroles.rbac.authorization.k8s.io \"g\" is forbidden: must have cluster-admin privileges to use the aggregationRule",
    );
    check_write("e,editors", "pods", &large, None, "well");
}

#[test]
fn nobody_binds_what_they_do_not_hold() {
    let binding = |kind: &str, name: &str| value!({"metadata": {"name": "b", "namespace": "n"}, "roleRef": {"kind": (kind), "name": (name)}});
    check_write(
        "e,editors",
        "rolebindings",
        &binding("Role", "edit"),
        None,
        "well",
    );
    check_write(
        "binder",
        "rolebindings",
        &binding("Role", "powerful"),
        None,
        "well",
    );
    check_write(
        "e,editors",
        "rolebindings",
        &binding("Role", "powerful"),
        None,
        "rolebindings.rbac.authorization.k8s.io \"b\" is forbidden: user \"e\" (groups=[\"editors\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}",
    );
    check_write(
        "e,editors",
        "rolebindings",
        &binding("ClusterRole", "gone"),
        None,
        "clusterroles.rbac.authorization.k8s.io \"gone\" not found",
    );
    check_write(
        "e,editors",
        "rolebindings",
        &binding("Other", "x"),
        None,
        "Internal error occurred: unsupported role reference kind: \"Other\"",
    );
}

#[test]
fn answers_reviews() {
    let world = world(ADMIN);
    let allow = rbac();
    let check = |answer: Result<Value, Status>, expected: &str| {
        let printed = match answer {
            Ok(review) => format!("{:?}", review.get("status").expect("a status")),
            Err(status) => status.message,
        };
        assert_eq!(printed, expected);
    };
    let question = value!({"spec": {
        "user": "admin",
        "resourceAttributes": {"namespace": "ns1", "verb": "get", "resource": "pods"}
    }});
    let granted = r#"{"allowed": true, "reason": "RBAC: allowed by RoleBinding \"admins/ns1\" of ClusterRole \"admin\" to User \"admin\""}"#;
    check(
        reviews::subject_access(question.clone(), &allow, &world),
        granted,
    );
    check(
        reviews::self_subject_access(question.clone(), &user("bob"), &allow, &world),
        r#"{"allowed": false}"#,
    );
    let mut local = question.clone();
    local.set_at(&["metadata", "namespace"], value!("ns1"));
    check(
        reviews::local_subject_access(local.clone(), "ns1", &allow, &world),
        granted,
    );
    check(
        reviews::local_subject_access(local.clone(), "ns2", &allow, &world),
        "spec.resourceAttributes.namespace must match namespace: ns2",
    );
    local.set_at(&["metadata", "namespace"], value!("ns3"));
    check(
        reviews::local_subject_access(local, "ns3", &allow, &world),
        ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \"ns1\": must match metadata.namespace",
    );
    let mut odd = question.clone();
    odd.set_at(
        &["spec", "resourceAttributes", "labelSelector", "rawSelector"],
        value!("a b"),
    );
    check(
        reviews::self_subject_access(odd, &user("bob"), &allow, &world),
        r#"{"allowed": false, "evaluationError": "spec.resourceAttributes.labelSelector ignored due to parse error"}"#,
    );
    check(
        reviews::subject_access(
            value!({"metadata": {"name": "x"}, "spec": {}}),
            &allow,
            &world,
        ),
        ".authorization.k8s.io \"\" is invalid: [spec: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified, spec.user: Invalid value: \"\": at least one of user or group must be specified, metadata: Invalid value: {\"name\":\"x\"}: must be empty]",
    );
    let path = value!({"spec": {"nonResourceAttributes": {"verb": "get", "path": "/x"}}});
    check(
        reviews::self_subject_access(path, &user("bob"), &allow, &world),
        r#"{"allowed": false}"#,
    );
}

#[test]
fn lists_the_rules_of_someone() {
    let world = world(ADMIN);
    let question = value!({"spec": {"namespace": "ns1"}});
    let answer = reviews::self_subject_rules(question, &user("admin,admins"), &rbac(), &world);
    assert_eq!(
        format!(
            "{:?}",
            answer.expect("an answer").get("status").expect("a status")
        ),
        r#"{"resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], "nonResourceRules": [], "incomplete": false}"#
    );
    let empty = value!({"spec": {}});
    let refused = reviews::self_subject_rules(empty, &user("a"), &rbac(), &world);
    assert_eq!(refused.unwrap_err().message, "no namespace on request");
}

#[test]
fn keeps_bootstrap_objects() {
    use bootstrap::{Step, reconcile};
    let wanted = value!({
        "kind": "ClusterRole",
        "metadata": {"name": "r", "labels": {"a": "b"}},
        "rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]
    });
    assert_eq!(reconcile(&wanted, None), Step::Create(wanted.clone()));
    assert_eq!(reconcile(&wanted, Some(&wanted)), Step::Keep);
    let mut found = wanted.clone();
    found.set_at(
        &["rules"],
        value!([{"verbs": ["get", "watch"], "apiGroups": [""], "resources": ["pods"]}]),
    );
    found.set_at(&["metadata", "labels"], value!({"a": "other"}));
    let Step::Update(merged) = reconcile(&wanted, Some(&found)) else {
        panic!("a rule is missing");
    };
    assert_eq!(Rule::all_of(&merged).len(), 2);
    assert_eq!(merged.str_at(&["metadata", "labels", "a"]), Some("other"));
    assert_eq!(reconcile(&wanted, Some(&merged)), Step::Keep);
    found.set_at(
        &[
            "metadata",
            "annotations",
            "rbac.authorization.kubernetes.io/autoupdate",
        ],
        value!("false"),
    );
    assert_eq!(reconcile(&wanted, Some(&found)), Step::Keep);
    let binding = |role: &str, subject: &str| {
        value!({
            "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": (role)},
            "subjects": [{"kind": "User", "name": (subject)}]
        })
    };
    let Step::Update(merged) = reconcile(&binding("r", "a"), Some(&binding("r", "z"))) else {
        panic!("a subject is missing");
    };
    assert_eq!(
        merged
            .get("subjects")
            .and_then(Value::as_array)
            .map(<[Value]>::len),
        Some(2)
    );
    let replaced = reconcile(&binding("r", "a"), Some(&binding("q", "a")));
    assert_eq!(replaced, Step::Replace(binding("r", "a")));
}

#[test]
fn the_bootstrap_objects_are_complete() {
    let objects = bootstrap::objects();
    assert!(objects.len() > 130);
    for object in &objects {
        assert!(bootstrap::resource_of(object).is_some(), "{object:?}");
        assert_eq!(
            bootstrap::reconcile(object, Some(object)),
            bootstrap::Step::Keep
        );
    }
    assert_eq!(bootstrap::resource_of(&value!({"kind": "Pod"})), None);
}
