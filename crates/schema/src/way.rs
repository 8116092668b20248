//! Ways: where a subresource leads that is answered elsewhere, by what runs on a node.
//!
//! A kind whose objects stand for something that runs brings a [`Way`]. Pure, it says step by step
//! what it must see of the cluster and then where the request goes; the server looks, connects and
//! passes the request on.

use std::fmt;

use api::{Status, Value};

/// What is asked of a way.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// Namespace of the object; empty if it has none.
    pub namespace: &'a str,
    /// Name in the path, which may say more than the object's name (`https:name:port`).
    pub name: &'a str,
    /// What follows the subresource in the path, with its leading slash; empty for nothing.
    pub rest: &'a str,
    /// The query: names and values in order, decoded.
    pub query: &'a [(String, String)],
}

impl<'a> Errand<'a> {
    /// Returns the first value of an option.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&'a str> {
        let mut query = self.query.iter();
        query.find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    /// Returns all values of an option, in order.
    pub fn options<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let query = self.query.iter();
        query.filter_map(move |(known, value)| (known == name).then_some(value.as_str()))
    }

    /// Returns whether an option is on, as Go reads it.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        matches!(
            self.option(name),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True")
        )
    }
}

/// What is wanted to be seen of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// One object; without it the answer is 404.
    Object {
        /// Group and plural.
        resource: (&'static str, &'static str),
        /// Namespace; empty for none.
        namespace: String,
        /// Name.
        name: String,
    },
    /// One object, if it is there.
    Perhaps {
        /// Group and plural.
        resource: (&'static str, &'static str),
        /// Namespace; empty for none.
        namespace: String,
        /// Name.
        name: String,
    },
    /// All objects of a namespace.
    Within {
        /// Group and plural.
        resource: (&'static str, &'static str),
        /// Namespace.
        namespace: String,
    },
    /// All objects of a namespace with this label.
    Labelled {
        /// Group and plural.
        resource: (&'static str, &'static str),
        /// Namespace.
        namespace: String,
        /// Name and value of the label.
        label: (&'static str, String),
    },
}

impl Sight {
    /// Returns group and plural of what is looked at.
    #[must_use]
    pub fn resource(&self) -> (&'static str, &'static str) {
        let (Self::Object { resource, .. }
        | Self::Perhaps { resource, .. }
        | Self::Within { resource, .. }
        | Self::Labelled { resource, .. }) = self;
        *resource
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look at this and ask again.
    Look(Sight),
    /// Pass the request on.
    Go(Target),
    /// There is nothing to tell: an empty answer.
    Nothing,
}

/// Where a request is passed on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `http` or TLS.
    pub security: Security,
    /// Name or address.
    pub host: String,
    /// Port; the usual one of the scheme if absent.
    pub port: Option<u16>,
    /// Path, decoded.
    pub path: String,
    /// The query; that of the request if absent.
    pub query: Option<Vec<(String, String)>>,
    /// How the two are joined.
    pub manner: Manner,
}

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// In the clear.
    Plain,
    /// TLS with whoever answers, as upstream: workloads have certificates of their own.
    Tls,
    /// TLS as the server, with its client certificate for nodes.
    Node,
}

/// How a request and its target are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A text is fetched and handed on; its errors become statuses.
    Text,
    /// The connection is upgraded; a request that does not ask for it is refused.
    Stream,
    /// Request and answer are passed on as they are, upgrades included.
    Proxy,
}

/// Finds out where a subresource leads.
pub trait Way: Send + Sync + fmt::Debug {
    /// Returns the methods it answers; empty for all.
    fn methods(&self) -> &'static [&'static str];

    /// Returns what comes next, `seen` being what was looked at so far, in order.
    ///
    /// # Errors
    /// The refusal to send.
    fn next(&self, errand: &Errand<'_>, seen: &[Vec<Value>]) -> Result<Step, Status>;
}
