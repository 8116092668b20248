//! What is wrong with flow schemas and priority levels.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/flowcontrol/validation/validation.go and the rules
//! of its types.

use api::{
    Value,
    field::{Error, Shown},
    json,
    names::validate as names,
};

use super::{
    Check, Findings, Place, Subject, gostruct,
    tags::{Change, same},
};
use crate::BOOTSTRAP_FLOW_CONTROL;

const PRECEDENCE_MAX: i64 = 10_000;
const QUEUES_MAX: i64 = 10_000_000;
const HASH_BITS_MAX: i64 = 60;

const VERBS: [&str; 9] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "proxy",
    "update",
    "watch",
];

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("FlowSchema", "") => Some(schema),
        ("PriorityLevelConfiguration", "") => Some(level),
        ("FlowSchema" | "PriorityLevelConfiguration", "status") => Some(status),
        _ => None,
    }
}

fn schema(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let (metadata, spec) = (root.child("metadata"), root.child("spec"));
    let name = metadata.child("name").text();
    precedence(&spec, name, found);
    let method = spec.child("distinguisherMethod");
    let kind = method.child("type");
    let kinds = ["ByNamespace", "ByUser"];
    if method.is_set() && !kinds.contains(&kind.text()) {
        let shown = gostruct::shown(&method, "FlowDistinguisherMethod");
        found.push(Error::not_supported(kind.path(), shown, &kinds));
    }
    let reference = spec.child("priorityLevelConfiguration");
    let level = reference.child("name");
    if level.text().is_empty() {
        found.required(&level, "must reference a priority level");
    } else {
        found.each_invalid_text(&level, names::dns1123_subdomain(level.text()));
    }
    for rule in spec.child("rules").items() {
        self::rule(&rule, found);
    }
    if matches!(name, "exempt" | "catch-all")
        && let Some(fixed) = bootstrap("FlowSchema", name)
        && !same(&spec, &Place::new(fixed.get("spec"), *spec.path()))
    {
        let detail = format!("spec of '{name}' must equal the fixed value");
        let shown = gostruct::shown(&spec, "FlowSchemaSpec");
        found.push(Error::invalid(spec.path(), shown, detail));
    }
    status(subject, found);
}

fn precedence(spec: &Place<'_>, name: &str, found: &mut Findings) {
    let place = spec.child("matchingPrecedence");
    let given = place.int().unwrap_or(0);
    let mut wrong = |detail: &str| found.push(Error::invalid(place.path(), given, detail));
    if given <= 0 {
        wrong("must be a positive value");
    }
    if given > PRECEDENCE_MAX {
        wrong("must not be greater than 10000");
    }
    if given == 1 && name != "exempt" {
        wrong("only the schema named 'exempt' may have matchingPrecedence 1");
    }
}

/// Returns what a cluster begins with under this name.
fn bootstrap(kind: &str, name: &str) -> Option<Value> {
    let all = json::read(BOOTSTRAP_FLOW_CONTROL.as_bytes()).ok()?.value;
    let mut objects = all.as_array()?.iter();
    let found = objects.find(|one| {
        one.str_at(&["kind"]) == Some(kind) && one.str_at(&["metadata", "name"]) == Some(name)
    });
    found.cloned()
}

fn rule(rule: &Place<'_>, found: &mut Findings) {
    let subjects = rule.child("subjects");
    if subjects.len() == 0 {
        found.required(&subjects, "subjects must contain at least one value");
    }
    for subject in subjects.items() {
        who(&subject, found);
    }
    let (resources, others) = (rule.child("resourceRules"), rule.child("nonResourceRules"));
    if resources.len() == 0 && others.len() == 0 {
        let detail = "at least one of resourceRules and nonResourceRules has to be non-empty";
        found.required(rule, detail);
    }
    for rule in resources.items() {
        resource_rule(&rule, found);
    }
    for rule in others.items() {
        url_rule(&rule, found);
    }
}

/// Subjects: kind, the field that says more of it.
const SUBJECTS: [(&str, &str); 3] = [
    ("ServiceAccount", "serviceAccount"),
    ("User", "user"),
    ("Group", "group"),
];

fn who(subject: &Place<'_>, found: &mut Findings) {
    let kind = subject.child("kind");
    let Some((_, field)) = SUBJECTS.iter().find(|(known, _)| *known == kind.text()) else {
        found.not_supported(&kind, &["Group", "ServiceAccount", "User"]);
        return;
    };
    let place = subject.child(field);
    let name = place.child("name");
    if !place.is_set() {
        let detail = format!("{field} is required when subject kind is '{}'", kind.text());
        found.required(&place, &detail);
    } else if name.text().is_empty() {
        found.required(&name, "");
    } else if *field == "serviceAccount" && name.text() != "*" {
        found.each_invalid_text(&name, names::dns1123_subdomain(name.text()));
    }
    if place.is_set() && *field == "serviceAccount" {
        let namespace = place.child("namespace");
        if namespace.text().is_empty() {
            found.required(&namespace, "must specify namespace for service account");
        } else {
            found.each_invalid_text(&namespace, names::dns1123_label(namespace.text()));
        }
    }
    // In this order; a service account is mentioned before the others.
    for (other, name) in SUBJECTS {
        let place = subject.child(name);
        if name != *field && place.is_set() {
            let detail = format!("{name} is forbidden when subject kind is not '{other}'");
            found.forbidden(&place, &detail);
        }
    }
}

fn has_star(list: &Place<'_>) -> bool {
    list.list().iter().any(|one| one.as_str() == Some("*"))
}

fn verbs(rule: &Place<'_>, found: &mut Findings) {
    let verbs = rule.child("verbs");
    if verbs.len() == 0 {
        found.required(&verbs, "verbs must contain at least one value");
    } else if has_star(&verbs) {
        alone(&verbs, "verbs", found);
    } else if verbs.items().any(|verb| !VERBS.contains(&verb.text())) {
        found.push(Error::not_supported(verbs.path(), verbs.shown(), &VERBS));
    }
}

/// A star stands for everything, and so has no company.
fn alone(list: &Place<'_>, what: &str, found: &mut Findings) {
    if list.len() > 1 && has_star(list) {
        found.invalid(
            list,
            format!("if '*' is present, must not specify other {what}"),
        );
    }
}

fn resource_rule(rule: &Place<'_>, found: &mut Findings) {
    verbs(rule, found);
    for (field, one, what) in [
        ("apiGroups", "api group", "api groups"),
        ("resources", "resource", "resources"),
    ] {
        let list = rule.child(field);
        if list.len() == 0 {
            let detail = format!("resource rules must supply at least one {one}");
            found.required(&list, &detail);
        }
        alone(&list, what, found);
    }
    let namespaces = rule.child("namespaces");
    if namespaces.len() == 0 && !rule.child("clusterScope").is_true() {
        let detail =
            "resource rules that are not cluster scoped must supply at least one namespace";
        found.required(&namespaces, detail);
    } else if has_star(&namespaces) {
        alone(&namespaces, "namespaces", found);
    } else {
        for namespace in namespaces.items() {
            for detail in names::dns1123_label(namespace.text()) {
                let intro = "each member of this list must be '*' or a DNS-1123 label; ";
                found.invalid(&namespace, format!("{intro}{detail}"));
            }
        }
    }
}

fn url_rule(rule: &Place<'_>, found: &mut Findings) {
    verbs(rule, found);
    let urls = rule.child("nonResourceURLs");
    if urls.len() == 0 {
        found.required(&urls, "nonResourceURLs must contain at least one value");
    } else if has_star(&urls) {
        alone(&urls, "non-resource URLs", found);
    } else {
        for url in urls.items() {
            if let Some(detail) = wrong_url(url.text()) {
                found.invalid(&url, detail);
            }
        }
    }
}

fn wrong_url(path: &str) -> Option<&'static str> {
    let stars = path.matches('*').count();
    match path {
        "" => Some("must not be empty"),
        "/" => None,
        _ if !path.starts_with('/') => Some("must start with slash"),
        _ if path.contains(' ') => Some("must not contain white-space"),
        _ if path.contains("//") => Some("must not contain double slash"),
        _ if stars > 1 || stars == 1 && !path.ends_with("/*") => {
            Some("wildcard can only do suffix matching")
        }
        _ => None,
    }
}

fn status(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let status = root.child("status");
    let conditions = status.child("conditions");
    for (index, condition) in conditions.items().enumerate() {
        let kind = condition.child("type");
        let mut earlier = conditions.list()[..index].iter();
        if earlier.any(|one| one.str_at(&["type"]).unwrap_or_default() == kind.text()) {
            found.push(Error::duplicate(kind.path(), kind.text()));
        }
        if kind.text().is_empty() {
            found.required(&kind, "");
        }
    }
}

const ROUNDTRIP: &str = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares";

fn level(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let (metadata, spec) = (root.child("metadata"), root.child("spec"));
    let annotations = metadata.child("annotations");
    if annotations.key(ROUNDTRIP).is_set() {
        let detail = format!("annotation '{ROUNDTRIP}' is forbidden");
        found.forbidden(&annotations, &detail);
    }
    let name = metadata.child("name").text();
    let kind = spec.child("type");
    if (name == "exempt") != (kind.text() == "Exempt") {
        let detail = "must be 'Exempt' if and only if `name` is 'exempt'";
        found.push(Error::invalid(kind.path(), kind.text(), detail));
    }
    let (limited, exempt) = (spec.child("limited"), spec.child("exempt"));
    match kind.text() {
        "Exempt" => shares(&exempt, found),
        "Limited" => {
            shares(&limited, found);
            // The answer comes between the shares and what is lent: see `shares`.
        }
        "" => {}
        _ => found.not_supported(&kind, &["Exempt", "Limited"]),
    }
    fixed_level(&spec, name, found);
    status(subject, found);
    declared(subject, found);
}

fn shares(place: &Place<'_>, found: &mut Findings) {
    let shares = place.child("nominalConcurrencyShares");
    if shares.int().is_some_and(|number| number < 0) {
        found.invalid(&shares, "must be a non-negative integer");
    }
    response(&place.child("limitResponse"), found);
    let lent = place.child("lendablePercent");
    if lent.int().is_some_and(|part| !(0..=100).contains(&part)) {
        found.invalid(&lent, "must be between 0 and 100, inclusive");
    }
    let borrowed = place.child("borrowingLimitPercent");
    if borrowed.int().is_some_and(|part| part < 0) {
        found.invalid(&borrowed, "if specified, must be a non-negative integer");
    }
}

fn response(place: &Place<'_>, found: &mut Findings) {
    let (kind, queuing) = (place.child("type"), place.child("queuing"));
    match kind.text() {
        "Queue" if queuing.is_set() => queues(&queuing, found),
        "Queue" | "Reject" | "" => {}
        _ => found.not_supported(&kind, &["Queue", "Reject"]),
    }
}

fn queues(queuing: &Place<'_>, found: &mut Findings) {
    let limit = queuing.child("queueLengthLimit");
    let (queues, hand) = (queuing.child("queues"), queuing.child("handSize"));
    let number = |place: &Place<'_>| place.int().unwrap_or(0);
    let mut wrong = |place: &Place<'_>, detail: &str| {
        found.push(Error::invalid(place.path(), number(place), detail));
    };
    if number(&limit) <= 0 {
        wrong(&limit, "must be positive");
    }
    let (deck, dealt) = (number(&queues), number(&hand));
    if deck <= 0 {
        wrong(&queues, "must be positive");
    } else if deck > QUEUES_MAX {
        wrong(&queues, "must not be greater than 10000000");
    }
    if dealt <= 0 {
        wrong(&hand, "must be positive");
    } else if dealt > deck {
        wrong(
            &hand,
            &format!("should not be greater than queues ({deck})"),
        );
    } else if bits(deck, dealt) > HASH_BITS_MAX {
        let detail = format!(
            "required entropy bits of deckSize {deck} and handSize {dealt} should not be greater than {HASH_BITS_MAX}"
        );
        wrong(&hand, &detail);
    }
}

/// How many bits of a hash dealing a hand uses up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "both are far below 2^53, and the product is compared with 60"
)]
fn bits(deck: i64, hand: i64) -> i64 {
    ((deck as f64).log2() * hand as f64).ceil() as i64
}

fn fixed_level(spec: &Place<'_>, name: &str, found: &mut Findings) {
    if !matches!(name, "exempt" | "catch-all") {
        return;
    }
    let Some(fixed) = bootstrap("PriorityLevelConfiguration", name) else {
        return;
    };
    let fixed = Place::new(fixed.get("spec"), *spec.path());
    let compared: &[&str] = match name {
        "exempt" => &["type", "limited"],
        _ => &["type", "limited", "exempt"],
    };
    let mut fields = compared.iter();
    if fields.all(|field| same(&spec.child(field), &fixed.child(field))) {
        return;
    }
    let except = match name {
        "exempt" => " except the 'spec.exempt' field",
        _ => "",
    };
    let detail = format!("spec of '{name}'{except} must equal the fixed value");
    let shown: Shown = gostruct::shown(spec, "PriorityLevelConfigurationSpec");
    found.push(Error::invalid(spec.path(), shown, detail));
}

/// What the rules of the types say: which part belongs to which type.
fn declared(subject: &Subject<'_>, found: &mut Findings) {
    let whole = Change::of(subject);
    let spec = whole.child("spec");
    let kind = spec.child("type");
    let (exempt, limited) = (spec.child("exempt"), spec.child("limited"));
    if !(kind.is_kept() && exempt.is_kept()) && kind.now.text() != "Exempt" {
        exempt.forbidden(found);
    }
    if !(kind.is_kept() && limited.is_kept()) {
        match kind.now.text() {
            "Limited" if !limited.now.is_set() => found.required(&limited.now, ""),
            "Limited" => {}
            _ => limited.forbidden(found),
        }
    }
    kind.required(found);
    if !limited.now.is_set() || limited.is_kept() {
        return;
    }
    let response = limited.child("limitResponse");
    let (kind, queuing) = (response.child("type"), response.child("queuing"));
    if !(kind.is_kept() && queuing.is_kept()) {
        match kind.now.text() {
            "Queue" if !queuing.now.is_set() => found.required(&queuing.now, ""),
            "Queue" => {}
            _ => queuing.forbidden(found),
        }
    }
    kind.required(found);
}
