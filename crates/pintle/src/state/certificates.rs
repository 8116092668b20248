//! Makes, loads and renews the certificates of a data directory.

use std::collections::BTreeSet;

use base::WallTime;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{DataDirectory, Identities, Pair, read, write_private};
use crate::failure::Failure;

/// An authority outlives the machines it serves; kubeadm gives its own ten years as well.
const AUTHORITY_DAYS: i64 = 3_650;
/// What an authority signed is renewed at a start, so a year is enough, as with kubeadm.
const SIGNED_DAYS: i64 = 365;
/// Renew this long before the end, so that a server started now can run for a month.
const RENEW_DAYS: i64 = 30;
/// Clocks of clients may lag; a certificate is valid from an hour ago.
const SKEW_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 86_400;

/// Names under which a server is known inside a cluster.
const CLUSTER_NAMES: [&str; 7] = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    "::1",
];

/// What one signed certificate says.
struct Wanted<'a> {
    file: &'static str,
    common_name: &'a str,
    organization: Option<&'a str>,
    names: BTreeSet<String>,
    usage: ExtendedKeyUsagePurpose,
}

/// Loads what is there, makes what is missing, renews what is near its end.
///
/// # Errors
/// As [`DataDirectory::identities`].
pub(super) fn load_or_make(
    directory: &DataDirectory,
    addresses: &[String],
    now: WallTime,
) -> Result<Identities, Failure> {
    let ca = authority(directory, "ca", "pintle-ca", now)?;
    let front_proxy_ca = authority(directory, "front-proxy-ca", "pintle-front-proxy-ca", now)?;
    let mut names: BTreeSet<String> = CLUSTER_NAMES.map(str::to_owned).into();
    names.extend(addresses.iter().cloned());
    let serving = Wanted {
        file: "serving",
        common_name: "kube-apiserver",
        organization: None,
        names,
        usage: ExtendedKeyUsagePurpose::ServerAuth,
    };
    let admin = Wanted {
        file: "admin",
        common_name: "kubernetes-admin",
        organization: Some("system:masters"),
        names: BTreeSet::new(),
        usage: ExtendedKeyUsagePurpose::ClientAuth,
    };
    let kubelet_client = Wanted {
        file: "kubelet-client",
        common_name: "kube-apiserver-kubelet-client",
        organization: Some("system:masters"),
        names: BTreeSet::new(),
        usage: ExtendedKeyUsagePurpose::ClientAuth,
    };
    let front_proxy = Wanted {
        file: "front-proxy",
        common_name: "front-proxy-client",
        organization: None,
        names: BTreeSet::new(),
        usage: ExtendedKeyUsagePurpose::ClientAuth,
    };
    Ok(Identities {
        serving: signed(directory, &ca, serving, now)?,
        admin: signed(directory, &ca, admin, now)?,
        front_proxy: signed(directory, &front_proxy_ca, front_proxy, now)?,
        kubelet_client: signed(directory, &ca, kubelet_client, now)?,
        client_ca: ca.certificate.clone(),
        ca: ca.certificate,
        front_proxy_ca: front_proxy_ca.certificate,
        service_accounts_key: service_accounts_key(directory)?,
    })
}

fn authority(
    directory: &DataDirectory,
    file: &'static str,
    common_name: &str,
    now: WallTime,
) -> Result<Pair, Failure> {
    if let Some(pair) = load(directory, file)? {
        return Ok(pair);
    }
    let failed = |source| Failure::Certificate { what: file, source };
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    set_validity(&mut params, now, AUTHORITY_DAYS);
    let certificate = params.self_signed(&key).map_err(failed)?;
    save(directory, file, certificate.pem(), &key)
}

fn signed(
    directory: &DataDirectory,
    authority: &Pair,
    wanted: Wanted<'_>,
    now: WallTime,
) -> Result<Pair, Failure> {
    let file = wanted.file;
    if let Some(pair) = load(directory, file)?
        && is_current(directory, &pair, &wanted, now)?
    {
        return Ok(pair);
    }
    let failed = |source| Failure::Certificate { what: file, source };
    let authority_key = KeyPair::from_pem(&authority.key).map_err(failed)?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, authority_key).map_err(failed)?;
    let key = KeyPair::generate().map_err(failed)?;
    let names: Vec<String> = wanted.names.into_iter().collect();
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params
        .distinguished_name
        .push(DnType::CommonName, wanted.common_name);
    if let Some(organization) = wanted.organization {
        params
            .distinguished_name
            .push(DnType::OrganizationName, organization);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![wanted.usage];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, now, SIGNED_DAYS);
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    save(directory, file, certificate.pem(), &key)
}

/// Makes a serving certificate that vouches for itself.
///
/// # Errors
/// [`Failure::Certificate`].
pub(crate) fn self_signed(addresses: &[String], now: WallTime) -> Result<Pair, Failure> {
    let failed = |source| Failure::Certificate {
        what: "serving",
        source,
    };
    let key = KeyPair::generate().map_err(failed)?;
    let names: BTreeSet<String> = CLUSTER_NAMES
        .iter()
        .map(|&name| name.to_owned())
        .chain(addresses.iter().cloned())
        .collect();
    let mut params =
        CertificateParams::new(names.into_iter().collect::<Vec<_>>()).map_err(failed)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    set_validity(&mut params, now, SIGNED_DAYS);
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn service_accounts_key(directory: &DataDirectory) -> Result<String, Failure> {
    let path = directory.pki("service-accounts.key");
    if let Some(text) = read(&path)? {
        return match KeyPair::from_pem(&text) {
            Ok(_) => Ok(text),
            Err(error) => Err(Failure::Damaged {
                path,
                what: error.to_string(),
            }),
        };
    }
    let failed = |source| Failure::Certificate {
        what: "service account",
        source,
    };
    let text = KeyPair::generate().map_err(failed)?.serialize_pem();
    write_private(&path, &text)?;
    Ok(text)
}

/// Loads a pair; `None` when neither half is there.
fn load(directory: &DataDirectory, file: &str) -> Result<Option<Pair>, Failure> {
    let certificate_path = directory.pki(&format!("{file}.crt"));
    let key_path = directory.pki(&format!("{file}.key"));
    match (read(&certificate_path)?, read(&key_path)?) {
        (Some(certificate), Some(key)) => {
            if let Err(error) = KeyPair::from_pem(&key) {
                return Err(Failure::Damaged {
                    path: key_path,
                    what: error.to_string(),
                });
            }
            Ok(Some(Pair { certificate, key }))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Failure::Damaged {
            path: certificate_path,
            what: "it is missing, but its key is there".to_owned(),
        }),
        (Some(_), None) => Err(Failure::Damaged {
            path: key_path,
            what: "it is missing, but its certificate is there".to_owned(),
        }),
    }
}

fn save(
    directory: &DataDirectory,
    file: &str,
    certificate: String,
    key: &KeyPair,
) -> Result<Pair, Failure> {
    let key = key.serialize_pem();
    write_private(&directory.pki(&format!("{file}.key")), &key)?;
    write_private(&directory.pki(&format!("{file}.crt")), &certificate)?;
    Ok(Pair { certificate, key })
}

/// Returns whether a certificate says all that is wanted and lives long enough.
fn is_current(
    directory: &DataDirectory,
    pair: &Pair,
    wanted: &Wanted<'_>,
    now: WallTime,
) -> Result<bool, Failure> {
    let damaged = |what: String| Failure::Damaged {
        path: directory.pki(&format!("{}.crt", wanted.file)),
        what,
    };
    let der = CertificateDer::from_pem_slice(pair.certificate.as_bytes())
        .map_err(|error| damaged(error.to_string()))?;
    let (_, certificate) =
        X509Certificate::from_der(&der).map_err(|error| damaged(error.to_string()))?;
    let ends = certificate.validity().not_after.timestamp();
    if ends < now.secs() + RENEW_DAYS * DAY_SECONDS {
        return Ok(false);
    }
    let known: BTreeSet<String> = match certificate.subject_alternative_name() {
        Ok(Some(extension)) => extension
            .value
            .general_names
            .iter()
            .filter_map(name_text)
            .collect(),
        _ => BTreeSet::new(),
    };
    Ok(wanted.names.is_subset(&known))
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) => Some((*text).to_owned()),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            bytes => {
                let octets: [u8; 16] = bytes.try_into().ok()?;
                Some(std::net::Ipv6Addr::from(octets).to_string())
            }
        },
        _ => None,
    }
}

fn set_validity(params: &mut CertificateParams, now: WallTime, days: i64) {
    // A wall clock that cannot be a date leaves rcgen's own range, which is valid for ever.
    let at = |seconds: i64| time::OffsetDateTime::from_unix_timestamp(seconds).ok();
    if let (Some(start), Some(end)) = (
        at(now.secs() - SKEW_SECONDS),
        at(now.secs() + days * DAY_SECONDS),
    ) {
        params.not_before = start;
        params.not_after = end;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base::WallTime;

    use super::super::{DataDirectory, Identities};
    use crate::failure::Failure;

    const NOW: WallTime = WallTime {
        micros: 1_795_000_000_000_000,
    };

    fn identities(path: &std::path::Path, addresses: &[&str], now: WallTime) -> Identities {
        let addresses: Vec<String> = addresses.iter().map(|&text| text.to_owned()).collect();
        DataDirectory::open(path.to_owned())
            .and_then(|directory| directory.identities(&addresses, now))
            .expect("the directory is sound")
    }

    #[test]
    fn keeps_what_is_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = identities(directory.path(), &["10.1.2.3"], NOW);
        let second = identities(directory.path(), &["10.1.2.3"], NOW);
        assert_eq!(first.ca, second.ca);
        assert_eq!(first.serving.certificate, second.serving.certificate);
        assert_eq!(first.service_accounts_key, second.service_accounts_key);
    }

    #[test]
    fn renews_near_the_end_and_for_new_addresses() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = identities(directory.path(), &[], NOW);
        let moved = identities(directory.path(), &["10.1.2.3"], NOW);
        assert_ne!(first.serving.certificate, moved.serving.certificate);
        assert_eq!(first.admin.certificate, moved.admin.certificate);
        let later = WallTime::from_secs(NOW.secs() + 340 * 86_400);
        let renewed = identities(directory.path(), &[], later);
        assert_ne!(first.admin.certificate, renewed.admin.certificate);
        assert_eq!(first.ca, renewed.ca);
    }

    #[test]
    fn names_the_damaged_file_and_replaces_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        identities(directory.path(), &[], NOW);
        for (file, action) in [
            ("ca.key", "garbage"),
            ("admin.crt", "remove"),
            ("service-accounts.key", "garbage"),
        ] {
            let path = directory.path().join("pki").join(file);
            let good = fs::read(&path).expect("it is there");
            match action {
                "remove" => fs::remove_file(&path).expect("it is there"),
                _ => fs::write(&path, "garbage").expect("it is writable"),
            }
            let refused = DataDirectory::open(directory.path().to_owned())
                .and_then(|directory| directory.identities(&[], NOW));
            assert!(
                matches!(&refused, Err(Failure::Damaged { path: named, .. }) if *named == path),
                "{file}"
            );
            fs::write(&path, good).expect("it is writable");
        }
        identities(directory.path(), &[], NOW);
    }
}
