//! Makes a program of a checked expression: names become places, calls become functions.
//!
//! What is counted for each step depends on how upstream plans it, so the plan has the same parts:
//! a variable with its selections is one attribute; literals of literals are constants; `in` a
//! constant list is a look into a set.

use regex::Regex;

use super::{
    ast::{Call, Comprehension, Expr, ExprKind, Literal, op},
    charge::Charge,
    check::{Checked, Meaning},
    declared::{DeclId, Decls},
    kind::Type,
    library,
    value::{Const, Fault, Val},
};
use crate::validate::compile_pattern;

/// One step of a program.
#[derive(Debug)]
pub(super) enum Node {
    Const(Const),
    /// A variable of a comprehension.
    Slot(usize),
    /// A variable of the environment.
    Variable(usize),
    Attribute(Box<Attribute>),
    Conditional(Box<[Node; 3]>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    Equal(Box<[Node; 2]>),
    NotEqual(Box<[Node; 2]>),
    /// Everything but false is true, failures too.
    NotStrictlyFalse(Box<Node>),
    Call(Box<CallNode>),
    /// Membership in a constant list of scalars.
    InSet(Box<(Node, Vec<Const>)>),
    List(Box<ListNode>),
    Map(Vec<MapEntry>),
    /// Adds an element to the list of an accumulator.
    Append(Box<(usize, Node)>),
    Fold(Box<Fold>),
    /// `or` and `orValue` of optional values, which look at their argument only if need be.
    OptionalOr(Box<(Node, Node, bool)>),
}

/// A value and the selections on it.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) root: Root,
    pub(super) qualifiers: Vec<Qualifier>,
    /// The last selection only asks whether the field is there.
    pub(super) test_only: bool,
}

#[derive(Debug)]
pub(super) enum Root {
    Slot(usize),
    Variable(usize),
    Node(Node),
    Conditional(Box<[Node; 3]>),
}

/// One selection.
#[derive(Debug)]
pub(super) struct Qualifier {
    pub(super) kind: QualifierKind,
    pub(super) optional: bool,
}

#[derive(Debug)]
pub(super) enum QualifierKind {
    /// A field by its name in expressions, and what is known of it if the object is declared.
    Field(Const, Option<KnownField>),
    Key(Const),
    /// A key that is reckoned.
    Node(Node),
}

/// A field of a declared object.
#[derive(Debug)]
pub(super) struct KnownField {
    pub(super) object: DeclId,
    pub(super) name: api::Text,
    pub(super) field: DeclId,
}

#[derive(Debug)]
pub(super) struct CallNode {
    pub(super) name: String,
    pub(super) function: library::Function,
    pub(super) args: Vec<Node>,
    pub(super) charge: Charge,
    /// It goes through all that is in its arguments, whatever it is charged.
    pub(super) walks: bool,
    /// The second argument, compiled, if it is a constant pattern.
    pub(super) pattern: Option<Regex>,
}

#[derive(Debug)]
pub(super) struct ListNode {
    pub(super) elements: Vec<Node>,
    pub(super) optional: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct MapEntry {
    pub(super) key: Node,
    pub(super) value: Node,
    pub(super) optional: bool,
}

#[derive(Debug)]
pub(super) struct Fold {
    pub(super) kind: FoldKind,
    pub(super) range: Node,
    pub(super) accumulator: usize,
    pub(super) variable: usize,
    pub(super) variable2: Option<usize>,
    pub(super) init: Node,
    pub(super) condition: Node,
    /// For all and exists only the predicate.
    pub(super) step: Node,
    pub(super) result: Node,
}

/// Folds that need no accumulator to be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoldKind {
    All,
    Exists,
    Other,
}

/// Makes the program; answers also how many places for variables it needs.
pub(super) fn plan(checked: &Checked, decls: &Decls) -> Result<(Node, usize), Fault> {
    let mut planner = Planner {
        checked,
        decls,
        locals: Vec::new(),
        slots: 0,
    };
    let root = planner.node(&checked.root)?;
    Ok((root, planner.slots))
}

struct Planner<'a> {
    checked: &'a Checked,
    decls: &'a Decls,
    locals: Vec<&'a str>,
    slots: usize,
}

impl<'a> Planner<'a> {
    fn node(&mut self, expr: &'a Expr) -> Result<Node, Fault> {
        Ok(match &expr.kind {
            ExprKind::Error | ExprKind::Struct { .. } => {
                return Err(Fault::new("unsupported expression"));
            }
            ExprKind::Literal(literal) => Node::Const(constant(literal)),
            ExprKind::Ident(name) => self.ident(expr, name),
            ExprKind::Select(select) => {
                let operand = self.node(&select.operand)?;
                let field = Const::String(select.field.as_str().into());
                let known = self.known_field(&select.operand, &select.field);
                let kind = QualifierKind::Field(field, known);
                qualified(operand, kind, false, select.test_only)
            }
            ExprKind::Call(call) => self.call(expr, call)?,
            ExprKind::List { elements, optional } => {
                let elements = self.nodes(elements)?;
                if optional.is_empty() && elements.iter().all(is_const) {
                    return Ok(Node::Const(Const::List(constants(elements))));
                }
                let optional = optional.clone();
                Node::List(Box::new(ListNode { elements, optional }))
            }
            ExprKind::Map(entries) => {
                let mut made = Vec::with_capacity(entries.len());
                for entry in entries {
                    made.push(MapEntry {
                        key: self.node(&entry.key)?,
                        value: self.node(&entry.value)?,
                        optional: entry.optional,
                    });
                }
                let plain = |entry: &MapEntry| {
                    is_const(&entry.key) && is_const(&entry.value) && !entry.optional
                };
                if made.iter().all(plain) {
                    return Ok(Node::Const(constant_map(made)?));
                }
                Node::Map(made)
            }
            ExprKind::Comprehension(fold) => self.fold(fold)?,
        })
    }

    fn nodes(&mut self, exprs: &'a [Expr]) -> Result<Vec<Node>, Fault> {
        exprs.iter().map(|expr| self.node(expr)).collect()
    }

    fn ident(&self, expr: &Expr, name: &str) -> Node {
        match self.checked.meaning(expr) {
            Meaning::Variable(place) => Node::Variable(*place),
            Meaning::Type(kind) => Node::Const(Const::Type(kind.name().into())),
            _ => {
                let place = self.locals.iter().rposition(|known| *known == name);
                Node::Slot(place.expect("the checker has resolved every name"))
            }
        }
    }

    /// Looks a field up beforehand if the operand is a declared object.
    fn known_field(&self, operand: &Expr, name: &str) -> Option<KnownField> {
        let kind = self.checked.type_of(operand);
        let kind = kind.as_optional().unwrap_or(kind);
        let Type::Object(object) = kind else {
            return None;
        };
        let decl = self.decls.get(object.decl?);
        let field = decl.field(name).or_else(|| decl.field_named(name))?;
        Some(KnownField {
            object: object.decl?,
            name: field.name.clone(),
            field: field.decl,
        })
    }

    fn call(&mut self, expr: &'a Expr, call: &'a Call) -> Result<Node, Fault> {
        let mut args = Vec::with_capacity(call.args.len() + 1);
        if let Some(target) = &call.target {
            args.push(self.node(target)?);
        }
        for arg in &call.args {
            args.push(self.node(arg)?);
        }
        let overload = match self.checked.overloads(expr) {
            [one] => one.id,
            _ => "",
        };
        let function = call.function.as_str();
        if let Some(special) = self.special(call, overload, &mut args) {
            return Ok(special);
        }
        let is_member = call.target.is_some();
        let found = library::find(function, is_member, args.len());
        let found = found.ok_or_else(|| Fault::new(format!("no such overload: {function}")))?;
        if let (true, [Node::Const(arg)]) = (library::is_conversion(function), args.as_slice()) {
            let value = found(&[Val::from(arg)])?;
            if let Some(value) = Const::of(&value) {
                return Ok(Node::Const(value));
            }
        }
        let pattern = match (function, args.get(1)) {
            ("matches" | "find" | "findAll", Some(Node::Const(Const::String(pattern)))) => {
                Some(compile_pattern(pattern).map_err(Fault::new)?)
            }
            _ => None,
        };
        Ok(Node::Call(Box::new(CallNode {
            name: function.to_owned(),
            function: found,
            charge: Charge::of(function, overload, args.len()),
            walks: library::walks(function),
            args,
            pattern,
        })))
    }

    /// Operators that are steps of their own.
    fn special(&self, call: &Call, overload: &str, args: &mut Vec<Node>) -> Option<Node> {
        let two = |args: &mut Vec<Node>| -> Option<Box<[Node; 2]>> {
            let args: [Node; 2] = std::mem::take(args).try_into().ok()?;
            Some(Box::new(args))
        };
        Some(match call.function.as_str() {
            op::AND => Node::And(two(args)?),
            op::OR => Node::Or(two(args)?),
            op::EQUALS => Node::Equal(two(args)?),
            op::NOT_EQUALS => Node::NotEqual(two(args)?),
            op::CONDITIONAL => {
                let args: [Node; 3] = std::mem::take(args).try_into().ok()?;
                Node::Conditional(Box::new(args))
            }
            op::NOT_STRICTLY_FALSE => Node::NotStrictlyFalse(Box::new(args.pop()?)),
            op::INDEX | op::OPT_INDEX | op::OPT_SELECT => {
                let (index, operand) = (args.pop()?, args.pop()?);
                let optional = call.function != op::INDEX;
                let kind = match index {
                    Node::Const(Const::String(field)) if call.function == op::OPT_SELECT => {
                        let known = self.known_field(&call.args[0], &field);
                        QualifierKind::Field(Const::String(field), known)
                    }
                    Node::Const(key) => QualifierKind::Key(key),
                    node => QualifierKind::Node(node),
                };
                qualified(operand, kind, optional, false)
            }
            op::IN if overload == "in_list" => match args.get(1) {
                Some(Node::Const(Const::List(items))) if items.is_empty() => {
                    Node::Const(Const::Bool(false))
                }
                Some(Node::Const(Const::List(items))) if items.iter().all(is_scalar) => {
                    let Some(Node::Const(Const::List(items))) = args.pop() else {
                        return None;
                    };
                    Node::InSet(Box::new((args.pop()?, items)))
                }
                _ => return None,
            },
            "or" | "orValue" if call.target.is_some() => {
                let (other, target) = (args.pop()?, args.pop()?);
                Node::OptionalOr(Box::new((target, other, call.function == "orValue")))
            }
            _ => return None,
        })
    }

    fn fold(&mut self, fold: &'a Comprehension) -> Result<Node, Fault> {
        let init = self.node(&fold.init)?;
        let range = self.node(&fold.range)?;
        let accumulator = self.push(&fold.accumulator);
        let variable = self.push(&fold.variable);
        let variable2 = fold.variable2.as_ref().map(|name| self.push(name));
        let condition = self.node(&fold.condition)?;
        let (kind, step) = match quantifier(fold) {
            Some((kind, predicate)) => (kind, self.node(predicate)?),
            None => (FoldKind::Other, self.node(&fold.step)?),
        };
        let step = appending(step, accumulator, &init);
        self.locals.truncate(accumulator + 1);
        let result = self.node(&fold.result)?;
        self.locals.truncate(accumulator);
        Ok(Node::Fold(Box::new(Fold {
            kind,
            range,
            accumulator,
            variable,
            variable2,
            init,
            condition,
            step,
            result,
        })))
    }

    fn push(&mut self, name: &'a str) -> usize {
        self.locals.push(name);
        self.slots = self.slots.max(self.locals.len());
        self.locals.len() - 1
    }
}

/// Returns the predicate if the fold is what `all` or `exists` expand to.
fn quantifier(fold: &Comprehension) -> Option<(FoldKind, &Expr)> {
    let is_accu =
        |expr: &Expr| matches!(&expr.kind, ExprKind::Ident(name) if *name == fold.accumulator);
    let ExprKind::Call(step) = &fold.step.kind else {
        return None;
    };
    let ExprKind::Call(condition) = &fold.condition.kind else {
        return None;
    };
    if condition.function != op::NOT_STRICTLY_FALSE || !is_accu(&fold.result) {
        return None;
    }
    let kind = match (&fold.init.kind, step.function.as_str()) {
        (ExprKind::Literal(Literal::Bool(true)), op::AND) => FoldKind::All,
        (ExprKind::Literal(Literal::Bool(false)), op::OR) => FoldKind::Exists,
        _ => return None,
    };
    match step.args.as_slice() {
        [accu, predicate] if is_accu(accu) && !mentions(predicate, &fold.accumulator) => {
            Some((kind, predicate))
        }
        _ => None,
    }
}

/// Returns whether a name occurs outside of inner comprehensions that have their own.
fn mentions(expr: &Expr, name: &str) -> bool {
    match &expr.kind {
        ExprKind::Ident(known) => known == name,
        ExprKind::Comprehension(fold) if fold.accumulator == name => {
            mentions(&fold.range, name) || mentions(&fold.init, name)
        }
        _ => {
            let mut found = false;
            expr.children(&mut |child| found |= mentions(child, name));
            found
        }
    }
}

/// Makes `accumulator + [element]` an addition in place.
fn appending(step: Node, accumulator: usize, init: &Node) -> Node {
    if !matches!(init, Node::Const(Const::List(items)) if items.is_empty()) {
        return step;
    }
    match step {
        Node::Call(call) if call.name == op::ADD => {
            let mut call = call;
            match call.args.as_mut_slice() {
                [Node::Slot(slot), Node::List(list)]
                    if *slot == accumulator
                        && list.elements.len() == 1
                        && list.optional.is_empty() =>
                {
                    let element = list.elements.pop().expect("its length has been looked at");
                    Node::Append(Box::new((accumulator, element)))
                }
                _ => Node::Call(call),
            }
        }
        Node::Conditional(parts) => {
            let [condition, yes, no] = *parts;
            let yes = appending(yes, accumulator, init);
            Node::Conditional(Box::new([condition, yes, no]))
        }
        other => other,
    }
}

/// Adds a selection to what it selects from.
fn qualified(operand: Node, kind: QualifierKind, optional: bool, test_only: bool) -> Node {
    let root = match operand {
        Node::Attribute(mut attribute) if !attribute.test_only => {
            attribute.qualifiers.push(Qualifier { kind, optional });
            attribute.test_only = test_only;
            return Node::Attribute(attribute);
        }
        Node::Slot(place) => Root::Slot(place),
        Node::Variable(place) => Root::Variable(place),
        Node::Conditional(parts) => Root::Conditional(parts),
        other => Root::Node(other),
    };
    Node::Attribute(Box::new(Attribute {
        root,
        qualifiers: vec![Qualifier { kind, optional }],
        test_only,
    }))
}

fn is_const(node: &Node) -> bool {
    matches!(node, Node::Const(_))
}

fn is_scalar(value: &Const) -> bool {
    matches!(
        value,
        Const::Bool(_) | Const::Int(_) | Const::Uint(_) | Const::Double(_) | Const::String(_)
    )
}

fn constants(nodes: Vec<Node>) -> Vec<Const> {
    let constant = |node| match node {
        Node::Const(value) => Some(value),
        _ => None,
    };
    nodes.into_iter().filter_map(constant).collect()
}

fn constant_map(entries: Vec<MapEntry>) -> Result<Const, Fault> {
    let mut made: Vec<(Const, Const)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let (Node::Const(key), Node::Const(value)) = (entry.key, entry.value) else {
            continue;
        };
        match made.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => made.push((key, value)),
        }
    }
    Ok(Const::Map(made))
}

pub(super) fn constant(literal: &Literal) -> Const {
    match literal {
        Literal::Null => Const::Null,
        Literal::Bool(value) => Const::Bool(*value),
        Literal::Int(value) => Const::Int(*value),
        Literal::Uint(value) => Const::Uint(*value),
        Literal::Double(value) => Const::Double(*value),
        Literal::String(text) => Const::String(text.as_str().into()),
        Literal::Bytes(bytes) => Const::Bytes(bytes.as_slice().into()),
    }
}

impl Const {
    /// Returns a scalar as a constant.
    pub(super) fn of(value: &Val<'_>) -> Option<Self> {
        Some(match value {
            Val::Null => Self::Null,
            Val::Bool(value) => Self::Bool(*value),
            Val::Int(value) => Self::Int(*value),
            Val::Uint(value) => Self::Uint(*value),
            Val::Double(value) => Self::Double(*value),
            Val::String(text) => Self::String(text.as_str().into()),
            Val::Bytes(bytes) => Self::Bytes(bytes.as_slice().into()),
            Val::Duration(nanos) => Self::Duration(*nanos),
            Val::Timestamp(time) => Self::Timestamp(*time),
            Val::Type(name) => Self::Type(name.as_str().into()),
            Val::List(list) => {
                let items = list.items().map(|item| Self::of(&item.ok()?));
                Self::List(items.collect::<Option<_>>()?)
            }
            Val::Map(map) => {
                let keys = map.keys();
                let entries = keys.iter().map(|key| {
                    let value = map.find(key).ok()??;
                    Some((Self::of(key)?, Self::of(&value)?))
                });
                Self::Map(entries.collect::<Option<_>>()?)
            }
            Val::Optional(_) | Val::Extension(_) | Val::Hidden(_) => return None,
        })
    }
}
