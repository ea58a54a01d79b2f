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
use crate::routing::host::{Hosts, is_azure_host};

/// The names in the certificate for connections without a server name, such as those to an address.
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The limit of cached certificates. Clients can invent any number of registry names.
const CACHE_LIMIT: usize = 512;

/// The certificates for each name, minted on first use.
pub(super) struct Certificates {
    hosts: Hosts,
    authority: Authority,
    azure_authority: Option<Authority>,
    /// The key of all leaves, generated at each start.
    key: KeyPair,
    signing_key: Arc<dyn SigningKey>,
    /// The names in the certificate for connections without a server name: localhost, the loopback addresses, and the
    /// addresses among the aliases.
    addresses: Vec<String>,
    cache: Cache<String, CachedCertificate>,
}

#[derive(Clone)]
struct CachedCertificate {
    certified: Arc<CertifiedKey>,
    /// The time at which a new certificate replaces it.
    renew_at: OffsetDateTime,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// Prepares to mint certificates.
    ///
    /// # Errors
    /// The CA may not sign for an alias or the public name.
    pub(super) fn new(
        hosts: Hosts,
        authority: Authority,
        azure_authority: Option<Authority>,
    ) -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let mut addresses = LOOPBACK_NAMES.map(str::to_owned).to_vec();
        // A single name that the CA may not sign for would invalidate the whole certificate.
        addresses.retain(|name| authority.mint_verified(name, &key).is_ok());
        for name in hosts.configured() {
            authority.mint_verified(name, &key)?;
            if name.parse::<IpAddr>().is_ok() && !addresses.iter().any(|known| known == name) {
                addresses.push(name.to_owned());
            }
        }
        if addresses.is_empty() {
            // Only clients that verify no certificates can connect by address then.
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
            cache: Cache::new(CACHE_LIMIT),
        })
    }

    /// Returns the certificate for `name`, or the one for the addresses without a name.
    fn certificate(&self, name: Option<&str>) -> Result<Arc<CertifiedKey>, TlsError> {
        let name = name.map(str::to_ascii_lowercase);
        let name = name.as_deref().filter(|name| *name != "localhost");
        let key = name.unwrap_or_default();
        let now = now()?;
        let cached = self.cache.get(key);
        if let Some(cached) = cached.filter(|cached| now < cached.renew_at) {
            return Ok(cached.certified);
        }
        let Leaf { chain, not_after } = match name {
            Some(name) => self.mint(name)?,
            None => {
                let addresses: Vec<_> = self.addresses.iter().map(String::as_str).collect();
                self.authority.mint(&addresses, &self.key)?
            }
        };
        let certified = Arc::new(CertifiedKey::new(chain, Arc::clone(&self.signing_key)));
        let minted = CachedCertificate {
            certified: Arc::clone(&certified),
            // The CA may expire before the usual end of a leaf.
            renew_at: now + (not_after - now) * 2 / 3,
        };
        self.cache.insert(key.to_owned(), minted);
        Ok(certified)
    }

    fn mint(&self, name: &str) -> Result<Leaf, TlsError> {
        let refused = |remedy| TlsError::NameNotServed {
            name: name.to_owned(),
            remedy,
        };
        if self.hosts.service(name).is_none() {
            return Err(refused(
                "to serve it, add it to server.aliases in the configuration",
            ));
        }
        if !is_azure_host(name) || self.hosts.configured().any(|known| known == name) {
            return self.authority.mint_verified(name, &self.key);
        }
        match &self.azure_authority {
            Some(authority) => authority.mint_verified(name, &self.key),
            None => Err(refused(
                "to serve Azure's host names, set tls.azure_names = true in the configuration",
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
