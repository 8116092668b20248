//! Addresses and networks in fields, old rules and new.
//!
//! Old fields take what upstream has always taken: leading zeros and addresses of version 4 inside
//! version 6 were read, and are refused since 1.36, unless they stand there already. New fields
//! want the one canonical form.
//!
//! Source: k8s.io/apimachinery, pkg/util/validation/ip.go; k8s.io/utils/net (`ParseIPSloppy`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use api::{
    field::{Error, Path},
    quote::quote,
};

use super::Findings;

const NO_ADDRESS: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const NO_NETWORK: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// A network: an address and how many of its bits name the network.
#[derive(Clone, Copy)]
pub(crate) struct Network {
    /// The address, with bits beyond the network if it was given so.
    pub(crate) address: IpAddr,
    /// How many bits name the network.
    pub(crate) bits: u32,
}

/// Reads an address as upstream always did: zeros may lead, and an address of version 4 inside one
/// of version 6 is one of version 4.
pub(crate) fn sloppy(text: &str) -> Option<IpAddr> {
    match text.find(['.', ':']).map(|at| text.as_bytes()[at]) {
        Some(b'.') => sloppy_v4(text).map(IpAddr::V4),
        Some(_) => sloppy_v6(text).map(|address| IpAddr::V6(address).to_canonical()),
        None => None,
    }
}

fn sloppy_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = u8::try_from(digits(parts.next()?)?).ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// Reads a number as Go's `dtoi`: digits only, any number of leading zeros.
fn digits(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let text = text.trim_start_matches('0');
    if text.is_empty() {
        return Some(0);
    }
    text.parse().ok()
}

fn sloppy_v6(text: &str) -> Option<Ipv6Addr> {
    if !text.contains('.') {
        return text.parse().ok();
    }
    let (head, tail) = text.rsplit_once(':')?;
    let [a, b, c, d] = sloppy_v4(tail)?.octets();
    format!("{head}:{a:02x}{b:02x}:{c:02x}{d:02x}").parse().ok()
}

/// Returns `IPv4` or `IPv6`; an unreadable text is neither.
pub(super) fn family(text: &str) -> Option<&'static str> {
    sloppy(text).map(|address| if address.is_ipv4() { "IPv4" } else { "IPv6" })
}

/// Whether an address of version 4 is written as one of version 6.
fn is_mapped(text: &str) -> bool {
    let address = text.parse::<Ipv6Addr>();
    address.is_ok_and(|address| address.to_ipv4_mapped().is_some())
}

/// Returns what is wrong with an address of an old field.
pub(crate) fn wrong(text: &str) -> Option<&'static str> {
    if sloppy(text).is_none() {
        Some(NO_ADDRESS)
    } else if text.parse::<IpAddr>().is_err() {
        Some("must not have leading 0s")
    } else {
        is_mapped(text).then_some("must not be an IPv4-mapped IPv6 address")
    }
}

/// Checks an address of an old field; returns whether it may stay.
pub(super) fn legacy(path: &Path<'_>, text: &str, found: &mut Findings) -> bool {
    let why = wrong(text);
    if let Some(why) = why {
        found.push(Error::invalid(path, text, why));
    }
    why.is_none()
}

/// Checks an address of a new field; returns whether it may stay.
pub(super) fn strict(path: &Path<'_>, text: &str, found: &mut Findings) -> bool {
    if !legacy(path, text, found) {
        return false;
    }
    let canonical = sloppy(text).map(|address| address.to_string());
    not_canonical(path, text, canonical, found)
}

fn not_canonical(
    path: &Path<'_>,
    text: &str,
    canonical: Option<String>,
    found: &mut Findings,
) -> bool {
    match canonical {
        Some(canonical) if canonical != text => {
            let why = format!("must be in canonical form ({})", quote(&canonical));
            found.push(Error::invalid(path, text, why));
            false
        }
        _ => true,
    }
}

/// Checks that traffic may be sent to an address.
pub(super) fn endpoint(path: &Path<'_>, text: &str, found: &mut Findings) {
    let mut refuse = |why: &str| found.push(Error::invalid(path, text, why));
    let Some(address) = sloppy(text) else {
        return refuse("must be a valid IP address");
    };
    if address.is_unspecified() {
        refuse(&format!("may not be unspecified ({text})"));
    }
    if address.is_loopback() {
        refuse("may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    let (is_local, is_local_group) = match address {
        IpAddr::V4(address) => {
            let octets = address.octets();
            (address.is_link_local(), octets[..3] == [224, 0, 0])
        }
        IpAddr::V6(address) => {
            let octets = address.octets();
            let is_group = octets[0] == 0xff && octets[1] & 0x0f == 0x02;
            (address.is_unicast_link_local(), is_group)
        }
    };
    if is_local {
        refuse("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if is_local_group {
        refuse("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

impl Network {
    /// Reads a network as upstream always did.
    pub(crate) fn sloppy(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let bits = digits(bits)?;
        if let Some(address) = sloppy_v4(address) {
            let address = IpAddr::V4(address);
            return (bits <= 32).then_some(Self { address, bits });
        }
        let address = IpAddr::V6(sloppy_v6(address)?);
        (bits <= 128).then_some(Self { address, bits })
    }

    /// Returns how many bits an address of this family has.
    pub(crate) fn length(self) -> u32 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// Returns the network alone, without the bits beyond it.
    pub(crate) fn masked(self) -> Self {
        let bits = self.bits;
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        Self { address, bits }
    }

    /// Whether `other` lies within this network and is smaller.
    pub(super) fn has_within(self, other: Self) -> bool {
        let other = other.masked();
        let same_family = self.address.is_ipv4() == other.address.is_ipv4();
        let inside = Self {
            bits: self.bits,
            ..other
        };
        same_family && self.bits < other.bits && inside.masked().address == self.masked().address
    }

    /// Returns `IPv4` or `IPv6`.
    pub(super) fn family(self) -> &'static str {
        match self.address.to_canonical() {
            IpAddr::V4(_) => "IPv4",
            IpAddr::V6(_) => "IPv6",
        }
    }

    /// Returns how upstream prints the network.
    pub(crate) fn text(self) -> String {
        let Self { address, bits } = self.masked();
        match address.to_canonical() {
            IpAddr::V4(canonical) if address.is_ipv6() && bits >= 96 => {
                format!("{canonical}/{}", bits - 96)
            }
            canonical => format!("{canonical}/{bits}"),
        }
    }
}

/// Returns the parts of a network that is written as it should be.
pub(crate) fn parsed(text: &str) -> Option<Network> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let is_plain = bits == "0" || !bits.starts_with('0');
    let bits = is_plain.then(|| digits(bits)).flatten()?;
    let network = Network { address, bits };
    (bits <= network.length()).then_some(network)
}

/// Checks a network of an old field; returns whether it may stay.
pub(super) fn legacy_network(path: &Path<'_>, text: &str, found: &mut Findings) -> bool {
    let mut refuse = |why: &str| {
        found.push(Error::invalid(path, text, why));
        false
    };
    if Network::sloppy(text).is_none() {
        return refuse(NO_NETWORK);
    }
    let Some(network) = parsed(text) else {
        return refuse("must not have leading 0s in IP or prefix length");
    };
    if network.address.to_canonical() != network.address {
        return refuse("must not have an IPv4-mapped IPv6 address");
    }
    let is_network = network.masked().address == network.address;
    is_network || refuse("must not have bits set beyond the prefix length")
}

/// Checks a network of a new field; returns whether it may stay.
pub(super) fn strict_network(path: &Path<'_>, text: &str, found: &mut Findings) -> bool {
    if !legacy_network(path, text, found) {
        return false;
    }
    let canonical = Network::sloppy(text).map(Network::text);
    not_canonical(path, text, canonical, found)
}

#[cfg(test)]
mod tests {
    use api::field::Path;

    use super::{Findings, Network, endpoint, legacy, legacy_network, strict, strict_network};

    type Rule = fn(&Path<'_>, &str, &mut Findings);

    #[track_caller]
    fn check(rule: Rule, text: &str, expected: &str) {
        let mut found = Findings::default();
        rule(&Path::new("a"), text, &mut found);
        let errors: Vec<&str> = found.errors().iter().map(|error| &*error.detail).collect();
        assert_eq!(errors.join("; "), expected, "{text}");
    }

    #[test]
    fn old_fields_refuse_what_is_ambiguous() {
        let rule: Rule = |path, text, found| {
            legacy(path, text, found);
        };
        for good in [
            "10.0.0.1",
            "::1",
            "FE80:0:0:0:0:0:0:0abc",
            "1:2:3:4:5:6:1.2.3.4",
        ] {
            check(rule, good, "");
        }
        for bad in [
            "",
            "a",
            "10.0.0",
            "10.0.0.256",
            "1.2.3.4.5",
            ":::",
            "fe80::1%0",
            "1..2.3",
        ] {
            check(rule, bad, super::NO_ADDRESS);
        }
        check(rule, "010.0.0.1", "must not have leading 0s");
        check(
            rule,
            "::ffff:1.2.3.4",
            "must not be an IPv4-mapped IPv6 address",
        );
        check(rule, "::ffff:1.2.3.04", "must not have leading 0s");
    }

    #[test]
    fn new_fields_want_one_form() {
        let rule: Rule = |path, text, found| {
            strict(path, text, found);
        };
        check(rule, "2001:db8::1", "");
        check(
            rule,
            "2001:DB8::1",
            r#"must be in canonical form ("2001:db8::1")"#,
        );
        let rule: Rule = |path, text, found| {
            strict_network(path, text, found);
        };
        check(rule, "10.0.0.0/8", "");
        check(
            rule,
            "2001:DB8::/64",
            r#"must be in canonical form ("2001:db8::/64")"#,
        );
    }

    #[test]
    fn networks_have_no_bits_beyond() {
        let rule: Rule = |path, text, found| {
            legacy_network(path, text, found);
        };
        for good in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "1.2.3.4/32"] {
            check(rule, good, "");
        }
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/x",
            "10.0.0.0/8/8",
        ] {
            check(rule, bad, super::NO_NETWORK);
        }
        let zeros = "must not have leading 0s in IP or prefix length";
        check(rule, "10.0.0.0/08", zeros);
        check(rule, "010.0.0.0/8", zeros);
        check(
            rule,
            "10.0.0.1/8",
            "must not have bits set beyond the prefix length",
        );
        check(
            rule,
            "::ffff:1.2.3.4/128",
            "must not have an IPv4-mapped IPv6 address",
        );
    }

    #[test]
    fn some_addresses_are_no_endpoints() {
        check(endpoint, "10.0.0.1", "");
        check(endpoint, "x", "must be a valid IP address");
        check(endpoint, "0.0.0.0", "may not be unspecified (0.0.0.0)");
        check(
            endpoint,
            "127.0.0.1",
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        );
        let local = "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
        check(endpoint, "169.254.1.1", local);
        check(endpoint, "fe80::1", local);
        let group = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
        check(endpoint, "224.0.0.7", group);
        check(endpoint, "ff02::1", group);
    }

    #[test]
    fn a_smaller_network_lies_within() {
        let within = |outer: &str, inner: &str| {
            let read = |text| Network::sloppy(text).expect("it is a network");
            read(outer).has_within(read(inner))
        };
        assert!(within("10.0.0.0/8", "10.1.0.0/16"));
        assert!(!within("10.0.0.0/8", "10.0.0.0/8"));
        assert!(!within("10.0.0.0/8", "11.0.0.0/16"));
        assert!(!within("10.0.0.0/8", "fe80::/64"));
    }
}
