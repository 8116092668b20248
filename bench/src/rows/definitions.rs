//! What a CRD costs: CPU, memory, and time until it is served.

use std::time::{Duration, Instant};

use xtask::failure::Failure;

use super::{Row, pair, until};
use crate::Plan;
use crate::book::{Book, Sample, microseconds};
use crate::objects;
use crate::process::resident_bytes;
use crate::side::Side;

/// Rows of this group.
pub(super) const ROWS: [Row; 3] = [Row::CrdCpu, Row::CrdMemory, Row::CrdServed];

/// CRDs created on each side, one after the other.
const DEFINITIONS: usize = 200;

/// How long upstream's OpenAPI controllers are given to come to rest.
const SETTLE: Duration = Duration::from_secs(5);

/// Measures the rows of this group. One round with many CRDs: each CRD is a sample of its own.
pub(super) async fn measure(plan: &Plan, book: &mut Book) -> Result<(), Failure> {
    let count = plan.scaled(DEFINITIONS, 10);
    let sides = pair(plan).await?;
    for side in &sides {
        if let Err(error) = create_definitions(plan, side, count, book).await {
            book.note(format!("creating CRDs failed on {:?}: {error}", side.which));
        }
    }
    book.note(format!(
        "CRD figures are means over {count} CRDs created one after the other"
    ));
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
async fn create_definitions(
    plan: &Plan,
    side: &Side,
    count: usize,
    book: &mut Book,
) -> Result<(), Failure> {
    let memory_before = resident_bytes(&side.pids());
    let cpu_before = side.cpu();
    let mut served = Duration::ZERO;
    for number in 0..count {
        served += serve_one(side, &format!("kinds{number:04}")).await?;
    }
    tokio::time::sleep(SETTLE).await;
    let cpu = side.cpu().since(&cpu_before);
    let memory = resident_bytes(&side.pids()).saturating_sub(memory_before);
    let figures = [
        (Row::CrdCpu, microseconds(cpu)),
        (Row::CrdMemory, memory as f64),
        (Row::CrdServed, microseconds(served)),
    ];
    for (row, total) in figures {
        if plan.wants(&[row]) {
            let figure = total / count as f64;
            book.add(row, side.which, Sample { figure, wall: None });
        }
    }
    Ok(())
}

/// Creates a CRD and returns the time from the request to the first successful list.
async fn serve_one(side: &Side, plural: &str) -> Result<Duration, Failure> {
    let path = format!("/apis/{}/v1/namespaces/bench/{plural}", objects::GROUP);
    let started = Instant::now();
    side.client
        .create(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            &objects::definition(plural),
        )
        .await?;
    // A longer pause where more is expected: asking costs the asked side CPU, too.
    let pause = if super::is_upstream(side) { 10 } else { 1 };
    until(
        Duration::from_millis(pause),
        Duration::from_secs(60),
        "serving a CRD",
        async || Ok(side.client.get(&path).await?.status.is_success()),
    )
    .await?;
    Ok(started.elapsed())
}
