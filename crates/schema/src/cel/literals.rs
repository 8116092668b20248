//! What the checker lets pass and upstream's validators refuse: literals that cannot be converted,
//! patterns that are none, and lists and maps of mixed types.

use super::{
    ast::{Call, Expr, ExprKind, Literal},
    check::Checked,
    issue::Issues,
    kind::Type,
    parse::Dialect,
    program::converts,
};
use crate::validate::compile_pattern;

/// Looks at every literal of a checked expression.
pub(super) fn check(checked: &Checked, source: &str, dialect: Dialect) -> Result<(), Issues> {
    let mut validator = Validator {
        checked,
        may_mix: dialect == Dialect::Patch,
        issues: Issues::new(source),
    };
    validator.node(&checked.root);
    if validator.issues.is_empty() {
        Ok(())
    } else {
        Err(validator.issues)
    }
}

struct Validator<'a> {
    checked: &'a Checked,
    /// Lists and maps may hold values of several types.
    may_mix: bool,
    issues: Issues,
}

impl Validator<'_> {
    fn node(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Call(call) => self.call(call),
            ExprKind::List { elements, optional } => {
                let mut first: Option<Type> = None;
                for (place, element) in (0_u32..).zip(elements) {
                    let kind = self.of(element, optional.contains(&place));
                    if !self.same(element, &mut first, kind) {
                        break;
                    }
                }
            }
            ExprKind::Map(entries) => {
                let (mut keys, mut values) = (None, None);
                for entry in entries {
                    let kind = self.of(&entry.key, false);
                    self.same(&entry.key, &mut keys, kind);
                    let kind = self.of(&entry.value, entry.optional);
                    self.same(&entry.value, &mut values, kind);
                }
            }
            _ => {}
        }
        let mut children = Vec::new();
        expr.children(&mut |child| children.push(child));
        for child in children {
            self.node(child);
        }
    }

    fn of(&self, expr: &Expr, optional: bool) -> Type {
        let kind = self.checked.type_of(expr);
        match kind.as_optional() {
            Some(inner) if optional => inner.clone(),
            _ => kind.clone(),
        }
    }

    fn same(&mut self, expr: &Expr, first: &mut Option<Type>, kind: Type) -> bool {
        let Some(first) = first else {
            *first = Some(kind);
            return true;
        };
        if self.may_mix || first.is_equivalent(&kind) {
            return true;
        }
        let words = format!("expected type '{first}' but found '{kind}'");
        self.issues.add(expr.at, words);
        false
    }

    fn call(&mut self, call: &Call) {
        let Some(arg) = call.args.first() else {
            return;
        };
        let ExprKind::Literal(literal) = &arg.kind else {
            return;
        };
        let function = call.function.as_str();
        let is_right = match (function, literal) {
            ("duration" | "timestamp", literal) => converts(function, literal).is_ok(),
            ("matches", Literal::String(pattern)) => compile_pattern(pattern).is_ok(),
            _ => true,
        };
        if !is_right {
            let words = format!("invalid {function} argument");
            self.issues.add(arg.at, words);
        }
    }
}
