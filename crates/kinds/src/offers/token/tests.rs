//! What a token is bound to, and how long it lives, given what is seen on the way.

use api::{Text, Value, json};
use base::WallTime;
use schema::{
    Credential,
    offer::{Signing, Wish},
    way::Sight,
};

use super::Token;

const POD: &str =
    r#"{"metadata":{"name":"p","uid":"u"},"spec":{"serviceAccountName":"a","nodeName":"n"}}"#;
const NODE: &str = r#"{"metadata":{"name":"n","uid":"v"}}"#;

fn value(text: &str) -> Value {
    json::read(text.as_bytes()).expect("it is JSON").value
}

/// Asks with this `spec` for a token of the account `a`, shows what was seen (nothing is `-`), and
/// tells what comes next.
#[track_caller]
fn check(spec: &str, seen: &[&str], expected: &str) {
    let audiences = [Text::const_new("us")];
    let wish = Wish {
        namespace: "ns",
        name: "a",
        audiences: &audiences,
        now: WallTime::from_secs(0),
    };
    let mut request = value(&format!(r#"{{"spec":{spec}}}"#));
    let account = value(r#"{"metadata":{"name":"a","uid":"w"}}"#);
    let looked = |text: &&str| match *text {
        "-" => Vec::new(),
        text => vec![value(text)],
    };
    let seen: Vec<Vec<Value>> = seen.iter().map(looked).collect();
    let found = Token.read(&wish, &mut request);
    let found = found.and_then(|()| Token.complete(&wish, &mut request, &account));
    let found = match found.and_then(|()| Token.next(&wish, &request, &seen)) {
        Ok(Signing::Look(Sight::Object {
            resource,
            namespace,
            name,
        })) => format!("look {} {namespace}/{name}", resource.1),
        Ok(Signing::Look(Sight::Perhaps { resource, name, .. })) => {
            format!("perhaps {} {name}", resource.1)
        }
        Ok(Signing::Look(sight)) => format!("{sight:?}"),
        Ok(Signing::Sign(grant)) => {
            let bound = grant.bound.map(|((_, plural), one)| (plural, one.uid));
            let host = grant.host.map(|host| host.uid);
            format!(
                "{:?} {bound:?} {host:?} {:?} {:?}",
                grant.audiences, grant.lifetime, grant.warn_after
            )
        }
        Err(status) => format!("{} {}", status.code, status.message),
    };
    assert_eq!(found, expected, "{spec}");
}

#[test]
fn a_token_lives_an_hour_unless_it_says_otherwise() {
    check("{}", &[], r#"["us"] None None 3600s None"#);
    let other = r#"{"audiences":["x"],"expirationSeconds":600}"#;
    check(other, &[], r#"["x"] None None 600s None"#);
    check(
        r#"{"expirationSeconds":599}"#,
        &[],
        r#"422 TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes"#,
    );
    check(
        r#"{"expirationSeconds":4294967297}"#,
        &[],
        r#"422 TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds"#,
    );
}

#[test]
fn a_token_of_a_pod_names_its_node() {
    let pod = r#"{"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"p"}}"#;
    check(pod, &[], "look pods ns/p");
    check(pod, &[POD], "perhaps nodes n");
    let signed = |host: &str| format!(r#"["us"] Some(("pods", "u")) Some("{host}") 3600s None"#);
    check(pod, &[POD, NODE], &signed("v"));
    check(pod, &[POD, "-"], &signed(""));
    check(
        pod,
        &[r#"{"spec":{"serviceAccountName":"b"}}"#],
        r#"400 cannot bind token for serviceaccount "a" to pod running with different serviceaccount name."#,
    );
}

#[test]
fn a_kubelets_token_lives_longer_than_it_says() {
    let bound = r#""boundObjectRef":{"kind":"Pod","name":"p"},"expirationSeconds":3607"#;
    check(
        &format!("{{{bound}}}"),
        &[POD, NODE],
        r#"["us"] Some(("pods", "u")) Some("v") 31536000s Some(3607s)"#,
    );
    check(
        &format!(r#"{{{bound},"audiences":["x"]}}"#),
        &[POD, NODE],
        r#"["x"] Some(("pods", "u")) Some("v") 3607s None"#,
    );
}

#[test]
fn a_token_is_bound_to_one_object() {
    let node = r#"{"boundObjectRef":{"kind":"Node","name":"n","uid":"other"}}"#;
    check(node, &[], "look nodes /n");
    check(
        node,
        &[NODE],
        r#"409 Operation cannot be fulfilled on Node "n": the UID in the bound object reference (other) does not match the UID in record. The object might have been deleted and then recreated"#,
    );
    check(
        r#"{"boundObjectRef":{"kind":"Secret","name":"s"}}"#,
        &[],
        "look secrets ns/s",
    );
    check(
        r#"{"boundObjectRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"d"}}"#,
        &[],
        "400 cannot bind token to object of type apps/v1, Kind=Deployment",
    );
}
