//! Where a webhook is reached: a URL or a service, as kinds that have webhooks say it.
//!
//! Source: k8s.io/apiserver v0.37.1, pkg/util/webhook/validation.go.

use api::{
    Value,
    field::{Error, Path},
    names::validate as names,
};

const FORM: &str = "; desired format: https://host[/path]";

/// Returns what is wrong with a `clientConfig`, which stands at `path`.
#[must_use]
pub fn webhook_client(client: &Value, path: &Path<'_>) -> Vec<Error> {
    let field = |name| client.get(name).filter(|value| !value.is_null());
    let mut errors = Vec::new();
    match (field("url"), field("service")) {
        (Some(text), None) => {
            let text = text.as_str().unwrap_or_default();
            url(text, &path.child("url"), &mut errors);
        }
        (None, Some(target)) => service(target, &path.child("service"), &mut errors),
        _ => {
            let why = "exactly one of url or service is required";
            errors.push(Error::required(path, why));
        }
    }
    errors
}

/// A service; that a missing name is said of the namespace and the other way round is upstream's
/// slip.
fn service(service: &Value, place: &Path<'_>, errors: &mut Vec<Error>) {
    for (field, said_of) in [("namespace", "name"), ("name", "namespace")] {
        if service.str_at(&[field]).unwrap_or_default().is_empty() {
            errors.push(Error::required(&place.child(said_of), ""));
        }
    }
    let port = service.get("port").and_then(Value::as_int).unwrap_or(0);
    let details = names::port_number(port);
    if !details.is_empty() {
        let detail = format!("port is not valid: {}", details.join(", "));
        errors.push(Error::invalid(&place.child("port"), port, detail));
    }
    let text = service.str_at(&["path"]).unwrap_or_default();
    let place = place.child("path");
    let mut wrong = |detail: String| errors.push(Error::invalid(&place, text, detail));
    match text {
        "" | "/" => return,
        "//" => {
            wrong(String::from("segment[0] may not be empty"));
            return;
        }
        _ => {}
    }
    if !text.starts_with('/') {
        wrong(String::from("must start with a '/'"));
    }
    // What stands first is taken for the slash.
    let mut rest = text.chars();
    rest.next();
    let rest = rest.as_str();
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    for (index, step) in rest.split('/').enumerate() {
        if step.is_empty() {
            wrong(format!("segment[{index}] may not be empty"));
            continue;
        }
        for detail in names::dns1123_subdomain(step) {
            wrong(format!("segment[{index}]: {detail}"));
        }
    }
}

fn url(text: &str, place: &Path<'_>, errors: &mut Vec<Error>) {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(why) => {
            let text = api::quote::quote(text);
            let detail = format!("url must be a valid URL: parse {text}: {why}{FORM}");
            errors.push(Error::required(place, detail));
            return;
        }
    };
    let mut wrong = |shown: &str, detail: &str| {
        errors.push(Error::invalid(place, shown, detail));
    };
    if url.scheme != "https" {
        let detail = format!("'https' is the only allowed URL scheme{FORM}");
        wrong(&url.scheme, &detail);
    }
    if url.host.is_empty() {
        wrong("", &format!("host must be specified{FORM}"));
    }
    if let Some(user) = url.user {
        wrong(user, "user information is not permitted in the URL");
    }
    if !url.fragment.is_empty() {
        wrong(url.fragment, "fragments are not permitted in the URL");
    }
    if !url.query.is_empty() {
        wrong(url.query, "query parameters are not permitted in the URL");
    }
}

/// The parts of a URL, as Go's `url.Parse` finds them.
struct Url<'a> {
    scheme: String,
    user: Option<&'a str>,
    host: &'a str,
    query: &'a str,
    fragment: &'a str,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(String::from("net/url: invalid control character in URL"));
        }
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        if text.is_empty() {
            return Ok(Self {
                fragment,
                ..Self::empty()
            });
        }
        let (scheme, rest) = scheme(text)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let Some(rest) = rest.strip_prefix("//") else {
            let first = rest.split('/').next().unwrap_or_default();
            if scheme.is_empty() && !rest.starts_with('/') && first.contains(':') {
                return Err(String::from(
                    "first path segment in URL cannot contain colon",
                ));
            }
            return Ok(Self {
                scheme,
                query,
                fragment,
                ..Self::empty()
            });
        };
        let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        check_host(host)?;
        Ok(Self {
            scheme,
            user,
            host,
            query,
            fragment,
        })
    }

    fn empty() -> Self {
        Self {
            scheme: String::new(),
            user: None,
            host: "",
            query: "",
            fragment: "",
        }
    }
}

/// Splits the scheme off; none is no error.
fn scheme(text: &str) -> Result<(String, &str), String> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err(String::from("missing protocol scheme")),
            b':' => return Ok((text[..at].to_ascii_lowercase(), &text[at + 1..])),
            _ => break,
        }
    }
    Ok((String::new(), text))
}

fn check_host(host: &str) -> Result<(), String> {
    let port = match host.rfind(']') {
        Some(end) => &host[end + 1..],
        None if host.starts_with('[') => return Err(String::from("missing ']' in host")),
        None => host
            .find(':')
            .map_or("", |at| &host[host.rfind(':').unwrap_or(at)..]),
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let port = api::quote::quote(port);
        return Err(format!("invalid port {port} after host"));
    }
    let is_bad = |c: char| {
        matches!(
            c,
            ' ' | '"' | '\\' | '^' | '`' | '{' | '|' | '}' | '<' | '>'
        )
    };
    if let Some(bad) = host.chars().find(|c| is_bad(*c)) {
        let bad = api::quote::quote(&bad.to_string());
        return Err(format!("invalid character {bad} in host name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use api::{field::Path, json};

    use super::webhook_client;

    #[track_caller]
    fn check(client: &str, expected: &[&str]) {
        let client = json::read(client.as_bytes()).expect("it is JSON").value;
        let found = webhook_client(&client, &Path::new("c"));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn one_of_two_ways_leads_to_a_webhook() {
        check(r#"{"url":"https://h:1/p"}"#, &[]);
        check(
            r#"{"service":{"name":"n","namespace":"s","port":1,"path":"/p"}}"#,
            &[],
        );
        check(
            "{}",
            &["c: Required value: exactly one of url or service is required"],
        );
        check(
            r#"{"url":"https://h:x"}"#,
            &[
                r#"c.url: Required value: url must be a valid URL: parse "https://h:x": invalid port ":x" after host; desired format: https://host[/path]"#,
            ],
        );
        check(
            r#"{"service":{"namespace":"s","port":0,"path":"//"}}"#,
            &[
                "c.service.namespace: Required value",
                "c.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
                r#"c.service.path: Invalid value: "//": segment[0] may not be empty"#,
            ],
        );
    }
}
