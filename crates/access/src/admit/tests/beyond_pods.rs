//! Rules for claims, classes, nodes, certificates and roles.

use api::{Value, value};

use super::{check, world};
use crate::world::Resource;

#[test]
fn classes_are_chosen_by_default() {
    let world = world();
    let claim = || value!({"metadata": {"name": "c"}, "spec": {}});
    let create = "u create core/persistentvolumeclaims in n";
    let path = &["spec", "storageClassName"];
    check(&world, create, claim(), None, path, "null");
    let class = |name: &str, created: &str, annotation: &str| {
        let mut class = value!({"metadata": {"name": (name), "creationTimestamp": (created)}});
        class.set_at(&["metadata", "annotations", annotation], value!("true"));
        class
    };
    let storage = "storageclass.kubernetes.io/is-default-class";
    world.put(
        Resource::STORAGE_CLASSES,
        &class("old", "2020-01-01T00:00:00Z", storage),
    );
    world.put(
        Resource::STORAGE_CLASSES,
        &class(
            "b",
            "2021-01-01T00:00:00Z",
            "storageclass.beta.kubernetes.io/is-default-class",
        ),
    );
    world.put(
        Resource::STORAGE_CLASSES,
        &class("a", "2021-01-01T00:00:00Z", storage),
    );
    check(&world, create, claim(), None, path, "\"a\"");
    let none = value!({"metadata": {"name": "c"}, "spec": {"storageClassName": ""}});
    check(&world, create, none, None, path, "\"\"");
    let annotated = value!({"metadata": {"name": "c", "annotations": {"volume.beta.kubernetes.io/storage-class": "x"}}, "spec": {}});
    check(&world, create, annotated, None, path, "null");
    let create = "u create networking.k8s.io/ingresses in n";
    let path = &["spec", "ingressClassName"];
    let ingress = || value!({"metadata": {"name": "i"}, "spec": {}});
    check(&world, create, ingress(), None, path, "null");
    world.put(
        Resource::INGRESS_CLASSES,
        &class(
            "web",
            "2021-01-01T00:00:00Z",
            "ingressclass.kubernetes.io/is-default-class",
        ),
    );
    check(&world, create, ingress(), None, path, "\"web\"");
    let annotated = value!({"metadata": {"name": "i", "annotations": {"kubernetes.io/ingress.class": "x"}}, "spec": {}});
    check(&world, create, annotated, None, path, "null");
}

#[test]
fn nodes_begin_tainted() {
    let world = world();
    let taints = &["spec", "taints"];
    let node = |taints: Value| value!({"metadata": {"name": "x"}, "spec": {"taints": (taints)}});
    let tainted = r#"[{"key":"node.kubernetes.io/not-ready","effect":"NoSchedule"}]"#;
    check(
        &world,
        "u create core/nodes",
        node(Value::Null),
        None,
        taints,
        tainted,
    );
    let known = value!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]);
    check(
        &world,
        "u create core/nodes",
        node(known),
        None,
        taints,
        tainted,
    );
    check(
        &world,
        "u update core/nodes#x",
        node(value!([])),
        None,
        taints,
        "[]",
    );
}

#[test]
fn storage_in_use_is_protected() {
    let world = world();
    let finalizers = &["metadata", "finalizers"];
    let object = || value!({"metadata": {"name": "x", "finalizers": ["a/b"]}, "spec": {}});
    let protects = |line: &str, finalizer: &str| {
        let expected = format!(r#"["a/b","kubernetes.io/{finalizer}"]"#);
        check(&world, line, object(), None, finalizers, &expected);
    };
    protects("u create core/persistentvolumes", "pv-protection");
    protects(
        "u create core/persistentvolumeclaims in n",
        "pvc-protection",
    );
    protects(
        "u create storage.k8s.io/volumeattributesclasses",
        "vac-protection",
    );
    check(
        &world,
        "u create core/configmaps in n",
        object(),
        None,
        finalizers,
        r#"["a/b"]"#,
    );
}

#[test]
fn claims_grow_only_where_allowed() {
    let world = world();
    let claim = |size: &str, class: &str, phase: &str| {
        value!({"metadata": {"name": "c"},
            "spec": {"storageClassName": (class), "resources": {"requests": {"storage": (size)}}},
            "status": {"phase": (phase)}})
    };
    let grow = |class: &str, phase: &str, size: &str, expected: &str| {
        let (new, old) = (claim(size, class, phase), claim("1Gi", class, phase));
        let line = "u update core/persistentvolumeclaims#c in n";
        check(
            &world,
            line,
            new,
            Some(&old),
            &["metadata", "name"],
            expected,
        );
    };
    world.put(
        Resource::STORAGE_CLASSES,
        &value!({"metadata": {"name": "g"}, "allowVolumeExpansion": true}),
    );
    world.put(
        Resource::STORAGE_CLASSES,
        &value!({"metadata": {"name": "s"}, "allowVolumeExpansion": false}),
    );
    grow("g", "Bound", "2Gi", "\"c\"");
    grow("s", "Bound", "1024Mi", "\"c\"");
    let refused = "persistentvolumeclaims \"c\" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    grow("s", "Bound", "2Gi", refused);
    grow("x", "Bound", "2Gi", refused);
    grow(
        "g",
        "Pending",
        "2Gi",
        "persistentvolumeclaims \"c\" is forbidden: Only bound persistent volume claims can be expanded",
    );
}

#[test]
fn only_signers_sign() {
    let world = world();
    let csr = |status: Value| value!({"metadata": {"name": "c"}, "spec": {"signerName": "example.com/s"}, "status": (status)});
    let (old, new) = (csr(value!({})), csr(value!({"certificate": "x"})));
    let line = |who: &str, subresource: &str| {
        format!("{who} update certificates.k8s.io/certificatesigningrequests/{subresource}#c")
    };
    let refused = |verb: &str| {
        format!(
            "certificatesigningrequests.certificates.k8s.io \"c\" is forbidden: user not permitted to {verb} requests with signerName \"example.com/s\""
        )
    };
    check(
        &world,
        &line("u", "status"),
        new.clone(),
        Some(&old),
        &[],
        &refused("sign"),
    );
    check(
        &world,
        &line("u", "approval"),
        new.clone(),
        Some(&old),
        &[],
        &refused("approve"),
    );
    let name = &["metadata", "name"];
    check(
        &world,
        &line("u", "status"),
        old.clone(),
        Some(&old),
        name,
        "\"c\"",
    );
    world.put(
        Resource::CLUSTER_ROLES,
        &value!({"metadata": {"name": "signer"}, "rules": [{"verbs": ["sign", "approve"],
            "apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": ["example.com/*"]}]}),
    );
    world.put(
        Resource::CLUSTER_ROLE_BINDINGS,
        &value!({"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "signer"},
            "subjects": [{"kind": "User", "name": "s"}]}),
    );
    check(
        &world,
        &line("s", "status"),
        new.clone(),
        Some(&old),
        name,
        "\"c\"",
    );
    check(
        &world,
        &line("s", "approval"),
        new,
        Some(&old),
        name,
        "\"c\"",
    );
}

#[test]
fn nobody_asks_for_a_certificate_of_masters() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use rcgen::{CertificateParams, DnType, KeyPair};
    let world = world();
    let request = |group: &str| {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
        let key = KeyPair::generate().expect("a key");
        let pem = params
            .serialize_request(&key)
            .expect("a request")
            .pem()
            .expect("PEM");
        STANDARD.encode(pem)
    };
    let create = |signer: &str, request: &str, expected: &str| {
        let csr = value!({"metadata": {"name": "c"}, "spec": {"signerName": (signer), "request": (request)}});
        check(
            &world,
            "u create certificates.k8s.io/certificatesigningrequests",
            csr,
            None,
            &["metadata", "name"],
            expected,
        );
    };
    let client = "kubernetes.io/kube-apiserver-client";
    create(client, &request("devs"), "\"c\"");
    create("example.com/s", &request("system:masters"), "\"c\"");
    create(
        client,
        &request("system:masters"),
        "certificatesigningrequests.certificates.k8s.io \"c\" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
    );
    create(
        client,
        &STANDARD.encode("x"),
        "certificatesigningrequests.certificates.k8s.io \"c\" is forbidden: failed to parse CSR: PEM block type must be CERTIFICATE REQUEST",
    );
}

#[test]
fn roles_do_not_escalate() {
    let world = world();
    let role = value!({"metadata": {"name": "r"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]});
    check(
        &world,
        "u create rbac.authorization.k8s.io/roles in n",
        role,
        None,
        &[],
        "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"u\" (groups=[]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\"]}",
    );
}
