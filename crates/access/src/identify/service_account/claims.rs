//! What a token says.

use api::{Object, Text, Value, value};
use base::WallTime;

use super::Grant;
use crate::world::Resource;

/// The claims of a token that this server understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `aud`
    pub audiences: Vec<Text>,
    /// `exp`
    pub expires: Option<i64>,
    /// `nbf`
    pub not_before: Option<i64>,
    /// `iat`
    pub issued_at: Option<i64>,
    /// `jti`
    pub id: Text,
    /// Namespace of the service account.
    pub namespace: Text,
    /// The service account.
    pub account: Reference,
    /// What the token is bound to.
    pub bound: Option<Bound>,
    /// The node of the pod it is bound to.
    pub node: Option<Reference>,
}

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// Its name.
    pub name: Text,
    /// Its uid.
    pub uid: Text,
}

/// What a token lives and dies with, besides its service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A pod of the account's namespace.
    Pod(Reference),
    /// A secret of the account's namespace.
    Secret(Reference),
    /// A node.
    Node(Reference),
}

impl Bound {
    /// Returns what binds a token to an object of this resource; none for what tokens are never
    /// bound to.
    #[must_use]
    pub fn to((group, plural): schema::ResourceName, object: Reference) -> Option<Self> {
        match (Resource { group, plural }) {
            Resource::PODS => Some(Self::Pod(object)),
            Resource::SECRETS => Some(Self::Secret(object)),
            Resource::NODES => Some(Self::Node(object)),
            _ => None,
        }
    }
}

impl Reference {
    fn of(value: &Value) -> Self {
        let text = |name| Text::new(value.get(name).and_then(Value::as_str).unwrap_or_default());
        Self {
            name: text("name"),
            uid: text("uid"),
        }
    }

    fn to_value(&self) -> Value {
        let mut object = Object::default();
        for (name, text) in [("name", &self.name), ("uid", &self.uid)] {
            if !text.is_empty() {
                object.push(Text::const_new(name), Value::String(text.clone()));
            }
        }
        Value::Object(object)
    }
}

impl Claims {
    /// Reads the payload of a token; none if it has no claims of a service account.
    pub(super) fn of(payload: &Value) -> Option<Self> {
        let kubernetes = payload.get("kubernetes.io")?;
        let reference = |name| kubernetes.get(name).map(Reference::of);
        let node = reference("node");
        let bound = None
            .or_else(|| reference("pod").map(Bound::Pod))
            .or_else(|| reference("secret").map(Bound::Secret))
            .or_else(|| node.clone().map(Bound::Node));
        let number = |name| match payload.get(name) {
            Some(Value::Int(number)) => Some(*number),
            Some(Value::Float(number)) => Some(*number as i64),
            _ => None,
        };
        let text =
            |value: Option<&Value>| Text::new(value.and_then(Value::as_str).unwrap_or_default());
        let audiences = match payload.get("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many.iter().map(|one| text(Some(one))).collect(),
            _ => Vec::new(),
        };
        Some(Self {
            audiences,
            expires: number("exp"),
            not_before: number("nbf"),
            issued_at: number("iat"),
            id: text(payload.get("jti")),
            namespace: text(kubernetes.get("namespace")),
            account: reference("serviceaccount")?,
            bound,
            node,
        })
    }
}

/// Returns the payload of a token, names in the order in which upstream writes them.
pub(super) fn to_value(
    grant: &Grant<'_>,
    issuer: &str,
    audiences: &[Text],
    id: &str,
    now: WallTime,
    expires: WallTime,
) -> Value {
    let mut kubernetes = Object::default();
    let mut put = |name: &'static str, value: Value| kubernetes.push(Text::const_new(name), value);
    put("namespace", Value::from(grant.namespace));
    if let Some(Bound::Node(node)) = &grant.bound {
        put("node", node.to_value());
    } else if let (Some(Bound::Pod(_)), Some(node)) = (&grant.bound, &grant.node) {
        put("node", node.to_value());
    }
    if let Some(Bound::Pod(pod)) = &grant.bound {
        put("pod", pod.to_value());
    }
    if let Some(Bound::Secret(secret)) = &grant.bound {
        put("secret", secret.to_value());
    }
    let account = Reference {
        name: Text::new(grant.name),
        uid: Text::new(grant.uid),
    };
    put("serviceaccount", account.to_value());
    if let Some(after) = grant.warn_after {
        put("warnafter", Value::Int((now + after).secs()));
    }
    let audiences = audiences.iter().cloned().map(Value::String).collect();
    let subject = crate::user::service_account_user(grant.namespace, grant.name);
    value!({
        "aud": (Value::Array(audiences)),
        "exp": (expires.secs()),
        "iat": (now.secs()),
        "iss": (issuer),
        "jti": (id),
        "kubernetes.io": (Value::Object(kubernetes)),
        "nbf": (now.secs()),
        "sub": (subject.as_str())
    })
}
