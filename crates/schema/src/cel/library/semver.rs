//! Semantic versions.

use std::{cmp::Ordering, fmt};

use super::{
    super::{
        extension::Extension,
        value::{Fault, Outcome, Val},
    },
    Function, extension, mismatch,
};

/// A version by semver.org 2.0.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Semver {
    numbers: [u64; 3],
    before: Vec<Part>,
    build: Vec<String>,
}

/// A part of what comes before a version; numbers come before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

impl Semver {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Version string empty".to_owned());
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err("No Major.Minor.Patch elements found".to_owned());
        };
        let major = number(major, "major")?;
        let minor = number(minor, "minor")?;
        let (rest, build) = match rest.split_once('+') {
            Some((rest, build)) => (rest, build.split('.').map(str::to_owned).collect()),
            None => (rest, Vec::new()),
        };
        let (patch, before) = match rest.split_once('-') {
            Some((patch, before)) => (
                patch,
                before.split('.').map(part_of).collect::<Result<_, _>>()?,
            ),
            None => (rest, Vec::new()),
        };
        let patch = number(patch, "patch")?;
        for part in &build {
            if part.is_empty() {
                return Err("Build meta data is empty".to_owned());
            }
            if !is_word(part) {
                let part = api::quote::quote(part);
                return Err(format!(
                    "Invalid character(s) found in build meta data {part}"
                ));
            }
        }
        Ok(Self {
            numbers: [major, minor, patch],
            before,
            build,
        })
    }

    /// Reads a version that may begin with `v`, be short or have zeros in front.
    fn parse_tolerant(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts: Vec<String> = text.splitn(3, '.').map(str::to_owned).collect();
        for part in parts.iter_mut().filter(|part| part.len() > 1) {
            let rest = part.trim_start_matches('0');
            let digit = rest.starts_with(|first: char| first.is_ascii_digit());
            *part = if digit {
                rest.to_owned()
            } else {
                format!("0{rest}")
            };
        }
        if parts.len() < 3 {
            if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
                let words = "short version cannot contain PreRelease/Build meta data";
                return Err(words.to_owned());
            }
            parts.resize(3, "0".to_owned());
        }
        Self::parse(&parts.join("."))
    }

    /// Orders versions; what they were built of does not matter.
    pub(in super::super) fn order(&self, other: &Self) -> Ordering {
        let numbers = self.numbers.cmp(&other.numbers);
        numbers.then_with(|| match (self.before.is_empty(), other.before.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.before.cmp(&other.before),
        })
    }
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn number(text: &str, which: &str) -> Result<u64, String> {
    let shown = api::quote::quote(text);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "Invalid character(s) found in {which} number {shown}"
        ));
    }
    if text.len() > 1 && text.starts_with('0') {
        let mut which = which.to_owned();
        which[..1].make_ascii_uppercase();
        return Err(format!(
            "{which} number must not contain leading zeroes {shown}"
        ));
    }
    text.parse()
        .map_err(|_| format!("strconv.ParseUint: parsing {shown}: value out of range"))
}

fn part_of(text: &str) -> Result<Part, String> {
    if text.is_empty() {
        return Err("Prerelease is empty".to_owned());
    }
    let shown = api::quote::quote(text);
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        if text.len() > 1 && text.starts_with('0') {
            return Err(format!(
                "Numeric PreRelease version must not contain leading zeroes {shown}"
            ));
        }
        let number = text.parse();
        return number
            .map(Part::Number)
            .map_err(|_| "value out of range".to_owned());
    }
    if !is_word(text) {
        return Err(format!("Invalid character(s) found in prerelease {shown}"));
    }
    Ok(Part::Word(text.to_owned()))
}

impl fmt::Display for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        for (place, part) in self.before.iter().enumerate() {
            f.write_str(if place == 0 { "-" } else { "." })?;
            match part {
                Part::Number(number) => write!(f, "{number}")?,
                Part::Word(word) => f.write_str(word)?,
            }
        }
        if !self.build.is_empty() {
            write!(f, "+{}", self.build.join("."))?;
        }
        Ok(())
    }
}

fn parsed(args: &[Val<'_>]) -> Option<Result<Semver, String>> {
    match args {
        [Val::String(text)] | [Val::String(text), Val::Bool(false)] => {
            Some(Semver::parse(text.as_str()))
        }
        [Val::String(text), Val::Bool(true)] => Some(Semver::parse_tolerant(text.as_str())),
        _ => None,
    }
}

pub(super) fn read<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match parsed(args) {
        Some(Ok(version)) => extension(Extension::Semver(version)),
        Some(Err(words)) => Err(Fault::new(words)),
        None => mismatch(),
    }
}

pub(super) fn is_semver<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    parsed(args).map_or_else(mismatch, |parsed| Ok(Val::Bool(parsed.is_ok())))
}

fn of<'a>(args: &[Val<'a>], place: usize) -> Outcome<'a> {
    match args {
        [Val::Extension(value)] => match &**value {
            Extension::Semver(version) => Ok(Val::Int(
                i64::try_from(version.numbers[place]).unwrap_or(i64::MAX),
            )),
            _ => mismatch(),
        },
        _ => mismatch(),
    }
}

/// Functions that answer a number of a version.
pub(super) fn part(name: &str) -> Option<Function> {
    Some(match name {
        "major" => |args| of(args, 0),
        "minor" => |args| of(args, 1),
        "patch" => |args| of(args, 2),
        _ => return None,
    })
}
