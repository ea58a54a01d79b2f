use sealock_tests::run;
use tempfile::TempDir;

use super::{assert_not_installed, assert_refused, impostor, similar_ca};
use crate::ca::{
    ALGORITHM, Draft, EXTENSIONS, ISSUER, KEY, NULL, SEQUENCE, SERIAL, SUBJECT, VALIDITY, VERSION,
    content, element, elements,
};

/// A change to a certificate, and the reason for which it is refused then.
type Change<'a> = (&'a dyn Fn(&mut Draft), &'a str);

/// Applies each change to a CA like an emulator's, signs it, and checks that it is refused.
fn assert_none_installed(changes: &[Change<'_>]) {
    let ours = similar_ca(|_| {});
    for (change, why) in changes {
        let mut draft = Draft::of(&ours);
        change(&mut draft);
        assert_not_installed(&draft.sign(), why);
    }
}

const NO_DER: &str = "not a DER certificate";

const ANOTHER_FORM: &str = "not encoded in canonical DER";

const IDENTIFIER: &str = "its key's identifier";

/// The last number of each extension's id, after `2.5.29`.
const KEY_IDENTIFIER: u8 = 14;

const NAME_CONSTRAINTS: u8 = 30;

const EXTENDED_KEY_USAGE: u8 = 37;

#[test]
fn unchanged_draft_passes_as_an_emulators_ca() {
    let unchanged = Draft::of(&similar_ca(|_| {})).sign();
    let dir = TempDir::new().unwrap();
    let url = impostor(unchanged);
    let install = [
        "trust",
        "--install",
        "--fingerprint",
        "AB",
        "--emulator",
        &url,
    ];
    assert_refused(&run(&install, dir.path(), &[]), "has another fingerprint");
}

#[test]
fn trust_refuses_a_ca_of_another_version() {
    assert_none_installed(&[
        // Go ignores the constraints of earlier versions.
        (
            &|it| drop(it.content.remove(VERSION)),
            "its version is not 3",
        ),
        (
            &|it| it.content[VERSION] = element(0xa0, b"\x02\x01\x00"),
            ANOTHER_FORM,
        ),
        (
            &|it| it.content[VERSION] = element(0xa0, b"\x02\x01\x01"),
            "its version is not 3",
        ),
        (
            &|it| it.content[VERSION] = element(0xa0, b"\x02\x01\x03"),
            NO_DER,
        ),
        (
            &|it| it.content[VERSION] = element(0xa0, b"\x02\x01\x02\x05\x00"),
            NO_DER,
        ),
        // The unique identifiers of issuer and subject.
        (
            &|it| it.content.insert(EXTENSIONS, element(0x81, b"\0abc")),
            "unique identifier",
        ),
        (
            &|it| it.content.insert(EXTENSIONS, element(0x82, b"\0abc")),
            "unique identifier",
        ),
    ]);
}

#[test]
fn trust_refuses_a_ca_with_extra_or_missing_elements_at_any_depth() {
    let null = element(NULL, b"");
    assert_none_installed(&[
        (&|it| it.rest = null.clone(), NO_DER),
        (&|it| it.content.push(null.clone()), NO_DER),
        (
            &|it| it.content.push(it.content[EXTENSIONS].clone()),
            NO_DER,
        ),
        (
            &|it| {
                let extensions = &it.content[EXTENSIONS];
                it.content[EXTENSIONS] = element(0xa3, &[content(extensions), &null].concat());
            },
            NO_DER,
        ),
        (
            &|it| it.change_extensions(|them| them.push(null.clone())),
            NO_DER,
        ),
        (
            &|it| it.change_extension(NAME_CONSTRAINTS, |parts| parts.push(null.clone())),
            NO_DER,
        ),
        (
            &|it| it.change_extension(KEY_IDENTIFIER, |parts| parts.push(null.clone())),
            NO_DER,
        ),
        (
            &|it| {
                it.change_extension(KEY_IDENTIFIER, |parts| {
                    let value = [content(&parts[1]), &null].concat();
                    parts[1] = element(0x04, &value);
                });
            },
            IDENTIFIER,
        ),
        (
            &|it| it.change_extension(KEY_IDENTIFIER, |parts| parts[1] = element(0x04, b"")),
            IDENTIFIER,
        ),
        (
            &|it| {
                it.change_extension(KEY_IDENTIFIER, |parts| {
                    parts.insert(1, element(0x01, b"\xff"));
                });
            },
            IDENTIFIER,
        ),
        (
            &|it| it.change_extensions(|them| them.push(them[0].clone())),
            "it differs from",
        ),
        (
            &|it| {
                it.change_extensions(|them| {
                    them.retain(|it| !content(it).starts_with(b"\x06\x03\x55\x1d\x0e"));
                });
            },
            IDENTIFIER,
        ),
        (
            &|it| drop(it.content.remove(EXTENSIONS)),
            "name constraints, which must permit localhost",
        ),
    ]);
}

#[test]
fn trust_refuses_a_ca_in_non_canonical_der() {
    assert_none_installed(&[
        (
            &|it| {
                it.change_extension(EXTENDED_KEY_USAGE, |parts| {
                    parts.insert(1, element(0x01, b"\0"));
                });
            },
            ANOTHER_FORM,
        ),
        (
            &|it| it.change_extension(NAME_CONSTRAINTS, |parts| parts[1] = element(0x01, b"\x01")),
            NO_DER,
        ),
        (
            &|it| it.content[SERIAL] = b"\x02\x81\x01\x05".to_vec(),
            NO_DER,
        ),
        (
            &|it| it.content[SERIAL] = b"\x02\x02\x00\x05".to_vec(),
            NO_DER,
        ),
        (
            &|it| {
                let validity = content(&it.content[VALIDITY]);
                it.content[VALIDITY] = [b"\x30\x80", validity, b"\0\0"].concat();
            },
            NO_DER,
        ),
        (
            &|it| {
                let mut times = elements(&it.content[VALIDITY]);
                times[0] = element(0x18, b"20200101000000Z");
                it.content[VALIDITY] = element(SEQUENCE, &times.concat());
            },
            ANOTHER_FORM,
        ),
    ]);
}

#[test]
fn trust_refuses_a_ca_signed_by_another_key_or_algorithm() {
    let ecdsa = |hash: u8, parameters: &[u8]| {
        let oid = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, hash];
        element(SEQUENCE, &[&oid, parameters].concat())
    };
    let (sha256, sha384) = (0x02, 0x03);
    let null = element(NULL, b"");
    let not_signed = "it is not signed by its own key";
    assert_none_installed(&[
        (
            &|it| it.key = rcgen::KeyPair::generate().unwrap(),
            not_signed,
        ),
        (&|it| it.unused_bits = 1, not_signed),
        (
            &|it| it.content[ALGORITHM] = ecdsa(sha384, b""),
            "signature's algorithm",
        ),
        (
            &|it| it.algorithm = ecdsa(sha384, b""),
            "signature's algorithm",
        ),
        (
            &|it| {
                it.algorithm = ecdsa(sha256, &null);
                it.content[ALGORITHM] = it.algorithm.clone();
            },
            "signature's algorithm",
        ),
        (
            &|it| {
                let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
                it.content[KEY] = rcgen::PublicKeyData::subject_public_key_info(&key);
            },
            "key's algorithm",
        ),
    ]);
}

#[test]
fn trust_refuses_a_ca_with_other_names_or_string_types() {
    let names = "in its names";
    assert_none_installed(&[
        (&|it| it.content[ISSUER] = element(SEQUENCE, b""), names),
        (&|it| it.content[SUBJECT] = element(SEQUENCE, b""), names),
        (
            &|it| {
                for place in [ISSUER, SUBJECT] {
                    let kind = it.content[place]
                        .iter()
                        .position(|byte| *byte == 0x0c)
                        .unwrap();
                    it.content[place][kind] = 0x13;
                }
            },
            names,
        ),
    ]);
}
