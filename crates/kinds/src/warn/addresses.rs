//! Warnings about addresses and networks that are not written as they should be.

use std::net::IpAddr;

use api::quote::quote;

use super::Warnings;
use crate::validate::{
    Place,
    addresses::{Network, parsed, sloppy},
};

/// Warns of an address that is not written as it should be.
pub(super) fn address(place: &Place<'_>, warnings: &mut Warnings) {
    let (text, path) = (place.text(), place.path());
    let Some(address) = sloppy(text) else {
        return;
    };
    let quoted = quote(text);
    match text.parse::<IpAddr>() {
        Ok(parsed) if parsed.to_canonical() == parsed => {
            let canonical = parsed.to_string();
            if parsed.is_ipv6() && canonical != text {
                let canonical = quote(&canonical);
                warnings.push(format!(
                    "{path}: IPv6 address {quoted} should be in RFC 5952 canonical format ({canonical})"
                ));
            }
        }
        _ => {
            let right = quote(&address.to_string());
            warnings.push(format!(
                "{path}: non-standard IP address {quoted} is invalid: use {right}"
            ));
        }
    }
}

/// Warns of a network that is not written as it should be.
pub(super) fn network(place: &Place<'_>, warnings: &mut Warnings) {
    let (text, path) = (place.text(), place.path());
    let Some(network) = Network::sloppy(text) else {
        return;
    };
    let quoted = quote(text);
    let right = quote(&network.text());
    let is_ambiguous = network.masked().address != network.address;
    if is_ambiguous {
        let single = format!("{}/{}", network.address.to_canonical(), network.length());
        let single = quote(&single);
        warnings.push(format!(
            "{path}: CIDR value {quoted} is ambiguous in this context (should be {right} or {single}?)"
        ));
    }
    match parsed(text) {
        Some(parsed) if parsed.address.to_canonical() == parsed.address => {
            let canonical = format!("{}/{}", parsed.address, parsed.bits);
            if !is_ambiguous && parsed.address.is_ipv6() && canonical != text {
                let canonical = quote(&canonical);
                warnings.push(format!(
                    "{path}: IPv6 CIDR value {quoted} should be in RFC 5952 canonical format ({canonical})"
                ));
            }
        }
        _ => warnings.push(format!(
            "{path}: non-standard CIDR value {quoted} is invalid: use {right}"
        )),
    }
}
