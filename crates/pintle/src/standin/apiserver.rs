//! kube-apiserver's flags, put into the parts of the server.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use access::{Mode, User, admit, identify::VerifyingKey};
use api::{Text, time::parse_duration};
use base::{Clock, WallTime};

use super::words::{Words, WordsError};
use crate::{
    compose::{self, Parts, Running, Storage, Terms},
    console,
    failure::Failure,
    network::{self, Networking},
    run,
    state::{Identities, Pair, certificates, write_private},
};

/// A stop waits no longer than this: nothing outlives the process, and harnesses stop often.
const PATIENCE: Duration = Duration::from_millis(25);

const PORT: &str = "6443";
const SERVICE_RANGE: &str = "10.0.0.0/24";
const NODE_PORTS: &str = "30000-32767";
const CERTIFICATES: &str = "/var/run/kubernetes";

/// Upstream's admission plug-ins that are not rules here: yet to come, or off by default.
const OTHER_PLUGINS: [&str; 15] = [
    "AlwaysAdmit",
    "AlwaysDeny",
    "AlwaysPullImages",
    "DenyServiceExternalIPs",
    "EventRateLimit",
    "ExtendedResourceToleration",
    "ImagePolicyWebhook",
    "LimitPodHardAntiAffinityTopology",
    "NamespaceAutoProvision",
    "NamespaceExists",
    "NodeRestriction",
    "OwnerReferencesPermissionEnforcement",
    "PodNodeSelector",
    "PodTolerationRestriction",
    "SecurityContextDeny",
];

/// Serves until SIGTERM or Ctrl-C.
///
/// # Errors
/// A flag or a file that cannot be used; why it could not start.
pub fn serve(words: &Words, controllers: Vec<String>) -> Result<(), Failure> {
    console::start_logging(log_filter(words)?);
    let clock = Clock::system();
    let parts = parts(words, controllers, &clock)?;
    let address = parts
        .listener
        .local_addr()
        .map_err(|error| Failure::Server(format!("cannot serve the socket: {error}")))?;
    run::until_stopped(async |mut stop| {
        let running = compose::start(parts).await?;
        let url = run::url_of(address);
        eprintln!("kube-apiserver: {} serves {url}", run::version_text());
        stop.received().await;
        Running::stop(running).await;
        Ok(())
    })
}

fn parts(words: &Words, controllers: Vec<String>, clock: &Clock) -> Result<Parts, Failure> {
    let terms = terms(words)?;
    let networking = Networking {
        ranges: network::ranges(
            words
                .last("service-cluster-ip-range")
                .unwrap_or(SERVICE_RANGE),
        )
        .map_err(Failure::Network)?,
        node_ports: network::ports(words.last("service-node-port-range").unwrap_or(NODE_PORTS))
            .map_err(Failure::Network)?,
        advertise: address(words, "advertise-address")?,
    };
    let ip = address(words, "bind-address")?.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    let port = number(words, "secure-port", PORT)?;
    let identities = identities(words, ip, clock.wall())?;
    let token_file = words.last("token-auth-file").map(Path::new);
    let tokens = token_file
        .map(|path| read("token-auth-file", path))
        .transpose()?;
    Ok(Parts {
        listener: run::bind(&SocketAddr::new(ip, port).to_string())?,
        networking,
        identities,
        storage: Storage::Memory,
        tokens,
        terms,
        controllers,
        authorities: run::authorities(),
        patience: PATIENCE,
        clock: clock.clone(),
    })
}

fn terms(words: &Words) -> Result<Terms, Failure> {
    let issuer = required(words)?;
    let modes = modes(words)?;
    // As upstream: where everyone may do everything, nobody comes in without a name.
    let is_open = modes.contains(&Mode::AlwaysAllow);
    let anonymous = words.switch("anonymous-auth").unwrap_or(true) && !is_open;
    let mut verifying = Vec::new();
    for path in words.all("service-account-key-file").map(Path::new) {
        let text = read("service-account-key-file", path)?;
        for part in pem_parts(&text) {
            let key = VerifyingKey::from_pem(part)
                .map_err(|error| material("service-account-key-file", path, &error))?;
            verifying.push(key);
        }
    }
    Ok(Terms {
        issuer: issuer.to_owned(),
        audiences: words
            .list("api-audiences")
            .into_iter()
            .map(Text::new)
            .collect(),
        verifying,
        anonymous: anonymous.then(User::anonymous),
        modes,
        rules_off: rules_off(words)?,
        event_life: event_life(words)?,
    })
}

/// Returns the issuer, once all is there that tokens of service accounts need.
fn required(words: &Words) -> Result<&str, WordsError> {
    // Upstream's words.
    let needs = [
        (
            "service-account-issuer",
            "service-account-issuer is a required flag",
        ),
        (
            "service-account-key-file",
            "either `--service-account-key-file` or `--service-account-signing-endpoint` must be set",
        ),
        (
            "service-account-signing-key-file",
            "--service-account-signing-key-file and --service-account-issuer are required flags",
        ),
    ];
    let missing: Vec<&str> = needs
        .iter()
        .filter(|(name, _)| words.last(name).is_none())
        .map(|(_, sentence)| *sentence)
        .collect();
    // Of several issuers the first one signs.
    let mut issuers = words.all("service-account-issuer");
    match issuers.next() {
        Some(issuer) if missing.is_empty() => Ok(issuer),
        _ => Err(WordsError::Missing(missing.join(", "))),
    }
}

/// Returns how long events stay.
fn event_life(words: &Words) -> Result<Duration, WordsError> {
    let Some(text) = words.last("event-ttl") else {
        return Ok(kinds::EVENT_LIFE);
    };
    let invalid = |why: String| WordsError::Invalid {
        name: "event-ttl",
        value: text.to_owned(),
        why,
    };
    let nanos = parse_duration(text).map_err(|error| invalid(error.to_string()))?;
    match u64::try_from(nanos) {
        Ok(nanos) if nanos > 0 => Ok(Duration::from_nanos(nanos)),
        _ => Err(invalid(
            "events that are gone at once are no use".to_owned(),
        )),
    }
}

fn modes(words: &Words) -> Result<Vec<Mode>, WordsError> {
    let mut modes = Vec::new();
    for name in words.list("authorization-mode") {
        let why = match name {
            "RBAC" => {
                modes.push(Mode::Rbac);
                continue;
            }
            "AlwaysAllow" => {
                modes.push(Mode::AlwaysAllow);
                continue;
            }
            "AlwaysDeny" => {
                modes.push(Mode::AlwaysDeny);
                continue;
            }
            // It only ever adds what nodes may do; without it they may do less.
            "Node" => continue,
            "ABAC" | "Webhook" => "it is not here",
            _ => "no such mode",
        };
        return Err(WordsError::Invalid {
            name: "authorization-mode",
            value: name.to_owned(),
            why: why.to_owned(),
        });
    }
    if words.list("authorization-mode").is_empty() {
        modes.push(Mode::AlwaysAllow);
    }
    Ok(modes)
}

fn rules_off(words: &Words) -> Result<Vec<admit::Rule>, WordsError> {
    let mut later = Vec::new();
    for name in words.list("enable-admission-plugins") {
        if rule("enable-admission-plugins", name)?.is_none() {
            later.push(name);
        }
    }
    if !later.is_empty() {
        let later = later.join(", ");
        eprintln!("kube-apiserver: these admission plug-ins are not here: {later}");
    }
    let off = words.list("disable-admission-plugins").into_iter();
    let off: Result<Vec<_>, _> = off
        .map(|name| rule("disable-admission-plugins", name))
        .collect();
    Ok(off?.into_iter().flatten().collect())
}

/// Returns the rule of this name; none for a plug-in of upstream's that is not here.
fn rule(flag: &'static str, name: &str) -> Result<Option<admit::Rule>, WordsError> {
    let is_later =
        |place: &admit::Place| matches!(place, admit::Place::Later(later) if *later == name);
    match admit::Rule::named(name) {
        Some(rule) => Ok(Some(rule)),
        None if OTHER_PLUGINS.contains(&name) || admit::ORDER.iter().any(is_later) => Ok(None),
        None => Err(WordsError::Invalid {
            name: flag,
            value: name.to_owned(),
            why: format!("admission plugin {name:?} is unknown"),
        }),
    }
}

fn identities(words: &Words, ip: IpAddr, now: WallTime) -> Result<Identities, Failure> {
    let serving = serving(words, ip, now)?;
    let text = |name: &'static str| match words.last(name) {
        Some(path) => read(name, Path::new(path)),
        None => Ok(String::new()),
    };
    Ok(Identities {
        // Whoever trusts the certificate itself needs no CA, and upstream is not told of one either.
        ca: serving.certificate.clone(),
        client_ca: text("client-ca-file")?,
        serving,
        front_proxy_ca: text("requestheader-client-ca-file")?,
        kubelet_client: Pair {
            certificate: text("kubelet-client-certificate")?,
            key: text("kubelet-client-key")?,
        },
        service_accounts_key: text("service-account-signing-key-file")?,
        ..Identities::default()
    })
}

/// Returns the certificate that is named, or lies in `--cert-dir`, or is made there.
fn serving(words: &Words, ip: IpAddr, now: WallTime) -> Result<Pair, Failure> {
    let named = ("tls-cert-file", "tls-private-key-file");
    if words.has(named.0) || words.has(named.1) {
        let path = |name| Path::new(words.last(name).unwrap_or_default());
        return Ok(Pair {
            certificate: read(named.0, path(named.0))?,
            key: read(named.1, path(named.1))?,
        });
    }
    let directory = PathBuf::from(words.last("cert-dir").unwrap_or(CERTIFICATES));
    let (certificate, key) = (
        directory.join("apiserver.crt"),
        directory.join("apiserver.key"),
    );
    if certificate.exists() || key.exists() {
        return Ok(Pair {
            certificate: read("cert-dir", &certificate)?,
            key: read("cert-dir", &key)?,
        });
    }
    let pair = certificates::self_signed(&[ip.to_string()], now)?;
    fs::create_dir_all(&directory).map_err(|error| material("cert-dir", &directory, &error))?;
    write_private(&key, &pair.key)?;
    write_private(&certificate, &pair.certificate)?;
    Ok(pair)
}

fn read(flag: &'static str, path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => material(flag, path, &"it is not text"),
        _ => material(flag, path, &error),
    })
}

fn material(flag: &'static str, path: &Path, what: &dyn std::fmt::Display) -> Failure {
    Failure::Material {
        flag,
        path: path.to_owned(),
        what: what.to_string(),
    }
}

/// Returns the parts of a PEM file, each with what stands before the next.
fn pem_parts(text: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = text
        .match_indices("-----BEGIN ")
        .map(|found| found.0)
        .collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| &text[start..end])
}

fn address(words: &Words, name: &'static str) -> Result<Option<IpAddr>, WordsError> {
    let read = |text: &str| {
        text.parse().map_err(|_| WordsError::Invalid {
            name,
            value: text.to_owned(),
            why: format!("failed to parse IP: {text:?}"),
        })
    };
    words.last(name).map(read).transpose()
}

fn number(words: &Words, name: &'static str, otherwise: &str) -> Result<u16, WordsError> {
    let text = words.last(name).unwrap_or(otherwise);
    text.parse().map_err(|_| WordsError::Invalid {
        name,
        value: text.to_owned(),
        why: format!("strconv.ParseInt: parsing {text:?}: invalid syntax"),
    })
}

fn log_filter(words: &Words) -> Result<&'static str, WordsError> {
    Ok(match number(words, "v", "0")? {
        0 => "warn",
        1..=3 => "info",
        _ => "debug",
    })
}

#[cfg(test)]
mod tests {
    use super::super::{apiserver_flags::KUBE_APISERVER, words::Words};
    use super::{event_life, log_filter, modes, number, pem_parts, required, rules_off};

    fn words(line: &str) -> Words {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        KUBE_APISERVER.parse(&words).expect("they are flags")
    }

    #[test]
    fn modes_are_those_that_are_here() {
        let check = |line: &str, expected: &str| {
            let found = match modes(&words(line)) {
                Ok(modes) => format!("{modes:?}"),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected);
        };
        check("", "[AlwaysAllow]");
        check("--authorization-mode=Node,RBAC", "[Rbac]");
        check("--authorization-mode=AlwaysDeny", "[AlwaysDeny]");
        check(
            "--authorization-mode=RBAC,Webhook",
            r#"invalid argument "Webhook" for "--authorization-mode" flag: it is not here"#,
        );
    }

    #[test]
    fn plug_ins_are_left_out_by_name() {
        let check = |names: &str, expected: &str| {
            let found = match rules_off(&words(&format!("--disable-admission-plugins={names}"))) {
                Ok(rules) => format!("{rules:?}"),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected);
        };
        check("ServiceAccount,ResourceQuota", "[ServiceAccount]");
        check("NodeRestriction", "[]");
        check(
            "RbacEscalation",
            r#"invalid argument "RbacEscalation" for "--disable-admission-plugins" flag: admission plugin "RbacEscalation" is unknown"#,
        );
    }

    #[test]
    fn says_all_that_is_missing_for_tokens() {
        let words = words("--service-account-issuer=a");
        let missing = required(&words).map_err(|error| error.to_string());
        let expected = "[either `--service-account-key-file` or \
            `--service-account-signing-endpoint` must be set, --service-account-signing-key-file \
            and --service-account-issuer are required flags]";
        assert_eq!(missing, Err(expected.to_owned()));
    }

    #[test]
    fn numbers_are_numbers() {
        let port = number(&words("--secure-port=x"), "secure-port", "1");
        let expected = r#"invalid argument "x" for "--secure-port" flag: strconv.ParseInt: parsing "x": invalid syntax"#;
        assert_eq!(port.map_err(|e| e.to_string()), Err(expected.to_owned()));
        assert_eq!(log_filter(&words("-v=2")), Ok("info"));
    }

    #[test]
    fn events_stay_as_long_as_they_are_told() {
        let check = |line: &str, expected: &str| {
            let found = match event_life(&words(line)) {
                Ok(life) => format!("{life:?}"),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected);
        };
        check("", "3600s");
        check("--event-ttl=1m30s", "90s");
        check(
            "--event-ttl=x",
            r#"invalid argument "x" for "--event-ttl" flag: time: invalid duration "x""#,
        );
        check(
            "--event-ttl=0s",
            r#"invalid argument "0s" for "--event-ttl" flag: events that are gone at once are no use"#,
        );
    }

    #[test]
    fn a_file_may_hold_several_keys() {
        let text = "# a\n-----BEGIN A-----\n1\n-----END A-----\n-----BEGIN B-----\n2\n";
        let parts: Vec<&str> = pem_parts(text).collect();
        let expected = [
            "-----BEGIN A-----\n1\n-----END A-----\n",
            "-----BEGIN B-----\n2\n",
        ];
        assert_eq!(parts, expected);
    }
}
