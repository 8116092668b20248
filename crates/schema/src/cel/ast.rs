//! The tree of an expression, after its macros were expanded.
//!
//! Every node has a number of its own (its place in the tables that the checker and the cost
//! estimate fill) and the byte of the source where it is reported.

/// One node.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Number of the node, unique in its tree.
    pub id: u32,
    /// Byte offset in the source.
    pub at: u32,
    /// How many operators, selections and calls lie on the longest way down; bounded by the parser.
    pub depth: u16,
    /// What it is.
    pub kind: ExprKind,
}

/// What a node is.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the language's own")]
pub enum ExprKind {
    /// What stands where an error was found.
    Error,
    Literal(Literal),
    Ident(String),
    Select(Box<Select>),
    Call(Box<Call>),
    List {
        elements: Vec<Expr>,
        /// Places of elements written `?e`, ascending.
        optional: Vec<u32>,
    },
    Map(Vec<Entry>),
    Struct {
        name: String,
        fields: Vec<StructField>,
    },
    Comprehension(Box<Comprehension>),
}

/// A constant written in the source.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the language's own")]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
}

/// `operand.field`, or the test whether it is there.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the language's own")]
pub struct Select {
    pub operand: Expr,
    pub field: String,
    /// `has(operand.field)`
    pub test_only: bool,
}

/// A call of a function or an operator.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the language's own")]
pub struct Call {
    pub function: String,
    pub target: Option<Expr>,
    pub args: Vec<Expr>,
}

/// One entry of a map literal.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the language's own")]
pub struct Entry {
    pub key: Expr,
    pub value: Expr,
    /// Written `?key: value`.
    pub optional: bool,
}

/// One field of a struct literal.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the language's own")]
pub struct StructField {
    pub at: u32,
    pub name: String,
    pub value: Expr,
    pub optional: bool,
}

/// A fold over a list or a map; what most macros become.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the language's own")]
pub struct Comprehension {
    pub range: Expr,
    pub variable: String,
    pub variable2: Option<String>,
    pub accumulator: String,
    pub init: Expr,
    pub condition: Expr,
    pub step: Expr,
    pub result: Expr,
}

/// An expression and how many numbers its nodes use.
#[derive(Clone, Debug)]
pub struct Ast {
    /// The root.
    pub root: Expr,
    /// All node numbers are below this one.
    pub ids: u32,
}

/// Name of the accumulator of the macros, which no source can say.
pub const ACCUMULATOR: &str = "__result__";

/// Name of a loop variable that nobody reads.
pub const UNUSED: &str = "#unused";

/// Names of operators as functions.
#[allow(missing_docs, reason = "the names are the language's own")]
pub mod op {
    pub const CONDITIONAL: &str = "_?_:_";
    pub const AND: &str = "_&&_";
    pub const OR: &str = "_||_";
    pub const NOT: &str = "!_";
    pub const EQUALS: &str = "_==_";
    pub const NOT_EQUALS: &str = "_!=_";
    pub const LESS: &str = "_<_";
    pub const LESS_EQUALS: &str = "_<=_";
    pub const GREATER: &str = "_>_";
    pub const GREATER_EQUALS: &str = "_>=_";
    pub const ADD: &str = "_+_";
    pub const SUBTRACT: &str = "_-_";
    pub const MULTIPLY: &str = "_*_";
    pub const DIVIDE: &str = "_/_";
    pub const MODULO: &str = "_%_";
    pub const NEGATE: &str = "-_";
    pub const INDEX: &str = "_[_]";
    pub const OPT_INDEX: &str = "_[?_]";
    pub const OPT_SELECT: &str = "_?._";
    pub const IN: &str = "@in";
    pub const NOT_STRICTLY_FALSE: &str = "@not_strictly_false";
    pub const MAP_INSERT: &str = "cel.@mapInsert";
}

impl Expr {
    /// Returns whether the node is a list literal without elements.
    #[must_use]
    pub fn is_empty_list(&self) -> bool {
        matches!(&self.kind, ExprKind::List { elements, .. } if elements.is_empty())
    }

    /// Calls `visit` with every direct child, in the order in which they are evaluated.
    pub fn children<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match &self.kind {
            ExprKind::Error | ExprKind::Literal(_) | ExprKind::Ident(_) => {}
            ExprKind::Select(select) => visit(&select.operand),
            ExprKind::Call(call) => {
                call.target.iter().for_each(&mut *visit);
                call.args.iter().for_each(visit);
            }
            ExprKind::List { elements, .. } => elements.iter().for_each(visit),
            ExprKind::Map(entries) => {
                for entry in entries {
                    visit(&entry.key);
                    visit(&entry.value);
                }
            }
            ExprKind::Struct { fields, .. } => fields.iter().for_each(|field| visit(&field.value)),
            ExprKind::Comprehension(fold) => {
                for part in [
                    &fold.range,
                    &fold.init,
                    &fold.condition,
                    &fold.step,
                    &fold.result,
                ] {
                    visit(part);
                }
            }
        }
    }

    /// Calls `visit` with every direct child, for change.
    pub fn children_mut(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        match &mut self.kind {
            ExprKind::Error | ExprKind::Literal(_) | ExprKind::Ident(_) => {}
            ExprKind::Select(select) => visit(&mut select.operand),
            ExprKind::Call(call) => {
                call.target.iter_mut().for_each(&mut *visit);
                call.args.iter_mut().for_each(visit);
            }
            ExprKind::List { elements, .. } => elements.iter_mut().for_each(visit),
            ExprKind::Map(entries) => {
                for entry in entries {
                    visit(&mut entry.key);
                    visit(&mut entry.value);
                }
            }
            ExprKind::Struct { fields, .. } => {
                fields.iter_mut().for_each(|field| visit(&mut field.value));
            }
            ExprKind::Comprehension(fold) => {
                for part in [
                    &mut fold.range,
                    &mut fold.init,
                    &mut fold.condition,
                    &mut fold.step,
                    &mut fold.result,
                ] {
                    visit(part);
                }
            }
        }
    }
}
