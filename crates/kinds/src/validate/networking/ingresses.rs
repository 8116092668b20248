//! What is wrong with ingresses and their classes.

use api::{
    Value,
    field::{Error, Path},
    names::validate,
};

use crate::validate::{Findings, Place, Subject, addresses, changes, core_group, texts};

const CLASS: &str = "kubernetes.io/ingress.class";
const CONTROLLER_LEN_MAX: usize = 250;
const BAD_PARTS: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_ENDS: [&str; 2] = ["/..", "/."];
const PATH_TYPES: &[&str] = &["Exact", "ImplementationSpecific", "Prefix"];

/// Checks an ingress.
pub(super) fn ingress(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, before) = (root.child("spec"), old.child("spec"));
    let (rules, default) = (spec.child("rules"), spec.child("defaultBackend"));
    if rules.len() == 0 && !default.is_set() {
        let why = "either `defaultBackend` or `rules` must be specified";
        found.push(Error::invalid(spec.path(), rules.shown(), why));
    }
    if default.is_set() {
        backend(&default, found);
    }
    let has_odd_rule = before.child("rules").items().any(|rule| {
        let mut odd = Findings::default();
        paths(&rule, &mut odd);
        rule.child("host").text().contains('*') && !odd.is_empty()
    });
    for rule in rules.items() {
        let host = rule.child("host");
        let is_wild = host.text().contains('*');
        if addresses::sloppy(host.text()).is_some() {
            found.invalid(&host, "must be a DNS name, not an IP address");
        }
        if !host.text().is_empty() {
            host_name(&host, found);
        }
        if !is_wild || !has_odd_rule {
            paths(&rule, found);
        }
    }
    let has_odd_secret = before.child("tls").items().any(|one| {
        let name = one.child("secretName").text();
        !name.is_empty() && !validate::dns1123_subdomain(name).is_empty()
    });
    for one in spec.child("tls").items() {
        for host in one.child("hosts").items() {
            host_name(&host, found);
        }
        let secret = one.child("secretName");
        if !has_odd_secret && !secret.text().is_empty() {
            texts::subdomain(&secret, found);
        }
    }
    let class = spec.child("ingressClassName");
    if class.is_set() {
        texts::subdomain(&class, found);
    }
    let metadata = root.child("metadata");
    let annotations = metadata.child("annotations");
    let annotation = annotations.key(CLASS);
    let is_other = annotation.is_set() && class.is_set() && annotation.text() != class.text();
    if subject.old.is_none() && is_other {
        let path = Path::new("annotations");
        let why = "must match `ingressClassName` when both are specified";
        found.push(Error::invalid(&path.child(CLASS), annotation.text(), why));
    }
}

fn host_name(host: &Place<'_>, found: &mut Findings) {
    match host.text().contains('*') {
        true => texts::fits(host, validate::wildcard_dns1123_subdomain, found),
        false => texts::subdomain(host, found),
    }
}

fn paths(rule: &Place<'_>, found: &mut Findings) {
    let http = rule.child("http");
    if !http.is_set() {
        return;
    }
    let paths = http.child("paths");
    if paths.len() == 0 {
        found.required(&paths, "");
    }
    for path in paths.items() {
        let (kind, text) = (path.child("pathType"), path.child("path"));
        let Some(name) = kind.str() else {
            found.required(&kind, "pathType must be specified");
            continue;
        };
        let is_absolute = text.text().starts_with('/');
        match name {
            "Exact" | "Prefix" => {
                if !is_absolute {
                    found.invalid_text(&text, "must be an absolute path");
                }
                for part in BAD_PARTS
                    .into_iter()
                    .filter(|part| text.text().contains(part))
                {
                    found.invalid(&text, format!("must not contain '{part}'"));
                }
                for end in BAD_ENDS
                    .into_iter()
                    .filter(|end| text.text().ends_with(end))
                {
                    found.invalid(&text, format!("cannot end with '{end}'"));
                }
            }
            "ImplementationSpecific" => {
                if !is_absolute && !text.text().is_empty() {
                    found.invalid(&text, "must be an absolute path");
                }
            }
            _ => found.not_supported(&kind, PATH_TYPES),
        }
        backend(&path.child("backend"), found);
    }
}

fn backend(backend: &Place<'_>, found: &mut Findings) {
    let (resource, service) = (backend.child("resource"), backend.child("service"));
    let refuse = |why: &str, found: &mut Findings| {
        found.push(Error::invalid(backend.path(), "", why));
    };
    match (resource.is_set(), service.is_set()) {
        (true, true) => refuse("cannot set both resource and service backends", found),
        (true, false) => {
            group(&resource, found);
            segment(&resource.child("kind"), found);
            segment(&resource.child("name"), found);
        }
        (false, true) => {
            texts::required_label(&service.child("name"), found);
            let port = service.child("port");
            let (name, number) = (port.child("name"), port.child("number"));
            match (name.text(), number.int().unwrap_or(0)) {
                ("", 0) => {
                    let why = "port name or number is required";
                    found.required(backend, why);
                }
                ("", value) => found.each_invalid(&number, validate::port_number(value)),
                (text, 0) => found.each_invalid(&name, validate::port_name(text)),
                _ => refuse("cannot set both port name & port number", found),
            }
        }
        (false, false) => refuse("resource or service backend is required", found),
    }
}

fn group(reference: &Place<'_>, found: &mut Findings) {
    let group = reference.child("apiGroup");
    if group.is_set() {
        texts::subdomain(&group, found);
    }
}

fn segment(place: &Place<'_>, found: &mut Findings) {
    if texts::require(place, "", found) {
        texts::fits(place, validate::path_segment_name, found);
    }
}

/// Checks where an ingress listens.
pub(super) fn status(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let before = old.value();
    let before = before.and_then(|old| old.at(&["status", "loadBalancer", "ingress"]));
    let status = root.child("status");
    let balancer = status.child("loadBalancer");
    for point in balancer.child("ingress").items() {
        core_group::balancer_entry(&point, before, found);
        core_group::balancer_hostname(&point, found);
    }
}

/// Checks a class of ingresses.
pub(super) fn class(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, before) = (root.child("spec"), old.child("spec"));
    let controller = spec.child("controller");
    if subject.old.is_some() && controller.text() != before.child("controller").text() {
        found.invalid_text(&controller, changes::IMMUTABLE);
    }
    texts::bytes_max(&controller, CONTROLLER_LEN_MAX, found);
    domain_path(&controller, found);
    let parameters = spec.child("parameters");
    if !parameters.is_set() {
        return;
    }
    // Who is touched is looked at by upstream's tags, which come last.
    let is_kept = subject.old.is_some() && spec.is_same(&before);
    group(&parameters, found);
    let names = [parameters.child("kind"), parameters.child("name")];
    for name in &names {
        match name.text() {
            "" if is_kept => found.required(name, ""),
            "" => {}
            _ => texts::fits(name, validate::path_segment_name, found),
        }
    }
    scope(&parameters, found);
    for name in names.iter().filter(|_| !is_kept) {
        texts::require(name, "", found);
    }
}

fn scope(parameters: &Place<'_>, found: &mut Findings) {
    let (scope, namespace) = (parameters.child("scope"), parameters.child("namespace"));
    match scope.value().and_then(Value::as_str) {
        None => found.required(&scope, ""),
        Some("Namespace") if namespace.is_set() => texts::label(&namespace, found),
        Some("Namespace") => {
            found.required(&namespace, "`parameters.scope` is set to 'Namespace'");
        }
        Some("Cluster") if namespace.is_set() => {
            found.forbidden(&namespace, "`parameters.scope` is set to 'Cluster'");
        }
        Some("Cluster") => {}
        Some(_) => found.not_supported(&scope, &["Cluster", "Namespace"]),
    }
}

/// Checks a path that begins with a domain: `example.com/controller`.
fn domain_path(place: &Place<'_>, found: &mut Findings) {
    const FORM: &str = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+";
    if !texts::require(place, "", found) {
        return;
    }
    let (host, path) = place.text().split_once('/').unwrap_or_default();
    if host.is_empty() || path.is_empty() {
        let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        return found.invalid(place, why);
    }
    for why in validate::dns1123_subdomain(host) {
        found.push(Error::invalid(place.path(), host, why));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
    if !path.bytes().all(allowed) {
        let why = validate::regex_error("Invalid path", FORM, &[]);
        found.push(Error::invalid(place.path(), path, why));
    }
}
