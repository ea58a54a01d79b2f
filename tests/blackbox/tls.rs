use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::unix::fs::PermissionsExt as _,
    sync::Arc,
    time::Duration,
};

use rcgen::{CertificateParams, GeneralSubtree, Issuer, KeyPair, NameConstraints};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use sealock_tests::{Emulator, Image, Options, run};
use tempfile::TempDir;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer as _,
};

use crate::ca::Ca;

fn roots(pem: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        // The system has roots that this library does not take.
        let _ = roots.add(certificate.unwrap());
    }
    roots
}

/// A request over TLS, with a client's normal checks: the status, and the certificates that were served.
fn get(
    emulator: &Emulator,
    ca: &str,
    name: &str,
    path: &str,
) -> Result<(u16, Vec<CertificateDer<'static>>), String> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(ca))
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut host = name.to_str().into_owned();
    if host.contains(':') {
        host = format!("[{host}]");
    }
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(emulator.address()).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .map_err(|error| error.to_string())?;
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let served = stream.conn.peer_certificates().unwrap().iter();
    let served = served.map(|certificate| certificate.clone().into_owned());
    Ok((status, served.collect()))
}

fn ca(emulator: &Emulator) -> String {
    let served = emulator.client().get("/_sealock/v1/ca.pem");
    assert_eq!(served.status, 200);
    String::from_utf8(served.body).unwrap()
}

#[test]
fn one_port_speaks_tls_under_every_name_that_is_served_and_no_other() {
    let emulator = Emulator::start();
    let ca = ca(&emulator);
    for (name, path, status) in [
        ("localhost", "/v2/_catalog", 200),
        ("127.0.0.1", "/v2/_catalog", 200),
        ("::1", "/v2/_catalog", 200),
        ("LocalHost", "/_sealock/v1/status", 200),
        ("sealock.azurecr.localhost", "/v2/", 401),
        ("sealock.eastus.geo.azurecr.localhost", "/v2/", 501),
        ("sealock.vault.localhost", "/keys", 401),
        ("management.localhost", "/subscriptions", 501),
        ("login.localhost", "/", 404),
        ("graph.localhost", "/", 501),
    ] {
        let (answered, _) = get(&emulator, &ca, name, path).expect(name);
        assert_eq!(answered, status, "{name}{path}");
    }
    for name in [
        "evil.test",
        "x.localhost",
        "azurecr.localhost",
        "sealock.azurecr.io",
        "login.microsoftonline.com",
        "host.docker.internal",
    ] {
        let error = get(&emulator, &ca, name, "/v2/").expect_err(name);
        assert!(error.contains("alert"), "{name}: {error}");
    }
    let logged = emulator.logged();
    for hint in ["server.aliases", "tls.azure_names = true"] {
        assert!(logged.contains(hint), "{hint} is not in the log");
    }
    // Plain HTTP is where it was.
    assert_eq!(emulator.client().get("/v2/_catalog").status, 200);
}

/// An emulator that serves Azure's own names, too.
fn start_with_azure_names() -> Emulator {
    Emulator::start_with(Options {
        environment: vec![("SEALOCK_TLS__AZURE_NAMES".into(), "true".into())],
        ..Options::default()
    })
}

/// The certificates and the private key in a file of an emulator's own CA.
fn read_authority(emulator: &Emulator, file: &str) -> (Vec<CertificateDer<'static>>, KeyPair) {
    let text = fs::read_to_string(emulator.data_dir().join("tls").join(file)).unwrap();
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
    let (_, key) = text.rsplit_once("-----END CERTIFICATE-----").unwrap();
    assert_eq!(text.matches("PRIVATE KEY-----").count(), 2, "one key");
    (
        certificates.collect::<Result<_, _>>().unwrap(),
        KeyPair::from_pem(key).unwrap(),
    )
}

/// The names and addresses that a CA may sign for.
fn permitted(certificate: &X509Certificate<'_>) -> Vec<String> {
    let constraints = certificate.name_constraints().unwrap().unwrap();
    assert!(constraints.critical);
    assert!(constraints.value.excluded_subtrees.is_none());
    let permitted = constraints.value.permitted_subtrees.as_ref().unwrap();
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(address) => format!("{address:?}"),
        other => panic!("{other:?}"),
    };
    permitted.iter().map(|it| name(&it.base)).collect()
}

#[test]
fn a_root_without_a_key_and_its_intermediate_are_constrained_alike_and_expire_together() {
    let emulator = start_with_azure_names();
    let ipv6 = [&[0; 15][..], &[1], &[255; 16]].concat();
    let local = [
        "localhost".to_owned(),
        "[127, 0, 0, 0, 255, 0, 0, 0]".to_owned(),
        format!("{ipv6:?}"),
    ];
    let azures = [
        "azurecr.io",
        "vault.azure.net",
        "management.azure.com",
        "login.microsoftonline.com",
        "login.windows.net",
        "graph.microsoft.com",
    ];
    let azures = azures.map(str::to_owned);
    for (secret, published, names) in [
        ("authority.pem", "ca.pem", &local[..]),
        ("azure-authority.pem", "azure-ca.pem", &azures),
    ] {
        let (chain, key) = read_authority(&emulator, secret);
        let [intermediate, root] = &chain[..] else {
            panic!("{} certificates in {secret}", chain.len());
        };
        let published = fs::read(emulator.data_dir().join("tls").join(published)).unwrap();
        let published: Vec<_> = CertificateDer::pem_slice_iter(&published).collect();
        assert_eq!(published.len(), 1, "what clients trust is one certificate");
        assert_eq!(published[0].as_ref().unwrap(), root);

        let (_, root) = X509Certificate::from_der(root).unwrap();
        let (_, intermediate) = X509Certificate::from_der(intermediate).unwrap();
        root.verify_signature(None).unwrap();
        intermediate
            .verify_signature(Some(root.public_key()))
            .unwrap();
        assert_ne!(root.subject(), intermediate.subject());
        for (certificate, is_of_key) in [(&root, false), (&intermediate, true)] {
            assert_eq!(permitted(certificate), names);
            let public = &certificate.public_key().subject_public_key.data;
            assert_eq!(**public == *key.public_key_raw(), is_of_key);
            let usage = certificate.key_usage().unwrap().unwrap().value;
            assert!(usage.key_cert_sign() && !usage.digital_signature());
            let usage = certificate.extended_key_usage().unwrap().unwrap().value;
            assert!(usage.server_auth && !usage.any && !usage.email_protection);
        }
        assert_eq!(root.validity(), intermediate.validity());
        let depth = intermediate.basic_constraints().unwrap().unwrap().value;
        assert_eq!(depth.path_len_constraint, Some(0));
    }
}

#[test]
fn a_handshake_brings_the_intermediate_and_not_the_root() {
    let emulator = start_with_azure_names();
    let azure = emulator.client().get("/_sealock/v1/azure-ca.pem");
    let azure = String::from_utf8(azure.body).unwrap();
    for (name, ca, file) in [
        ("localhost", ca(&emulator), "authority.pem"),
        ("login.localhost", ca(&emulator), "authority.pem"),
        ("sealock.azurecr.io", azure, "azure-authority.pem"),
    ] {
        let (_, served) = get(&emulator, &ca, name, "/").expect(name);
        let (chain, _) = read_authority(&emulator, file);
        assert_eq!(served[1..], chain[..1], "{name}");
    }
}

#[test]
fn a_stolen_key_signs_for_this_machine_and_for_nothing_else() {
    let emulator = Emulator::start();
    let (chain, key) = read_authority(&emulator, "authority.pem");
    let intermediate = &chain[..1];
    let issuer = Issuer::from_ca_cert_der(&chain[0], key).unwrap();
    let provider = Arc::new(ring::default_provider());
    let client =
        WebPkiServerVerifier::builder_with_provider(roots(&ca(&emulator)).into(), provider);
    let client = client.build().unwrap();
    for (name, accepted) in [
        ("any.azurecr.localhost", true),
        ("127.1.2.3", true),
        ("example.com", false),
        ("localhost.example.com", false),
        ("sealock.azurecr.io", false),
        ("192.0.2.1", false),
        ("::2", false),
    ] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let forged = params.signed_by(&key, &issuer).unwrap();
        let name = ServerName::try_from(name).unwrap();
        let verdict =
            client.verify_server_cert(forged.der(), intermediate, &name, &[], UnixTime::now());
        assert_eq!(verdict.is_ok(), accepted, "{name:?}: {verdict:?}");
    }
}

#[test]
fn a_ca_without_an_intermediate_is_refused_with_a_way_out() {
    for file in ["authority.pem", "azure-authority.pem"] {
        let mut emulator = start_with_azure_names();
        emulator.stop();
        let path = emulator.data_dir().join("tls").join(file);
        let root = Ca::new();
        fs::write(&path, [root.certificate.as_str(), &root.key].concat()).unwrap();
        let data_dir = emulator.data_dir().display().to_string();
        let start = ["serve", "--listen", "127.0.0.1:0", "--data-dir", &data_dir];
        let azure_names = [("SEALOCK_TLS__AZURE_NAMES", "true")];
        let refused = run(&start, &emulator.data_dir(), &azure_names);
        assert_eq!(refused.code, 1, "{refused:?}");
        for part in [
            "an intermediate certificate and its root",
            "hint: remove",
            file,
        ] {
            assert!(refused.stderr.contains(part), "{part}: {refused:?}");
        }
        fs::remove_file(&path).unwrap();
        emulator.start_again();
        assert_eq!(read_authority(&emulator, file).0.len(), 2);
    }
}

#[test]
fn ones_own_intermediate_is_sent_to_clients_that_trust_its_root() {
    let dir = TempDir::new().unwrap();
    let root = Ca::new();
    let der = CertificateDer::from_pem_slice(root.certificate.as_bytes()).unwrap();
    let issuer = Issuer::from_ca_cert_der(&der, KeyPair::from_pem(&root.key).unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "A company's intermediate CA");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    let intermediate = params.signed_by(&key, &issuer).unwrap().pem();
    let file = dir.path().join("ca.pem");
    let chain = [&*intermediate, &*root.certificate, &key.serialize_pem()].concat();
    fs::write(&file, chain).unwrap();
    let emulator = Emulator::start_with(Options {
        environment: vec![("SEALOCK_TLS__CA".into(), file.display().to_string())],
        ..Options::default()
    });
    let (_, served) = get(&emulator, &root.certificate, "localhost", "/v2/").unwrap();
    assert_eq!(served.len(), 2, "without the root");
    assert_eq!(ca(&emulator), [intermediate, root.certificate].concat());
}

#[test]
fn a_leaf_has_its_names_and_no_subject_and_lives_by_the_systems_clock() {
    let emulator = Emulator::start();
    let ca = ca(&emulator);
    emulator.cli(&["clock", "advance", "36500d"]);
    let (_, one) = get(&emulator, &ca, "localhost", "/v2/").unwrap();
    let (_, other) = get(&emulator, &ca, "sealock.azurecr.localhost", "/v2/").unwrap();
    let (_, one) = X509Certificate::from_der(&one[0]).unwrap();
    let (_, other) = X509Certificate::from_der(&other[0]).unwrap();
    for leaf in [&one, &other] {
        assert!(leaf.subject().iter().next().is_none());
        assert!(leaf.validity().is_valid());
        assert!(!leaf.is_ca());
        let days = leaf.validity().not_after - leaf.validity().not_before;
        assert!(days.unwrap() < time::Duration::days(398));
    }
    // Firefox refuses two certificates of one issuer with one number.
    assert_ne!(one.raw_serial(), other.raw_serial());
    let names = |leaf: &X509Certificate<'_>| match leaf.extensions().iter().find_map(|extension| {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(names.general_names.len()),
            _ => None,
        }
    }) {
        Some(names) => names,
        None => panic!("no names"),
    };
    assert_eq!((names(&one), names(&other)), (3, 1));
}

#[test]
fn azures_own_names_have_a_ca_of_their_own_that_nothing_installs() {
    let emulator = start_with_azure_names();
    let local = ca(&emulator);
    let azure = emulator.client().get("/_sealock/v1/azure-ca.pem");
    let azure = String::from_utf8(azure.body).unwrap();
    for (name, status) in [
        ("sealock.azurecr.io", 401),
        ("sealock.vault.azure.net", 401),
        ("management.azure.com", 501),
        ("login.microsoftonline.com", 404),
        ("graph.microsoft.com", 501),
    ] {
        let answered = get(&emulator, &azure, name, "/v2/").expect(name).0;
        assert_eq!(answered, status, "{name}");
        let error = get(&emulator, &local, name, "/").expect_err(name);
        assert!(error.contains("UnknownIssuer"), "{name}: {error}");
    }
    assert!(get(&emulator, &azure, "localhost", "/v2/").is_err());
    assert!(get(&emulator, &local, "localhost", "/v2/").is_ok());
    let bundle = fs::read_to_string(emulator.data_dir().join("tls/bundle.pem")).unwrap();
    assert!(bundle.contains(&local) && !bundle.contains(&azure));

    let without = Emulator::start();
    let answer = without.client().get("/_sealock/v1/azure-ca.pem");
    assert_eq!(answer.status, 404);
}

#[test]
fn the_files_that_clients_are_given_hold_no_secret_and_survive() {
    let mut emulator = Emulator::start();
    let image = Image::random(&[100]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    let dir = emulator.data_dir().join("tls");
    let before = ca(&emulator);
    assert_eq!(emulator.ca(), Some(dir.join("ca.pem").as_path()));
    let trust = emulator.json(&["trust"]);
    for (what, file) in [("ca", "ca.pem"), ("bundle", "bundle.pem")] {
        let path = dir.join(file);
        assert_eq!(trust[what], path.to_str().unwrap());
        let text = fs::read_to_string(path).unwrap();
        assert!(
            text.ends_with(&before) && !text.contains("PRIVATE"),
            "{file}"
        );
        let served = emulator.client().get(&format!("/_sealock/v1/{file}"));
        assert_eq!(String::from_utf8(served.body).unwrap(), text);
    }
    let secret = dir.join("authority.pem");
    let mode = fs::metadata(&secret).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    emulator.restart();
    assert_eq!(ca(&emulator), before, "clients need not trust another CA");
    assert!(get(&emulator, &before, "localhost", "/v2/").is_ok());
}

#[test]
fn ones_own_ca_signs_for_names_that_ours_may_not() {
    let dir = TempDir::new().unwrap();
    let own = Ca::new();
    let environment = vec![
        ("SEALOCK_TLS__CA".into(), own.write(dir.path())),
        (
            "SEALOCK_SERVER__ALIASES".into(),
            r#"["registry.example", "192.0.2.7"]"#.into(),
        ),
    ];
    let mut emulator = Emulator::start();
    let ours = ca(&emulator);
    emulator.stop();
    emulator.set_environment(environment);
    emulator.start_again();
    assert_eq!(ca(&emulator), own.certificate);
    for name in ["localhost", "127.0.0.1", "registry.example", "192.0.2.7"] {
        let answer = get(&emulator, &own.certificate, name, "/v2/_catalog");
        assert_eq!(answer.expect(name).0, 200, "{name}");
    }
    let key = own.key.lines().nth(1).unwrap().to_owned();
    for (path, content) in emulator.files() {
        let content = String::from_utf8_lossy(&content);
        assert!(!content.contains(&key), "its key is in {}", path.display());
    }

    emulator.stop();
    emulator.set_environment(Vec::new());
    emulator.start_again();
    assert_eq!(ca(&emulator), ours, "ours is there still");
}

#[test]
fn a_certificate_holds_no_name_that_its_ca_may_not_sign_for() {
    let dir = TempDir::new().unwrap();
    let company = Ca::with(|params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("company.example".into())],
            excluded_subtrees: Vec::new(),
        });
    });
    let emulator = Emulator::start_with(Options {
        environment: vec![
            ("SEALOCK_TLS__CA".into(), company.write(dir.path())),
            (
                "SEALOCK_SERVER__ALIASES".into(),
                r#"["192.0.2.7", "sealock.azurecr.company.example"]"#.into(),
            ),
        ],
        arguments: vec!["--public-name".into(), "company.example".into()],
        ..Options::default()
    });
    for name in ["company.example", "192.0.2.7", "127.0.0.1"] {
        let answer = get(&emulator, &company.certificate, name, "/v2/_catalog");
        assert_eq!(answer.expect(name).0, 200, "{name}");
    }
    // It is served all the same, for whoever does not ask.
    let refused = get(&emulator, &company.certificate, "localhost", "/v2/");
    assert!(refused.is_err(), "but it is refused by whoever does");
}

#[test]
fn a_ca_or_a_name_that_cannot_be_is_refused_at_the_start_with_a_way_out() {
    let dir = TempDir::new().unwrap();
    let start = |environment: &[(&str, &str)]| {
        let output = run(
            &["serve", "--ephemeral", "--listen", "127.0.0.1:0"],
            dir.path(),
            environment,
        );
        assert_eq!(output.code, 1, "{output:?}");
        output.stderr
    };
    let file = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (one, other) = (Ca::new(), Ca::new());
    let no_ca = Ca::with(|params| params.is_ca = rcgen::IsCa::NoCa);
    let expired = Ca::with(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let both = |certificate: &Ca, key: &Ca| [&certificate.certificate[..], &key.key].concat();
    let sec1 = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
    for (content, why) in [
        (String::new(), "it contains no certificate"),
        (one.certificate.clone(), "it contains no private key"),
        (one.key.clone(), "it contains no certificate"),
        (
            both(&one, &other),
            "its private key belongs to another certificate",
        ),
        (both(&no_ca, &no_ca), "is not a CA"),
        (both(&expired, &expired), "it expired on 2020-01-01"),
        ([one.certificate.as_str(), sec1].concat(), "not in PKCS #8"),
    ] {
        let path = file("ca.pem", &content);
        let error = start(&[("SEALOCK_TLS__CA", &path)]);
        for part in [path.as_str(), why, "hint:", "tls.ca"] {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
        for line in content.lines().filter(|line| line.len() == 64) {
            assert!(!error.contains(line), "{error}");
        }
    }
    let error = start(&[("SEALOCK_TLS__CA", "missing.pem")]);
    assert!(error.contains("missing.pem"), "{error}");

    let constrained = Ca::with(|params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("company.example".into())],
            excluded_subtrees: Vec::new(),
        });
    });
    let constrained = file("constrained.pem", &both(&constrained, &constrained));
    for environment in [
        &[("SEALOCK_SERVER__ALIASES", r#"["buildhost"]"#)][..],
        &[("SEALOCK_SERVER__PUBLIC_NAME", "buildhost:5000")],
        &[
            ("SEALOCK_TLS__CA", constrained.as_str()),
            (
                "SEALOCK_SERVER__ALIASES",
                r#"["a.company.example", "buildhost"]"#,
            ),
        ],
    ] {
        let error = start(environment);
        for part in ["'buildhost'", "hint:", "buildhost.localhost", "tls.ca"] {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }
}

#[test]
fn a_handshake_that_leads_nowhere_holds_nobody_up() {
    let mut emulator = Emulator::start();
    let ca = ca(&emulator);
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let mut open = Vec::new();
    for said in [&hello[..1], hello, b"\x16\x03\x01\xff\xff garbage", b""] {
        let mut stream = TcpStream::connect(emulator.address()).unwrap();
        stream.write_all(said).unwrap();
        open.push(stream);
    }
    let mut stream = TcpStream::connect(emulator.address()).unwrap();
    stream.write_all(hello).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert!(!answer.starts_with(b"HTTP"));
    assert_eq!(get(&emulator, &ca, "localhost", "/").unwrap().0, 200);
    // With all of them open still.
    emulator.stop();
    assert!(!emulator.logged().contains("did not finish in time"));
    drop(open);
}
