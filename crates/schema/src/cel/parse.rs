//! Reads an expression into its tree, expanding macros on the way.
//!
//! A recursive descent over the grammar of the CEL specification. Words and places of syntax errors
//! are those of upstream's generated parser for the usual mistakes: a token too many is left out
//! and reading goes on, a missing bracket is thought of, everything else ends the reading.

use super::{
    ast::{Ast, Call, Entry, Expr, ExprKind, Literal, Select, StructField, op},
    issue::Issues,
    lex::{self, Kind, Token},
    macros,
};

/// How long an expression may be, in characters.
const LENGTH_MAX: usize = 100_000;

/// How deeply rules of the grammar and nodes of the tree may nest.
const DEPTH_MAX: u16 = 250;

/// Words that are no names of variables or functions.
pub(super) const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "package",
    "namespace",
    "null",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// What is well in an expression besides the functions there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// That of Kubernetes: lists and maps of one type, no `cel.bind`.
    #[default]
    Kubernetes,
    /// As that of Kubernetes, but lists and maps may hold values of several types: patches do.
    Patch,
    /// That of the language's own conformance tests.
    Open,
}

/// Reads an expression.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(source: &str, dialect: Dialect) -> Result<Ast, Issues> {
    let mut issues = Issues::new(source);
    let length = source.chars().count();
    if length > LENGTH_MAX {
        issues.add_whole(format!(
            "expression code point size exceeds limit: size: {length}, limit {LENGTH_MAX}"
        ));
        return Err(issues);
    }
    let tokens = lex::tokens(source, &mut issues);
    let mut parser = Parser {
        source,
        tokens,
        place: 0,
        issues,
        ids: 0,
        dialect,
        rules: [0; 4],
        closers: vec![Kind::End],
    };
    let root = parser.start();
    match root {
        Ok(root) if parser.issues.is_empty() => Ok(Ast {
            root,
            ids: parser.ids,
        }),
        _ => Err(parser.issues),
    }
}

/// The reading cannot go on; the issue is written down.
pub(super) struct Stop;

type Read<T> = Result<T, Stop>;

/// Rules of the grammar whose nesting is bounded, each by itself, as upstream does.
#[derive(Clone, Copy)]
enum Rule {
    Expr,
    Relation,
    Calc,
    Member,
}

/// What reads one expression; macros make nodes with it.
pub(super) struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    place: usize,
    issues: Issues,
    ids: u32,
    dialect: Dialect,
    rules: [u16; 4],
    /// What may close or go on after the parts that are being read, outermost first.
    closers: Vec<Kind>,
}

const START: [Kind; 15] = [
    Kind::LeftBracket,
    Kind::LeftBrace,
    Kind::LeftParen,
    Kind::Dot,
    Kind::Minus,
    Kind::Exclam,
    Kind::True,
    Kind::False,
    Kind::Null,
    Kind::Float,
    Kind::Int,
    Kind::Uint,
    Kind::Text,
    Kind::Bytes,
    Kind::Ident,
];

// Nodes.

impl Parser<'_> {
    /// Returns a node with a new number.
    pub(super) fn node(&mut self, at: u32, kind: ExprKind) -> Expr {
        let id = self.ids;
        self.ids += 1;
        let mut depth = 0;
        let mut node = Expr {
            id,
            at,
            depth: 0,
            kind,
        };
        node.children(&mut |child| depth = depth.max(child.depth));
        let counts = match &node.kind {
            ExprKind::Select(_) => true,
            ExprKind::Call(call) => {
                call.target.is_some() || call.function.starts_with('_') || call.function == op::IN
            }
            _ => false,
        };
        node.depth = depth + u16::from(counts);
        node
    }

    pub(super) fn literal(&mut self, at: u32, literal: Literal) -> Expr {
        self.node(at, ExprKind::Literal(literal))
    }

    pub(super) fn ident(&mut self, at: u32, name: impl Into<String>) -> Expr {
        self.node(at, ExprKind::Ident(name.into()))
    }

    pub(super) fn list(&mut self, at: u32, elements: Vec<Expr>) -> Expr {
        let optional = Vec::new();
        self.node(at, ExprKind::List { elements, optional })
    }

    pub(super) fn call(&mut self, at: u32, function: &str, args: Vec<Expr>) -> Expr {
        let call = Call {
            function: function.to_owned(),
            target: None,
            args,
        };
        self.node(at, ExprKind::Call(Box::new(call)))
    }

    pub(super) fn member_call(
        &mut self,
        at: u32,
        function: &str,
        target: Expr,
        args: Vec<Expr>,
    ) -> Expr {
        let call = Call {
            function: function.to_owned(),
            target: Some(target),
            args,
        };
        self.node(at, ExprKind::Call(Box::new(call)))
    }

    /// Returns a copy of a tree whose nodes have numbers of their own.
    pub(super) fn copy(&mut self, expr: &Expr) -> Expr {
        let mut copy = expr.clone();
        self.renumber(&mut copy);
        copy
    }

    fn renumber(&mut self, expr: &mut Expr) {
        expr.id = self.ids;
        self.ids += 1;
        expr.children_mut(&mut |child| self.renumber(child));
    }

    pub(super) fn error(&mut self, at: u32, text: impl Into<String>) -> Expr {
        self.issues.add(at, text);
        self.node(at, ExprKind::Error)
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn call_or_macro(&mut self, at: u32, function: &str, args: Vec<Expr>) -> Read<Expr> {
        match macros::expand_global(self, at, function, args) {
            Ok(expanded) => Ok(expanded),
            Err(args) => self.counted_call(at, function, None, args),
        }
    }

    fn counted_call(
        &mut self,
        at: u32,
        function: &str,
        target: Option<Expr>,
        args: Vec<Expr>,
    ) -> Read<Expr> {
        let made = match target {
            Some(target) => self.member_call(at, function, target, args),
            None => self.call(at, function, args),
        };
        self.bounded(made)
    }

    fn bounded(&mut self, expr: Expr) -> Read<Expr> {
        if expr.depth > DEPTH_MAX {
            self.issues.add_whole("max recursion depth exceeded");
            return Err(Stop);
        }
        Ok(expr)
    }
}

// Tokens.

impl Parser<'_> {
    fn token(&self) -> Token {
        self.tokens[self.place]
    }

    fn kind(&self) -> Kind {
        self.token().kind
    }

    fn kind_after(&self, ahead: usize) -> Kind {
        let place = (self.place + ahead).min(self.tokens.len() - 1);
        self.tokens[place].kind
    }

    fn advance(&mut self) -> Token {
        let token = self.token();
        if token.kind != Kind::End {
            self.place += 1;
        }
        token
    }

    fn text(&self, token: Token) -> &str {
        match token.kind {
            Kind::End => "<EOF>",
            _ => &self.source[token.start as usize..token.end as usize],
        }
    }

    fn syntax(&mut self, text: &str) {
        let at = self.token().start;
        self.issues.add(at, format!("Syntax error: {text}"));
    }

    fn expected(kinds: &[Kind]) -> String {
        let mut kinds = kinds.to_vec();
        kinds.sort_unstable();
        match kinds.as_slice() {
            [one] => one.shown().to_owned(),
            many => {
                let names: Vec<&str> = many.iter().map(|kind| kind.shown()).collect();
                format!("{{{}}}", names.join(", "))
            }
        }
    }

    /// Says that the token is none of these, and leaves it out if the next one is.
    fn require(&mut self, kinds: &[Kind]) -> Read<()> {
        if kinds.contains(&self.kind()) {
            return Ok(());
        }
        let wanted = Self::expected(kinds);
        let input = self.text(self.token()).to_owned();
        if kinds.contains(&self.kind_after(1)) && self.kind() != Kind::End {
            self.syntax(&format!("extraneous input '{input}' expecting {wanted}"));
            self.advance();
            return Ok(());
        }
        self.syntax(&format!("mismatched input '{input}' expecting {wanted}"));
        Err(Stop)
    }

    /// Moves over a closing token, which is thought of if what stands here could follow it.
    fn close(&mut self, kind: Kind) -> Read<()> {
        if self.kind() != kind && self.kind_after(1) != kind && self.may_follow() {
            let input = self.text(self.token()).to_owned();
            let missing = kind.shown();
            self.syntax(&format!("missing {missing} at '{input}'"));
            return Ok(());
        }
        self.require(&[kind])?;
        self.advance();
        Ok(())
    }

    /// Returns whether the token could stand behind a closed operand.
    fn may_follow(&self) -> bool {
        let kind = self.kind();
        let binds = matches!(
            kind,
            Kind::Equals
                | Kind::NotEquals
                | Kind::In
                | Kind::Less
                | Kind::LessEquals
                | Kind::GreaterEquals
                | Kind::Greater
                | Kind::And
                | Kind::Or
                | Kind::LeftBracket
                | Kind::Dot
                | Kind::Minus
                | Kind::Question
                | Kind::Plus
                | Kind::Star
                | Kind::Slash
                | Kind::Percent
        );
        binds || self.closers.contains(&kind)
    }

    fn enter(&mut self, rule: Rule) -> Read<()> {
        let count = &mut self.rules[rule as usize];
        *count += 1;
        if *count > DEPTH_MAX {
            self.issues
                .add_whole(format!("expression recursion limit exceeded: {DEPTH_MAX}"));
            return Err(Stop);
        }
        Ok(())
    }

    fn leave(&mut self, rule: Rule, before: u16) {
        self.rules[rule as usize] = before;
    }
}

// Rules.

impl Parser<'_> {
    fn start(&mut self) -> Read<Expr> {
        let expr = self.expr()?;
        self.require(&[Kind::End])?;
        Ok(expr)
    }

    fn within(&mut self, closers: &[Kind]) -> Read<Expr> {
        let before = self.closers.len();
        self.closers.extend_from_slice(closers);
        let read = self.expr();
        self.closers.truncate(before);
        read
    }

    fn expr(&mut self) -> Read<Expr> {
        let before = self.rules[Rule::Expr as usize];
        self.enter(Rule::Expr)?;
        let condition = self.or()?;
        let read = if self.kind() == Kind::Question {
            let at = self.advance().start;
            self.closers.push(Kind::Colon);
            let yes = self.or();
            self.closers.pop();
            let yes = yes?;
            self.require(&[Kind::Colon])?;
            self.advance();
            let no = self.expr()?;
            self.call_or_macro(at, op::CONDITIONAL, vec![condition, yes, no])
        } else {
            Ok(condition)
        };
        self.leave(Rule::Expr, before);
        read
    }

    fn or(&mut self) -> Read<Expr> {
        let first = self.and()?;
        if self.kind() != Kind::Or {
            return Ok(first);
        }
        let (mut terms, mut ops) = (vec![first], Vec::new());
        while self.kind() == Kind::Or {
            ops.push(self.advance().start);
            terms.push(self.and()?);
        }
        self.balanced(op::OR, terms, &ops)
    }

    fn and(&mut self) -> Read<Expr> {
        let first = self.relation()?;
        if self.kind() != Kind::And {
            return Ok(first);
        }
        let (mut terms, mut ops) = (vec![first], Vec::new());
        while self.kind() == Kind::And {
            ops.push(self.advance().start);
            terms.push(self.relation()?);
        }
        self.balanced(op::AND, terms, &ops)
    }

    /// Makes a flat tree of a long chain, as upstream does; costs depend on its form.
    fn balanced(&mut self, function: &str, terms: Vec<Expr>, ops: &[u32]) -> Read<Expr> {
        fn tree(
            parser: &mut Parser<'_>,
            function: &str,
            terms: &mut [Option<Expr>],
            ops: &[u32],
        ) -> Expr {
            let middle = ops.len() / 2;
            let (left_terms, right_terms) = terms.split_at_mut(middle + 1);
            let mut side = |terms: &mut [Option<Expr>], ops: &[u32]| match terms {
                [one] => one.take().expect("every term is used once"),
                many => tree(parser, function, many, ops),
            };
            let left = side(left_terms, &ops[..middle]);
            let right = side(right_terms, &ops[middle + 1..]);
            parser.call(ops[middle], function, vec![left, right])
        }
        let mut terms: Vec<Option<Expr>> = terms.into_iter().map(Some).collect();
        let made = tree(self, function, &mut terms, ops);
        self.bounded(made)
    }

    fn relation(&mut self) -> Read<Expr> {
        let before = self.rules[Rule::Relation as usize];
        self.enter(Rule::Relation)?;
        let mut left = self.sum()?;
        loop {
            let function = match self.kind() {
                Kind::Less => op::LESS,
                Kind::LessEquals => op::LESS_EQUALS,
                Kind::Greater => op::GREATER,
                Kind::GreaterEquals => op::GREATER_EQUALS,
                Kind::Equals => op::EQUALS,
                Kind::NotEquals => op::NOT_EQUALS,
                Kind::In => op::IN,
                _ => break,
            };
            self.enter(Rule::Relation)?;
            let at = self.advance().start;
            let right = self.sum()?;
            left = self.call_or_macro(at, function, vec![left, right])?;
        }
        self.leave(Rule::Relation, before);
        Ok(left)
    }

    fn sum(&mut self) -> Read<Expr> {
        let before = self.rules[Rule::Calc as usize];
        self.enter(Rule::Calc)?;
        let mut left = self.product()?;
        loop {
            let function = match self.kind() {
                Kind::Plus => op::ADD,
                Kind::Minus => op::SUBTRACT,
                _ => break,
            };
            self.enter(Rule::Calc)?;
            let at = self.advance().start;
            let right = self.product()?;
            left = self.call_or_macro(at, function, vec![left, right])?;
        }
        self.leave(Rule::Calc, before);
        Ok(left)
    }

    fn product(&mut self) -> Read<Expr> {
        let before = self.rules[Rule::Calc as usize];
        let mut left = self.unary()?;
        loop {
            let function = match self.kind() {
                Kind::Star => op::MULTIPLY,
                Kind::Slash => op::DIVIDE,
                Kind::Percent => op::MODULO,
                _ => break,
            };
            self.enter(Rule::Calc)?;
            let at = self.advance().start;
            let right = self.unary()?;
            left = self.call_or_macro(at, function, vec![left, right])?;
        }
        self.leave(Rule::Calc, before);
        Ok(left)
    }

    fn unary(&mut self) -> Read<Expr> {
        self.require(&START)?;
        let sign = self.kind();
        let is_number = matches!(self.kind_after(1), Kind::Int | Kind::Float);
        let function = match sign {
            Kind::Exclam => op::NOT,
            Kind::Minus if !is_number => op::NEGATE,
            _ => return self.member(),
        };
        let at = self.token().start;
        let mut count = 0;
        while self.kind() == sign {
            self.advance();
            count += 1;
        }
        let operand = self.member()?;
        if count % 2 == 0 {
            return Ok(operand);
        }
        self.call_or_macro(at, function, vec![operand])
    }

    fn member(&mut self) -> Read<Expr> {
        let before = self.rules[Rule::Member as usize];
        self.enter(Rule::Member)?;
        let mut operand = self.primary()?;
        loop {
            operand = match self.kind() {
                Kind::Dot => {
                    self.enter(Rule::Member)?;
                    self.dot(operand)?
                }
                Kind::LeftBracket => {
                    self.enter(Rule::Member)?;
                    self.index(operand)?
                }
                _ => break,
            };
        }
        self.leave(Rule::Member, before);
        Ok(operand)
    }

    fn dot(&mut self, operand: Expr) -> Read<Expr> {
        let dot = self.advance();
        let optional = self.kind() == Kind::Question;
        if optional {
            self.advance();
        }
        let name = self.token();
        if !matches!(name.kind, Kind::Ident | Kind::Escaped) {
            let text = self.text(name).to_owned();
            if matches!(name.kind, Kind::True | Kind::False | Kind::Null) && !optional {
                self.syntax(&format!("mismatched input '{text}' expecting IDENTIFIER"));
            } else if optional {
                let wanted = Self::expected(&[Kind::Ident, Kind::Escaped]);
                self.syntax(&format!("mismatched input '{text}' expecting {wanted}"));
            } else {
                let input = &self.source[dot.start as usize..name.end as usize];
                self.syntax(&format!("no viable alternative at input '{input}'"));
            }
            return Err(Stop);
        }
        self.advance();
        let field = self.text(name).to_owned();
        if name.kind == Kind::Escaped {
            return Ok(self.error(name.start, "unsupported syntax: '`'"));
        }
        if optional {
            let field = self.literal(name.start, Literal::String(field));
            return self.counted_call(dot.start, op::OPT_SELECT, None, vec![operand, field]);
        }
        if self.kind() == Kind::LeftParen {
            let at = self.advance().start;
            let args = self.args()?;
            return match macros::expand_member(self, at, &field, operand, args) {
                Ok(expanded) => Ok(expanded),
                Err((target, args)) => self.counted_call(at, &field, Some(target), args),
            };
        }
        let select = Select {
            operand,
            field,
            test_only: false,
        };
        let made = self.node(dot.start, ExprKind::Select(Box::new(select)));
        self.bounded(made)
    }

    fn index(&mut self, operand: Expr) -> Read<Expr> {
        let at = self.advance().start;
        let optional = self.kind() == Kind::Question;
        if optional {
            self.advance();
        }
        let index = self.within(&[Kind::RightBracket])?;
        self.close(Kind::RightBracket)?;
        let function = if optional { op::OPT_INDEX } else { op::INDEX };
        self.call_or_macro(at, function, vec![operand, index])
    }

    fn args(&mut self) -> Read<Vec<Expr>> {
        let mut args = Vec::new();
        if self.kind() == Kind::RightParen {
            self.advance();
            return Ok(args);
        }
        self.require(&[&START[..], &[Kind::RightParen]].concat())?;
        if self.kind() == Kind::RightParen {
            self.advance();
            return Ok(args);
        }
        args.push(self.within(&[Kind::RightParen, Kind::Comma])?);
        while self.kind() == Kind::Comma {
            self.advance();
            args.push(self.within(&[Kind::RightParen, Kind::Comma])?);
        }
        self.close(Kind::RightParen)?;
        Ok(args)
    }

    fn primary(&mut self) -> Read<Expr> {
        self.require(&START)?;
        let token = self.token();
        match token.kind {
            Kind::LeftParen => {
                self.advance();
                let inner = self.within(&[Kind::RightParen])?;
                self.close(Kind::RightParen)?;
                Ok(inner)
            }
            Kind::LeftBracket => self.list_literal(),
            Kind::LeftBrace => self.map_literal(),
            Kind::Dot | Kind::Ident => self.name(),
            _ => self.constant(),
        }
    }

    /// Reads a variable, a call or a struct literal.
    fn name(&mut self) -> Read<Expr> {
        let start = self.token().start;
        if let Some(end) = self.struct_name() {
            return self.struct_literal(end);
        }
        let mut name = String::new();
        if self.kind() == Kind::Dot {
            self.advance();
            name.push('.');
        }
        if self.kind() != Kind::Ident {
            let token = self.token();
            let input = self.source[start as usize..token.end as usize].to_owned();
            self.syntax(&format!("no viable alternative at input '{input}'"));
            return Err(Stop);
        }
        let token = self.advance();
        let word = self.text(token).to_owned();
        let is_reserved = RESERVED.contains(&word.as_str());
        name.push_str(&word);
        if self.kind() == Kind::LeftParen {
            let at = self.advance().start;
            let args = self.args()?;
            if is_reserved {
                return Ok(self.error(start, format!("reserved identifier: {word}")));
            }
            return self.call_or_macro(at, &name, args);
        }
        if is_reserved {
            return Ok(self.error(start, format!("reserved identifier: {word}")));
        }
        Ok(self.ident(token.start, name))
    }

    /// Returns the place of the brace if a struct literal begins here.
    fn struct_name(&self) -> Option<usize> {
        let kind = |place: usize| self.tokens.get(place).map_or(Kind::End, |token| token.kind);
        let mut place = self.place + usize::from(self.kind() == Kind::Dot);
        while kind(place) == Kind::Ident {
            match kind(place + 1) {
                Kind::LeftBrace => return Some(place + 1),
                Kind::Dot => place += 2,
                _ => return None,
            }
        }
        None
    }

    fn struct_literal(&mut self, brace: usize) -> Read<Expr> {
        let mut name = String::new();
        while self.place < brace {
            let token = self.advance();
            name.push_str(self.text(token));
        }
        let at = self.advance().start;
        let mut fields = Vec::new();
        let starts = [Kind::Question, Kind::Ident, Kind::Escaped];
        self.require(&[&starts[..], &[Kind::RightBrace, Kind::Comma]].concat())?;
        while starts.contains(&self.kind()) {
            let optional = self.kind() == Kind::Question;
            if optional {
                self.advance();
            }
            self.require(&[Kind::Ident, Kind::Escaped])?;
            let field = self.advance();
            let field_name = self.text(field).to_owned();
            if field.kind == Kind::Escaped {
                self.issues.add(field.start, "unsupported syntax: '`'");
            }
            self.require(&[Kind::Colon])?;
            let colon = self.advance().start;
            let value = self.within(&[Kind::RightBrace, Kind::Comma])?;
            fields.push(StructField {
                at: colon,
                name: field_name,
                value,
                optional,
            });
            if self.kind() != Kind::Comma {
                break;
            }
            self.advance();
        }
        self.skip_comma(!fields.is_empty());
        self.close(Kind::RightBrace)?;
        Ok(self.node(at, ExprKind::Struct { name, fields }))
    }

    /// Moves over the lone comma that an empty literal may hold.
    fn skip_comma(&mut self, has_parts: bool) {
        if !has_parts && self.kind() == Kind::Comma {
            self.advance();
        }
    }

    fn list_literal(&mut self) -> Read<Expr> {
        let at = self.advance().start;
        let (mut elements, mut optional) = (Vec::new(), Vec::new());
        let others = [Kind::Question, Kind::RightBracket, Kind::Comma];
        self.require(&[&START[..], &others].concat())?;
        while !matches!(self.kind(), Kind::RightBracket | Kind::Comma | Kind::End) {
            if self.kind() == Kind::Question {
                self.advance();
                optional.push(u32::try_from(elements.len()).unwrap_or(u32::MAX));
            }
            elements.push(self.within(&[Kind::RightBracket, Kind::Comma])?);
            if self.kind() != Kind::Comma {
                self.require(&[Kind::RightBracket, Kind::Comma])?;
            }
            if self.kind() != Kind::Comma {
                break;
            }
            self.advance();
        }
        self.skip_comma(!elements.is_empty());
        self.close(Kind::RightBracket)?;
        Ok(self.node(at, ExprKind::List { elements, optional }))
    }

    fn map_literal(&mut self) -> Read<Expr> {
        let at = self.advance().start;
        let mut entries = Vec::new();
        let others = [Kind::Question, Kind::RightBrace, Kind::Comma];
        self.require(&[&START[..], &others].concat())?;
        while !matches!(self.kind(), Kind::RightBrace | Kind::Comma | Kind::End) {
            let optional = self.kind() == Kind::Question;
            if optional {
                self.advance();
            }
            let key = self.within(&[Kind::Colon])?;
            self.require(&[Kind::Colon])?;
            self.advance();
            let value = self.within(&[Kind::RightBrace, Kind::Comma])?;
            entries.push(Entry {
                key,
                value,
                optional,
            });
            if self.kind() != Kind::Comma {
                self.require(&[Kind::RightBrace, Kind::Comma])?;
            }
            if self.kind() != Kind::Comma {
                break;
            }
            self.advance();
        }
        self.skip_comma(!entries.is_empty());
        self.close(Kind::RightBrace)?;
        Ok(self.node(at, ExprKind::Map(entries)))
    }

    fn constant(&mut self) -> Read<Expr> {
        let start = self.token();
        let mut token = self.advance();
        if token.kind == Kind::Minus {
            if !matches!(self.kind(), Kind::Int | Kind::Float) {
                let input = self.source[start.start as usize..self.token().end as usize].to_owned();
                self.syntax(&format!("no viable alternative at input '{input}'"));
                return Err(Stop);
            }
            token = self.advance();
        }
        let at = start.start;
        let negative = start.kind == Kind::Minus;
        let text = self.text(token).to_owned();
        let literal = match token.kind {
            Kind::True => Ok(Literal::Bool(true)),
            Kind::False => Ok(Literal::Bool(false)),
            Kind::Null => Ok(Literal::Null),
            Kind::Int => int(&text, negative)
                .map(Literal::Int)
                .ok_or("invalid int literal"),
            Kind::Uint => uint(&text).map(Literal::Uint).ok_or("invalid uint literal"),
            Kind::Float => double(&text, negative)
                .map(Literal::Double)
                .ok_or("invalid double literal"),
            Kind::Text => lex::unescape(&text, false)
                .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "unable to unescape string"))
                .map(Literal::String),
            _ => lex::unescape(&text[1..], true).map(Literal::Bytes),
        };
        Ok(match literal {
            Ok(literal) => self.literal(at, literal),
            Err(words) => self.error(at, words),
        })
    }
}

fn int(text: &str, negative: bool) -> Option<i64> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let size = i128::from(u64::from_str_radix(digits, radix).ok()?);
    i64::try_from(if negative { -size } else { size }).ok()
}

fn uint(text: &str) -> Option<u64> {
    let text = &text[..text.len() - 1];
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn double(text: &str, negative: bool) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let number = if negative { -number } else { number };
    number.is_finite().then_some(number)
}
