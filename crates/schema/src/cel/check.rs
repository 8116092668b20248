//! Finds the type of every node and the overloads of every call.
//!
//! Follows upstream's checker step by step, its words included.

use super::{
    ast::{Ast, Call, Comprehension, Expr, ExprKind, Literal, op},
    declare::{Functions, Overload, Version},
    declared::Decls,
    issue::Issues,
    kind::{Type, Unifier, most_general},
    parse::Dialect,
};

/// What an expression may speak of.
#[derive(Debug)]
pub struct Env<'a> {
    /// Which functions there are.
    pub version: Version,
    /// What else is well.
    pub dialect: Dialect,
    /// Names and types of the variables.
    pub variables: Vec<(&'a str, Type)>,
    /// Where object types are declared.
    pub decls: &'a Decls,
}

/// What a name or a call was found to mean.
#[derive(Clone, Debug, Default)]
pub(super) enum Meaning {
    /// Nothing of its own.
    #[default]
    None,
    /// The variable at this place of the environment.
    Variable(usize),
    /// A type as a value.
    Type(Type),
    /// One of these overloads.
    Overloads(Vec<&'static Overload>),
}

/// An expression with the type of each of its nodes.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) root: Expr,
    pub(super) types: Vec<Type>,
    pub(super) meanings: Vec<Meaning>,
}

impl Checked {
    pub(super) fn type_of(&self, expr: &Expr) -> &Type {
        &self.types[expr.id as usize]
    }

    pub(super) fn meaning(&self, expr: &Expr) -> &Meaning {
        &self.meanings[expr.id as usize]
    }

    pub(super) fn overloads(&self, expr: &Expr) -> &[&'static Overload] {
        match self.meaning(expr) {
            Meaning::Overloads(found) => found,
            _ => &[],
        }
    }
}

/// Checks a tree.
pub(super) fn check(ast: Ast, source: &str, env: &Env<'_>) -> Result<Checked, Issues> {
    let count = ast.ids as usize;
    let mut root = ast.root;
    let mut checker = Checker {
        env,
        functions: Functions::of(env.version),
        unifier: Unifier::default(),
        types: vec![Type::Error; count],
        meanings: vec![Meaning::None; count],
        locals: Vec::new(),
        issues: Issues::new(source),
    };
    checker.check(&mut root);
    if !checker.issues.is_empty() {
        return Err(checker.issues);
    }
    let types = checker.types.iter();
    let types = types.map(|kind| checker.unifier.finish(kind)).collect();
    Ok(Checked {
        root,
        types,
        meanings: checker.meanings,
    })
}

struct Checker<'a> {
    env: &'a Env<'a>,
    functions: &'static Functions,
    unifier: Unifier,
    types: Vec<Type>,
    meanings: Vec<Meaning>,
    /// Variables of the comprehensions around, innermost last.
    locals: Vec<(String, Type)>,
    issues: Issues,
}

impl Checker<'_> {
    fn set(&mut self, expr: &Expr, kind: Type) {
        // Maps of maps of maps double with every step, which only a hostile expression does.
        let kind = if weighs(&kind, &mut WEIGHT_MAX.clone()) {
            kind
        } else {
            self.issue(expr, "the type is too large".to_owned());
            Type::Error
        };
        self.types[expr.id as usize] = kind;
    }

    fn get(&self, expr: &Expr) -> Type {
        self.types[expr.id as usize].clone()
    }

    fn issue(&mut self, expr: &Expr, text: String) {
        self.issues.add(expr.at, text);
    }

    fn undeclared(&mut self, expr: &Expr, name: &str) {
        self.issue(
            expr,
            format!("undeclared reference to '{name}' (in container '')"),
        );
        self.set(expr, Type::Error);
    }

    fn mismatch(&mut self, expr: &Expr, expected: &Type, actual: &Type) {
        self.issue(
            expr,
            format!("expected type '{expected}' but found '{actual}'"),
        );
    }

    fn check(&mut self, expr: &mut Expr) {
        match &mut expr.kind {
            ExprKind::Error => {}
            ExprKind::Literal(literal) => {
                let kind = literal_type(literal);
                self.set(expr, kind);
            }
            ExprKind::Ident(name) => {
                let name = std::mem::take(name);
                self.ident(expr, name);
            }
            ExprKind::Select(_) => self.select(expr),
            ExprKind::Call(_) => self.call(expr),
            ExprKind::List { .. } => self.list(expr),
            ExprKind::Map(_) => self.map(expr),
            ExprKind::Struct { name, fields } => {
                let name = name.clone();
                for field in fields {
                    self.check(&mut field.value);
                }
                self.undeclared(expr, &name);
            }
            ExprKind::Comprehension(_) => self.comprehension(expr),
        }
    }

    fn local(&self, name: &str) -> Option<&Type> {
        let found = self.locals.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, kind)| kind)
    }

    /// Resolves a name of the environment, a variable or a type.
    fn global(&self, name: &str) -> Option<(Type, Meaning)> {
        let mut variables = self.env.variables.iter();
        if let Some(place) = variables.position(|(known, _)| *known == name) {
            let kind = self.env.variables[place].1.clone();
            return Some((kind, Meaning::Variable(place)));
        }
        let kind = named_type(name)?;
        let of = Type::Type(Some(std::sync::Arc::new(kind.clone())));
        Some((of, Meaning::Type(kind)))
    }

    fn ident(&mut self, expr: &mut Expr, name: String) {
        if let Some(kind) = self.local(&name) {
            let kind = kind.clone();
            self.set(expr, kind);
            expr.kind = ExprKind::Ident(name);
            return;
        }
        let plain = name.strip_prefix('.').unwrap_or(&name);
        match self.global(plain) {
            Some((kind, meaning)) => {
                self.set(expr, kind);
                self.meanings[expr.id as usize] = meaning;
                expr.kind = ExprKind::Ident(plain.to_owned());
            }
            None => {
                self.undeclared(expr, &name);
                expr.kind = ExprKind::Ident(name);
            }
        }
    }

    fn select(&mut self, expr: &mut Expr) {
        let mut parts = Vec::new();
        if qualified(expr, &mut parts) {
            let first = parts.first().map_or("", String::as_str);
            let is_local = self.local(first).is_some() && !first.starts_with('.');
            let name = parts.join(".");
            let plain = name.strip_prefix('.').unwrap_or(&name);
            if let (false, Some((kind, meaning))) = (is_local, self.global(plain)) {
                self.set(expr, kind);
                self.meanings[expr.id as usize] = meaning;
                expr.kind = ExprKind::Ident(plain.to_owned());
                return;
            }
        }
        let (at, id) = (expr.at, expr.id);
        let ExprKind::Select(select) = &mut expr.kind else {
            return;
        };
        let found = self.field(at, &mut select.operand, &select.field, false);
        let kind = if select.test_only {
            Type::Bool
        } else {
            self.unifier.resolve(&found)
        };
        self.types[id as usize] = kind;
    }

    /// Checks the operand of a selection and returns the type of the field.
    fn field(&mut self, at: u32, operand: &mut Expr, field: &str, optional: bool) -> Type {
        self.check(operand);
        let operand = self.get(operand);
        let operand = self.unifier.resolve(&operand);
        let (target, is_optional) = match operand.as_optional() {
            Some(inner) => (inner, true),
            None => (&operand, false),
        };
        let result = match target {
            Type::Map(parts) => parts.1.clone(),
            Type::Object(object) => match self.object_field(object.decl, field) {
                Some(kind) => kind,
                None => {
                    let text = if object.decl.is_some() {
                        format!("undefined field '{field}'")
                    } else {
                        format!("unexpected failed resolution of '{}'", object.name)
                    };
                    self.issues.add(at, text);
                    Type::Error
                }
            },
            Type::Param(_) => {
                self.unifier.assignable(&Type::Dyn, target);
                Type::Dyn
            }
            _ => {
                if !target.is_dyn_or_error() {
                    let text = format!("type '{target}' does not support field selection");
                    self.issues.add(at, text);
                }
                Type::Dyn
            }
        };
        if is_optional || optional {
            return Type::optional(result);
        }
        result
    }

    fn object_field(&self, decl: Option<u32>, field: &str) -> Option<Type> {
        let decl = self.env.decls.get(decl?);
        let found = decl.field(field);
        // Reserved words can be said as names of fields, where nothing else can be meant.
        let found = found.or_else(|| decl.field_named(field).filter(|_| is_reserved(field)));
        self.env.decls.type_of(found?.decl)
    }

    fn call(&mut self, expr: &mut Expr) {
        let (at, id) = (expr.at, expr.id);
        let ExprKind::Call(call) = &mut expr.kind else {
            return;
        };
        if call.function == op::OPT_SELECT && call.target.is_none() {
            return self.opt_select(expr);
        }
        for arg in &mut call.args {
            self.check(arg);
        }
        let known = |checker: &Self, name: &str| checker.functions.find(name).is_some();
        if call.target.is_none() {
            let name = call.function.strip_prefix('.').unwrap_or(&call.function);
            if !known(self, name) {
                let name = call.function.clone();
                return self.undeclared(expr, &name);
            }
            call.function = name.to_owned();
            return self.resolve(at, id, call);
        }
        let mut parts = Vec::new();
        let target = call.target.as_mut().expect("there is a target");
        if qualified(target, &mut parts) {
            let name = format!("{}.{}", parts.join("."), call.function);
            let name = name.strip_prefix('.').unwrap_or(&name);
            if known(self, name) {
                call.function = name.to_owned();
                call.target = None;
                return self.resolve(at, id, call);
            }
        }
        self.check(target);
        if !known(self, &call.function) {
            let name = call.function.clone();
            return self.undeclared(expr, &name);
        }
        self.resolve(at, id, call);
    }

    fn opt_select(&mut self, expr: &mut Expr) {
        let (at, id) = (expr.at, expr.id);
        let ExprKind::Call(call) = &mut expr.kind else {
            return;
        };
        let [operand, field] = call.args.as_mut_slice() else {
            return;
        };
        let ExprKind::Literal(Literal::String(name)) = &field.kind else {
            return;
        };
        let found = self.field(at, operand, name, true);
        self.types[field.id as usize] = Type::String;
        self.types[id as usize] = self.unifier.resolve(&found);
        let overload = (self.functions.find(op::OPT_SELECT)).and_then(|all| all.first());
        self.meanings[id as usize] = Meaning::Overloads(overload.into_iter().collect());
    }

    /// Finds the overloads that a call may mean.
    fn resolve(&mut self, at: u32, id: u32, call: &Call) {
        let target = call.target.iter();
        let args: Vec<Type> = target.chain(&call.args).map(|arg| self.get(arg)).collect();
        if matches!(call.function.as_str(), op::AND | op::OR) {
            return self.logical(id, call, &args);
        }
        let mut result: Option<Type> = None;
        let mut found = Vec::new();
        let overloads = self.functions.find(&call.function).unwrap_or_default();
        for overload in overloads {
            if overload.is_member != call.target.is_some() || overload.args.len() != args.len() {
                continue;
            }
            let first = self.unifier.reserve(overload.parameters);
            let instance = |kind: &Type| Unifier::instantiate(kind, first);
            let wanted: Vec<Type> = overload.args.iter().map(instance).collect();
            if !self.unifier.all_assignable(&args, &wanted) {
                continue;
            }
            found.push(overload);
            let kind = self.unifier.resolve(&instance(&overload.result));
            result = Some(match result {
                None => kind,
                Some(before) if before.is_dyn() || before == kind => before,
                Some(_) => Type::Dyn,
            });
        }
        let Some(result) = result else {
            let args: Vec<Type> = args.iter().map(|kind| self.unifier.finish(kind)).collect();
            let text = signature(&args, call.target.is_some());
            let name = &call.function;
            let text = format!("found no matching overload for '{name}' applied to '{text}'");
            self.issues.add(at, text);
            self.types[id as usize] = Type::Error;
            return;
        };
        self.types[id as usize] = result;
        self.meanings[id as usize] = Meaning::Overloads(found);
    }

    fn logical(&mut self, id: u32, call: &Call, args: &[Type]) {
        let mut failed = false;
        for (arg, kind) in call.args.iter().zip(args) {
            if !self.unifier.assignable(kind, &Type::Bool) {
                self.mismatch(arg, &Type::Bool, kind);
                failed = true;
            }
        }
        if failed {
            self.types[id as usize] = Type::Error;
            return;
        }
        self.types[id as usize] = Type::Bool;
        let overloads = self.functions.find(&call.function).unwrap_or_default();
        self.meanings[id as usize] = Meaning::Overloads(overloads.iter().collect());
    }

    /// Takes the optional off the type of an element written with `?`.
    fn unwrapped(&mut self, expr: &Expr, kind: Type, optional: bool) -> Type {
        if !optional {
            return kind;
        }
        if let Some(inner) = kind.as_optional() {
            return inner.clone();
        }
        if !kind.is_dyn() {
            let wanted = Type::optional(kind.clone());
            self.mismatch(expr, &wanted, &kind);
        }
        kind
    }

    fn join(&mut self, expr: &Expr, before: Option<Type>, kind: Type) -> Type {
        let Some(before) = before else {
            return kind;
        };
        if self.unifier.assignable(&before, &kind) {
            return most_general(&before, &kind).clone();
        }
        if self.env.dialect != Dialect::Kubernetes {
            return Type::Dyn;
        }
        self.mismatch(expr, &before, &kind);
        Type::Error
    }

    fn list(&mut self, expr: &mut Expr) {
        let ExprKind::List { elements, optional } = &mut expr.kind else {
            return;
        };
        let mut joined = None;
        for (place, element) in (0_u32..).zip(elements) {
            self.check(element);
            let kind = self.get(element);
            let kind = self.unwrapped(element, kind, optional.contains(&place));
            joined = Some(self.join(element, joined, kind));
        }
        let item = joined.unwrap_or_else(|| self.unifier.fresh());
        self.set(expr, Type::list(item));
    }

    fn map(&mut self, expr: &mut Expr) {
        let ExprKind::Map(entries) = &mut expr.kind else {
            return;
        };
        let (mut keys, mut values) = (None, None);
        for entry in entries {
            self.check(&mut entry.key);
            let kind = self.get(&entry.key);
            keys = Some(self.join(&entry.key, keys, kind));
            self.check(&mut entry.value);
            let kind = self.get(&entry.value);
            let kind = self.unwrapped(&entry.value, kind, entry.optional);
            values = Some(self.join(&entry.value, values, kind));
        }
        let key = keys.unwrap_or_else(|| self.unifier.fresh());
        let value = values.unwrap_or_else(|| self.unifier.fresh());
        self.set(expr, Type::map(key, value));
    }

    fn comprehension(&mut self, expr: &mut Expr) {
        let ExprKind::Comprehension(fold) = &mut expr.kind else {
            return;
        };
        let fold: &mut Comprehension = fold;
        self.check(&mut fold.range);
        self.check(&mut fold.init);
        let range = self.get(&fold.range);
        let range = self.unifier.resolve(&range);
        let accumulated = self.get(&fold.init);
        let outer = self.locals.len();
        (self.locals).push((fold.accumulator.clone(), accumulated.clone()));
        let two = fold.variable2.is_some();
        let (first, second) = match &range {
            Type::List(item) if two => (Type::Int, (**item).clone()),
            Type::List(item) => ((**item).clone(), Type::Error),
            Type::Map(parts) => (parts.0.clone(), parts.1.clone()),
            Type::Dyn | Type::Error | Type::Param(_) => {
                self.unifier.assignable(&Type::Dyn, &range);
                (Type::Dyn, Type::Dyn)
            }
            _ => {
                let text = format!(
                    "expression of type '{range}' cannot be range of a comprehension \
                     (must be list, map, or dynamic)"
                );
                self.issues.add(fold.range.at, text);
                (Type::Error, Type::Error)
            }
        };
        self.locals.push((fold.variable.clone(), first));
        if let Some(variable) = &fold.variable2 {
            self.locals.push((variable.clone(), second));
        }
        self.check(&mut fold.condition);
        self.assert(&fold.condition, &Type::Bool);
        self.check(&mut fold.step);
        self.assert(&fold.step, &accumulated);
        self.locals.truncate(outer + 1);
        self.check(&mut fold.result);
        self.locals.truncate(outer);
        let result = self.get(&fold.result);
        let result = self.unifier.resolve(&result);
        self.set(expr, result);
    }

    fn assert(&mut self, expr: &Expr, wanted: &Type) {
        let kind = self.get(expr);
        if !self.unifier.assignable(wanted, &kind) {
            self.mismatch(expr, wanted, &kind);
        }
    }
}

/// How many parts a type may have.
const WEIGHT_MAX: usize = 2_000;

/// Returns whether a type has no more parts than are left.
fn weighs(kind: &Type, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    match kind {
        Type::List(item) => weighs(item, left),
        Type::Map(parts) => weighs(&parts.0, left) && weighs(&parts.1, left),
        Type::Opaque(named) => named.1.iter().all(|part| weighs(part, left)),
        Type::Type(Some(inner)) => weighs(inner, left),
        _ => true,
    }
}

fn is_reserved(name: &str) -> bool {
    super::parse::RESERVED.contains(&name)
}

pub(super) fn literal_type(literal: &Literal) -> Type {
    match literal {
        Literal::Null => Type::Null,
        Literal::Bool(_) => Type::Bool,
        Literal::Int(_) => Type::Int,
        Literal::Uint(_) => Type::Uint,
        Literal::Double(_) => Type::Double,
        Literal::String(_) => Type::String,
        Literal::Bytes(_) => Type::Bytes,
    }
}

/// Gathers the names of `a.b.c`; answers false if the expression is anything else.
fn qualified(expr: &Expr, parts: &mut Vec<String>) -> bool {
    match &expr.kind {
        ExprKind::Ident(name) => {
            parts.push(name.clone());
            true
        }
        ExprKind::Select(select) if !select.test_only => {
            if !qualified(&select.operand, parts) {
                return false;
            }
            parts.push(select.field.clone());
            true
        }
        _ => false,
    }
}

/// Returns the type with this name.
fn named_type(name: &str) -> Option<Type> {
    Some(match name {
        "bool" => Type::Bool,
        "bytes" => Type::Bytes,
        "double" => Type::Double,
        "google.protobuf.Duration" => Type::Duration,
        "google.protobuf.Timestamp" => Type::Timestamp,
        "int" => Type::Int,
        "list" => Type::list(Type::Dyn),
        "map" => Type::map(Type::Dyn, Type::Dyn),
        "null_type" => Type::Null,
        "optional_type" => Type::optional(Type::Dyn),
        "string" => Type::String,
        "type" => Type::Type(None),
        "uint" => Type::Uint,
        "net.IP" | "net.CIDR" => Type::opaque(name, Vec::new()),
        _ => return None,
    })
}

fn signature(args: &[Type], is_member: bool) -> String {
    let (target, args) = match args {
        [target, rest @ ..] if is_member => (format!("{target}."), rest),
        _ => (String::new(), args),
    };
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    format!("{target}({})", args.join(", "))
}
