//! Who a request comes from.

use api::{Object, Text, Value};

/// Group of everyone who was identified.
pub const AUTHENTICATED: &str = "system:authenticated";
/// Group of everyone who was not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// Name of everyone who was not.
pub const ANONYMOUS: &str = "system:anonymous";
/// Group that may do everything.
pub const MASTERS: &str = "system:masters";
/// Key of the fact that names the credential.
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// An identified caller, as authentication (and impersonation) left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// `system:anonymous`, `alice`, `system:serviceaccount:ns:name`
    pub name: Text,
    /// Unique id, if the authenticator knows one.
    pub uid: Text,
    /// Groups, in the order in which they were given.
    pub groups: Vec<Text>,
    /// Further facts: key and values.
    pub extra: Vec<(Text, Vec<Text>)>,
}

impl User {
    /// Returns a user with this name and no more.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: Text::new(name),
            ..Self::default()
        }
    }

    /// Returns whoever shows no credentials.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            name: Text::const_new(ANONYMOUS),
            groups: vec![Text::const_new(UNAUTHENTICATED)],
            ..Self::default()
        }
    }

    /// Returns the user that a service account is, with the groups of all service accounts.
    #[must_use]
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self {
            name: Text::from(service_account_user(namespace, name)),
            groups: vec![
                Text::const_new("system:serviceaccounts"),
                Text::from(format!("system:serviceaccounts:{namespace}")),
            ],
            ..Self::default()
        }
    }

    /// Adds a group.
    #[must_use]
    pub fn with_group(mut self, group: &str) -> Self {
        self.groups.push(Text::new(group));
        self
    }

    /// Adds the group of everyone who was identified, unless the user is anonymous or has it.
    #[must_use]
    pub fn authenticated(self) -> Self {
        let known = self.is_in(AUTHENTICATED) || self.is_in(UNAUTHENTICATED);
        if known || self.name == ANONYMOUS {
            return self;
        }
        self.with_group(AUTHENTICATED)
    }

    /// Returns whether the user is in a group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|one| one == group)
    }

    /// Returns the namespace and the name of the service account that the user is.
    #[must_use]
    pub fn as_service_account(&self) -> Option<(&str, &str)> {
        split_service_account(&self.name)
    }

    /// Returns the `UserInfo` of reviews: `username`, `uid`, `groups`, `extra`; empty ones left out.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut object = Object::default();
        for (name, text) in [("username", &self.name), ("uid", &self.uid)] {
            if !text.is_empty() {
                object.push(Text::const_new(name), Value::String(text.clone()));
            }
        }
        if !self.groups.is_empty() {
            let groups = self.groups.iter().cloned().map(Value::String).collect();
            object.push(Text::const_new("groups"), Value::Array(groups));
        }
        if !self.extra.is_empty() {
            let texts = |texts: &Vec<Text>| {
                Value::Array(texts.iter().cloned().map(Value::String).collect())
            };
            let mut extra: Object = self
                .extra
                .iter()
                .map(|(key, values)| (key.clone(), texts(values)))
                .collect();
            extra.sort();
            object.push(Text::const_new("extra"), Value::Object(extra));
        }
        Value::Object(object)
    }
}

/// Returns the name of the user that a service account is.
#[must_use]
pub fn service_account_user(namespace: &str, name: &str) -> String {
    format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}")
}

/// Returns the namespace and the name of the service account that has this user name.
#[must_use]
pub fn split_service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(SERVICE_ACCOUNT_PREFIX)?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

#[cfg(test)]
mod tests {
    use super::{User, split_service_account};

    #[test]
    fn splits_service_accounts() {
        let check = |name: &str, expected: Option<(&str, &str)>| {
            assert_eq!(split_service_account(name), expected, "{name}");
        };
        check("system:serviceaccount:a:b", Some(("a", "b")));
        check("system:serviceaccount:a:", None);
        check("system:serviceaccount::b", None);
        check("system:serviceaccount:a:b:c", None);
        check("a:b", None);
    }

    #[test]
    fn adds_the_group_of_everyone_once() {
        let user = User::named("a").authenticated().authenticated();
        assert_eq!(user.groups, ["system:authenticated"]);
        assert_eq!(User::anonymous().authenticated(), User::anonymous());
    }

    #[test]
    fn prints_what_reviews_say() {
        let mut user = User::service_account("n", "s");
        user.extra.push(("k".into(), vec!["v".into()]));
        assert_eq!(
            format!("{:?}", user.to_value()),
            r#"{"username": "system:serviceaccount:n:s", "groups": ["system:serviceaccounts", "system:serviceaccounts:n"], "extra": {"k": ["v"]}}"#
        );
    }
}
