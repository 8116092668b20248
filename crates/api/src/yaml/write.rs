//! Tree to text, with goyaml's layout: sorted keys, lists not indented, lines broken after 80 columns.

use std::cmp::Ordering;

use super::resolve::{Scalar, resolve};
use crate::{Object, Text, Value, quote};

const INDENT: usize = 2;
const WIDTH: usize = 80;
/// Longest key that stands before its colon on one line.
const SIMPLE_KEY_LEN_MAX: usize = 128;

/// Appends a document that ends with a line feed.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    let mut writer = Writer {
        out: String::new(),
        column: 0,
        after_space: true,
        at_indent: true,
    };
    writer.node(value, None, Around::Nothing);
    if writer.column > 0 {
        writer.line_feed();
    }
    out.extend_from_slice(writer.out.as_bytes());
}

/// What a value stands in, where the layout depends on it.
#[derive(Clone, Copy, PartialEq)]
enum Around {
    Nothing,
    Key,
    Map,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

struct Writer {
    out: String,
    /// Characters on the current line.
    column: usize,
    /// The last thing written was white space or needs none after it.
    after_space: bool,
    /// Only indentation and indicators are on the line.
    at_indent: bool,
}

impl Writer {
    fn node(&mut self, value: &Value, indent: Option<usize>, around: Around) {
        match value {
            Value::Array(items) if !items.is_empty() => self.list(items, indent, around),
            Value::Object(object) if !object.is_empty() => self.map(object, indent),
            Value::Array(_) => self.indicator("[]", true),
            Value::Object(_) => self.indicator("{}", true),
            Value::Null => self.plain("null", indent, around),
            Value::Bool(true) => self.plain("true", indent, around),
            Value::Bool(false) => self.plain("false", indent, around),
            Value::Int(number) => self.plain(itoa::Buffer::new().format(*number), indent, around),
            Value::Float(number) => self.plain(&quote::float(*number), indent, around),
            Value::String(text) => self.text(text, indent, around),
        }
    }

    fn list(&mut self, items: &[Value], indent: Option<usize>, around: Around) {
        // A list that is the value of a key stands in the key's column.
        let deeper = deeper(indent, around == Around::Map && !self.at_indent);
        for item in items {
            self.indent(deeper);
            self.indicator("-", true);
            self.at_indent = true;
            self.node(item, Some(deeper), Around::Nothing);
        }
    }

    fn map(&mut self, object: &Object, indent: Option<usize>) {
        let deeper = deeper(indent, false);
        let mut fields: Vec<&(Text, Value)> = object.fields().iter().collect();
        fields.sort_by(|a, b| compare_keys(&a.0, &b.0));
        for (key, value) in fields {
            self.indent(deeper);
            if key.len() <= SIMPLE_KEY_LEN_MAX && !key.contains(is_break) {
                self.text(key, Some(deeper), Around::Key);
                self.indicator(":", false);
            } else {
                self.indicator("?", true);
                self.at_indent = true;
                self.text(key, Some(deeper), Around::Map);
                self.indent(deeper);
                self.indicator(":", true);
                self.at_indent = true;
            }
            self.node(value, Some(deeper), Around::Map);
        }
    }

    fn text(&mut self, text: &str, indent: Option<usize>, around: Around) {
        let literal = around != Around::Key;
        // Bare, this key would merge a map when it is read; upstream writes it so all the same.
        if text == "<<" && !literal {
            return self.double(text, indent, around);
        }
        match style(text, literal) {
            Style::Plain => self.plain(text, indent, around),
            Style::Single => self.single(text, indent, around),
            Style::Double => self.double(text, indent, around),
            Style::Literal => self.literal(text, continued(indent)),
        }
    }

    fn plain(&mut self, text: &str, indent: Option<usize>, around: Around) {
        if !text.is_empty() && !self.after_space {
            self.put(' ');
        }
        self.folded(text, indent, around, Style::Plain);
    }

    fn single(&mut self, text: &str, indent: Option<usize>, around: Around) {
        self.indicator("'", true);
        self.folded(text, indent, around, Style::Single);
        self.put('\'');
        self.after_space = false;
        self.at_indent = false;
    }

    /// Writes one-line text, broken at single spaces once the line is long.
    fn folded(&mut self, text: &str, indent: Option<usize>, around: Around, style: Style) {
        let deeper = continued(indent);
        let mut after_space = false;
        let mut letters = text.chars().enumerate().peekable();
        let last = text.chars().count().saturating_sub(1);
        while let Some((at, letter)) = letters.next() {
            if letter == ' ' {
                let next_is_space = letters.peek().is_some_and(|(_, next)| *next == ' ');
                let inside = style == Style::Plain || (at > 0 && at < last);
                let breaks = around != Around::Key && !after_space && self.column > WIDTH;
                if breaks && inside && !next_is_space {
                    self.indent(deeper);
                } else {
                    self.put(' ');
                }
                after_space = true;
                continue;
            }
            if letter == '\'' && style == Style::Single {
                self.put('\'');
            }
            self.put(letter);
            self.at_indent = false;
            after_space = false;
        }
        self.after_space = false;
        self.at_indent = false;
    }

    fn double(&mut self, text: &str, indent: Option<usize>, around: Around) {
        let deeper = continued(indent);
        self.indicator("\"", true);
        let mut after_space = false;
        let mut letters = text.chars().enumerate().peekable();
        let last = text.chars().count().saturating_sub(1);
        while let Some((at, letter)) = letters.next() {
            let space = letter == ' ';
            if space {
                let breaks = around != Around::Key && !after_space && self.column > WIDTH;
                if breaks && at > 0 && at < last {
                    self.indent(deeper);
                    if letters.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
            } else if matches!(letter, '"' | '\\') || is_break(letter) || !is_printable(letter) {
                self.escape(letter);
            } else {
                self.put(letter);
            }
            after_space = space;
        }
        self.indicator("\"", false);
        self.after_space = false;
        self.at_indent = false;
    }

    fn escape(&mut self, letter: char) {
        self.put('\\');
        let code = u32::from(letter);
        let short = match letter {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let digits = match code {
                    0..=0xff => format!("x{code:02X}"),
                    0x100..=0xffff => format!("u{code:04X}"),
                    _ => format!("U{code:08X}"),
                };
                digits.chars().for_each(|digit| self.put(digit));
                return;
            }
        };
        self.put(short);
    }

    fn literal(&mut self, text: &str, deeper: usize) {
        self.indicator("|", true);
        if text.starts_with([' ', '\n']) {
            self.put('2');
        }
        if !text.ends_with('\n') {
            self.put('-');
        } else if text == "\n" || text.ends_with("\n\n") {
            self.put('+');
        }
        self.line_feed();
        let mut begins = true;
        for letter in text.chars() {
            if letter == '\n' {
                self.line_feed();
                begins = true;
                continue;
            }
            if begins {
                self.indent(deeper);
            }
            self.put(letter);
            self.at_indent = false;
            begins = false;
        }
    }

    /// Goes to a column of its own, on a new line if something is on this one.
    fn indent(&mut self, column: usize) {
        let inside = self.column == column && !self.after_space;
        if !self.at_indent || self.column > column || inside {
            self.line_feed();
        }
        while self.column < column {
            self.put(' ');
        }
        self.after_space = true;
        self.at_indent = true;
    }

    fn indicator(&mut self, sign: &str, needs_space: bool) {
        if needs_space && !self.after_space {
            self.put(' ');
        }
        sign.chars().for_each(|letter| self.put(letter));
        self.after_space = false;
        self.at_indent = false;
    }

    fn put(&mut self, letter: char) {
        self.out.push(letter);
        self.column += 1;
    }

    fn line_feed(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.after_space = true;
        self.at_indent = true;
    }
}

/// Returns the column in which further lines of a scalar begin.
fn continued(indent: Option<usize>) -> usize {
    indent.map_or(INDENT, |indent| indent + INDENT)
}

fn deeper(indent: Option<usize>, stays: bool) -> usize {
    match indent {
        None => 0,
        Some(indent) if stays => indent,
        Some(indent) => indent + INDENT,
    }
}

/// Chooses the style of a text as goyaml's encoder and emitter do together.
fn style(text: &str, literal: bool) -> Style {
    let shape = Shape::of(text);
    if text.contains('\n') {
        let allowed = literal && !shape.special && !shape.space_break && !shape.trailing_space;
        return if allowed {
            Style::Literal
        } else {
            Style::Double
        };
    }
    let means_text = matches!(resolve(text), Scalar::Text(_)) && !is_base_60(text);
    if !means_text || shape.special || text.contains(is_break) {
        return Style::Double;
    }
    if shape.indicators || text.starts_with(' ') || shape.trailing_space {
        return Style::Single;
    }
    Style::Plain
}

/// What of a text matters for its style.
struct Shape {
    special: bool,
    indicators: bool,
    space_break: bool,
    trailing_space: bool,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut shape = Self {
            special: false,
            indicators: text.starts_with("---") || text.starts_with("..."),
            space_break: false,
            trailing_space: text.ends_with(' '),
        };
        let mut before = ' ';
        let mut letters = text.chars().enumerate().peekable();
        while let Some((at, letter)) = letters.next() {
            let next = letters.peek().map(|(_, next)| *next);
            let blank_follows = next.is_none_or(|next| matches!(next, ' ' | '\t'));
            let blank_before = matches!(before, ' ' | '\t') || is_break(before);
            shape.indicators |= match letter {
                '#' if at == 0 => true,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`' => at == 0,
                '?' | '-' => at == 0 && blank_follows,
                ':' => blank_follows,
                '#' => blank_before,
                _ => false,
            };
            shape.special |= !is_printable(letter);
            shape.space_break |= before == ' ' && at > 0 && is_break(letter);
            before = letter;
        }
        shape
    }
}

fn is_break(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns whether goyaml takes a letter for printable; nothing beyond 16 bits is.
fn is_printable(letter: char) -> bool {
    matches!(letter, '\n' | ' '..='~' | '\u{a0}'..='\u{fffd}') && letter != '\u{feff}'
}

/// Returns whether a text is a number of base 60, which other parsers would read as one:
/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`.
fn is_base_60(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (parts, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let mut parts = parts.split(':');
    let first = parts.next().unwrap_or("");
    let is_digits = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let mut count = 0;
    let sixties = parts.all(|part| {
        count += 1;
        match part.as_bytes() {
            [one] => one.is_ascii_digit(),
            [ten @ b'0'..=b'5', one] => ten.is_ascii_digit() && one.is_ascii_digit(),
            _ => false,
        }
    });
    first.starts_with(|letter: char| letter.is_ascii_digit())
        && is_digits(first)
        && sixties
        && count > 0
        && is_digits(fraction)
}

/// Orders keys as goyaml: numbers inside by their value, letters after other signs.
fn compare_keys(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    for at in 0..a.len().min(b.len()) {
        if a[at] == b[at] {
            continue;
        }
        let (left, right) = (a[at].is_alphabetic(), b[at].is_alphabetic());
        if left && right {
            return a[at].cmp(&b[at]);
        }
        if left || right {
            return if right {
                Ordering::Less
            } else {
                Ordering::Greater
            };
        }
        return compare_numbers(&a, &b, at);
    }
    a.len().cmp(&b.len())
}

fn compare_numbers(a: &[char], b: &[char], at: usize) -> Ordering {
    let mut start = 0_i64;
    if a[at] == '0' || b[at] == '0' {
        let before = a[..at]
            .iter()
            .rev()
            .take_while(|letter| letter.is_ascii_digit());
        start = i64::from(before.into_iter().any(|letter| *letter != '0'));
    }
    let number = |letters: &[char]| {
        let digits = letters[at..].iter().map_while(|letter| letter.to_digit(10));
        digits.fold((start, 0), |(number, count), digit| {
            let number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
            (number, count + 1)
        })
    };
    number(a).cmp(&number(b)).then(a[at].cmp(&b[at]))
}
