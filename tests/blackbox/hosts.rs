use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    thread,
};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyUsagePurpose, SanType,
};
use sealock_emulator::{LOCAL_CA_NAME, fingerprint};
use sealock_tests::{Emulator, Options, Output, run};
use tempfile::TempDir;

use crate::{
    ca::{
        ALGORITHM, Ca, Draft, EXTENSIONS, ISSUER, KEY, NULL, SEQUENCE, SERIAL, SUBJECT, VALIDITY,
        VERSION, content, element, elements,
    },
    ownership::is_root,
};

#[test]
fn hosts_prints_the_names_and_puts_them_into_a_file_and_takes_them_out() {
    let mut emulator = Emulator::start();
    emulator.cli(&["registry", "create", "second"]);
    emulator.cli(&["vault", "create", "kv1"]);
    let printed = emulator.cli(&["hosts"]);
    for name in [
        "sealock.azurecr.localhost",
        "second.azurecr.localhost",
        "sealock.vault.localhost",
        "kv1.vault.localhost",
        "management.localhost",
        "login.localhost",
        "graph.localhost",
    ] {
        let line = format!("127.0.0.1 {name}");
        assert!(printed.lines().any(|found| found == line), "{printed}");
    }
    assert_eq!(emulator.json(&["hosts"])["address"], "127.0.0.1");

    let dir = TempDir::new().unwrap();
    let file = dir.path().join("hosts");
    let before = "127.0.0.1\tlocalhost\n# by hand\n192.0.2.1 elsewhere\n";
    fs::write(&file, before).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let path = file.to_str().unwrap();
    for _ in 0..2 {
        let said = emulator.cli(&["hosts", "--write", "--file", path]);
        assert!(said.contains("7 names") && said.contains(path), "{said}");
        let written = fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = written.lines().collect();
        let (kept, ours) = lines.split_at(3);
        assert_eq!(kept.join("\n") + "\n", before);
        assert_eq!(ours[1..8].join("\n") + "\n", printed);
        assert_eq!(ours.len(), 9, "once, however often: {written}");
    }
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o644
    );

    // To take them out, no emulator is needed.
    emulator.stop();
    emulator.cli(&["hosts", "--remove", "--file", path]);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let missing = emulator.run(&["hosts", "--remove", "--file", "/no/such/file"]);
    assert!(missing.stderr.contains("/no/such/file"), "{missing:?}");
}

#[test]
fn trust_says_for_each_client_what_to_do() {
    let emulator = Emulator::start();
    let said = emulator.cli(&["trust"]);
    let ca = emulator.ca().unwrap().to_str().unwrap();
    let bundle = ca.replace("ca.pem", "bundle.pem");
    let at = emulator.address();
    for part in [
        format!("{ca} /etc/docker/certs.d/{at}/ca.crt"),
        format!("{ca} ~/.config/containers/certs.d/{at}/ca.crt"),
        format!("curl --cacert {ca} https://{at}/_sealock/v1/health"),
        format!("REQUESTS_CA_BUNDLE={bundle}"),
        format!("NODE_EXTRA_CA_CERTS={ca}"),
        format!("-file {ca} -keystore"),
        format!("SSL_CERT_FILE={bundle}"),
        format!(
            "sealock trust --install --data-dir {}",
            emulator.data_dir().display()
        ),
    ] {
        assert!(said.contains(&part), "{part:?} is not in:\n{said}");
    }

    let emulator = Emulator::start_with(Options {
        ephemeral: true,
        ..Options::default()
    });
    let said = emulator.cli(&["trust"]);
    let fetch = |name: &str| {
        let address = emulator.address();
        format!("  curl -o sealock-{name} http://{address}/_sealock/v1/{name}")
    };
    for name in ["ca.pem", "bundle.pem"] {
        assert!(said.lines().any(|line| line == fetch(name)), "{said}");
    }
    assert!(
        said.contains("sealock trust --install --fingerprint"),
        "{said}"
    );
}

/// Answers this once, as whoever has the port of an emulator that is not there.
fn impostor(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close");
        write!(stream, "{head}\r\n\r\n{body}").unwrap();
    });
    url
}

/// A CA like an emulator's, with something about it changed.
fn similar_ca(change: impl FnOnce(&mut CertificateParams)) -> Ca {
    Ca::with(|params| {
        params.distinguished_name = DistinguishedName::new();
        let names = &mut params.distinguished_name;
        names.push(DnType::OrganizationName, "Sealock");
        names.push(DnType::CommonName, LOCAL_CA_NAME);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.name_constraints = Some(rcgen::NameConstraints {
            permitted_subtrees: vec![
                GeneralSubtree::DnsName("localhost".into()),
                GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
                GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(
                    std::net::Ipv6Addr::LOCALHOST.octets(),
                    128,
                )),
            ],
            excluded_subtrees: Vec::new(),
        });
        change(params);
    })
}

fn permit(params: &mut CertificateParams, subtree: GeneralSubtree) {
    let constraints = params.name_constraints.as_mut().unwrap();
    constraints.permitted_subtrees.push(subtree);
}

/// The fingerprint of the first certificate in a text.
fn first_fingerprint(pem: &str) -> String {
    let der = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map(|(_, pem)| pem.contents);
    fingerprint(&der.unwrap_or_default())
}

fn assert_refused(output: &Output, why: &str) {
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains(why), "{why:?}: {output:?}");
    assert!(!output.stdout.contains("fingerprint"), "{output:?}");
}

#[test]
fn trust_installs_no_ca_that_says_more_than_an_emulators() {
    let ours = similar_ca(|_| {}).certificate;
    let evil = Ca::new().certificate;
    let crafted = |change: fn(&mut CertificateParams)| similar_ca(change).certificate;
    let constraints = "name constraints, which must permit localhost";
    let nothing_else = "not one certificate in PEM and nothing else";
    for (pem, why) in [
        (String::new(), "no certificate in PEM"),
        ("no certificate".into(), "no certificate in PEM"),
        (evil.clone(), constraints),
        // One to a reader of whole lines. To OpenSSL, which reads 254 bytes at a time, two.
        (format!("{ours}{}{evil}", "x".repeat(254)), nothing_else),
        (format!("{ours}{evil}"), nothing_else),
        (
            format!(
                "{ours}{}",
                evil.replace("CERTIFICATE", "TRUSTED CERTIFICATE")
            ),
            nothing_else,
        ),
        (ours.replace('\n', "\r\n"), nothing_else),
        (crafted(|it| it.name_constraints = None), constraints),
        (
            crafted(|it| permit(it, GeneralSubtree::DnsName("github.com".into()))),
            constraints,
        ),
        (
            crafted(|it| permit(it, GeneralSubtree::Rfc822Name("github.com".into()))),
            constraints,
        ),
        (
            crafted(|it| {
                let all = CidrSubnet::from_v4_prefix([0, 0, 0, 0], 0);
                permit(it, GeneralSubtree::IpAddress(all));
            }),
            constraints,
        ),
        (
            crafted(|it| {
                // Two, of which readers may take either.
                let content = b"\x30\x10\xa0\x0e\x30\x0c\x82\x0agithub.com".to_vec();
                let again = CustomExtension::from_oid_content(&[2, 5, 29, 30], content);
                it.custom_extensions.push(again);
            }),
            constraints,
        ),
        // It would be a server's certificate itself.
        (
            crafted(|it| {
                let name = "github.com".try_into().unwrap();
                it.subject_alt_names.push(SanType::DnsName(name));
            }),
            "an extension that an emulator's CA has not (2.5.29.17)",
        ),
        (
            crafted(|it| it.key_usages.push(KeyUsagePurpose::DigitalSignature)),
            "its key usage",
        ),
        (
            crafted(|it| {
                it.extended_key_usages
                    .push(ExtendedKeyUsagePurpose::EmailProtection);
            }),
            "its extended key usage",
        ),
        (
            crafted(|it| it.extended_key_usages.clear()),
            "its extended key usage",
        ),
        (crafted(|it| it.is_ca = IsCa::NoCa), "its basic constraints"),
        (
            crafted(|it| it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            "its basic constraints",
        ),
        (
            crafted(|it| {
                it.distinguished_name.push(DnType::CommonName, "github.com");
            }),
            "in its names",
        ),
    ] {
        assert_not_installed(&pem, why);
    }
}

/// Offers a CA to be installed, from the port with its fingerprint and from the data directory.
fn assert_not_installed(pem: &str, why: &str) {
    let dir = TempDir::new().unwrap();
    let answered = run(
        &[
            "trust",
            "--install",
            "--fingerprint",
            &first_fingerprint(pem),
            "--emulator",
            &impostor(pem.to_owned()),
        ],
        dir.path(),
        &[],
    );
    assert_refused(&answered, why);

    fs::create_dir_all(dir.path().join(".sealock/tls")).unwrap();
    fs::write(dir.path().join(".sealock/tls/ca.pem"), pem).unwrap();
    let read = run(&["trust", "--install"], dir.path(), &[]);
    assert_refused(&read, why);
    assert!(read.stderr.contains("hint:"), "{read:?}");
}

/// Something done to a certificate, and why it is refused then.
type Change<'a> = (&'a dyn Fn(&mut Draft), &'a str);

/// Does each to a CA like an emulator's, and signs that.
fn assert_none_installed(changes: &[Change<'_>]) {
    let ours = similar_ca(|_| {});
    for (change, why) in changes {
        let mut draft = Draft::of(&ours);
        change(&mut draft);
        assert_not_installed(&draft.sign(), why);
    }
}

const NO_DER: &str = "no certificate in DER";
const ANOTHER_FORM: &str = "another form than DER's only one";
const IDENTIFIER: &str = "its key's identifier";

/// Extensions: the last number of each, which `2.5.29` precedes.
const KEY_IDENTIFIER: u8 = 14;
const NAME_CONSTRAINTS: u8 = 30;
const EXTENDED_KEY_USAGE: u8 = 37;

#[test]
fn a_draft_that_nobody_changed_is_a_ca_like_an_emulators() {
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
fn trust_installs_no_ca_of_another_version() {
    assert_none_installed(&[
        // Go takes the constraints of an earlier version for none.
        (
            &|it| drop(it.content.remove(VERSION)),
            "another version than 3",
        ),
        (
            &|it| it.content[VERSION] = element(0xa0, b"\x02\x01\x00"),
            ANOTHER_FORM,
        ),
        (
            &|it| it.content[VERSION] = element(0xa0, b"\x02\x01\x01"),
            "another version than 3",
        ),
        (
            &|it| it.content[VERSION] = element(0xa0, b"\x02\x01\x03"),
            NO_DER,
        ),
        (
            &|it| it.content[VERSION] = element(0xa0, b"\x02\x01\x02\x05\x00"),
            NO_DER,
        ),
        // Of either, the issuer's and the subject's.
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
fn trust_installs_no_ca_with_anything_more_or_less_at_any_depth() {
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
fn trust_installs_no_ca_in_another_form_than_ders() {
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
fn trust_installs_no_ca_that_another_key_or_algorithm_signed() {
    let ecdsa = |hash: u8, parameters: &[u8]| {
        let oid = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, hash];
        element(SEQUENCE, &[&oid, parameters].concat())
    };
    let (sha256, sha384) = (0x02, 0x03);
    let null = element(NULL, b"");
    let not_signed = "its signature is not its own";
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
fn trust_installs_no_ca_whose_names_are_others_or_another_kind_of_string() {
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

#[test]
fn trust_believes_no_ca_that_is_neither_in_the_data_directory_nor_has_the_fingerprint() {
    let dir = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let unasked = run(&["trust", "--install", "--emulator", &url], dir.path(), &[]);
    assert_refused(&unasked, "there is no CA to read");
    assert!(unasked.stderr.contains("--data-dir"), "{unasked:?}");
    listener.set_nonblocking(true).unwrap();
    let asked = listener.accept().map(|_| ()).map_err(|it| it.kind());
    assert_eq!(
        asked,
        Err(ErrorKind::WouldBlock),
        "whoever has the port is asked"
    );

    let (ours, other) = (similar_ca(|_| {}), similar_ca(|_| {}));
    let wanted = first_fingerprint(&ours.certificate);
    let url = impostor(other.certificate);
    let install = [
        "trust",
        "--install",
        "--fingerprint",
        &wanted,
        "--emulator",
        &url,
    ];
    assert_refused(&run(&install, dir.path(), &[]), "has another fingerprint");
}

#[test]
fn trust_installs_no_ca_from_a_file_that_others_decide_about() {
    let dir = TempDir::new().unwrap();
    let tls = dir.path().join("data/tls");
    fs::create_dir_all(&tls).unwrap();
    let file = tls.join("ca.pem");
    fs::write(&file, similar_ca(|_| {}).certificate).unwrap();
    let install = ["trust", "--install", "--data-dir", "data"];
    fs::set_permissions(&file, fs::Permissions::from_mode(0o646)).unwrap();
    assert_refused(
        &run(&install, dir.path(), &[]),
        "others can write data/tls/ca.pem",
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let elsewhere = dir.path().join("elsewhere.pem");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert_refused(&run(&install, dir.path(), &[]), "there is no CA to read");
    fs::rename(&elsewhere, &file).unwrap();
    if is_root("a CA of another user") {
        chown(&file, Some(12345), None).unwrap();
        assert_refused(&run(&install, dir.path(), &[]), "of the user 12345");
        let called = [("SUDO_UID", "12346")];
        assert_refused(&run(&install, dir.path(), &called), "of the user 12345");
    }
}

#[test]
fn the_fingerprint_is_where_the_emulator_tells_of_itself() {
    let emulator = Emulator::start();
    let ca = fs::read_to_string(emulator.ca().unwrap()).unwrap();
    assert_eq!(emulator.ready()["ca_sha256"], first_fingerprint(&ca));
}

#[test]
fn hosts_writes_no_name_that_is_not_this_machines_to_answer_for() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("hosts");
    let before = "127.0.0.1 localhost\n";
    let write = |names: &str, further: &[&str]| {
        fs::write(&file, before).unwrap();
        let url = impostor(names.to_owned());
        let write = ["hosts", "--write", "--file", "hosts", "--emulator", &url];
        let output = run(&[&write[..], further].concat(), dir.path(), &[]);
        (output, fs::read_to_string(&file).unwrap())
    };
    let names = |address: &str, host: &str, azure_host: &str| {
        serde_json::json!({
            "address": address, "hosts": ["sealock.azurecr.localhost", host], "azure_hosts": [azure_host],
        })
        .to_string()
    };
    for host in [
        "github.com",
        "sealock.azurecr.io",
        "localhost.github.com",
        "githublocalhost",
        "localhost",
        "a.localhost\n127.0.0.1 github.com",
        "github.com a.localhost",
        "",
    ] {
        for further in [&[][..], &["--azure-names"]] {
            let (output, written) = write(&names("127.0.0.1", host, "x.azurecr.io"), further);
            assert_eq!(output.code, 1, "{host}: {output:?}");
            assert!(
                output.stderr.contains("is no name below localhost"),
                "{output:?}"
            );
            assert_eq!(written, before, "{host}");
        }
    }
    let (output, written) = write(&names("192.0.2.1", "a.localhost", "x.azurecr.io"), &[]);
    assert_eq!((output.code, &*written), (1, before), "{output:?}");

    for host in [
        "github.com",
        "azurecr.io",
        "x.azurecr.io.example",
        "microsoft.com",
    ] {
        let names = names("127.0.0.1", "a.localhost", host);
        let (output, written) = write(&names, &["--azure-names"]);
        assert_eq!((output.code, &*written), (1, before), "{host}: {output:?}");
        let (output, written) = write(&names, &[]);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(!written.contains(host), "{written}");
    }
}

#[test]
fn hosts_writes_azures_names_for_whoever_asks() {
    let emulator = Emulator::start();
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("hosts");
    for (further, is_there) in [(&[][..], false), (&["--azure-names"], true)] {
        fs::write(&file, "").unwrap();
        let write = ["hosts", "--write", "--file", file.to_str().unwrap()];
        emulator.cli(&[&write[..], further].concat());
        let written = fs::read_to_string(&file).unwrap();
        for name in [
            "sealock.azurecr.io",
            "sealock.vault.azure.net",
            "management.azure.com",
            "login.microsoftonline.com",
            "graph.microsoft.com",
        ] {
            let line = format!("127.0.0.1 {name}\n");
            assert_eq!(written.contains(&line), is_there, "{written}");
        }
    }
}
