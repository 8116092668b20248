//! Roles' bindings.
//!
//! Source: pkg/apis/rbac/v1/defaults.go.

use schema::Occasion;

use super::{Fields, Given, Rule, Table};

const GROUP: Given = Given::Text("rbac.authorization.k8s.io");

pub(super) const TABLE: Table = &[
    ("rbac.v1.RoleRef", &[Rule::Set("apiGroup", GROUP)]),
    ("rbac.v1.Subject", &[Rule::Call(subject)]),
];

/// Service accounts are of the core group; users and groups are of this one.
fn subject(subject: &mut Fields<'_>, _: Occasion<'_>) {
    if matches!(subject.text("kind"), "User" | "Group") {
        subject.fill("apiGroup", GROUP);
    }
}
