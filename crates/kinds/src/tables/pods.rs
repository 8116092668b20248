//! Pods: what their containers add up to.

use api::json::Part;
use schema::Cell;

use super::{NONE, Row, human::human, text, text_or};

/// The fields that [`pod`] looks at: a small part of what a pod is.
pub(crate) const PARTS: &[Part] = &[
    Part::of(
        "metadata",
        &[
            Part::whole("name"),
            Part::whole("creationTimestamp"),
            Part::whole("deletionTimestamp"),
        ],
    ),
    Part::of(
        "spec",
        &[
            Part::of(
                "initContainers",
                &[Part::whole("name"), Part::whole("restartPolicy")],
            ),
            // Only counted.
            Part::of("containers", &[Part::whole("name")]),
            Part::whole("nodeName"),
            Part::of("readinessGates", &[Part::whole("conditionType")]),
        ],
    ),
    Part::of(
        "status",
        &[
            Part::whole("phase"),
            Part::whole("reason"),
            Part::of("podIPs", &[Part::whole("ip")]),
            Part::whole("nominatedNodeName"),
            Part::of(
                "conditions",
                &[
                    Part::whole("type"),
                    Part::whole("status"),
                    Part::whole("reason"),
                ],
            ),
            Part::of("initContainerStatuses", STATUS_PARTS),
            Part::of("containerStatuses", STATUS_PARTS),
        ],
    ),
];

const STATUS_PARTS: &[Part] = &[
    Part::whole("name"),
    Part::whole("ready"),
    Part::whole("started"),
    Part::whole("restartCount"),
    Part::whole("state"),
    Part::whole("lastState"),
];

/// What a pod's containers add up to, gathered one by one.
struct Sum<'a> {
    reason: String,
    ready: usize,
    restarts: i64,
    /// When a container last ended before its present run, in microseconds.
    last_restart: Option<i64>,
    pod: Row<'a>,
}

/// Returns the cells of a pod.
pub(super) fn pod(row: Row<'_>) -> Vec<Cell> {
    let specified = row.items(&["spec", "initContainers"]);
    let sidecars: Vec<&str> = specified
        .filter(|container| container.text(&["restartPolicy"]) == "Always")
        .map(|container| container.text(&["name"]))
        .collect();
    let total = row.items(&["spec", "containers"]).len() + sidecars.len();
    let mut sum = Sum {
        reason: first_reason(row),
        ready: 0,
        restarts: 0,
        last_restart: None,
        pod: row,
    };
    let initializing = sum.init(&sidecars);
    if !initializing || has_condition(row, "Initialized") {
        sum.main(&sidecars);
    }
    let phase = row.text(&["status", "phase"]);
    if row.is_leaving() && row.text(&["status", "reason"]) == "NodeLost" {
        sum.reason = "Unknown".to_owned();
    } else if row.is_leaving() && !matches!(phase, "Failed" | "Succeeded") {
        sum.reason = "Terminating".to_owned();
    }
    let restarts = match sum.last_restart {
        Some(last) if sum.restarts != 0 => {
            let ago = human(row.occasion.now.micros - last);
            format!("{} ({ago} ago)", sum.restarts)
        }
        _ => sum.restarts.to_string(),
    };
    let address = row.items(&["status", "podIPs"]).next();
    vec![
        row.name(),
        text(format!("{}/{total}", sum.ready)),
        text(sum.reason),
        text(restarts),
        row.age(),
        text_or(address.map_or("", |address| address.text(&["ip"])), NONE),
        text_or(row.text(&["spec", "nodeName"]), NONE),
        text_or(row.text(&["status", "nominatedNodeName"]), NONE),
        text(gates(row)),
    ]
}

/// Returns the status before any container is looked at.
fn first_reason(row: Row<'_>) -> String {
    let gated = row.items(&["status", "conditions"]).any(|condition| {
        condition.text(&["type"]) == "PodScheduled"
            && condition.text(&["reason"]) == "SchedulingGated"
    });
    if gated {
        return "SchedulingGated".to_owned();
    }
    match row.text(&["status", "reason"]) {
        "" => row.text(&["status", "phase"]).to_owned(),
        reason => reason.to_owned(),
    }
}

fn has_condition(row: Row<'_>, kind: &str) -> bool {
    let condition = row.condition(&["status", "conditions"], kind);
    condition.is_some_and(|condition| condition.text(&["status"]) == "True")
}

/// Returns how many readiness gates are open.
fn gates(row: Row<'_>) -> String {
    let gates = row.items(&["spec", "readinessGates"]);
    let all = gates.len();
    if all == 0 {
        return NONE.to_owned();
    }
    let open = gates.filter(|gate| has_condition(row, gate.text(&["conditionType"])));
    format!("{}/{all}", open.count())
}

/// Returns why a container ended: its reason, or the signal or code it ended with.
fn ending(terminated: Row<'_>) -> String {
    let signal = terminated.int(&["signal"]);
    match terminated.text(&["reason"]) {
        "" if signal != 0 => format!("Signal:{signal}"),
        "" => format!("ExitCode:{}", terminated.int(&["exitCode"])),
        reason => reason.to_owned(),
    }
}

impl Sum<'_> {
    fn restarted(&mut self, container: Row<'_>) {
        self.restarts += container.int(&["restartCount"]);
        let ended = container.micros(&["lastState", "terminated", "finishedAt"]);
        self.last_restart = self.last_restart.max(ended);
    }

    /// Looks at the init containers in order, up to the one that is under way; tells whether
    /// there is one.
    fn init(&mut self, sidecars: &[&str]) -> bool {
        let all = self.pod.items(&["spec", "initContainers"]).len();
        let statuses = self.pod.items(&["status", "initContainerStatuses"]);
        for (place, container) in statuses.enumerate() {
            self.restarted(container);
            let terminated = container.at(&["state", "terminated"]);
            let waiting = container.text(&["state", "waiting", "reason"]);
            let is_sidecar = sidecars.contains(&container.text(&["name"]));
            match terminated {
                Some(terminated) if terminated.int(&["exitCode"]) == 0 => continue,
                _ if is_sidecar && container.flag(&["started"]) == Some(true) => {
                    self.ready += usize::from(container.flag(&["ready"]) == Some(true));
                    continue;
                }
                Some(terminated) => self.reason = format!("Init:{}", ending(terminated)),
                None if !matches!(waiting, "" | "PodInitializing") => {
                    self.reason = format!("Init:{waiting}");
                }
                None => self.reason = format!("Init:{place}/{all}"),
            }
            return true;
        }
        false
    }

    /// Looks at the containers proper, the first one last so that its reason wins. Of the init
    /// containers only sidecars still count.
    fn main(&mut self, sidecars: &[&str]) {
        (self.restarts, self.last_restart) = (0, None);
        let pod = self.pod;
        // Upstream counts sidecars only up to the init container that is under way.
        for container in pod.items(&["status", "initContainerStatuses"]) {
            let is_sidecar = sidecars.contains(&container.text(&["name"]));
            if is_sidecar {
                self.restarted(container);
            }
            let ended_well = container.at(&["state", "terminated"]);
            let ended_well = ended_well.is_some_and(|ended| ended.int(&["exitCode"]) == 0);
            let started = is_sidecar && container.flag(&["started"]) == Some(true);
            if !ended_well && !started {
                break;
            }
        }
        let (mut has_running, mut failure) = (false, None);
        for container in pod.items(&["status", "containerStatuses"]).rev() {
            self.restarted(container);
            let waiting = container.text(&["state", "waiting", "reason"]);
            if !waiting.is_empty() {
                self.reason = waiting.to_owned();
            } else if let Some(terminated) = container.at(&["state", "terminated"]) {
                self.reason = ending(terminated);
                if terminated.int(&["exitCode"]) != 0 {
                    failure = Some(self.reason.clone());
                }
            } else if container.flag(&["ready"]) == Some(true)
                && container.at(&["state", "running"]).is_some()
            {
                has_running = true;
                self.ready += 1;
            }
        }
        if self.reason != "Completed" {
            return;
        }
        // One container ended well, which says little about the others.
        let is_ready = pod.items(&["status", "conditions"]).any(|condition| {
            condition.text(&["type"]) == "Ready" && condition.text(&["status"]) == "True"
        });
        if has_running && is_ready {
            self.reason = "Running".to_owned();
        } else if let Some(failure) = failure {
            self.reason = failure;
        } else if has_running {
            self.reason = "NotReady".to_owned();
        }
    }
}
