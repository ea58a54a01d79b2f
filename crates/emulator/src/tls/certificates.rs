use std::{fmt, net::IpAddr, sync::Arc};

use quick_cache::sync::Cache;
use rcgen::KeyPair;
use rustls::{
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, SigningKey},
};
use time::OffsetDateTime;

use super::{
    authority::{Authority, Leaf},
    error::TlsError,
    issuance::now,
};
use crate::routing::host::{Hosts, is_azures_own};

/// What one certificate is for: whoever connects to an address sends no name.
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// How many names' certificates are kept: there are as many names as a client can think of registries.
const KEPT_LIMIT: usize = 512;

/// Which certificate is served under which name, minted when a client first asks for it.
pub(super) struct Certificates {
    hosts: Hosts,
    authority: Authority,
    azure_authority: Option<Authority>,
    /// All leaves' key, made anew at each start.
    key: KeyPair,
    signing_key: Arc<dyn SigningKey>,
    /// What is served without a name: localhost, the loopback addresses, and other addresses that are
    /// aliases.
    addresses: Vec<String>,
    kept: Cache<String, Kept>,
}

#[derive(Clone)]
struct Kept {
    certified: Arc<CertifiedKey>,
    /// When another takes its place.
    renewed: OffsetDateTime,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// # Errors
    /// If the CA may not sign for one of the names that the configuration gives the emulator.
    pub(super) fn new(
        hosts: Hosts,
        authority: Authority,
        azure_authority: Option<Authority>,
    ) -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let mut addresses = LOOPBACK_NAMES.map(str::to_owned).to_vec();
        // One that the CA may not sign for would spoil the certificate for all of them.
        addresses.retain(|name| authority.mint_acceptable(name, &key).is_ok());
        for name in hosts.configured() {
            authority.mint_acceptable(name, &key)?;
            if name.parse::<IpAddr>().is_ok() && !addresses.iter().any(|known| known == name) {
                addresses.push(name.to_owned());
            }
        }
        if addresses.is_empty() {
            // Nobody who checks certificates comes by address then.
            addresses = LOOPBACK_NAMES.map(str::to_owned).to_vec();
        }
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Self {
            signing_key: ring::sign::any_supported_type(&der)?,
            hosts,
            authority,
            azure_authority,
            key,
            addresses,
            kept: Cache::new(KEPT_LIMIT),
        })
    }

    /// The certificate for `name`, or for the addresses if there is none.
    fn certificate(&self, name: Option<&str>) -> Result<Arc<CertifiedKey>, TlsError> {
        // However a client spells it.
        let name = name.map(str::to_ascii_lowercase);
        let name = name.as_deref().filter(|name| *name != "localhost");
        let key = name.unwrap_or_default();
        let now = now()?;
        if let Some(kept) = self.kept.get(key).filter(|kept| now < kept.renewed) {
            return Ok(kept.certified);
        }
        let Leaf { chain, not_after } = match name {
            Some(name) => self.mint(name)?,
            None => {
                let addresses: Vec<_> = self.addresses.iter().map(String::as_str).collect();
                self.authority.mint(&addresses, &self.key)?
            }
        };
        let certified = Arc::new(CertifiedKey::new(chain, Arc::clone(&self.signing_key)));
        let minted = Kept {
            certified: Arc::clone(&certified),
            // The CA may have less time left than a leaf usually has.
            renewed: now + (not_after - now) * 2 / 3,
        };
        self.kept.insert(key.to_owned(), minted);
        Ok(certified)
    }

    fn mint(&self, name: &str) -> Result<Leaf, TlsError> {
        let refused = |why| TlsError::NameNotServed {
            name: name.to_owned(),
            why,
        };
        if self.hosts.service(name).is_none() {
            return Err(refused(
                "to serve it, add it to server.aliases in the configuration",
            ));
        }
        if !is_azures_own(name) || self.hosts.configured().any(|known| known == name) {
            return self.authority.mint_acceptable(name, &self.key);
        }
        match &self.azure_authority {
            Some(authority) => authority.mint_acceptable(name, &self.key),
            None => Err(refused(
                "to serve Azure's own names, set tls.azure_names = true in the configuration",
            )),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        match self.certificate(name) {
            Ok(certified) => Some(certified),
            Err(error) => {
                tracing::warn!(name, %error, "a TLS connection was refused");
                None
            }
        }
    }
}
