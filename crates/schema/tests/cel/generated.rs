//! Programs made at random that type-check: none panics, and none spends more than it may.
//!
//! The seed is fixed; `PROGRAMS` is small in the normal run, and the fuzz target `cel` goes further.

use std::{fmt::Write as _, fs};

use base::Rng;
use schema::{
    Shape,
    cel::{
        Dialect, Env, Program, Type, Val, Version,
        declared::{Declarer, Place},
        value::{Declared, Fault},
    },
    structural::compile,
};

/// How many programs are made.
const PROGRAMS: usize = 3_000;

/// How many of them must compile, at least.
const COMPILED_MIN: usize = 2_000;

/// What each may cost: nothing, little, and all that a rule may.
const LIMITS: [u64; 3] = [0, 50, 1_000_000];

#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Int,
    Double,
    Text,
    Ints,
    Texts,
}

struct Maker {
    rng: Rng,
    /// Names of variables of comprehensions, with what they are.
    known: Vec<(String, Kind)>,
    names: usize,
}

impl Maker {
    fn pick(&mut self, below: u64) -> u64 {
        self.rng.below(below)
    }

    fn one(&mut self, kind: Kind, depth: usize) -> String {
        let fits = |known: Kind| std::mem::discriminant(&known) == std::mem::discriminant(&kind);
        let known: Vec<String> = (self.known.iter())
            .filter(|(_, known)| fits(*known))
            .map(|(name, _)| name.clone())
            .collect();
        if !known.is_empty() && self.pick(3) == 0 {
            let at = self.pick(known.len() as u64);
            return known[usize::try_from(at).expect("small")].clone();
        }
        if depth == 0 {
            return self.leaf(kind);
        }
        match kind {
            Kind::Bool => self.truth(depth - 1),
            Kind::Int => self.whole(depth - 1),
            Kind::Double => self.double(depth - 1),
            Kind::Text => self.text(depth - 1),
            Kind::Ints => self.list(Kind::Int, depth - 1),
            Kind::Texts => self.list(Kind::Text, depth - 1),
        }
    }

    fn leaf(&mut self, kind: Kind) -> String {
        let from: &[&str] = match kind {
            Kind::Bool => &["true", "false", "self.b", "has(self.s)", "has(self.o.deep)"],
            Kind::Int => &[
                "0",
                "1",
                "-7",
                "9223372036854775807",
                "self.i",
                "self.o.x",
                "self.mi['a']",
            ],
            Kind::Double => &["0.0", "1.5", "-1e300", "self.n"],
            Kind::Text => &[
                "''",
                "'a'",
                "'wörld'",
                "self.s",
                "self.s10",
                "self.m['b']",
                "self.metadata.name",
            ],
            Kind::Ints => &["[]", "[1, 2, 3]", "self.li", "self.li9"],
            Kind::Texts => &["['a']", "self.ls", "self.ls5", "self.set"],
        };
        let at = self.pick(from.len() as u64);
        from[usize::try_from(at).expect("small")].to_owned()
    }

    /// Fills a pattern: each letter in braces stands for an expression of a kind.
    fn fill(&mut self, pattern: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let kind = match after.as_bytes()[0] {
                b'b' => Kind::Bool,
                b'i' => Kind::Int,
                b'd' => Kind::Double,
                b't' => Kind::Text,
                b'I' => Kind::Ints,
                _ => Kind::Texts,
            };
            let made = self.one(kind, depth);
            let _ = write!(out, "({made})");
            rest = &after[2..];
        }
        out.push_str(rest);
        out
    }

    fn from(&mut self, patterns: &[&str], depth: usize) -> String {
        let at = self.pick(patterns.len() as u64);
        self.fill(patterns[usize::try_from(at).expect("small")], depth)
    }

    /// A macro over a list, with a variable of its own.
    fn over(&mut self, call: &str, inner: Kind, depth: usize) -> String {
        let (list, item) = match self.pick(2) {
            0 => (Kind::Ints, Kind::Int),
            _ => (Kind::Texts, Kind::Text),
        };
        let range = self.one(list, depth);
        self.names += 1;
        let name = format!("v{}", self.names);
        self.known.push((name.clone(), item));
        let body = self.one(inner, depth);
        self.known.pop();
        format!("({range}).{call}({name}, {body})")
    }

    fn truth(&mut self, depth: usize) -> String {
        match self.pick(6) {
            0 => self.over("all", Kind::Bool, depth),
            1 => self.over("exists", Kind::Bool, depth),
            2 => self.over("exists_one", Kind::Bool, depth),
            _ => self.from(
                &[
                    "{b} && {b}",
                    "{b} || {b}",
                    "!{b}",
                    "{b} ? {b} : {b}",
                    "{i} == {i}",
                    "{i} < {i}",
                    "{t} != {t}",
                    "{d} >= {d}",
                    "{t} in {T}",
                    "{i} in {I}",
                    "{t}.contains({t})",
                    "{t}.startsWith({t})",
                    "{t}.matches('^a*b?$')",
                    "{I} == {I}",
                    "{T}.isSorted()",
                    "sets.contains({I}, {I})",
                    "sets.intersects({T}, {T})",
                    "dyn({i}) == dyn({t})",
                    "isQuantity({t})",
                    "isURL({t})",
                    "isIP({t})",
                    "optional.of({i}).hasValue()",
                ],
                depth,
            ),
        }
    }

    fn whole(&mut self, depth: usize) -> String {
        self.from(
            &[
                "{i} + {i}",
                "{i} - {i}",
                "{i} * {i}",
                "{i} / {i}",
                "{i} % {i}",
                "-{i}",
                "{t}.size()",
                "size({I})",
                "{I}[{i}]",
                "{b} ? {i} : {i}",
                "int({d})",
                "int({t})",
                "{I}.sum()",
                "{I}.max()",
                "{T}.indexOf({t})",
                "{t}.indexOf({t})",
                "optional.of({i}).orValue({i})",
                "{I}[?{i}].orValue({i})",
            ],
            depth,
        )
    }

    fn double(&mut self, depth: usize) -> String {
        let patterns = [
            "{d} + {d}",
            "{d} * {d}",
            "{d} / {d}",
            "double({i})",
            "-{d}",
            "double({t})",
        ];
        self.from(&patterns, depth)
    }

    fn text(&mut self, depth: usize) -> String {
        self.from(
            &[
                "{t} + {t}",
                "string({i})",
                "string({d})",
                "{t}.upperAscii()",
                "{t}.replace({t}, {t})",
                "{t}.substring({i})",
                "{T}.join({t})",
                "{t}.trim()",
                "{t}.charAt({i})",
                "{T}[{i}]",
                "'%s %d'.format([{t}, {i}])",
                "{t}.find('[a-z]+')",
                "type({i}) == int ? {t} : {t}",
            ],
            depth,
        )
    }

    fn list(&mut self, item: Kind, depth: usize) -> String {
        let (own, item_letter) = match item {
            Kind::Int => ("I", "i"),
            _ => ("T", "t"),
        };
        match self.pick(5) {
            0 => self.over("map", item, depth),
            1 => {
                let range = self.list(item, depth.saturating_sub(1));
                self.names += 1;
                let name = format!("v{}", self.names);
                self.known.push((name.clone(), item));
                let body = self.one(Kind::Bool, depth.saturating_sub(1));
                self.known.pop();
                format!("({range}).filter({name}, {body})")
            }
            2 => self.fill(&format!("{{{own}}} + {{{own}}}"), depth),
            3 => self.fill(&format!("{{b}} ? {{{own}}} : {{{own}}}"), depth),
            _ => self.fill(&format!("[{{{item_letter}}}, {{{item_letter}}}]"), depth),
        }
    }
}

#[test]
fn what_type_checks_keeps_to_its_budget() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../conformance/cel/shapes.json"
    );
    let text = fs::read_to_string(path).expect("the shapes");
    let shapes = api::json::read(text.as_bytes()).expect("JSON").value;
    let schema = shapes.at(&["schemas", "all"]).expect("a schema");
    let object = shapes.at(&["objects", "full"]).expect("an object");
    let shape = compile(schema, &Shape::any()).expect("the schema is sound");
    let mut declarer = Declarer::default();
    let root = declarer.declare(shape.table(), shape.root(), Place::Root);
    let decls = declarer.decls;
    let env = Env {
        version: Version::Stored,
        dialect: Dialect::Kubernetes,
        variables: vec![("self", decls.type_of(root).unwrap_or(Type::Dyn))],
        decls: &decls,
    };
    let declared = Declared {
        decls: &decls,
        id: root,
    };
    let own = Val::declared(object, declared).expect("it is an object");
    let mut maker = Maker {
        rng: Rng::from_seed(37),
        known: Vec::new(),
        names: 0,
    };
    let mut compiled = 0;
    for round in 0..PROGRAMS {
        let source = maker.one(Kind::Bool, 2 + round % 4);
        let Ok(program) = Program::compile(&source, &env, Some(root)) else {
            continue;
        };
        compiled += 1;
        let whole = program.run(&[Some(own.clone())], u64::MAX).cost;
        for limit in LIMITS {
            let run = program.run(&[Some(own.clone())], limit);
            let stopped = matches!(run.outcome, Err(Fault::Budget));
            assert_eq!(
                stopped,
                whole > limit,
                "{source}\n  costs {whole} of {limit}"
            );
            assert!(run.cost <= whole, "{source}\n  {} of {whole}", run.cost);
            if let Ok(value) = &run.outcome {
                assert!(matches!(value, Val::Bool(_)), "{source}");
            }
        }
    }
    assert!(
        compiled >= COMPILED_MIN,
        "only {compiled} of {PROGRAMS} compile"
    );
}
