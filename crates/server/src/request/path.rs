//! From method and path to verb and resource, by upstream's `RequestInfo` rules.
//!
//! Source: k8s.io/apiserver v0.37.1, pkg/endpoints/request/requestinfo.go.

use api::{GroupVersion, Text};
use http::Method;

use super::{Query, ResourcePath, Target, Verb};

/// Below a namespace these are parts of the namespace itself, everything else is a resource.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

/// Why a path cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unable to determine kind and namespace from url")]
pub struct PathError;

/// Returns what `method` on the decoded `path` wants and what it is about.
///
/// # Errors
/// [`PathError`] for `/watch` or `/proxy` with nothing behind it.
pub fn read(method: &Method, path: &str, query: &Query) -> Result<(Verb, Target), PathError> {
    let Some((group_version, parts)) = split(path) else {
        return Ok((verb_of_path(method), Target::Path));
    };
    let mut parts: Vec<&str> = parts.collect();
    let (mut verb, verb_by_path) = match parts[0] {
        "watch" => (Verb::Watch, true),
        "proxy" => (Verb::Proxy, true),
        _ => (verb_of_resource(method), false),
    };
    if verb_by_path {
        parts.remove(0);
        if parts.is_empty() {
            return Err(PathError);
        }
    }
    let mut namespace = "";
    if parts[0] == "namespaces" && parts.len() > 1 {
        namespace = parts[1];
        if parts.len() > 2 && !NAMESPACE_SUBRESOURCES.contains(&parts[2]) {
            parts.drain(..2);
        }
    }
    let part = |place: usize| parts.get(place).copied().unwrap_or_default();
    let mut resource = ResourcePath {
        group_version,
        namespace: Text::new(namespace),
        resource: Text::new(part(0)),
        name: Text::new(part(1)),
        selected_by_name: false,
        subresource: Text::default(),
        rest: Text::default(),
        verb_by_path,
    };
    if parts.len() >= 3 {
        // `/proxy/…` has no subresources; all that follows the name belongs to the target.
        let rest_from = if verb == Verb::Proxy { 2 } else { 3 };
        if verb != Verb::Proxy {
            resource.subresource = Text::new(parts[2]);
        }
        for rest in &parts[rest_from..] {
            resource.rest.push('/');
            resource.rest.push_str(rest);
        }
    }
    if resource.name.is_empty() && verb == Verb::Get {
        verb = if is_true(query.get("watch")) {
            Verb::Watch
        } else {
            Verb::List
        };
        name_from_selector(query, &mut resource);
    }
    if resource.name.is_empty() && verb == Verb::Delete {
        verb = Verb::DeleteCollection;
    }
    Ok((verb, Target::Resource(resource)))
}

/// Returns whether a boolean parameter is on: absent, `false` and `0` are off, all else is on.
pub(crate) fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
}

/// Splits off `/api/VERSION` or `/apis/GROUP/VERSION`. `None` when no resource follows.
fn split(path: &str) -> Option<(GroupVersion, std::str::Split<'_, char>)> {
    let trimmed = path.trim_matches('/');
    let mut parts = trimmed.split('/');
    let group = match parts.next()? {
        "api" => "",
        "apis" => parts.next()?,
        _ => return None,
    };
    let version = parts.next()?;
    let rest = parts.clone();
    parts.next()?;
    Some((GroupVersion::new(group, version), rest))
}

fn verb_of_path(method: &Method) -> Verb {
    match *method {
        Method::GET => Verb::Get,
        Method::POST => Verb::Post,
        Method::PUT => Verb::Put,
        Method::PATCH => Verb::Patch,
        Method::DELETE => Verb::Delete,
        Method::HEAD => Verb::Head,
        Method::OPTIONS => Verb::Options,
        Method::CONNECT => Verb::Connect,
        Method::TRACE => Verb::Trace,
        _ => Verb::None,
    }
}

fn verb_of_resource(method: &Method) -> Verb {
    match *method {
        Method::POST => Verb::Create,
        Method::GET | Method::HEAD => Verb::Get,
        Method::PUT => Verb::Update,
        Method::PATCH => Verb::Patch,
        Method::DELETE => Verb::Delete,
        _ => Verb::None,
    }
}

/// Takes the name out of the field selector `metadata.name=x`, so that a role that allows one
/// name allows its list and watch.
fn name_from_selector(query: &Query, resource: &mut ResourcePath) {
    let Some(selector) = query.get("fieldSelector") else {
        return;
    };
    let name = selector.split(',').find_map(|term| {
        let (field, value) = term.split_once('=')?;
        if field != "metadata.name" {
            return None;
        }
        Some(value.strip_prefix('=').unwrap_or(value))
    });
    let is_segment = |name: &str| {
        !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '%', '\\'])
    };
    if let Some(name) = name.filter(|name| is_segment(name)) {
        resource.name = Text::new(name);
        resource.selected_by_name = true;
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use http::Method;

    use super::{Query, Target, read};

    #[track_caller]
    fn check(line: &str, expected: &Expect) {
        let (method, url) = line.split_once(' ').expect("a method and a URL");
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let text = match read(&method, path, &Query::parse(query)) {
            Err(error) => error.to_string(),
            Ok((verb, Target::Path)) => format!("{} path", verb.as_str()),
            Ok((verb, Target::Resource(r))) => format!(
                "{} gv={} ns={} {}/{}{} sub={} rest={}{}",
                verb.as_str(),
                r.group_version,
                r.namespace,
                r.resource,
                r.name,
                if r.selected_by_name { "(selected)" } else { "" },
                r.subresource,
                r.rest,
                if r.verb_by_path { " by path" } else { "" }
            ),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn knows_what_is_no_resource() {
        for url in [
            "/",
            "/api",
            "/api/v1",
            "/apis",
            "/apis/apps",
            "/apis/apps/v1",
            "/version",
        ] {
            check(&format!("GET {url}"), &expect!["get path"]);
        }
        check("OPTIONS /healthz", &expect!["options path"]);
    }

    #[test]
    fn reads_collections_and_objects() {
        check(
            "GET /api/v1/pods",
            &expect!["list gv=v1 ns= pods/ sub= rest="],
        );
        check(
            "GET /api/v1/namespaces/a/pods?watch=true",
            &expect!["watch gv=v1 ns=a pods/ sub= rest="],
        );
        check(
            "GET /apis/apps/v1/namespaces/a/deployments/web/scale",
            &expect!["get gv=apps/v1 ns=a deployments/web sub=scale rest="],
        );
        check(
            "HEAD /api/v1/namespaces/a/pods/p/proxy/x/y",
            &expect!["get gv=v1 ns=a pods/p sub=proxy rest=/x/y"],
        );
        check(
            "DELETE /api/v1/namespaces/a/pods",
            &expect!["deletecollection gv=v1 ns=a pods/ sub= rest="],
        );
        check(
            "PUT /api/v1/nodes/n",
            &expect!["update gv=v1 ns= nodes/n sub= rest="],
        );
        check(
            "OPTIONS /api/v1/nodes",
            &expect![" gv=v1 ns= nodes/ sub= rest="],
        );
    }

    #[test]
    fn a_namespace_is_in_itself() {
        check(
            "GET /api/v1/namespaces",
            &expect!["list gv=v1 ns= namespaces/ sub= rest="],
        );
        check(
            "GET /api/v1/namespaces/a",
            &expect!["get gv=v1 ns=a namespaces/a sub= rest="],
        );
        check(
            "PUT /api/v1/namespaces/a/finalize",
            &expect!["update gv=v1 ns=a namespaces/a sub=finalize rest="],
        );
    }

    #[test]
    fn takes_the_name_out_of_the_selector() {
        check(
            "GET /api/v1/pods?fieldSelector=metadata.name%3Dx&watch=1",
            &expect!["watch gv=v1 ns= pods/x(selected) sub= rest="],
        );
        check(
            "GET /api/v1/pods?fieldSelector=spec.nodeName=n,metadata.name==x",
            &expect!["list gv=v1 ns= pods/x(selected) sub= rest="],
        );
        check(
            "GET /api/v1/pods?fieldSelector=metadata.name!=x",
            &expect!["list gv=v1 ns= pods/ sub= rest="],
        );
    }

    #[test]
    fn watches_unless_told_not_to() {
        check(
            "GET /api/v1/pods?watch=nonsense",
            &expect!["watch gv=v1 ns= pods/ sub= rest="],
        );
        check(
            "GET /api/v1/pods?watch=False",
            &expect!["list gv=v1 ns= pods/ sub= rest="],
        );
        check(
            "GET /api/v1/pods?watch=0",
            &expect!["list gv=v1 ns= pods/ sub= rest="],
        );
    }

    #[test]
    fn still_reads_the_deprecated_prefixes() {
        check(
            "GET /api/v1/watch/namespaces/a/pods/p",
            &expect!["watch gv=v1 ns=a pods/p sub= rest= by path"],
        );
        check(
            "GET /api/v1/proxy/namespaces/a/pods/p/x",
            &expect!["proxy gv=v1 ns=a pods/p sub= rest=/x by path"],
        );
        check(
            "GET /api/v1/watch",
            &expect!["unable to determine kind and namespace from url"],
        );
    }
}
