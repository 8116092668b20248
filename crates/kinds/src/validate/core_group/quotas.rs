//! What is wrong with limits and quotas.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go
//! (`ValidateLimitRange`, `ValidateResourceQuota` and its updates), pkg/apis/core/helper/helpers.go,
//! pkg/registry/core/resourcequota/strategy.go.

use std::collections::BTreeSet;

use api::{
    Quantity, Value,
    field::{Error, Path, Shown},
    names::validate,
};

use crate::validate::{Findings, Place, Subject, changes, gostruct, quantities};

/// Amounts up to here are compared in thousandths.
const MILLI_MAX: i64 = i64::MAX / 1000;

const LIMITED: [&str; 3] = ["Container", "PersistentVolumeClaim", "Pod"];

/// What can be counted of some pods only.
const OF_PODS: &[&str] = &[
    "pods",
    "cpu",
    "memory",
    "limits.cpu",
    "limits.memory",
    "requests.cpu",
    "requests.memory",
];

/// Scopes, and the resources that they can narrow.
const SCOPES: [(&str, &[&str]); 7] = [
    ("Terminating", OF_PODS),
    ("NotTerminating", OF_PODS),
    ("BestEffort", &["pods"]),
    ("NotBestEffort", OF_PODS),
    ("PriorityClass", OF_PODS),
    ("CrossNamespacePodAffinity", OF_PODS),
    (
        "VolumeAttributesClass",
        &["persistentvolumeclaims", "requests.storage"],
    ),
];

/// Checks limits.
pub(super) fn limits(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let spec = root.child("spec");
    let limits = spec.child("limits");
    let kind_of = |limit: &Value| limit.str_at(&["type"]).unwrap_or_default().to_owned();
    for (index, limit) in limits.items().enumerate() {
        let kind = limit.child("type");
        let why = validate::qualified_name(kind.text());
        if why.is_empty() && !kind.text().contains('/') && !LIMITED.contains(&kind.text()) {
            let why = "must be a standard limit type or fully qualified";
            found.invalid_text(&kind, why);
        }
        found.each_invalid_text(&kind, why);
        let mut before = limits.list()[..index].iter();
        if before.any(|other| kind_of(other) == kind.text()) {
            found.push(Error::duplicate(kind.path(), kind.text()));
        }
        limit_names(&limit, kind.text(), found);
        let mut names = BTreeSet::new();
        for side in [
            "max",
            "min",
            "default",
            "defaultRequest",
            "maxLimitRequestRatio",
        ] {
            let is_open = !(kind.text() == "Pod" && side.starts_with("default"));
            let side = limit.value().and_then(|limit| limit.get(side));
            let side = side.and_then(Value::as_object).filter(|_| is_open);
            names.extend(
                side.into_iter()
                    .flat_map(|side| side.iter().map(|(name, _)| name)),
            );
        }
        for name in names {
            Bounds::of(&limit, name, kind.text() == "Pod").check(&limit, name, found);
        }
    }
}

fn limit_names(limit: &Place<'_>, kind: &str, found: &mut Findings) {
    let names = |side: &str, found: &mut Findings| {
        let side = limit.child(side);
        for (name, amount) in side.entries() {
            if matches!(kind, "Pod" | "Container") {
                quantities::name_for_containers(amount.path(), name, found);
            } else {
                quantities::name(amount.path(), name, found);
            }
        }
    };
    names("max", found);
    names("min", found);
    for side in ["default", "defaultRequest"] {
        if kind != "Pod" {
            names(side, found);
        } else if limit.child(side).len() > 0 {
            let why = "may not be specified when `type` is 'Pod'";
            found.forbidden(&limit.child(side), why);
        }
    }
    if kind == "PersistentVolumeClaim" {
        let has = |side: &str| limit.child(side).key("storage").is_set();
        if !has("min") && !has("max") {
            let why =
                "either minimum or maximum storage value is required, but neither was provided";
            found.required(&limit.child("limits"), why);
        }
    }
    names("maxLimitRequestRatio", found);
}

/// What a limit says of one resource.
struct Bounds {
    min: Option<Quantity>,
    max: Option<Quantity>,
    default: Option<Quantity>,
    request: Option<Quantity>,
    ratio: Option<Quantity>,
}

impl Bounds {
    fn of(limit: &Place<'_>, name: &str, is_pod: bool) -> Self {
        let of = |side: &str| {
            let side = limit.child(side);
            quantities::of(&side.key(name))
        };
        Self {
            min: of("min"),
            max: of("max"),
            default: of("default").filter(|_| !is_pod),
            request: of("defaultRequest").filter(|_| !is_pod),
            ratio: of("maxLimitRequestRatio"),
        }
    }

    fn check(&self, limit: &Place<'_>, name: &str, found: &mut Findings) {
        let mut refuse = |side: &str, shown: &Quantity, why: String| {
            let side = limit.child(side);
            let shown = Shown::from(&shown.to_string());
            found.push(Error::invalid(side.key(name).path(), shown, why));
        };
        let more = |low: &Option<Quantity>, high: &Option<Quantity>| match (low, high) {
            (Some(low), Some(high)) if low.compare(high).is_gt() => {
                Some((low.clone(), high.clone()))
            }
            _ => None,
        };
        if let Some((min, max)) = more(&self.min, &self.max) {
            let why = format!("min value {min} is greater than max value {max}");
            refuse("min", &min, why);
        }
        if let Some((min, request)) = more(&self.min, &self.request) {
            let why = format!("min value {min} is greater than default request value {request}");
            refuse("defaultRequest", &request, why);
        }
        if let Some((request, max)) = more(&self.request, &self.max) {
            let why = format!("default request value {request} is greater than max value {max}");
            refuse("defaultRequest", &request, why);
        }
        if let Some((request, default)) = more(&self.request, &self.default) {
            let why = format!(
                "default request value {request} is greater than default limit value {default}"
            );
            refuse("defaultRequest", &request, why);
        }
        if let Some((min, default)) = more(&self.min, &self.default) {
            let why = format!("min value {min} is greater than default value {default}");
            refuse("default", &min, why);
        }
        if let Some((default, max)) = more(&self.default, &self.max) {
            let why = format!("default value {default} is greater than max value {max}");
            refuse("default", &max, why);
        }
        if let Some(ratio) = &self.ratio {
            if ratio.milli_value() < 1000 {
                refuse(
                    "maxLimitRequestRatio",
                    ratio,
                    format!("ratio {ratio} is less than 1"),
                );
            }
            if let (Some(min), Some(max)) = (&self.min, &self.max) {
                let (ratio_max, ratio_value) = ratio_max(ratio, min, max);
                if ratio_value > ratio_max {
                    let most = go_float(ratio_max);
                    let why = format!("ratio {ratio} is greater than max/min = {most}");
                    refuse("maxLimitRequestRatio", ratio, why);
                }
            }
        }
        if let (Some(default), Some(request)) = (&self.default, &self.request)
            && !quantities::may_overcommit(name)
            && !default.compare(request).is_eq()
        {
            let why = format!(
                "default value {default} must equal to defaultRequest value {request} in {name}"
            );
            refuse("defaultRequest", request, why);
        }
    }
}

fn go_float(number: f64) -> String {
    match number {
        number if number.is_nan() => "NaN".to_owned(),
        number if number.is_infinite() && number > 0.0 => "+Inf".to_owned(),
        number if number.is_infinite() => "-Inf".to_owned(),
        number => format!("{number:.6}"),
    }
}

/// Returns the most that limits may be of requests, and what is asked for.
#[allow(clippy::cast_precision_loss)] // as upstream
fn ratio_max(ratio: &Quantity, min: &Quantity, max: &Quantity) -> (f64, f64) {
    let is_small = |amount: &Quantity| amount.value() < MILLI_MAX;
    if is_small(ratio) && is_small(min) && is_small(max) {
        let most = max.milli_value() as f64 / min.milli_value() as f64;
        return (most, ratio.milli_value() as f64 / 1000.0);
    }
    (
        max.value() as f64 / min.value() as f64,
        ratio.value() as f64,
    )
}

/// Checks a quota.
pub(super) fn quota(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let spec = root.child("spec");
    amounts(&spec.child("hard"), found);
    scopes(&spec, found);
    selector(&spec, found);
    if subject.old.is_none() {
        return status(subject, found);
    }
    let old = old.child("spec");
    let set = |place: &Place<'_>| -> BTreeSet<String> {
        let texts = place.list().iter().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let scopes = spec.child("scopes");
    if set(&scopes) != set(&old.child("scopes")) {
        found.invalid(&scopes, changes::IMMUTABLE);
    }
}

/// Checks what a quota says of what is used.
pub(super) fn status(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let status = root.child("status");
    amounts(&status.child("hard"), found);
    amounts(&status.child("used"), found);
}

fn amounts(amounts: &Place<'_>, found: &mut Findings) {
    for (name, amount) in amounts.entries() {
        quantities::name(amount.path(), name, found);
        if !name.contains('/') && !is_of_quotas(name) {
            let why = "must be a standard resource for quota";
            found.push(Error::invalid(amount.path(), name, why));
        }
        quantities::amount_of(name, &amount, found);
    }
}

fn is_of_quotas(name: &str) -> bool {
    // What volumes ask for is counted as `requests.storage`.
    name != "storage" && quantities::is_standard(name)
}

/// Whether a scope can narrow this resource; resources of others are not looked at.
fn narrows(scope: &str, resource: &str) -> bool {
    let known = SCOPES.iter().find(|(name, _)| *name == scope);
    !is_of_quotas(resource) || known.is_none_or(|(_, resources)| resources.contains(&resource))
}

fn is_scope(scope: &str) -> bool {
    SCOPES.iter().any(|(name, _)| *name == scope)
}

/// Whether these scopes exclude one another, by pairs.
fn conflicts<'a>(scopes: impl Iterator<Item = &'a str> + Clone) -> usize {
    let has = |scope: &str| scopes.clone().any(|one| one == scope);
    let pairs = [
        ("BestEffort", "NotBestEffort"),
        ("Terminating", "NotTerminating"),
    ];
    pairs
        .into_iter()
        .filter(|(one, other)| has(one) && has(other))
        .count()
}

fn scopes(spec: &Place<'_>, found: &mut Findings) {
    let (scopes, hard) = (spec.child("scopes"), spec.child("hard"));
    let names: BTreeSet<&str> = hard.entries().map(|(name, _)| name).collect();
    for scope in scopes.items() {
        if !is_scope(scope.text()) {
            found.invalid(&scopes, "unsupported scope");
        }
        for _ in names.iter().filter(|name| !narrows(scope.text(), name)) {
            found.invalid(&scopes, "unsupported scope applied to resource");
        }
    }
    let all = scopes.list().iter().filter_map(Value::as_str);
    for _ in 0..conflicts(all) {
        found.invalid(&scopes, "conflicting scopes");
    }
}

fn selector(spec: &Place<'_>, found: &mut Findings) {
    let (selector, hard) = (spec.child("scopeSelector"), spec.child("hard"));
    let names: BTreeSet<&str> = hard.entries().map(|(name, _)| name).collect();
    let expressions = selector.child("matchExpressions");
    for expression in expressions.items() {
        let (scope, operator, values) = (
            expression.child("scopeName").text(),
            expression.child("operator").text(),
            expression.child("values"),
        );
        // Upstream does not say which of the expressions it is.
        let mut refuse = |name: &str, shown: Shown, why: &str| {
            let path = expressions.path().child(name);
            found.push(Error::invalid(&path, shown, why));
        };
        if !is_scope(scope) {
            refuse("scopeName", scope.into(), "unsupported scope");
        }
        for _ in names.iter().filter(|name| !narrows(scope, name)) {
            let shown = gostruct::shown(&selector, "ScopeSelector");
            let why = "unsupported scope applied to resource";
            found.push(Error::invalid(expressions.path(), shown, why));
        }
        let mut refuse = |name: &str, shown: Shown, why: &str| {
            let path = expressions.path().child(name);
            found.push(Error::invalid(&path, shown, why));
        };
        if is_scope(scope)
            && !matches!(scope, "PriorityClass" | "VolumeAttributesClass")
            && operator != "Exists"
        {
            let why = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
            refuse("operator", operator.into(), why);
        }
        match operator {
            "In" | "NotIn" if values.len() == 0 => {
                let path: Path<'_> = expressions.path().child("values");
                let why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                found.push(Error::required(&path, why));
            }
            "Exists" | "DoesNotExist" if values.len() > 0 => {
                let why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                refuse("values", values.shown(), why);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => refuse("operator", operator.into(), "not a valid selector operator"),
        }
    }
    let all = expressions.list().iter();
    let all = all.filter_map(|expression| expression.str_at(&["scopeName"]));
    for _ in 0..conflicts(all) {
        let scopes = spec.child("scopes");
        found.push(Error::invalid(
            expressions.path(),
            scopes.shown(),
            "conflicting scopes",
        ));
    }
}
