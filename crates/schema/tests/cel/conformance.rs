//! The conformance data of the language (`go mod download cel.dev/expr@v0.25.3`).
//!
//! Every test of every file that speaks of what Kubernetes' environment has must pass; the others
//! are named here with the reason.

use std::{fs, path::PathBuf};

use schema::cel::{Dialect, Env, Program, Time, Type, Val, Version, declared::Decls};

use crate::textproto::{Node, read};

/// How many tests must pass at least.
const PASSED_MIN: usize = 1_280;

/// Files whose subject Kubernetes' environment does not have.
const FILES_SKIPPED: [(&str, &str); 11] = [
    ("block_ext", "no cel.block"),
    ("dynamic", "protobuf wrapper messages"),
    ("encoders_ext", "no base64 library"),
    ("enums", "protobuf enumerations"),
    ("math_ext", "no math library"),
    ("network_ext", "another network library than Kubernetes'"),
    ("proto2", "protobuf messages"),
    ("proto2_ext", "protobuf messages"),
    ("proto3", "protobuf messages"),
    ("unknowns", "no partial evaluation"),
    ("wrappers", "protobuf wrapper messages"),
];

/// What a test speaks of that Kubernetes' environment does not have.
const WORDS_SKIPPED: [(&str, &str); 13] = [
    ("msg.", "protobuf messages"),
    ("fn(", "functions that only the test declares"),
    ("tuple(", "functions that only the test declares"),
    (".reverse() == '", "strings of version 2 have no reverse"),
    ("TestAllTypes", "protobuf messages"),
    ("google.protobuf.", "protobuf messages"),
    ("NestedTestAllTypes", "protobuf messages"),
    ("GlobalEnum", "protobuf enumerations"),
    ("math.", "no math library"),
    ("proto.", "no proto library"),
    ("cel.block", "no cel.block"),
    ("`", "no escaped names"),
    ("base64.", "no base64 library"),
];

/// Tests that are known to differ, with the reason.
const TESTS_SKIPPED: [(&str, &str); 26] = [
    (
        "fields/qualified_identifier_resolution/map_value_repeat_key",
        LAST_KEY,
    ),
    (
        "fields/qualified_identifier_resolution/map_value_repeat_key_heterogeneous",
        LAST_KEY,
    ),
    ("optionals/optionals/map_null_entry_no_such_key", NO_FIELDS),
    (
        "optionals/optionals/map_present_key_invalid_field",
        NO_FIELDS,
    ),
    (
        "string_ext/format/scientific notation formatting clause",
        FORMAT,
    ),
    (
        "string_ext/format/default precision for fixed-point clause with int",
        FORMAT,
    ),
    (
        "string_ext/format/default precision for fixed-point clause with uint",
        FORMAT,
    ),
    (
        "string_ext/format/default precision for scientific notation",
        FORMAT,
    ),
    (
        "string_ext/format/default precision for scientific notation with int",
        FORMAT,
    ),
    (
        "string_ext/format/default precision for scientific notation with uint",
        FORMAT,
    ),
    (
        "string_ext/format/positive infinity support for scientific notation",
        FORMAT,
    ),
    (
        "string_ext/format/negative infinity support for scientific notation",
        FORMAT,
    ),
    ("string_ext/format/NaN support for decimal", FORMAT),
    (
        "string_ext/format/positive infinity support for decimal",
        FORMAT,
    ),
    (
        "string_ext/format/negative infinity support for decimal",
        FORMAT,
    ),
    (
        "string_ext/format/positive infinity support for fixed-point",
        FORMAT,
    ),
    (
        "string_ext/format/negative infinity support for fixed-point",
        FORMAT,
    ),
    ("string_ext/format/list support for string", FORMAT),
    ("string_ext/format/map support for string", FORMAT),
    ("string_ext/format/map support (all key types)", FORMAT),
    (
        "string_ext/format/dyntype support for scientific notation",
        FORMAT,
    ),
    ("string_ext/format/dyntype NaN/infinity support", FORMAT),
    ("string_ext/format/dyntype support for lists", FORMAT),
    ("string_ext/format/dyntype support for maps", FORMAT),
    (
        "string_ext/format/scientific notation formatting clause in a string variable",
        FORMAT,
    ),
    (
        "type_deduction/legacy_nullable_types/null_assignable_to_abstract_parameter_candidate",
        "cel-go 0.29.2 finds null here as well",
    ),
];

const LAST_KEY: &str = "in cel-go 0.29.2 the last of equal keys wins";
const NO_FIELDS: &str = "Kubernetes leaves errors on bad presence tests off";
const FORMAT: &str = "Kubernetes pins version 2 of the strings library, which formats differently";

fn data() -> PathBuf {
    let home = std::env::home_dir().expect("there is a home");
    home.join("go/pkg/mod/cel.dev/expr@v0.25.3/tests/simple/testdata")
}

#[test]
fn the_language_is_spoken_as_specified() {
    let mut paths: Vec<PathBuf> = fs::read_dir(data())
        .expect("no data; run `go mod download cel.dev/expr@v0.25.3` in a module")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "textproto"))
        .collect();
    paths.sort();
    let (mut passed, mut skipped, mut failures) = (0, 0, Vec::new());
    for path in paths {
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if FILES_SKIPPED.iter().any(|(file, _)| *file == name) {
            continue;
        }
        let file = read(&fs::read_to_string(&path).expect("the file can be read"));
        for section in file.all("section") {
            let section_name = section.get("name").map(Node::text).unwrap_or_default();
            for test in section.all("test") {
                let test_name = test.get("name").map(Node::text).unwrap_or_default();
                let full = format!("{name}/{section_name}/{test_name}");
                if is_skipped(&full, test) {
                    skipped += 1;
                    continue;
                }
                match run(test) {
                    Ok(()) => passed += 1,
                    Err(text) => failures.push(format!("{full}: {text}")),
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{passed} passed, {skipped} skipped, {} failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(passed >= PASSED_MIN, "{passed} passed, {skipped} skipped");
}

fn is_skipped(name: &str, test: &Node) -> bool {
    let all = format!("{test:?}");
    let expr = test.get("expr").map(Node::text).unwrap_or_default();
    let spoken = |words: &str| expr.contains(words) || mentions(test, words);
    // Zones by name would take a database of time zones; offsets are understood.
    let zone = name.starts_with("timestamps/timestamp_selectors_tz") && expr.contains("/");
    zone || TESTS_SKIPPED.iter().any(|(known, _)| *known == name)
        || WORDS_SKIPPED.iter().any(|(words, _)| spoken(words))
        || test.get("disable_check").is_some()
        || test.get("container").is_some()
        || all.contains("object_value")
        || all.contains("unknown")
        || all.contains("enum_value")
        || all.contains("any_eval_errors")
}

fn mentions(test: &Node, words: &str) -> bool {
    let types: Vec<&Node> = test.all("type_env").collect();
    format!("{types:?}").contains(words)
}

fn run(test: &Node) -> Result<(), String> {
    let source = test.get("expr").map(Node::text).unwrap_or_default();
    let decls = Decls::default();
    let names: Vec<(String, Type)> = test
        .all("type_env")
        .filter_map(|declared| {
            let name = declared.get("name")?.text();
            let kind = declared.get("ident")?.get("type")?;
            Some((name, kind_of(kind)?))
        })
        .collect();
    let variables = names
        .iter()
        .map(|(name, kind)| (name.as_str(), kind.clone()));
    let env = Env {
        version: Version::Stored,
        dialect: Dialect::Open,
        variables: variables.collect(),
        decls: &decls,
    };
    let bindings: Vec<Option<Val<'_>>> = names
        .iter()
        .map(|(name, _)| {
            let mut all = test.all("bindings");
            let bound = all.find(|bound| bound.get("key").is_some_and(|key| key.text() == *name));
            Some(value_of(bound?.get("value")?.get("value")?))
        })
        .collect();
    let program = Program::compile(&source, &env, None);
    let expects_error = test.get("eval_error").is_some();
    let program = match program {
        Ok(program) => program,
        Err(_) if expects_error => return Ok(()),
        Err(error) => return Err(format!("{source}\n{error}")),
    };
    if let Some(kind) = test
        .get("typed_result")
        .and_then(|typed| typed.get("deduced_type"))
    {
        let wanted = kind_of(kind).map(|kind| kind.to_string());
        if wanted.is_some_and(|wanted| wanted != program.kind().to_string()) {
            return Err(format!(
                "{source}\nhas type {}, not {kind:?}",
                program.kind()
            ));
        }
    }
    if test.get("check_only").is_some() {
        return Ok(());
    }
    let run = program.run(&bindings, u64::MAX);
    let typed = test
        .get("typed_result")
        .and_then(|typed| typed.get("result"));
    let expected = test.get("value").or(typed);
    match (run.outcome, expects_error) {
        (Ok(value), true) => Err(format!("{source}\nis {}, not an error", shown(&value))),
        (Err(_), true) => Ok(()),
        (Err(fault), false) => Err(format!("{source}\nfails: {}", fault.text())),
        (Ok(value), false) => {
            let expected = expected.map_or(Val::Bool(true), value_of);
            let (wanted, got) = (shown(&expected), shown(&value));
            if wanted == got {
                Ok(())
            } else {
                Err(format!("{source}\nis {got}, not {wanted}"))
            }
        }
    }
}

fn kind_of(node: &Node) -> Option<Type> {
    let (name, inner) = node.fields().first()?;
    Some(match name.as_str() {
        "primitive" => match inner.text().as_str() {
            "BOOL" => Type::Bool,
            "INT64" => Type::Int,
            "UINT64" => Type::Uint,
            "DOUBLE" => Type::Double,
            "STRING" => Type::String,
            _ => Type::Bytes,
        },
        "well_known" => match inner.text().as_str() {
            "DURATION" => Type::Duration,
            "TIMESTAMP" => Type::Timestamp,
            _ => Type::Dyn,
        },
        "dyn" => Type::Dyn,
        "null" => Type::Null,
        "list_type" => Type::list(
            inner
                .get("elem_type")
                .and_then(kind_of)
                .unwrap_or(Type::Dyn),
        ),
        "map_type" => {
            let part = |name| inner.get(name).and_then(kind_of).unwrap_or(Type::Dyn);
            Type::map(part("key_type"), part("value_type"))
        }
        "abstract_type" => {
            let parameters = inner.all("parameter_types").filter_map(kind_of).collect();
            Type::opaque(&inner.get("name")?.text(), parameters)
        }
        _ => return None,
    })
}

fn value_of(node: &Node) -> Val<'static> {
    let Some((name, inner)) = node.fields().first() else {
        return Val::Null;
    };
    match name.as_str() {
        "bool_value" => Val::Bool(inner.text() == "true"),
        "int64_value" => Val::Int(inner.text().parse().expect("an int")),
        "uint64_value" => Val::Uint(inner.text().parse().expect("a uint")),
        "double_value" => Val::Double(match inner.text().as_str() {
            "inf" | "infinity" | "+inf" => f64::INFINITY,
            "-inf" | "-infinity" => f64::NEG_INFINITY,
            "nan" => f64::NAN,
            text => text.parse().expect("a double"),
        }),
        "string_value" => Val::text(inner.text()),
        "type_value" => Val::Type(schema::cel::value::Str::Shared(inner.text().into())),
        "bytes_value" => match inner {
            Node::Bytes(bytes) => {
                Val::Bytes(schema::cel::value::Octets::Shared(bytes.as_slice().into()))
            }
            other => panic!("{other:?} are no bytes"),
        },
        "list_value" => Val::list(inner.all("values").map(value_of).collect()),
        "map_value" => {
            let part = |entry: &Node, name| entry.get(name).map_or(Val::Null, value_of);
            let entries = inner.all("entries");
            let entries = entries.map(|entry| (part(entry, "key"), part(entry, "value")));
            Val::map(entries.collect())
        }
        _ => Val::Null,
    }
}

/// Writes a value so that equal values are written alike, and only those.
fn shown(value: &Val<'_>) -> String {
    match value {
        Val::List(list) => {
            let items = list.to_vec().expect("items are as declared");
            format!(
                "[{}]",
                items.iter().map(shown).collect::<Vec<_>>().join(", ")
            )
        }
        Val::Map(map) => {
            let mut entries: Vec<String> = map
                .keys()
                .iter()
                .map(|key| {
                    let value = map.find(key).expect("a value").expect("a value");
                    format!("{}: {}", shown(key), shown(&value))
                })
                .collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        Val::String(text) => format!("{:?}", text.as_str()),
        Val::Bytes(bytes) => format!("b{:?}", bytes.as_slice()),
        Val::Type(name) => format!("type {}", name.as_str()),
        Val::Double(number) => format!("{number:?}"),
        Val::Timestamp(time) => show_time(*time),
        other => format!("{other:?}"),
    }
}

fn show_time(time: Time) -> String {
    format!("timestamp {time}")
}
