//! Many CRDs on one server: memory, what changing one of them costs, and OpenAPI of them all.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use xtask::failure::Failure;

use super::{Row, create_many, per_operation, until};
use crate::Plan;
use crate::book::{Book, Sample, microseconds};
use crate::client::JSON;
use crate::objects;
use crate::process::resident_bytes;
use crate::side::{Side, Which};

/// Rows of this group.
pub(super) const ROWS: [Row; 4] = [
    Row::CrdMany,
    Row::CrdChange,
    Row::OpenApi,
    Row::OpenApiMemory,
];

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// CRDs of the first two rows. Upstream would need about 30 GB for them.
const MANY: usize = 5_000;

/// How many of them are changed.
const CHANGES: usize = 50;

/// CRDs of the rows about OpenAPI.
const PUBLISHED: usize = 500;

/// How long OpenAPI rests until it is forgotten, and a little more.
const IDLE: Duration = Duration::from_secs(40);

/// How long upstream may take to publish.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(240);

/// Measures the rows of this group, once on each side: the CRDs are the samples.
pub(super) async fn measure(plan: &Plan, book: &mut Book) -> Result<(), Failure> {
    if plan.wants(&[Row::CrdMany, Row::CrdChange]) {
        if plan.sides.contains(&Which::Upstream) {
            book.note("5,000 CRDs: not run on upstream, which needs about 6 MB for each");
        }
        if plan.sides.contains(&Which::Pintle) {
            let side = Side::start(Which::Pintle, &plan.programs).await?;
            if let Err(error) = many(plan, &side, book).await {
                book.note(format!("many CRDs failed: {error}"));
            }
            side.stop()?;
        }
    }
    if plan.wants(&[Row::OpenApi, Row::OpenApiMemory]) {
        for which in plan.turn(0) {
            let side = Side::start(which, &plan.programs).await?;
            if let Err(error) = published(plan, &side, book).await {
                book.note(format!("OpenAPI failed on {which:?}: {error}"));
            }
            side.stop()?;
        }
    }
    Ok(())
}

fn plural(number: usize) -> String {
    format!("kinds{number:05}")
}

#[allow(clippy::cast_precision_loss)]
async fn many(plan: &Plan, side: &Side, book: &mut Book) -> Result<(), Failure> {
    let count = plan.scaled(MANY, 100);
    let started = Instant::now();
    let before = side.cpu();
    create_many(side, DEFINITIONS, count, |number| {
        objects::definition(&plural(number))
    })
    .await?;
    let each = microseconds(side.cpu().since(&before)) / count as f64;
    let wall = started.elapsed().as_secs_f64();
    let last = format!("/apis/{}/v1/{}", objects::GROUP, plural(count - 1));
    side.client.get(&last).await?.success(&last)?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let figure = resident_bytes(&side.pids()) as f64;
    book.note(format!(
        "{count} CRDs were created in {wall:.1} s at {each:.0} µs of CPU each; the memory is all that the process has"
    ));
    if plan.wants(&[Row::CrdMany]) {
        let sample = Sample { figure, wall: None };
        book.add(Row::CrdMany, side.which, sample);
    }
    if !plan.wants(&[Row::CrdChange]) {
        return Ok(());
    }
    let changes = CHANGES.min(count);
    let change = async {
        for number in 0..changes {
            let path = format!("{DEFINITIONS}/{}.{}", plural(number), objects::GROUP);
            let patch = Bytes::from_static(
                br#"[{"op":"add","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/one-more","value":{"type":"string"}}]"#,
            );
            let media = ("application/json-patch+json", JSON);
            let changed = side.client.call(Method::PATCH, &path, media, patch).await?;
            changed.success(&path)?;
        }
        // What controllers do about it is part of the cost.
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    };
    let mut sample = per_operation(side, changes, change).await?;
    sample.wall = None;
    book.add(Row::CrdChange, side.which, sample);
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
async fn published(plan: &Plan, side: &Side, book: &mut Book) -> Result<(), Failure> {
    let count = plan.scaled(PUBLISHED, 10);
    create_many(side, DEFINITIONS, count, |number| {
        objects::definition(&plural(number))
    })
    .await?;
    let started = Instant::now();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = resident_bytes(&side.pids());
    let waited = started.elapsed();
    let last = format!("Kind{}", plural(count - 1));
    let pause = if super::is_upstream(side) { 500 } else { 10 };
    let path = "/openapi/v2";
    until(
        Duration::from_millis(pause),
        PUBLISH_TIMEOUT,
        "publishing OpenAPI",
        async || {
            let answer = side.client.get(path).await?.success(path)?;
            let shown = answer
                .body
                .windows(last.len())
                .any(|part| part == last.as_bytes());
            Ok(shown)
        },
    )
    .await?;
    let took = started.elapsed().saturating_sub(waited);
    if plan.wants(&[Row::OpenApi]) {
        let figure = microseconds(took);
        let sample = Sample { figure, wall: None };
        book.add(Row::OpenApi, side.which, sample);
    }
    if plan.wants(&[Row::OpenApiMemory]) && !super::is_upstream(side) {
        let most = resident_bytes(&side.pids()).saturating_sub(before);
        tokio::time::sleep(IDLE).await;
        let rest = resident_bytes(&side.pids()).saturating_sub(before);
        book.note(format!(
            "OpenAPI of {count} CRDs takes {:.0} MB right after it was asked for",
            most as f64 / 1e6
        ));
        let figure = rest as f64;
        let sample = Sample { figure, wall: None };
        book.add(Row::OpenApiMemory, side.which, sample);
    }
    Ok(())
}
