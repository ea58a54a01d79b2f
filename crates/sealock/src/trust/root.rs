//! The one kind of CA that `sealock trust` installs, and the places that it may come from.

use std::{env, io::Read as _, os::unix::fs::MetadataExt as _, path::Path};

use fs_err::{self as fs, os::unix::fs::OpenOptionsExt as _};
use rustix::fs::OFlags;
use sealock_emulator::{LOCAL_CA_NAME, fingerprint};
use x509_parser::{
    der_parser::{Oid, oid},
    parse_x509_certificate,
};

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

/// The subject of an extension of the CA, and the value that it has to have: in DER, so that no two readers understand it
/// differently.
struct Extension {
    what: &'static str,
    oid: Oid<'static>,
    critical: bool,
    value: &'static [u8],
}

const EXTENSIONS: [Extension; 4] = [
    Extension {
        what: "name constraints, which must permit localhost, 127.0.0.0/8 and ::1 alone",
        oid: oid!(2.5.29.30),
        critical: true,
        // Permitted subtrees: a DNS name, and two addresses with their masks.
        value: b"\x30\x3f\xa0\x3d\
            \x30\x0b\x82\x09localhost\
            \x30\x0a\x87\x08\x7f\x00\x00\x00\xff\x00\x00\x00\
            \x30\x22\x87\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\
            \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    },
    Extension {
        what: "basic constraints",
        oid: oid!(2.5.29.19),
        critical: true,
        // A CA, with one CA below it.
        value: b"\x30\x06\x01\x01\xff\x02\x01\x01",
    },
    Extension {
        what: "key usage",
        oid: oid!(2.5.29.15),
        critical: true,
        // It signs certificates and lists of revoked ones. It is no server itself.
        value: b"\x03\x02\x01\x06",
    },
    Extension {
        what: "extended key usage",
        oid: oid!(2.5.29.37),
        critical: false,
        // Servers alone.
        value: b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01",
    },
];

/// An identifier of the public key, which permits nothing.
const KEY_IDENTIFIER: Oid<'static> = oid!(2.5.29.14);

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

    /// Compares the certificate with what an emulator makes. So there is nothing in it that permits more, such as names
    /// of its own, by which it would be a server's certificate as well.
    fn check(&self) -> Result<(), String> {
        let Ok((rest, certificate)) = parse_x509_certificate(&self.der) else {
            return Err("it is no certificate".to_owned());
        };
        if !rest.is_empty() {
            return Err("something follows the certificate".to_owned());
        }
        for wanted in &EXTENSIONS {
            let mut found = certificate
                .extensions()
                .iter()
                .filter(|it| it.oid == wanted.oid);
            let is_as_wanted = found
                .next()
                .is_some_and(|it| it.critical == wanted.critical && it.value == wanted.value);
            if !is_as_wanted || found.next().is_some() {
                return Err(format!(
                    "it differs from an emulator's CA in its {}",
                    wanted.what
                ));
            }
        }
        let known = |oid: &Oid<'_>| {
            *oid == KEY_IDENTIFIER || EXTENSIONS.iter().any(|wanted| wanted.oid == *oid)
        };
        if let Some(unknown) = certificate.extensions().iter().find(|it| !known(&it.oid)) {
            return Err(format!(
                "it has an extension that an emulator's CA has not ({})",
                unknown.oid
            ));
        }
        let subject = certificate.subject();
        if subject.to_string() != format!("O=Sealock, CN={LOCAL_CA_NAME}")
            || certificate.issuer() != subject
        {
            return Err("its names are not those of an emulator's CA".to_owned());
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
