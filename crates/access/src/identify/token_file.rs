//! Static tokens: lines of `token,user,uid,"group1,group2"`.

use std::sync::Arc;

use api::Text;
use hashbrown::HashMap;

use crate::User;

/// Tokens that never change while the server runs.
#[derive(Debug, Default)]
pub struct TokenFile {
    users: HashMap<Box<str>, Arc<User>>,
}

/// Why the text of a token file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFileError {
    /// A line lacks the token, the user or the uid; complete it.
    #[error(
        "line {line} must have at least 3 columns (token, user name, user uid), found {columns}"
    )]
    Columns {
        /// Line, from 1.
        line: usize,
        /// How many columns it has.
        columns: usize,
    },
    /// A quote is not closed, or stands inside a column that has none.
    #[error("line {line} has a stray quote")]
    Quote {
        /// Line, from 1.
        line: usize,
    },
}

impl TokenFile {
    /// Reads the text of a token file. A line without a token is left out; of two with one token the
    /// later wins, as upstream.
    ///
    /// # Errors
    /// [`TokenFileError`] names the line.
    pub fn read(text: &str) -> Result<Self, TokenFileError> {
        let mut users = HashMap::new();
        for (place, line) in text.lines().enumerate() {
            let number = place + 1;
            if line.is_empty() {
                continue;
            }
            let columns = columns(line).ok_or(TokenFileError::Quote { line: number })?;
            let [token, name, uid, rest @ ..] = columns.as_slice() else {
                return Err(TokenFileError::Columns {
                    line: number,
                    columns: columns.len(),
                });
            };
            if token.is_empty() {
                continue;
            }
            let mut user = User::named(name);
            user.uid = Text::new(uid);
            if let Some(groups) = rest.first() {
                user.groups = groups.split(',').map(Text::new).collect();
            }
            users.insert(token.as_str().into(), Arc::new(user.authenticated()));
        }
        Ok(Self { users })
    }

    /// Returns whose token this is.
    #[must_use]
    pub fn user(&self, token: &str) -> Option<Arc<User>> {
        self.users.get(token).cloned()
    }
}

/// Splits a line of comma-separated values; quotes inside quotes are doubled.
fn columns(line: &str) -> Option<Vec<String>> {
    let mut columns = Vec::new();
    let mut rest = line;
    loop {
        let mut column = String::new();
        // As Go's reader: only the very first character of a column begins a quoted one.
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let (part, after) = quoted.split_once('"')?;
                column.push_str(part);
                match after.strip_prefix('"') {
                    Some(more) => {
                        column.push('"');
                        quoted = more;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
            if !(rest.is_empty() || rest.starts_with(',')) {
                return None;
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            column.push_str(&rest[..end]);
            rest = &rest[end..];
            if column.contains('"') {
                return None;
            }
        }
        columns.push(column);
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Some(columns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TokenFile, TokenFileError};

    #[track_caller]
    fn check(text: &str, token: &str, expected: Option<(&str, &str, &[&str])>) {
        let file = TokenFile::read(text).expect("a token file");
        let user = file.user(token);
        let found = user.as_ref().map(|user| {
            let groups: Vec<&str> = user.groups.iter().map(|group| group.as_str()).collect();
            (user.name.as_str(), user.uid.as_str(), groups)
        });
        let expected = expected.map(|(name, uid, groups)| (name, uid, groups.to_vec()));
        assert_eq!(found, expected);
    }

    #[test]
    fn finds_users() {
        let text = "t1,alice,1\n\nt2,bob,2,\"a,b\"\r\nt3,\"c \"\"d\"\"\",3,g,more\n,nobody,4\nt1,again,5\n";
        check(text, "t1", Some(("again", "5", &["system:authenticated"])));
        check(
            text,
            "t2",
            Some(("bob", "2", &["a", "b", "system:authenticated"])),
        );
        check(
            text,
            "t3",
            Some(("c \"d\"", "3", &["g", "system:authenticated"])),
        );
        check(text, "", None);
        check(text, "t4", None);
    }

    #[test]
    fn refuses_broken_lines() {
        let check = |text: &str, expected: TokenFileError| {
            assert_eq!(TokenFile::read(text).err(), Some(expected));
        };
        check(
            "a,b,c\nd,e\n",
            TokenFileError::Columns {
                line: 2,
                columns: 2,
            },
        );
        check("\"a,b,c\n", TokenFileError::Quote { line: 1 });
        check("\"a\"b,c,d\n", TokenFileError::Quote { line: 1 });
        check("a\"b,c,d\n", TokenFileError::Quote { line: 1 });
    }
}
