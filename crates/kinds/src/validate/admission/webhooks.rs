//! Webhook configurations.

use api::{Value, names::validate as names};

use super::{
    FAILURE_POLICIES, Findings, MATCH_POLICIES, Place, REINVOCATION_POLICIES, SelectorRules,
    Subject, match_conditions, rule, selector, static_name,
};
use crate::validate::{changes::same, labels, texts};

const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const NO_SIDE_EFFECTS: [&str; 2] = ["None", "NoneOnDryRun"];
const SIDE_EFFECTS: [&str; 4] = ["None", "NoneOnDryRun", "Some", "Unknown"];

/// What hooks may do because those that are stored did.
struct Tolerance {
    /// Match conditions did not change.
    kept_conditions: bool,
    side_effects: bool,
    unknown_reviews: bool,
    same_names: bool,
    selectors: SelectorRules,
}

impl Tolerance {
    fn of(hooks: &Place<'_>, old: Option<&Place<'_>>) -> Self {
        let Some(old) = old else {
            return Self {
                kept_conditions: false,
                side_effects: false,
                unknown_reviews: false,
                same_names: false,
                selectors: SelectorRules::Strict,
            };
        };
        let conditions = |hook: &Value| hook.get("matchConditions").cloned();
        let mut pairs = hooks.list().iter().zip(old.list());
        let text = |hook: &Value, field| hook.str_at(&[field]).unwrap_or_default().to_owned();
        let accepts = |hook: &Value| {
            let versions = hook
                .get("admissionReviewVersions")
                .and_then(Value::as_array);
            let versions = versions.unwrap_or_default();
            versions.is_empty()
                || versions
                    .iter()
                    .any(|one| REVIEW_VERSIONS.contains(&one.as_str().unwrap_or_default()))
        };
        let all = old.list();
        Self {
            kept_conditions: hooks.len() == old.len()
                && pairs.all(|(a, b)| same(conditions(a).as_ref(), conditions(b).as_ref())),
            side_effects: all
                .iter()
                .any(|hook| !NO_SIDE_EFFECTS.contains(&text(hook, "sideEffects").as_str())),
            unknown_reviews: !all.iter().all(accepts),
            same_names: all.iter().enumerate().any(|(index, hook)| {
                let mut earlier = all[..index].iter();
                earlier.any(|one| text(one, "name") == text(hook, "name"))
            }),
            selectors: if old.items().any(|hook| has_bad_selector(&hook)) {
                SelectorRules::AnyValues
            } else {
                SelectorRules::Strict
            },
        }
    }
}

fn has_bad_selector(hook: &Place<'_>) -> bool {
    ["namespaceSelector", "objectSelector"].iter().any(|field| {
        let mut found = Findings::default();
        labels::selector(&hook.child(field), SelectorRules::Strict, &mut found);
        !found.is_empty()
    })
}

pub(super) fn configuration(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (hooks, old_hooks) = (root.child("webhooks"), old.child("webhooks"));
    let tolerance = Tolerance::of(&hooks, subject.old.map(|_| &old_hooks));
    for (index, hook) in hooks.items().enumerate() {
        self::hook(&hook, &tolerance, found);
        review_versions(&hook.child("admissionReviewVersions"), &tolerance, found);
        let name = hook.child("name");
        let mut earlier = hooks.list()[..index].iter();
        if !tolerance.same_names
            && !name.text().is_empty()
            && earlier.any(|one| one.str_at(&["name"]) == name.str())
        {
            found.duplicate(&name);
        }
    }
    static_name(subject, found);
}

fn hook(hook: &Place<'_>, tolerance: &Tolerance, found: &mut Findings) {
    qualified_name(&hook.child("name"), found);
    for rule in hook.child("rules").items() {
        self::rule(&rule, found);
    }
    texts::optional_choice(&hook.child("failurePolicy"), &FAILURE_POLICIES, found);
    texts::optional_choice(&hook.child("matchPolicy"), &MATCH_POLICIES, found);
    let effects = hook.child("sideEffects");
    let allowed: &[&str] = if tolerance.side_effects {
        &SIDE_EFFECTS
    } else {
        &NO_SIDE_EFFECTS
    };
    if !effects.is_set() {
        let detail = format!("must specify one of {}", allowed.join(", "));
        found.required(&effects, &detail);
    }
    texts::optional_choice(&effects, allowed, found);
    let timeout = hook.child("timeoutSeconds");
    if timeout
        .int()
        .is_some_and(|seconds| !(1..=30).contains(&seconds))
    {
        let detail = "the timeout value must be between 1 and 30 seconds";
        found.invalid(&timeout, detail);
    }
    for field in ["namespaceSelector", "objectSelector"] {
        selector(&hook.child(field), tolerance.selectors, found);
    }
    let again = hook.child("reinvocationPolicy");
    texts::optional_choice(&again, &REINVOCATION_POLICIES, found);
    client(&hook.child("clientConfig"), found);
    if !tolerance.kept_conditions {
        match_conditions(&hook.child("matchConditions"), found);
    }
}

/// A name of at least three labels.
fn qualified_name(place: &Place<'_>, found: &mut Findings) {
    if !texts::require(place, "", found) {
        return;
    }
    let details = names::dns1123_subdomain(place.text());
    if !details.is_empty() {
        found.invalid(place, details.join(","));
    } else if place.text().split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        found.invalid(place, detail);
    }
}

fn review_versions(list: &Place<'_>, tolerance: &Tolerance, found: &mut Findings) {
    let known = REVIEW_VERSIONS.join(", ");
    if list.len() == 0 {
        found.required(list, &format!("must specify one of {known}"));
        return;
    }
    let mut is_accepted = false;
    for (index, version) in list.items().enumerate() {
        if list.list()[..index].contains(&list.list()[index]) {
            found.invalid(&version, "duplicate version");
            continue;
        }
        texts::fits(&version, names::dns1035_label, found);
        is_accepted |= REVIEW_VERSIONS.contains(&version.text());
    }
    if !is_accepted && !tolerance.unknown_reviews {
        found.invalid(list, format!("must include at least one of {known}"));
    }
}

fn client(client: &Place<'_>, found: &mut Findings) {
    let nothing = Value::object();
    let value = client.value().unwrap_or(&nothing);
    for error in schema::webhook_client(value, client.path()) {
        found.push(error);
    }
}
