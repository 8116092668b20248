//! What is wrong with the resources that containers and whole pods ask for.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use api::{
    Quantity, Value,
    field::{Error, Path, Shown},
};

use super::{
    annotations::MIRROR,
    gostruct,
    rules::Rules,
    spec::{Frame, each_container},
};
use crate::{
    prepare::together,
    validate::{Findings, Place, Seen, quantities, texts},
};

/// Whose resources these are, which decides about their names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Container,
    Pod,
}

impl Owner {
    fn name(self, path: &Path<'_>, name: &str, found: &mut Findings) {
        match self {
            Self::Container => quantities::name_for_containers(path, name, found),
            Self::Pod => {
                let is_right = quantities::name(path, name, found);
                let is_known = matches!(name, "cpu" | "memory") || quantities::is_huge_pages(name);
                if is_right && !is_known {
                    let supported = ["cpu", "hugepages-", "memory"];
                    found.push(Error::not_supported(path, name, &supported));
                }
            }
        }
    }
}

/// Checks the resources of a container.
pub(super) fn of_container(place: &Place<'_>, frame: &Frame<'_>, found: &mut Findings) {
    if place.len() > 0 {
        let claims = frame.spec.list_of("resourceClaims");
        requirements(place, Owner::Container, claims, frame.rules, found);
    }
}

/// Checks what a pod costs beyond its containers.
pub(super) fn overhead(place: &Place<'_>, rules: Rules, found: &mut Findings) {
    let limits = place.child("limits");
    let limits = Place::new(place.value(), *limits.path());
    let mut kinds = Kinds::default();
    side(&limits, Owner::Container, rules, &mut kinds, found);
    if kinds.has_pages && !kinds.has_compute {
        found.forbidden(place, "HugePages require cpu or memory");
    }
}

/// Which sorts of resources occur.
#[derive(Default)]
struct Kinds {
    has_compute: bool,
    has_pages: bool,
}

fn side(list: &Place<'_>, owner: Owner, rules: Rules, kinds: &mut Kinds, found: &mut Findings) {
    for (name, amount) in list.entries() {
        one(name, &amount, owner, rules, kinds, found);
        whole_pages(name, &amount, rules, found);
    }
}

fn one(
    name: &str,
    amount: &Place<'_>,
    owner: Owner,
    _: Rules,
    kinds: &mut Kinds,
    found: &mut Findings,
) {
    owner.name(amount.path(), name, found);
    quantities::amount_of(name, amount, found);
    kinds.has_compute |= matches!(name, "cpu" | "memory");
    kinds.has_pages |= quantities::is_huge_pages(name);
}

/// Pages are whole.
fn whole_pages(name: &str, place: &Place<'_>, rules: Rules, found: &mut Findings) {
    if !quantities::is_huge_pages(name) || rules.leave_uneven_pages() {
        return;
    }
    if let Some(amount) = quantities::of(place)
        && !quantities::is_whole_pages(name, &amount)
    {
        let shown = amount.to_string();
        let why = format!("{shown} is not positive integer multiple of {name}");
        found.push(Error::invalid(place.path(), &shown, why));
    }
}

fn requirements(
    place: &Place<'_>,
    owner: Owner,
    pod_claims: &[Value],
    rules: Rules,
    found: &mut Findings,
) {
    let (limits, requests) = (place.child("limits"), place.child("requests"));
    let mut kinds = Kinds::default();
    side(&limits, owner, rules, &mut kinds, found);
    for (name, amount) in requests.entries() {
        one(name, &amount, owner, rules, &mut kinds, found);
        within_limit(name, &amount, (&limits, &requests), found);
        whole_pages(name, &amount, rules, found);
    }
    if kinds.has_pages && !kinds.has_compute {
        found.forbidden(place, "HugePages require cpu or memory");
    }
    let claims = place.child("claims");
    if claims.len() > 0 {
        used_claims(&claims, pod_claims, found);
    }
}

/// No more is asked for than may be used.
fn within_limit(
    name: &str,
    amount: &Place<'_>,
    (limits, requests): (&Place<'_>, &Place<'_>),
    found: &mut Findings,
) {
    let Some(limit) = limits.get(name) else {
        if !quantities::may_overcommit(name) {
            found.required(limits, "Limit must be set for non overcommitable resources");
        }
        return;
    };
    // Nearly always both are written alike.
    if Some(limit) == amount.value() {
        return;
    }
    let (Some(own), Ok(limit)) = (quantities::of(amount), Quantity::from_value(limit)) else {
        return;
    };
    let order = own.compare(&limit);
    let rule = if order.is_ne() && !quantities::may_overcommit(name) {
        "must be equal to"
    } else if order.is_gt() {
        "must be less than or equal to"
    } else {
        return;
    };
    let why = format!("{rule} {name} limit of {limit}");
    found.push(Error::invalid(requests.path(), &own.to_string(), why));
}

/// Checks which claims of its pod a container uses.
fn used_claims(list: &Place<'_>, pod_claims: &[Value], found: &mut Findings) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    let names: Vec<&str> = pod_claims
        .iter()
        .map(|claim| claim.str_at(&["name"]).unwrap_or_default())
        .filter(|name| !name.is_empty())
        .collect();
    for (claim, value) in list.items().zip(list.list()) {
        let text = |field: &str| value.str_at(&[field]).unwrap_or_default();
        let (name, request) = (text("name"), text("request"));
        if name.is_empty() {
            found.required(&claim, "");
            continue;
        }
        let duplicate = |shown: &str, found: &mut Findings| {
            found.push(Error::duplicate(claim.path(), shown));
        };
        if seen.contains(&(name, "")) {
            duplicate(name, found);
        } else {
            if !request.is_empty() {
                texts::label(&claim.child("request"), found);
            }
            if seen.contains(&(name, request)) {
                duplicate(&format!("{name}/{request}"), found);
            } else if request.is_empty() {
                for _ in seen.iter().filter(|(other, _)| *other == name) {
                    duplicate(name, found);
                }
            }
            seen.push((name, request));
        }
        if !names.contains(&name) {
            let mut error = Error::not_found(claim.path(), name);
            let mut known = names.clone();
            known.sort_unstable();
            known.dedup();
            error.detail = match known.as_slice() {
                [] => {
                    "must be one of the names in pod.spec.resourceClaims which is empty".to_owned()
                }
                known => format!(
                    "must be one of the names in pod.spec.resourceClaims: {}",
                    known.join(", ")
                ),
            };
            found.push(error);
        }
    }
}

/// Checks the claims of a pod.
pub(super) fn claims(list: &Place<'_>, metadata: Option<&Place<'_>>, found: &mut Findings) {
    let is_mirror = metadata.is_some_and(|metadata| metadata.child("annotations").has(MIRROR));
    let mut names = Seen::new();
    for (claim, value) in list.items().zip(list.list()) {
        if is_mirror {
            let why = "static pods do not support resource claims";
            found.push(Error::forbidden(&Path::new(""), why));
            continue;
        }
        let name = claim.child("name");
        if texts::require(&name, "", found) {
            let text = value.str_at(&["name"]).unwrap_or_default();
            if names.insert(text) {
                texts::label(&name, found);
            } else {
                found.duplicate(&name);
            }
        }
        let (direct, template) = (
            claim.child("resourceClaimName"),
            claim.child("resourceClaimTemplateName"),
        );
        let why = match (direct.is_set(), template.is_set()) {
            (true, true) => {
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            }
            (false, false) => {
                "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            }
            _ => "",
        };
        if !why.is_empty() {
            let shown = gostruct::shown(&claim, "PodResourceClaim");
            found.push(Error::invalid(claim.path(), shown, why));
        }
        for reference in [direct, template] {
            if reference.is_set() {
                texts::subdomain(&reference, found);
            }
        }
    }
}

/// Checks the resources of a pod as a whole.
pub(super) fn of_pod(frame: &Frame<'_>, found: &mut Findings) {
    let spec = frame.spec;
    let place = spec.child("resources");
    if !place.is_set() {
        return;
    }
    if spec.child("os").text_of("name") == "windows" {
        return found.forbidden(&place, "may not be set for a windows pod");
    }
    let claims = place.child("claims");
    if claims.is_set() {
        found.forbidden(&claims, "claims may not be set for Resources at pod-level");
    }
    let pod_claims = spec.list_of("resourceClaims");
    requirements(&place, Owner::Pod, pod_claims, frame.rules, found);
    consistent(spec, &place, found);
}

/// The whole is no less than its parts.
fn consistent(spec: &Place<'_>, place: &Place<'_>, found: &mut Findings) {
    let Some(value) = spec.value() else {
        return;
    };
    let own = |side: &str, name: &str| {
        let amounts = place.get(side)?;
        Quantity::from_value(amounts.get(name)?).ok()
    };
    for (side, called) in [("requests", "requests"), ("limits", "limits")] {
        let list = place.child(side);
        for (name, sum) in together(value, side) {
            if side == "limits" && !quantities::is_huge_pages(&name) {
                continue;
            }
            let Some(whole) = own(side, &name) else {
                continue;
            };
            if sum.compare(&whole).is_gt() {
                let entry = list.key(&name);
                let shown = whole.to_string();
                let why = format!(
                    "must be greater than or equal to aggregate container {called} of {sum}"
                );
                found.push(Error::invalid(entry.path(), &shown, why));
            }
        }
    }
    // The path is upstream's: below the resources of the pod.
    let list = place.child("containers");
    for (at, container) in spec.list_of("containers").iter().enumerate() {
        let limits = container
            .at(&["resources", "limits"])
            .and_then(Value::as_object);
        for (name, limit) in limits.into_iter().flat_map(api::Object::iter) {
            let (Some(whole), Ok(limit)) = (own("limits", name), Quantity::from_value(limit))
            else {
                continue;
            };
            if limit.compare(&whole).is_gt() {
                let path = list.path().index(at);
                let path = path.key(name);
                let shown = Shown::from(&limit.to_string());
                let why = format!("must be less than or equal to pod limits of {whole}");
                found.push(Error::invalid(&path.child("limits"), shown, why));
            }
        }
    }
}

/// Whether huge pages are asked for that are not whole.
pub(super) fn has_uneven_pages(spec: &Place<'_>) -> bool {
    let is_uneven = |list: Option<&Value>| {
        let list = list.and_then(Value::as_object);
        list.into_iter()
            .flat_map(api::Object::iter)
            .any(|(name, amount)| {
                quantities::is_huge_pages(name)
                    && Quantity::from_value(amount)
                        .is_ok_and(|amount| !quantities::is_whole_pages(name, &amount))
            })
    };
    let of = |container: &Value, side| is_uneven(container.at(&["resources", side]));
    each_container(spec).any(|one| of(one, "limits") || of(one, "requests"))
        || is_uneven(spec.get("overhead"))
}
