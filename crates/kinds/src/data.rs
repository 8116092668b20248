//! Reads the data file: splits it into lines and hands each to the part that knows it.

use std::{collections::HashMap, str::SplitWhitespace, sync::Arc};

use api::{GroupVersion, Gvk};
use schema::Shape;

use crate::{Builtins, Version, defaults::Plan, resources::Resources, shapes::Types};

/// Why the data cannot be read. All of these are mistakes of the generator or of an editor.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DataError {
    /// The line lacks a word.
    #[error("line {line}: {wanted} is missing")]
    Missing {
        /// Number of the line, from 1.
        line: usize,
        /// What should stand there.
        wanted: &'static str,
    },
    /// A word that nobody knows.
    #[error("line {line}: unknown word '{word}'")]
    Unknown {
        /// Number of the line, from 1.
        line: usize,
        /// The word.
        word: String,
    },
    /// A type that no line describes.
    #[error("line {line}: no type is called '{name}'")]
    NoType {
        /// Number of the line that names it, from 1.
        line: usize,
        /// The name, with its package.
        name: String,
    },
    /// A line that belongs below another, but stands alone.
    #[error("line {line}: it belongs to no line above it")]
    Stray {
        /// Number of the line, from 1.
        line: usize,
    },
}

/// One line, being read word by word.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) number: usize,
    text: &'a str,
    words: SplitWhitespace<'a>,
}

impl<'a> Line<'a> {
    fn new(number: usize, text: &'a str) -> Self {
        let words = text.split_whitespace();
        Self {
            number,
            text,
            words,
        }
    }

    /// Returns the next word.
    pub(crate) fn word(&mut self, wanted: &'static str) -> Result<&'a str, DataError> {
        self.words.next().ok_or(DataError::Missing {
            line: self.number,
            wanted,
        })
    }

    /// Returns the next word as a number.
    pub(crate) fn number(&mut self, wanted: &'static str) -> Result<i32, DataError> {
        let word = self.word(wanted)?;
        word.parse().map_err(|_| self.unknown(word))
    }

    /// Returns the next word as group and version.
    pub(crate) fn version(&mut self) -> Result<GroupVersion, DataError> {
        let word = self.word("a group and version")?;
        GroupVersion::parse(word).ok_or_else(|| self.unknown(word))
    }

    /// Returns the remaining words, split at `=`; a word without it has an empty value.
    pub(crate) fn options(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.words
            .map(|word| word.split_once('=').unwrap_or((word, "")))
    }

    /// Returns what remains after so many words, spaces included.
    pub(crate) fn tail(&self, words: usize) -> &'a str {
        let mut rest = self.text.trim_start();
        for _ in 0..words {
            rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
        }
        rest
    }

    pub(crate) fn unknown(&self, word: &str) -> DataError {
        DataError::Unknown {
            line: self.number,
            word: word.to_owned(),
        }
    }
}

/// Reads the whole file.
pub(crate) fn read(text: &str) -> Result<Builtins, DataError> {
    let mut types = Types::default();
    let mut kinds = Vec::new();
    let mut resources = Resources::default();
    let mut versions = Vec::new();
    let mut in_types = true;
    for (number, text) in (1..).zip(text.lines()) {
        let mut line = Line::new(number, text);
        if text.starts_with('#') {
            continue;
        }
        if text.starts_with(' ') {
            if in_types {
                types.field(line)?;
            } else {
                resources.below(line)?;
            }
            continue;
        }
        let word = line.word("a word")?;
        in_types = matches!(word, "package" | "type");
        match word {
            "package" => types.package(line)?,
            "type" => types.open(line)?,
            "kind" => kinds.push((line.version()?, line.word("a kind")?, line)),
            "version" => {
                let version = Version {
                    group_version: line.version()?,
                    group_priority: line.number("the priority of the group")?,
                    version_priority: line.number("the priority of the version")?,
                };
                resources.version(version.group_version.clone());
                versions.push(version);
            }
            "resource" => resources.open(line)?,
            other => return Err(line.unknown(other)),
        }
    }

    let mut maker = types.maker();
    maker.all()?;
    let mut shapes = Vec::with_capacity(kinds.len());
    for (group_version, kind, mut line) in kinds {
        let id = maker.named(line.word("a type")?, line.number)?;
        let kind = kind.into();
        shapes.push((
            Gvk {
                group_version,
                kind,
            },
            id,
        ));
    }
    shapes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let table = maker.finish();
    let by_kind: HashMap<Gvk, Shape> = shapes
        .iter()
        .map(|(gvk, id)| (gvk.clone(), Shape::new(Arc::clone(&table), *id)))
        .collect();
    let plan = Arc::new(Plan::compile(&table, &shapes));
    let (kinds, facts) = resources.finish(&by_kind, &plan)?;
    Ok(Builtins {
        kinds,
        facts,
        versions,
        table,
        shapes,
    })
}
