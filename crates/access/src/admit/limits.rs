//! What limit ranges add to containers, and what they refuse.
//!
//! Source: k8s.io/kubernetes, plugin/pkg/admission/limitranger.

use std::sync::Arc;

use api::{Meta, Object, Quantity, Text, Value};
use hashbrown::HashMap;

use super::{Around, Operation, Refusal, Request};
use crate::world::{Compiled, Resource};

const ANNOTATION: &str = "kubernetes.io/limit-ranger";
/// Beyond it thousandths do not fit 64 bits.
const MILLI_MAX: i64 = i64::MAX / 1000;

/// The limit ranges, by namespace.
pub struct LimitRanges(Compiled<LimitRange, HashMap<Text, Vec<Arc<LimitRange>>>>);

struct LimitRange {
    namespace: Text,
    name: Text,
    limits: Vec<Limit>,
}

struct Limit {
    kind: Text,
    min: Amounts,
    max: Amounts,
    default: Amounts,
    default_request: Amounts,
    ratio_max: Amounts,
}

/// Amounts by the name of a resource, sorted.
#[derive(Clone, Default)]
struct Amounts(Vec<(Text, Quantity)>);

impl Default for LimitRanges {
    fn default() -> Self {
        Self(Compiled::new(
            Resource::LIMIT_RANGES,
            LimitRange::of,
            |all| {
                let mut namespaces: HashMap<Text, Vec<Arc<LimitRange>>> = HashMap::new();
                for one in all {
                    namespaces
                        .entry(one.namespace.clone())
                        .or_default()
                        .push(one);
                }
                for ranges in namespaces.values_mut() {
                    ranges.sort_by(|a, b| a.name.cmp(&b.name));
                }
                namespaces
            },
        ))
    }
}

impl LimitRange {
    fn of(object: &Value) -> Option<Self> {
        let meta = Meta::of(object);
        let limits = object.at(&["spec", "limits"]).and_then(Value::as_array);
        let limits = limits.unwrap_or_default().iter().map(|limit| Limit {
            kind: Text::new(limit.str_at(&["type"]).unwrap_or_default()),
            min: Amounts::of(limit.get("min")),
            max: Amounts::of(limit.get("max")),
            default: Amounts::of(limit.get("default")),
            default_request: Amounts::of(limit.get("defaultRequest")),
            ratio_max: Amounts::of(limit.get("maxLimitRequestRatio")),
        });
        Some(Self {
            namespace: Text::new(meta.namespace()),
            name: Text::new(meta.name()),
            limits: limits.collect(),
        })
    }
}

impl Amounts {
    fn of(value: Option<&Value>) -> Self {
        let object = value.and_then(Value::as_object);
        let entries = object.map(Object::fields).unwrap_or_default().iter();
        let amounts = entries.filter_map(|(name, value)| {
            let amount = Quantity::from_value(value).ok()?;
            Some((name.clone(), amount))
        });
        let mut amounts: Vec<(Text, Quantity)> = amounts.collect();
        amounts.sort_by(|a, b| a.0.cmp(&b.0));
        Self(amounts)
    }

    fn get(&self, name: &str) -> Option<&Quantity> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, amount)| amount)
    }

    fn set(&mut self, name: &Text, amount: Quantity) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some(entry) => entry.1 = amount,
            None => self.0.push((name.clone(), amount)),
        }
    }

    fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let mut sum = self.get(name).cloned().unwrap_or_else(Quantity::zero);
            sum.add(amount);
            self.set(name, sum);
        }
    }

    fn raise(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            if self
                .get(name)
                .is_none_or(|known| amount.compare(known).is_gt())
            {
                self.set(name, amount.clone());
            }
        }
    }
}

impl LimitRanges {
    pub(super) fn change(
        &self,
        request: &Request<'_>,
        object: &mut Value,
        around: &Around<'_>,
    ) -> Result<(), Refusal> {
        if !request.creates("", "pods") {
            return Ok(());
        }
        let (_, namespaces) = self.0.get(around.world);
        for range in namespaces.get(request.namespace).into_iter().flatten() {
            set_defaults(range, object);
        }
        Ok(())
    }

    pub(super) fn check(
        &self,
        request: &Request<'_>,
        object: &Value,
        old: Option<&Value>,
        around: &Around<'_>,
    ) -> Result<(), Refusal> {
        let updates = request.operation == Operation::Update;
        let resizes = updates && request.resource == "pods" && request.subresource == "resize";
        let pods = request.creates("", "pods") || (resizes && request.group.is_empty());
        let claims = request.writes("", "persistentvolumeclaims");
        let leaving = old.is_some_and(|old| Meta::of(old).is_leaving());
        if leaving || !(pods || claims) {
            return Ok(());
        }
        let (_, namespaces) = self.0.get(around.world);
        for range in namespaces.get(request.namespace).into_iter().flatten() {
            let mut wrong = Vec::new();
            for limit in &range.limits {
                match limit.kind.as_str() {
                    "Container" if pods => check_containers(limit, object, &mut wrong),
                    "Pod" if pods => {
                        let (requests, limits) = (sum(object, "requests"), sum(object, "limits"));
                        limit.check(&requests, &limits, &mut wrong);
                    }
                    "PersistentVolumeClaim" if claims => limit.check_claim(object, &mut wrong),
                    _ => {}
                }
            }
            let why = match wrong.as_slice() {
                [] => continue,
                [one] => one.clone(),
                many => format!("[{}]", many.join(", ")),
            };
            return Err(request.forbidden(object, why));
        }
        Ok(())
    }
}

/// Gives containers the amounts that they do not say, and writes down that it was done.
fn set_defaults(range: &LimitRange, pod: &mut Value) {
    let (mut requests, mut limits) = (Amounts::default(), Amounts::default());
    for limit in range
        .limits
        .iter()
        .filter(|limit| limit.kind == "Container")
    {
        for (name, amount) in &limit.default_request.0 {
            requests.set(name, amount.clone());
        }
        for (name, amount) in &limit.default.0 {
            limits.set(name, amount.clone());
        }
    }
    let mut done: Vec<String> = Vec::new();
    for (list, what) in [
        ("containers", "container"),
        ("initContainers", "init container"),
    ] {
        let containers = pod.at_mut(&["spec", list]).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let name = container.str_at(&["name"]).unwrap_or_default().to_owned();
            let limited = fill(container, "limits", &limits);
            let requested = fill(container, "requests", &requests);
            for (names, verb) in [(requested, "request"), (limited, "limit")] {
                if !names.is_empty() {
                    done.push(format!("{} {verb} for {what} {name}", names.join(", ")));
                }
            }
        }
    }
    if !done.is_empty() {
        let text = format!("LimitRanger plugin set: {}", done.join("; "));
        let path = ["metadata", "annotations", ANNOTATION];
        pod.set_at(&path, Value::string(text));
    }
}

/// Sets missing amounts and returns their names, sorted.
fn fill(container: &mut Value, list: &str, amounts: &Amounts) -> Vec<String> {
    let mut set = Vec::new();
    for (name, amount) in &amounts.0 {
        let path = ["resources", list, name.as_str()];
        if container.at(&path).is_none() {
            container.set_at(&path, amount.to_value());
            set.push(name.to_string());
        }
    }
    set.sort_unstable();
    set
}

fn check_containers(limit: &Limit, pod: &Value, wrong: &mut Vec<String>) {
    for list in ["containers", "initContainers"] {
        let containers = pod.at(&["spec", list]).and_then(Value::as_array);
        for container in containers.unwrap_or_default() {
            let amounts = |list| Amounts::of(container.at(&["resources", list]));
            limit.check(&amounts("requests"), &amounts("limits"), wrong);
        }
    }
}

/// Returns what a pod asks for all in all. Init containers run one after another, before the others;
/// those that restart run beside them.
fn sum(pod: &Value, list: &str) -> Amounts {
    let containers = |name| {
        let containers = pod.at(&["spec", name]).and_then(Value::as_array);
        containers.unwrap_or_default()
    };
    let amounts = |container: &Value| Amounts::of(container.at(&["resources", list]));
    let mut total = Amounts::default();
    for container in containers("containers") {
        total.add(&amounts(container));
    }
    let (mut beside, mut before) = (Amounts::default(), Amounts::default());
    for container in containers("initContainers") {
        let own = amounts(container);
        if container.str_at(&["restartPolicy"]) == Some("Always") {
            total.add(&own);
            beside.add(&own);
            before.raise(&beside);
        } else {
            let mut now = own;
            now.add(&beside);
            before.raise(&now);
        }
    }
    total.raise(&before);
    let whole = Amounts::of(pod.at(&["spec", "resources", list]));
    for (name, amount) in whole.0 {
        if matches!(name.as_str(), "cpu" | "memory") {
            total.set(&name, amount);
        }
    }
    total
}

/// Returns numbers that can be compared: thousandths if all fit, whole units otherwise.
fn numbers(amounts: [&Quantity; 3]) -> [i64; 3] {
    let whole = amounts.map(Quantity::value);
    if whole.iter().all(|number| *number <= MILLI_MAX) {
        return amounts.map(Quantity::milli_value);
    }
    whole
}

impl Limit {
    fn check(&self, requests: &Amounts, limits: &Amounts, wrong: &mut Vec<String>) {
        let kind = &self.kind;
        let zero = Quantity::zero();
        let pair = |name: &str| (requests.get(name), limits.get(name));
        for (name, min) in &self.min.0 {
            let (request, limit) = pair(name);
            let sentence = format!("minimum {name} usage per {kind} is {min}");
            let [asked, limited, wanted] =
                numbers([request.unwrap_or(&zero), limit.unwrap_or(&zero), min]);
            match (request, limit) {
                (None, _) => wrong.push(format!("{sentence}.  No request is specified")),
                (Some(request), _) if asked < wanted => {
                    wrong.push(format!("{sentence}, but request is {request}"));
                }
                (_, Some(limit)) if limited < wanted => {
                    wrong.push(format!("{sentence}, but limit is {limit}"));
                }
                _ => {}
            }
        }
        for (name, max) in &self.max.0 {
            let (request, limit) = pair(name);
            let sentence = format!("maximum {name} usage per {kind} is {max}");
            let [asked, limited, wanted] =
                numbers([request.unwrap_or(&zero), limit.unwrap_or(&zero), max]);
            match (request, limit) {
                (_, None) => wrong.push(format!("{sentence}.  No limit is specified")),
                (_, Some(limit)) if limited > wanted => {
                    wrong.push(format!("{sentence}, but limit is {limit}"));
                }
                (Some(request), _) if asked > wanted => {
                    wrong.push(format!("{sentence}, but request is {request}"));
                }
                _ => {}
            }
        }
        for (name, max) in &self.ratio_max.0 {
            let (request, limit) = pair(name);
            wrong.extend(self.check_ratio(name, max, request, limit));
        }
    }

    fn check_ratio(
        &self,
        name: &str,
        max: &Quantity,
        request: Option<&Quantity>,
        limit: Option<&Quantity>,
    ) -> Option<String> {
        let sentence = format!(
            "{name} max limit to request ratio per {} is {max}",
            self.kind
        );
        let zero = Quantity::zero();
        let [asked, limited, _] = numbers([request.unwrap_or(&zero), limit.unwrap_or(&zero), max]);
        if asked == 0 {
            return Some(format!(
                "{sentence}, but no request is specified or request is 0"
            ));
        }
        if limited == 0 {
            return Some(format!(
                "{sentence}, but no limit is specified or limit is 0"
            ));
        }
        let ratio = limited as f64 / asked as f64;
        let exceeded = if max.value() <= MILLI_MAX {
            ratio * 1000.0 > max.milli_value() as f64
        } else {
            ratio > max.value() as f64
        };
        exceeded.then(|| format!("{sentence}, but provided ratio is {ratio:.6}"))
    }

    fn check_claim(&self, claim: &Value, wrong: &mut Vec<String>) {
        let requests = Amounts::of(claim.at(&["spec", "resources", "requests"]));
        let zero = Quantity::zero();
        for (least, amounts) in [(true, &self.min), (false, &self.max)] {
            for (name, wanted) in &amounts.0 {
                let word = if least { "minimum" } else { "maximum" };
                let sentence = format!("{word} {name} usage per {} is {wanted}", self.kind);
                let request = requests.get(name);
                let [asked, _, bound] = numbers([request.unwrap_or(&zero), &zero, wanted]);
                match request {
                    None => wrong.push(format!("{sentence}.  No request is specified")),
                    Some(request) if (least && asked < bound) || (!least && asked > bound) => {
                        wrong.push(format!("{sentence}, but request is {request}"));
                    }
                    Some(_) => {}
                }
            }
        }
    }
}
