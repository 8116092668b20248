//! The functions of the language and of Kubernetes' libraries.
//!
//! Each takes its arguments, target first, and looks at what they are: one function serves all
//! overloads of a name.

mod authorize;
mod convert;
pub(super) mod formats;
mod formatting;
mod lists;
mod network;
mod numbers;
mod quantities;
pub(super) mod regex;
pub(super) mod semver;
mod strings;
pub(super) mod url;

use std::rc::Rc;

use super::value::{Fault, List, Outcome, Str, Val, order};

/// A function of the library.
pub(super) type Function = for<'a> fn(&[Val<'a>]) -> Outcome<'a>;

/// Returns the fault of arguments that no overload takes; the caller adds the name.
fn mismatch<'a>() -> Outcome<'a> {
    Err(Fault::new("?"))
}

/// Returns whether a function goes through all that is in its arguments, however deep it lies.
pub(super) fn walks(function: &str) -> bool {
    function.starts_with("sets.")
        || matches!(
            function,
            super::ast::op::IN
                | "distinct"
                | "flatten"
                | "format"
                | "includes"
                | "indexOf"
                | "isSorted"
                | "lastIndexOf"
                | "max"
                | "min"
                | "sort"
                | "sum"
        )
}

/// Returns whether a call with a constant is reckoned before the program runs.
pub(super) fn is_conversion(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "bytes"
            | "double"
            | "duration"
            | "dyn"
            | "int"
            | "string"
            | "timestamp"
            | "type"
            | "uint"
    )
}

/// Returns the function with this name, called on a target or not.
pub(super) fn find(name: &str, is_member: bool, args: usize) -> Option<Function> {
    if is_member {
        return member(name, args);
    }
    Some(match name {
        "!_" => numbers::not,
        "-_" => numbers::negate,
        "_+_" => numbers::add,
        "_-_" => numbers::subtract,
        "_*_" => numbers::multiply,
        "_/_" => numbers::divide,
        "_%_" => numbers::modulo,
        "_<_" => |args| compare(args, |order| order.is_lt()),
        "_<=_" => |args| compare(args, |order| order.is_le()),
        "_>_" => |args| compare(args, |order| order.is_gt()),
        "_>=_" => |args| compare(args, |order| order.is_ge()),
        "@in" => lists::is_in,
        "cel.@mapInsert" => lists::map_insert,
        "size" => lists::size,
        "type" => convert::type_of,
        "dyn" => |args| args.first().cloned().map_or_else(mismatch, Ok),
        "bool" => convert::bool,
        "bytes" => convert::bytes,
        "double" => convert::double,
        "duration" => convert::duration,
        "int" => convert::int,
        "string" => convert::string,
        "timestamp" => convert::timestamp,
        "uint" => convert::uint,
        "matches" => regex::matches,
        "optional.of" => |args| {
            args.first()
                .cloned()
                .map_or_else(mismatch, |value| Ok(Val::some(value)))
        },
        "optional.ofNonZeroValue" => lists::non_zero,
        "optional.none" => |_| Ok(Val::Optional(None)),
        "optional.unwrap" => lists::unwrap,
        "lists.range" => lists::range,
        "sets.contains" => lists::sets_contains,
        "sets.equivalent" => lists::sets_equivalent,
        "sets.intersects" => lists::sets_intersects,
        "strings.quote" => strings::quote,
        "url" => url::read,
        "isURL" => url::is_url,
        "ip" => network::read_ip,
        "isIP" => network::is_ip,
        "ip.isCanonical" => network::is_canonical,
        "cidr" => network::read_cidr,
        "isCIDR" => network::is_cidr,
        "quantity" => quantities::read,
        "isQuantity" => quantities::is_quantity,
        "sign" => quantities::sign,
        "semver" => semver::read,
        "isSemver" => semver::is_semver,
        "format.named" => formats::named,
        _ => return formats::constant(name),
    })
}

fn member(name: &str, args: usize) -> Option<Function> {
    Some(match (name, args) {
        ("size", _) => lists::size,
        ("contains", _) => |args| texts(args, |text, part| text.contains(part)),
        ("startsWith", _) => |args| texts(args, |text, part| text.starts_with(part)),
        ("endsWith", _) => |args| texts(args, |text, part| text.ends_with(part)),
        ("matches", _) => regex::matches,
        ("find", _) => regex::find,
        ("findAll", _) => regex::find_all,
        ("value", _) => lists::value,
        ("hasValue", _) => lists::has_value,
        ("first", _) => lists::first,
        ("last", _) => lists::last,
        ("unwrapOpt", _) => lists::unwrap,
        ("isSorted", _) => lists::is_sorted,
        ("sum", _) => lists::sum,
        ("max", _) => lists::max,
        ("min", _) => lists::min,
        ("indexOf", _) => lists::index_of,
        ("lastIndexOf", _) => lists::last_index_of,
        ("includes", _) => lists::includes,
        ("slice", _) => lists::slice,
        ("flatten", _) => lists::flatten,
        ("sort", _) => lists::sort,
        ("@sortByAssociatedKeys", _) => lists::sort_by,
        ("reverse", _) => lists::reverse,
        ("distinct", _) => lists::distinct,
        ("charAt", _) => strings::char_at,
        ("lowerAscii", _) => strings::lower,
        ("upperAscii", _) => strings::upper,
        ("replace", _) => strings::replace,
        ("split", _) => strings::split,
        ("substring", _) => strings::substring,
        ("trim", _) => strings::trim,
        ("join", _) => strings::join,
        ("format", _) => formatting::format,
        ("isGreaterThan", _) => |args| versions(args, |order| Val::Bool(order.is_gt())),
        ("isLessThan", _) => |args| versions(args, |order| Val::Bool(order.is_lt())),
        ("compareTo", _) => |args| versions(args, |order| Val::Int(order as i64)),
        ("major" | "minor" | "patch", _) => return semver::part(name),
        ("validate", _) => formats::validate,
        _ => {
            return time_part(name)
                .or_else(|| url::part(name))
                .or_else(|| network::part(name))
                .or_else(|| quantities::part(name))
                .or_else(|| authorize::part(name));
        }
    })
}

fn time_part(name: &str) -> Option<Function> {
    use super::time::part;
    Some(match name {
        "getFullYear" => |args| part("getFullYear", args),
        "getMonth" => |args| part("getMonth", args),
        "getDayOfYear" => |args| part("getDayOfYear", args),
        "getDayOfMonth" => |args| part("getDayOfMonth", args),
        "getDate" => |args| part("getDate", args),
        "getDayOfWeek" => |args| part("getDayOfWeek", args),
        "getHours" => |args| part("getHours", args),
        "getMinutes" => |args| part("getMinutes", args),
        "getSeconds" => |args| part("getSeconds", args),
        "getMilliseconds" => |args| part("getMilliseconds", args),
        _ => return None,
    })
}

fn compare<'a>(args: &[Val<'a>], test: fn(std::cmp::Ordering) -> bool) -> Outcome<'a> {
    match args {
        [a, b] => order(a, b).map(|found| Val::Bool(test(found))),
        _ => mismatch(),
    }
}

fn texts<'a>(args: &[Val<'a>], test: fn(&str, &str) -> bool) -> Outcome<'a> {
    match args {
        [Val::String(text), Val::String(part)] => Ok(Val::Bool(test(text.as_str(), part.as_str()))),
        _ => Err(Fault::no_overload()),
    }
}

/// Compares quantities or versions.
fn versions<'a>(args: &[Val<'a>], answer: fn(std::cmp::Ordering) -> Val<'a>) -> Outcome<'a> {
    use super::extension::Extension::{Quantity, Semver};
    let [Val::Extension(a), Val::Extension(b)] = args else {
        return mismatch();
    };
    match (&**a, &**b) {
        (Quantity(a), Quantity(b)) => Ok(answer(a.compare(b))),
        (Semver(a), Semver(b)) => Ok(answer(a.order(b))),
        _ => mismatch(),
    }
}

/// Returns a list of strings.
fn strings_list<'a>(texts: impl IntoIterator<Item = String>) -> Val<'a> {
    Val::list(texts.into_iter().map(Val::text).collect())
}

fn extension<'a>(value: super::extension::Extension<'a>) -> Outcome<'a> {
    Ok(Val::Extension(Rc::new(value)))
}

/// Makes a map of entries whose keys are known to be different.
fn map_of<'a>(entries: Vec<(Val<'a>, Val<'a>)>) -> Val<'a> {
    Val::map(entries)
}

fn as_list<'r, 'a>(value: &'r Val<'a>) -> Option<&'r List<'a>> {
    match value {
        Val::List(list) => Some(list),
        _ => None,
    }
}

fn as_text<'r>(value: &'r Val<'_>) -> Option<&'r str> {
    value.as_str()
}

/// Returns a part of a string, borrowed if the string is.
fn part_of<'a>(text: &Str<'a>, range: std::ops::Range<usize>) -> Val<'a> {
    match text {
        Str::Borrowed(text) => Val::String(Str::Borrowed(&text[range])),
        Str::Shared(text) => Val::text(&text[range]),
    }
}
