//! The format of case files.
//!
//! ```text
//! # Comments stand at the beginning of a line.
//!
//! setup: a namespace for the rest
//! > POST /api/v1/namespaces
//! {"metadata": {"name": "differential"}}
//!
//! pod: the least that is one
//! > POST /api/v1/namespaces/differential/pods
//! {"spec": {"containers": [{"name": "c", "image": "i"}]}}
//! < 201
//! + /spec/dnsPolicy "ClusterFirst"
//! ```
//!
//! A block ends at an empty line. What `setup:` names is done for real, on both sides; every other
//! request is a dry run. A `setup:` that is a `GET` is repeated until what it asks for is there. `base:` marks a good object of which variants are made ([`Variants`]). `>` holds the method, the path and, unless it is JSON, the content type.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::answer::Answer;
use super::variants::Variants;
use crate::conformance::repository;
use crate::failure::{Doing, Failure};

const SETUP: &str = "setup: ";
const BASE: &str = "base: ";

/// A case file.
#[derive(Debug)]
pub struct Topic {
    /// The folder.
    pub family: String,
    /// The name of the file.
    pub name: String,
    /// Its cases, in order.
    pub cases: Vec<Case>,
    /// Variants of its bases; none if there is no `*.variants` file.
    pub variants: Variants,
    /// Comments at the head of the file.
    heading: String,
    path: PathBuf,
}

/// One request, and what upstream answered.
#[derive(Debug, PartialEq)]
pub struct Case {
    /// What it is about.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The request.
    pub request: Request,
    /// What upstream answered, if that is recorded.
    pub answer: Option<Answer>,
}

/// What a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its answer is compared.
    Plain,
    /// It is done for real, for what comes after it.
    Setup,
    /// Its answer is compared, and variants are made of it.
    Base,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `POST`, `PUT`, `PATCH`
    pub method: String,
    /// Path, with the query if it has one.
    pub path: String,
    /// `application/json`, unless the case says otherwise.
    pub content_type: String,
    /// The body as it is sent.
    pub text: String,
    /// The body, read.
    pub body: Value,
}

/// Reads the topics of these families, all of them if none is named.
///
/// # Errors
/// A folder or file cannot be read, or a file is not well formed.
pub fn load(families: &[String]) -> Result<Vec<Topic>, Failure> {
    let root = repository().join("conformance/differential");
    let mut topics = Vec::new();
    for folder in sorted(&root)? {
        let family = stem(&folder);
        if !folder.is_dir() || !families.is_empty() && !families.contains(&family) {
            continue;
        }
        for file in sorted(&folder)? {
            if file.extension().is_none_or(|end| end != "cases") {
                continue;
            }
            let text = std::fs::read_to_string(&file).doing(format!("read {}", file.display()))?;
            let (heading, cases) = parse(&text).doing(format!("read {}", file.display()))?;
            let beside = file.with_extension("variants");
            let variants = if beside.is_file() {
                let what = || format!("read {}", beside.display());
                let text = std::fs::read_to_string(&beside).doing(what())?;
                Variants::parse(&text).doing(what())?
            } else {
                Variants::default()
            };
            topics.push(Topic {
                family: family.clone(),
                name: stem(&file),
                cases,
                variants,
                heading,
                path: file,
            });
        }
    }
    if topics.is_empty() {
        return Err(Failure::new(format!("no cases in {}", root.display())));
    }
    Ok(topics)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).doing(format!("read {}", folder.display()))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .doing(format!("read {}", folder.display()))?;
    paths.sort();
    Ok(paths)
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

impl Topic {
    /// Returns `family/topic`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}/{}", self.family, self.name)
    }

    /// Writes the file anew, with the answers that the cases hold.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self) -> Result<(), Failure> {
        let text = render(&self.heading, &self.cases);
        std::fs::write(&self.path, text).doing(format!("write {}", self.path.display()))?;
        if self.variants.0.is_empty() {
            return Ok(());
        }
        let path = self.path.with_extension("variants");
        let text = self.variants.render();
        std::fs::write(&path, text).doing(format!("write {}", path.display()))
    }
}

impl Case {
    /// Returns whether this code says that what the setup wants is there.
    #[must_use]
    pub fn is_set_up(&self, code: u16) -> bool {
        // What an earlier topic made, or the server itself, is as good.
        (200..300).contains(&code) || code == 409
    }
}

fn parse(text: &str) -> Result<(String, Vec<Case>), String> {
    let mut heading = String::new();
    let mut cases = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            heading.push_str(line);
            heading.push('\n');
        } else if !line.trim().is_empty() {
            block.push(line);
        } else if !block.is_empty() {
            cases.push(case(&block)?);
            block.clear();
        }
    }
    Ok((heading, cases))
}

fn case(block: &[&str]) -> Result<Case, String> {
    let (name, rest) = block.split_first().ok_or("an empty case")?;
    let wrong = |why: &str| format!("{name}: {why}");
    let (line, rest) = rest.split_first().ok_or_else(|| wrong("no request"))?;
    let line = line.strip_prefix("> ").ok_or_else(|| wrong("no request"))?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(wrong("no method and path"));
    };
    let end = rest.iter().position(|line| line.starts_with("< "));
    let (body, answer) = rest.split_at(end.unwrap_or(rest.len()));
    let text = body.join("\n");
    let body = serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
    let answer = match answer.split_first() {
        None => None,
        Some((code, lines)) => Some(Answer {
            code: code[2..].trim().parse().map_err(|_| wrong("no code"))?,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        }),
    };
    let (role, name) = match (name.strip_prefix(SETUP), name.strip_prefix(BASE)) {
        (Some(name), _) => (Role::Setup, name),
        (None, Some(name)) => (Role::Base, name),
        (None, None) => (Role::Plain, *name),
    };
    Ok(Case {
        name: name.to_owned(),
        role,
        request: Request {
            method: method.to_owned(),
            path: path.to_owned(),
            content_type: words.next().unwrap_or("application/json").to_owned(),
            text,
            body,
        },
        answer,
    })
}

fn render(heading: &str, cases: &[Case]) -> String {
    let mut text = heading.to_owned();
    for case in cases {
        let Request {
            method,
            path,
            content_type,
            text: body,
            ..
        } = &case.request;
        let prefix = match case.role {
            Role::Plain => "",
            Role::Setup => SETUP,
            Role::Base => BASE,
        };
        let _ = write!(text, "\n{prefix}{}\n> {method} {path}", case.name);
        if content_type != "application/json" {
            let _ = write!(text, " {content_type}");
        }
        let _ = writeln!(text, "\n{body}");
        if let Some(answer) = &case.answer {
            let _ = write!(text, "{answer}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Role, parse, render};

    #[test]
    fn parses_what_it_renders() {
        let text = "# About.\n\nsetup: a namespace\n> POST /api/v1/namespaces\n{\"a\":\n 1}\n\n\
                    base: pod: one\n> PATCH /pods?x=y application/merge-patch+json\n{}\n< 201\n+ /a 1\n- /b\n";
        let (heading, cases) = parse(text).expect("the text is well formed");
        assert_eq!(render(&heading, &cases), text);
        assert!(cases[0].is_set_up(409) && !cases[0].is_set_up(422));
        assert_eq!(cases[1].role, Role::Base);
    }

    #[test]
    fn refuses_what_is_no_case() {
        for (text, expected) in [
            ("a", "a: no request"),
            ("a\nPOST /x", "a: no request"),
            ("a\n> POST", "a: no method and path"),
            (
                "a\n> POST /x\n{",
                "a: EOF while parsing an object at line 1 column 1",
            ),
            ("a\n> POST /x\n{}\n< x", "a: no code"),
        ] {
            assert_eq!(parse(text).expect_err("it is wrong"), expected);
        }
    }
}
