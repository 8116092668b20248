//! Macros: calls that stand for other expressions.
//!
//! The trees they expand to are upstream's, node for node, because costs are counted on them.

use super::{
    ast::{ACCUMULATOR, Comprehension, Expr, ExprKind, Literal, UNUSED, op},
    parse::{Dialect, Parser},
};

/// Expands a call without target; gives its arguments back if it is no macro.
pub(super) fn expand_global(
    parser: &mut Parser<'_>,
    at: u32,
    function: &str,
    mut args: Vec<Expr>,
) -> Result<Expr, Vec<Expr>> {
    if function != "has" || args.len() != 1 {
        return Err(args);
    }
    let arg = args.pop().expect("its length has been looked at");
    let place = arg.at;
    Ok(match arg.kind {
        ExprKind::Select(mut select) => {
            select.test_only = true;
            parser.node(at, ExprKind::Select(select))
        }
        _ => parser.error(place, "invalid argument to has() macro"),
    })
}

/// Expands a call with a target; gives target and arguments back if it is no macro.
pub(super) fn expand_member(
    parser: &mut Parser<'_>,
    at: u32,
    function: &str,
    target: Expr,
    args: Vec<Expr>,
) -> Result<Expr, (Expr, Vec<Expr>)> {
    let mut maker = Maker { parser, at };
    let expanded = match (function, args.len()) {
        ("all", 2 | 3) => maker.quantifier(Quantifier::All, target, args),
        ("exists", 2 | 3) => maker.quantifier(Quantifier::Exists, target, args),
        ("exists_one" | "existsOne", 2 | 3) => maker.quantifier(Quantifier::One, target, args),
        ("map", 2 | 3) => maker.map(target, args),
        ("filter", 2) => maker.filter(target, args),
        ("transformList", 3 | 4) => maker.transform(Transform::List, target, args),
        ("transformMap", 3 | 4) => maker.transform(Transform::Map, target, args),
        ("transformMapEntry", 3 | 4) => maker.transform(Transform::Entry, target, args),
        ("optMap", 2) => maker.opt_map(target, args, true),
        ("optFlatMap", 2) => maker.opt_map(target, args, false),
        ("sortBy", 2) => maker.sort_by(target, args),
        ("bind", 3) if maker.parser.dialect() == Dialect::Open && is_cel(&target) => {
            maker.bind(args)
        }
        _ => return Err((target, args)),
    };
    Ok(expanded.unwrap_or_else(|(place, words)| parser.error(place, words)))
}

fn is_cel(target: &Expr) -> bool {
    matches!(&target.kind, ExprKind::Ident(name) if name == "cel")
}

/// Name of the variable that `sortBy` binds its list to.
const INPUT: &str = "@__sortBy_input__";

enum Quantifier {
    All,
    Exists,
    One,
}

#[derive(PartialEq)]
enum Transform {
    List,
    Map,
    Entry,
}

type Made = Result<Expr, (u32, String)>;

struct Maker<'a, 'b> {
    parser: &'a mut Parser<'b>,
    at: u32,
}

impl Maker<'_, '_> {
    fn accu(&mut self) -> Expr {
        self.parser.ident(self.at, ACCUMULATOR)
    }

    fn call(&mut self, function: &str, args: Vec<Expr>) -> Expr {
        self.parser.call(self.at, function, args)
    }

    fn bool(&mut self, value: bool) -> Expr {
        self.parser.literal(self.at, Literal::Bool(value))
    }

    fn int(&mut self, value: i64) -> Expr {
        self.parser.literal(self.at, Literal::Int(value))
    }

    fn fold(&mut self, fold: Comprehension) -> Expr {
        let kind = ExprKind::Comprehension(Box::new(fold));
        self.parser.node(self.at, kind)
    }

    /// Takes the loop variables off the front of the arguments.
    fn variables(
        args: &mut Vec<Expr>,
        count: usize,
        words: &str,
    ) -> Result<(String, Option<String>), (u32, String)> {
        let mut names = Vec::with_capacity(count);
        for arg in args.drain(..count) {
            match arg.kind {
                ExprKind::Ident(name) => names.push((arg.at, name)),
                _ => return Err((arg.at, words.to_owned())),
            }
        }
        if let [(_, first), (at, second)] = &names[..]
            && first == second
        {
            return Err((*at, format!("duplicate variable name: {first}")));
        }
        if let Some((at, _)) = names.iter().find(|(_, name)| name == ACCUMULATOR) {
            let words = "iteration variable overwrites accumulator variable";
            return Err((*at, words.to_owned()));
        }
        let mut names = names.into_iter().map(|(_, name)| name);
        let first = names.next().expect("there is at least one variable");
        Ok((first, names.next()))
    }

    fn quantifier(&mut self, kind: Quantifier, range: Expr, mut args: Vec<Expr>) -> Made {
        let count = args.len() - 1;
        let (variable, variable2) =
            Self::variables(&mut args, count, "argument must be a simple name")?;
        let predicate = args.pop().expect("the predicate comes last");
        let (init, condition, step, result);
        match kind {
            Quantifier::All => {
                init = self.bool(true);
                let accu = self.accu();
                condition = self.call(op::NOT_STRICTLY_FALSE, vec![accu]);
                let accu = self.accu();
                step = self.call(op::AND, vec![accu, predicate]);
                result = self.accu();
            }
            Quantifier::Exists => {
                init = self.bool(false);
                let accu = self.accu();
                let not = self.call(op::NOT, vec![accu]);
                condition = self.call(op::NOT_STRICTLY_FALSE, vec![not]);
                let accu = self.accu();
                step = self.call(op::OR, vec![accu, predicate]);
                result = self.accu();
            }
            Quantifier::One => {
                init = self.int(0);
                condition = self.bool(true);
                let (accu, one, same) = (self.accu(), self.int(1), self.accu());
                let more = self.call(op::ADD, vec![accu, one]);
                step = self.call(op::CONDITIONAL, vec![predicate, more, same]);
                let (accu, one) = (self.accu(), self.int(1));
                result = self.call(op::EQUALS, vec![accu, one]);
            }
        }
        Ok(self.fold(Comprehension {
            range,
            variable,
            variable2,
            accumulator: ACCUMULATOR.to_owned(),
            init,
            condition,
            step,
            result,
        }))
    }

    /// Makes a fold that gathers something from each element that passes the filter.
    fn gather(
        &mut self,
        (range, variable, variable2): (Expr, String, Option<String>),
        filter: Option<Expr>,
        (init, mut step): (Expr, Expr),
    ) -> Expr {
        if let Some(filter) = filter {
            let same = self.accu();
            step = self.call(op::CONDITIONAL, vec![filter, step, same]);
        }
        let (condition, result) = (self.bool(true), self.accu());
        self.fold(Comprehension {
            range,
            variable,
            variable2,
            accumulator: ACCUMULATOR.to_owned(),
            init,
            condition,
            step,
            result,
        })
    }

    /// Makes an empty list and the step that adds an element to it.
    fn growing(&mut self, element: Expr) -> (Expr, Expr) {
        let init = self.parser.list(self.at, Vec::new());
        let (accu, one) = (self.accu(), self.parser.list(self.at, vec![element]));
        (init, self.call(op::ADD, vec![accu, one]))
    }

    fn map(&mut self, range: Expr, mut args: Vec<Expr>) -> Made {
        let (variable, _) = Self::variables(&mut args, 1, "argument is not an identifier")?;
        let transform = args.pop().expect("the transformation comes last");
        let filter = args.pop();
        let grown = self.growing(transform);
        Ok(self.gather((range, variable, None), filter, grown))
    }

    fn filter(&mut self, range: Expr, mut args: Vec<Expr>) -> Made {
        let element = args[0].clone();
        let (variable, _) = Self::variables(&mut args, 1, "argument is not an identifier")?;
        let filter = args.pop();
        let grown = self.growing(element);
        Ok(self.gather((range, variable, None), filter, grown))
    }

    fn transform(&mut self, kind: Transform, range: Expr, mut args: Vec<Expr>) -> Made {
        let (variable, variable2) =
            Self::variables(&mut args, 2, "argument must be a simple name")?;
        let transform = args.pop().expect("the transformation comes last");
        let filter = args.pop();
        let grown = if kind == Transform::List {
            self.growing(transform)
        } else {
            let init = self.parser.node(self.at, ExprKind::Map(Vec::new()));
            let mut parts = vec![self.accu()];
            if kind == Transform::Map {
                parts.push(self.parser.ident(self.at, variable.clone()));
            }
            parts.push(transform);
            (init, self.call(op::MAP_INSERT, parts))
        };
        Ok(self.gather((range, variable, variable2), filter, grown))
    }

    /// Makes a fold over nothing whose result sees one variable.
    fn bound(&mut self, name: String, init: Expr, result: Expr) -> Expr {
        let range = self.parser.list(self.at, Vec::new());
        let condition = self.bool(false);
        let step = self.parser.ident(self.at, name.clone());
        self.fold(Comprehension {
            range,
            variable: UNUSED.to_owned(),
            variable2: None,
            accumulator: name,
            init,
            condition,
            step,
            result,
        })
    }

    fn opt_map(&mut self, target: Expr, mut args: Vec<Expr>, wraps: bool) -> Made {
        let result = args.pop().expect("the transformation comes last");
        let variable = args.pop().expect("the variable comes first");
        let ExprKind::Ident(name) = variable.kind else {
            let function = if wraps { "optMap" } else { "optFlatMap" };
            let words = format!("{function}() variable name must be a simple identifier");
            return Err((variable.at, words));
        };
        let copy = self.parser.copy(&target);
        let has = self
            .parser
            .member_call(self.at, "hasValue", target, Vec::new());
        let value = self.parser.member_call(self.at, "value", copy, Vec::new());
        let mut mapped = self.bound(name, value, result);
        if wraps {
            mapped = self.call("optional.of", vec![mapped]);
        }
        let none = self.call("optional.none", Vec::new());
        Ok(self.call(op::CONDITIONAL, vec![has, mapped, none]))
    }

    fn bind(&mut self, mut args: Vec<Expr>) -> Made {
        let result = args.pop().expect("there are three arguments");
        let init = args.pop().expect("there are three arguments");
        let variable = args.pop().expect("there are three arguments");
        let ExprKind::Ident(name) = variable.kind else {
            let words = "cel.bind() variable names must be simple identifiers";
            return Err((variable.at, words.to_owned()));
        };
        Ok(self.bound(name, init, result))
    }

    fn sort_by(&mut self, target: Expr, args: Vec<Expr>) -> Made {
        let may_be_list = matches!(
            target.kind,
            ExprKind::List { .. }
                | ExprKind::Select(_)
                | ExprKind::Ident(_)
                | ExprKind::Comprehension(_)
                | ExprKind::Call(_)
        );
        if !may_be_list {
            let words = "sortBy can only be applied to a list, identifier, comprehension, call \
                         or select expression";
            return Err((target.at, words.to_owned()));
        }
        let input = self.parser.ident(self.at, INPUT);
        let keys = self.map(input, args)?;
        let input = self.parser.ident(self.at, INPUT);
        let sorted = self
            .parser
            .member_call(self.at, "@sortByAssociatedKeys", input, vec![keys]);
        Ok(self.bound(INPUT.to_owned(), target, sorted))
    }
}
