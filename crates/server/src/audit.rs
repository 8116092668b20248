//! Names each request. Audit events themselves come with a later issue; their places in the phases
//! are marked.

use api::Text;
use base::Rng;
use http::{HeaderMap, HeaderName};
use parking_lot::Mutex;

/// Header that carries a request's name, both ways.
pub(crate) const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// Longest name taken from a client, as upstream.
const AUDIT_ID_MAX: usize = 64;

/// Makes names for requests that bring none.
#[derive(Debug)]
pub(crate) struct AuditIds(Mutex<Rng>);

impl AuditIds {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self(Mutex::new(Rng::from_seed(rng.next_u64())))
    }

    /// Returns the client's name for the request, or a new one.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Text {
        let given = headers.get(AUDIT_ID).and_then(|value| value.to_str().ok());
        match given {
            Some(given) if !given.is_empty() => {
                // `to_str` lets only visible ASCII through, so every byte is a character.
                Text::new(&given[..given.len().min(AUDIT_ID_MAX)])
            }
            _ => self.next(),
        }
    }

    /// Returns a random UUID, version 4.
    fn next(&self) -> Text {
        let mut bytes = [0_u8; 16];
        self.0.lock().fill(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let mut text = Text::with_capacity(36);
        for (place, byte) in bytes.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use base::Rng;
    use http::{HeaderMap, HeaderValue};

    use super::{AUDIT_ID, AuditIds};

    #[test]
    fn keeps_what_the_client_says_and_names_the_rest() {
        let ids = AuditIds::new(&mut Rng::from_seed(1));
        let mut headers = HeaderMap::new();
        let made = ids.of(&headers);
        assert_eq!((made.len(), &made[14..15]), (36, "4"), "{made}");
        assert_ne!(ids.of(&headers), made);
        headers.insert(AUDIT_ID, HeaderValue::from_static("mine"));
        assert_eq!(ids.of(&headers), "mine");
        let long = HeaderValue::from_str(&"x".repeat(100)).expect("it is ASCII");
        headers.insert(AUDIT_ID, long);
        assert_eq!(ids.of(&headers).len(), 64);
    }
}
