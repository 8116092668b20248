//! Kinds that extend the server: definitions, API services, webhooks and policies.

use schema::Cell;

use super::{Cells, Row, UNSET, text};

pub(super) fn of(kind: &str) -> Option<Cells> {
    Some(match kind {
        "APIService" => api_service,
        "CustomResourceDefinition" => definition,
        "MutatingAdmissionPolicy" => mutating_policy,
        "MutatingAdmissionPolicyBinding" => binding,
        "MutatingWebhookConfiguration" => webhooks,
        "ValidatingAdmissionPolicy" => validating_policy,
        "ValidatingAdmissionPolicyBinding" => binding,
        "ValidatingWebhookConfiguration" => webhooks,
        _ => return None,
    })
}

fn api_service(row: Row<'_>) -> Vec<Cell> {
    let service = row.at(&["spec", "service"]).map(|service| {
        let (namespace, name) = (service.text(&["namespace"]), service.text(&["name"]));
        format!("{namespace}/{name}")
    });
    let available = row.condition(&["status", "conditions"], "Available");
    let available = available.map(|condition| {
        let (status, reason) = (condition.text(&["status"]), condition.text(&["reason"]));
        match (status, reason) {
            ("True", _) | (_, "") => status.to_owned(),
            (status, reason) => format!("{status} ({reason})"),
        }
    });
    vec![
        row.name(),
        text(service.unwrap_or_else(|| "Local".to_owned())),
        text(available.unwrap_or_else(|| "Unknown".to_owned())),
        row.age(),
    ]
}

fn definition(row: Row<'_>) -> Vec<Cell> {
    let mut versions: Vec<String> = row
        .items(&["spec", "versions"])
        .filter(|version| version.flag(&["served"]) == Some(true))
        .map(|version| {
            let name = version.text(&["name"]);
            match version.flag(&["storage"]) {
                Some(true) => format!("{name}(storage)"),
                _ => name.to_owned(),
            }
        })
        .collect();
    versions.sort_unstable();
    let mut conditions = row.items(&["status", "conditions"]);
    let established = conditions.any(|condition| {
        condition.text(&["type"]) == "Established" && condition.text(&["status"]) == "True"
    });
    vec![
        row.name(),
        row.text(&["spec", "scope"]).into(),
        text(versions.join(",")),
        row.created(),
        row.text(&["spec", "group"]).into(),
        row.text(&["spec", "names", "kind"]).into(),
        text(row.texts(&["spec", "names", "shortNames"]).join(",")),
        established.into(),
    ]
}

fn webhooks(row: Row<'_>) -> Vec<Cell> {
    let webhooks = row.count(&["webhooks"]);
    vec![row.name(), webhooks.into(), row.age()]
}

fn mutating_policy(row: Row<'_>) -> Vec<Cell> {
    policy(row, "mutations")
}

fn validating_policy(row: Row<'_>) -> Vec<Cell> {
    policy(row, "validations")
}

fn policy(row: Row<'_>, rules: &str) -> Vec<Cell> {
    let kind = row.at(&["spec", "paramKind"]).map(|kind| {
        let (version, kind) = (kind.text(&["apiVersion"]), kind.text(&["kind"]));
        format!("{version}/{kind}")
    });
    vec![
        row.name(),
        row.count(&["spec", rules]).into(),
        text(kind.unwrap_or_else(|| UNSET.to_owned())),
        row.age(),
    ]
}

fn binding(row: Row<'_>) -> Vec<Cell> {
    let reference = row.at(&["spec", "paramRef"]);
    let reference = reference.and_then(|reference| {
        let (namespace, name) = (reference.text(&["namespace"]), reference.text(&["name"]));
        match (namespace, name) {
            (_, "") => reference.at(&["selector"]).map(selector_as_go),
            // Whether parameters have namespaces cannot be told from here.
            ("", name) => Some(format!("*/{name}")),
            (namespace, name) => Some(format!("{namespace}/{name}")),
        }
    });
    vec![
        row.name(),
        row.text(&["spec", "policyName"]).into(),
        text(reference.unwrap_or_else(|| UNSET.to_owned())),
        row.age(),
    ]
}

/// Returns a label selector the way Go's protobuf code prints the struct, which upstream shows.
fn selector_as_go(selector: Row<'_>) -> String {
    let labels: String = selector
        .pairs(&["matchLabels"])
        .iter()
        .map(|(name, value)| format!("{name}: {value},"))
        .collect();
    let expressions: String = selector
        .items(&["matchExpressions"])
        .map(|expression| {
            format!(
                "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{}],}},",
                expression.text(&["key"]),
                expression.text(&["operator"]),
                expression.texts(&["values"]).join(" "),
            )
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},\
         MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}
