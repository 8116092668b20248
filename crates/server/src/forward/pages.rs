//! Addresses in what was proxied: redirects and pages lead through the proxy again.
//!
//! A page is told from its markup only as far as needed: tags, their attributes, comments, and the
//! elements whose content is no markup. Whatever is not an address stays as it came, byte for byte.
//!
//! Source: k8s.io/apimachinery, pkg/util/proxy/transport.go.

use std::borrow::Cow;

/// Which attributes of which elements are addresses.
const ADDRESSES: [(&str, &[&str]); 25] = [
    ("a", &["href"]),
    ("applet", &["codebase"]),
    ("area", &["href"]),
    ("audio", &["src"]),
    ("base", &["href"]),
    ("blockquote", &["cite"]),
    ("body", &["background"]),
    ("button", &["formaction"]),
    ("command", &["icon"]),
    ("del", &["cite"]),
    ("embed", &["src"]),
    ("form", &["action"]),
    ("frame", &["longdesc", "src"]),
    ("head", &["profile"]),
    ("html", &["manifest"]),
    ("iframe", &["longdesc", "src"]),
    ("img", &["longdesc", "src", "usemap"]),
    ("input", &["src", "usemap", "formaction"]),
    ("ins", &["cite"]),
    ("link", &["href"]),
    ("object", &["classid", "codebase", "data", "usemap"]),
    ("q", &["cite"]),
    ("script", &["src"]),
    ("source", &["src"]),
    ("video", &["poster", "src"]),
];

/// Elements whose content is text until they end.
const TEXTS: [&str; 8] = [
    "iframe",
    "noembed",
    "noframes",
    "plaintext",
    "script",
    "style",
    "textarea",
    "title",
];

/// Where a proxy stands, and what it stands for.
pub(super) struct Proxy<'a> {
    /// Host and port of the request, as the client knows them.
    pub(super) asked_host: &'a str,
    /// Host and port of what is proxied.
    pub(super) own_host: &'a str,
    /// What the path of the request has before that of what is proxied.
    pub(super) prefix: &'a str,
}

impl Proxy<'_> {
    /// Returns an address as it leads through the proxy; none if it stays as it is: on another
    /// host, relative, or through the proxy already.
    pub(super) fn rewrite(&self, address: &str) -> Option<String> {
        let after_scheme = address.find("//").filter(|&at| {
            let scheme = address[..at].strip_suffix(':');
            at == 0 || scheme.is_some_and(|text| text.bytes().all(|b| b.is_ascii_alphanumeric()))
        });
        let (before, host, path) = match after_scheme {
            None => ("", "", address),
            Some(at) => {
                let rest = &address[at + 2..];
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                (&address[..at + 2 + end], &rest[..end], &rest[end..])
            }
        };
        let is_elsewhere = !host.is_empty() && host != self.own_host && host != self.asked_host;
        if is_elsewhere || !path.starts_with('/') {
            return None;
        }
        let before = if host == self.asked_host { before } else { "" };
        let prefix = if path.starts_with(self.prefix) {
            ""
        } else {
            self.prefix.trim_end_matches('/')
        };
        let rewritten = format!("{before}{prefix}{path}");
        (rewritten != address).then_some(rewritten)
    }

    /// Returns a page whose addresses lead through the proxy.
    pub(super) fn rewrite_page(&self, page: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(page.len() + page.len() / 16);
        let mut rest = page;
        while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            let length = if rest.starts_with(b"<!--") {
                find(rest, b"-->").map_or(rest.len(), |end| end + 3)
            } else if rest.get(1).is_some_and(u8::is_ascii_alphabetic) {
                let (length, name) = self.put_tag(rest, &mut out);
                rest = &rest[length..];
                if !TEXTS.contains(&name.as_str()) {
                    continue;
                }
                end_of_text(rest, &name)
            } else {
                1
            };
            out.extend_from_slice(&rest[..length]);
            rest = &rest[length..];
        }
        out.extend_from_slice(rest);
        out
    }

    /// Appends the tag at the beginning of `text`; returns its length and name.
    fn put_tag(&self, text: &[u8], out: &mut Vec<u8>) -> (usize, String) {
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
        let name = text[1..].iter().position(is_end).unwrap_or(text.len() - 1);
        let (mut at, end) = (1 + name, text.len());
        let name = String::from_utf8_lossy(&text[1..at]).to_ascii_lowercase();
        let addresses = ADDRESSES.iter().find(|(known, _)| *known == name);
        let addresses = addresses.map_or(&[][..], |(_, attributes)| *attributes);
        let mut copied = 0;
        while at < end && text[at] != b'>' {
            if text[at].is_ascii_whitespace() || text[at] == b'/' {
                at += 1;
                continue;
            }
            let (attribute, value) = attribute(text, at);
            at = value.next;
            if !addresses.contains(&attribute.as_str()) || value.start == value.end {
                continue;
            }
            let given = String::from_utf8_lossy(&text[value.start..value.end]);
            let plain = given.replace("&amp;", "&");
            if let Some(new) = self.rewrite(plain.trim()) {
                out.extend_from_slice(&text[copied..value.start]);
                out.extend_from_slice(quoted(&new).as_bytes());
                copied = value.end;
            }
        }
        let length = (at + 1).min(end);
        out.extend_from_slice(&text[copied..length]);
        (length, name)
    }
}

/// Where the value of an attribute stands, and what comes after it.
struct Span {
    start: usize,
    end: usize,
    next: usize,
}

/// Reads the attribute at `at`: its name in lower case, and where its value stands.
fn attribute(text: &[u8], at: usize) -> (String, Span) {
    let from = |at: usize, stop: &dyn Fn(u8) -> bool| {
        let rest = text[at..].iter();
        at + rest.take_while(|byte| !stop(**byte)).count()
    };
    let blank = |at: usize| from(at, &|byte| !byte.is_ascii_whitespace());
    // An equals sign at the very beginning belongs to the name.
    let name_end = from(at + 1, &|byte| {
        byte.is_ascii_whitespace() || matches!(byte, b'=' | b'/' | b'>')
    });
    let name = String::from_utf8_lossy(&text[at..name_end]).to_ascii_lowercase();
    let sign = blank(name_end);
    if text.get(sign) != Some(&b'=') {
        let span = Span {
            start: name_end,
            end: name_end,
            next: name_end,
        };
        return (name, span);
    }
    let start = blank(sign + 1);
    let span = match text.get(start) {
        Some(quote @ (b'"' | b'\'')) => {
            let end = from(start + 1, &|byte| byte == *quote);
            Span {
                start: start + 1,
                end,
                next: (end + 1).min(text.len()),
            }
        }
        _ => {
            let end = from(start, &|byte| byte.is_ascii_whitespace() || byte == b'>');
            Span {
                start,
                end,
                next: end,
            }
        }
    };
    (name, span)
}

/// Returns where an element of text ends, or the end of all.
fn end_of_text(text: &[u8], name: &str) -> usize {
    let end = format!("</{name}");
    let found = text
        .windows(end.len())
        .position(|part| part.eq_ignore_ascii_case(end.as_bytes()));
    found.unwrap_or(text.len())
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// Returns a value as it may stand in an attribute, however it is quoted.
fn quoted(value: &str) -> Cow<'_, str> {
    if value.contains(['&', '"', '\'', '<', '>']) {
        let value = value.replace('&', "&amp;").replace('"', "&#34;");
        let value = value.replace('\'', "&#39;");
        Cow::Owned(value.replace('<', "&lt;").replace('>', "&gt;"))
    } else {
        Cow::Borrowed(value)
    }
}

#[cfg(test)]
mod tests {
    use super::Proxy;

    const PROXY: Proxy<'_> = Proxy {
        asked_host: "api:6443",
        own_host: "10.0.0.7:80",
        prefix: "/api/v1/namespaces/a/pods/p/proxy",
    };

    #[test]
    fn addresses_of_its_own_lead_through_the_proxy() {
        let check = |address: &str, expected: &str| {
            let found = PROXY.rewrite(address);
            assert_eq!(found.as_deref().unwrap_or("stays"), expected, "{address}");
        };
        check("/", "/api/v1/namespaces/a/pods/p/proxy/");
        check("/x?y#z", "/api/v1/namespaces/a/pods/p/proxy/x?y#z");
        check(
            "http://10.0.0.7:80/x",
            "/api/v1/namespaces/a/pods/p/proxy/x",
        );
        check("//10.0.0.7:80/x/", "/api/v1/namespaces/a/pods/p/proxy/x/");
        check(
            "https://api:6443/x",
            "https://api:6443/api/v1/namespaces/a/pods/p/proxy/x",
        );
        for stays in [
            "x/y",
            "",
            "#z",
            "mailto:a@b",
            "http://other/x",
            "http://10.0.0.7/x",
            "/api/v1/namespaces/a/pods/p/proxy/x",
            "x?u=http://10.0.0.7:80/",
        ] {
            check(stays, "stays");
        }
    }

    #[test]
    fn pages_keep_all_but_their_addresses() {
        let check = |page: &str, expected: &str| {
            let found = PROXY.rewrite_page(page.as_bytes());
            let found = String::from_utf8(found).expect("it is text");
            assert_eq!(found, expected.replace('~', PROXY.prefix));
        };
        check(
            r#"<A HREF="/x" title='/x'>/x</A>"#,
            r#"<A HREF="~/x" title='/x'>/x</A>"#,
        );
        check(
            "<img src=/a longdesc = '/b'/>",
            "<img src=~/a longdesc = '~/b'/>",
        );
        check("<a href='/a?b&amp;c'>", "<a href='~/a?b&amp;c'>");
        check("<a href='/a?b&c'>", "<a href='~/a?b&amp;c'>");
        check(
            "<a href='x'><a href><a =><p src='/x'>",
            "<a href='x'><a href><a =><p src='/x'>",
        );
        check(
            "<!-- <a href='/x'> --><a href=/x>",
            "<!-- <a href='/x'> --><a href=~/x>",
        );
        check(
            "<script src=/s>'<a href=\"/x\">'</SCRIPT><a href=/x>",
            "<script src=~/s>'<a href=\"/x\">'</SCRIPT><a href=~/x>",
        );
        check("a < b <3 </a href='/x'>", "a < b <3 </a href='/x'>");
        // What breaks off is passed on as it is.
        check("<a href=\"/x", "<a href=\"~/x");
        check("<a", "<a");
        check("<script>x", "<script>x");
        check("<!-- x", "<!-- x");
    }
}
