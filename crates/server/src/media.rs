//! What the answer shall look like: media type, form and print.

use std::fmt;

use api::{
    Reason, Status,
    media::{Convert, Format, Wanted, wanted},
};
use http::{HeaderMap, header};

use crate::{Refusal, registry::Resource, request::Request};

/// What a resource can be shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// A resource with protobuf.
    BuiltIn,
    /// A custom resource: protobuf only of its metadata.
    Custom,
    /// A status: every media type, no other form.
    Status,
    /// A document of the server's own: JSON and YAML, no other form.
    Document,
}

const FORMATS: [Format; 3] = [Format::Json, Format::Yaml, Format::Protobuf];
const SUPPORTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
const SUPPORTED_STREAMS: &str =
    "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

/// Agrees with the client on what the answer looks like.
///
/// # Errors
/// 406, in upstream's two wordings.
pub(crate) fn agree(request: &Request, offer: Offer) -> Result<Accepted, Refusal> {
    let header = accept(&request.headers);
    let by_name = matches!(offer, Offer::BuiltIn | Offer::Document);
    if by_name && !names_a_known_type(header) {
        return Err(no_representation(request));
    }
    let found = wanted(header, &FORMATS)
        .into_iter()
        .find_map(|wanted| as_offered(&wanted, offer).map(|form| (wanted, form)));
    let Some((wanted, form)) = found else {
        return Err(Status::not_acceptable(SUPPORTED).into());
    };
    let media = Media::from(wanted.format);
    Ok(Accepted {
        media,
        form,
        pretty: media == Media::Json && (wanted.pretty || is_for_people(request)),
    })
}

/// Agrees on a document that there is as JSON only.
///
/// # Errors
/// 406 for a client that takes no JSON.
pub(crate) fn agree_on_json(request: &Request) -> Result<(), Refusal> {
    let header = accept(&request.headers);
    if header.is_empty() || names(header).any(|name| matches!(name, "*/*" | "application/json")) {
        return Ok(());
    }
    Err(unrepresented("application/json".to_owned()))
}

/// Refuses to show a list as the metadata of one object.
///
/// # Errors
/// 406 if that is what was agreed.
pub(crate) fn refuse_single(form: Form, resource: &Resource) -> Result<(), Status> {
    let Form::PartialObjectMetadata(_) = form else {
        return Ok(());
    };
    let kind = resource.kind();
    let found = if kind.traits.custom {
        "unstructured.UnstructuredList".to_owned()
    } else {
        // Go's name of the type: that of its package, which the group begins with.
        let package = match resource.group() {
            "" | "events.k8s.io" => "core",
            group => group.split('.').next().unwrap_or_default(),
        };
        format!("{package}.{}List", kind.names.kind)
    };
    let text = format!(
        "you requested PartialObjectMetadata, but the requested object is a list (*{found})"
    );
    let mut status = Status::new(406, Reason::NotAcceptable, text);
    status.details = None;
    Err(status)
}

/// Agrees on the media type of a watch's frames.
///
/// # Errors
/// 406: YAML is not streamed.
pub(crate) fn agree_on_stream(request: &Request, offer: Offer) -> Result<Accepted, Refusal> {
    let accepted = agree(request, offer)?;
    if accepted.media == Media::Yaml {
        return Err(Status::not_acceptable(SUPPORTED_STREAMS).into());
    }
    Ok(Accepted {
        pretty: false,
        ..accepted
    })
}

/// Returns how a refusal is written: as the client accepts it, else as JSON for people.
pub(crate) fn of_refusal(request: &Request) -> Accepted {
    agree(request, Offer::Status).unwrap_or(Accepted {
        pretty: true,
        ..Accepted::default()
    })
}

/// Returns the `Accept` header; several are one list.
pub(crate) fn accept(headers: &HeaderMap) -> &str {
    let first = headers.get(header::ACCEPT);
    first
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn is_for_people(request: &Request) -> bool {
    api::media::is_pretty(request.query.get("pretty"), &request.user_agent)
}

/// Returns the form asked for, if it can be given in this media type.
fn as_offered(wanted: &Wanted<'_>, offer: Offer) -> Option<Form> {
    let is_protobuf = wanted.format == Format::Protobuf;
    let Some(Convert {
        kind,
        group,
        version,
    }) = wanted.convert
    else {
        let has_protobuf = matches!(offer, Offer::BuiltIn | Offer::Status);
        return (!is_protobuf || has_protobuf).then_some(Form::Object);
    };
    let version = match version {
        "v1" => MetaVersion::V1,
        "v1beta1" => MetaVersion::V1Beta1,
        _ => return None,
    };
    if group != "meta.k8s.io" || matches!(offer, Offer::Status | Offer::Document) {
        return None;
    }
    match kind {
        "Table" if !is_protobuf => Some(Form::Table(version)),
        "PartialObjectMetadata" => Some(Form::PartialObjectMetadata(version)),
        "PartialObjectMetadataList" => Some(Form::PartialObjectMetadataList(version)),
        _ => None,
    }
}

/// Upstream's router for built-in kinds looks at the bare names first, and has a wording of its own.
fn names_a_known_type(header: &str) -> bool {
    header.is_empty()
        || names(header).any(|name| name == "*/*" || Format::of_media_type(name).is_some())
}

/// Returns the bare names that an `Accept` header lists.
fn names(header: &str) -> impl Iterator<Item = &str> {
    let clauses = header.split(',');
    clauses.map(|clause| clause.split(';').next().unwrap_or_default().trim())
}

fn no_representation(request: &Request) -> Refusal {
    use crate::request::Verb::{List, Watch};
    let mut known = SUPPORTED.to_owned();
    if matches!(request.verb, List | Watch) {
        known.push_str(", ");
        known.push_str(SUPPORTED_STREAMS);
    }
    unrepresented(known)
}

fn unrepresented(known: String) -> Refusal {
    let message = format!("406: Not Acceptable\n\nAvailable representations: {known}");
    let mut status = Status::new(406, Reason::NotAcceptable, message);
    status.details = Some(Box::default());
    status.into()
}

impl From<Format> for Media {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Yaml => Self::Yaml,
            Format::Protobuf => Self::Protobuf,
        }
    }
}

/// A media type that objects are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Media {
    /// `application/json`
    #[default]
    Json,
    /// `application/yaml`
    Yaml,
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
}

/// The form in which objects are shown (`as=` in Accept).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// The object or list itself.
    #[default]
    Object,
    /// `as=Table`
    Table(MetaVersion),
    /// `as=PartialObjectMetadata`, of one object or of each watch event.
    PartialObjectMetadata(MetaVersion),
    /// `as=PartialObjectMetadataList`
    PartialObjectMetadataList(MetaVersion),
}

/// Version of `meta.k8s.io` in which a form is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MetaVersion {
    /// `v1`
    #[default]
    V1,
    /// `v1beta1`
    V1Beta1,
}

/// What was agreed with the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Accepted {
    /// Media type.
    pub media: Media,
    /// Form.
    pub form: Form,
    /// For people: indented JSON. Never true for YAML and protobuf.
    pub pretty: bool,
}

impl Media {
    /// Returns the media type's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }
}

impl MetaVersion {
    /// Returns the version's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1Beta1 => "v1beta1",
        }
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{Offer, agree, agree_on_stream};
    use crate::request::{Request, Verb};

    #[track_caller]
    fn check(offer: Offer, verb: Verb, accept: &str, expected: &str) {
        let mut request = Request::for_test("/api/v1/pods");
        request.verb = verb;
        if !accept.is_empty() {
            let value = accept.parse().expect("a header");
            request.headers.insert("accept", value);
        }
        let agreed = match verb {
            Verb::Watch => agree_on_stream(&request, offer),
            _ => agree(&request, offer),
        };
        let text = match agreed {
            Ok(one) => format!("{:?} {:?} {}", one.media, one.form, one.pretty),
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(text, expected, "{accept}");
    }

    #[test]
    fn gives_the_first_form_that_can_be_given() {
        let builtin = |accept, expected| check(Offer::BuiltIn, Verb::Get, accept, expected);
        builtin("", "Json Object false");
        builtin("*/*", "Json Object false");
        builtin("application/json;pretty=1", "Json Object true");
        builtin("application/yaml;pretty=1", "Yaml Object false");
        builtin(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            "Json Table(V1) false",
        );
        builtin(
            "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json",
            "Json Object false",
        );
        builtin(
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
            "Protobuf PartialObjectMetadata(V1) false",
        );
        builtin(
            "application/json;as=Table;v=v2;g=meta.k8s.io,application/yaml",
            "Yaml Object false",
        );
    }

    #[test]
    fn some_documents_are_json_only() {
        let check = |accept: &str, expected: bool| {
            let mut request = Request::for_test("/version");
            let value = accept.parse().expect("a header");
            request.headers.insert("accept", value);
            assert_eq!(super::agree_on_json(&request).is_ok(), expected, "{accept}");
        };
        check("", true);
        check("application/json;q=0.1, application/yaml", true);
        check("text/html, */*;q=0.8", true);
        check("application/yaml", false);
        check("application/*", false);
    }

    #[test]
    fn shows_custom_resources_without_protobuf() {
        let custom = |accept, expected| check(Offer::Custom, Verb::Get, accept, expected);
        custom(
            "application/vnd.kubernetes.protobuf,application/json",
            "Json Object false",
        );
        custom(
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
            "Protobuf PartialObjectMetadata(V1) false",
        );
        let refused = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
        custom("application/vnd.kubernetes.protobuf", refused);
        custom("text/html", refused);
    }

    #[test]
    fn refuses_in_upstreams_words() {
        let known = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf";
        let streams =
            "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
        check(Offer::BuiltIn, Verb::Get, "text/html", known);
        check(Offer::BuiltIn, Verb::Get, "application/*", known);
        check(Offer::Document, Verb::Get, "application/*", known);
        check(
            Offer::BuiltIn,
            Verb::List,
            "text/html",
            &format!("{known}, {streams}"),
        );
        let yaml = format!("only the following media types are accepted: {streams}");
        check(Offer::BuiltIn, Verb::Watch, "application/yaml", &yaml);
        check(Offer::BuiltIn, Verb::Watch, "", "Json Object false");
    }
}
