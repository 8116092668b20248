//! Jobs. What a job gets, the template of a cron job does not: its jobs get it when they are made.
//! The labels that a job takes from its pods come later, when the pods have theirs.
//!
//! Source: pkg/apis/batch/v1/defaults.go.

use api::Value;
use schema::Occasion;

use super::{Fields, Given, Rule, Table};

pub(super) const TABLE: Table = &[
    ("batch.v1.Job", &[Rule::Call(job)]),
    (
        "batch.v1.CronJobSpec",
        &[
            Rule::Set("concurrencyPolicy", Given::Text("Allow")),
            Rule::Set("suspend", Given::Flag(false)),
            Rule::Set("successfulJobsHistoryLimit", Given::Int(3)),
            Rule::Set("failedJobsHistoryLimit", Given::Int(1)),
        ],
    ),
    (
        "batch.v1.PodFailurePolicyOnPodConditionsPattern",
        &[Rule::Set("status", Given::Text("True"))],
    ),
];

fn job(job: &mut Fields<'_>, _: Occasion<'_>) {
    if let Some(Value::Object(spec)) = job.get_mut("spec") {
        // A job that says neither how many nor how many at once is one pod.
        if !spec.contains("completions") && !spec.contains("parallelism") {
            spec.insert("completions", Value::Int(1));
        }
        let retries = match spec.contains("backoffLimitPerIndex") {
            true => i64::from(i32::MAX),
            false => 6,
        };
        let replaced = match spec.contains("podFailurePolicy") {
            true => "Failed",
            false => "TerminatingOrFailed",
        };
        // All of these are pointers in Go, so that what is there was given.
        for (name, value) in [
            ("parallelism", Value::Int(1)),
            ("backoffLimit", Value::Int(retries)),
            ("completionMode", "NonIndexed".into()),
            ("suspend", Value::Bool(false)),
            ("podReplacementPolicy", replaced.into()),
            ("manualSelector", Value::Bool(false)),
        ] {
            if !spec.contains(name) {
                spec.insert(name, value);
            }
        }
    }
}
