//! The one kind of CA that `sealock trust` installs, and the places that it may come from.

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

/// The permissions to write of everybody but the owner.
const OTHERS_WRITE: u32 = 0o022;

/// The user that everybody has to trust.
const ROOT_USER: u32 = 0;

/// The caller of `sudo`, as it names them.
const SUDO_USER: &str = "SUDO_UID";

/// The CA of an emulator, of which it is certain that it may sign for this machine only.
pub(super) struct Root {
    der: Vec<u8>,
}

/// A part of the CA, and the DER that it has to be, so that no two readers understand it differently.
struct Part {
    what: &'static str,
    value: &'static [u8],
}

const NAME: Part = Part {
    what: "names",
    // An organization and a common name.
    value: b"\x30\x35\
        \x31\x10\x30\x0e\x06\x03\x55\x04\x0a\x0c\x07Sealock\
        \x31\x21\x30\x1f\x06\x03\x55\x04\x03\x0c\x18Sealock CA for localhost",
};

const SIGNATURE_ALGORITHM: Part = Part {
    what: "signature's algorithm",
    // ecdsa-with-SHA256
    value: b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
};

const KEY_ALGORITHM: Part = Part {
    what: "key's algorithm",
    // An elliptic curve: P-256.
    value: b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
};

/// An extension of the CA, with the value that it has to have.
struct KnownExtension {
    oid: ObjectIdentifier,
    critical: bool,
    part: Part,
}

const EXTENSIONS: [KnownExtension; 4] = [
    KnownExtension {
        oid: ObjectIdentifier::new_unwrap("2.5.29.30"),
        critical: true,
        part: Part {
            what: "name constraints, which must permit localhost, 127.0.0.0/8 and ::1 alone",
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
        part: Part {
            what: "basic constraints",
            // A CA, with one CA below it.
            value: b"\x30\x06\x01\x01\xff\x02\x01\x01",
        },
    },
    KnownExtension {
        oid: ObjectIdentifier::new_unwrap("2.5.29.15"),
        critical: true,
        part: Part {
            what: "key usage",
            // It signs certificates and lists of revoked ones. It is no server itself.
            value: b"\x03\x02\x01\x06",
        },
    },
    KnownExtension {
        oid: ObjectIdentifier::new_unwrap("2.5.29.37"),
        critical: false,
        part: Part {
            what: "extended key usage",
            // Servers alone.
            value: b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01",
        },
    },
];

/// An identifier of the public key, which permits nothing.
const KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");

impl Part {
    /// Compares the part with a certificate's.
    fn check(&self, found: &impl Encode) -> Result<(), String> {
        match found.to_der() {
            Ok(found) if found == self.value => Ok(()),
            _ => Err(self.difference()),
        }
    }

    fn difference(&self) -> String {
        format!("it differs from an emulator's CA in its {}", self.what)
    }
}

impl Root {
    /// Reads the CA of a data directory. The file must be of a user who may decide what is trusted here: whoever
    /// calls, also through `sudo`, or root.
    pub(super) fn read(data_dir: &Path) -> Result<Self, Error> {
        let path = data_dir.join("tls/ca.pem");
        let shown = path.display().to_string();
        // A planted FIFO would wait for its other end, and a link lead to what somebody else had root write.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = fs::OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(&path);
        let mut file = opened.map_err(|error| Error::Failed {
            message: format!("there is no CA to read: {error}"),
            hint: Some(
                "name the data directory of the emulator with --data-dir; or, if its state is in memory, the fingerprint \
                 in its ready file with --fingerprint"
                    .to_owned(),
            ),
        })?;
        let metadata = file.metadata().map_err(|error| Error::system(&error))?;
        let owner = metadata.uid();
        if !metadata.is_file() || !is_trusted(owner) {
            return Err(Error::Failed {
                message: format!("{shown} is no file of yours, but of the user {owner}, so the CA in it is not installed"),
                hint: Some(
                    "ask that user for the fingerprint that the emulator printed when it started, and name it with --fingerprint"
                        .to_owned(),
                ),
            });
        }
        if metadata.mode() & OTHERS_WRITE != 0 {
            return Err(Error::Failed {
                message: format!("others can write {shown}, so the CA in it is not installed"),
                hint: Some(format!("to prevent that: chmod go-w {shown}")),
            });
        }
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(|error| Error::system(&error))?;
        Self::parse(&text).map_err(|why| unacceptable(&shown, &why))
    }

    /// Takes the CA that an emulator answered, if it has this fingerprint.
    pub(super) fn accept(text: &str, wanted: &str, emulator: &str) -> Result<Self, Error> {
        let root = Self::parse(text)
            .map_err(|why| unacceptable(&format!("what {emulator} answered"), &why))?;
        let plain = |text: &str| text.replace(':', "").to_ascii_uppercase();
        if plain(&root.fingerprint()) == plain(wanted) {
            return Ok(root);
        }
        Err(Error::Failed {
            message: format!(
                "the CA that {emulator} answered has another fingerprint, so it is not installed: {}",
                root.fingerprint()
            ),
            hint: Some("is that the emulator? name another one with --emulator".to_owned()),
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let pem = pem::parse(text).map_err(|_| "it is no certificate in PEM")?;
        let root = Self {
            der: pem.into_contents(),
        };
        // Another reader might find more than this one: there must be nothing to find.
        if root.pem() != text {
            return Err("it is not one certificate in PEM and nothing else".to_owned());
        }
        root.check()?;
        Ok(root)
    }

    /// Compares the certificate with what an emulator makes: all of it is fixed but the serial number, the validity, the key
    /// and its identifier. So there is nothing in it that permits more, such as names of its own, by which it would be a
    /// server's certificate as well, and nothing that a reader could take for something else.
    fn check(&self) -> Result<(), String> {
        let certificate = Certificate::from_der(&self.der)
            .map_err(|error| format!("it is no certificate in DER ({error})"))?;
        // A reader may overlook something. Nobody writes what was overlooked.
        if certificate.to_der().as_ref() != Ok(&self.der) {
            return Err("it is a certificate in another form than DER's only one".to_owned());
        }
        let content = certificate.tbs_certificate();
        // Go takes the constraints of an earlier version for none.
        if content.version() != Version::V3 {
            return Err("it is of another version than 3".to_owned());
        }
        if content.issuer_unique_id().is_some() || content.subject_unique_id().is_some() {
            return Err("it has a unique identifier, which an emulator's CA has not".to_owned());
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
        // Whole bytes, or who verifies might leave out bits.
        if signature.is_none() || key.is_none() || !is_signed {
            return Err("its signature is not its own".to_owned());
        }
        Ok(())
    }

    /// Returns the SHA-256 fingerprint.
    pub(super) fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }

    /// Encodes the one certificate that was read, and nothing of the text that it came in.
    pub(super) fn pem(&self) -> String {
        pem::encode_config(
            &pem::Pem::new("CERTIFICATE", self.der.as_slice()),
            pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
        )
    }
}

/// Compares the extensions with those that an emulator's CA has, each of them once.
fn check_extensions(content: &TbsCertificate) -> Result<(), String> {
    let extensions = content.extensions().map_or(&[][..], Vec::as_slice);
    let only = |oid: ObjectIdentifier| {
        let mut found = extensions.iter().filter(|it| it.extn_id == oid);
        found.next().filter(|_| found.next().is_none())
    };
    for KnownExtension {
        oid,
        critical,
        part,
    } in &EXTENSIONS
    {
        let is_as_wanted =
            |it: &Extension| it.critical == *critical && it.extn_value.as_bytes() == part.value;
        if !only(*oid).is_some_and(is_as_wanted) {
            return Err(part.difference());
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
            "it has an extension that an emulator's CA has not ({})",
            unknown.extn_id
        )),
        None => Ok(()),
    }
}

/// Returns true if this user may decide what is trusted here.
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
        message: format!(
            "{what} could sign for more than localhost, or is no CA, so it is not installed: {why}"
        ),
        hint: Some(
            "is it your own, from tls.ca? then install it yourself, as you know it".to_owned(),
        ),
    }
}
