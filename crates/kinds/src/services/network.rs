//! A range of addresses in CIDR form.

use std::{fmt, net::IpAddr, str::FromStr};

/// A range of addresses: `10.0.0.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The first address, as a number.
    base: u128,
    bits: u8,
    is_v6: bool,
}

/// A text is no range that Services can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// It is not of the form `ADDRESS/BITS`.
    #[error("{0:?} is no network; write it like 10.0.0.0/24")]
    Form(String),
    /// The range is larger than upstream allows: 2^20 addresses, 2^64 of version 6.
    #[error("the network {0} is too large: at least /12, or /64 for IPv6")]
    TooLarge(String),
}

/// How much of a range is kept for those who ask for an address by name, at least and at most, and
/// which part of the range otherwise.
const KEPT_MIN: u64 = 16;
const KEPT_MAX: u64 = 256;
const KEPT_PART: u64 = 16;

impl Network {
    /// Returns `IPv4` or `IPv6`.
    #[must_use]
    pub fn family(&self) -> &'static str {
        if self.is_v6 { "IPv6" } else { "IPv4" }
    }

    fn width(&self) -> u8 {
        if self.is_v6 { 128 } else { 32 }
    }

    /// Returns how many addresses there are, the network's own included; saturating.
    fn size(&self) -> u64 {
        let hosts = u32::from(self.width() - self.bits);
        1_u64.checked_shl(hosts).unwrap_or(u64::MAX)
    }

    /// Returns how many addresses can be given out: all but the network's own and, of version 4,
    /// the broadcast address.
    pub(super) fn usable(&self) -> u64 {
        let reserved = if self.is_v6 { 1 } else { 2 };
        self.size().saturating_sub(reserved)
    }

    /// Returns how many of the first usable addresses are given out last, because people choose
    /// from them by name.
    pub(super) fn kept(&self) -> u64 {
        if self.size() <= KEPT_MIN {
            return 0;
        }
        (self.size() / KEPT_PART).clamp(KEPT_MIN, KEPT_MAX)
    }

    /// Returns the usable address with this number.
    #[must_use]
    pub fn address(&self, number: u64) -> IpAddr {
        self.at(u128::from(number) + 1)
    }

    /// Returns the network's own address.
    pub(super) fn own(&self) -> IpAddr {
        self.at(0)
    }

    fn at(&self, offset: u128) -> IpAddr {
        let number = self.base + offset;
        if self.is_v6 {
            IpAddr::V6(number.into())
        } else {
            IpAddr::V4(u32::try_from(number).unwrap_or(u32::MAX).into())
        }
    }

    /// Returns whether the address can be given out of this range.
    pub(super) fn offers(&self, address: IpAddr) -> bool {
        let (number, is_v6) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), false),
            IpAddr::V6(address) => (u128::from(address), true),
        };
        is_v6 == self.is_v6 && number > self.base && number - self.base <= u128::from(self.usable())
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let form = || NetworkError::Form(text.to_owned());
        let (address, bits) = text.split_once('/').ok_or_else(form)?;
        let address: IpAddr = address.parse().map_err(|_| form())?;
        let bits: u8 = bits.parse().map_err(|_| form())?;
        let (number, is_v6) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), false),
            IpAddr::V6(address) => (u128::from(address), true),
        };
        let (width, bits_min) = if is_v6 { (128, 64) } else { (32, 12) };
        if bits > width {
            return Err(form());
        }
        if bits < bits_min {
            return Err(NetworkError::TooLarge(text.to_owned()));
        }
        let hosts = u32::from(width - bits);
        let base = number >> hosts << hosts;
        Ok(Self { base, bits, is_v6 })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.own(), self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::{Network, NetworkError};

    #[track_caller]
    fn check(text: &str, usable: u64, kept: u64, first: &str) {
        let network: Network = text.parse().expect("it is a network");
        assert_eq!(network.to_string(), text);
        assert_eq!((network.usable(), network.kept()), (usable, kept), "{text}");
        assert_eq!(network.address(0).to_string(), first);
    }

    #[test]
    fn keeps_room_for_those_who_choose() {
        check("10.0.0.0/24", 254, 16, "10.0.0.1");
        check("10.96.0.0/16", 65_534, 256, "10.96.0.1");
        check("10.0.0.0/28", 14, 0, "10.0.0.1");
        check("fd00::/112", 65_535, 256, "fd00::1");
    }

    #[test]
    fn offers_neither_its_own_nor_the_broadcast_address() {
        let network: Network = "10.0.0.7/24".parse().expect("it is a network");
        let offers = |text: &str| network.offers(text.parse().expect("it is an address"));
        let found = [
            "10.0.0.0",
            "10.0.0.1",
            "10.0.0.254",
            "10.0.0.255",
            "10.0.1.1",
            "::1",
        ]
        .map(offers);
        assert_eq!(found, [false, true, true, false, false, false]);
    }

    #[test]
    fn refuses_what_is_no_network() {
        for text in ["10.0.0.0", "10.0.0.0/33", "x/3", "10.0.0.0/x"] {
            let refused = text.parse::<Network>();
            assert_eq!(refused, Err(NetworkError::Form(text.to_owned())));
        }
        for text in ["10.0.0.0/8", "fd00::/48"] {
            let refused = text.parse::<Network>();
            assert_eq!(refused, Err(NetworkError::TooLarge(text.to_owned())));
        }
    }
}
