//! The network a cluster's Services live in, and where its API is found from there.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
    str::FromStr,
};

use api::{Value, time, value};
use base::WallTime;
use kinds::services::{Network, NetworkError, Services};

/// Where a socket is pointed to learn the address of the default route. Nothing is sent; the address
/// is one of those kept for documentation.
const ELSEWHERE: (&str, u16) = ("192.0.2.1", 9);

/// What Services get, and where the API is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networking {
    /// Ranges of their addresses, one of each family at most; the first is the default.
    pub ranges: Vec<Network>,
    /// Ports they may open on nodes.
    pub node_ports: RangeInclusive<u16>,
    /// The address of the API for everyone in the cluster, if it is not to be guessed.
    pub advertise: Option<IpAddr>,
}

/// Upstream's defaults.
impl Default for Networking {
    fn default() -> Self {
        Self {
            ranges: vec!["10.0.0.0/24".parse().expect("it is a network")],
            node_ports: Services::NODE_PORTS,
            advertise: None,
        }
    }
}

/// A word about the network that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkingError {
    /// A range.
    #[error(transparent)]
    Range(#[from] NetworkError),
    /// Two ranges of one family, or more than two.
    #[error("there can be one range of IPv4 and one of IPv6, in either order")]
    Ranges,
    /// Ports.
    #[error("{0:?} is no range of ports; write it like 30000-32767")]
    Ports(String),
}

/// Reads `10.0.0.0/24` or `10.0.0.0/24,fd00::/112`.
///
/// # Errors
/// What is not understood.
pub fn ranges(text: &str) -> Result<Vec<Network>, NetworkingError> {
    let parsed: Result<Vec<Network>, NetworkError> =
        text.split(',').map(Network::from_str).collect();
    let ranges = parsed?;
    match ranges.as_slice() {
        [_] => Ok(ranges),
        [first, second] if first.family() != second.family() => Ok(ranges),
        _ => Err(NetworkingError::Ranges),
    }
}

/// Reads `30000-32767`.
///
/// # Errors
/// What is not understood.
pub fn ports(text: &str) -> Result<RangeInclusive<u16>, NetworkingError> {
    let read = || {
        let (first, last) = text.split_once('-')?;
        let range: RangeInclusive<u16> = first.parse().ok()?..=last.parse().ok()?;
        (*range.start() > 0 && !range.is_empty()).then_some(range)
    };
    read().ok_or_else(|| NetworkingError::Ports(text.to_owned()))
}

impl Networking {
    /// Returns where the API is found by everyone in the cluster: as it was said, or where it
    /// listens, or, of one that listens on loopback or everywhere, the address of the default route.
    #[must_use]
    pub fn advertised(&self, listens: SocketAddr) -> Option<IpAddr> {
        let listens = listens.ip();
        if self.advertise.is_some() {
            return self.advertise;
        }
        if !listens.is_loopback() && !listens.is_unspecified() {
            return Some(listens);
        }
        let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
        socket.connect(ELSEWHERE).ok()?;
        let address = socket.local_addr().ok()?.ip();
        (!address.is_loopback() && !address.is_unspecified()).then_some(address)
    }

    /// Returns the range object that every cluster begins with.
    #[must_use]
    pub fn range_object(&self) -> Value {
        let cidrs = self.ranges.iter().map(|one| Value::string(one.to_string()));
        value!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": {"name": "kubernetes"},
            "spec": {"cidrs": (Value::Array(cidrs.collect()))}
        })
    }

    /// Returns the Service of the API itself, at the first address of the first range.
    #[must_use]
    pub fn service(&self, listens: SocketAddr) -> Value {
        let address = self.ranges[0].address(0).to_string();
        value!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": {"component": "apiserver", "provider": "kubernetes"}
            },
            "spec": {
                "type": "ClusterIP",
                "clusterIP": (address.as_str()),
                "ipFamilyPolicy": "SingleStack",
                "sessionAffinity": "None",
                "ports": [{
                    "name": "https",
                    "port": 443,
                    "protocol": "TCP",
                    "targetPort": (i64::from(listens.port()))
                }]
            }
        })
    }

    /// Returns where that Service leads, in both forms; nothing where no address is known.
    #[must_use]
    pub fn endpoints(&self, listens: SocketAddr) -> Vec<Value> {
        let Some(address) = self.advertised(listens) else {
            return Vec::new();
        };
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let address = address.to_string();
        let port =
            value!({"name": "https", "port": (i64::from(listens.port())), "protocol": "TCP"});
        let ports = Value::Array(vec![port]);
        vec![
            value!({
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": {
                    "name": "kubernetes",
                    "namespace": "default",
                    "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}
                },
                "subsets": [{"addresses": [{"ip": (address.as_str())}], "ports": (ports.clone())}]
            }),
            value!({
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": "kubernetes",
                    "namespace": "default",
                    "labels": {"kubernetes.io/service-name": "kubernetes"}
                },
                "addressType": family,
                "endpoints": [{
                    "addresses": [(address.as_str())],
                    "conditions": {"ready": true}
                }],
                "ports": (ports)
            }),
        ]
    }
}

/// Returns the range with the word that it is ready, unless it says something about that already or
/// is another than this cluster is configured with.
#[must_use]
pub fn readied(found: &Value, wanted: &Value, now: WallTime) -> Option<Value> {
    let conditions = found
        .at(&["status", "conditions"])
        .and_then(Value::as_array);
    let mut conditions = conditions.unwrap_or_default().to_vec();
    let is_said = conditions
        .iter()
        .any(|one| one.str_at(&["type"]) == Some("Ready"));
    let is_leaving = found.at(&["metadata", "deletionTimestamp"]).is_some();
    if is_said || is_leaving || found.get("spec") != wanted.get("spec") {
        return None;
    }
    conditions.push(value!({
        "type": "Ready",
        "status": "True",
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
        "lastTransitionTime": (time::to_value(now))
    }));
    let mut object = found.clone();
    object.set_at(&["status", "conditions"], Value::Array(conditions));
    Some(object)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Networking, NetworkingError, ports, ranges};

    #[test]
    fn reads_one_range_of_each_family() {
        let read = |text: &str| ranges(text).map(|ranges| ranges.len());
        assert_eq!(read("10.0.0.0/24"), Ok(1));
        assert_eq!(read("fd00::/112,10.0.0.0/24"), Ok(2));
        assert_eq!(
            read("10.1.0.0/24,10.0.0.0/24"),
            Err(NetworkingError::Ranges)
        );
        assert!(matches!(read("10.1.0.0"), Err(NetworkingError::Range(_))));
    }

    #[test]
    fn reads_a_range_of_ports() {
        assert_eq!(ports("30000-32767"), Ok(30_000..=32_767));
        for text in ["30000", "5-4", "0-9", "1-70000"] {
            assert_eq!(ports(text), Err(NetworkingError::Ports(text.to_owned())));
        }
    }

    #[test]
    fn the_api_is_found_where_it_was_said_or_listens() {
        let check = |advertise: Option<&str>, listens: &str, expected: &str| {
            let address = |text: &str| text.parse::<IpAddr>().expect("an address");
            let networking = Networking {
                advertise: advertise.map(address),
                ..Networking::default()
            };
            let found = networking.advertised(listens.parse().expect("an address"));
            assert_eq!(found, Some(address(expected)));
        };
        check(Some("192.0.2.7"), "127.0.0.1:1", "192.0.2.7");
        check(None, "192.0.2.8:1", "192.0.2.8");
        let guessed = Networking::default().advertised("127.0.0.1:1".parse().expect("an address"));
        assert!(guessed.is_none_or(|address| !address.is_loopback()));
    }
}
