//! Warnings about slices of devices.
//!
//! Source: pkg/registry/resource/resourceslice/strategy.go.

use api::quote::quote;

use super::Warnings;
use crate::validate::Subject;

/// Says that the name of a driver is not in lower case.
pub(super) fn slice(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    let spec = root.child("spec");
    let driver = spec.child("driver");
    if driver.text() != driver.text().to_lowercase() {
        let name = quote(driver.text());
        let why = format!("driver names should be lowercase; {name} contains uppercase characters");
        warnings.at(&driver, why);
    }
}
