//! `pods/eviction`: a pod goes if the budget that covers it allows a disruption.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/registry/core/pod/storage/eviction.go.

use api::{
    Cause, Meta, Reason, Status, Text, Value,
    field::{self, Error, Path},
    selector::LabelSelector,
    time, value,
};
use base::WallTime;
use schema::{
    Leave, ResourceName,
    offer::{Standing, Verdict},
};

/// How many evictions may wait to be noticed by the controller of budgets.
const DISRUPTED_MAX: usize = 2_000;

/// After how many seconds a budget that is behind may be asked again.
const RETRY_SECONDS: u32 = 10;

/// An option of deletes that evictions may not have.
const UNSAFE: &str = "ignoreStoreReadErrorWithClusterBreakingPotential";

/// Budgets guard pods.
#[derive(Debug)]
pub(super) struct Eviction;

impl Leave for Eviction {
    fn options<'v>(&self, request: &'v Value, name: &str) -> Result<Option<&'v Value>, Status> {
        if Meta::of(request).name() != name {
            return Err(Status::bad_request(
                "name in URL does not match name in Eviction object",
            ));
        }
        let given = request.get("deleteOptions");
        let given = given.filter(|given| !given.is_null());
        let is_unsafe = given.and_then(|given| given.get(UNSAFE)?.as_bool());
        if is_unsafe == Some(true) {
            let root = Path::new("deleteOptions");
            let why = "can not be set for pod eviction, try after removing the option";
            let causes = field::causes(&[Error::invalid(&root.child(UNSAFE), true, why)]);
            return Err(Status::invalid("policy", "Eviction", name, causes));
        }
        Ok(given)
    }

    fn standing(&self, pod: &Value) -> Standing {
        let phase = pod.str_at(&["status", "phase"]).unwrap_or_default();
        match phase {
            "Succeeded" | "Failed" => Standing::Free,
            _ if Meta::of(pod).is_leaving() => Standing::Free,
            "Pending" => Standing::FreeAsSeen,
            _ => Standing::Guarded,
        }
    }

    fn guards(&self) -> ResourceName {
        ("policy", "poddisruptionbudgets")
    }

    fn guard_of(&self, pod: &Value, budgets: &[Value]) -> Result<Option<usize>, Status> {
        let labels = pod.at(&["metadata", "labels"]);
        let covers = |budget: &Value| {
            let selector = LabelSelector::from_value(budget.at(&["spec", "selector"]));
            selector.is_ok_and(|selector| selector.matches_value(labels))
        };
        let found = budgets.iter().enumerate();
        let mut found = found.filter(|(_, budget)| covers(budget));
        let first = found.next().map(|(place, _)| place);
        if found.next().is_some() {
            return Err(Status::new(
                500,
                Reason::Unknown,
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ));
        }
        Ok(first)
    }

    fn decide(&self, budget: &Value, pod: &Value, now: WallTime) -> Result<Verdict, Status> {
        decide(budget, pod, now)
    }

    fn overtaken(&self, budget: &str) -> Status {
        // The pod may have become healthy meanwhile.
        behind(budget)
    }

    fn mark(&self, pod: &mut Value, now: WallTime) {
        let since = since(pod, "DisruptionTarget", "True", now);
        put_condition(
            pod,
            value!({
                "type": "DisruptionTarget",
                "status": "True",
                "lastProbeTime": null,
                "lastTransitionTime": since,
                "reason": "EvictionByEvictionAPI",
                "message": "Eviction API: evicting"
            }),
        );
    }
}

/// Decides whether a budget allows the pod to go.
fn decide(budget: &Value, pod: &Value, now: WallTime) -> Result<Verdict, Status> {
    let name = Meta::of(budget).name();
    let number = |name: &str| {
        let found = budget.at(&["status", name]).and_then(Value::as_int);
        found.unwrap_or(0)
    };
    let (healthy, wanted) = (number("currentHealthy"), number("desiredHealthy"));
    if !is_ready(pod) {
        let policy = budget.str_at(&["spec", "unhealthyPodEvictionPolicy"]);
        if policy == Some("AlwaysAllow") || (healthy >= wanted && wanted > 0) {
            return Ok(Verdict::Uncounted);
        }
    }
    if number("observedGeneration") < Meta::of(budget).generation() {
        return Err(behind(name));
    }
    let allowed = number("disruptionsAllowed");
    if allowed < 0 {
        return Err(forbidden(
            name,
            "pdb disruptions allowed is negative",
            "pdb disruptions allowed is negative",
        ));
    }
    let disrupted = budget
        .at(&["status", "disruptedPods"])
        .and_then(Value::as_object);
    if disrupted.is_some_and(|disrupted| disrupted.len() > DISRUPTED_MAX) {
        return Err(forbidden(
            name,
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
            "too many pending evictions not confirmed by PDB controller",
        ));
    }
    if allowed == 0 {
        return Err(refusal(&why_not(budget, name, healthy, wanted), 0));
    }
    let mut object = budget.clone();
    object.set_at(&["status", "disruptionsAllowed"], Value::Int(allowed - 1));
    if allowed == 1 {
        set_condition(&mut object, now);
    }
    let pod = Meta::of(pod).name();
    object.set_at(&["status", "disruptedPods", pod], time::to_value(now));
    Ok(Verdict::Counted(object))
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.at(&["status", "conditions"]).and_then(Value::as_array);
    let mut conditions = conditions.unwrap_or_default().iter();
    conditions.any(|one| {
        one.str_at(&["type"]) == Some("Ready") && one.str_at(&["status"]) == Some("True")
    })
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.at(&["status", "conditions"])?.as_array()?;
    conditions
        .iter()
        .find(|one| one.str_at(&["type"]) == Some(kind))
}

fn why_not(budget: &Value, name: &str, healthy: i64, wanted: i64) -> String {
    let known = condition(budget, "DisruptionAllowed");
    let text = |field| {
        known
            .and_then(|known| known.str_at(&[field]))
            .unwrap_or_default()
    };
    let (message, reason) = (text("message"), text("reason"));
    let is_false = text("status") == "False" && !message.is_empty();
    if is_false && reason == "SyncFailed" {
        return format!(
            "The disruption budget {name} does not allow evicting pods currently because it failed sync: {message}"
        );
    }
    if healthy <= wanted {
        return format!(
            "The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently"
        );
    }
    if is_false {
        return format!(
            "The disruption budget {name} does not allow evicting pods currently ({reason}): {message}"
        );
    }
    format!("The disruption budget {name} does not allow evicting pods currently")
}

fn cause(message: String) -> Cause {
    Cause {
        reason: Text::const_new("DisruptionBudget"),
        message,
        field: String::new(),
    }
}

fn refusal(why: &str, retry_seconds: u32) -> Status {
    let text = "Cannot evict pod as it would violate the pod's disruption budget.";
    Status::too_many_requests(text, retry_seconds).with_cause(cause(why.to_owned()))
}

/// The budget is behind what has changed; it may be asked again soon.
fn behind(name: &str) -> Status {
    let why = format!("The disruption budget {name} is still being processed by the server.");
    refusal(&why, RETRY_SECONDS)
}

fn forbidden(name: &str, why: &str, short: &str) -> Status {
    let told =
        format!("The disruption budget {name} does not allow evicting pods currently: {short}");
    Status::forbidden("policy", "poddisruptionbudget", name, why).with_cause(cause(told))
}

/// Says in the budget that it allows nothing any more.
fn set_condition(budget: &mut Value, now: WallTime) {
    let observed = budget.at(&["status", "observedGeneration"]).cloned();
    let since = since(budget, "DisruptionAllowed", "False", now);
    put_condition(
        budget,
        value!({
            "type": "DisruptionAllowed",
            "status": "False",
            "observedGeneration": (observed.unwrap_or(Value::Int(0))),
            "lastTransitionTime": since,
            "reason": "InsufficientPods",
            "message": ""
        }),
    );
}

/// Returns since when a condition has a status; since now if it does not have it yet.
fn since(object: &Value, kind: &str, status: &str, now: WallTime) -> Value {
    condition(object, kind)
        .filter(|known| known.str_at(&["status"]) == Some(status))
        .and_then(|known| known.get("lastTransitionTime"))
        .cloned()
        .unwrap_or_else(|| time::to_value(now))
}

fn put_condition(object: &mut Value, fresh: Value) {
    let mut conditions = match object.remove_at(&["status", "conditions"]) {
        Some(Value::Array(conditions)) => conditions,
        _ => Vec::new(),
    };
    let kind = fresh.str_at(&["type"]).unwrap_or_default().to_owned();
    match conditions
        .iter_mut()
        .find(|one| one.str_at(&["type"]) == Some(&kind))
    {
        Some(known) => *known = fresh,
        None => conditions.push(fresh),
    }
    object.set_at(&["status", "conditions"], Value::Array(conditions));
}

#[cfg(test)]
mod tests {
    use api::{Value, json};
    use base::WallTime;

    use schema::{
        Leave,
        offer::{Standing, Verdict},
    };

    use super::{Eviction, decide};

    fn read(text: &str) -> Value {
        json::read(text.as_bytes()).expect("it is JSON").value
    }

    const READY: &str =
        r#"{"metadata":{"name":"p"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#;
    const UNREADY: &str = r#"{"metadata":{"name":"p"},"status":{}}"#;

    /// `status` of the budget, which has generation 1 and minds unhealthy pods by `policy`.
    #[track_caller]
    fn check(pod: &str, policy: &str, status: &str, expected: &str) {
        let budget = format!(
            r#"{{"metadata":{{"name":"b","generation":1}},"spec":{{"unhealthyPodEvictionPolicy":"{policy}"}},"status":{status}}}"#
        );
        let found = match decide(&read(&budget), &read(pod), WallTime::from_secs(0)) {
            Ok(Verdict::Uncounted) => "uncounted".to_owned(),
            Ok(Verdict::Counted(budget)) => {
                let mut text = Vec::new();
                json::write(budget.get("status").expect("it has one"), &mut text);
                String::from_utf8(text).expect("it is text")
            }
            Err(status) => {
                let causes = status.details.expect("it says why").causes;
                format!("{} {}", status.code, causes[0].message)
            }
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_budget_counts_down() {
        check(
            READY,
            "",
            r#"{"observedGeneration":1,"disruptionsAllowed":2}"#,
            r#"{"observedGeneration":1,"disruptionsAllowed":1,"disruptedPods":{"p":"1970-01-01T00:00:00Z"}}"#,
        );
        check(
            READY,
            "",
            r#"{"observedGeneration":1,"disruptionsAllowed":1}"#,
            r#"{"observedGeneration":1,"disruptionsAllowed":0,"conditions":[{"type":"DisruptionAllowed","status":"False","observedGeneration":1,"lastTransitionTime":"1970-01-01T00:00:00Z","reason":"InsufficientPods","message":""}],"disruptedPods":{"p":"1970-01-01T00:00:00Z"}}"#,
        );
    }

    #[test]
    fn a_budget_says_no() {
        let spent = r#"{"observedGeneration":1,"currentHealthy":1,"desiredHealthy":1}"#;
        check(
            READY,
            "",
            spent,
            "429 The disruption budget b needs 1 healthy pods and has 1 currently",
        );
        check(
            READY,
            "",
            "{}",
            "429 The disruption budget b is still being processed by the server.",
        );
        let failed = r#"{"observedGeneration":1,"conditions":[{"type":"DisruptionAllowed","status":"False","reason":"SyncFailed","message":"m"}]}"#;
        check(
            READY,
            "",
            failed,
            "429 The disruption budget b does not allow evicting pods currently because it failed sync: m",
        );
        check(
            READY,
            "",
            r#"{"observedGeneration":1,"disruptionsAllowed":-1}"#,
            "403 The disruption budget b does not allow evicting pods currently: pdb disruptions allowed is negative",
        );
    }

    #[test]
    fn unhealthy_pods_may_not_count() {
        let enough = r#"{"observedGeneration":1,"currentHealthy":1,"desiredHealthy":1}"#;
        check(UNREADY, "", enough, "uncounted");
        check(UNREADY, "AlwaysAllow", "{}", "uncounted");
        let short = r#"{"observedGeneration":1,"currentHealthy":0,"desiredHealthy":1}"#;
        check(
            UNREADY,
            "",
            short,
            "429 The disruption budget b needs 1 healthy pods and has 0 currently",
        );
    }

    #[test]
    fn what_runs_is_guarded() {
        let check = |pod: &str, expected: Standing| {
            assert_eq!(Eviction.standing(&read(pod)), expected, "{pod}");
        };
        check(r#"{"status":{"phase":"Running"}}"#, Standing::Guarded);
        check("{}", Standing::Guarded);
        check(r#"{"status":{"phase":"Pending"}}"#, Standing::FreeAsSeen);
        check(r#"{"status":{"phase":"Failed"}}"#, Standing::Free);
        let leaving = r#"{"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"},"status":{"phase":"Pending"}}"#;
        check(leaving, Standing::Free);
    }

    #[test]
    fn one_budget_may_cover_a_pod() {
        let pod = read(r#"{"metadata":{"labels":{"a":"b"}}}"#);
        let budget = |value: &str| {
            let text = format!(r#"{{"spec":{{"selector":{{"matchLabels":{{"a":"{value}"}}}}}}}}"#);
            read(&text)
        };
        let find = |budgets: &[Value]| {
            let found = Eviction.guard_of(&pod, budgets);
            found.map_err(|status| status.code)
        };
        assert_eq!(find(&[budget("c")]), Ok(None));
        assert_eq!(find(&[budget("c"), budget("b")]), Ok(Some(1)));
        assert_eq!(find(&[budget("b"), budget("c"), budget("b")]), Err(500));
    }
}
