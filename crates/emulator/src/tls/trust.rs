use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    slice,
    sync::Arc,
};

use fs_err as fs;
use rustls::pki_types::CertificateDer;
use sealock_store::disk;
use sha2::{Digest as _, Sha256};

use super::{authority::Authority, error::TlsError, scope::Scope};

/// The PEM files in which systems keep their trusted roots. The variable `SSL_CERT_FILE` is not used, since it may name the
/// bundle itself.
const SYSTEM_ROOTS: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL
    "/etc/ssl/ca-bundle.pem",             // SUSE
    "/etc/ssl/cert.pem",                  // macOS, BSD
];

/// The certificates with which clients trust the emulator.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    /// The CA, in PEM.
    pub(crate) ca_pem: Arc<str>,
    /// The system's roots and the CA, in PEM.
    pub(crate) bundle_pem: Arc<str>,
    /// The CA of Azure's names, in PEM, if they are served.
    pub(crate) azure_ca_pem: Option<Arc<str>>,
    /// The files with these certificates. `None` if everything is in memory.
    pub(crate) files: Option<TrustFiles>,
    /// The SHA-256 fingerprint of the highest certificate in `ca_pem`.
    pub(crate) ca_fingerprint: String,
    /// The aliases and the public name.
    pub(crate) configured_names: Arc<[String]>,
    /// The emulator's own CAs in use: the file of each, and its certificates in PEM.
    authorities: Vec<(PathBuf, String)>,
}

/// The certificate files in the data directory, for clients that take a path.
#[derive(Clone, Debug)]
pub(crate) struct TrustFiles {
    /// The CA.
    pub(crate) ca: PathBuf,
    /// The system's roots and the CA, for clients whose setting replaces the system's roots.
    pub(crate) bundle: PathBuf,
    /// The CA of Azure's names, if they are served.
    pub(crate) azure_ca: Option<PathBuf>,
}

/// Returns the SHA-256 fingerprint of a certificate as OpenSSL prints it: `AB:CD:…`.
pub fn fingerprint(certificate: &[u8]) -> String {
    let digest = Sha256::digest(certificate);
    let bytes: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

/// Returns the TLS directory in a data directory. Creates it if it is missing.
pub(super) fn create_dir(data_dir: &Path) -> Result<PathBuf, TlsError> {
    let dir = data_dir.join("tls");
    sealock_store::create_dir(&dir)?;
    Ok(fs::canonicalize(dir)?)
}

impl Trust {
    /// Writes the files for clients. `is_named` is true if the user named the CA of localhost.
    pub(super) fn publish(
        dir: Option<&Path>,
        is_named: bool,
        configured_names: Arc<[String]>,
        authority: &Authority,
        azure_authority: Option<&Authority>,
    ) -> Result<Self, TlsError> {
        // Clients must not trust the emulator's own intermediate, because its private key still exists.
        let ca_pem = if is_named {
            pem(authority.chain())
        } else {
            pem(slice::from_ref(authority.root()))
        };
        let azure_ca_pem =
            azure_authority.map(|authority| pem(slice::from_ref(authority.root())).into());
        let mut trust = Self {
            bundle_pem: bundle(&ca_pem).into(),
            ca_pem: ca_pem.into(),
            ca_fingerprint: fingerprint(authority.root()),
            azure_ca_pem,
            files: None,
            configured_names,
            authorities: Vec::new(),
        };
        if let Some(dir) = dir {
            match trust.write(dir) {
                Ok(files) => trust.files = Some(files),
                // Clients can also get the CA from the control API.
                Err(TlsError::Io(error)) if sealock_store::Fault::of(&error).is_some() => {
                    tracing::error!(%error, "cannot update the certificate files for clients");
                }
                Err(error) => return Err(error),
            }
            if !is_named {
                let file = Authority::own_file(dir, Scope::Loopback);
                trust.authorities.push((file, pem(authority.chain())));
            }
            if let Some(authority) = azure_authority {
                let file = Authority::own_file(dir, Scope::Azure);
                trust.authorities.push((file, pem(authority.chain())));
            }
        }
        Ok(trust)
    }

    fn write(&self, dir: &Path) -> Result<TrustFiles, TlsError> {
        let ca = dir.join("ca.pem");
        write_if_changed(&ca, &self.ca_pem)?;
        let bundle = dir.join("bundle.pem");
        write_if_changed(&bundle, &self.bundle_pem)?;
        let azure_ca = dir.join("azure-ca.pem");
        if let Some(pem) = &self.azure_ca_pem {
            write_if_changed(&azure_ca, pem)?;
        }
        Ok(TrustFiles {
            ca,
            bundle,
            azure_ca: self.azure_ca_pem.is_some().then_some(azure_ca),
        })
    }

    /// Compares the files in the TLS directory with the certificates in use, and returns the differences. Blocks.
    pub(crate) fn verify(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for (path, in_use) in &self.authorities {
            match Authority::read_certificates(path) {
                Ok(certificates) if pem(&certificates) == *in_use => {}
                Ok(_) => findings.push(format!(
                    "{} contains another certificate than the one in use",
                    path.display()
                )),
                Err(error) => findings.push(error.to_string()),
            }
        }
        let Some(files) = &self.files else {
            return findings;
        };
        let published = [
            (Some(&files.ca), Some(&self.ca_pem)),
            (Some(&files.bundle), Some(&self.bundle_pem)),
            (files.azure_ca.as_ref(), self.azure_ca_pem.as_ref()),
        ];
        for (path, text) in published {
            if let (Some(path), Some(text)) = (path, text)
                && !std::fs::read(path).is_ok_and(|found| found == text.as_bytes())
            {
                findings.push(format!(
                    "{} was changed; the next start restores it",
                    path.display()
                ));
            }
        }
        findings
    }
}

/// Joins this system's roots and a CA, in PEM.
pub fn bundle(ca_pem: &str) -> String {
    let mut roots = SYSTEM_ROOTS.iter().map(std::fs::read_to_string);
    let system = roots.find_map(Result::ok).unwrap_or_else(|| {
        tracing::warn!(
            "cannot find the system's roots, so the bundle contains only the emulator's CA"
        );
        String::new()
    });
    [system.trim_end(), "\n", ca_pem].concat()
}

fn pem(certificates: &[CertificateDer<'_>]) -> String {
    let pem = |certificate: &CertificateDer<'_>| {
        pem::encode_config(
            &pem::Pem::new("CERTIFICATE", certificate.to_vec()),
            pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
        )
    };
    certificates.iter().map(pem).collect()
}

/// Replaces a file in one step if its text differs, since a client may be reading it.
fn write_if_changed(path: &Path, text: &str) -> Result<(), TlsError> {
    if std::fs::read_to_string(path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    let staged = disk::unfinished(path);
    // A killed process may have left one.
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    // Creates a new file, since an existing one could be a link.
    let written = fs::File::create_new(&staged).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        fs::rename(&staged, path)
    });
    Ok(written.inspect_err(|_| drop(fs::remove_file(&staged)))?)
}
