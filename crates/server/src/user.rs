//! Who a request comes from. Stands in until `access` lands its own type, which then is this one.

use api::Text;

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
