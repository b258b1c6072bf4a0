//! A certificate authority of one's own.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::hosts::Hosts;

/// What a broker's configuration says to have a certificate for this address, from an authority in the file `NAME-ca.pem`.
pub(crate) fn tls(hosts: &Hosts, name: &str, address: &str) -> String {
    let key = || KeyPair::generate().expect("random bytes");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, key()).expect("a certificate");
    let own = key();
    let params = CertificateParams::new([address.to_owned()]).expect("an address is a name");
    let certificate = params.signed_by(&own, &authority).expect("a certificate");
    hosts.private_file(&format!("{name}-ca.pem"), &authority.pem());
    let certificate = hosts.private_file(&format!("{name}.pem"), &certificate.pem());
    let own = hosts.private_file(&format!("{name}-key.pem"), &own.serialize_pem());
    format!("tls {{ cert_file: {certificate:?}, key_file: {own:?} }}\n")
}
