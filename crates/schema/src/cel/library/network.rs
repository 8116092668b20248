//! Addresses and networks, read as Go's `net/netip` reads them.

use std::net::IpAddr;

use api::quote::quote;

use super::{
    super::{
        extension::{Cidr, Extension},
        value::{Fault, Outcome, Val},
    },
    Function, extension, mismatch,
};

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

fn parse_ip(text: &str) -> Result<IpAddr, String> {
    if let Some((address, zone)) = text.split_once('%')
        && !zone.is_empty()
        && address.parse::<std::net::Ipv6Addr>().is_ok()
    {
        return Err(format!(
            "IP address {} with zone value is not allowed",
            quote(text)
        ));
    }
    let Ok(address) = text.parse::<IpAddr>() else {
        let text = quote(text);
        return Err(format!(
            "IP Address {text} parse error during conversion from string: ParseAddr({text}): \
             unable to parse IP"
        ));
    };
    if is_mapped(address) {
        return Err(format!(
            "IPv4-mapped IPv6 address {} is not allowed",
            quote(text)
        ));
    }
    Ok(address)
}

fn parse_cidr(text: &str) -> Result<Cidr, String> {
    let wrong = |words: &str| {
        let text = quote(text);
        Err(format!(
            "network address parse error during conversion from string: \
             netip.ParsePrefix({text}): {words}"
        ))
    };
    let Some((address, bits)) = text.rsplit_once('/') else {
        return wrong("no '/'");
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return wrong("unable to parse IP");
    };
    let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (bits.len() > 1 && bits.starts_with('0')) {
        return wrong(&format!("bad bits after slash: {}", quote(bits)));
    }
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits.parse::<u8>() {
        Ok(bits) if bits <= most => bits,
        _ => return wrong("prefix length out of range"),
    };
    if is_mapped(address) {
        return Err(format!(
            "IPv4-mapped IPv6 address {} is not allowed",
            quote(text)
        ));
    }
    Ok(Cidr { address, bits })
}

pub(super) fn read_ip<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text)] => match parse_ip(text.as_str()) {
            Ok(address) => extension(Extension::Ip(address)),
            Err(words) => Err(Fault::new(words)),
        },
        _ => mismatch(),
    }
}

pub(super) fn is_ip<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text)] => Ok(Val::Bool(parse_ip(text.as_str()).is_ok())),
        _ => mismatch(),
    }
}

pub(super) fn is_canonical<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text)] => match parse_ip(text.as_str()) {
            Ok(address) => Ok(Val::Bool(address.to_string() == text.as_str())),
            Err(words) => Err(Fault::new(words)),
        },
        _ => mismatch(),
    }
}

pub(super) fn read_cidr<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text)] => match parse_cidr(text.as_str()) {
            Ok(cidr) => extension(Extension::Cidr(cidr)),
            Err(words) => Err(Fault::new(format!(
                "network address parse error during conversion from string: {words}"
            ))),
        },
        _ => mismatch(),
    }
}

pub(super) fn is_cidr<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text)] => Ok(Val::Bool(parse_cidr(text.as_str()).is_ok())),
        _ => mismatch(),
    }
}

fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

fn mask(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

fn holds(cidr: Cidr, address: IpAddr) -> bool {
    let ((network, size), (address, other)) = (number(cidr.address), number(address));
    size == other && (network ^ address) & mask(cidr.bits) == 0
}

fn masked(cidr: Cidr) -> Cidr {
    let (network, _) = number(cidr.address);
    let network = network & mask(cidr.bits);
    #[allow(
        clippy::cast_possible_truncation,
        reason = "an IPv4 address lies in the upper 32 bits"
    )]
    let address = match cidr.address {
        IpAddr::V4(_) => IpAddr::V4(((network >> 96) as u32).into()),
        IpAddr::V6(_) => IpAddr::V6(network.into()),
    };
    Cidr {
        address,
        bits: cidr.bits,
    }
}

fn of_ip<'a>(args: &[Val<'a>], answer: fn(IpAddr) -> Val<'a>) -> Outcome<'a> {
    match args {
        [Val::Extension(value)] => match &**value {
            Extension::Ip(address) => Ok(answer(*address)),
            _ => mismatch(),
        },
        _ => mismatch(),
    }
}

fn of_cidr(value: &Val<'_>) -> Option<Cidr> {
    match value {
        Val::Extension(value) => match &**value {
            Extension::Cidr(cidr) => Some(*cidr),
            _ => None,
        },
        _ => None,
    }
}

fn contains_ip<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [cidr, other] = args else {
        return mismatch();
    };
    let Some(cidr) = of_cidr(cidr) else {
        return mismatch();
    };
    let address = match other {
        Val::String(text) => parse_ip(text.as_str()).map_err(Fault::new)?,
        Val::Extension(value) => match &**value {
            Extension::Ip(address) => *address,
            _ => return mismatch(),
        },
        _ => return mismatch(),
    };
    Ok(Val::Bool(holds(cidr, address)))
}

fn contains_cidr<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [cidr, other] = args else {
        return mismatch();
    };
    let inner = match other {
        Val::String(_) => of_cidr(&read_cidr(std::slice::from_ref(other))?),
        other => of_cidr(other),
    };
    let (Some(cidr), Some(inner)) = (of_cidr(cidr), inner) else {
        return mismatch();
    };
    Ok(Val::Bool(
        cidr.bits <= inner.bits && holds(cidr, inner.address),
    ))
}

fn link_local_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    }
}

fn link_local_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[..3] == [224, 0, 0],
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    }
}

fn global_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(address.is_unspecified()
        || broadcast
        || address.is_loopback()
        || address.is_multicast()
        || link_local_unicast(address))
}

/// Functions on addresses and networks.
pub(super) fn part(name: &str) -> Option<Function> {
    Some(match name {
        "family" => |args| of_ip(args, |ip| Val::Int(if ip.is_ipv4() { 4 } else { 6 })),
        "isUnspecified" => |args| of_ip(args, |ip| Val::Bool(ip.is_unspecified())),
        "isLoopback" => |args| of_ip(args, |ip| Val::Bool(ip.is_loopback())),
        "isLinkLocalMulticast" => |args| of_ip(args, |ip| Val::Bool(link_local_multicast(ip))),
        "isLinkLocalUnicast" => |args| of_ip(args, |ip| Val::Bool(link_local_unicast(ip))),
        "isGlobalUnicast" => |args| of_ip(args, |ip| Val::Bool(global_unicast(ip))),
        "containsIP" => contains_ip,
        "containsCIDR" => contains_cidr,
        "ip" => |args| match args.first().and_then(of_cidr) {
            Some(cidr) => extension(Extension::Ip(cidr.address)),
            None => mismatch(),
        },
        "prefixLength" => |args| match args.first().and_then(of_cidr) {
            Some(cidr) => Ok(Val::Int(cidr.bits.into())),
            None => mismatch(),
        },
        "masked" => |args| match args.first().and_then(of_cidr) {
            Some(cidr) => extension(Extension::Cidr(masked(cidr))),
            None => mismatch(),
        },
        _ => return None,
    })
}
