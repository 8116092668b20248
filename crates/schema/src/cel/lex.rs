//! Splits an expression into tokens, and takes string literals apart.

use super::issue::Issues;

/// What a token is. The order is that in which upstream lists what it expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the grammar's own")]
pub(super) enum Kind {
    Equals,
    NotEquals,
    In,
    Less,
    LessEquals,
    GreaterEquals,
    Greater,
    And,
    Or,
    LeftBracket,
    RightBracket,
    LeftBrace,
    RightBrace,
    LeftParen,
    RightParen,
    Dot,
    Comma,
    Minus,
    Exclam,
    Question,
    Colon,
    Plus,
    Star,
    Slash,
    Percent,
    True,
    False,
    Null,
    Float,
    Int,
    Uint,
    Text,
    Bytes,
    Ident,
    Escaped,
    End,
}

/// One token: what it is and where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Kind {
    /// Returns how upstream names the token among those it expected.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Equals => "'=='",
            Self::NotEquals => "'!='",
            Self::In => "'in'",
            Self::Less => "'<'",
            Self::LessEquals => "'<='",
            Self::GreaterEquals => "'>='",
            Self::Greater => "'>'",
            Self::And => "'&&'",
            Self::Or => "'||'",
            Self::LeftBracket => "'['",
            Self::RightBracket => "']'",
            Self::LeftBrace => "'{'",
            Self::RightBrace => "'}'",
            Self::LeftParen => "'('",
            Self::RightParen => "')'",
            Self::Dot => "'.'",
            Self::Comma => "','",
            Self::Minus => "'-'",
            Self::Exclam => "'!'",
            Self::Question => "'?'",
            Self::Colon => "':'",
            Self::Plus => "'+'",
            Self::Star => "'*'",
            Self::Slash => "'/'",
            Self::Percent => "'%'",
            Self::True => "'true'",
            Self::False => "'false'",
            Self::Null => "'null'",
            Self::Float => "NUM_FLOAT",
            Self::Int => "NUM_INT",
            Self::Uint => "NUM_UINT",
            Self::Text => "STRING",
            Self::Bytes => "BYTES",
            Self::Ident => "IDENTIFIER",
            Self::Escaped => "ESC_IDENTIFIER",
            Self::End => "<EOF>",
        }
    }
}

/// Returns the tokens of a source, the last of which is [`Kind::End`]; what is no token is reported
/// and left out.
pub(super) fn tokens(source: &str, issues: &mut Issues) -> Vec<Token> {
    let mut lexer = Lexer {
        source,
        bytes: source.as_bytes(),
        at: 0,
    };
    let mut found = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        if start == lexer.bytes.len() {
            let end = offset(start);
            found.push(Token {
                kind: Kind::End,
                start: end,
                end,
            });
            return found;
        }
        match lexer.next() {
            Some(kind) => found.push(Token {
                kind,
                start: offset(start),
                end: offset(lexer.at),
            }),
            None => {
                let text = &source[start..lexer.at];
                issues.add(
                    offset(start),
                    format!("Syntax error: token recognition error at: '{text}'"),
                );
            }
        }
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("an expression is bounded far below 4 GB")
}

struct Lexer<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_blank(&mut self) {
        loop {
            match self.peek(0) {
                b'\t' | b' ' | b'\r' | b'\n' | 0x0c => self.at += 1,
                b'/' if self.peek(1) == b'/' => {
                    while self.at < self.bytes.len() && self.bytes[self.at] != b'\n' {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Moves over one whole character, if there is one.
    fn skip_char(&mut self) {
        if let Some(letter) = self.source[self.at..].chars().next() {
            self.at += letter.len_utf8();
        }
    }

    /// Moves over one token; none, and over what is no token, if there is none.
    fn next(&mut self) -> Option<Kind> {
        let first = self.peek(0);
        let second = self.peek(1);
        let double = |kind| (2, kind);
        let single = |kind| (1, kind);
        let (length, kind) = match (first, second) {
            (b'=', b'=') => double(Kind::Equals),
            (b'!', b'=') => double(Kind::NotEquals),
            (b'<', b'=') => double(Kind::LessEquals),
            (b'>', b'=') => double(Kind::GreaterEquals),
            (b'&', b'&') => double(Kind::And),
            (b'|', b'|') => double(Kind::Or),
            (b'<', _) => single(Kind::Less),
            (b'>', _) => single(Kind::Greater),
            (b'[', _) => single(Kind::LeftBracket),
            (b']', _) => single(Kind::RightBracket),
            (b'{', _) => single(Kind::LeftBrace),
            (b'}', _) => single(Kind::RightBrace),
            (b'(', _) => single(Kind::LeftParen),
            (b')', _) => single(Kind::RightParen),
            (b'.', digit) if !digit.is_ascii_digit() => single(Kind::Dot),
            (b',', _) => single(Kind::Comma),
            (b'-', _) => single(Kind::Minus),
            (b'!', _) => single(Kind::Exclam),
            (b'?', _) => single(Kind::Question),
            (b':', _) => single(Kind::Colon),
            (b'+', _) => single(Kind::Plus),
            (b'*', _) => single(Kind::Star),
            (b'/', _) => single(Kind::Slash),
            (b'%', _) => single(Kind::Percent),
            (b'=' | b'&' | b'|', _) => {
                self.at += 1;
                self.skip_char();
                return None;
            }
            (b'0'..=b'9' | b'.', _) => return Some(self.number()),
            (b'"' | b'\'', _) => return self.quoted(false).then_some(Kind::Text),
            (b'`', _) => return self.escaped(),
            (b'a'..=b'z' | b'A'..=b'Z' | b'_', _) => return self.word(),
            _ => {
                self.skip_char();
                return None;
            }
        };
        self.at += length;
        Some(kind)
    }

    fn digits(&mut self) {
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
    }

    fn number(&mut self) -> Kind {
        if self.peek(0) == b'0' && self.peek(1) == b'x' && self.peek(2).is_ascii_hexdigit() {
            self.at += 2;
            while self.peek(0).is_ascii_hexdigit() {
                self.at += 1;
            }
            return self.whole();
        }
        self.digits();
        let mut float = false;
        if self.peek(0) == b'.' && self.peek(1).is_ascii_digit() {
            float = true;
            self.at += 1;
            self.digits();
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + sign).is_ascii_digit() {
                float = true;
                self.at += 1 + sign;
                self.digits();
            }
        }
        if float { Kind::Float } else { self.whole() }
    }

    fn whole(&mut self) -> Kind {
        if matches!(self.peek(0), b'u' | b'U') {
            self.at += 1;
            return Kind::Uint;
        }
        Kind::Int
    }

    fn escaped(&mut self) -> Option<Kind> {
        self.at += 1;
        let start = self.at;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/ ".contains(&byte);
        while allowed(self.peek(0)) {
            self.at += 1;
        }
        if self.peek(0) == b'`' && self.at > start {
            self.at += 1;
            return Some(Kind::Escaped);
        }
        self.skip_char();
        None
    }

    fn word(&mut self) -> Option<Kind> {
        let (raw, bytes) = (b"rR", b"bB");
        let is_quote = |byte: u8| matches!(byte, b'"' | b'\'');
        let (first, second, third) = (self.peek(0), self.peek(1), self.peek(2));
        if raw.contains(&first) && is_quote(second) {
            self.at += 1;
            return self.quoted(true).then_some(Kind::Text);
        }
        if bytes.contains(&first) && is_quote(second) {
            self.at += 1;
            return self.quoted(false).then_some(Kind::Bytes);
        }
        if bytes.contains(&first) && raw.contains(&second) && is_quote(third) {
            self.at += 2;
            return self.quoted(true).then_some(Kind::Bytes);
        }
        let start = self.at;
        while self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'_' {
            self.at += 1;
        }
        Some(match &self.bytes[start..self.at] {
            b"in" => Kind::In,
            b"true" => Kind::True,
            b"false" => Kind::False,
            b"null" => Kind::Null,
            _ => Kind::Ident,
        })
    }

    /// Moves over a string from its opening quote; false, and over what it can be, if it is none.
    fn quoted(&mut self, raw: bool) -> bool {
        let quote = self.peek(0);
        let triple = self.peek(1) == quote && self.peek(2) == quote;
        let start = self.at;
        if triple {
            self.at += 3;
            if self.close(raw, |lexer| {
                lexer.peek(0) == quote && lexer.peek(1) == quote && lexer.peek(2) == quote
            }) {
                self.at += 3;
                return true;
            }
            // What does not close as a long string is an empty short one.
            self.at = start + 2;
            return true;
        }
        self.at += 1;
        let open = self.close(raw, |lexer| {
            lexer.peek(0) == quote || matches!(lexer.peek(0), b'\n' | b'\r')
        });
        if open && self.peek(0) == quote {
            self.at += 1;
            return true;
        }
        self.skip_char();
        false
    }

    /// Moves to where `closes` answers true; false at a wrong escape or the end.
    fn close(&mut self, raw: bool, closes: impl Fn(&Self) -> bool) -> bool {
        while self.at < self.bytes.len() {
            if closes(self) {
                return true;
            }
            if self.peek(0) == b'\\' && !raw {
                let digits = match self.peek(1) {
                    b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'"' | b'\'' | b'\\'
                    | b'?' | b'`' => 0,
                    b'x' | b'X' => 2,
                    b'u' => 4,
                    b'U' => 8,
                    b'0'..=b'3' => {
                        let octal = |byte: u8| (b'0'..=b'7').contains(&byte);
                        if !octal(self.peek(2)) || !octal(self.peek(3)) {
                            self.at += 2;
                            return false;
                        }
                        self.at += 4;
                        continue;
                    }
                    _ => {
                        self.at += 1;
                        return false;
                    }
                };
                self.at += 2;
                for _ in 0..digits {
                    if !self.peek(0).is_ascii_hexdigit() {
                        return false;
                    }
                    self.at += 1;
                }
            } else {
                self.skip_char();
            }
        }
        false
    }
}

/// Returns what a string literal (with its quotes, without `b`) stands for.
///
/// # Errors
/// Upstream's words.
pub(super) fn unescape(literal: &str, bytes: bool) -> Result<Vec<u8>, &'static str> {
    let literal = literal.replace("\r\n", "\n").replace('\r', "\n");
    let (raw, quoted) = match literal.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, literal.as_str()),
    };
    let long = quoted.len() >= 6 && (quoted.starts_with("\"\"\"") || quoted.starts_with("'''"));
    let quotes = if long { 3 } else { 1 };
    let inner = quoted
        .get(quotes..quoted.len().saturating_sub(quotes))
        .ok_or("unable to unescape string")?;
    if raw || !inner.contains('\\') {
        return Ok(inner.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(letter) = rest.next() {
        if letter == '\\' {
            escape(&mut rest, bytes, &mut out)?;
        } else {
            push(&mut out, letter);
        }
    }
    Ok(out)
}

fn push(out: &mut Vec<u8>, letter: char) {
    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
}

fn escape(
    rest: &mut std::str::Chars<'_>,
    bytes: bool,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    const WRONG: &str = "unable to unescape string";
    let code = rest
        .next()
        .ok_or("unable to unescape string, found '\\' as last character")?;
    let (digits, radix, mut value) = match code {
        'a' => return plain(out, 0x07),
        'b' => return plain(out, 0x08),
        'f' => return plain(out, 0x0c),
        'n' => return plain(out, b'\n'),
        'r' => return plain(out, b'\r'),
        't' => return plain(out, b'\t'),
        'v' => return plain(out, 0x0b),
        '\\' | '\'' | '"' | '`' | '?' => {
            push(out, code);
            return Ok(());
        }
        'x' | 'X' => (2, 16, 0),
        'u' if !bytes => (4, 16, 0),
        'U' if !bytes => (8, 16, 0),
        '0'..='3' => (2, 8, code.to_digit(8).unwrap_or_default()),
        _ => return Err(WRONG),
    };
    for _ in 0..digits {
        let digit = rest.next().and_then(|digit| digit.to_digit(radix));
        value = value * radix + digit.ok_or(WRONG)?;
    }
    if bytes {
        return plain(out, u8::try_from(value).map_err(|_| WRONG)?);
    }
    push(
        out,
        char::from_u32(value).ok_or("invalid unicode code point")?,
    );
    Ok(())
}

fn plain(out: &mut Vec<u8>, byte: u8) -> Result<(), &'static str> {
    out.push(byte);
    Ok(())
}
