//! Acting as someone else: `Impersonate-*` headers.
//!
//! Two families of permission. *Constrained* ones (upstream's KEP-5284) need
//! `impersonate:MODE` on who is acted as and `impersonate-on:MODE:VERB` on what is asked;
//! the older one needs `impersonate` on who is acted as. They are tried in that order, and
//! the refusal told is the first.
//!
//! Source: k8s.io/apiserver v0.37.1, pkg/endpoints/filters/impersonation.

use std::sync::Arc;

use api::{Status, Text, quote::quote};
use http::{HeaderMap, HeaderName};

use access::{
    Attributes, User,
    user::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, split_service_account as account_of},
};

use crate::{
    Refusal, Server, allow,
    request::{
        Request,
        query::{Plus, decode},
    },
};

const USER: HeaderName = HeaderName::from_static("impersonate-user");
const UID: HeaderName = HeaderName::from_static("impersonate-uid");
const GROUP: HeaderName = HeaderName::from_static("impersonate-group");
const EXTRA: &str = "impersonate-extra-";

const NODES: &str = "system:nodes";
const NODE_PREFIX: &str = "system:node:";
const AUTHENTICATION: &str = "authentication.k8s.io";
/// Says on which node the pod of a service account's token runs.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";

/// A way of acting as someone else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// A service account acts as the node on which it runs.
    AssociatedNode,
    ArbitraryNode,
    ServiceAccount,
    UserInfo,
    /// The older permission, on anyone.
    Legacy,
}

/// Returns who the request acts as: the caller, unless its headers name someone else.
///
/// The headers are taken away, so that nothing further down knows of it.
///
/// # Errors
/// 400 for a group, uid or extra without user; 403 with the text of the first mode that failed.
pub(crate) fn apply(
    server: &Server,
    caller: Arc<User>,
    request: &mut Request,
) -> Result<Arc<User>, Refusal> {
    let Some(wanted) = take_wanted(&mut request.headers)? else {
        return Ok(caller);
    };
    let mut first = None;
    for mode in [
        Mode::AssociatedNode,
        Mode::ArbitraryNode,
        Mode::ServiceAccount,
        Mode::UserInfo,
        Mode::Legacy,
    ] {
        if !mode.is_meant(&wanted, &caller) {
            continue;
        }
        match mode.check(server, &caller, &wanted, request) {
            Ok(()) => return Ok(Arc::new(mode.become_user(wanted))),
            Err(refusal) => {
                first.get_or_insert(refusal);
            }
        }
    }
    Err(first.unwrap_or_else(|| Status::internal("all impersonation modes failed").into()))
}

/// Takes the headers out and returns whom they name.
fn take_wanted(headers: &mut HeaderMap) -> Result<Option<User>, Refusal> {
    // Nearly no request has any; one look at each name is all they pay.
    let is_ours = |name: &HeaderName| name.as_str().starts_with("impersonate-");
    if !headers.keys().any(is_ours) {
        return Ok(None);
    }
    let text = |value: &http::HeaderValue| {
        Text::from(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let mut wanted = User {
        name: headers.get(USER).map(text).unwrap_or_default(),
        uid: headers.get(UID).map(text).unwrap_or_default(),
        groups: headers.get_all(GROUP).iter().map(text).collect(),
        extra: Vec::new(),
    };
    for (name, value) in &*headers {
        let Some(key) = name.as_str().strip_prefix(EXTRA) else {
            continue;
        };
        let key = decode(key, Plus::IsPlus).unwrap_or(key.into());
        let known = wanted.extra.iter_mut().find(|(known, _)| *known == *key);
        match known {
            Some((_, values)) => values.push(text(value)),
            None => wanted.extra.push((Text::new(&key), vec![text(value)])),
        }
    }
    wanted.extra.sort();
    let is_more = !wanted.uid.is_empty() || !wanted.groups.is_empty() || !wanted.extra.is_empty();
    if wanted.name.is_empty() && is_more {
        let shown = go_syntax(&wanted);
        let message = format!("requested {shown} without impersonating a user name");
        return Err(Status::bad_request(message).into());
    }
    let ours: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_ours(name))
        .cloned()
        .collect();
    for name in ours {
        headers.remove(name);
    }
    Ok((!wanted.name.is_empty()).then_some(wanted))
}

/// Prints a user as Go's `%#v` does, which is what upstream's message holds.
fn go_syntax(user: &User) -> String {
    let list = |texts: &[Text]| {
        let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
        format!("[]string{{{}}}", quoted.join(", "))
    };
    let groups = if user.groups.is_empty() {
        "[]string(nil)".to_owned()
    } else {
        list(&user.groups)
    };
    let extra = if user.extra.is_empty() {
        "map[string][]string(nil)".to_owned()
    } else {
        let pairs = user.extra.iter();
        let pairs: Vec<String> = pairs
            .map(|(key, values)| format!("{}:{}", quote(key), list(values)))
            .collect();
        format!("map[string][]string{{{}}}", pairs.join(", "))
    };
    let (name, uid) = (quote(&user.name), quote(&user.uid));
    format!("&user.DefaultInfo{{Name:{name}, UID:{uid}, Groups:{groups}, Extra:{extra}}}")
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Self::AssociatedNode => "associated-node",
            Self::ArbitraryNode => "arbitrary-node",
            Self::ServiceAccount => "serviceaccount",
            Self::UserInfo => "user-info",
            Self::Legacy => "",
        }
    }

    /// Returns whether the mode is for acting as `wanted`.
    fn is_meant(self, wanted: &User, caller: &User) -> bool {
        let is_plain = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
        let node = node_of(&wanted.name);
        let account = account_of(&wanted.name);
        match self {
            Self::AssociatedNode => {
                let runs_on = caller.extra.iter().find(|(key, _)| key == NODE_NAME);
                let runs_on = runs_on.map(|(_, values)| values.as_slice());
                is_plain
                    && account_of(&caller.name).is_some()
                    && node.is_some_and(|node| matches!(runs_on, Some([one]) if one == node))
            }
            Self::ArbitraryNode => is_plain && node.is_some(),
            Self::ServiceAccount => is_plain && account.is_some(),
            Self::UserInfo => node.is_none() && account.is_none(),
            Self::Legacy => true,
        }
    }

    fn check(
        self,
        server: &Server,
        caller: &User,
        wanted: &User,
        request: &Request,
    ) -> Result<(), Refusal> {
        let selectors = allow::Selectors::default();
        if self != Self::Legacy {
            let verb = format!("impersonate-on:{}:{}", self.word(), request.verb.as_str());
            let attributes = allow::attributes(request, caller, &selectors);
            allow::check(
                server,
                &Attributes {
                    verb: &verb,
                    ..attributes
                },
            )?;
        }
        let verb = match self {
            Self::Legacy => "impersonate".to_owned(),
            _ => format!("impersonate:{}", self.word()),
        };
        let ask = |group, resource, namespace, name, subresource| {
            let attributes = Attributes {
                version: "v1",
                ..Attributes::resource(caller, &verb, group, resource)
            };
            allow::check(
                server,
                &attributes.within(namespace).named(name).below(subresource),
            )
        };
        let group = if self == Self::Legacy {
            ""
        } else {
            AUTHENTICATION
        };
        match (account_of(&wanted.name), node_of(&wanted.name)) {
            (Some((namespace, name)), _) => ask(group, "serviceaccounts", namespace, name, "")?,
            // Which node it is does not matter where only the own one can be meant.
            (None, Some(_)) if self == Self::AssociatedNode => ask(group, "nodes", "", "*", "")?,
            (None, Some(node)) if self != Self::Legacy => ask(group, "nodes", "", node, "")?,
            _ => ask(group, "users", "", &wanted.name, "")?,
        }
        if !wanted.uid.is_empty() {
            ask(AUTHENTICATION, "uids", "", &wanted.uid, "")?;
        }
        for one in &wanted.groups {
            ask(group, "groups", "", one, "")?;
        }
        for (key, values) in &wanted.extra {
            for value in values {
                ask(AUTHENTICATION, "userextras", "", value, key)?;
            }
        }
        Ok(())
    }

    /// Adds the groups that come with the name.
    fn become_user(self, mut wanted: User) -> User {
        if let Some((namespace, _)) = account_of(&wanted.name) {
            if wanted.groups.is_empty() {
                let of_namespace = format!("system:serviceaccounts:{namespace}");
                wanted.groups = vec![
                    Text::const_new("system:serviceaccounts"),
                    Text::from(of_namespace),
                ];
            }
        } else if node_of(&wanted.name).is_some() && self != Self::Legacy {
            wanted.groups = vec![Text::const_new(NODES)];
        }
        let has = |group: &str| wanted.groups.iter().any(|known| known == group);
        let everyone = if wanted.name == ANONYMOUS {
            UNAUTHENTICATED
        } else {
            AUTHENTICATED
        };
        if !has(everyone) && !has(UNAUTHENTICATED) {
            wanted.groups.push(Text::const_new(everyone));
        }
        wanted
    }
}

fn node_of(name: &str) -> Option<&str> {
    name.strip_prefix(NODE_PREFIX)
        .filter(|node| !node.is_empty())
}

#[cfg(test)]
mod tests {
    use api::Text;
    use http::HeaderMap;

    use super::{Mode, User, take_wanted};

    fn headers(lines: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines.split(", ").filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").expect("a header");
            let name: http::HeaderName = name.parse().expect("a name");
            headers.append(name, value.parse().expect("a value"));
        }
        headers
    }

    #[track_caller]
    fn check(lines: &str, expected: &str) {
        let mut headers = headers(lines);
        let text = match take_wanted(&mut headers) {
            Ok(None) => "nobody".to_owned(),
            Ok(Some(user)) => {
                let left: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
                format!(
                    "{} {} {:?} {:?} left {left:?}",
                    user.name, user.uid, user.groups, user.extra
                )
            }
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(text, expected);
    }

    #[test]
    fn reads_and_takes_the_headers() {
        check("accept: x", "nobody");
        check(
            "accept: x, Impersonate-User: bob, Impersonate-Uid: u, Impersonate-Group: a, Impersonate-Group: b, Impersonate-Extra-Foo%2fBar: x, Impersonate-Extra-foo%2Fbar: y",
            r#"bob u ["a", "b"] [("foo/bar", ["x", "y"])] left ["accept"]"#,
        );
        check(
            "Impersonate-Group: x",
            r#"requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"x"}, Extra:map[string][]string(nil)} without impersonating a user name"#,
        );
        check(
            "Impersonate-Extra-K: v",
            r#"requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string(nil), Extra:map[string][]string{"k":[]string{"v"}}} without impersonating a user name"#,
        );
    }

    #[track_caller]
    fn check_groups(mode: Mode, name: &str, groups: &[&str], expected: &[&str]) {
        let wanted = User {
            name: Text::new(name),
            groups: groups.iter().map(Text::new).collect(),
            ..User::default()
        };
        assert_eq!(mode.become_user(wanted).groups, expected);
    }

    #[test]
    fn adds_the_groups_that_come_with_the_name() {
        let account = "system:serviceaccount:a:b";
        check_groups(
            Mode::Legacy,
            account,
            &[],
            &[
                "system:serviceaccounts",
                "system:serviceaccounts:a",
                "system:authenticated",
            ],
        );
        check_groups(
            Mode::Legacy,
            account,
            &["g"],
            &["g", "system:authenticated"],
        );
        check_groups(
            Mode::UserInfo,
            "bob",
            &["system:unauthenticated"],
            &["system:unauthenticated"],
        );
        check_groups(
            Mode::Legacy,
            "system:anonymous",
            &[],
            &["system:unauthenticated"],
        );
        check_groups(
            Mode::ArbitraryNode,
            "system:node:n",
            &[],
            &["system:nodes", "system:authenticated"],
        );
    }

    #[test]
    fn modes_are_for_certain_names() {
        let user = |name: &str| User {
            name: Text::new(name),
            ..User::default()
        };
        let mut pod = user("system:serviceaccount:a:agent");
        pod.extra = vec![(Text::new(super::NODE_NAME), vec![Text::new("n")])];
        let node = user("system:node:n");
        assert!(Mode::AssociatedNode.is_meant(&node, &pod));
        assert!(!Mode::AssociatedNode.is_meant(&user("system:node:m"), &pod));
        assert!(Mode::ArbitraryNode.is_meant(&node, &user("x")));
        assert!(!Mode::UserInfo.is_meant(&node, &user("x")));
        assert!(!Mode::UserInfo.is_meant(&pod, &user("x")));
        assert!(Mode::ServiceAccount.is_meant(&user("system:serviceaccount:a:b"), &user("x")));
        let with_uid = User {
            uid: Text::new("u"),
            ..user("system:serviceaccount:a:b")
        };
        assert!(!Mode::ServiceAccount.is_meant(&with_uid, &user("x")));
        assert!(Mode::Legacy.is_meant(&with_uid, &user("x")));
    }
}
