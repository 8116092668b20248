//! What the built-in kinds do beyond their data, gathered from one file per aspect.
//!
//! Each aspect (table cells, conversion, the server's own fields) is looked up once when the kinds
//! are made. An aspect that a kind lacks falls back to what [`Behavior`] does by itself.

use std::{fmt, sync::Arc};

use api::{GroupVersion, Status, Value, json::Part, status::Cause};
use schema::{Behavior, Cell, Occasion};

use crate::{
    convert,
    defaults::Plan,
    prepare::{self, Owned},
    tables, validate, warn,
};

/// The behaviour of one built-in kind.
pub(crate) struct Builtin {
    kind: String,
    owned: Owned,
    plan: Arc<Plan>,
    /// Where the plan begins for each version that has defaults.
    roots: Vec<(GroupVersion, usize)>,
    table: Option<tables::Cells>,
    convert: Option<convert::Convert>,
    group: String,
}

/// Returns the behaviour of a kind.
pub(crate) fn of(group: &str, kind: &str, owned: Owned, plan: &Arc<Plan>) -> Arc<dyn Behavior> {
    Arc::new(Builtin {
        kind: kind.to_owned(),
        owned,
        roots: plan.roots(kind),
        plan: Arc::clone(plan),
        table: tables::of(group, kind),
        convert: convert::of(group, kind),
        group: group.to_owned(),
    })
}

impl Builtin {
    fn is(&self, kind: &str) -> bool {
        self.group.is_empty() && self.kind == kind
    }
}

impl Behavior for Builtin {
    fn default(&self, occasion: Occasion<'_>, object: &mut Value) {
        let mut roots = self.roots.iter();
        if let Some((_, root)) = roots.find(|(version, _)| version == occasion.group_version) {
            self.plan.apply(*root, object, occasion);
        }
    }

    fn prepare(&self, occasion: Occasion<'_>, object: &mut Value, old: Option<&Value>) {
        prepare::prepare(&self.owned, &self.kind, occasion, object, old);
    }

    fn validate(&self, occasion: Occasion<'_>, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let Some(check) = validate::of(&self.group, &self.kind, occasion.subresource) else {
            return Vec::new();
        };
        let mut found = validate::Findings::default();
        let subject = validate::Subject {
            object,
            old,
            occasion,
        };
        check(&subject, &mut found);
        found.causes()
    }

    fn warn(&self, occasion: Occasion<'_>, object: &Value, old: Option<&Value>) -> Vec<String> {
        let subject = validate::Subject {
            object,
            old,
            occasion,
        };
        let mut warnings = warn::Warnings::default();
        if let Some(warn) = warn::of(&self.group, &self.kind, occasion.subresource) {
            warn(&subject, &mut warnings);
        }
        warnings.into_texts()
    }

    fn table(&self, occasion: Occasion<'_>, object: &Value) -> Option<Vec<Cell>> {
        self.table
            .map(|table| table(tables::Row::new(object, occasion)))
    }

    fn table_parts(&self) -> &'static [Part] {
        if self.is("Pod") {
            tables::POD_PARTS
        } else {
            &[]
        }
    }

    fn convert(&self, mut object: Value, to: &GroupVersion) -> Result<Value, Status> {
        if let Some(convert) = self.convert {
            convert(&mut object, to);
        }
        Ok(object)
    }

    fn resets(&self, occasion: Occasion<'_>) -> Option<&'static [&'static [&'static str]]> {
        crate::resets::of(&self.kind, occasion.subresource)
    }

    fn grace_seconds(&self, object: &Value, asked: Option<i64>) -> Option<i64> {
        if !self.is("Pod") {
            return None;
        }
        let own = object.at(&["spec", "terminationGracePeriodSeconds"]);
        let wanted = asked.or_else(|| own.and_then(Value::as_int)).unwrap_or(0);
        let node = object.str_at(&["spec", "nodeName"]).unwrap_or_default();
        let phase = object.str_at(&["status", "phase"]).unwrap_or_default();
        // Where nothing runs, nobody needs time to stop.
        if node.is_empty() || matches!(phase, "Failed" | "Succeeded") {
            return Some(0);
        }
        // A negative period stands for the shortest one.
        Some(if wanted < 0 { 1 } else { wanted })
    }
}

impl fmt::Debug for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builtin({})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use api::{Value, json, time};
    use schema::{Kind, Occasion};

    use crate::load;

    fn read(text: &str) -> Value {
        json::read(text.as_bytes()).expect("it is JSON").value
    }

    fn kind(name: &str) -> Kind {
        let kinds = load().kinds;
        let found = kinds.into_iter().find(|kind| kind.names.kind == name);
        found.expect("the kind is built in")
    }

    /// Prepares an object that comes through a door.
    #[track_caller]
    fn check(name: &str, door: &str, object: &str, old: Option<&str>, expected: &str) {
        let kind = kind(name);
        let occasion = Occasion {
            now: time::parse("2026-01-01T00:00:00Z").expect("it is a time"),
            group_version: &kind.stored().group_version,
            asked: &kind.stored().group_version,
            subresource: door,
            asker: schema::Asker::NOBODY,
        };
        let mut object = read(object);
        let old = old.map(read);
        kind.behavior.prepare(occasion, &mut object, old.as_ref());
        assert_eq!(object, read(expected), "{object:?}");
    }

    #[test]
    fn begins_with_the_servers_status() {
        check(
            "Pod",
            "",
            r#"{"spec":{"containers":[{"resources":{"requests":{"cpu":"1"}}}]},"status":{"phase":"Running"}}"#,
            None,
            r#"{"spec":{"containers":[{"resources":{"requests":{"cpu":"1"}}}]},"status":{"phase":"Pending","qosClass":"Burstable"}}"#,
        );
        check(
            "Pod",
            "",
            r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"1000m"}}}]}}"#,
            None,
            r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"1000m"}}}]},"status":{"phase":"Pending","qosClass":"Guaranteed"}}"#,
        );
        check(
            "Namespace",
            "",
            r#"{"status":{"phase":"Terminating"}}"#,
            None,
            r#"{"status":{"phase":"Active"},"spec":{"finalizers":["kubernetes"]}}"#,
        );
        check(
            "Deployment",
            "",
            r#"{"spec":{},"status":{"replicas":3}}"#,
            None,
            r#"{"spec":{}}"#,
        );
    }

    #[test]
    fn keeps_what_belongs_to_another_door() {
        check(
            "Namespace",
            "",
            r#"{"spec":{"finalizers":[]},"status":{"phase":"x"}}"#,
            Some(r#"{"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}}"#),
            r#"{"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}}"#,
        );
        check(
            "CertificateSigningRequest",
            "approval",
            r#"{"spec":{"request":"new"},"status":{"certificate":"new","conditions":[{"type":"Approved","status":"True"}]}}"#,
            Some(r#"{"spec":{"request":"old"},"status":{}}"#),
            r#"{"spec":{"request":"old"},"status":{"conditions":[{"type":"Approved","status":"True",
                "lastTransitionTime":"2026-01-01T00:00:00Z","lastUpdateTime":"2026-01-01T00:00:00Z"}]}}"#,
        );
    }

    #[test]
    fn only_pods_that_run_get_grace() {
        let pods = kind("Pod");
        let check = |object: &str, asked, expected| {
            let grace = pods.behavior.grace_seconds(&read(object), asked);
            assert_eq!(grace, Some(expected), "{object} {asked:?}");
        };
        let running = r#"{"spec":{"nodeName":"n","terminationGracePeriodSeconds":30}}"#;
        check(running, None, 30);
        check(running, Some(5), 5);
        check(running, Some(-1), 1);
        check(r#"{"spec":{"terminationGracePeriodSeconds":30}}"#, None, 0);
        check(
            r#"{"spec":{"nodeName":"n","terminationGracePeriodSeconds":30},"status":{"phase":"Failed"}}"#,
            None,
            0,
        );
        let nodes = kind("Node");
        assert_eq!(nodes.behavior.grace_seconds(&read("{}"), Some(5)), None);
    }
}
