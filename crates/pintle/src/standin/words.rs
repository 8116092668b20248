//! Reads a command line by a table of flags, in the manner of the program that the table is of.

use std::fmt::Write as _;

/// Name of a flag, type of its value (nothing for a switch), meaning.
pub type Row = (&'static str, &'static str, Meaning);

/// What a flag of another program means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It does what it says.
    Used(&'static str),
    /// It is taken and changes nothing, for this reason.
    Ignored(&'static str),
    /// It is not taken, for this reason: without it the server would not be what was asked for.
    Refused(&'static str),
}

/// How a program reads its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `--name`, short forms, `_` for `-` (kube-apiserver).
    Posix,
    /// `-name` or `--name` (etcd).
    Go,
}

/// A program and its flags.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// What it does here.
    pub about: &'static str,
    /// How it reads its flags.
    pub dialect: Dialect,
    /// Its flags.
    pub rows: &'static [Row],
}

/// Why a command line is not taken. The texts are upstream's where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// No such flag (kube-apiserver's words).
    #[error("unknown flag: {0}")]
    Unknown(String),
    /// No such flag (etcd's words).
    #[error("flag provided but not defined: {0}")]
    Undefined(String),
    /// The value is missing.
    #[error("flag needs an argument: {0}")]
    Valueless(String),
    /// The value is not of the flag's type.
    #[error("invalid argument {value:?} for \"--{name}\" flag: {why}")]
    Invalid {
        /// The flag.
        name: &'static str,
        /// What it was given.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// A word that is no flag.
    #[error("{program:?} does not take any arguments, got [{word:?}]")]
    Positional {
        /// The program.
        program: &'static str,
        /// The word.
        word: String,
    },
    /// The flag is known and cannot be honoured here.
    #[error("--{name} cannot be honoured: {why}")]
    Refused {
        /// The flag.
        name: &'static str,
        /// Why.
        why: &'static str,
    },
    /// Flags without which the server would not start.
    #[error("[{0}]")]
    Missing(String),
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    said: Vec<(Row, String)>,
}

impl Program {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// The first word that is not taken.
    pub fn parse(&self, words: &[String]) -> Result<Words, WordsError> {
        let mut said = Vec::new();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            // Harnesses that fill in templates leave empty words behind.
            if word.is_empty() {
                continue;
            }
            let (row, given) = self.flag(word)?;
            let (name, kind, meaning) = row;
            let value = match (given, kind) {
                (Some(value), _) => value.to_owned(),
                (None, "") => "true".to_owned(),
                (None, _) => match rest.next() {
                    Some(value) => value.clone(),
                    None => return Err(WordsError::Valueless(word.clone())),
                },
            };
            // `--version=raw` is the one switch with other values.
            if kind.is_empty() && name != "version" && as_switch(&value).is_none() {
                let why = format!("strconv.ParseBool: parsing {value:?}: invalid syntax");
                return Err(WordsError::Invalid { name, value, why });
            }
            if let Meaning::Refused(why) = meaning
                && !matches!(value.as_str(), "" | "false")
            {
                return Err(WordsError::Refused { name, why });
            }
            said.push((row, value));
        }
        Ok(Words { said })
    }

    /// Returns the flag a word names, and the value behind its `=`.
    fn flag<'a>(&self, word: &'a str) -> Result<(Row, Option<&'a str>), WordsError> {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word, None),
        };
        let name = match (self.dialect, flag.strip_prefix("--")) {
            (_, Some(name)) => name.replace('_', "-"),
            (Dialect::Go, None) => flag.strip_prefix('-').unwrap_or_default().to_owned(),
            (Dialect::Posix, None) => match flag {
                "-h" => "help".to_owned(),
                "-v" => "v".to_owned(),
                _ => String::new(),
            },
        };
        if !flag.starts_with('-') {
            return Err(WordsError::Positional {
                program: self.name,
                word: word.to_owned(),
            });
        }
        let name = match (self.dialect, name.as_str()) {
            (Dialect::Go, "h") => "help",
            (_, name) => name,
        };
        let row = self.rows.iter().find(|row| row.0 == name);
        let row = row.ok_or_else(|| match self.dialect {
            Dialect::Posix => WordsError::Unknown(flag.to_owned()),
            Dialect::Go => WordsError::Undefined(format!("-{}", flag.trim_start_matches('-'))),
        })?;
        Ok((*row, value))
    }

    /// Returns what `--help` prints: one flag per line, as harnesses search it.
    #[must_use]
    pub fn help(&self) -> String {
        let mut text = format!(
            "{}\n\nUsage:\n  {} [flags]\n\nFlags:\n",
            self.about, self.name
        );
        for (name, kind, meaning) in self.rows {
            let flag = format!("--{name} {kind}");
            // Writing into a string does not fail.
            let _ = match meaning {
                Meaning::Used(what) => writeln!(text, "      {flag:<56} {what}"),
                Meaning::Ignored(why) => {
                    writeln!(text, "      {flag:<56} (taken, means nothing: {why})")
                }
                Meaning::Refused(why) => writeln!(text, "      {flag:<56} (refused: {why})"),
            };
        }
        text
    }
}

impl Words {
    /// Returns whether a flag was said.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Returns the values of a flag as they were said.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.said.iter().filter(move |(row, _)| row.0 == name);
        of_name.map(|(_, value)| value.as_str())
    }

    /// Returns the last value of a flag, unless it is empty.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&str> {
        self.all(name).last().filter(|value| !value.is_empty())
    }

    /// Returns the values of a flag, separated by commas or said one by one.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&str> {
        let values = self.all(name).flat_map(|value| value.split(','));
        let values = values.map(str::trim);
        values.filter(|value| !value.is_empty()).collect()
    }

    /// Returns whether a switch is on, if it was said.
    #[must_use]
    pub fn switch(&self, name: &str) -> Option<bool> {
        self.last(name).and_then(as_switch)
    }

    /// Returns the flags that were said and mean nothing, once each: `--a, --b`.
    #[must_use]
    pub fn ignored(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for ((name, _, meaning), _) in &self.said {
            if matches!(meaning, Meaning::Ignored(_)) && !names.contains(name) {
                names.push(name);
            }
        }
        let flags: Vec<String> = names.iter().map(|name| format!("--{name}")).collect();
        flags.join(", ")
    }
}

/// Reads a switch's value as Go does.
fn as_switch(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{apiserver_flags::KUBE_APISERVER, etcd_flags::ETCD};
    use super::{Program, Words};

    fn parse(program: &Program, line: &str) -> Result<Words, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        program.parse(&words).map_err(|error| error.to_string())
    }

    /// `expected` is what was understood (`name=value`), or why not.
    #[track_caller]
    fn check(program: &Program, line: &str, expected: &str) {
        let found = match parse(program, line) {
            Ok(words) => {
                let said = words.said.iter();
                let said: Vec<String> = said
                    .map(|((name, ..), value)| format!("{name}={value}"))
                    .collect();
                said.join(" ")
            }
            Err(error) => error,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_flags_as_kube_apiserver() {
        let check = |line, expected| check(&KUBE_APISERVER, line, expected);
        check("--secure-port=1 --cert-dir /a", "secure-port=1 cert-dir=/a");
        check("--etcd_servers=a", "etcd-servers=a");
        check("--allow-privileged -v 4", "allow-privileged=true v=4");
        check("-h", "help=true");
        check("--version=raw", "version=raw");
        check(" --profiling=F ", "profiling=F");
        check("--token-auth-file=", "token-auth-file=");
    }

    #[test]
    fn refuses_as_kube_apiserver() {
        let check = |line, expected| check(&KUBE_APISERVER, line, expected);
        check("--nonsense=1", "unknown flag: --nonsense");
        check("-x", "unknown flag: -x");
        check("-secure-port=1", "unknown flag: -secure-port");
        check("--secure-port", "flag needs an argument: --secure-port");
        check(
            "extra",
            r#""kube-apiserver" does not take any arguments, got ["extra"]"#,
        );
        check(
            "--anonymous-auth=x",
            r#"invalid argument "x" for "--anonymous-auth" flag: strconv.ParseBool: parsing "x": invalid syntax"#,
        );
        check(
            "--oidc-issuer-url=https://example.com",
            "--oidc-issuer-url cannot be honoured: OpenID Connect is not here",
        );
    }

    #[test]
    fn reads_flags_as_etcd() {
        let check = |line, expected| check(&ETCD, line, expected);
        check(
            "-data-dir /a --unsafe-no-fsync",
            "data-dir=/a unsafe-no-fsync=true",
        );
        check("--nonsense", "flag provided but not defined: -nonsense");
        check(
            "--cert-file=a",
            "--cert-file cannot be honoured: the stand-in speaks plain HTTP",
        );
        check("--auto-tls=false", "auto-tls=false");
    }

    #[test]
    fn lists_are_joined_and_the_last_of_others_counts() {
        let line = "--api-audiences=a,b --api-audiences=c --cert-dir=x --cert-dir=y";
        let words = parse(&KUBE_APISERVER, line).expect("they are flags");
        assert_eq!(words.list("api-audiences"), ["a", "b", "c"]);
        assert_eq!(words.last("cert-dir"), Some("y"));
        assert_eq!(words.last("tls-cert-file"), None);
        assert_eq!(words.switch("anonymous-auth"), None);
    }

    #[test]
    fn ignored_flags_are_named_once() {
        let line = "--etcd-servers=a --secure-port=1 --allow-privileged --etcd-servers=b";
        let words = parse(&KUBE_APISERVER, line).expect("they are flags");
        assert_eq!(words.ignored(), "--etcd-servers, --allow-privileged");
    }

    #[test]
    fn help_has_each_flag_at_the_start_of_a_line() {
        for program in [&KUBE_APISERVER, &ETCD] {
            let help = program.help();
            let lines: Vec<&str> = help.lines().map(str::trim_start).collect();
            for (name, ..) in program.rows {
                let flag = format!("--{name} ");
                let count = lines.iter().filter(|line| line.starts_with(&flag)).count();
                assert_eq!(count, 1, "{flag}");
            }
        }
        // envtest leaves a flag away when the help does not have it.
        assert!(!KUBE_APISERVER.help().contains("--insecure-port"));
        assert!(ETCD.help().contains("\n      --unsafe-no-fsync "));
    }
}
