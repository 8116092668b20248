//! What is wrong with the rules of a schema: whether they compile, and what they may cost.

use api::{
    Value,
    field::{Error, Path},
};

use super::{
    RULE_ESTIMATE_MAX, SCHEMA_ESTIMATE_MAX,
    compile::{Rule, Versions, cardinality, compile},
    run::is_visible,
};
use crate::{
    Form, ListKind, Others, ShapeId, Shapes,
    cel::{
        Version,
        declared::{Declarer, Place},
    },
    structural::{Expressions, shown},
};

/// How many rules are named when all together cost too much.
const EXPENSIVE_MAX: usize = 4;

/// How deeply shapes are followed; those of custom resources are never deeper.
const DEPTH_MAX: usize = 1_100;

/// What is known besides the schema itself.
pub(crate) struct Circumstances<'a> {
    /// What is wrong with the schema otherwise: rules in and around such places are not read.
    pub(crate) wrong: &'a [Error],
    /// What was compiled before, on an update.
    pub(crate) before: Option<&'a Expressions>,
    /// The schema is what it was; what its rules cost one by one was accepted once.
    pub(crate) unchanged: bool,
}

/// Returns what is wrong with the rules of a structural schema; `path` is that of `openAPIV3Schema`.
pub(crate) fn accept(
    shapes: &Shapes,
    root: ShapeId,
    path: &Path<'_>,
    circumstances: &Circumstances<'_>,
) -> Vec<Error> {
    if !has_rules(shapes) {
        return Vec::new();
    }
    let mut wrong: Vec<&str> = (circumstances.wrong.iter())
        .map(|error| error.field.as_str())
        .collect();
    wrong.sort_unstable();
    let mut acceptor = Acceptor {
        shapes,
        circumstances,
        wrong,
        declarer: Declarer::default(),
        errors: Vec::new(),
        total: 0,
        expensive: Vec::new(),
    };
    let at = At {
        id: root,
        place: Place::Root,
        count: Some(1),
        lost: None,
    };
    acceptor.node(at, path, 0);
    let mut errors = acceptor.errors;
    if acceptor.total > SCHEMA_ESTIMATE_MAX {
        for (_, place) in acceptor.expensive {
            let detail = "contributed to estimated rule cost total exceeding cost limit for \
                          entire OpenAPIv3 schema";
            let mut error = Error::forbidden(path, detail);
            error.field = place;
            errors.push(error);
        }
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        let detail = too_much(what, acceptor.total, SCHEMA_ESTIMATE_MAX);
        errors.push(Error::forbidden(path, detail));
    }
    errors
}

fn has_rules(shapes: &Shapes) -> bool {
    (0..shapes.len()).any(|place| {
        let id = ShapeId(u32::try_from(place).unwrap_or(u32::MAX));
        (shapes.node(id).rules.as_ref()).is_some_and(|rules| !rules.cel.is_empty())
    })
}

/// A place of the schema that is looked at.
#[derive(Clone, Copy)]
struct At<'a> {
    id: ShapeId,
    place: Place,
    /// How often values can occur here, by the limits of the lists and maps around.
    count: Option<u64>,
    /// Path of the innermost list around whose items have no counterparts in the old object.
    lost: Option<&'a str>,
}

struct Acceptor<'a> {
    shapes: &'a Shapes,
    circumstances: &'a Circumstances<'a>,
    /// Places where something is wrong otherwise, in order.
    wrong: Vec<&'a str>,
    declarer: Declarer,
    errors: Vec<Error>,
    total: u64,
    /// The costliest rules and their places.
    expensive: Vec<(u64, String)>,
}

impl Acceptor<'_> {
    fn node(&mut self, at: At<'_>, path: &Path<'_>, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        let shapes = self.shapes;
        let node = shapes.node(at.id);
        let rules = node.rules.as_deref();
        let below = At {
            place: Place::Inside,
            ..at
        };
        let times = |most: Option<i64>| {
            let most = most.map(|most| u64::try_from(most).unwrap_or(0));
            at.count
                .zip(most)
                .map(|(count, most)| count.saturating_mul(most))
        };
        match &node.form {
            Form::Struct(shape) => {
                let all = path.child("properties");
                for field in &shape.fields {
                    let next = At {
                        id: field.shape,
                        ..below
                    };
                    self.node(next, &all.key(&field.name), depth + 1);
                }
                if let Others::Shaped(part) = shape.others {
                    let count = times(rules.and_then(|rules| rules.max_properties));
                    let next = At {
                        id: part,
                        count,
                        ..below
                    };
                    self.node(next, &path.child("additionalProperties"), depth + 1);
                }
            }
            Form::Map { value, .. } => {
                let count = times(rules.and_then(|rules| rules.max_properties));
                let next = At {
                    id: *value,
                    count,
                    ..below
                };
                self.node(next, &path.child("additionalProperties"), depth + 1);
            }
            Form::List { item, kind } => {
                let count = times(rules.and_then(|rules| rules.max_items));
                let here = path.to_string();
                let lost = match kind {
                    ListKind::Map(_) => at.lost,
                    ListKind::Atomic | ListKind::Set => at.lost.or(Some(&here)),
                };
                let next = At {
                    id: *item,
                    count,
                    lost,
                    ..below
                };
                self.node(next, &path.child("items"), depth + 1);
            }
            Form::Any | Form::Scalar(_) => {}
        }
        let raw = rules.map(|rules| rules.cel.as_slice()).unwrap_or_default();
        if !raw.is_empty() && !self.is_spoilt(path) {
            self.rules(raw, at, path);
        }
    }

    /// Whether something is wrong with the schema at a place or below.
    fn is_spoilt(&self, path: &Path<'_>) -> bool {
        let here = path.to_string();
        ["", ".", "["].into_iter().any(|after| {
            let from = format!("{here}{after}");
            let first = self.wrong.partition_point(|place| *place < from.as_str());
            let found = self.wrong.get(first);
            found.is_some_and(|place| match after {
                "" => **place == from,
                _ => place.starts_with(&from),
            })
        })
    }

    fn versions(&self, raw: &Value) -> Versions {
        let text = |name: &str| raw.str_at(&[name]).unwrap_or_default();
        let Some(before) = self.circumstances.before else {
            return Versions::both(Version::New);
        };
        let of = |is_known: bool| {
            if is_known {
                Version::Stored
            } else {
                Version::New
            }
        };
        Versions {
            rule: of(before.rules.contains(text("rule"))),
            message: of(before.messages.contains(text("messageExpression"))),
        }
    }

    fn rules(&mut self, raw: &[Value], at: At<'_>, path: &Path<'_>) {
        let shapes = self.shapes;
        let list = path.child("x-kubernetes-validations");
        let decl = self.declarer.declare(shapes, at.id, at.place);
        if !is_visible(&self.declarer.decls, decl) {
            let detail = "internal error: failed to construct type information for \
                          x-kubernetes-validations rules: unable to convert structural schema to \
                          CEL declarations";
            self.errors.push(Error::internal(&list, detail));
            return;
        }
        let size_min = self.declarer.decls.get(decl).size_min;
        let count = at.count.unwrap_or_else(|| cardinality(size_min));
        for (place, raw) in raw.iter().enumerate() {
            let here = list.index(place);
            let versions = self.versions(raw);
            let decls = &self.declarer.decls;
            let rule = compile(raw, (shapes, at.id), (decls, decl), versions);
            self.rule(raw, &rule, count, at.lost, &here);
        }
    }

    fn rule(&mut self, raw: &Value, rule: &Rule, count: u64, lost: Option<&str>, here: &Path<'_>) {
        let rule_place = here.child("rule");
        let cost = match &rule.program {
            Some(Ok(program)) => program.estimate().max.saturating_mul(count),
            _ => 0,
        };
        self.cost("estimated rule cost", cost, &rule_place);
        if let Some(Err(words)) = &rule.program {
            let shown = shown::rule(raw);
            self.errors
                .push(Error::invalid(&rule_place, shown, words.as_str()));
        }
        let message_place = here.child("messageExpression");
        match &rule.message_program {
            Some(Err(words)) => {
                let shown = shown::rule(raw);
                self.errors
                    .push(Error::invalid(&message_place, shown, words.as_str()));
            }
            Some(Ok(program)) => {
                let cost = program.estimate().max;
                self.cost("estimated messageExpression cost", cost, &message_place);
            }
            None => {}
        }
        if rule.uses_old() {
            if let Some(lost) = lost {
                let detail = format!(
                    "oldSelf cannot be used on the uncorrelatable portion of the schema within {lost}"
                );
                let error = Error::invalid(&rule_place, rule.rule.as_str(), detail);
                self.errors.push(error);
            }
        } else if rule.says_optional {
            let place = here.child("optionalOldSelf");
            let detail = "may not be set if oldSelf is not used in rule";
            self.errors
                .push(Error::invalid(&place, rule.optional_old, detail));
        }
    }

    fn cost(&mut self, what: &str, cost: u64, place: &Path<'_>) {
        if cost > RULE_ESTIMATE_MAX && !self.circumstances.unchanged {
            let detail = too_much(what, cost, RULE_ESTIMATE_MAX);
            self.errors.push(Error::forbidden(place, detail));
        }
        self.total = self.total.saturating_add(cost);
        if cost >= SCHEMA_ESTIMATE_MAX / 100 {
            self.expensive.push((cost, place.to_string()));
            self.expensive
                .sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
            self.expensive.truncate(EXPENSIVE_MAX);
        }
    }
}

/// Returns upstream's words for an estimate that is beyond its limit.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "the factor is only shown")]
pub fn too_much(what: &str, cost: u64, most: u64) -> String {
    let factor = cost as f64 / most as f64;
    let factor = if factor > 100.0 {
        "more than 100x".to_owned()
    } else if factor < 1.5 {
        format!("{factor:.6}x")
    } else {
        format!("{factor:.1}x")
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding \
         maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
    )
}
