//! Media types: what a client accepts and what it sends.
//!
//! Source: k8s.io/apiserver, pkg/endpoints/handlers/negotiation, and the rules of goautoneg.

use std::cmp::Ordering;

/// A form in which an object goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/json`
    Json,
    /// `application/yaml`
    Yaml,
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
}

/// One thing a client would take, with what its parameters ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The form.
    pub format: Format,
    /// `pretty=1`
    pub pretty: bool,
    /// `stream=watch`
    pub stream: bool,
    /// `as=Table;g=meta.k8s.io;v=v1`
    pub convert: Option<Convert<'a>>,
    /// `profile=…`, of discovery.
    pub profile: &'a str,
}

/// The kind a client wants objects turned into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Convert<'a> {
    /// `as`
    pub kind: &'a str,
    /// `g`
    pub group: &'a str,
    /// `v`
    pub version: &'a str,
}

/// One clause of an Accept header.
struct Clause<'a> {
    main: &'a str,
    sub: &'a str,
    quality: f64,
    parameters: Vec<(&'a str, &'a str)>,
}

impl Format {
    /// Returns the media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }

    const fn sub_type(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Protobuf => "vnd.kubernetes.protobuf",
        }
    }

    /// Returns whether watches can be sent in it.
    #[must_use]
    pub const fn streams(self) -> bool {
        !matches!(self, Self::Yaml)
    }

    /// Returns the form of a media type without parameters, in lower case.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        [Self::Json, Self::Yaml, Self::Protobuf]
            .into_iter()
            .find(|format| format.media_type() == media_type)
    }
}

/// Returns what the Accept header asks for, best first, of the forms that are offered.
///
/// Whoever answers takes the first whose `convert` it can do; if there is none the answer is 406. An
/// empty header takes the first offer.
#[must_use]
pub fn wanted<'a>(header: &'a str, offers: &[Format]) -> Vec<Wanted<'a>> {
    if header.is_empty() {
        let first = offers.first().map(|format| plain(*format));
        return first.into_iter().collect();
    }
    let mut found = Vec::new();
    for clause in clauses(header) {
        for format in offers {
            let fits = match (clause.main, clause.sub) {
                ("*", "*") | ("application", "*") => true,
                ("application", sub) => sub == format.sub_type(),
                _ => false,
            };
            if fits && let Some(wanted) = with_parameters(*format, &clause) {
                found.push(wanted);
            }
        }
    }
    found
}

/// Returns the place of the media type, of those offered, that an Accept header asks for first.
///
/// For what is no object: parameters say nothing.
#[must_use]
pub fn preferred(header: &str, offers: &[&str]) -> Option<usize> {
    clauses(header).iter().find_map(|clause| {
        offers.iter().position(|offer| {
            let (main, sub) = offer.split_once('/').unwrap_or((offer, ""));
            (clause.main == "*" || clause.main == main) && (clause.sub == "*" || clause.sub == sub)
        })
    })
}

fn plain(format: Format) -> Wanted<'static> {
    Wanted {
        format,
        pretty: false,
        stream: false,
        convert: None,
        profile: "",
    }
}

/// Returns none if a parameter asks for what no server of this API has.
fn with_parameters<'a>(format: Format, clause: &Clause<'a>) -> Option<Wanted<'a>> {
    let mut wanted: Wanted<'a> = plain(format);
    for (name, value) in &clause.parameters {
        match *name {
            "as" => wanted.convert.get_or_insert_default().kind = value,
            "g" => wanted.convert.get_or_insert_default().group = value,
            "v" => wanted.convert.get_or_insert_default().version = value,
            "stream" => {
                if !(value.is_empty() || (format.streams() && *value == "watch")) {
                    return None;
                }
                wanted.stream = !value.is_empty();
            }
            "sv" if !value.is_empty() => return None,
            "pretty" => wanted.pretty = *value == "1",
            "profile" => wanted.profile = value,
            _ => {}
        }
    }
    Some(wanted)
}

/// Splits and sorts the header as goautoneg does.
fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = header.split(',').filter_map(clause).collect();
    // The order is not a strict one, so the way of sorting shows: upstream inserts.
    if clauses.len() > 12 {
        clauses.sort_by(|a, b| b.quality.partial_cmp(&a.quality).unwrap_or(Ordering::Equal));
        return clauses;
    }
    for end in 1..clauses.len() {
        let mut at = end;
        while at > 0 && before(&clauses[at], &clauses[at - 1]) {
            clauses.swap(at, at - 1);
            at -= 1;
        }
    }
    clauses
}

fn before(a: &Clause<'_>, b: &Clause<'_>) -> bool {
    a.quality > b.quality || (a.main != "*" && b.main == "*") || (a.sub != "*" && b.sub == "*")
}

fn clause(part: &str) -> Option<Clause<'_>> {
    let part = part.trim_matches(' ');
    let (media, rest) = part.split_once(';').unwrap_or((part, ""));
    let (main, sub) = media.split_once('/').unwrap_or((media, ""));
    let main = main.trim_matches(' ');
    let sub = match (main, sub) {
        ("*", "") => "*",
        (_, "") => return None,
        (_, sub) => {
            let (sub, more) = sub.split_once('/').unwrap_or((sub, ""));
            if !more.is_empty() {
                return None;
            }
            sub.trim_matches(' ')
        }
    };
    let mut clause = Clause {
        main,
        sub,
        quality: 1.0,
        parameters: Vec::new(),
    };
    for parameter in rest.split(';') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if value.is_empty()
            || value
                .split_once('=')
                .is_some_and(|(_, more)| !more.is_empty())
        {
            continue;
        }
        let name = name.trim_matches(' ');
        let value = value.split('=').next().unwrap_or(value);
        if name == "q" {
            clause.quality = value.parse().unwrap_or(0.0);
        } else {
            clause.parameters.push((name, value.trim_matches(' ')));
        }
    }
    Some(clause)
}

/// Returns the media type of a Content-Type header in lower case, without its parameters.
///
/// Returns none if the header is malformed, in its parameters too; the answer is 415 then.
#[must_use]
pub fn content_type(header: &str) -> Option<String> {
    let (media, rest) = header.split_once(';').unwrap_or((header, ""));
    let media = media.trim().to_ascii_lowercase();
    let (main, sub) = media.split_once('/').unwrap_or((&media, "x"));
    if !is_token(main) || !is_token(sub) {
        return None;
    }
    let mut rest = rest;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(media);
        }
        rest = after_parameter(rest)?.trim_start();
        rest = match rest.strip_prefix(';') {
            Some(more) => more,
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
}

/// Skips `name=value` or `name="value"`.
fn after_parameter(text: &str) -> Option<&str> {
    let (name, rest) = text.split_once('=')?;
    if !is_token(name.trim_end()) {
        return None;
    }
    let rest = rest.trim_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find([';', ' ', '\t']).unwrap_or(rest.len());
        return is_token(&rest[..end]).then(|| &rest[end..]);
    };
    let mut escaped = false;
    for (at, letter) in quoted.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(&quoted[at + 1..]),
            '\r' | '\n' => return None,
            _ => {}
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    let special = b"()<>@,;:\\\"/[]?=";
    let allowed = |byte: u8| byte.is_ascii_graphic() && !special.contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// Returns whether people are going to read the answer: `?pretty=…`, or a known command-line tool or
/// browser.
#[must_use]
pub fn is_pretty(parameter: Option<&str>, user_agent: &str) -> bool {
    match parameter {
        Some(text) if !text.is_empty() => {
            matches!(text, "1" | "t" | "T" | "TRUE" | "true" | "True")
        }
        _ => ["curl", "Wget", "Mozilla/5.0"]
            .iter()
            .any(|tool| user_agent.starts_with(tool)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, content_type, is_pretty, preferred, wanted};

    const OFFERS: [Format; 3] = [Format::Json, Format::Yaml, Format::Protobuf];

    /// Prints each wanted form in short, best first.
    #[track_caller]
    fn check(header: &str, expected: &str) {
        let printed: Vec<String> = wanted(header, &OFFERS)
            .iter()
            .map(|one| {
                let mut text = format!("{:?}", one.format);
                if one.pretty {
                    text.push_str(" pretty");
                }
                if one.stream {
                    text.push_str(" stream");
                }
                if let Some(convert) = one.convert {
                    text += &format!(" {}.{}.{}", convert.kind, convert.version, convert.group);
                }
                if !one.profile.is_empty() {
                    text += &format!(" profile={}", one.profile);
                }
                text
            })
            .collect();
        assert_eq!(printed.join(", "), expected);
    }

    #[test]
    fn takes_what_the_client_likes_best() {
        check("", "Json");
        check("application/json", "Json");
        check("*/*", "Json, Yaml, Protobuf");
        check("*", "Json, Yaml, Protobuf");
        check("application/*", "Json, Yaml, Protobuf");
        check("text/html", "");
        check(
            "application/vnd.kubernetes.protobuf, application/json",
            "Protobuf, Json",
        );
        check(
            "application/json;q=0.5,application/yaml;q=0.9",
            "Yaml, Json",
        );
        check("application/json;q=x,application/yaml", "Yaml, Json");
        check("*/*, application/yaml", "Yaml, Json, Yaml, Protobuf");
        check("application/yaml, */*;q=0.1", "Yaml, Json, Yaml, Protobuf");
        check("json, a/b/c, application/yaml", "Yaml");
        check("APPLICATION/JSON", "");
    }

    #[test]
    fn reads_parameters() {
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            "Json Table.v1.meta.k8s.io, Json",
        );
        check("application/json; pretty=1", "Json pretty");
        check("application/json;pretty=0", "Json");
        check("application/json;stream=watch", "Json stream");
        check("application/yaml;stream=watch", "");
        check("application/json;stream=other", "");
        check("application/json;sv=v1", "");
        check("application/json;x=y;export=1", "Json");
        check("application/json;as=a=b", "Json");
        check(
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList;profile=local",
            "Json APIGroupDiscoveryList.v2.apidiscovery.k8s.io profile=local",
        );
    }

    #[test]
    fn orders_many_clauses() {
        let header = format!(
            "{}application/yaml;q=0.9",
            "application/json;q=0.1,".repeat(20)
        );
        assert_eq!(wanted(&header, &OFFERS)[0].format, Format::Yaml);
    }

    #[test]
    fn reads_content_types() {
        let check = |header: &str, expected: Option<&str>| {
            assert_eq!(content_type(header).as_deref(), expected, "{header}");
        };
        check("application/json", Some("application/json"));
        check("Application/JSON; charset=utf-8", Some("application/json"));
        check(
            "application/json;charset=\"a;\\\"b\" ; x=y",
            Some("application/json"),
        );
        check("application/json;", Some("application/json"));
        check("application/json; charset", None);
        check("application/json; charset=\"x", None);
        check("application/json; =x", None);
        check("application/", None);
        check("", None);
        check("a b/c", None);
        let format = Format::of_media_type("application/yaml");
        assert_eq!(format, Some(Format::Yaml));
        assert_eq!(Format::of_media_type("text/plain"), None);
    }

    #[test]
    fn knows_people() {
        assert!(is_pretty(Some("true"), ""));
        assert!(!is_pretty(Some("0"), "curl/8"));
        assert!(is_pretty(None, "curl/8"));
        assert!(is_pretty(Some(""), "Mozilla/5.0 (X11)"));
        assert!(!is_pretty(None, "kubectl/v1.37"));
    }

    #[test]
    fn prefers_what_the_client_names_first() {
        let first = |header| preferred(header, &["application/json", "application/x"]);
        let found = [
            "*/*",
            "application/x, */*",
            "application/json;q=0.1,application/x",
            "text/html",
            "",
        ]
        .map(first);
        assert_eq!(found, [Some(0), Some(1), Some(1), None, None]);
    }
}
