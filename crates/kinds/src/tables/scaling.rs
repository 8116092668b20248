//! Autoscalers, whose two versions say the same in different fields.

use api::GroupVersion;
use schema::Cell;

use super::{Cells, NONE, Row, UNKNOWN, UNSET, text};
use crate::convert::autoscalers as convert;

/// How many metrics are shown.
const SHOWN: usize = 2;

pub(super) fn of(kind: &str) -> Option<Cells> {
    match kind {
        "HorizontalPodAutoscaler" => Some(autoscaler),
        _ => None,
    }
}

fn autoscaler(row: Row<'_>) -> Vec<Cell> {
    let (kind, name) = (
        row.text(&["spec", "scaleTargetRef", "kind"]),
        row.text(&["spec", "scaleTargetRef", "name"]),
    );
    let metrics = if row.occasion.group_version.version == "v1" {
        // Version 1 keeps most of its metrics in annotations.
        let mut second = row.object.clone();
        convert::convert(&mut second, &GroupVersion::new("autoscaling", "v2"));
        metrics(row.part(&second))
    } else {
        metrics(row)
    };
    let metrics = match metrics.len().checked_sub(SHOWN) {
        _ if metrics.is_empty() => NONE.to_owned(),
        None | Some(0) => metrics.join(", "),
        Some(more) => format!("{} + {more} more...", metrics[..SHOWN].join(", ")),
    };
    let least = row.at(&["spec", "minReplicas"]);
    let least = least.map(|least| least.int(&[]).to_string());
    vec![
        row.name(),
        text(format!("{kind}/{name}")),
        text(metrics),
        text(least.unwrap_or_else(|| UNSET.to_owned())),
        row.int(&["spec", "maxReplicas"]).into(),
        row.int(&["status", "currentReplicas"]).into(),
        row.age(),
    ]
}

fn metrics(row: Row<'_>) -> Vec<String> {
    let seen: Vec<Row<'_>> = row.items(&["status", "currentMetrics"]).collect();
    let wanted = row.items(&["spec", "metrics"]).enumerate();
    wanted
        .map(|(place, wanted)| metric(wanted, seen.get(place).copied()))
        .collect()
}

/// Returns `seen/wanted` of one metric.
fn metric(wanted: Row<'_>, seen: Option<Row<'_>>) -> String {
    let source = match wanted.text(&["type"]) {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return "<unknown type>".to_owned(),
    };
    let seen = seen.and_then(|seen| seen.at(&[source]));
    let target = |field: &str| quantity(wanted, &[source, "target", field]);
    let current = |field: &str| match seen {
        // Go prints a missing quantity so.
        Some(seen) => quantity(seen, &["current", field]).unwrap_or("<nil>".to_owned()),
        None => UNKNOWN.to_owned(),
    };
    let average = target("averageValue");
    if source == "pods" {
        let average = average.unwrap_or("<nil>".to_owned());
        return format!("{}/{average}", current("averageValue"));
    }
    if matches!(source, "external" | "object") {
        return match average {
            Some(average) => {
                let known = seen.and_then(|seen| quantity(seen, &["current", "averageValue"]));
                let known = known.unwrap_or_else(|| UNKNOWN.to_owned());
                format!("{known}/{average} (avg)")
            }
            None => {
                let value = target("value").unwrap_or("<nil>".to_owned());
                format!("{}/{value}", current("value"))
            }
        };
    }
    let name = wanted.text(&[source, "name"]);
    if let Some(average) = average {
        return format!("{name}: {}/{average}", current("averageValue"));
    }
    let percent = |part: Option<Row<'_>>| part.map(|part| format!("{}%", part.int(&[])));
    let used = percent(seen.and_then(|seen| seen.at(&["current", "averageUtilization"])));
    let used = used.unwrap_or_else(|| UNKNOWN.to_owned());
    let target = percent(wanted.at(&[source, "target", "averageUtilization"]));
    let target = target.unwrap_or_else(|| "<auto>".to_owned());
    format!("{name}: {used}/{target}")
}

fn quantity(row: Row<'_>, path: &[&str]) -> Option<String> {
    row.at(path).map(|found| found.text(&[]).to_owned())
}
