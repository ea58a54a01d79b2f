use std::{fs, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};

/// A custom CA, such as a company's.
pub(crate) struct Ca {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Ca {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// Creates a CA with changed parameters.
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

    /// Writes the file for `tls.ca` to `dir`.
    pub(crate) fn write(&self, dir: &Path) -> String {
        let path = dir.join("company-ca.pem");
        fs::write(&path, [self.certificate.as_str(), &self.key].concat()).unwrap();
        path.display().to_string()
    }
}

/// A CA's certificate in parts, to be assembled in ways that no library permits.
pub(crate) struct Draft {
    /// The encoded elements of the signed part.
    pub(crate) content: Vec<Vec<u8>>,
    /// The algorithm next to the signature.
    pub(crate) algorithm: Vec<u8>,
    /// The number of unused bits in the signature.
    pub(crate) unused_bits: u8,
    /// The bytes after the signature.
    pub(crate) rest: Vec<u8>,
    /// The key that signs the certificate.
    pub(crate) key: KeyPair,
}

/// Indexes in the signed part.
pub(crate) const VERSION: usize = 0;
pub(crate) const SERIAL: usize = 1;
pub(crate) const ALGORITHM: usize = 2;
pub(crate) const ISSUER: usize = 3;
pub(crate) const VALIDITY: usize = 4;
pub(crate) const SUBJECT: usize = 5;
pub(crate) const KEY: usize = 6;
pub(crate) const EXTENSIONS: usize = 7;

/// DER tags.
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Encodes an element in DER.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let length = match length {
        [0, short @ ..=0x7f] => vec![short],
        [0, length] => vec![0x81, length],
        [high, low] => vec![0x82, high, low],
    };
    [&[tag][..], &length, content].concat()
}

/// Splits the content of an element into its encoded elements.
pub(crate) fn elements(element: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = content(element);
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (first, after) = rest.split_at(rest.len() - content_and_rest(rest).1.len());
        found.push(first.to_vec());
        rest = after;
    }
    found
}

/// Returns the content of an element.
pub(crate) fn content(element: &[u8]) -> &[u8] {
    content_and_rest(element).0
}

fn content_and_rest(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, head) = match der[1] {
        short @ ..=0x7f => (usize::from(short), 2),
        0x81 => (usize::from(der[2]), 3),
        0x82 => (usize::from(u16::from_be_bytes([der[2], der[3]])), 4),
        longer => panic!("a length of {longer:#x}"),
    };
    der[head..].split_at(length)
}

impl Draft {
    pub(crate) fn of(ca: &Ca) -> Self {
        let (_, pem) = x509_parser::pem::parse_x509_pem(ca.certificate.as_bytes()).unwrap();
        let parts = elements(&pem.contents);
        Self {
            content: elements(&parts[0]),
            algorithm: parts[1].clone(),
            unused_bits: 0,
            rest: Vec::new(),
            key: KeyPair::from_pem(&ca.key).unwrap(),
        }
    }

    /// Changes the encoded extensions.
    pub(crate) fn change_extensions(&mut self, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let mut extensions = elements(&elements(&self.content[EXTENSIONS])[0]);
        change(&mut extensions);
        self.content[EXTENSIONS] = element(0xa3, &element(SEQUENCE, &extensions.concat()));
    }

    /// Changes the encoded parts of the extension `2.5.29.N`.
    pub(crate) fn change_extension(&mut self, n: u8, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        self.change_extensions(|extensions| {
            let oid = [0x06, 0x03, 0x55, 0x1d, n];
            let wanted = extensions
                .iter_mut()
                .find(|it| content(it).starts_with(&oid));
            let wanted = wanted.expect("the extension");
            let mut parts = elements(wanted);
            change(&mut parts);
            *wanted = element(SEQUENCE, &parts.concat());
        });
    }

    /// Signs the draft, and returns the certificate in PEM.
    pub(crate) fn sign(&self) -> String {
        let random = SystemRandom::new();
        let key = self.key.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key, &random).unwrap();
        let content = element(SEQUENCE, &self.content.concat());
        let unused = (1 << self.unused_bits) - 1;
        // Unused bits have to be zero, as in every second signature.
        let signature = loop {
            let signature = key.sign(&random, &content).unwrap();
            if signature
                .as_ref()
                .last()
                .is_some_and(|last| last & unused == 0)
            {
                break signature;
            }
        };
        let signature = element(
            BIT_STRING,
            &[&[self.unused_bits], signature.as_ref()].concat(),
        );
        let parts = [&content, &self.algorithm, &signature, &self.rest];
        let der = element(SEQUENCE, &parts.map(Vec::as_slice).concat());
        let encoded = BASE64_STANDARD.encode(der);
        let lines = encoded.as_bytes().chunks(64);
        let lines: String = lines.map(|it| String::from_utf8_lossy(it) + "\n").collect();
        format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
    }
}
