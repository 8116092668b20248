//! Decides what a Site is missing. Pure: tested as a table.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};

use crate::site::{Site, SiteStatus};

/// Key of the page in the ConfigMap.
pub const PAGE: &str = "index.html";

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write the ConfigMap as it is to be.
    WritePage,
    /// Write the Deployment as it is to be.
    WriteServers,
    /// Write this into the status.
    WriteStatus(SiteStatus),
}

/// Returns the steps that bring the world closer to the Site. The same input gives the same plan.
#[must_use]
pub fn plan(site: &Site, page: Option<&ConfigMap>, servers: Option<&Deployment>) -> Vec<Step> {
    let mut steps = Vec::new();
    // What leaves is left to the garbage collector.
    if site.metadata.deletion_timestamp.is_some() {
        return steps;
    }
    let held = page.and_then(|page| page.data.as_ref()?.get(PAGE));
    if held != Some(&site.spec.page) {
        steps.push(Step::WritePage);
    }
    let wanted = servers.and_then(|servers| servers.spec.replicas);
    if wanted != Some(site.spec.replicas) {
        steps.push(Step::WriteServers);
    }
    let ready = servers.and_then(|servers| servers.status.as_ref()?.ready_replicas);
    let status = SiteStatus {
        ready_replicas: ready.unwrap_or(0),
    };
    if site.status.as_ref() != Some(&status) {
        steps.push(Step::WriteStatus(status));
    }
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Step, plan};
    use crate::site::SiteStatus;

    /// A Site of 2 with the page `p`; `page`, `wanted` and `ready` are what is there.
    #[track_caller]
    fn check(
        leaving: bool,
        (page, wanted, ready): (Option<&str>, Option<i32>, i32),
        status: Value,
        expected: &[Step],
    ) {
        let site = serde_json::from_value(json!({
            "metadata": {"name": "s", "deletionTimestamp": leaving.then_some("2026-01-01T00:00:00Z")},
            "spec": {"page": "p", "replicas": 2}, "status": status}))
        .unwrap();
        let page =
            page.map(|page| serde_json::from_value(json!({"data": {"index.html": page}})).unwrap());
        let servers = wanted.map(|wanted| {
            serde_json::from_value(
                json!({"spec": {"replicas": wanted, "selector": {}, "template": {}},
                                          "status": {"readyReplicas": ready}}),
            )
            .unwrap()
        });
        assert_eq!(plan(&site, page.as_ref(), servers.as_ref()), expected);
    }

    fn ready(ready_replicas: i32) -> Step {
        Step::WriteStatus(SiteStatus { ready_replicas })
    }

    #[test]
    fn everything_is_missing_at_first() {
        check(
            false,
            (None, None, 0),
            Value::Null,
            &[Step::WritePage, Step::WriteServers, ready(0)],
        );
    }

    #[test]
    fn writes_only_what_differs() {
        check(
            false,
            (Some("p"), Some(2), 1),
            json!({"readyReplicas": 1}),
            &[],
        );
        check(
            false,
            (Some("old"), Some(2), 1),
            json!({"readyReplicas": 1}),
            &[Step::WritePage],
        );
        check(
            false,
            (Some("p"), Some(1), 1),
            json!({"readyReplicas": 1}),
            &[Step::WriteServers],
        );
        check(
            false,
            (Some("p"), Some(2), 2),
            json!({"readyReplicas": 1}),
            &[ready(2)],
        );
    }

    #[test]
    fn leaves_alone_what_leaves() {
        check(true, (None, None, 0), Value::Null, &[]);
    }
}
