//! Words of a label selector's text.

/// One word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    End,
    Close,
    Comma,
    Not,
    DoubleEquals,
    Equals,
    Greater,
    Identifier,
    In,
    Less,
    NotEquals,
    NotIn,
    Open,
    /// A sign that begins nothing known.
    Wrong,
}

const WORDS: [(&str, Token); 11] = [
    (")", Token::Close),
    (",", Token::Comma),
    ("!", Token::Not),
    ("==", Token::DoubleEquals),
    ("=", Token::Equals),
    (">", Token::Greater),
    ("in", Token::In),
    ("<", Token::Less),
    ("!=", Token::NotEquals),
    ("notin", Token::NotIn),
    ("(", Token::Open),
];

/// Splits a text into words; the last is the end.
pub(super) fn words(text: &str) -> Vec<(Token, &str)> {
    // Upstream takes a zero byte for the end of the text.
    let mut rest = text.split('\0').next().unwrap_or("");
    let mut words = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            words.push((Token::End, ""));
            return words;
        }
        let len = if rest.starts_with(is_sign) {
            sign_len(rest)
        } else {
            rest.find(|letter: char| is_sign(letter) || matches!(letter, ' ' | '\t' | '\r' | '\n'))
                .unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at(len);
        let other = if word.starts_with(is_sign) {
            Token::Wrong
        } else {
            Token::Identifier
        };
        words.push((known(word).unwrap_or(other), word));
        rest = after;
    }
}

/// Returns the length of the longest sign; all signs are known by themselves or with `=` behind.
fn sign_len(rest: &str) -> usize {
    let two = rest.get(..2);
    if two.and_then(known).is_some() { 2 } else { 1 }
}

fn known(word: &str) -> Option<Token> {
    let found = WORDS.iter().find(|(text, _)| *text == word);
    found.map(|(_, token)| *token)
}

fn is_sign(letter: char) -> bool {
    matches!(letter, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}
