//! What is wrong with jobs, and with those that make jobs.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/batch/validation/validation.go and
//! pkg/registry/batch/job/strategy.go.

mod indexes;
mod policies;
mod schedule;
mod status;

use api::{
    Value,
    field::{Error, Path},
    names::validate,
    value,
};

use super::{
    Check, Findings, Place, Subject, changes, gostruct,
    labels::{self, SelectorRules},
    numbers::non_negative,
    pods, texts,
};

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    Some(match (kind, door) {
        ("Job", "") => job,
        ("Job", "status") => status::check,
        ("CronJob", "") => cron_job,
        _ => return None,
    })
}

const JOB_NAME: &str = "batch.kubernetes.io/job-name";
const CONTROLLER: &str = "batch.kubernetes.io/controller-uid";
const OLD_JOB_NAME: &str = "job-name";
const OLD_CONTROLLER: &str = "controller-uid";

/// How many pods of an indexed job may run at once.
const PARALLELISM_MAX: i64 = 100_000;
/// Above so many completions other numbers have lower bounds.
const COMPLETIONS_MANY: i64 = 100_000;
/// What those numbers may be at most.
const MANY_MAX: i64 = 10_000;
/// How long the name of the one who works on a job may be.
const MANAGER_LENGTH_MAX: usize = 63;
/// How long the name of a cron job may be: a time is added to it.
const CRON_NAME_LENGTH_MAX: usize = 52;

fn job(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    labels::finalizers(&root, found);
    let mut rules = SelectorRules::Strict;
    if subject.old.is_none() {
        generated_selector(&root, &spec, found);
    } else if labels::has_bad_value(&old_spec.child("selector")) {
        rules = SelectorRules::AnyValues;
    }
    job_spec(&spec, &old_spec, found);
    let selector = spec.child("selector");
    if selector.is_set() {
        labels::selector(&selector, rules, found);
    } else {
        found.required(&selector, "");
    }
    let template = spec.child("template");
    let metadata = template.child("metadata");
    let own = metadata.child("labels");
    if labels::parse(&selector).is_some_and(|parsed| !parsed.matches_value(own.value())) {
        pods::controllers::not_selected(&own, found);
    }
    if subject.old.is_some() {
        job_changes(&spec, &old, found);
    }
    names_of_pods(&root, &spec, found);
}

/// A selector that the server made selects the pods of this job only.
fn generated_selector(root: &Place<'_>, spec: &Place<'_>, found: &mut Findings) {
    let selector = spec.child("selector");
    if spec.flag_of("manualSelector") == Some(true) || !selector.is_set() {
        return;
    }
    let metadata = root.child("metadata");
    let (name, id) = (metadata.text_of("name"), metadata.text_of("uid"));
    if id.is_empty() {
        found.required(&metadata.child("uid"), "");
    }
    let template = spec.child("template");
    let metadata = template.child("metadata");
    let labels = metadata.child("labels");
    for (key, expected) in [
        (OLD_CONTROLLER, id),
        (OLD_JOB_NAME, name),
        (CONTROLLER, id),
        (JOB_NAME, name),
    ] {
        let label = labels.key(key);
        let why = format!("must be '{expected}'");
        match label.str() {
            None => found.required(&label, &why),
            Some(own) if own != expected => {
                found.push(Error::invalid(label.path(), &shown(&labels), why));
            }
            Some(_) => {}
        }
    }
    let expected = value!({
        CONTROLLER: (id),
        JOB_NAME: (name),
        OLD_CONTROLLER: (id),
        OLD_JOB_NAME: (name)
    });
    if labels::parse(&selector).is_some_and(|parsed| !parsed.matches_value(Some(&expected))) {
        found.invalid(&selector, "`selector` not auto-generated");
    }
}

fn shown(place: &Place<'_>) -> Value {
    place.value().cloned().unwrap_or(Value::Null)
}

/// The last pod of an indexed job has a name that a host may have.
fn names_of_pods(root: &Place<'_>, spec: &Place<'_>, found: &mut Findings) {
    let completions = spec.int_of("completions").unwrap_or(0);
    if spec.text_of("completionMode") != "Indexed" || completions <= 0 {
        return;
    }
    let metadata = root.child("metadata");
    let name = metadata.child("name");
    let last = format!("{}-{}", name.text(), completions - 1);
    if !validate::dns1123_label(&last).is_empty() {
        let why = format!("will not able to create pod with invalid DNS label: {last}");
        found.invalid_text(&name, why);
    }
}

/// Checks the spec of a job, be it of a job or of what makes jobs.
fn job_spec(spec: &Place<'_>, old_spec: &Place<'_>, found: &mut Findings) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        non_negative(&spec.child(field), found);
    }
    let (limit, failed) = (
        spec.child("backoffLimitPerIndex"),
        spec.child("maxFailedIndexes"),
    );
    if failed.is_set() && !limit.is_set() {
        found.required(&limit, "when maxFailedIndexes is specified");
    }
    let manager = spec.child("managedBy");
    if manager.is_set() {
        domain_path(&manager, found);
        texts::bytes_max(&manager, MANAGER_LENGTH_MAX, found);
    }
    let mode = spec.child("completionMode");
    texts::optional_choice(&mode, &["NonIndexed", "Indexed"], found);
    match mode.str() {
        Some("Indexed") => indexed(spec, found),
        None | Some("NonIndexed") => {
            for place in [&limit, &failed] {
                if place.is_set() {
                    found.invalid(place, "requires indexed completion mode");
                }
            }
        }
        Some(_) => {}
    }
    policies::of_failure(spec, found);
    policies::of_success(spec, found);
    policies::of_replacement(spec, found);
    let template = spec.child("template");
    pods::template(&template, &old_spec.child("template"), found);
    restart_policy(spec, &template, found);
}

fn restart_policy(spec: &Place<'_>, template: &Place<'_>, found: &mut Findings) {
    let pod = template.child("spec");
    let policy = pod.child("restartPolicy");
    match policy.text() {
        "" | "Always" => {
            found.required(&policy, r#"valid values: "OnFailure", "Never""#);
        }
        "Never" => {}
        "OnFailure" => {
            if spec.has("podFailurePolicy") {
                let why = r#"only "Never" is supported when podFailurePolicy is specified"#;
                found.invalid(&policy, why);
            }
        }
        _ => found.not_supported(&policy, &["OnFailure", "Never"]),
    }
}

/// What holds of the numbers of an indexed job.
fn indexed(spec: &Place<'_>, found: &mut Findings) {
    let (completions, parallelism, failed) = (
        spec.child("completions"),
        spec.child("parallelism"),
        spec.child("maxFailedIndexes"),
    );
    if !completions.is_set() {
        found.required(&completions, "when completion mode is Indexed");
    }
    let exceeds = |place: &Place<'_>, max: i64| place.int().is_some_and(|number| number > max);
    if exceeds(&parallelism, PARALLELISM_MAX) {
        let why = format!(
            "must be less than or equal to {PARALLELISM_MAX} when completion mode is Indexed"
        );
        found.invalid(&parallelism, why);
    }
    if completions.int().is_some_and(|all| exceeds(&failed, all)) {
        found.invalid(&failed, "must be less than or equal to completions");
    }
    if exceeds(&failed, PARALLELISM_MAX) {
        found.invalid(
            &failed,
            format!("must be less than or equal to {PARALLELISM_MAX}"),
        );
    }
    if !exceeds(&completions, COMPLETIONS_MANY) || !spec.has("backoffLimitPerIndex") {
        return;
    }
    if !failed.is_set() {
        let why = format!("must be specified when completions is above {COMPLETIONS_MANY}");
        found.required(&failed, &why);
    }
    for place in [&parallelism, &failed] {
        if exceeds(place, MANY_MAX) {
            let why = format!(
                "must be less than or equal to {MANY_MAX} when completions are above {COMPLETIONS_MANY} and used with backoff limit per index"
            );
            found.invalid(place, why);
        }
    }
}

/// Checks a name with a domain and a path: `example.com/name`.
fn domain_path(place: &Place<'_>, found: &mut Findings) {
    let text = place.text();
    if !texts::require(place, "", found) {
        return;
    }
    let (host, path) = match text.split_once('/') {
        Some((host, path)) if !host.is_empty() && !path.is_empty() => (host, path),
        _ => {
            let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            return found.invalid(place, why);
        }
    };
    for sentence in validate::dns1123_subdomain(host) {
        found.push(Error::invalid(place.path(), host, sentence));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
    if !path.bytes().all(allowed) {
        let rule = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+";
        let why = validate::regex_error("Invalid path", rule, &[]);
        found.push(Error::invalid(place.path(), path, why));
    }
}

/// What may not change of a job.
fn job_changes(spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let old_spec = old.child("spec");
    completions(spec, &old_spec, found);
    changes::immutable(&spec.child("selector"), &old_spec.child("selector"), found);
    template_changes(spec, old, found);
    for field in [
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ] {
        let place = spec.child(field);
        if !changes::same(place.value(), old_spec.get(field)) {
            found.push(Error::invalid(
                place.path(),
                policies::shown(field, &place),
                changes::IMMUTABLE,
            ));
        }
    }
}

fn completions(spec: &Place<'_>, old_spec: &Place<'_>, found: &mut Findings) {
    let (own, before) = (spec.child("completions"), old_spec.child("completions"));
    if spec.text_of("completionMode") != "Indexed" {
        changes::immutable(&own, &before, found);
        return;
    }
    if own.is_same(&before) || !own.is_set() {
        return;
    }
    if own.int() != spec.int_of("parallelism") {
        // The name is upstream's: that of the whole path's beginning.
        found.invalid(&own, "can only be modified in tandem with spec.parallelism");
    }
}

/// While a job is suspended and nothing of it runs, its pods may be changed a little.
fn template_changes(spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let (old_spec, status) = (old.child("spec"), old.child("status"));
    let is_suspended = old_spec.flag_of("suspend") == Some(true);
    let conditions = status.list_of("conditions");
    let is_idle = is_suspended
        && (!status.has("startTime") || status::is_true(conditions, "Suspended"))
        && status.int_of("active").unwrap_or(0) == 0;
    let template = spec.child("template");
    let before = old_spec.child("template");
    let (Some(own), Some(before)) = (template.value(), before.value()) else {
        return;
    };
    let (mut own, mut before) = (own.clone(), before.clone());
    if is_idle {
        for template in [&mut own, &mut before] {
            forget_scheduling(template);
        }
    }
    if is_suspended && is_idle {
        forget_resources(&mut own, &mut before);
        if own.get("spec") != before.get("spec") {
            let place = spec.child("template.spec");
            let shown = gostruct::of(template.get("spec"), "PodSpec");
            found.push(Error::invalid(place.path(), &shown, changes::IMMUTABLE));
        }
    } else if own != before {
        let shown = gostruct::of(template.value(), "PodTemplateSpec");
        found.push(Error::invalid(template.path(), &shown, changes::IMMUTABLE));
    }
}

/// Takes away what says where pods run.
fn forget_scheduling(template: &mut Value) {
    template.remove_at(&["spec", "affinity", "nodeAffinity"]);
    let affinity = template
        .at(&["spec", "affinity"])
        .and_then(Value::as_object);
    if affinity.is_some_and(api::Object::is_empty) {
        template.remove_at(&["spec", "affinity"]);
    }
    for field in ["nodeSelector", "tolerations", "schedulingGates"] {
        template.remove_at(&["spec", field]);
    }
    for field in ["annotations", "labels"] {
        template.remove_at(&["metadata", field]);
    }
    let metadata = template.get("metadata").and_then(Value::as_object);
    if metadata.is_some_and(api::Object::is_empty) {
        template.remove_at(&["metadata"]);
    }
}

/// Takes away the resources of containers that stand in the same places.
fn forget_resources(own: &mut Value, before: &mut Value) {
    for list in ["containers", "initContainers"] {
        let path = ["spec", list];
        let names = |template: &Value| -> Vec<String> {
            let list = template.at(&path).and_then(Value::as_array);
            let name = |one: &Value| one.str_at(&["name"]).unwrap_or_default().to_owned();
            list.unwrap_or_default().iter().map(name).collect()
        };
        let (own_names, names) = (names(own), names(before));
        if own_names.len() != names.len() {
            continue;
        }
        for template in [&mut *own, &mut *before] {
            let list = template.at_mut(&path).and_then(Value::as_array_mut);
            for (at, one) in list.into_iter().flatten().enumerate() {
                if own_names[at] == names[at] {
                    one.remove_at(&["resources"]);
                }
            }
        }
    }
}

fn cron_job(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    labels::finalizers(&root, found);
    let schedule = spec.child("schedule");
    if !schedule.text().is_empty() {
        let had_zone = old_spec.text_of("schedule").contains("TZ");
        schedule_format(&spec, &schedule, had_zone, found);
    }
    non_negative(&spec.child("startingDeadlineSeconds"), found);
    let zone = spec.child("timeZone");
    if subject.old.is_none() || !zone.is_same(&old_spec.child("timeZone")) {
        for why in zone.str().map(schedule::time_zone).unwrap_or_default() {
            found.invalid(&zone, why);
        }
    }
    let policies = ["Allow", "Forbid", "Replace"];
    texts::required_choice(&spec.child("concurrencyPolicy"), &policies, found);
    let (template, old_template) = (spec.child("jobTemplate"), old_spec.child("jobTemplate"));
    let job = template.child("spec");
    job_spec(&job, &old_template.child("spec"), found);
    let selector = job.child("selector");
    if selector.is_set() {
        found.invalid(&selector, "`selector` will be auto-generated");
    }
    let manual = job.child("manualSelector");
    if manual.is_true() {
        found.push(Error::not_supported(manual.path(), true, &["nil", "false"]));
    }
    non_negative(&spec.child("successfulJobsHistoryLimit"), found);
    non_negative(&spec.child("failedJobsHistoryLimit"), found);
    let metadata = root.child("metadata");
    let name = metadata.child("name");
    if subject.old.is_none() && name.text().len() > CRON_NAME_LENGTH_MAX {
        found.invalid(&name, "must be no more than 52 characters");
    }
    // This rule is declared upstream, and declared ones come last.
    texts::require(&schedule, "", found);
}

fn schedule_format(spec: &Place<'_>, place: &Place<'_>, had_zone: bool, found: &mut Findings) {
    let text = place.text();
    if let Err(why) = schedule::parse(text) {
        found.invalid(place, why);
    }
    if !text.contains("TZ") {
        return;
    }
    if !had_zone {
        let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        found.invalid(place, why);
    } else if spec.has("timeZone") {
        let why = "cannot use both timeZone field and TZ or CRON_TZ in schedule";
        found.invalid(place, why);
    }
}

/// Says that something is wrong with a field without showing it.
fn invalid_unseen(path: &Path<'_>, why: &str, found: &mut Findings) {
    found.push(Error::invalid(path, api::field::Shown::OMITTED, why));
}
