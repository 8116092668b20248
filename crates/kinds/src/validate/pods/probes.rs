//! What is wrong with the questions that a container is asked, and with what is told it.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use api::{field::Error, names::validate};

use super::spec::Frame;
use crate::validate::{
    Findings, Place,
    numbers::{self, non_negative},
    texts,
};

type Check = fn(&Place<'_>, Option<i64>, &mut Findings);

/// How a container may be asked or told something.
const HANDLERS: [(&str, Check); 5] = [
    ("exec", exec),
    ("httpGet", http_get),
    ("tcpSocket", tcp_socket),
    ("grpc", grpc),
    ("sleep", sleep),
];

/// Checks the three probes of a container.
pub(super) fn probes(container: &Place<'_>, frame: &Frame<'_>, found: &mut Findings) {
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = container.child(name);
        if !probe.is_set() {
            continue;
        }
        self::probe(&probe, frame.grace, found);
        if name == "readinessProbe" {
            let grace = probe.child("terminationGracePeriodSeconds");
            if grace.is_set() {
                found.invalid(&grace, "must not be set for readinessProbes");
            }
        } else {
            let threshold = probe.child("successThreshold");
            if threshold.int() != Some(1) {
                found.invalid_number(&threshold, "must be 1");
            }
        }
    }
}

fn probe(probe: &Place<'_>, grace: Option<i64>, found: &mut Findings) {
    handler(probe, grace, found);
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        non_negative(&probe.child(field), found);
    }
    let own = probe.child("terminationGracePeriodSeconds");
    if own.int().is_some_and(|seconds| seconds <= 0) {
        found.invalid(&own, "must be greater than 0");
    }
}

/// Checks what a container is told at its beginning and end.
pub(super) fn lifecycle(container: &Place<'_>, frame: &Frame<'_>, found: &mut Findings) {
    let lifecycle = container.child("lifecycle");
    for moment in ["postStart", "preStop"] {
        let place = lifecycle.child(moment);
        if place.is_set() {
            handler(&place, frame.grace, found);
        }
    }
}

/// One way, and only one, is chosen.
fn handler(place: &Place<'_>, grace: Option<i64>, found: &mut Findings) {
    let mut count = 0;
    for (name, check) in HANDLERS {
        let way = place.child(name);
        if !way.is_set() {
            continue;
        }
        if count > 0 {
            found.forbidden(&way, "may not specify more than 1 handler type");
            continue;
        }
        count += 1;
        check(&way, grace, found);
    }
    if count == 0 {
        found.required(place, "must specify a handler type");
    }
}

fn exec(place: &Place<'_>, _: Option<i64>, found: &mut Findings) {
    let command = place.child("command");
    if command.len() == 0 {
        found.required(&command, "");
    }
}

fn http_get(place: &Place<'_>, _: Option<i64>, found: &mut Findings) {
    texts::require(&place.child("path"), "", found);
    numbers::port_or_name(&place.child("port"), found);
    texts::choice(&place.child("scheme"), &["HTTP", "HTTPS"], found);
    let headers = place.child("httpHeaders");
    for header in headers.items() {
        // Upstream does not say which header it is.
        let name = Place::new(header.get("name"), *headers.path());
        texts::header_name(&name, found);
    }
}

fn tcp_socket(place: &Place<'_>, _: Option<i64>, found: &mut Findings) {
    numbers::port_or_name(&place.child("port"), found);
}

fn grpc(place: &Place<'_>, _: Option<i64>, found: &mut Findings) {
    let port = place.child("port");
    let number = port.int().unwrap_or(0);
    for sentence in validate::port_number(number) {
        found.push(Error::invalid(port.path(), number, sentence));
    }
}

fn sleep(place: &Place<'_>, grace: Option<i64>, found: &mut Findings) {
    let seconds = place.int_of("seconds").unwrap_or(0);
    if let Some(grace) = grace
        && !(0..=grace).contains(&seconds)
    {
        let why =
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        found.push(Error::invalid(place.path(), seconds, why));
    }
}
