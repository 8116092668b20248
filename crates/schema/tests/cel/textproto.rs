//! Reads the text form of protobuf messages, as far as the conformance data uses it.

/// A value of a field.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Message(Vec<(String, Node)>),
    /// A word or a number.
    Word(String),
    Bytes(Vec<u8>),
}

impl Node {
    /// Returns the first value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.fields()
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, node)| node)
    }

    /// Returns every value of a field.
    pub(crate) fn all<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a Node> {
        let fields = match self {
            Node::Message(fields) => fields.as_slice(),
            _ => &[],
        };
        let named = fields.iter().filter(move |(known, _)| known == name);
        named.map(|(_, node)| node)
    }

    pub(crate) fn fields(&self) -> &[(String, Node)] {
        match self {
            Node::Message(fields) => fields,
            _ => &[],
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Node::Bytes(bytes) => String::from_utf8(bytes.clone()).expect("the data is UTF-8"),
            Node::Word(word) => word.clone(),
            Node::Message(_) => panic!("a message is no text"),
        }
    }
}

/// Reads a whole file.
pub(crate) fn read(text: &str) -> Node {
    let mut reader = Reader {
        bytes: text.as_bytes(),
        at: 0,
    };
    let message = reader.message(None);
    assert_eq!(reader.at, text.len(), "the file is read to its end");
    message
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> u8 {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r' | b',' | b';') => self.at += 1,
                Some(b'#') => {
                    while self.bytes.get(self.at).is_some_and(|byte| *byte != b'\n') {
                        self.at += 1;
                    }
                }
                Some(byte) => return *byte,
                None => return 0,
            }
        }
    }

    fn message(&mut self, close: Option<u8>) -> Node {
        let mut fields = Vec::new();
        loop {
            let byte = self.peek();
            if byte == 0 {
                return Node::Message(fields);
            }
            if Some(byte) == close {
                self.at += 1;
                return Node::Message(fields);
            }
            let name = self.word();
            if self.peek() == b':' {
                self.at += 1;
            }
            if self.peek() == b'[' {
                self.at += 1;
                while self.peek() != b']' {
                    let value = self.value();
                    fields.push((name.clone(), value));
                }
                self.at += 1;
                continue;
            }
            let value = self.value();
            fields.push((name, value));
        }
    }

    fn word(&mut self) -> String {
        let start = self.at;
        if self.peek() == b'[' {
            while self.bytes[self.at] != b']' {
                self.at += 1;
            }
            self.at += 1;
        } else {
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-+".contains(byte);
            while self.bytes.get(self.at).is_some_and(is_word) {
                self.at += 1;
            }
        }
        assert!(self.at > start, "a word at {start}");
        String::from_utf8(self.bytes[start..self.at].to_vec()).expect("words are ASCII")
    }

    fn value(&mut self) -> Node {
        match self.peek() {
            b'{' => {
                self.at += 1;
                self.message(Some(b'}'))
            }
            b'<' => {
                self.at += 1;
                self.message(Some(b'>'))
            }
            b'"' | b'\'' => {
                let mut out = Vec::new();
                while matches!(self.peek(), b'"' | b'\'') {
                    self.string(&mut out);
                }
                Node::Bytes(out)
            }
            _ => Node::Word(self.word()),
        }
    }

    fn string(&mut self, out: &mut Vec<u8>) {
        let quote = self.bytes[self.at];
        self.at += 1;
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            if byte == quote {
                return;
            }
            if byte != b'\\' {
                out.push(byte);
                continue;
            }
            let code = self.bytes[self.at];
            self.at += 1;
            let number = |from: usize, length: usize, radix: u32| {
                let digits = std::str::from_utf8(&self.bytes[from..from + length]).expect("digits");
                u32::from_str_radix(digits, radix).expect("digits")
            };
            match code {
                b'n' => out.push(b'\n'),
                b'r' => out.push(b'\r'),
                b't' => out.push(b'\t'),
                b'a' => out.push(7),
                b'b' => out.push(8),
                b'f' => out.push(12),
                b'v' => out.push(11),
                b'x' => {
                    out.push(u8::try_from(number(self.at, 2, 16)).expect("a byte"));
                    self.at += 2;
                }
                b'u' | b'U' => {
                    let length = if code == b'u' { 4 } else { 8 };
                    let letter = char::from_u32(number(self.at, length, 16)).expect("a letter");
                    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                    self.at += length;
                }
                b'0'..=b'7' => {
                    self.at -= 1;
                    let octal = |byte: &&u8| (b'0'..=b'7').contains(*byte);
                    let length = self.bytes[self.at..]
                        .iter()
                        .take(3)
                        .take_while(octal)
                        .count();
                    out.push(u8::try_from(number(self.at, length, 8)).expect("a byte"));
                    self.at += length;
                }
                other => out.push(other),
            }
        }
    }
}
