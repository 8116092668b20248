//! Which addresses a Service gets.

use std::net::IpAddr;

use api::{
    Status, Value,
    field::{Error, Path},
};
use schema::{Claim, Ledger};

use super::{
    Network, Services, families, invalid,
    spec::{Spec, set_texts},
};

/// How many addresses of a range are looked at one by one, at most; a range of version 6 is never
/// so full that this does not find one.
const LOOKS_MAX: u64 = 1 << 20;

/// Why an address is not given.
enum Denied {
    /// The one asked for is taken.
    Taken,
    /// No range has it.
    NoRange,
    /// There is none left.
    Full,
    /// It is not of any range (dry run).
    Outside(IpAddr, Network),
}

impl Denied {
    fn text(&self) -> String {
        match self {
            Self::Taken => "provided IP is already allocated".to_owned(),
            Self::NoRange => "the provided network does not match the current range".to_owned(),
            Self::Full => "range is full".to_owned(),
            Self::Outside(address, network) => format!(
                "the provided IP ({address}) is not in the valid range. The range of valid IPs is {network}"
            ),
        }
    }
}

/// Returns `IPv4` or `IPv6`, or `unknown` for what is no address.
pub(super) fn family(text: &str) -> &'static str {
    match text.parse() {
        Ok(IpAddr::V4(_)) => "IPv4",
        Ok(IpAddr::V6(_)) => "IPv6",
        Err(_) => "unknown",
    }
}

/// Returns the claim on the address that a text is.
pub(super) fn claim(text: &str) -> Option<Claim> {
    text.parse().ok().map(Claim::Address)
}

impl Services {
    /// Gives a Service the addresses of its families; those it names, or any.
    pub(super) fn take_addresses(
        &self,
        service: &mut Value,
        ledger: &mut dyn Ledger,
    ) -> Result<(), Status> {
        let spec = Spec(service);
        if !spec.needs_address() || spec.is_headless() {
            return Ok(());
        }
        let families: Vec<String> = spec.families().into_iter().map(str::to_owned).collect();
        let mut addresses: Vec<String> = spec.addresses().into_iter().map(str::to_owned).collect();
        addresses.resize(families.len().max(addresses.len()), String::new());
        // As errors show them: with places that are still open.
        let shown: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let shown = Value::Array(shown.into_iter().map(Value::from).collect());
        for (family, address) in families.iter().zip(&mut addresses) {
            *address = self.take(service, &shown, family, address, ledger)?;
        }
        if let Some(first) = addresses.first() {
            service.set_at(&["spec", "clusterIP"], Value::from(first.as_str()));
        }
        set_texts(service, "clusterIPs", &addresses);
        Ok(())
    }

    /// Gives an updated Service the addresses it lacks. Those it loses are free once it is written.
    pub(super) fn change_addresses(
        &self,
        service: &mut Value,
        old: &Value,
        ledger: &mut dyn Ledger,
    ) -> Result<(), Status> {
        if families::keeps_both(service, old) {
            return Ok(());
        }
        let before = Spec(old);
        if !before.needs_address() {
            return self.take_addresses(service, ledger);
        }
        let now = Spec(service);
        if before.is_headless() || !now.needs_address() {
            return Ok(());
        }
        let (had, wants) = (before.families(), now.families());
        if had.len() != 1 || wants.len() != 2 {
            return Ok(());
        }
        let second = wants[1].to_owned();
        let mut addresses: Vec<String> = now.addresses().into_iter().map(str::to_owned).collect();
        addresses.resize(2, String::new());
        let shown: Vec<Value> = addresses
            .iter()
            .map(|one| Value::from(one.as_str()))
            .collect();
        addresses[1] = self.take(
            service,
            &Value::Array(shown),
            &second,
            &addresses[1],
            ledger,
        )?;
        set_texts(service, "clusterIPs", &addresses);
        Ok(())
    }

    /// Takes one address: the wanted one, or any of the family.
    fn take(
        &self,
        service: &Value,
        shown: &Value,
        family: &str,
        wanted: &str,
        ledger: &mut dyn Ledger,
    ) -> Result<String, Status> {
        let root = Path::new("spec");
        let path = root.child("clusterIPs");
        let ranges = ranges(ledger.ranges(), family);
        if wanted.is_empty() {
            return match take_any(&ranges, ledger) {
                Ok(address) => Ok(address.to_string()),
                Err(denied) => {
                    let name = service.str_at(&["metadata", "name"]).unwrap_or_default();
                    Err(Status::internal(format!(
                        "failed to allocate a serviceIP for Service {}: {}",
                        api::quote::quote(name),
                        denied.text()
                    )))
                }
            };
        }
        let taken = match wanted.parse() {
            Ok(address) => take_one(&ranges, address, ledger),
            Err(_) => Err(Denied::NoRange),
        };
        taken.map_err(|denied| {
            let why = format!("failed to allocate IP {wanted}: {}", denied.text());
            invalid(service, &[Error::invalid(&path, shown, why)])
        })?;
        Ok(wanted.to_owned())
    }
}

fn take_one(ranges: &[Network], address: IpAddr, ledger: &mut dyn Ledger) -> Result<(), Denied> {
    let is_offered = ranges.iter().any(|range| range.offers(address));
    if ledger.is_dry() {
        // Upstream looks at one range only, and not at who holds the address.
        return match ranges.first() {
            _ if is_offered => Ok(()),
            Some(range) => Err(Denied::Outside(address, *range)),
            None => Err(Denied::NoRange),
        };
    }
    if !is_offered {
        return Err(Denied::NoRange);
    }
    match ledger.take(Claim::Address(address)) {
        true => Ok(()),
        false => Err(Denied::Taken),
    }
}

/// Takes any address: by chance, first of the part that nobody chooses from.
fn take_any(ranges: &[Network], ledger: &mut dyn Ledger) -> Result<IpAddr, Denied> {
    if ledger.is_dry() {
        // Upstream does not look for a free one, and answers with the network's own.
        return ranges.first().map(Network::own).ok_or(Denied::Full);
    }
    for range in ranges {
        let kept = range.kept();
        let free = range.usable() - kept;
        let found = look(range, kept, free, ledger).or_else(|| look(range, 0, kept, ledger));
        if let Some(address) = found {
            return Ok(address);
        }
    }
    Err(Denied::Full)
}

/// Takes one of `count` addresses from number `first` on, beginning anywhere.
fn look(range: &Network, first: u64, count: u64, ledger: &mut dyn Ledger) -> Option<IpAddr> {
    let start = ledger.below(count);
    (0..count.min(LOOKS_MAX)).find_map(|step| {
        let number =
            first + (u128::from(start) + u128::from(step)).rem_euclid(u128::from(count)) as u64;
        let address = range.address(number);
        ledger.take(Claim::Address(address)).then_some(address)
    })
}

/// Returns the ranges of one family that are open.
fn ranges(objects: &[Value], family: &str) -> Vec<Network> {
    let open = objects.iter().filter(|object| is_open(object));
    let texts = open.filter_map(|object| object.at(&["spec", "cidrs"])?.as_array());
    let networks = texts
        .flatten()
        .filter_map(|text| text.as_str()?.parse().ok());
    networks
        .filter(|network: &Network| network.family() == family)
        .collect()
}

/// Returns whether addresses of a range are given out: unless it says that it is not ready.
fn is_open(range: &Value) -> bool {
    if range.at(&["metadata", "deletionTimestamp"]).is_some() {
        return false;
    }
    let conditions = range
        .at(&["status", "conditions"])
        .and_then(Value::as_array);
    let mut conditions = conditions.unwrap_or_default().iter();
    let ready = conditions.find(|one| one.str_at(&["type"]) == Some("Ready"));
    ready.is_none_or(|ready| ready.str_at(&["status"]) == Some("True"))
}
