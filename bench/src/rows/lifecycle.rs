//! Starting, being idle and stopping, each time with empty data.

use std::time::Duration;

use xtask::failure::Failure;

use super::Row;
use crate::Plan;
use crate::book::{Book, Sample, microseconds};
use crate::process::resident_bytes;
use crate::side::{Side, Which};

const ROWS: [Row; 3] = [Row::Start, Row::Stop, Row::MemoryIdle];

/// How long a side is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(5);

/// Measures the rows of this group, one side at a time.
pub(super) async fn measure(plan: &Plan, book: &mut Book) -> Result<(), Failure> {
    if !plan.wants(&ROWS) {
        return Ok(());
    }
    for round in 0..plan.rounds {
        for which in plan.turn(round) {
            if let Err(error) = live_and_die(plan, which, book).await {
                book.note(format!(
                    "starting and stopping failed on {which:?}: {error}"
                ));
            }
        }
    }
    Ok(())
}

async fn live_and_die(plan: &Plan, which: Which, book: &mut Book) -> Result<(), Failure> {
    let side = Side::start(which, &plan.programs).await?;
    let elapsed = |duration| Sample {
        figure: microseconds(duration),
        wall: None,
    };
    if plan.wants(&[Row::Start]) {
        book.add(Row::Start, which, elapsed(side.ready_after));
    }
    if plan.wants(&[Row::MemoryIdle]) {
        tokio::time::sleep(IDLE).await;
        #[allow(clippy::cast_precision_loss)]
        let figure = resident_bytes(&side.pids()) as f64;
        book.add(Row::MemoryIdle, which, Sample { figure, wall: None });
    }
    let stopped = side.stop()?;
    if plan.wants(&[Row::Stop]) {
        book.add(Row::Stop, which, elapsed(stopped));
    }
    Ok(())
}
