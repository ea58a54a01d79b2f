use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::{
    CertificateError, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
};
use sealock_store::ownership;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::{
    error::TlsError,
    issuance::{BACKDATING, now, random_serial, text},
    own,
    scope::Scope,
};

/// The lifetime of a leaf. Apple's clients accept at most 825 days.
/// <https://support.apple.com/en-us/103769>
const LEAF_LIFETIME: Duration = Duration::days(90);

/// A certificate authority. It mints certificates by the system's clock, since clients know no other.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, possibly followed by those above it.
    chain: Vec<CertificateDer<'static>>,
    /// The highest certificate in the chain, which clients trust.
    root: CertificateDer<'static>,
    not_after: OffsetDateTime,
    /// Verifies certificates as a client that trusts this CA does.
    verifier: Arc<WebPkiServerVerifier>,
}

/// A leaf certificate with its chain and the end of its lifetime.
pub(super) struct Leaf {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) not_after: OffsetDateTime,
}

impl Authority {
    /// Loads the emulator's own CA from `dir`, or creates it. Without a directory, it exists in memory only.
    pub(super) fn load_or_create(dir: Option<&Path>, scope: Scope) -> Result<Self, TlsError> {
        let path = dir.map(|dir| Self::own_file(dir, scope));
        match path {
            Some(path) if path.exists() => Self::read_inside(&path),
            Some(path) => {
                sealock_store::create_secret(&path, own::create(scope)?.as_bytes())?;
                Self::read_inside(&path)
            }
            None => Self::parse(&own::create(scope)?).map_err(TlsError::Failed),
        }
    }

    /// Reads the user's CA from a PEM file with its certificate and private key.
    pub(super) fn read_named(path: &Path) -> Result<Self, TlsError> {
        Self::read(path, ownership::open_named(path))
    }

    /// Reads the emulator's own CA.
    fn read_inside(path: &Path) -> Result<Self, TlsError> {
        let authority = Self::read(path, ownership::open_inside(path))?;
        match own::check(&authority.chain) {
            Ok(()) => Ok(authority),
            Err(why) => Err(TlsError::CaInvalid {
                path: path.to_owned(),
                why,
            }),
        }
    }

    /// Returns the path of the emulator's own CA in the TLS directory.
    pub(super) fn own_file(dir: &Path, scope: Scope) -> PathBuf {
        dir.join(scope.file())
    }

    /// Reads the certificates of the emulator's own CA, with the same checks as at a start.
    pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        Ok(Self::read_inside(path)?.chain)
    }

    fn read(path: &Path, opened: sealock_store::Result<fs_err::File>) -> Result<Self, TlsError> {
        let invalid = |why: String| TlsError::CaInvalid {
            path: path.to_owned(),
            why,
        };
        let file = match opened {
            Err(sealock_store::Error::Io(error)) => return Err(invalid(error.to_string())),
            opened => opened?,
        };
        let text = ownership::read_to_string(file).map_err(|error| invalid(error.to_string()))?;
        Self::parse(&Zeroizing::new(text)).map_err(invalid)
    }

    fn parse(pem: &str) -> Result<Self, String> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        let certificate = chain.first().ok_or("it contains no certificate")?;
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(text)?;
        if !parsed.is_ca() {
            return Err("its first certificate is not a CA".to_owned());
        }
        let not_after = parsed.validity().not_after.to_datetime();
        if now().map_err(text)? >= not_after {
            return Err(format!("it expired on {}", not_after.date()));
        }
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "it contains no private key".to_owned())?;
        let PrivateKeyDer::Pkcs8(key) = &key else {
            return Err("its private key is not in PKCS #8".to_owned());
        };
        let key = KeyPair::try_from(key)
            .map_err(|_| "its private key is not RSA, P-256, P-384 or Ed25519".to_owned())?;
        if key.public_key_raw() != &*parsed.public_key().subject_public_key.data {
            return Err("its private key belongs to another certificate".to_owned());
        }
        let key_usage = parsed.key_usage().map_err(text)?;
        if key_usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
            return Err("its first certificate is not permitted to sign others".to_owned());
        }
        let mut roots = RootCertStore::empty();
        let root = chain.last().unwrap_or(certificate).clone();
        roots.add(root.clone()).map_err(text)?;
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
        let subject = parsed.subject().as_raw().to_vec();
        let authority = Self {
            issuer: Issuer::from_ca_cert_der(certificate, key).map_err(text)?,
            verifier: verifier.build().map_err(text)?,
            not_after,
            root,
            chain,
        };
        // A leaf must name its issuer exactly, and rcgen keeps only one attribute of each type.
        let key = KeyPair::generate().map_err(text)?;
        let leaf = authority.mint(&["localhost"], &key).map_err(text)?;
        let (_, leaf) = x509_parser::parse_x509_certificate(&leaf.chain[0]).map_err(text)?;
        if leaf.issuer().as_raw() != subject {
            let why = "its subject repeats an attribute, such as DC or OU, which is not supported";
            return Err(why.to_owned());
        }
        Ok(authority)
    }

    /// Returns its certificate, possibly followed by those above it.
    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Returns the highest certificate in the chain, which clients trust.
    pub(super) fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// Mints a certificate for `names` and the public key in `key`. It has no subject, since clients check only the names.
    pub(super) fn mint(&self, names: &[&str], key: &KeyPair) -> Result<Leaf, TlsError> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        params.serial_number = Some(random_serial());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let now = now()?;
        params.not_before = now - BACKDATING;
        params.not_after = self.not_after.min(now + LEAF_LIFETIME);
        let not_after = params.not_after;
        let leaf = params.signed_by(key, &self.issuer)?;
        let mut chain = vec![leaf.der().clone()];
        // Clients have the root, and report misleading errors if it is sent. They lack the intermediates.
        chain.extend(self.chain.iter().filter(|above| !is_root(above)).cloned());
        Ok(Leaf { chain, not_after })
    }

    /// Mints a certificate for one name, and verifies it as a client does.
    pub(super) fn mint_verified(&self, name: &str, key: &KeyPair) -> Result<Leaf, TlsError> {
        let refused = |why: String| TlsError::NameNotSignable {
            name: name.to_owned(),
            why,
        };
        let server_name = ServerName::try_from(name)
            .map_err(|_| refused("it is not a valid name for a certificate".to_owned()))?;
        let leaf = self.mint(&[name], key)?;
        let (certificate, intermediates) = (&leaf.chain[0], &leaf.chain[1..]);
        self.verifier
            .verify_server_cert(
                certificate,
                intermediates,
                &server_name,
                &[],
                UnixTime::now(),
            )
            .map_err(|error| {
                refused(match error {
                    rustls::Error::InvalidCertificate(CertificateError::Other(_)) => {
                        "its name constraints do not permit it".to_owned()
                    }
                    error => error.to_string(),
                })
            })?;
        Ok(leaf)
    }
}

fn is_root(certificate: &CertificateDer<'_>) -> bool {
    x509_parser::parse_x509_certificate(certificate)
        .is_ok_and(|(_, parsed)| parsed.subject() == parsed.issuer())
}
