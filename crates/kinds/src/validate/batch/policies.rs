//! What is wrong with the rules of a job: when it has failed, when it is done, when a pod is
//! replaced.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/batch/validation/validation.go.

use api::{
    Value,
    field::{Error, Shown},
};

use super::{indexes, invalid_unseen};
use crate::validate::{Findings, Place, gostruct, numbers, texts};

/// How many rules a policy may have.
const RULES_MAX: usize = 20;
/// How many exit codes a rule may name.
const CODES_MAX: usize = 255;
/// How long a list of indexes may be.
const INDEXES_LENGTH_MAX: usize = 64 * 1024;

const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS: [&str; 2] = ["In", "NotIn"];
const STATUSES: [&str; 3] = ["False", "True", "Unknown"];

/// Returns a field of a job's spec as errors print it.
pub(super) fn shown(field: &str, place: &Place<'_>) -> Shown {
    match field {
        "podFailurePolicy" if place.is_set() => gostruct::shown(place, "PodFailurePolicy"),
        "successPolicy" if place.is_set() => gostruct::shown(place, "SuccessPolicy"),
        _ => place.shown(),
    }
}

/// Checks when a pod is replaced.
pub(super) fn of_replacement(spec: &Place<'_>, found: &mut Findings) {
    let place = spec.child("podReplacementPolicy");
    let policies: &[&str] = if spec.has("podFailurePolicy") {
        &["Failed"]
    } else {
        &["Failed", "TerminatingOrFailed"]
    };
    texts::optional_choice(&place, policies, found);
}

/// Checks what counts as a failure.
pub(super) fn of_failure(spec: &Place<'_>, found: &mut Findings) {
    let policy = spec.child("podFailurePolicy");
    let rules = policy.child("rules");
    if rules.len() > RULES_MAX {
        found.push(Error::too_many(rules.path(), rules.len(), RULES_MAX));
    }
    for rule in rules.items() {
        action(spec, &rule, found);
        let (codes, conditions) = (rule.child("onExitCodes"), rule.child("onPodConditions"));
        if codes.is_set() {
            exit_codes(spec, &codes, found);
        }
        pod_conditions(&conditions, found);
        let why = match (codes.is_set(), conditions.len() > 0) {
            (true, true) => "specifying both OnExitCodes and OnPodConditions is not supported",
            (false, false) => "specifying one of OnExitCodes and OnPodConditions is required",
            _ => continue,
        };
        invalid_unseen(rule.path(), why, found);
    }
}

/// Says that a choice must be made, and between what.
fn chosen(place: &Place<'_>, known: &[&str], found: &mut Findings) {
    if place.text().is_empty() {
        let known: Vec<String> = known.iter().map(|one| format!("{one:?}")).collect();
        let why = format!("valid values: [{}]", known.join(" "));
        found.required(place, &why);
    } else {
        texts::choice(place, known, found);
    }
}

fn action(spec: &Place<'_>, rule: &Place<'_>, found: &mut Findings) {
    let action = rule.child("action");
    chosen(&action, &ACTIONS, found);
    if action.text() == "FailIndex" && !spec.has("backoffLimitPerIndex") {
        found.invalid(&action, "requires the backoffLimitPerIndex to be set");
    }
}

fn exit_codes(spec: &Place<'_>, codes: &Place<'_>, found: &mut Findings) {
    let operator = codes.child("operator");
    chosen(&operator, &OPERATORS, found);
    let container = codes.child("containerName");
    if let Some(name) = container.str() {
        let template = spec.child("template");
        let pod = template.child("spec");
        let mut all = pod
            .list_of("containers")
            .iter()
            .chain(pod.list_of("initContainers"));
        if !all.any(|one| one.str_at(&["name"]) == Some(name)) {
            let why = "must be one of the container or initContainer names in the pod template";
            found.invalid(&container, why);
        }
    }
    let values = codes.child("values");
    if values.len() == 0 {
        found.invalid(&values, "at least one value is required");
    } else if values.len() > CODES_MAX {
        found.push(Error::too_many(values.path(), values.len(), CODES_MAX));
    }
    let list = values.list();
    let mut seen = std::collections::BTreeSet::new();
    for value in values.items() {
        let code = value.int().unwrap_or(0);
        if operator.text() == "In" && code == 0 {
            found.invalid(&value, "must not be 0 for the In operator");
        }
        if !seen.insert(code) {
            found.duplicate(&value);
        }
    }
    if !list.is_sorted_by_key(Value::as_int) {
        found.invalid(&values, "must be ordered");
    }
}

fn pod_conditions(list: &Place<'_>, found: &mut Findings) {
    if list.len() > RULES_MAX {
        found.push(Error::too_many(list.path(), list.len(), RULES_MAX));
    }
    for pattern in list.items() {
        texts::qualified(&pattern.child("type"), found);
        chosen(&pattern.child("status"), &STATUSES, found);
    }
}

/// Checks when a job is done before all of its pods are.
pub(super) fn of_success(spec: &Place<'_>, found: &mut Findings) {
    let policy = spec.child("successPolicy");
    if !policy.is_set() {
        return;
    }
    if spec.text_of("completionMode") != "Indexed" {
        let shown = gostruct::shown(&policy, "SuccessPolicy");
        let why = "requires indexed completion mode";
        return found.push(Error::invalid(policy.path(), shown, why));
    }
    let rules = policy.child("rules");
    if rules.len() == 0 {
        let why = "at least one rules must be specified when the successPolicy is specified";
        found.required(&rules, why);
    }
    if rules.len() > RULES_MAX {
        found.push(Error::too_many(rules.path(), rules.len(), RULES_MAX));
    }
    // Upstream breaks down over rules of a job that does not say its completions.
    let completions = spec.int_of("completions").unwrap_or(0);
    for rule in rules.items() {
        success_rule(&rule, completions, found);
    }
}

fn success_rule(rule: &Place<'_>, completions: i64, found: &mut Findings) {
    let (indexes, count) = (rule.child("succeededIndexes"), rule.child("succeededCount"));
    if !indexes.is_set() && !count.is_set() {
        let why = "at least one of succeededCount or succeededIndexes must be specified";
        found.required(rule, why);
    }
    let mut total = 0;
    if let Some(text) = indexes.str() {
        texts::bytes_max(&indexes, INDEXES_LENGTH_MAX, found);
        match indexes::parse(text, completions) {
            Ok(counted) => total = counted,
            Err(why) => found.invalid(&indexes, format!("error parsing succeededIndexes: {why}")),
        }
    }
    let Some(number) = count.int() else {
        return;
    };
    numbers::non_negative(&count, found);
    if number > completions {
        let why = format!(
            "must be less than or equal to {completions} (the number of specified completions)"
        );
        found.invalid(&count, why);
    }
    if indexes.is_set() && number > total {
        let why = format!(
            "must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        );
        found.invalid(&count, why);
    }
}
