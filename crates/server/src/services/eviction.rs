//! `pods/eviction`: deletes a pod if the budget that covers it allows a disruption.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/registry/core/pod/storage/eviction.go.

use api::{
    Cause, Meta, Reason, Status, Text, Value,
    field::{self, Error, Path},
    selector::LabelSelector,
    time, value,
};
use base::WallTime;

use super::Asked;
use crate::{
    Answer, Call,
    admit::{Ask, Operation},
    collection::place_of,
    delete::options::DeleteOptions,
    faults,
    registry::Resource,
    render,
    write::{Done, Door, Writer, body, meta},
};

/// How many evictions may wait to be noticed by the controller of budgets.
const DISRUPTED_MAX: usize = 2_000;

/// After how many seconds a budget that is behind may be asked again.
const RETRY_SECONDS: u32 = 10;

/// Answers an `Eviction`.
pub(super) async fn answer(asked: &Asked<'_>, call: &mut Call) -> Result<Answer, Status> {
    let mut eviction = body::read(call, &asked.expected())?;
    meta::settle_namespace(
        &mut eviction,
        schema::Scope::Namespaced,
        &call.path.namespace,
    )?;
    if meta::text(&eviction, "name") != call.path.name {
        return Err(Status::bad_request(
            "name in URL does not match name in Eviction object",
        ));
    }
    let options = options(&eviction, call)?;
    options.check()?;
    let ask = Ask {
        serving: asked.serving,
        resource: asked.resource,
        operation: Operation::Create,
        subresource: "eviction",
    };
    ask.mutate(call, &mut eviction, None).await?;
    ask.validate(call, Some(&eviction), None).await?;
    call.options.dry_run = options.dry_run;
    evict(asked, call, options).await?;
    let mut status = Status::new(201, Reason::Unknown, "");
    status.details = None;
    Ok(Answer::Status {
        accepted: call.accepted,
        status: Box::new(status),
    })
}

/// Reads how the pod shall be deleted.
fn options(eviction: &Value, call: &Call) -> Result<DeleteOptions, Status> {
    let given = eviction
        .get("deleteOptions")
        .filter(|given| !given.is_null());
    let is_unsafe = ["ignoreStoreReadErrorWithClusterBreakingPotential"];
    if given.and_then(|given| given.at(&is_unsafe)?.as_bool()) == Some(true) {
        let root = Path::new("deleteOptions");
        let why = "can not be set for pod eviction, try after removing the option";
        let error = Error::invalid(&root.child(is_unsafe[0]), true, why);
        let causes = field::causes(&[error]);
        return Err(Status::invalid(
            "policy",
            "Eviction",
            &call.path.name,
            causes,
        ));
    }
    let mut options = match given {
        Some(given) => DeleteOptions::from_value(given)?,
        None => DeleteOptions::default(),
    };
    options.dry_run |= call.options.dry_run;
    Ok(options)
}

/// What a budget says to an eviction.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// The pod is as good as gone already, or does not count; it must not have changed since.
    Uncounted,
    /// The budget counts the disruption: this is its new status.
    Counted(Value),
}

async fn evict(asked: &Asked<'_>, call: &mut Call, options: DeleteOptions) -> Result<(), Status> {
    let namespace = call.path.namespace.clone();
    let name = call.path.name.clone();
    let mut options = options;
    let is_pinned = options.resource_version.is_some();
    let (mut pod, mut value) = asked.object(("", "pods"), &namespace, &name).await?;
    while !is_covered(&value) {
        let mut once = options.clone();
        if !is_pinned && must_not_change(&value) {
            once.resource_version = Some(pod.revision.to_string().into());
        }
        match delete(asked, call, once).await {
            Err(status) if status.code == 409 && !is_pinned => {}
            other => return other,
        }
        (pod, value) = asked.object(("", "pods"), &namespace, &name).await?;
    }
    let mut budget_name = Text::default();
    let mut is_uncounted = false;
    if let Some(budget) = budget_of(asked, &namespace, &value).await? {
        budget_name = budget.clone();
        is_uncounted = count(asked, call, &budget, &value, options.dry_run).await?;
    }
    if is_uncounted {
        options.resource_version = Some(pod.revision.to_string().into());
    }
    match delete(asked, call, options).await {
        // The pod may have become healthy meanwhile.
        Err(status) if status.code == 409 && is_uncounted && !is_pinned => {
            Err(behind(&budget_name))
        }
        other => other,
    }
}

/// Returns whether budgets count the pod: not before it runs and not after.
fn is_covered(pod: &Value) -> bool {
    let phase = pod.str_at(&["status", "phase"]).unwrap_or_default();
    !matches!(phase, "Succeeded" | "Failed" | "Pending") && !Meta::of(pod).is_leaving()
}

fn must_not_change(pod: &Value) -> bool {
    let phase = pod.str_at(&["status", "phase"]).unwrap_or_default();
    !matches!(phase, "Succeeded" | "Failed") && !Meta::of(pod).is_leaving()
}

/// Returns the name of the budget that covers a pod.
async fn budget_of(
    asked: &Asked<'_>,
    namespace: &str,
    pod: &Value,
) -> Result<Option<Text>, Status> {
    let resource = asked.find("policy", "poddisruptionbudgets")?;
    let view = resource.served.collection.view().await;
    let view = view.map_err(|error| faults::read(&error))?;
    let labels = pod.at(&["metadata", "labels"]);
    let mut found = Vec::new();
    for (place, budget) in &view.objects {
        let Some((_, name)) = place
            .split_once('/')
            .filter(|(within, _)| *within == namespace)
        else {
            continue;
        };
        let budget = render::parse(&budget.bytes)?;
        let selector = LabelSelector::from_value(budget.at(&["spec", "selector"]));
        if selector.is_ok_and(|selector| selector.matches_value(labels)) {
            found.push(Text::new(name));
        }
    }
    if found.len() > 1 {
        return Err(Status::new(
            500,
            Reason::Unknown,
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        ));
    }
    Ok(found.pop())
}

/// Lets the budget count the disruption, going round until it is written. Tells whether it does not
/// count.
async fn count(
    asked: &Asked<'_>,
    call: &mut Call,
    budget: &Text,
    pod: &Value,
    is_dry: bool,
) -> Result<bool, Status> {
    let resource = asked.find("policy", "poddisruptionbudgets")?;
    let place = place_of(&call.path.namespace, budget);
    let now = call.received;
    let mut own = own_call(asked, call, &resource, budget);
    let mut writer = Writer::new(asked.serving, &mut own, &resource, Door::Status);
    loop {
        let Some(old) = writer.current(&place).await? else {
            return Err(Status::not_found("policy", "poddisruptionbudgets", budget));
        };
        let object = match decide(&old.value, pod, now)? {
            Verdict::Uncounted => return Ok(true),
            Verdict::Counted(_) if is_dry => return Ok(false),
            Verdict::Counted(object) => object,
        };
        let approved = writer.approve_own(object, &old)?;
        match writer.commit(approved).await? {
            Done::Is(_) => return Ok(false),
            Done::Changed(_) => writer.in_time()?,
        }
    }
}

/// Decides whether a budget allows the pod to go. Pure.
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

/// Returns a call about another object, in the server's own name.
fn own_call(asked: &Asked<'_>, call: &Call, resource: &Resource, name: &Text) -> Call {
    let mut own = call.clone();
    own.user = std::sync::Arc::clone(&asked.serving.own_user);
    own.path.group_version = resource.version().group_version.clone();
    own.path.resource = Text::new(resource.plural());
    own.path.name = name.clone();
    own.path.subresource = Text::default();
    own
}

/// Says in the pod why it goes, and deletes it.
async fn delete(asked: &Asked<'_>, call: &mut Call, options: DeleteOptions) -> Result<(), Status> {
    let mut options = options;
    let resource = asked.find("", "pods")?;
    let place = place_of(&call.path.namespace, &call.path.name);
    let now = call.received;
    if !options.dry_run {
        let name = call.path.name.clone();
        let mut own = own_call(asked, call, &resource, &name);
        let mut writer = Writer::new(asked.serving, &mut own, &resource, Door::Status);
        loop {
            let Some(old) = writer.current(&place).await? else {
                return Err(Status::not_found("", "pods", &name));
            };
            check_preconditions(&options, &old.value, &old.stored.revision.to_string())?;
            let mut object = old.value.clone();
            say_why(&mut object, now);
            let approved = writer.approve_own(object, &old)?;
            match writer.commit(approved).await? {
                Done::Is(stored) => {
                    if options.resource_version.is_some() {
                        options.resource_version = Some(stored.revision.to_string().into());
                    }
                    break;
                }
                Done::Changed(_) => writer.in_time()?,
            }
        }
    }
    let mut writer = Writer::new(asked.serving, call, &resource, Door::Main);
    writer.delete(&options).await.map(drop)
}

fn check_preconditions(options: &DeleteOptions, pod: &Value, revision: &str) -> Result<(), Status> {
    let known = Meta::of(pod);
    let conflict = |why: String| Err(Status::conflict("", "Pod", known.name(), &why));
    if let Some(uid) = options.uid.as_ref().filter(|uid| *uid != known.uid()) {
        return conflict(format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            known.uid()
        ));
    }
    match options
        .resource_version
        .as_ref()
        .filter(|given| *given != revision)
    {
        Some(given) => conflict(format!(
            "the ResourceVersion in the precondition ({given}) does not match the ResourceVersion in record ({revision}). The object might have been modified"
        )),
        None => Ok(()),
    }
}

fn say_why(pod: &mut Value, now: WallTime) {
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

#[cfg(test)]
mod tests {
    use api::{Value, json};
    use base::WallTime;

    use super::{Verdict, decide};

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
}
