mod forged;

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

use crate::{ca::Ca, ownership::is_root};

#[test]
fn trust_prints_the_steps_for_each_client() {
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

/// Answers one request, as a program does that took an emulator's port.
pub(crate) fn impostor(body: String) -> String {
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

/// Creates a CA like an emulator's with changed parameters.
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

/// Returns the fingerprint of the first certificate in a text.
fn first_fingerprint(pem: &str) -> String {
    let der = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map(|(_, pem)| pem.contents);
    fingerprint(&der.unwrap_or_default())
}

fn assert_refused(output: &Output, why: &str) {
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains(why), "{why:?}: {output:?}");
    assert!(!output.stdout.contains("fingerprint"), "{output:?}");
}

/// Checks that a CA is not installed, neither from a port with its fingerprint nor from the data directory.
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

#[test]
fn trust_refuses_a_ca_that_permits_more_than_an_emulators() {
    let ours = similar_ca(|_| {}).certificate;
    let evil = Ca::new().certificate;
    let crafted = |change: fn(&mut CertificateParams)| similar_ca(change).certificate;
    let constraints = "name constraints, which must permit localhost";
    let nothing_else = "not exactly one PEM certificate";
    for (pem, why) in [
        (String::new(), "not a PEM certificate"),
        ("no certificate".into(), "not a PEM certificate"),
        (evil.clone(), constraints),
        // A parser of whole lines sees one certificate. OpenSSL, which reads 254 bytes at a time, sees two.
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
                // Two extensions, of which parsers may take either.
                let content = b"\x30\x10\xa0\x0e\x30\x0c\x82\x0agithub.com".to_vec();
                let again = CustomExtension::from_oid_content(&[2, 5, 29, 30], content);
                it.custom_extensions.push(again);
            }),
            constraints,
        ),
        // The CA would also be a server's certificate.
        (
            crafted(|it| {
                let name = "github.com".try_into().unwrap();
                it.subject_alt_names.push(SanType::DnsName(name));
            }),
            "an extension that an emulator's CA lacks (2.5.29.17)",
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

#[test]
fn trust_refuses_a_ca_without_data_directory_or_fingerprint() {
    let dir = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let unasked = run(&["trust", "--install", "--emulator", &url], dir.path(), &[]);
    assert_refused(&unasked, "cannot read the CA");
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
fn trust_refuses_a_ca_file_that_others_control() {
    let dir = TempDir::new().unwrap();
    let tls = dir.path().join("data/tls");
    fs::create_dir_all(&tls).unwrap();
    let file = tls.join("ca.pem");
    fs::write(&file, similar_ca(|_| {}).certificate).unwrap();
    let install = ["trust", "--install", "--data-dir", "data"];
    fs::set_permissions(&file, fs::Permissions::from_mode(0o646)).unwrap();
    assert_refused(
        &run(&install, dir.path(), &[]),
        "other users can write data/tls/ca.pem",
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let elsewhere = dir.path().join("elsewhere.pem");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert_refused(&run(&install, dir.path(), &[]), "cannot read the CA");
    fs::rename(&elsewhere, &file).unwrap();
    if is_root("a CA of another user") {
        chown(&file, Some(12345), None).unwrap();
        assert_refused(&run(&install, dir.path(), &[]), "owner is user 12345");
        let called = [("SUDO_UID", "12346")];
        assert_refused(&run(&install, dir.path(), &called), "owner is user 12345");
    }
}

#[test]
fn ready_file_contains_the_cas_fingerprint() {
    let emulator = Emulator::start();
    let ca = fs::read_to_string(emulator.ca().unwrap()).unwrap();
    assert_eq!(emulator.ready()["ca_sha256"], first_fingerprint(&ca));
}
