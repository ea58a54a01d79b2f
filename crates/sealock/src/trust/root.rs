//! The check of the CA that `sealock trust` installs, and the sources that it accepts.

use std::{env, io::Read as _, os::unix::fs::MetadataExt as _, path::Path};

use fs_err::{self as fs, os::unix::fs::OpenOptionsExt as _};
use rustix::fs::OFlags;
use sealock_emulator::fingerprint;
use x509_cert::{
    Certificate, TbsCertificate, Version,
    der::{Decode as _, Encode, asn1::ObjectIdentifier},
    ext::{Extension, pkix::SubjectKeyIdentifier},
};
use x509_parser::parse_x509_certificate;

use crate::error::Error;

/// The write permissions of group and others.
const OTHERS_WRITE: u32 = 0o022;

/// The user id of root.
const ROOT_USER: u32 = 0;

/// The variable in which `sudo` passes its caller's user id.
const SUDO_USER: &str = "SUDO_UID";

/// An emulator's CA that has been verified to sign for this machine only.
pub(crate) struct Root {
    der: Vec<u8>,
}

/// A field of the CA with its required DER. The exact bytes leave no room for another interpretation.
struct RequiredField {
    name: &'static str,
    value: &'static [u8],
}

const NAME: RequiredField = RequiredField {
    name: "names",
    // An organization and a common name.
    value: b"\x30\x35\
        \x31\x10\x30\x0e\x06\x03\x55\x04\x0a\x0c\x07Sealock\
        \x31\x21\x30\x1f\x06\x03\x55\x04\x03\x0c\x18Sealock CA for localhost",
};

const SIGNATURE_ALGORITHM: RequiredField = RequiredField {
    name: "signature's algorithm",
    // ecdsa-with-SHA256
    value: b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
};

const KEY_ALGORITHM: RequiredField = RequiredField {
    name: "key's algorithm",
    // An elliptic curve: P-256.
    value: b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
};

/// An extension of the CA with its required value.
struct KnownExtension {
    oid: ObjectIdentifier,
    critical: bool,
    field: RequiredField,
}

const EXTENSIONS: [KnownExtension; 4] = [
    KnownExtension {
        oid: ObjectIdentifier::new_unwrap("2.5.29.30"),
        critical: true,
        field: RequiredField {
            name: "name constraints, which must permit localhost, 127.0.0.0/8 and ::1 alone",
            // Permitted subtrees: a DNS name, and two addresses with their masks.
            value: b"\x30\x3f\xa0\x3d\
                \x30\x0b\x82\x09localhost\
                \x30\x0a\x87\x08\x7f\x00\x00\x00\xff\x00\x00\x00\
                \x30\x22\x87\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\
                \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        },
    },
    KnownExtension {
        oid: ObjectIdentifier::new_unwrap("2.5.29.19"),
        critical: true,
        field: RequiredField {
            name: "basic constraints",
            // A CA, with one CA below it.
            value: b"\x30\x06\x01\x01\xff\x02\x01\x01",
        },
    },
    KnownExtension {
        oid: ObjectIdentifier::new_unwrap("2.5.29.15"),
        critical: true,
        field: RequiredField {
            name: "key usage",
            // Signs certificates and revocation lists, and is not a server.
            value: b"\x03\x02\x01\x06",
        },
    },
    KnownExtension {
        oid: ObjectIdentifier::new_unwrap("2.5.29.37"),
        critical: false,
        field: RequiredField {
            name: "extended key usage",
            // Servers only.
            value: b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01",
        },
    },
];

/// The identifier of the public key, which grants no permission.
const KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");

impl RequiredField {
    /// Compares the field with a certificate's.
    fn check(&self, found: &impl Encode) -> Result<(), String> {
        match found.to_der() {
            Ok(found) if found == self.value => Ok(()),
            _ => Err(self.difference()),
        }
    }

    fn difference(&self) -> String {
        format!("it differs from an emulator's CA in its {}", self.name)
    }
}

impl Root {
    /// Reads the CA of a data directory. The file must belong to root or to the caller, directly or through `sudo`.
    pub(super) fn read(data_dir: &Path) -> Result<Self, Error> {
        let path = data_dir.join("tls/ca.pem");
        let shown = path.display().to_string();
        // A planted FIFO would block, and a link could lead to a file that root was made to write.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = fs::OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(&path);
        let mut file = opened.map_err(|error| Error::Failed {
            message: format!("cannot read the CA: {error}"),
            hint: Some(
                "pass the emulator's data directory with --data-dir; or, if it keeps its state in memory, the fingerprint in \
                 its ready file with --fingerprint"
                    .to_owned(),
            ),
        })?;
        let metadata = file.metadata().map_err(|error| Error::system(&error))?;
        let owner = metadata.uid();
        if !metadata.is_file() || !is_trusted(owner) {
            return Err(Error::Failed {
                message: format!("{shown} is not a regular file of yours (its owner is user {owner}), so the CA in it was not installed"),
                hint: Some(
                    "ask that user for the fingerprint that the emulator printed at its start, and pass it with --fingerprint"
                        .to_owned(),
                ),
            });
        }
        if metadata.mode() & OTHERS_WRITE != 0 {
            return Err(Error::Failed {
                message: format!(
                    "other users can write {shown}, so the CA in it was not installed"
                ),
                hint: Some(format!("remove their permission with: chmod go-w {shown}")),
            });
        }
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(|error| Error::system(&error))?;
        Self::parse(&text).map_err(|why| unacceptable(&shown, &why))
    }

    /// Accepts the CA that an emulator sent, if it has this fingerprint.
    pub(super) fn accept(text: &str, wanted: &str, emulator: &str) -> Result<Self, Error> {
        let root = Self::parse(text)
            .map_err(|why| unacceptable(&format!("the CA from {emulator}"), &why))?;
        let plain = |text: &str| text.replace(':', "").to_ascii_uppercase();
        if plain(&root.fingerprint()) == plain(wanted) {
            return Ok(root);
        }
        Err(Error::Failed {
            message: format!(
                "the CA from {emulator} has another fingerprint, so it was not installed: {}",
                root.fingerprint()
            ),
            hint: Some(
                "check that the emulator is yours, or choose another with --emulator".to_owned(),
            ),
        })
    }

    /// Accepts the CA that any server sent: a client that trusts it trusts it for this machine alone.
    pub(crate) fn accept_constrained(text: &str, emulator: &str) -> Result<Self, Error> {
        Self::parse(text).map_err(|why| Error::Failed {
            message: format!(
                "the CA from {emulator} is not a CA for localhost only, so no client is told to trust it: {why}"
            ),
            hint: Some(
                "if it is your own CA from tls.ca, run the command as the user who owns the emulator's data directory"
                    .to_owned(),
            ),
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let pem = pem::parse(text).map_err(|_| "it is not a PEM certificate")?;
        let root = Self {
            der: pem.into_contents(),
        };
        // Another parser might find more in the text than this one did.
        if root.pem() != text {
            return Err("it is not exactly one PEM certificate".to_owned());
        }
        root.check()?;
        Ok(root)
    }

    /// Compares the certificate with an emulator's CA, where only the serial number, the validity, the key and its
    /// identifier vary. Nothing in it can then permit more, such as names that would make it a server's certificate, and
    /// nothing can be interpreted in two ways.
    fn check(&self) -> Result<(), String> {
        let certificate = Certificate::from_der(&self.der)
            .map_err(|error| format!("it is not a DER certificate ({error})"))?;
        // Bytes that the parser ignored are missing when the certificate is encoded again.
        if certificate.to_der().as_ref() != Ok(&self.der) {
            return Err("it is not encoded in canonical DER".to_owned());
        }
        let content = certificate.tbs_certificate();
        // Go ignores the constraints of earlier versions.
        if content.version() != Version::V3 {
            return Err("its version is not 3".to_owned());
        }
        if content.issuer_unique_id().is_some() || content.subject_unique_id().is_some() {
            return Err("it has a unique identifier, unlike an emulator's CA".to_owned());
        }
        check_extensions(content)?;
        NAME.check(content.subject())?;
        NAME.check(content.issuer())?;
        SIGNATURE_ALGORITHM.check(content.signature())?;
        SIGNATURE_ALGORITHM.check(certificate.signature_algorithm())?;
        KEY_ALGORITHM.check(&content.subject_public_key_info().algorithm)?;
        let signature = certificate.signature().as_bytes();
        let key = content
            .subject_public_key_info()
            .subject_public_key
            .as_bytes();
        let is_signed = parse_x509_certificate(&self.der)
            .is_ok_and(|(_, certificate)| certificate.verify_signature(None).is_ok());
        // A verifier might ignore bits beyond whole bytes.
        if signature.is_none() || key.is_none() || !is_signed {
            return Err("it is not signed by its own key".to_owned());
        }
        Ok(())
    }

    /// Returns the SHA-256 fingerprint.
    pub(super) fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }

    /// Encodes the certificate that was checked, rather than returning the text that it came in.
    pub(crate) fn pem(&self) -> String {
        pem::encode_config(
            &pem::Pem::new("CERTIFICATE", self.der.as_slice()),
            pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
        )
    }
}

/// Compares the extensions with an emulator's CA's, each of which must occur once.
fn check_extensions(content: &TbsCertificate) -> Result<(), String> {
    let extensions = content.extensions().map_or(&[][..], Vec::as_slice);
    let only = |oid: ObjectIdentifier| {
        let mut found = extensions.iter().filter(|it| it.extn_id == oid);
        found.next().filter(|_| found.next().is_none())
    };
    for KnownExtension {
        oid,
        critical,
        field,
    } in &EXTENSIONS
    {
        let is_as_wanted =
            |it: &Extension| it.critical == *critical && it.extn_value.as_bytes() == field.value;
        if !only(*oid).is_some_and(is_as_wanted) {
            return Err(field.difference());
        }
    }
    let is_identifier = |it: &Extension| {
        let value = it.extn_value.as_bytes();
        let read = SubjectKeyIdentifier::from_der(value).and_then(|read| read.to_der());
        !it.critical && read.is_ok_and(|read| read == value)
    };
    if !only(KEY_IDENTIFIER).is_some_and(is_identifier) {
        return Err("it differs from an emulator's CA in its key's identifier".to_owned());
    }
    let known = |oid: ObjectIdentifier| {
        oid == KEY_IDENTIFIER || EXTENSIONS.iter().any(|wanted| wanted.oid == oid)
    };
    match extensions.iter().find(|it| !known(it.extn_id)) {
        Some(unknown) => Err(format!(
            "it has an extension that an emulator's CA lacks ({})",
            unknown.extn_id
        )),
        None => Ok(()),
    }
}

/// Returns true if `path` is a file of root or of the caller, directly or through `sudo`, that nobody else can write.
pub(crate) fn belongs_to_caller(path: &Path) -> bool {
    std::fs::symlink_metadata(path)
        .is_ok_and(|it| it.is_file() && is_trusted(it.uid()) && it.mode() & OTHERS_WRITE == 0)
        && std::fs::File::open(path).is_ok()
}

/// Returns true if this user may decide which CAs the system trusts.
fn is_trusted(owner: u32) -> bool {
    let user = rustix::process::geteuid().as_raw();
    let caller = env::var(SUDO_USER)
        .ok()
        .filter(|_| user == ROOT_USER)
        .and_then(|caller| caller.parse().ok());
    owner == ROOT_USER || owner == user || caller == Some(owner)
}

fn unacceptable(what: &str, why: &str) -> Error {
    Error::Failed {
        message: format!("{what} is not a CA for localhost only, so it was not installed: {why}"),
        hint: Some("if it is your own CA from tls.ca, install it by hand".to_owned()),
    }
}
