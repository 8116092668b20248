//! Workloads: the groups `apps` and `batch`.

use api::selector::LabelSelector;
use schema::Cell;

use super::{
    Cells, NONE, Row, UNSET,
    human::{containers, human, labels, selector},
    text, text_or,
};

/// Where the containers of a template lie.
const CONTAINERS: [&str; 4] = ["spec", "template", "spec", "containers"];

pub(super) fn of(kind: &str) -> Option<Cells> {
    Some(match kind {
        "ControllerRevision" => revision,
        "CronJob" => cron_job,
        "DaemonSet" => daemon_set,
        "Deployment" => deployment,
        "Job" => job,
        "ReplicaSet" => replica_set,
        "StatefulSet" => stateful_set,
        _ => return None,
    })
}

fn revision(row: Row<'_>) -> Vec<Cell> {
    let mut owners = row.items(&["metadata", "ownerReferences"]);
    let owner = owners.find(|owner| owner.flag(&["controller"]) == Some(true));
    let owner = owner.map_or_else(
        || NONE.to_owned(),
        |owner| {
            let kind = owner.text(&["kind"]);
            let name = owner.text(&["name"]);
            let kind = match owner.text(&["apiVersion"]).split_once('/') {
                Some((group, _)) => format!("{kind}.{group}"),
                None => kind.to_owned(),
            };
            format!("{}/{name}", kind.to_lowercase())
        },
    );
    let number = row.int(&["revision"]);
    vec![row.name(), text(owner), number.into(), row.age()]
}

fn cron_job(row: Row<'_>) -> Vec<Cell> {
    let job = ["spec", "jobTemplate", "spec"];
    let inside = |path: &[&'static str]| [&job[..], path].concat();
    let (names, images) = containers(row, &inside(&["template", "spec", "containers"]));
    let suspend = match row.flag(&["spec", "suspend"]) {
        None => UNSET,
        Some(true) => "True",
        Some(false) => "False",
    };
    let last = match row.at(&["status", "lastScheduleTime"]) {
        Some(last) => last.since(&[]),
        None => NONE.to_owned(),
    };
    vec![
        row.name(),
        row.text(&["spec", "schedule"]).into(),
        text_or(row.text(&["spec", "timeZone"]), NONE),
        suspend.into(),
        row.count(&["status", "active"]).into(),
        text(last),
        row.age(),
        text(names),
        text(images),
        text(selector(row, &inside(&["selector"]))),
    ]
}

fn daemon_set(row: Row<'_>) -> Vec<Cell> {
    let (names, images) = containers(row, &CONTAINERS);
    let nodes = row.pairs(&["spec", "template", "spec", "nodeSelector"]);
    vec![
        row.name(),
        row.int(&["status", "desiredNumberScheduled"]).into(),
        row.int(&["status", "currentNumberScheduled"]).into(),
        row.int(&["status", "numberReady"]).into(),
        row.int(&["status", "updatedNumberScheduled"]).into(),
        row.int(&["status", "numberAvailable"]).into(),
        text(labels(&nodes)),
        row.age(),
        text(names),
        text(images),
        text(selector(row, &["spec", "selector"])),
    ]
}

fn ready(row: Row<'_>) -> Cell {
    let ready = row.int(&["status", "readyReplicas"]);
    text(format!("{ready}/{}", row.int(&["spec", "replicas"])))
}

fn deployment(row: Row<'_>) -> Vec<Cell> {
    let (names, images) = containers(row, &CONTAINERS);
    let selector = LabelSelector::from_value(row.object.at(&["spec", "selector"]));
    let selector = selector.map_or_else(|_| "<invalid>".to_owned(), |known| known.to_string());
    vec![
        row.name(),
        ready(row),
        row.int(&["status", "updatedReplicas"]).into(),
        row.int(&["status", "availableReplicas"]).into(),
        row.age(),
        text(names),
        text(images),
        text(selector),
    ]
}

fn replica_set(row: Row<'_>) -> Vec<Cell> {
    let (names, images) = containers(row, &CONTAINERS);
    vec![
        row.name(),
        row.int(&["spec", "replicas"]).into(),
        row.int(&["status", "replicas"]).into(),
        row.int(&["status", "readyReplicas"]).into(),
        row.age(),
        text(names),
        text(images),
        text(selector(row, &["spec", "selector"])),
    ]
}

fn stateful_set(row: Row<'_>) -> Vec<Cell> {
    let (names, images) = containers(row, &CONTAINERS);
    vec![row.name(), ready(row), row.age(), text(names), text(images)]
}

fn job(row: Row<'_>) -> Vec<Cell> {
    let succeeded = row.int(&["status", "succeeded"]);
    let completions = match row.at(&["spec", "completions"]) {
        Some(wanted) => format!("{succeeded}/{}", wanted.int(&[])),
        None => match row.int(&["spec", "parallelism"]) {
            parallel @ 2.. => format!("{succeeded}/1 of {parallel}"),
            _ => format!("{succeeded}/1"),
        },
    };
    let started = row.micros(&["status", "startTime"]);
    let ended = row.micros(&["status", "completionTime"]);
    let duration = started.map(|started| human(ended.unwrap_or(row.occasion.now.micros) - started));
    let (names, images) = containers(row, &CONTAINERS);
    vec![
        row.name(),
        job_status(row).into(),
        text(completions),
        text(duration.unwrap_or_default()),
        row.age(),
        text(names),
        text(images),
        text(selector(row, &["spec", "selector"])),
    ]
}

/// Returns the first of the states that holds; later ones are only passed through.
fn job_status(row: Row<'_>) -> &'static str {
    let holds = |kind: &str| {
        let condition = row.condition(&["status", "conditions"], kind);
        condition.is_some_and(|condition| condition.text(&["status"]) == "True")
    };
    let first = ["Complete", "Failed"].into_iter().find(|kind| holds(kind));
    match first {
        Some(kind) => kind,
        None if row.is_leaving() => "Terminating",
        None if holds("Suspended") => "Suspended",
        None if holds("FailureTarget") => "FailureTarget",
        None if holds("SuccessCriteriaMet") => "SuccessCriteriaMet",
        None => "Running",
    }
}
