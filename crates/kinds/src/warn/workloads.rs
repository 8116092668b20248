//! Warnings about workloads.

use api::names::validate;

use super::{Warnings, pods};
use crate::validate::{Place, Subject};

/// What a name that is no label of DNS leads to.
const NAMES: &str = "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended";
/// Above so many completions and pods at once it is hard to keep track of a job.
const COMPLETIONS_MANY: i64 = 100_000;
const PARALLELISM_MANY: i64 = 10_000;

/// Says that the name of a new object is no label of DNS.
pub(super) fn name(subject: &Subject<'_>, why: &str, warnings: &mut Warnings) {
    if subject.old.is_some() {
        return;
    }
    let root = subject.root();
    let metadata = root.child("metadata");
    let name = metadata.child("name");
    let wrong = validate::dns1123_label(name.text());
    if !wrong.is_empty() {
        warnings.at(&name, format_args!("{why}: [{}]", wrong.join(" ")));
    }
}

/// Whether an object is new, or what it asks for changes.
fn is_news(subject: &Subject<'_>) -> bool {
    let generation = |root: &Place<'_>| root.child("metadata").int_of("generation");
    subject.old.is_none() || generation(&subject.root()) != generation(&subject.old_root())
}

pub(super) fn pod_template(subject: &Subject<'_>, warnings: &mut Warnings) {
    pods::template(&subject.root().child("template"), warnings);
}

/// A workload whose name is that of its pods.
pub(super) fn named(subject: &Subject<'_>, warnings: &mut Warnings) {
    name(subject, NAMES, warnings);
    templated(subject, warnings);
}

pub(super) fn controller(subject: &Subject<'_>, warnings: &mut Warnings) {
    named(subject, warnings);
}

/// A workload with a template.
pub(super) fn templated(subject: &Subject<'_>, warnings: &mut Warnings) {
    if is_news(subject) {
        let root = subject.root();
        let spec = root.child("spec");
        pods::template(&spec.child("template"), warnings);
    }
}

pub(super) fn stateful_set(subject: &Subject<'_>, warnings: &mut Warnings) {
    templated(subject, warnings);
    let root = subject.root();
    let spec = root.child("spec");
    for claim in spec.child("volumeClaimTemplates").items() {
        // The path is upstream's, which leaves out the spec of the claim.
        let spec = Place::new(claim.get("spec"), *claim.path());
        pods::claim(&spec, warnings);
    }
    let limit = spec.child("revisionHistoryLimit");
    if limit.int().is_some_and(|limit| limit < 0) {
        warnings.at(
            &limit,
            "a negative value retains all historical revisions; a value >= 0 is recommended",
        );
    }
}

pub(super) fn job(subject: &Subject<'_>, warnings: &mut Warnings) {
    name(subject, NAMES, warnings);
    if is_news(subject) {
        job_spec(&subject.root().child("spec"), warnings);
    }
}

pub(super) fn cron_job(subject: &Subject<'_>, warnings: &mut Warnings) {
    name(subject, NAMES, warnings);
    let root = subject.root();
    let spec = root.child("spec");
    if is_news(subject) {
        let template = spec.child("jobTemplate");
        job_spec(&template.child("spec"), warnings);
    }
    if subject.old.is_some() && spec.text_of("schedule").contains("TZ") {
        warnings.push(
            "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
                .to_owned(),
        );
    }
}

fn job_spec(spec: &Place<'_>, warnings: &mut Warnings) {
    let count = |field: &str| spec.int_of(field).unwrap_or(0);
    if spec.text_of("completionMode") == "Indexed"
        && count("completions") > COMPLETIONS_MANY
        && count("parallelism") > PARALLELISM_MANY
    {
        warnings.at(
            spec,
            "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
        );
    }
    pods::template(&spec.child("template"), warnings);
}
