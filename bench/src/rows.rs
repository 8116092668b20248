//! The rows of the table, and the order in which they are measured.

mod applies;
mod controllers;
mod crowds;
mod definitions;
mod lifecycle;
mod lists;
mod requests;
mod watches;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use xtask::failure::Failure;

use crate::Plan;
use crate::book::{Book, Sample, microseconds};
use crate::client::JSON;
use crate::objects;
use crate::side::{Side, Which};

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Row {
    Get,
    CreateConfigMap,
    CreatePod,
    CreatePodProtobuf,
    CreateCustomResource,
    CreateRuledResource,
    Apply,
    ApplySame,
    ListJson,
    ListProtobuf,
    ListTable,
    Page,
    ListSelector,
    Watch,
    Start,
    Stop,
    MemoryIdle,
    MemoryPod,
    CrdCpu,
    CrdMemory,
    CrdServed,
    CrdMany,
    CrdChange,
    OpenApi,
    OpenApiMemory,
    Namespace1,
    Namespace100,
    Namespace2000,
    DeploymentUp,
    DeploymentDown,
}

/// What a figure is counted in.
#[derive(Clone, Copy)]
enum Unit {
    /// CPU time in microseconds.
    Cpu,
    /// Elapsed time in microseconds.
    Elapsed,
    /// Bytes.
    Memory,
}

/// What a row is to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// At most upstream's figure divided by this.
    Share(f64),
    /// At most this, in the row's unit.
    AtMost(f64),
}

/// Milliseconds and mebibytes in the units of rows.
const MS: f64 = 1_000.0;
const MB: f64 = 1_000_000.0;

impl Row {
    /// Returns every row in the order of the table.
    pub(crate) fn all() -> Vec<Self> {
        <Self as clap::ValueEnum>::value_variants().to_vec()
    }

    /// Returns the word that selects it.
    pub(crate) fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self)
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Title, unit, goal of this issue and ambition: the table of the issue.
    fn facts(self) -> (&'static str, Unit, Goal, Goal) {
        use Goal::{AtMost, Share};
        use Unit::{Cpu, Elapsed, Memory};
        match self {
            Self::Get => ("GET one object", Cpu, Share(8.0), Share(20.0)),
            Self::CreateConfigMap => ("create a 1 KB ConfigMap", Cpu, Share(8.0), Share(20.0)),
            Self::CreatePod => ("create a 2.4 KB pod", Cpu, Share(8.0), Share(20.0)),
            Self::CreatePodProtobuf => {
                ("create that pod as protobuf", Cpu, Share(8.0), Share(20.0))
            }
            Self::CreateCustomResource => {
                ("create a custom resource", Cpu, Share(8.0), Share(20.0))
            }
            Self::CreateRuledResource => (
                "create a custom resource with CEL rules",
                Cpu,
                Share(8.0),
                Share(20.0),
            ),
            Self::Apply => ("apply that changes a field", Cpu, Share(8.0), Share(15.0)),
            Self::ApplySame => ("apply that changes nothing", Cpu, Share(8.0), Share(15.0)),
            Self::ListJson => ("LIST 10,000 pods as JSON", Cpu, Share(6.0), Share(10.0)),
            Self::ListProtobuf => ("LIST 10,000 pods as protobuf", Cpu, Share(3.0), Share(8.0)),
            Self::ListTable => ("LIST 10,000 pods as Table", Cpu, Share(3.0), Share(8.0)),
            Self::Page => ("one page of 500 pods", Cpu, Share(6.0), Share(10.0)),
            Self::ListSelector => ("list by label, 1 % of 10,000", Cpu, Share(5.0), Share(30.0)),
            Self::Watch => ("watch event, 1,000 watchers", Cpu, Share(4.0), Share(8.0)),
            Self::Start => (
                "start to ready",
                Elapsed,
                AtMost(150.0 * MS),
                AtMost(50.0 * MS),
            ),
            Self::Stop => ("stop", Elapsed, AtMost(100.0 * MS), AtMost(20.0 * MS)),
            Self::MemoryIdle => ("memory, idle", Memory, AtMost(40.0 * MB), AtMost(20.0 * MB)),
            Self::MemoryPod => ("memory per pod", Memory, Share(4.0), Share(10.0)),
            _ => self.facts_of_the_cluster(),
        }
    }

    /// As [`Self::facts`], of definitions and of what controllers do.
    fn facts_of_the_cluster(self) -> (&'static str, Unit, Goal, Goal) {
        use Goal::{AtMost, Share};
        use Unit::{Cpu, Elapsed, Memory};
        match self {
            Self::CrdCpu => ("CRD of 18 KB: CPU", Cpu, Share(20.0), Share(100.0)),
            Self::CrdMemory => ("CRD of 18 KB: memory", Memory, Share(20.0), Share(100.0)),
            Self::CrdServed => (
                "CRD of 18 KB: until served",
                Elapsed,
                Share(20.0),
                Share(100.0),
            ),
            Self::CrdMany => (
                "5,000 CRDs of 18 KB: memory in all",
                Memory,
                AtMost(600.0 * MB),
                AtMost(200.0 * MB),
            ),
            // What one CRD costs, however many there are.
            Self::CrdChange => (
                "change one CRD among 5,000",
                Cpu,
                AtMost(2.0 * MS),
                AtMost(0.5 * MS),
            ),
            Self::OpenApi => (
                "/openapi/v2 shows the last of 500 CRDs",
                Elapsed,
                Share(10.0),
                Share(100.0),
            ),
            Self::OpenApiMemory => (
                "OpenAPI of 500 CRDs, at rest: memory",
                Memory,
                AtMost(10.0 * MB),
                AtMost(1.0 * MB),
            ),
            Self::Namespace1 => (
                "namespace with 1 object gone",
                Elapsed,
                AtMost(50.0 * MS),
                AtMost(10.0 * MS),
            ),
            Self::Namespace100 => (
                "namespace with 100 objects gone",
                Elapsed,
                AtMost(100.0 * MS),
                AtMost(20.0 * MS),
            ),
            Self::Namespace2000 => (
                "namespace with 2,000 objects gone",
                Elapsed,
                AtMost(800.0 * MS),
                AtMost(160.0 * MS),
            ),
            Self::DeploymentUp => (
                "Deployment to 2,000 pods, per pod",
                Cpu,
                Share(4.0),
                Share(10.0),
            ),
            _ => ("cascade delete, per pod", Cpu, Share(4.0), Share(10.0)),
        }
    }

    /// Returns what it is called in the table.
    pub(crate) fn title(self) -> &'static str {
        self.facts().0
    }

    /// Returns what this issue asks for.
    pub(crate) fn goal(self) -> Goal {
        self.facts().2
    }

    /// Returns what is hoped for.
    pub(crate) fn ambition(self) -> Goal {
        self.facts().3
    }

    /// Writes a figure with its unit.
    pub(crate) fn figure(self, value: f64) -> String {
        match self.facts().1 {
            Unit::Cpu if value < 10_000.0 => format!("{value:.0} µs"),
            Unit::Cpu => format!("{:.0} ms", value / 1_000.0),
            Unit::Elapsed if value < 100_000.0 => format!("{:.1} ms", value / 1_000.0),
            Unit::Elapsed if value < 1_000_000.0 => format!("{:.0} ms", value / 1_000.0),
            Unit::Elapsed => format!("{:.2} s", value / 1_000_000.0),
            Unit::Memory => memory_text(value),
        }
    }
}

fn memory_text(bytes: f64) -> String {
    if bytes < 1_000_000.0 {
        format!("{:.1} KB", bytes / 1_000.0)
    } else {
        format!("{:.1} MB", bytes / 1_000_000.0)
    }
}

/// Measures every row that the plan names.
///
/// Rows that need only a running server share one pair of them; the others start their own. A row
/// that fails on one side is noted and left out there.
pub(crate) async fn measure(plan: &Plan, book: &mut Book) -> Result<(), Failure> {
    lifecycle::measure(plan, book).await?;
    if plan.wants(&requests::ROWS) {
        let mut sides = pair(plan).await?;
        requests::measure(plan, &mut sides, book).await;
    }
    if plan.wants(&applies::ROWS) {
        let mut sides = pair(plan).await?;
        applies::measure(plan, &mut sides, book).await;
    }
    if plan.wants(&lists::ROWS) {
        let mut sides = pair(plan).await?;
        lists::measure(plan, &mut sides, book).await;
    }
    if plan.wants(&[Row::Watch]) {
        let mut sides = pair(plan).await?;
        watches::measure(plan, &mut sides, book).await;
    }
    if plan.wants(&definitions::ROWS) {
        definitions::measure(plan, book).await?;
    }
    if plan.wants(&crowds::ROWS) {
        crowds::measure(plan, book).await?;
    }
    if plan.wants(&controllers::ROWS) {
        let mut sides = pair(plan).await?;
        for side in &mut sides {
            side.start_controllers(&plan.programs)?;
        }
        controllers::measure(plan, &mut sides, book).await;
    }
    Ok(())
}

/// Starts the sides of the plan, each with the namespace `bench` and its service account.
async fn pair(plan: &Plan) -> Result<Vec<Side>, Failure> {
    let mut sides = Vec::new();
    for &which in &plan.sides {
        let side = Side::start(which, &plan.programs).await?;
        make_namespace(&side, "bench").await?;
        sides.push(side);
    }
    Ok(sides)
}

/// Makes a namespace in which pods may be created.
async fn make_namespace(side: &Side, name: &str) -> Result<(), Failure> {
    let namespace = serde_json::json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
    });
    side.client.create("/api/v1/namespaces", &namespace).await?;
    // Without controllers nobody makes this one; with them, they may have been faster.
    let account = serde_json::json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"},
    });
    let path = format!("/api/v1/namespaces/{name}/serviceaccounts");
    let answer = side
        .client
        .call(
            Method::POST,
            &path,
            (JSON, JSON),
            Bytes::from(account.to_string()),
        )
        .await?;
    if answer.status != http::StatusCode::CONFLICT {
        answer.success("create the service account")?;
    }
    Ok(())
}

/// Measures one row on every side, in turn, round by round.
///
/// `measured` gets the side and the number of the round and returns a sample.
async fn in_turn(
    plan: &Plan,
    sides: &[Side],
    book: &mut Book,
    row: Row,
    measured: impl AsyncFn(&Side, usize) -> Result<Sample, Failure>,
) {
    if !plan.wants(&[row]) {
        return;
    }
    for round in 0..plan.rounds {
        for which in plan.turn(round) {
            let Some(side) = sides.iter().find(|side| side.which == which) else {
                continue;
            };
            match measured(side, round).await {
                Ok(sample) => book.add(row, which, sample),
                Err(error) => book.note(format!("{} failed on {which:?}: {error}", row.title())),
            }
        }
    }
}

/// Runs `work` and returns its CPU and wall time, divided by the number of operations.
async fn per_operation(
    side: &Side,
    operations: usize,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<Sample, Failure> {
    let before = side.cpu();
    let started = Instant::now();
    work.await?;
    let wall = started.elapsed();
    let cpu = side.cpu().since(&before);
    #[allow(clippy::cast_precision_loss)]
    let operations = operations as f64;
    Ok(Sample {
        figure: microseconds(cpu) / operations,
        wall: Some(microseconds(wall) / operations),
    })
}

/// Requests in flight at once.
const IN_FLIGHT: usize = 8;

/// Runs `operation` for every number below `count`, [`IN_FLIGHT`] at a time.
async fn at_once<F, R>(count: usize, operation: F) -> Result<(), Failure>
where
    F: Fn(usize) -> R,
    R: Future<Output = Result<(), Failure>>,
{
    let next = std::sync::atomic::AtomicUsize::new(0);
    let worker = async || loop {
        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if number >= count {
            return Ok(());
        }
        operation(number).await?;
    };
    let (a, b, c, d, e, f, g, h) = tokio::join!(
        worker(),
        worker(),
        worker(),
        worker(),
        worker(),
        worker(),
        worker(),
        worker()
    );
    for outcome in [a, b, c, d, e, f, g, h] as [Result<(), Failure>; IN_FLIGHT] {
        outcome?;
    }
    Ok(())
}

/// Asks again and again until `done` says so.
async fn until(
    pause: Duration,
    timeout: Duration,
    what: &str,
    done: impl AsyncFn() -> Result<bool, Failure>,
) -> Result<Duration, Failure> {
    let started = Instant::now();
    loop {
        if done().await? {
            return Ok(started.elapsed());
        }
        if started.elapsed() > timeout {
            return Err(Failure::new(format!(
                "{what}: not after {} s",
                timeout.as_secs()
            )));
        }
        tokio::time::sleep(pause).await;
    }
}

/// Creates `count` objects, [`IN_FLIGHT`] at a time.
async fn create_many(
    side: &Side,
    path: &str,
    count: usize,
    object: impl Fn(usize) -> serde_json::Value,
) -> Result<(), Failure> {
    at_once(count, async |number| {
        side.client.create(path, &object(number)).await.map(drop)
    })
    .await
}

/// Returns the path of ConfigMaps in a namespace.
fn config_maps(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

/// Creates one ConfigMap of the usual size.
async fn create_config_map(side: &Side, namespace: &str, name: &str) -> Result<(), Failure> {
    side.client
        .create(&config_maps(namespace), &objects::config_map(name))
        .await
        .map(drop)
}

/// True if a figure belongs to upstream; it decides who is asked more patiently.
fn is_upstream(side: &Side) -> bool {
    side.which == Which::Upstream
}
