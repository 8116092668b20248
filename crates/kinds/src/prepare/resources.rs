//! What a pod asks for and may use at most, as a whole.
//!
//! Source: pkg/api/pod/util.go (`DefaultPodLevelResources`), k8s.io/component-helpers/resource.

use api::{Object, Quantity, Text, Value};

/// Amounts by resource.
pub(crate) type Amounts = Vec<(Text, Quantity)>;

/// Returns a pod's quality of service: what its containers ask for and may use at most.
pub(crate) fn quality(pod: &Value) -> &'static str {
    let sides = ["requests", "limits"];
    let of = |container: &Value, side: &str, resource: &str| {
        let given = container.at(&["resources", side, resource])?;
        let quantity = api::Quantity::from_value(given).ok()?;
        (!quantity.is_zero()).then_some(quantity)
    };
    let mut containers: Vec<&Value> = ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| pod.at(&["spec", list])?.as_array())
        .flatten()
        .collect();
    // Resources of the whole pod count instead of those of its containers.
    if let Some(spec) = pod
        .get("spec")
        .filter(|spec| spec.get("resources").is_some())
    {
        containers = vec![spec];
    }
    let resources = ["cpu", "memory"];
    let mut asks = containers.iter().flat_map(|container| {
        sides.into_iter().flat_map(move |side| {
            let one = move |resource| of(container, side, resource);
            resources.into_iter().filter_map(one)
        })
    });
    if asks.next().is_none() {
        return "BestEffort";
    }
    let is_fixed = |container: &&Value| {
        resources.into_iter().all(|resource| {
            let limit = of(container, "limits", resource);
            let request = of(container, "requests", resource).or_else(|| limit.clone());
            match (request, limit) {
                (Some(request), Some(limit)) => request.compare(&limit).is_eq(),
                _ => false,
            }
        })
    };
    match containers.iter().all(is_fixed) {
        true => "Guaranteed",
        false => "Burstable",
    }
}

/// Fills what a pod that says something of its resources as a whole leaves open.
pub(super) fn fill_pod(pod: &mut Value) {
    let path = ["spec", "resources"];
    let list = |pod: &Value, side: &str| match pod.at(&["spec", "resources", side]) {
        Some(Value::Object(list)) => list.clone(),
        _ => Object::default(),
    };
    if pod.at(&path).is_none() {
        return;
    }
    let (mut limits, mut requests) = (list(pod, "limits"), list(pod, "requests"));
    if limits.is_empty() && requests.is_empty() {
        return;
    }
    let container_limits = aggregate(pod, "limits");
    for (name, amount) in &container_limits {
        if name.starts_with(HUGE_PAGES) && !requests.contains(name) && !limits.contains(name) {
            limits.insert(name, amount.to_value());
        }
    }
    for (name, amount) in aggregate(pod, "requests") {
        if is_shareable(&name) && !requests.contains(&name) {
            requests.insert(name, amount.to_value());
        }
    }
    for (name, amount) in limits.iter() {
        if is_whole(name) && !requests.contains(name) {
            requests.insert(name, amount.clone());
        }
    }
    for (name, request) in requests.iter() {
        if !is_whole(name) || limits.contains(name) || !all_limit(pod, name) {
            continue;
        }
        let limit = container_limits.iter().find(|(known, _)| known == name);
        let Some((_, limit)) = limit else { continue };
        // The whole may not ask for more than it may use.
        let value = match Quantity::from_value(request) {
            Ok(request) if request.compare(limit).is_gt() => request.to_value(),
            _ => limit.to_value(),
        };
        limits.insert(name, value);
    }
    for (side, mut amounts) in [("limits", limits), ("requests", requests)] {
        if !amounts.is_empty() {
            amounts.sort();
            pod.set_at(&["spec", "resources", side], amounts.into());
        }
    }
}

const HUGE_PAGES: &str = "hugepages-";

/// Returns whether a pod as a whole may have this resource.
fn is_whole(name: &str) -> bool {
    is_shareable(name) || name.starts_with(HUGE_PAGES)
}

/// Returns whether a pod as a whole may have more of it than is there.
fn is_shareable(name: &str) -> bool {
    matches!(name, "cpu" | "memory")
}

/// Returns whether every container has a limit for this resource.
fn all_limit(pod: &Value, name: &str) -> bool {
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let lists = lists.into_iter();
    let mut all = lists.flat_map(|list| containers(pod, list));
    all.all(|container| container.at(&["resources", "limits", name]).is_some())
}

fn containers<'a>(pod: &'a Value, list: &str) -> &'a [Value] {
    pod.get("spec").map_or(&[], |spec| items(spec, list))
}

fn items<'a>(spec: &'a Value, list: &str) -> &'a [Value] {
    let found = spec.get(list).and_then(Value::as_array);
    found.unwrap_or_default()
}

/// Returns what containers ask for or may use together: those that run at the same time are added
/// up, and what is only needed in the beginning counts if it is more.
fn aggregate(pod: &Value, side: &str) -> Amounts {
    pod.get("spec")
        .map_or_else(Amounts::new, |spec| together(spec, side))
}

/// Returns the same of the spec of a pod.
pub(crate) fn together(spec: &Value, side: &str) -> Amounts {
    let of = |container: &Value| -> Amounts {
        let list = container
            .at(&["resources", side])
            .and_then(Value::as_object);
        let all = list.into_iter().flat_map(|list| list.iter());
        all.filter_map(|(name, value)| Some((name.into(), Quantity::from_value(value).ok()?)))
            .collect()
    };
    let mut total = Amounts::new();
    for container in items(spec, "containers") {
        add(&mut total, &of(container));
    }
    let (mut staying, mut beginning) = (Amounts::new(), Amounts::new());
    for container in items(spec, "initContainers") {
        let own = of(container);
        let mut together = own.clone();
        if container.str_at(&["restartPolicy"]) == Some("Always") {
            add(&mut total, &own);
            add(&mut staying, &own);
            together = staying.clone();
        } else {
            add(&mut together, &staying);
        }
        raise(&mut beginning, &together);
    }
    raise(&mut total, &beginning);
    total
}

fn add(into: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        match into.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => sum.add(amount),
            None => into.push((name.clone(), amount.clone())),
        }
    }
}

fn raise(into: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        match into.iter_mut().find(|(known, _)| known == name) {
            Some((_, most)) if amount.compare(most).is_gt() => *most = amount.clone(),
            Some(_) => {}
            None => into.push((name.clone(), amount.clone())),
        }
    }
}
