//! Devices and claims to them.
//!
//! Source: pkg/apis/resource/v1/defaults.go.

use api::{Value, time};
use schema::Occasion;

use super::{Fields, Given, Rule, Table};

const REQUEST: [Rule; 2] = [
    Rule::Set("allocationMode", Given::Text("ExactCount")),
    Rule::Call(count),
];

pub(super) const TABLE: Table = &[
    ("resource.v1.ExactDeviceRequest", &REQUEST),
    ("resource.v1.DeviceSubRequest", &REQUEST),
    ("resource.v1.DeviceTaint", &[Rule::Call(stamp)]),
];

fn count(request: &mut Fields<'_>, _: Occasion<'_>) {
    if request.text("allocationMode") == "ExactCount" {
        request.fill("count", Given::Int(1));
    }
}

/// A taint says since when it is there.
fn stamp(taint: &mut Fields<'_>, occasion: Occasion<'_>) {
    if taint.get("timeAdded").is_none_or(Value::is_null) {
        taint.set("timeAdded", time::to_value(occasion.now));
    }
}
