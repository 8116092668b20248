//! What controllers do: namespaces that go away, Deployments that come and go.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::StatusCode;
use xtask::failure::Failure;

use super::{Row, create_many, in_turn, make_namespace, per_operation, until};
use crate::Plan;
use crate::book::{Book, Sample, microseconds};
use crate::client::JSON;
use crate::objects;
use crate::side::Side;

/// Rows of this group.
pub(super) const ROWS: [Row; 5] = [
    Row::Namespace1,
    Row::Namespace100,
    Row::Namespace2000,
    Row::DeploymentUp,
    Row::DeploymentDown,
];

/// Pods of the Deployment.
const PODS: usize = 2_000;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Measures the rows of this group.
pub(super) async fn measure(plan: &Plan, sides: &mut [Side], book: &mut Book) {
    for side in &*sides {
        if let Err(error) = wait_for_controllers(side).await {
            book.note(format!(
                "the controllers of {:?} do nothing: {error}",
                side.which
            ));
        }
    }
    let namespaces = [
        (Row::Namespace1, 1),
        (Row::Namespace100, 100),
        (Row::Namespace2000, 2_000),
    ];
    for (row, count) in namespaces {
        let count = plan.scaled(count, 1);
        in_turn(plan, sides, book, row, async |side, round| {
            namespace_gone(side, &format!("going-{count}-{round}"), count).await
        })
        .await;
    }
    if plan.wants(&[Row::DeploymentUp, Row::DeploymentDown]) {
        let pods = plan.scaled(PODS, 50);
        for round in 0..plan.rounds {
            for which in plan.turn(round) {
                let Some(side) = sides.iter().find(|side| side.which == which) else {
                    continue;
                };
                match up_and_down(side, round, pods).await {
                    Ok((up, down)) => {
                        book.add(Row::DeploymentUp, which, up);
                        book.add(Row::DeploymentDown, which, down);
                    }
                    Err(error) => book.note(format!("the Deployment failed on {which:?}: {error}")),
                }
            }
        }
    }
}

/// The service account of a new namespace is the first thing that controllers make.
async fn wait_for_controllers(side: &Side) -> Result<(), Failure> {
    let namespace = serde_json::json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "controllers"},
    });
    side.client.create("/api/v1/namespaces", &namespace).await?;
    let path = "/api/v1/namespaces/controllers/serviceaccounts/default";
    let pause = Duration::from_millis(50);
    until(
        pause,
        Duration::from_secs(60),
        "the service account",
        async || Ok(side.client.get(path).await?.status.is_success()),
    )
    .await?;
    // kube-controller-manager starts its controllers one after the other.
    tokio::time::sleep(Duration::from_secs(5)).await;
    Ok(())
}

/// Fills a namespace, deletes it and returns the time until it is gone.
async fn namespace_gone(side: &Side, name: &str, count: usize) -> Result<Sample, Failure> {
    make_namespace(side, name).await?;
    create_many(side, &super::config_maps(name), count, |number| {
        objects::config_map(&format!("map-{number:06}"))
    })
    .await?;
    let path = format!("/api/v1/namespaces/{name}");
    let before = side.cpu();
    let started = std::time::Instant::now();
    side.client
        .call(Method::DELETE, &path, (JSON, JSON), Bytes::new())
        .await?
        .success("delete the namespace")?;
    let pause = if super::is_upstream(side) { 20 } else { 1 };
    until(
        Duration::from_millis(pause),
        PATIENCE,
        "the namespace to go",
        async || Ok(side.client.get(&path).await?.status == StatusCode::NOT_FOUND),
    )
    .await?;
    let figure = microseconds(started.elapsed());
    let cpu = side.cpu().since(&before);
    eprintln!("  ({:.1} ms CPU)", microseconds(cpu) / 1_000.0);
    Ok(Sample { figure, wall: None })
}

/// Scales a Deployment from 0 to `pods` and deletes it; returns both costs per pod.
async fn up_and_down(side: &Side, round: usize, pods: usize) -> Result<(Sample, Sample), Failure> {
    let name = format!("web-{round}");
    let collection = "/apis/apps/v1/namespaces/bench/deployments";
    let path = format!("{collection}/{name}");
    side.client
        .create(collection, &objects::deployment(&name))
        .await?;
    let pause = Duration::from_millis(if super::is_upstream(side) { 200 } else { 50 });
    let replicas = async |wanted: usize| {
        until(pause, PATIENCE, "the Deployment", async || {
            let seen = side.client.get(&path).await?.json();
            let caught_up = seen["status"]["observedGeneration"] == seen["metadata"]["generation"];
            Ok(caught_up && seen["status"]["replicas"].as_u64().unwrap_or(0) == wanted as u64)
        })
        .await
        .map(drop)
    };
    replicas(0).await?;
    let up = per_operation(side, pods, async {
        let patch = serde_json::json!({"spec": {"replicas": pods}}).to_string();
        let media = ("application/merge-patch+json", JSON);
        side.client
            .call(Method::PATCH, &path, media, Bytes::from(patch))
            .await?
            .success("scale")?;
        replicas(pods).await
    })
    .await?;
    // Let the last status updates and Events be written before the next figure begins.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let down = per_operation(side, pods, async {
        let options =
            r#"{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"}"#;
        side.client
            .call(Method::DELETE, &path, (JSON, JSON), Bytes::from(options))
            .await?
            .success("delete")?;
        let left = format!("/api/v1/namespaces/bench/pods?limit=1&labelSelector=app%3D{name}");
        until(pause, PATIENCE, "the pods to go", async || {
            let list = side.client.get(&left).await?.success("list")?.json();
            Ok(list["items"].as_array().is_none_or(Vec::is_empty))
        })
        .await
        .map(drop)
    })
    .await?;
    Ok((up, down))
}
