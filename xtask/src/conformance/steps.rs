//! The format of recorded transcripts: shell commands and what they must print.
//!
//! A transcript is a text file of prose, input files and steps:
//! ```text
//! # Prose begins with a hash sign.
//! file cm.yaml
//!     apiVersion: v1
//!     kind: ConfigMap
//! $ kubectl create -f cm.yaml
//!     configmap/a created
//! ~ kubectl get events
//!     printed at last: a tilde repeats the command until it prints this
//! $ kubectl get nosuch
//!   ! error: the server doesn't have a resource type "nosuch"
//! exit 1
//! watch cm: kubectl get configmap -w
//! $ kubectl label configmap a x=y
//!     configmap/a labeled
//! seen cm
//!     what the watch printed since it began
//! ```
//! Output is indented by four spaces; what came on stderr by `  ! `. Words in angle brackets stand
//! for what differs between two runs: see [`PLACEHOLDERS`]. Between words, any run of two or more
//! spaces equals any other, because the width of a column depends on ages and random names.
//!
//! This module is pure: it parses, compares and records, and runs nothing.

use std::sync::LazyLock;

use regex::Regex;

/// What a placeholder stands for, as a regular expression.
pub const PLACEHOLDERS: [(&str, &str); 12] = [
    ("<age>", r"(?:(?:\d+[smhdy])+|<invalid>)"),
    ("<uid>", r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    ("<rv>", r"\d+"),
    ("<n>", r"\d+"),
    ("<time>", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"),
    ("<date>", DATE),
    ("<ip>", r"\d+\.\d+\.\d+\.\d+"),
    ("<hash>", r"[bcdfghjklmnpqrstvwxz2456789]{1,10}"),
    ("<rand>", r"[bcdfghjklmnpqrstvwxz2456789]{5}"),
    // Also the address under which it is known to others.
    ("<server>", r"\d+\.\d+\.\d+\.\d+:\d+"),
    ("<word>", r"\S+"),
    ("<any>", r".*"),
];

/// The two ways in which kubectl prints dates for people.
const DATE: &str = r"(?:[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} UTC)";

/// A parsed transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Its parts in order.
    pub items: Vec<Item>,
}

/// A part of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A comment or an empty line, kept as it is.
    Prose(String),
    /// A file that the steps read.
    File {
        /// Its name in the directory of the run.
        name: String,
        /// What it holds.
        content: String,
    },
    /// A command and what it must print.
    Step(Step),
}

/// A command and what it must print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How it is run.
    pub mode: Mode,
    /// What it must print.
    pub expected: Printed,
}

/// How a step is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Once.
    Once(String),
    /// Again and again until it prints what is expected.
    Until(String),
    /// In the background, under a name; it prints nothing yet.
    Watch {
        /// Name that `seen` refers to.
        name: String,
        /// The command.
        command: String,
    },
    /// Ends a background command and compares what it printed.
    Seen(String),
}

/// What a command printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit code.
    pub exit: i32,
}

impl Mode {
    /// Returns the line that begins the step in a transcript.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Once(command) => format!("$ {command}"),
            Self::Until(command) => format!("~ {command}"),
            Self::Watch { name, command } => format!("watch {name}: {command}"),
            Self::Seen(name) => format!("seen {name}"),
        }
    }

    /// True for a step that asserts output; starting a watch does not.
    #[must_use]
    pub fn asserts(&self) -> bool {
        !matches!(self, Self::Watch { .. })
    }

    fn parse(line: &str) -> Option<Self> {
        if let Some(command) = line.strip_prefix("$ ") {
            return Some(Self::Once(command.to_owned()));
        }
        if let Some(command) = line.strip_prefix("~ ") {
            return Some(Self::Until(command.to_owned()));
        }
        if let Some(name) = line.strip_prefix("seen ") {
            return Some(Self::Seen(name.trim().to_owned()));
        }
        let (name, command) = line.strip_prefix("watch ")?.split_once(": ")?;
        Some(Self::Watch {
            name: name.to_owned(),
            command: command.to_owned(),
        })
    }
}

impl Transcript {
    /// Parses the text of a transcript.
    ///
    /// # Errors
    /// The number of the first line that is none of the forms above, and the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut lines = text.lines().enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            if line.is_empty() || line.starts_with('#') {
                items.push(Item::Prose(line.to_owned()));
                continue;
            }
            let mut line = line.to_owned();
            while line.ends_with('\\')
                && let Some((_, more)) = lines.next()
            {
                line.push('\n');
                line.push_str(more);
            }
            let mut block = Vec::new();
            while let Some((_, next)) = lines.peek() {
                if !(next.starts_with("  ") || next.starts_with("exit ")) {
                    break;
                }
                block.extend(lines.next().map(|(_, line)| line));
            }
            if let Some(name) = line.strip_prefix("file ") {
                let content = block.iter().map(|line| unindent(line) + "\n").collect();
                items.push(Item::File {
                    name: name.to_owned(),
                    content,
                });
            } else if let Some(mode) = Mode::parse(&line) {
                let expected =
                    Printed::parse(&block).map_err(|text| format!("line {}: {text}", index + 1))?;
                items.push(Item::Step(Step { mode, expected }));
            } else {
                return Err(format!(
                    "line {}: neither prose, file nor step: {line}",
                    index + 1
                ));
            }
        }
        Ok(Self { items })
    }

    /// Writes the transcript as text; parsing it gives the same transcript.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for item in &self.items {
            match item {
                Item::Prose(line) => text.push_str(&format!("{line}\n")),
                Item::File { name, content } => {
                    text.push_str(&format!("file {name}\n"));
                    for line in content.lines() {
                        text.push_str(format!("    {line}").trim_end());
                        text.push('\n');
                    }
                }
                Item::Step(step) => {
                    text.push_str(&format!("{}\n{}", step.mode.line(), step.expected.render()));
                }
            }
        }
        text
    }
}

/// Lines that are empty inside a block are written as four spaces by [`Printed::render`].
fn unindent(line: &str) -> String {
    line.strip_prefix("    ").unwrap_or("").to_owned()
}

impl Printed {
    fn parse(block: &[&str]) -> Result<Self, String> {
        let mut printed = Self::default();
        for line in block {
            if let Some(code) = line.strip_prefix("exit ") {
                printed.exit = code
                    .trim()
                    .parse()
                    .map_err(|_| format!("'{code}' is not an exit code"))?;
            } else if let Some(error) = line.strip_prefix("  ! ") {
                printed.stderr.push_str(error);
                printed.stderr.push('\n');
            } else if line.trim_end() == "  !" {
                printed.stderr.push('\n');
            } else {
                printed.stdout.push_str(&unindent(line));
                printed.stdout.push('\n');
            }
        }
        Ok(printed)
    }

    /// Writes it as the indented block of a transcript.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for line in self.stdout.lines() {
            // An empty line keeps its indent, or it would end the block.
            text.push_str(&format!("    {line}\n"));
        }
        for line in self.stderr.lines() {
            text.push_str(&format!("  ! {line}\n"));
        }
        if self.exit != 0 {
            text.push_str(&format!("exit {}\n", self.exit));
        }
        text
    }

    /// True if `actual` is what this expects, placeholders allowed.
    #[must_use]
    pub fn matches(&self, actual: &Self) -> bool {
        self.exit == actual.exit
            && lines_match(&self.stdout, &actual.stdout)
            && lines_match(&self.stderr, &actual.stderr)
    }

    /// Returns the same with placeholders where two runs differ.
    #[must_use]
    pub fn recorded(&self) -> Self {
        Self {
            stdout: with_placeholders(&self.stdout),
            stderr: with_placeholders(&self.stderr),
            exit: self.exit,
        }
    }

    /// Shows both sides line by line; lines that differ carry `-` (expected) and `+` (printed).
    #[must_use]
    pub fn difference(&self, actual: &Self) -> String {
        let expected: Vec<String> = self.render().lines().map(str::to_owned).collect();
        let printed: Vec<String> = actual.render().lines().map(str::to_owned).collect();
        let same = |a: &str, b: &str| line_matches(a, b);
        let ahead = expected
            .iter()
            .zip(&printed)
            .take_while(|(a, b)| same(a, b))
            .count();
        let behind = expected[ahead..]
            .iter()
            .rev()
            .zip(printed[ahead..].iter().rev())
            .take_while(|(a, b)| same(a, b))
            .count();
        let mut text = String::new();
        for line in &expected[ahead.saturating_sub(2)..ahead] {
            text.push_str(&format!("  {line}\n"));
        }
        for line in &expected[ahead..expected.len() - behind] {
            text.push_str(&format!("- {line}\n"));
        }
        for line in &printed[ahead..printed.len() - behind] {
            text.push_str(&format!("+ {line}\n"));
        }
        text
    }
}

fn lines_match(expected: &str, actual: &str) -> bool {
    let mut expected = expected.lines();
    let mut actual = actual.lines();
    loop {
        match (expected.next(), actual.next()) {
            (None, None) => return true,
            (Some(expected), Some(actual)) if line_matches(expected, actual) => {}
            _ => return false,
        }
    }
}

fn line_matches(expected: &str, actual: &str) -> bool {
    let (expected, actual) = (expected.trim_end(), actual.trim_end());
    expected == actual
        || Regex::new(&pattern_of(expected)).is_ok_and(|pattern| pattern.is_match(actual))
}

/// Returns the regular expression that a line with placeholders stands for.
fn pattern_of(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let mut pattern = format!("^{}", &line[..indent]);
    let mut rest = &line[indent..];
    while !rest.is_empty() {
        if let Some((name, meaning)) = PLACEHOLDERS.iter().find(|(name, _)| rest.starts_with(name))
        {
            pattern.push_str(meaning);
            rest = &rest[name.len()..];
        } else if rest.starts_with("  ") {
            pattern.push_str(" {2,}");
            rest = rest.trim_start();
        } else {
            let first = rest.chars().next().expect("rest is not empty").len_utf8();
            pattern.push_str(&regex::escape(&rest[..first]));
            rest = &rest[first..];
        }
    }
    pattern.push('$');
    pattern
}

/// What the recorder replaces, in this order.
static RECORDED: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "<uid>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "<time>"),
        (DATE, "<date>"),
        (r#"("?resourceVersion"?: ")\d+""#, r#"$1<rv>""#),
        (r"127\.0\.0\.1:\d{4,5}", "<server>"),
        (r"\b10\.96\.\d+\.\d+\b", "<ip>"),
        (
            r"(pod-template-hash[=:] ?)[bcdfghjklmnpqrstvwxz2456789]{6,10}\b",
            "$1<hash>",
        ),
        (
            r"-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b",
            "-<hash>-<rand>",
        ),
        (r"-[bcdfghjklmnpqrstvwxz2456789]{8,10}\b", "-<hash>"),
        (r"(Resource Version: +)\d+", "$1<rv>"),
        (
            r"(kube-api-access-)[bcdfghjklmnpqrstvwxz2456789]{5}\b",
            "$1<rand>",
        ),
        // Twice, because neighbours share the space between them. A recording takes minutes, so
        // `300s` and `100m` are no ages.
        (
            r"(^|\s)(?:\d{1,2}s|1[01]\ds|\dm(?:\d+s)?)(\s|$)",
            "$1<age>$2",
        ),
        (
            r"(^|\s)(?:\d{1,2}s|1[01]\ds|\dm(?:\d+s)?)(\s|$)",
            "$1<age>$2",
        ),
    ]
    .into_iter()
    .map(|(pattern, to)| (Regex::new(pattern).expect("the pattern is a constant"), to))
    .collect()
});

fn with_placeholders(text: &str) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        let mut line = line.trim_end().to_owned();
        for (pattern, to) in RECORDED.iter() {
            line = pattern.replace_all(&line, *to).into_owned();
        }
        lines.push_str(&line);
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests;
