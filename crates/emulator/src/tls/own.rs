//! The emulator's own CAs. Each consists of a root, whose private key is discarded, and an intermediate that signs leaves.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use super::{
    error::TlsError,
    issuance::{BACKDATING, now, random_serial, text},
    scope::Scope,
};

/// The lifetime of a CA.
const LIFETIME: Duration = Duration::days(3650);

/// Creates a CA, as the PEM text of its intermediate, its root, and the intermediate's private key.
///
/// Discards the root's private key, so nobody can sign an intermediate with weaker constraints. The intermediate carries the
/// constraints, too, because Java ignores those of a root.
pub(super) fn create(scope: Scope) -> Result<Zeroizing<String>, TlsError> {
    let now = now()?;
    let root_key = Zeroizing::new(KeyPair::generate()?);
    let root_params = params(scope, scope.root_name(), 1, now);
    let root = root_params.self_signed(&*root_key)?;
    let issuer = Issuer::from_params(&root_params, &*root_key);

    let key = Zeroizing::new(KeyPair::generate()?);
    let mut params = params(scope, scope.intermediate_name(), 0, now);
    params.use_authority_key_identifier_extension = true;
    let intermediate = params.signed_by(&*key, &issuer)?;
    let key = Zeroizing::new(key.serialize_pem());
    Ok(Zeroizing::new(
        [&intermediate.pem(), &root.pem(), key.as_str()].concat(),
    ))
}

/// Returns the common parameters of a root and its intermediate. The command line installs only roots with these parameters.
fn params(scope: Scope, name: &str, depth: u8, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let names = &mut params.distinguished_name;
    names.push(DnType::OrganizationName, "Sealock");
    names.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(depth));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Name constraints bind only host names. Without this, clients would also trust the CA for code and mail.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: scope.permitted(),
        excluded_subtrees: Vec::new(),
    });
    params.serial_number = Some(random_serial());
    params.not_before = now - BACKDATING;
    params.not_after = now + LIFETIME;
    params
}

/// Checks the signatures of an intermediate and its root.
pub(super) fn check(chain: &[CertificateDer<'_>]) -> Result<(), String> {
    let [intermediate, root] = chain else {
        return Err("it does not contain an intermediate certificate and its root".to_owned());
    };
    let (_, intermediate) = parse_x509_certificate(intermediate).map_err(text)?;
    let (_, root) = parse_x509_certificate(root).map_err(text)?;
    intermediate
        .verify_signature(Some(root.public_key()))
        .and_then(|()| root.verify_signature(None))
        .map_err(|_| "one of its certificates was changed".to_owned())
}
