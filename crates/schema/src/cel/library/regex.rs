//! Regular expressions, which take linear time.

use regex::Regex;

use super::{
    super::value::{Fault, Outcome, Str, Val},
    mismatch, part_of, strings_list,
};
use crate::validate::compile_pattern;

fn compiled(pattern: &str) -> Result<Regex, Fault> {
    compile_pattern(pattern).map_err(|error| Fault::new(format!("Illegal regex: {error}")))
}

pub(super) fn matches<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text), Val::String(pattern)] => {
            let pattern = compile_pattern(pattern.as_str()).map_err(Fault::new)?;
            Ok(Val::Bool(pattern.is_match(text.as_str())))
        }
        _ => mismatch(),
    }
}

pub(super) fn find<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text), Val::String(pattern)] => {
            with("find", &compiled(pattern.as_str())?, text, args)
        }
        _ => mismatch(),
    }
}

pub(super) fn find_all<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text), Val::String(pattern), ..] => {
            with("findAll", &compiled(pattern.as_str())?, text, args)
        }
        _ => mismatch(),
    }
}

/// Calls one of the functions with a pattern that is compiled already.
pub(in super::super) fn with<'a>(
    name: &str,
    pattern: &Regex,
    text: &Str<'a>,
    args: &[Val<'a>],
) -> Outcome<'a> {
    match name {
        "matches" => Ok(Val::Bool(pattern.is_match(text.as_str()))),
        "find" => Ok(match pattern.find(text.as_str()) {
            Some(found) => part_of(text, found.range()),
            None => Val::String(Str::Borrowed("")),
        }),
        _ => {
            let most = match args.get(2) {
                Some(Val::Int(most)) => usize::try_from(*most).unwrap_or(usize::MAX),
                Some(_) => return mismatch(),
                None => usize::MAX,
            };
            let found = pattern.find_iter(text.as_str()).take(most);
            Ok(strings_list(found.map(|found| found.as_str().to_owned())))
        }
    }
}
