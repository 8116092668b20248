//! Compiled expressions: the way in from outside.

use super::{
    ast::Literal,
    check::{self, Checked, Env, Meaning},
    declared::DeclId,
    estimate::{Range, estimate},
    issue::Issues,
    kind::Type,
    literals,
    parse::{Dialect, parse},
    plan::{Node, plan},
    run::Machine,
    value::{Fault, Outcome, Val},
};

/// A compiled expression. It runs any number of times, on any thread.
#[derive(Debug)]
pub struct Program {
    root: Node,
    slots: usize,
    kind: Type,
    estimate: Range,
    /// For each variable of the environment, whether the expression speaks of it.
    used: Vec<bool>,
}

/// Why an expression could not be compiled.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CompileError {
    /// It is wrong; the text says where.
    #[error("{0}")]
    Issues(Issues),
    /// It can be read, but not be made a program, as with a pattern that is none.
    #[error("{0}")]
    Program(String),
}

/// How a run went.
#[derive(Debug)]
pub struct Run<'a> {
    /// The value, or why there is none.
    pub outcome: Outcome<'a>,
    /// What it cost.
    pub cost: u64,
}

impl Program {
    /// Compiles an expression; `root` is the declaration that the estimate takes sizes from.
    ///
    /// # Errors
    /// [`CompileError`] with upstream's words.
    pub fn compile(
        source: &str,
        env: &Env<'_>,
        root: Option<DeclId>,
    ) -> Result<Self, CompileError> {
        let ast = parse(source, env.dialect).map_err(CompileError::Issues)?;
        let checked = check::check(ast, source, env).map_err(CompileError::Issues)?;
        if env.dialect != Dialect::Open {
            literals::check(&checked, source, env.dialect).map_err(CompileError::Issues)?;
        }
        let planned = plan(&checked, env.decls);
        let (node, slots) =
            planned.map_err(|fault| CompileError::Program(fault.text().to_owned()))?;
        Ok(Self {
            root: node,
            slots,
            kind: checked.type_of(&checked.root).clone(),
            estimate: estimate(&checked, env.decls, root),
            used: used(&checked, env.variables.len()),
        })
    }

    /// Returns the type of the result.
    #[must_use]
    pub fn kind(&self) -> &Type {
        &self.kind
    }

    /// Returns what a run costs at least and at most.
    #[must_use]
    pub fn estimate(&self) -> Range {
        self.estimate
    }

    /// Returns whether the expression speaks of the variable at this place of its environment.
    #[must_use]
    pub fn uses(&self, variable: usize) -> bool {
        self.used.get(variable).copied().unwrap_or(false)
    }

    /// Runs the expression with these variables; it stops when it costs more than `limit`.
    #[must_use]
    pub fn run<'a>(&'a self, variables: &[Option<Val<'a>>], limit: u64) -> Run<'a> {
        let mut machine = Machine::new(variables, self.slots, limit);
        let outcome = machine.run(&self.root);
        Run {
            outcome,
            cost: machine.cost,
        }
    }
}

fn used(checked: &Checked, count: usize) -> Vec<bool> {
    let mut used = vec![false; count];
    for meaning in &checked.meanings {
        if let Meaning::Variable(place) = meaning {
            used[*place] = true;
        }
    }
    used
}

/// Runs a conversion of a literal, to see whether it works.
pub(super) fn converts(function: &str, literal: &Literal) -> Result<(), Fault> {
    let constant = super::plan::constant(literal);
    let Some(convert) = super::library::find(function, false, 1) else {
        return Ok(());
    };
    convert(&[Val::from(&constant)]).map(|_| ())
}
