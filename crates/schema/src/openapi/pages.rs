//! Documents of what lies beside the resources: lists of groups and versions, the version, the
//! issuer of tokens.

use api::{GroupVersion, Object, Text, Value};

use super::{
    Release, Texts,
    definitions::{Definitions, META, object},
    document_of,
    operation::{Answer, Operation, Parameters, item},
    paths::{id, root, short, tag, word},
};
use crate::Shape;

const TYPES: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
const JSON: [&str; 1] = ["application/json"];
const KEYS: [&str; 1] = ["application/jwk-set+json"];
const INFO: &str = "io.k8s.apimachinery.pkg.version.Info";

/// A document about something else than the resources of a group and version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Page {
    /// `/api/`
    Versions,
    /// `/apis/`
    Groups,
    /// `/apis/GROUP/`
    Group(Text),
    /// `/version/`
    Version,
    /// `/.well-known/openid-configuration/`
    Issuer,
    /// `/openid/v1/jwks/`
    Keys,
}

impl Page {
    /// Returns its name in the list of documents: `apis/apps`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Versions => "api".to_owned(),
            Self::Groups => "apis".to_owned(),
            Self::Group(group) => format!("apis/{group}"),
            Self::Version => "version".to_owned(),
            Self::Issuer => ".well-known/openid-configuration".to_owned(),
            Self::Keys => "openid/v1/jwks".to_owned(),
        }
    }

    /// Returns its OpenAPI v3 document.
    #[must_use]
    pub fn document(&self, meta: &Shape, texts: &Texts, release: &Release) -> Value {
        let mut definitions = Definitions::new(meta, texts);
        let mut answer = |short: &str| {
            let name = definitions.named(&format!("{META}.{short}"));
            let core = GroupVersion::new("", "v1");
            definitions.mark(&name, &core, short);
            Answer::Of(name)
        };
        let (id, description, tag, types, answer): (_, _, _, &[&str], _) = match self {
            Self::Versions => (
                "getCoreAPIVersions".to_owned(),
                "get available API versions",
                "core".to_owned(),
                &TYPES,
                answer("APIVersions"),
            ),
            Self::Groups => (
                "getAPIVersions".to_owned(),
                "get available API versions",
                "apis".to_owned(),
                &TYPES,
                {
                    let list = answer("APIGroupList");
                    answer("APIGroup");
                    list
                },
            ),
            Self::Group(group) => (
                format!("get{}APIGroup", word(short(group), true)),
                "get information of a group",
                word(short(group), false),
                &TYPES,
                answer("APIGroup"),
            ),
            Self::Version => {
                definitions.add_described(Text::const_new(INFO), info(texts));
                (
                    "getCodeVersion".to_owned(),
                    "get the version information for this server",
                    "version".to_owned(),
                    &JSON,
                    Answer::Of(Text::const_new(INFO)),
                )
            }
            Self::Issuer => (
                "getServiceAccountIssuerOpenIDConfiguration".to_owned(),
                "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
                "WellKnown".to_owned(),
                &JSON,
                Answer::Text,
            ),
            Self::Keys => (
                "getServiceAccountIssuerOpenIDKeyset".to_owned(),
                "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)",
                "openid".to_owned(),
                &KEYS,
                Answer::Text,
            ),
        };
        let operation = get(id, description, Text::from(tag), types, answer);
        let mut paths = Object::default();
        paths.insert(format!("/{}/", self.name()), item(vec![operation]));
        document_of(definitions, paths, Some(release))
    }
}

/// Adds the path that lists the resources of a built-in group and version.
pub(super) fn resources(
    group_version: &GroupVersion,
    definitions: &mut Definitions<'_>,
    paths: &mut Object,
) {
    let name = definitions.named(&format!("{META}.APIResourceList"));
    let core = GroupVersion::new("", "v1");
    definitions.mark(&name, &core, "APIResourceList");
    let operation = get(
        id(group_version, "get", "APIResources"),
        "get available resources",
        tag(&group_version.group, &group_version.version),
        &TYPES,
        Answer::Of(name),
    );
    paths.insert(format!("{}/", root(group_version)), item(vec![operation]));
}

fn get(
    id: String,
    description: &str,
    tag: Text,
    types: &'static [&'static str],
    answer: Answer,
) -> Operation {
    Operation {
        method: "get",
        tag,
        id,
        description: description.to_owned(),
        action: None,
        gvk: None,
        parameters: Parameters::new(),
        body: None,
        codes: &[],
        types,
        answer,
    }
}

/// What `/version` answers: each field, and whether it is always there.
const INFO_FIELDS: [(&str, bool); 13] = [
    ("major", true),
    ("minor", true),
    ("emulationMajor", false),
    ("emulationMinor", false),
    ("minCompatibilityMajor", false),
    ("minCompatibilityMinor", false),
    ("gitVersion", true),
    ("gitCommit", true),
    ("gitTreeState", true),
    ("buildDate", true),
    ("goVersion", true),
    ("compiler", true),
    ("platform", true),
];

fn info(texts: &Texts) -> Value {
    let about = texts.of(INFO);
    let mut properties = Object::default();
    for (name, is_always) in INFO_FIELDS {
        let mut field = Object::default();
        if is_always {
            field.push(Text::const_new("default"), Value::from(""));
        }
        if let Some(text) = about.field(name) {
            field.push(Text::const_new("description"), Value::from(&*text));
        }
        field.push(Text::const_new("type"), Value::from("string"));
        properties.push(Text::const_new(name), Value::Object(field));
    }
    properties.sort();
    let required = INFO_FIELDS.iter().filter(|(_, is_always)| *is_always);
    object([
        ("properties", Value::Object(properties)),
        (
            "required",
            Value::Array(required.map(|(name, _)| Value::from(*name)).collect()),
        ),
        ("type", Value::from("object")),
    ])
}
