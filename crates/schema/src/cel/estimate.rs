//! What an expression costs at most, before it ever runs.
//!
//! Numbers and their way through the tree are upstream's (cel-go's checker and the cost estimator
//! of Kubernetes' libraries), oddities included: which custom resource definitions are accepted
//! depends on them.

mod calls;

pub(super) use calls::{CHECK_COST, selector_cost};

use std::collections::HashMap;

use super::{
    ast::{Call, Comprehension, Expr, ExprKind, Literal},
    check::Checked,
    declared::{DeclId, DeclKind, Decls},
    kind::Type,
};

/// Cost of going through a string, per character.
pub(super) const STRING_FACTOR: f64 = 0.1;

/// Cost of a pattern, per character.
pub(super) const REGEX_FACTOR: f64 = 0.25;

/// Cost of making a list.
pub(super) const LIST_COST: u64 = 10;

/// Cost of making a map.
pub(super) const MAP_COST: u64 = 30;

/// Cost of making a struct.
pub(super) const STRUCT_COST: u64 = 40;

/// A least and a greatest size or cost; sums and products stop at the greatest number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Least.
    pub min: u64,
    /// Greatest.
    pub max: u64,
}

impl Range {
    pub(super) const ZERO: Self = Self::fixed(0);
    pub(super) const ONE: Self = Self::fixed(1);
    pub(super) const UNKNOWN: Self = Self {
        min: 0,
        max: u64::MAX,
    };

    pub(super) const fn new(min: u64, max: u64) -> Self {
        Self { min, max }
    }

    pub(super) const fn fixed(value: u64) -> Self {
        Self::new(value, value)
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            min: self.min.saturating_add(other.min),
            max: self.max.saturating_add(other.max),
        }
    }

    pub(super) const fn times(self, other: Self) -> Self {
        Self {
            min: self.min.saturating_mul(other.min),
            max: self.max.saturating_mul(other.max),
        }
    }

    pub(super) fn scaled(self, factor: f64) -> Self {
        Self {
            min: scaled(self.min, factor),
            max: scaled(self.max, factor),
        }
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
}

/// Multiplies and rounds up.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "upstream reckons in floats, and conversions stop at the bounds"
)]
pub(super) fn scaled(value: u64, factor: f64) -> u64 {
    (value as f64 * factor).ceil() as u64
}

/// Estimates a checked expression; sizes come from the declaration of `self`.
pub(super) fn estimate(checked: &Checked, decls: &Decls, root: Option<DeclId>) -> Range {
    let mut coster = Coster {
        checked,
        decls,
        root,
        paths: HashMap::new(),
        sizes: HashMap::new(),
        entries: HashMap::new(),
        locals: Vec::new(),
    };
    coster.cost(&checked.root)
}

/// Where a value lies in the declared object, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Path {
    /// Nowhere.
    Empty,
    At(DeclId),
    /// A key of a declared map.
    Key,
    /// Somewhere that is not declared.
    Lost,
}

/// Sizes of keys and values of a list or map that the expression makes.
#[derive(Clone, Copy, Debug)]
struct Entries {
    is_list: bool,
    key: Range,
    value: Range,
}

impl Entries {
    fn union(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        let (a, b) = (a?, b?);
        Some(Self {
            is_list: a.is_list,
            key: a.key.union(b.key),
            value: a.value.union(b.value),
        })
    }
}

struct Local<'a> {
    name: &'a str,
    path: Path,
    size: Option<Range>,
    entries: Option<Entries>,
}

/// Cost of a call and size of its result.
struct Estimate {
    cost: Range,
    size: Option<Range>,
}

impl Estimate {
    fn cost(cost: Range) -> Self {
        Self { cost, size: None }
    }
}

/// What the estimate of a call knows of an argument.
#[derive(Clone, Copy)]
struct Arg<'a> {
    expr: &'a Expr,
    path: Path,
    kind: &'a Type,
    size: Option<Range>,
}

struct Coster<'a> {
    checked: &'a Checked,
    decls: &'a Decls,
    root: Option<DeclId>,
    paths: HashMap<u32, Path>,
    sizes: HashMap<u32, Range>,
    entries: HashMap<u32, Entries>,
    locals: Vec<Local<'a>>,
}

impl<'a> Coster<'a> {
    fn cost(&mut self, expr: &'a Expr) -> Range {
        match &expr.kind {
            ExprKind::Error | ExprKind::Literal(_) => Range::ZERO,
            ExprKind::Ident(name) => {
                let path = match self.local(name) {
                    Some(local) => local.path,
                    None => self.step(Path::Empty, name),
                };
                self.paths.insert(expr.id, path);
                Range::ONE
            }
            ExprKind::Select(select) => {
                let operand = self.cost(&select.operand);
                if select.test_only {
                    return operand;
                }
                let counts = matches!(
                    self.kind(&select.operand),
                    Type::Map(_) | Type::Object(_) | Type::Param(_)
                );
                let path = self.step(self.path(&select.operand), &select.field);
                self.paths.insert(expr.id, path);
                operand.plus(Range::fixed(u64::from(counts)))
            }
            ExprKind::Call(call) => self.call(expr, call),
            ExprKind::List { elements, .. } => self.list(expr, elements),
            ExprKind::Map(entries) => {
                let unset = Range::new(if entries.is_empty() { 0 } else { u64::MAX }, 0);
                let (mut key, mut value, mut sum) = (unset, unset, Range::fixed(MAP_COST));
                for entry in entries {
                    sum = sum.plus(self.cost(&entry.key));
                    sum = sum.plus(self.cost(&entry.value));
                    key = key.union(self.size_or_unknown(&entry.key));
                    value = value.union(self.size_or_unknown(&entry.value));
                }
                let made = Entries {
                    is_list: false,
                    key,
                    value,
                };
                self.entries.insert(expr.id, made);
                sum
            }
            ExprKind::Struct { fields, .. } => {
                let costs = fields.iter().map(|field| self.cost(&field.value));
                costs.fold(Range::fixed(STRUCT_COST), Range::plus)
            }
            ExprKind::Comprehension(fold) => self.fold(expr, fold),
        }
    }

    fn list(&mut self, expr: &Expr, elements: &'a [Expr]) -> Range {
        let mut sum = Range::fixed(LIST_COST);
        let mut item = Range::new(if elements.is_empty() { 0 } else { u64::MAX }, 0);
        for element in elements {
            sum = sum.plus(self.cost(element));
            item = item.union(self.size_or_unknown(element));
        }
        let made = Entries {
            is_list: true,
            key: Range::ONE,
            value: item,
        };
        self.entries.insert(expr.id, made);
        sum
    }

    fn fold(&mut self, expr: &Expr, fold: &'a Comprehension) -> Range {
        let range = self.cost(&fold.range);
        let init = self.cost(&fold.init);
        let mut sum = range.plus(init);
        let never = matches!(fold.condition.kind, ExprKind::Literal(Literal::Bool(false)));
        let is_bind =
            fold.range.is_empty_list() && never && fold.accumulator != super::ast::ACCUMULATOR;
        let before = self.locals.len();
        self.push_local(&fold.accumulator, &fold.init);
        if is_bind {
            sum = sum.plus(self.cost(&fold.result));
            self.locals.truncate(before);
            let (size, entries) = (self.size(&fold.result), self.entries(&fold.result));
            self.sizes.extend(size.map(|size| (expr.id, size)));
            self.entries.extend(entries.map(|made| (expr.id, made)));
            return sum;
        }
        let entries = self.entries(&fold.range);
        let is_list = match entries {
            Some(entries) => entries.is_list,
            None => matches!(self.kind(&fold.range), Type::List(_)),
        };
        let path = self.path(&fold.range);
        let key = entries.map(|entries| entries.key);
        let value = entries.map(|entries| entries.value);
        let keys = if is_list { "@indices" } else { "@keys" };
        let values = if is_list { "@items" } else { "@values" };
        match &fold.variable2 {
            Some(second) => {
                self.push(&fold.variable, self.step(path, keys), key);
                self.push(second, self.step(path, values), value);
            }
            None if is_list => self.push(&fold.variable, self.step(path, values), value),
            None => self.push(&fold.variable, self.step(path, keys), key),
        }
        let condition = self.cost(&fold.condition);
        let step = self.cost(&fold.step);
        self.locals.truncate(before + 1);
        sum = sum.plus(self.cost(&fold.result));
        self.locals.truncate(before);
        let count = self.size_or_unknown(&fold.range);
        sum = sum.plus(count.times(step.plus(condition)));
        match &fold.init.kind {
            ExprKind::Literal(_) => {
                let size = self.size(&fold.init);
                self.sizes.extend(size.map(|size| (expr.id, size)));
            }
            ExprKind::List { .. } | ExprKind::Map(_) => {
                self.sizes.insert(expr.id, count);
                let made = self.entries(&fold.step);
                self.entries.extend(made.map(|made| (expr.id, made)));
            }
            _ => {}
        }
        sum
    }

    fn push(&mut self, name: &'a str, path: Path, size: Option<Range>) {
        self.locals.push(Local {
            name,
            path,
            size,
            entries: None,
        });
    }

    fn push_local(&mut self, name: &'a str, expr: &'a Expr) {
        let (path, entries) = (self.path(expr), self.entries(expr));
        let size = self.size(expr);
        self.locals.push(Local {
            name,
            path,
            size,
            entries,
        });
    }

    fn local(&self, name: &str) -> Option<&Local<'a>> {
        self.locals.iter().rev().find(|local| local.name == name)
    }

    fn kind(&self, expr: &Expr) -> &'a Type {
        self.checked.type_of(expr)
    }

    fn path(&self, expr: &Expr) -> Path {
        if let ExprKind::Ident(name) = &expr.kind
            && let Some(local) = self.local(name)
        {
            return local.path;
        }
        self.paths.get(&expr.id).copied().unwrap_or(Path::Empty)
    }

    /// Goes one step down. The first step leads to the root, whatever its name: so does upstream's.
    fn step(&self, path: Path, name: &str) -> Path {
        let at = match (path, self.root) {
            (Path::Empty, Some(root)) => return Path::At(root),
            (Path::At(at), _) => at,
            _ => return Path::Lost,
        };
        let decl = self.decls.get(at);
        match (&decl.kind, name) {
            (DeclKind::List { item, .. }, "@items" | "@values") => Path::At(*item),
            (DeclKind::Map { value }, "@items" | "@values") => Path::At(*value),
            (DeclKind::Map { .. }, "@keys") => Path::Key,
            _ => {
                let field = decl.field(name);
                let field = field.filter(|field| self.decls.is_visible(field.decl));
                field.map_or(Path::Lost, |field| Path::At(field.decl))
            }
        }
    }

    /// Returns the size that is declared for a place.
    fn declared(&self, path: Path) -> Option<Range> {
        match path {
            Path::At(at) => {
                let most = self.decls.get(at).elements_max;
                Some(Range::new(0, u64::try_from(most).unwrap_or(0)))
            }
            Path::Key => Some(Range::ZERO),
            Path::Empty | Path::Lost => None,
        }
    }

    fn size(&mut self, expr: &Expr) -> Option<Range> {
        if let Some(size) = self.sizes.get(&expr.id) {
            return Some(*size);
        }
        if let Some(size) = literal_size(expr) {
            return Some(Range::fixed(size));
        }
        if let Some(size) = self.declared(self.path(expr)) {
            self.sizes.insert(expr.id, size);
            return Some(size);
        }
        if self.kind(expr).is_scalar() {
            return Some(Range::ONE);
        }
        match &expr.kind {
            ExprKind::Ident(name) => self.local(name)?.size,
            _ => None,
        }
    }

    fn size_or_unknown(&mut self, expr: &Expr) -> Range {
        self.size(expr).unwrap_or(Range::UNKNOWN)
    }

    fn entries(&self, expr: &Expr) -> Option<Entries> {
        if let Some(entries) = self.entries.get(&expr.id) {
            return Some(*entries);
        }
        match &expr.kind {
            ExprKind::Ident(name) => self.local(name)?.entries,
            _ => None,
        }
    }

    fn arg(&mut self, expr: &'a Expr) -> Arg<'a> {
        Arg {
            expr,
            path: self.path(expr),
            kind: self.kind(expr),
            size: self.size(expr),
        }
    }

    fn call(&mut self, expr: &'a Expr, call: &'a Call) -> Range {
        if let ("dyn", [arg]) = (call.function.as_str(), call.args.as_slice()) {
            let cost = self.cost(arg);
            let (size, entries) = (self.size(arg), self.entries(arg));
            self.sizes.extend(size.map(|size| (expr.id, size)));
            self.entries.extend(entries.map(|made| (expr.id, made)));
            return cost.plus(Range::ONE);
        }
        let mut args = Vec::with_capacity(call.args.len());
        let mut costs = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            costs.push(self.cost(arg));
            args.push(self.arg(arg));
        }
        let checked = self.checked;
        let overloads = checked.overloads(expr);
        if overloads.is_empty() {
            return Range::ZERO;
        }
        let mut sum = Range::ZERO;
        let mut target = None;
        if let Some(expr) = &call.target {
            sum = self.cost(expr);
            target = Some(self.arg(expr));
        }
        let mut cost = Range::new(u64::MAX, 0);
        let mut size: Option<Range> = None;
        for overload in overloads {
            let one = self.overload(expr, &call.function, overload.id, target, &args, &costs);
            cost = cost.union(one.cost);
            size = match (size, one.size) {
                (Some(a), Some(b)) => Some(a.union(b)),
                (a, b) => a.or(b),
            };
            let step = match overload.id {
                "index_list" => Some("@items"),
                "index_map" => Some("@values"),
                _ => None,
            };
            if let (Some(step), Some(operand)) = (step, args.first()) {
                size = self.entries(operand.expr).map(|made| made.value);
                let path = self.step(self.path(operand.expr), step);
                self.paths.insert(expr.id, path);
            }
            if size.is_none() {
                size = self.size(expr);
            }
        }
        self.sizes.extend(size.map(|size| (expr.id, size)));
        sum.plus(cost)
    }
}

fn literal_size(expr: &Expr) -> Option<u64> {
    let size = match &expr.kind {
        ExprKind::Literal(Literal::String(text)) => text.chars().count(),
        ExprKind::Literal(Literal::Bytes(bytes)) => bytes.len(),
        ExprKind::Literal(_) => 1,
        ExprKind::List { elements, .. } => elements.len(),
        ExprKind::Map(entries) => entries.len(),
        _ => return None,
    };
    Some(size as u64)
}
