use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

/// A CA that is not the emulator's own, such as a company's.
pub(crate) struct Ca {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Ca {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A CA with something about it changed.
    pub(crate) fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "A company's CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        Self {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// The file that `tls.ca` wants, in `dir`.
    pub(crate) fn write(&self, dir: &Path) -> String {
        let path = dir.join("company-ca.pem");
        fs::write(&path, [self.certificate.as_str(), &self.key].concat()).unwrap();
        path.display().to_string()
    }
}
