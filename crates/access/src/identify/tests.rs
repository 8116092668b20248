//! Certificates and tokens, made here and judged here.

use std::time::Duration;

use api::{Text, json, value};
use base::{Rng, WallTime};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use rustls_pki_types::CertificateDer;

use super::{
    Certificates, Certified, Credentials, Identified, Identify, ServiceAccounts, SigningKey,
    TokenError, TokenFile, VerifyingKey, bearer_of,
    service_account::{Bound, Grant, Reference},
};
use crate::{
    User, reviews,
    world::{Resource, Still},
};

/// Made for these tests, and for nothing else.
const RSA_PKCS8: &str = include_str!("testdata/rsa-pkcs8.pem");
const RSA_PKCS1: &str = include_str!("testdata/rsa-pkcs1.pem");
const RSA_PUBLIC: &str = include_str!("testdata/rsa-public.pem");
/// What `openssl` says is the hash of the public key.
const RSA_ID: &str = "ux_BqDjH0Q0JTQ-NiaP9qR7HWAzV5Ya8YFaEQoVjXvs";

const NOW: i64 = 1_795_262_400;

fn now() -> WallTime {
    WallTime::from_secs(NOW)
}

struct Ca {
    key: KeyPair,
    params: CertificateParams,
    pem: String,
}

fn ca() -> Ca {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = name("ca", &[]);
    let pem = params.self_signed(&key).expect("a certificate").pem();
    Ca { key, params, pem }
}

fn name(common: &str, organizations: &[&str]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if !common.is_empty() {
        name.push(DnType::CommonName, common);
    }
    // rcgen keeps one value per type; one group is enough here.
    if let Some(organization) = organizations.first() {
        name.push(DnType::OrganizationName, *organization);
    }
    name
}

fn certificate(
    ca: &Ca,
    name: DistinguishedName,
    usage: ExtendedKeyUsagePurpose,
) -> CertificateDer<'static> {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.extended_key_usages = vec![usage];
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let issuer = Issuer::from_params(&ca.params, &ca.key);
    params
        .signed_by(&key, &issuer)
        .expect("a certificate")
        .der()
        .clone()
}

#[test]
fn a_certificate_names_its_user() {
    let ca = ca();
    let certificates = Certificates::read(ca.pem.as_bytes()).expect("a bundle");
    let alice = certificate(
        &ca,
        name("alice", &["system:masters"]),
        ExtendedKeyUsagePurpose::ClientAuth,
    );
    let certified = certificates
        .judge(&[alice], now())
        .expect("it was presented");
    let user = certified
        .user_at(now())
        .expect("it is good")
        .expect("it names a user");
    assert_eq!(user.name, "alice");
    assert_eq!(user.groups, ["system:masters", "system:authenticated"]);
    assert_eq!(
        user.extra[0].0,
        "authentication.kubernetes.io/credential-id"
    );
    let id = &user.extra[0].1[0];
    assert!(id.starts_with("X509SHA256=") && id.len() == 11 + 64, "{id}");
    let later = WallTime::from_secs(NOW + 10 * 365 * 86_400);
    assert!(certified.user_at(later).is_err());
}

#[test]
fn reads_the_uid_of_a_certificate() {
    let ca = ca();
    let certificates = Certificates::read(ca.pem.as_bytes()).expect("a bundle");
    let mut subject = name("alice", &[]);
    subject.push(
        DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 57_683, 2]),
        "u-1",
    );
    let alice = certificate(&ca, subject, ExtendedKeyUsagePurpose::ClientAuth);
    let certified = certificates
        .judge(&[alice], now())
        .expect("it was presented");
    let user = certified
        .user_at(now())
        .expect("it is good")
        .expect("it names a user");
    assert_eq!(user.uid, "u-1");
}

#[test]
fn refuses_certificates_that_nobody_vouches_for() {
    let (ours, theirs) = (ca(), ca());
    let certificates = Certificates::read(ours.pem.as_bytes()).expect("a bundle");
    let client = ExtendedKeyUsagePurpose::ClientAuth;
    let judge = |certificate: CertificateDer<'static>, at: WallTime| {
        certificates
            .judge(&[certificate], at)
            .expect("it was presented")
    };
    let refused = |certified: Certified| matches!(certified, Certified::Refused(_));
    assert!(refused(judge(
        certificate(&theirs, name("a", &[]), client.clone()),
        now()
    )));
    let serving = certificate(&ours, name("a", &[]), ExtendedKeyUsagePurpose::ServerAuth);
    assert!(refused(judge(serving, now())));
    let late = WallTime::from_secs(NOW + 10 * 365 * 86_400);
    assert!(refused(judge(
        certificate(&ours, name("a", &[]), client.clone()),
        late
    )));
    assert!(refused(judge(CertificateDer::from(vec![1, 2, 3]), now())));
    let nameless = judge(certificate(&ours, name("", &["g"]), client), now());
    assert_eq!(nameless, Certified::Nobody);
    assert_eq!(certificates.judge(&[], now()), None);
    assert!(Certificates::read(b"nothing").is_err());
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(Certificates::read(broken.as_bytes()).is_err());
}

fn accounts(key: &str) -> ServiceAccounts {
    let signing = SigningKey::from_pem(key).expect("a key");
    ServiceAccounts::new(
        "https://kubernetes.default.svc",
        Vec::new(),
        signing,
        Vec::new(),
    )
}

fn p256() -> String {
    KeyPair::generate().expect("a key").serialize_pem()
}

fn account_world() -> Still {
    let world = Still::new();
    let object = |name: &str, uid: &str| value!({"metadata": {"name": (name), "namespace": "n", "uid": (uid)}});
    world.put(Resource::SERVICE_ACCOUNTS, &object("robot", "sa-1"));
    world.put(Resource::PODS, &object("web", "pod-1"));
    world.put(Resource::SECRETS, &object("s", "secret-1"));
    world.put(
        Resource::NODES,
        &value!({"metadata": {"name": "node", "uid": "node-1"}}),
    );
    world
}

fn grant(bound: Option<Bound>) -> Grant<'static> {
    Grant {
        namespace: "n",
        name: "robot",
        uid: "sa-1",
        bound,
        node: None,
        audiences: Vec::new(),
        lifetime: Duration::from_secs(3600),
        warn_after: None,
    }
}

fn reference(name: &str, uid: &str) -> Reference {
    Reference {
        name: name.into(),
        uid: uid.into(),
    }
}

#[test]
fn a_signed_token_comes_back_as_a_user() {
    for key in [RSA_PKCS8.to_owned(), RSA_PKCS1.to_owned(), p256()] {
        let accounts = accounts(&key);
        let world = account_world();
        let pod = Some(Bound::Pod(reference("web", "pod-1")));
        let grant = Grant {
            node: Some(reference("node", "node-1")),
            ..grant(pod)
        };
        let token = accounts
            .sign(&grant, now(), &mut Rng::from_seed(1))
            .expect("a token");
        let verified = accounts
            .verify(&token.text, &[], &world, now())
            .expect("it is good");
        let user = &verified.user;
        assert_eq!(user.name, "system:serviceaccount:n:robot");
        assert_eq!(user.uid, "sa-1");
        assert_eq!(
            user.groups,
            [
                "system:serviceaccounts",
                "system:serviceaccounts:n",
                "system:authenticated"
            ]
        );
        let extra: Vec<String> = user
            .extra
            .iter()
            .map(|(key, values)| {
                format!(
                    "{}={}",
                    key.rsplit('/').next().unwrap_or_default(),
                    values.join(",")
                )
            })
            .collect();
        let id = format!("credential-id={}", token.credential_id);
        assert_eq!(
            extra,
            [
                "pod-name=web",
                "pod-uid=pod-1",
                &id,
                "node-name=node",
                "node-uid=node-1"
            ]
        );
        assert_eq!(verified.audiences, ["https://kubernetes.default.svc"]);
        assert_eq!(
            accounts.verify(&token.text, &[], &world, now()),
            Ok(verified)
        );
    }
}

#[test]
fn claims_are_upstreams() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let accounts = accounts(RSA_PKCS8);
    let grant = Grant {
        warn_after: Some(Duration::from_secs(3607)),
        ..grant(Some(Bound::Pod(reference("web", "pod-1"))))
    };
    let token = accounts
        .sign(&grant, now(), &mut Rng::from_seed(1))
        .expect("a token");
    let parts: Vec<String> = token
        .text
        .split('.')
        .take(2)
        .map(|part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("text"))
        .collect();
    assert_eq!(parts[0], format!(r#"{{"alg":"RS256","kid":"{RSA_ID}"}}"#));
    let id = token.credential_id.strip_prefix("JTI=").expect("an id");
    assert_eq!(
        parts[1],
        format!(
            concat!(
                r#"{{"aud":["https://kubernetes.default.svc"],"exp":{exp},"iat":{now},"#,
                r#""iss":"https://kubernetes.default.svc","jti":"{id}","kubernetes.io":{{"namespace":"n","#,
                r#""pod":{{"name":"web","uid":"pod-1"}},"serviceaccount":{{"name":"robot","uid":"sa-1"}},"#,
                r#""warnafter":{warn}}},"nbf":{now},"sub":"system:serviceaccount:n:robot"}}"#
            ),
            exp = NOW + 3600,
            now = NOW,
            warn = NOW + 3607,
            id = id
        )
    );
}

#[test]
fn a_token_dies_with_what_it_is_bound_to() {
    let accounts = accounts(&p256());
    let check = |bound: Option<Bound>, change: &dyn Fn(&Still), expected: &str| {
        let world = account_world();
        let token = accounts
            .sign(&grant(bound), now(), &mut Rng::from_seed(1))
            .expect("a token");
        assert!(accounts.verify(&token.text, &[], &world, now()).is_ok());
        change(&world);
        let error = accounts
            .verify(&token.text, &[], &world, now())
            .expect_err("it is dead");
        assert_eq!(error.to_string(), expected);
    };
    let gone = "service account token has been invalidated";
    check(
        None,
        &|world| world.remove(Resource::SERVICE_ACCOUNTS, "n", "robot"),
        gone,
    );
    let pod = || Some(Bound::Pod(reference("web", "pod-1")));
    check(
        pod(),
        &|world| world.remove(Resource::PODS, "n", "web"),
        gone,
    );
    let secret = Some(Bound::Secret(reference("s", "secret-1")));
    check(
        secret,
        &|world| world.remove(Resource::SECRETS, "n", "s"),
        gone,
    );
    let node = Some(Bound::Node(reference("node", "node-1")));
    check(
        node,
        &|world| world.remove(Resource::NODES, "", "node"),
        gone,
    );
    check(
        pod(),
        &|world| {
            world.put(
                Resource::PODS,
                &value!({"metadata": {"name": "web", "namespace": "n", "uid": "pod-2"}}),
            )
        },
        "pod UID (pod-2) does not match service account pod ref claim (pod-1)",
    );
    check(
        None,
        &|world| {
            let leaving = value!({"metadata": {
                "name": "robot", "namespace": "n", "uid": "sa-1", "deletionTimestamp": "2026-01-01T00:00:00Z"
            }});
            world.put(Resource::SERVICE_ACCOUNTS, &leaving);
        },
        gone,
    );
}

#[test]
fn refuses_bad_tokens() {
    let accounts = accounts(&p256());
    let world = account_world();
    let token = accounts
        .sign(&grant(None), now(), &mut Rng::from_seed(1))
        .expect("a token")
        .text;
    let verify = |token: &str, wanted: &[Text], at: i64| {
        accounts
            .verify(token, wanted, &world, WallTime::from_secs(at))
            .map(|verified| verified.audiences)
    };
    assert_eq!(
        verify(&token, &[], NOW + 3600 + 61),
        Err(TokenError::Expired)
    );
    assert_eq!(verify(&token, &[], NOW - 61), Err(TokenError::NotYet));
    assert!(verify(&token, &[], NOW + 3600 + 59).is_ok());
    assert_eq!(
        verify(&token, &["other".into()], NOW).map_err(|error| error.to_string()),
        Err(r#"token audiences ["https://kubernetes.default.svc"] is invalid for the target audiences ["other"]"#.to_owned())
    );
    for bad in [
        "",
        "a",
        "a.b",
        "a.b.c",
        &token[..token.len() / 2],
        &"x".repeat(20_000),
    ] {
        assert_eq!(verify(bad, &[], NOW), Err(TokenError::NotOurs), "{bad:.20}");
    }
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    assert_eq!(verify(&forged, &[], NOW), Err(TokenError::Signature));
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let (header, _) = message.split_once('.').expect("two parts");
    let other = super::tests::accounts(&p256()).sign(&grant(None), now(), &mut Rng::from_seed(2));
    let other = other.expect("a token").text;
    let payload = other.split('.').nth(1).expect("a payload");
    let swapped = format!("{header}.{payload}.{signature}");
    assert_eq!(verify(&swapped, &[], NOW), Err(TokenError::Signature));
    assert_eq!(verify(&other, &[], NOW), Err(TokenError::Signature));
}

#[test]
fn publishes_its_keys() {
    let signing = SigningKey::from_pem(&p256()).expect("a key");
    let other = VerifyingKey::from_pem(RSA_PUBLIC).expect("a key");
    assert_eq!((other.id(), other.algorithm()), (RSA_ID, "RS256"));
    assert_eq!(
        VerifyingKey::from_pem(RSA_PKCS8).expect("a key").id(),
        RSA_ID
    );
    let accounts = ServiceAccounts::new("https://x", vec!["a".into()], signing, vec![other]);
    let keys = accounts.key_set();
    let keys = keys
        .get("keys")
        .and_then(|keys| keys.as_array())
        .expect("keys");
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0].str_at(&["crv"]), Some("P-256"));
    assert_eq!(keys[1].str_at(&["e"]), Some("AQAB"));
    let mut out = Vec::new();
    json::write(&accounts.discovery("https://h:6443/"), &mut out);
    assert_eq!(
        String::from_utf8(out).expect("text"),
        r#"{"issuer":"https://x","jwks_uri":"https://h:6443/openid/v1/jwks","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256","RS256"]}"#
    );
}

#[test]
fn keys_that_cannot_be_used() {
    use super::KeyError;
    let check = |pem: &str, expected: KeyError| {
        assert_eq!(SigningKey::from_pem(pem).err(), Some(expected));
    };
    check("x", KeyError::Pem);
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519)
        .expect("a key")
        .serialize_pem();
    check(&ed25519, KeyError::Unsupported);
    assert_eq!(VerifyingKey::from_pem("x").err(), Some(KeyError::Pem));
}

#[test]
fn a_bad_credential_is_never_anonymous() {
    let ca = ca();
    let certificates = Certificates::read(ca.pem.as_bytes()).expect("a bundle");
    let world = account_world();
    let mut identify = Identify::new(None);
    identify.tokens = TokenFile::read("t,alice,1").expect("a token file");
    let check = |identify: &Identify,
                 certified: Option<&Certified>,
                 bearer: Option<&str>,
                 expected: &str| {
        let credentials = Credentials {
            certificate: certified,
            bearer,
        };
        let found = match identify.identify(credentials, &world, now()) {
            Identified::User(user) => user.name.to_string(),
            Identified::Nobody => "nobody".to_owned(),
            Identified::Refused(_) => "refused".to_owned(),
        };
        assert_eq!(found, expected);
    };
    let good = certificate(&ca, name("bob", &[]), ExtendedKeyUsagePurpose::ClientAuth);
    let good = certificates.judge(&[good], now());
    let bad = Certified::Refused("no".to_owned());
    check(&identify, None, None, "system:anonymous");
    check(&identify, None, Some("t"), "alice");
    check(&identify, None, Some("x"), "refused");
    check(&identify, good.as_ref(), Some("x"), "bob");
    check(&identify, Some(&bad), None, "refused");
    check(&identify, Some(&bad), Some("t"), "alice");
    check(
        &identify,
        Some(&Certified::Nobody),
        None,
        "system:anonymous",
    );
    identify.anonymous = None;
    check(&identify, None, None, "nobody");
}

#[test]
fn reviews_tokens() {
    let world = account_world();
    let accounts = std::sync::Arc::new(accounts(&p256()));
    let token = accounts
        .sign(&grant(None), now(), &mut Rng::from_seed(1))
        .expect("a token");
    let identify = Identify::new(Some(accounts));
    let question = value!({"spec": {"token": (token.text.as_str())}});
    let answer = reviews::token(question, &identify, &world, now()).expect("an answer");
    assert_eq!(
        answer
            .at(&["status", "authenticated"])
            .and_then(|flag| flag.as_bool()),
        Some(true)
    );
    assert_eq!(
        answer.str_at(&["status", "user", "username"]),
        Some("system:serviceaccount:n:robot")
    );
    let other = value!({"spec": {"token": "x", "audiences": ["a"]}});
    let answer = reviews::token(other, &identify, &world, now()).expect("an answer");
    assert_eq!(
        format!("{:?}", answer.get("status").expect("a status")),
        r#"{"user": {}, "error": "invalid bearer token"}"#
    );
    let empty = reviews::token(value!({}), &identify, &world, now());
    assert!(empty.unwrap_err().message.starts_with("token is required"));
    let answer = reviews::self_subject(value!({}), &User::named("a"), now());
    assert_eq!(
        answer.str_at(&["status", "userInfo", "username"]),
        Some("a")
    );
}

#[test]
fn finds_bearer_tokens() {
    let check = |header: &str, expected: Option<&str>| assert_eq!(bearer_of(header), expected);
    check("Bearer abc", Some("abc"));
    check(" bearer abc def", Some("abc"));
    check("Bearer  abc", None);
    check("Bearer", None);
    check("Basic abc", None);
}
