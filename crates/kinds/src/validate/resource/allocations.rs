//! What schedulers and drivers say of a claim: its status.

use api::{Value, field::Error};

use super::{
    Change, Findings, Place, Subject, bindings, bindings_by_rule,
    claims::{reference, references, references_by_rule},
    configuration, driver, driver_by_rule, driver_of, raw_object, toleration, toleration_by_rule,
    unique, words,
};
use crate::validate::{conditions, gostruct, texts};

const RESERVED_MAX: usize = 256;
const RESULTS_MAX: usize = 32;
const CONFIGS_MAX: usize = 64;
const CONDITIONS_MAX: usize = 8;
const DATA_LEN_MAX: usize = 10 * 1024;
const ADDRESSES_MAX: usize = 16;
const INTERFACE_LEN_MAX: usize = 256;
const HARDWARE_LEN_MAX: usize = 128;
const DEVICE_KEYS: [&str; 4] = ["driver", "device", "pool", "shareID"];

pub(super) fn status(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, status, old_status) = (
        root.child("spec"),
        root.child("status"),
        old.child("status"),
    );
    let requests = spec.child("devices");
    let reserved = status.child("reservedFor");
    if reserved.len() <= RESERVED_MAX {
        for one in reserved.items() {
            for field in ["resource", "name", "uid"] {
                texts::require(&one.child(field), "", found);
            }
        }
    }
    let allocation = status.child("allocation");
    let old_allocation = old_status.child("allocation");
    for one in status.child("devices").items() {
        device(&one, &allocation, found);
    }
    if reserved.len() > 0 {
        let old_reserved = old_status.child("reservedFor");
        let is_new = |one: &Value| !old_reserved.list().contains(one);
        let metadata = root.child("metadata");
        if !allocation.is_set() {
            let detail = "may not be specified when `allocated` is not set";
            found.forbidden(&reserved, detail);
        } else if metadata.child("deletionTimestamp").is_set() && reserved.list().iter().any(is_new)
        {
            let detail = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set";
            found.forbidden(&reserved, detail);
        }
    }
    if allocation.is_set() && !old_allocation.is_set() {
        self::allocation(&allocation, &requests, found);
    }
    declared(&Change::of(subject), found);
}

fn is_same_device(a: &Value, b: &Place<'_>) -> bool {
    DEVICE_KEYS.iter().all(|key| {
        let text = a.str_at(&[key]).unwrap_or_default();
        text == b.child(key).text()
    })
}

fn device(device: &Place<'_>, allocation: &Place<'_>, found: &mut Findings) {
    driver(&device.child("driver"), found);
    words::pool(&device.child("pool"), found);
    texts::label(&device.child("device"), found);
    let results = allocation
        .value()
        .and_then(|all| all.at(&["devices", "results"]));
    let results = results.and_then(Value::as_array).unwrap_or_default();
    if !results.iter().any(|one| is_same_device(one, device)) {
        let detail = "must be an allocated device in the claim";
        let shown = gostruct::shown(device, "SharedDeviceID");
        found.push(Error::invalid(device.path(), shown, detail));
    }
    let list = device.child("conditions");
    if list.len() > CONDITIONS_MAX {
        let error = Error::too_many(list.path(), list.len(), CONDITIONS_MAX);
        found.push(error);
    }
    conditions::check(&list, found);
    let data = device.child("data");
    if data.is_set() {
        raw_object(&data, DATA_LEN_MAX, found);
    }
    let network = device.child("networkData");
    let addresses = network.child("ips");
    if addresses.len() <= ADDRESSES_MAX {
        for address in addresses.items() {
            interface_address(&address, found);
        }
    }
}

/// An address with the length of its network, in its shortest form.
fn interface_address(place: &Place<'_>, found: &mut Findings) {
    let text = place.text();
    let parsed = text.split_once('/').and_then(|(address, bits)| {
        let address: std::net::IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.parse::<u8>().ok().filter(|bits| *bits <= most)?;
        Some(format!("{address}/{bits}"))
    });
    match parsed {
        None => {
            let detail =
                "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)";
            found.invalid_text(place, detail);
        }
        Some(canonical) if canonical != text => {
            let canonical = api::quote::quote(&canonical);
            found.invalid_text(place, format!("must be in canonical form ({canonical})"));
        }
        Some(_) => {}
    }
}

fn allocation(allocation: &Place<'_>, requests: &Place<'_>, found: &mut Findings) {
    let devices = allocation.child("devices");
    let results = devices.child("results");
    if results.len() <= RESULTS_MAX {
        for result in results.items() {
            reference(&result.child("request"), requests, found);
            texts::label(&result.child("device"), found);
            bindings(&result, found);
            for one in result.child("tolerations").items() {
                toleration(&one, found);
            }
        }
    }
    let configs = devices.child("config");
    if configs.len() <= CONFIGS_MAX {
        for config in configs.items() {
            references(&config.child("requests"), requests, found);
            configuration(&config, false, found);
        }
    }
    let selector = allocation.child("nodeSelector");
    let terms = selector.child("nodeSelectorTerms");
    if selector.is_set() && terms.len() == 0 {
        found.required(&terms, "must have at least one node selector term");
    }
}

/// What the rules of the types say.
fn declared(whole: &Change<'_>, found: &mut Findings) {
    let status = whole.child("status");
    let allocation = status.child("allocation");
    if allocation.now.is_set() && !allocation.is_kept() {
        if allocation.had() {
            let detail = "field cannot be modified once set";
            let path = allocation.now.path();
            found.push(Error::invalid(path, &Value::Null, detail));
        } else {
            allocation_by_rule(&allocation, found);
        }
    }
    let reserved = status.child("reservedFor");
    reserved.items_max(RESERVED_MAX, found);
    if reserved.now.len() <= RESERVED_MAX && !reserved.is_kept() {
        unique(&reserved.now, &["uid"], found);
    }
    let devices = status.child("devices");
    if devices.is_kept() {
        return;
    }
    unique(&devices.now, &DEVICE_KEYS, found);
    for device in devices.items(&DEVICE_KEYS) {
        if device.is_kept() {
            continue;
        }
        let share = device.now.child("shareID");
        if share.is_set() {
            words::uuid(&share, found);
        }
        let network = device.child("networkData");
        texts::bytes_max(
            &network.now.child("interfaceName"),
            INTERFACE_LEN_MAX,
            found,
        );
        let addresses = network.child("ips");
        addresses.items_max(ADDRESSES_MAX, found);
        if addresses.now.len() <= ADDRESSES_MAX {
            unique(&addresses.now, &[], found);
        }
        let hardware = network.now.child("hardwareAddress");
        texts::bytes_max(&hardware, HARDWARE_LEN_MAX, found);
    }
}

fn allocation_by_rule(allocation: &Change<'_>, found: &mut Findings) {
    let devices = allocation.child("devices");
    let results = devices.child("results");
    results.items_max(RESULTS_MAX, found);
    if results.now.len() <= RESULTS_MAX {
        for result in results.items(&[]) {
            driver_by_rule(&result.child("driver"), found);
            words::pool_by_rule(&result.now.child("pool"), found);
            for one in result.child("tolerations").items(&[]) {
                toleration_by_rule(&one, found);
            }
            bindings_by_rule(&result, found);
            let share = result.now.child("shareID");
            if share.is_set() {
                words::uuid(&share, found);
            }
        }
    }
    let configs = devices.child("config");
    configs.items_max(CONFIGS_MAX, found);
    if configs.now.len() <= CONFIGS_MAX {
        for config in configs.items(&[]) {
            let source = config.child("source");
            if texts::require(&source.now, "", found) {
                source.one_of(&["FromClaim", "FromClass"], found);
            }
            references_by_rule(&config.child("requests"), found);
            driver_of(&config, found);
        }
    }
}
