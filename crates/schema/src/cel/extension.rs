//! Values of Kubernetes' libraries: what they are and how they compare.

use std::{net::IpAddr, rc::Rc};

use api::Quantity;

use super::library::{formats::NamedFormat, semver::Semver, url::Url};

/// A value of one of the libraries.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the libraries' own")]
pub enum Extension<'a> {
    Url(Url),
    Quantity(Quantity),
    Ip(IpAddr),
    Cidr(Cidr),
    Semver(Semver),
    Format(&'static NamedFormat),
    Authorizer(Subject<'a>),
    PathCheck(Subject<'a>, Rc<str>),
    GroupCheck(Subject<'a>, Rc<str>),
    ResourceCheck(Subject<'a>, ResourceCheck),
    Decision(Decision),
}

/// A network: an address and how many of its bits are the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address as it was written.
    pub address: IpAddr,
    /// Length of the prefix in bits.
    pub bits: u8,
}

/// Whose permissions are asked for, and whom to ask.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Whom to ask.
    pub authorizer: &'a dyn Authorizer,
    /// Namespace and name of a service account; the user of the request without.
    pub service_account: Option<(Rc<str>, Rc<str>)>,
}

/// What an expression may do with a resource, as far as it was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the functions")]
pub struct ResourceCheck {
    pub group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    pub field_selector: String,
    pub label_selector: String,
}

/// What is asked of an authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants say it")]
pub enum Request<'q> {
    Path {
        path: &'q str,
        verb: &'q str,
    },
    Resource {
        check: &'q ResourceCheck,
        verb: &'q str,
    },
}

/// The answer of an authorizer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// It is allowed.
    pub allowed: bool,
    /// Why, or why not.
    pub reason: String,
    /// What went wrong while deciding.
    pub error: Option<String>,
}

/// Says what somebody may do. The caller brings it; nothing here asks the world.
pub trait Authorizer: std::fmt::Debug {
    /// Decides on behalf of the user of the request, or of a service account (namespace, name).
    fn decide(&self, service_account: Option<(&str, &str)>, request: Request<'_>) -> Decision;
}

impl Extension<'_> {
    /// Returns the name of the type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Url(_) => "kubernetes.URL",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Ip(_) => "net.IP",
            Self::Cidr(_) => "net.CIDR",
            Self::Semver(_) => "kubernetes.Semver",
            Self::Format(_) => "kubernetes.NamedFormat",
            Self::Authorizer(_) => "kubernetes.authorization.Authorizer",
            Self::PathCheck(..) => "kubernetes.authorization.PathCheck",
            Self::GroupCheck(..) => "kubernetes.authorization.GroupCheck",
            Self::ResourceCheck(..) => "kubernetes.authorization.ResourceCheck",
            Self::Decision(_) => "kubernetes.authorization.Decision",
        }
    }

    /// Returns whether two values of one type are equal.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Url(a), Self::Url(b)) => a.text() == b.text(),
            (Self::Quantity(a), Self::Quantity(b)) => a.compare(b).is_eq(),
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Cidr(a), Self::Cidr(b)) => a == b,
            (Self::Semver(a), Self::Semver(b)) => a.order(b).is_eq(),
            (Self::Format(a), Self::Format(b)) => a.name == b.name,
            (Self::PathCheck(_, a), Self::PathCheck(_, b))
            | (Self::GroupCheck(_, a), Self::GroupCheck(_, b)) => a == b,
            (Self::ResourceCheck(_, a), Self::ResourceCheck(_, b)) => a == b,
            (Self::Decision(a), Self::Decision(b)) => a == b,
            _ => false,
        }
    }

    /// Returns the size that costs are reckoned with.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Ip(IpAddr::V4(_)) => 4,
            Self::Ip(IpAddr::V6(_)) => 16,
            Self::Cidr(cidr) => u64::from(cidr.bits).div_ceil(8),
            _ => 1,
        }
    }

    /// Returns the value as a message writes it.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Url(url) => url.text(),
            Self::Quantity(quantity) => quantity.to_string(),
            Self::Ip(address) => address.to_string(),
            Self::Cidr(cidr) => format!("{}/{}", cidr.address, cidr.bits),
            Self::Semver(version) => version.to_string(),
            Self::Format(format) => format.name.to_owned(),
            _ => self.type_name().to_owned(),
        }
    }
}
