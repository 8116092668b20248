//! Which node ports a Service gets.

use api::{
    Reason, Status, Value,
    field::{Error, Path},
};
use schema::{Claim, Ledger};

use super::{
    Services, invalid,
    spec::{Spec, ports_mut, wished_port},
};

/// How much of the range is kept for those who ask for a port by number, at least and at most, and
/// which part of the range otherwise.
const KEPT_MIN: u64 = 16;
const KEPT_MAX: u64 = 128;
const KEPT_PART: u64 = 32;

/// The first port that a dry run shows.
const DRY_FIRST: u16 = 32_769;

/// Why a port is not given.
enum Denied {
    /// Someone has it.
    Taken,
    /// The range does not have it.
    Outside(String),
    /// There is none left.
    Full,
}

impl Denied {
    fn text(&self) -> String {
        match self {
            Self::Taken => "provided port is already allocated".to_owned(),
            Self::Outside(range) => format!(
                "provided port is not in the valid range. The range of valid ports is {range}"
            ),
            Self::Full => "range is full".to_owned(),
        }
    }
}

impl Services {
    /// Gives a new Service its node ports.
    pub(super) fn take_ports(
        &self,
        service: &mut Value,
        ledger: &mut dyn Ledger,
    ) -> Result<(), Status> {
        if Spec(service).is_on_nodes() {
            self.take_node_ports(service, ledger)?;
        }
        if Spec(service).needs_health_port() {
            self.take_health_port(service, ledger)?;
        }
        Ok(())
    }

    /// Ports with one number (of different protocols) share a node port.
    fn take_node_ports(&self, service: &mut Value, ledger: &mut dyn Ledger) -> Result<(), Status> {
        let wants = Spec(service).wants_node_ports();
        let number = |port: &Value| port.get("port").and_then(Value::as_int).unwrap_or(0);
        let wished: Vec<(i64, Option<i64>)> = Spec(service)
            .ports()
            .iter()
            .map(|port| (number(port), wished_port(port)))
            .collect();
        let mut given: Vec<(i64, i64)> = Vec::new();
        for (place, (port, wish)) in wished.iter().enumerate() {
            if wish.is_none() && !wants {
                continue;
            }
            let known = given.iter().find(|(known, _)| known == port);
            let node_port = match (known, wish) {
                (Some((_, known)), None) => *known,
                (Some((_, known)), Some(wish)) if wish == known => *wish,
                (Some(_), Some(wish)) => {
                    self.take_wished(service, place, *wish, ledger)?;
                    *wish
                }
                (None, _) => {
                    let of_port = wished
                        .iter()
                        .find(|(one, wish)| one == port && wish.is_some());
                    let taken = match of_port.and_then(|(_, wish)| *wish) {
                        Some(wish) => {
                            self.take_wished(service, place, wish, ledger)?;
                            wish
                        }
                        None => self.take_any(ledger)?,
                    };
                    given.push((*port, taken));
                    taken
                }
            };
            ports_mut(service)[place].set_at(&["nodePort"], Value::Int(node_port));
        }
        Ok(())
    }

    /// Gives an updated Service the ports it lacks. Those it loses are free once it is written.
    pub(super) fn change_ports(
        &self,
        service: &mut Value,
        old: &Value,
        ledger: &mut dyn Ledger,
    ) -> Result<(), Status> {
        if Spec(service).is_on_nodes() {
            self.change_node_ports(service, old, ledger)?;
        }
        if !Spec(old).needs_health_port() && Spec(service).needs_health_port() {
            self.take_health_port(service, ledger)?;
        }
        Ok(())
    }

    fn change_node_ports(
        &self,
        service: &mut Value,
        old: &Value,
        ledger: &mut dyn Ledger,
    ) -> Result<(), Status> {
        let before: Vec<i64> = Spec(old).node_ports().into_iter().map(i64::from).collect();
        let wants = Spec(service).wants_node_ports();
        let mut taken: Vec<i64> = Vec::new();
        let mut seen: Vec<(String, i64)> = Vec::new();
        for place in 0..Spec(service).ports().len() {
            let port = &Spec(service).ports()[place];
            let protocol = port.str_at(&["protocol"]).unwrap_or_default().to_owned();
            let wish = wished_port(port);
            let node_port = match wish {
                None if !wants => continue,
                None => {
                    let any = self.take_any(ledger)?;
                    ports_mut(service)[place].set_at(&["nodePort"], Value::Int(any));
                    any
                }
                Some(wish) => {
                    if !before.contains(&wish) && !taken.contains(&wish) {
                        self.take_wished(service, place, wish, ledger)?;
                        taken.push(wish);
                    }
                    wish
                }
            };
            if seen.contains(&(protocol.clone(), node_port)) {
                let text = format!("duplicate nodePort: {{{protocol} {node_port}}}");
                return Err(Status::new(500, Reason::Unknown, text));
            }
            seen.push((protocol, node_port));
        }
        Ok(())
    }

    fn take_health_port(&self, service: &mut Value, ledger: &mut dyn Ledger) -> Result<(), Status> {
        let wish = service
            .at(&["spec", "healthCheckNodePort"])
            .and_then(Value::as_int);
        if let Some(wish) = wish.filter(|wish| *wish != 0) {
            return self.take_one(wish, ledger).map_err(|denied| {
                let why = denied.text();
                Status::internal(format!(
                    "failed to allocate requested HealthCheck NodePort {wish}: {why}"
                ))
            });
        }
        let any = self.find_any(ledger).map_err(|denied| {
            let why = denied.text();
            Status::internal(format!(
                "failed to allocate a HealthCheck NodePort 0: {why}"
            ))
        })?;
        service.set_at(&["spec", "healthCheckNodePort"], Value::Int(any));
        Ok(())
    }

    fn take_wished(
        &self,
        service: &Value,
        place: usize,
        wish: i64,
        ledger: &mut dyn Ledger,
    ) -> Result<(), Status> {
        self.take_one(wish, ledger).map_err(|denied| {
            let root = Path::new("spec");
            let ports = root.child("ports");
            let port = ports.index(place);
            let error = Error::invalid(&port.child("nodePort"), wish, denied.text());
            invalid(service, &[error])
        })
    }

    fn take_one(&self, wish: i64, ledger: &mut dyn Ledger) -> Result<(), Denied> {
        let port = u16::try_from(wish).ok();
        // Upstream's dry run knows no range.
        if port.is_none() && ledger.is_dry() {
            return Ok(());
        }
        let port = port.filter(|port| ledger.is_dry() || self.node_ports.contains(port));
        let Some(port) = port else {
            let (first, last) = (self.node_ports.start(), self.node_ports.end());
            return Err(Denied::Outside(format!("{first}-{last}")));
        };
        match ledger.take(Claim::Port(port)) {
            true => Ok(()),
            false => Err(Denied::Taken),
        }
    }

    fn take_any(&self, ledger: &mut dyn Ledger) -> Result<i64, Status> {
        self.find_any(ledger).map_err(|denied| {
            let why = denied.text();
            Status::internal(format!("failed to allocate a nodePort: {why}"))
        })
    }

    /// Takes any port: by chance, first of the part that nobody chooses from.
    fn find_any(&self, ledger: &mut dyn Ledger) -> Result<i64, Denied> {
        if ledger.is_dry() {
            // Upstream counts up from here, whoever has them.
            let mut numbers = DRY_FIRST..=u16::MAX;
            let free = numbers.find(|port| ledger.take(Claim::Port(*port)));
            return free.map(i64::from).ok_or(Denied::Full);
        }
        let first = *self.node_ports.start();
        let size = self.node_ports.len() as u64;
        let kept = match size {
            0..=KEPT_MIN => 0,
            size => (size / KEPT_PART).clamp(KEPT_MIN, KEPT_MAX),
        };
        let mut look = |from: u64, count: u64| {
            let start = ledger.below(count);
            (0..count).find_map(|step| {
                let offset = from + (start + step) % count;
                let port = first + u16::try_from(offset).unwrap_or_default();
                ledger.take(Claim::Port(port)).then_some(i64::from(port))
            })
        };
        look(kept, size - kept)
            .or_else(|| look(0, kept))
            .ok_or(Denied::Full)
    }
}
