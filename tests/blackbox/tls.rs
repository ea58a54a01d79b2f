mod own_ca;

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::unix::fs::PermissionsExt as _,
    sync::Arc,
    time::Duration,
};

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use sealock_tests::{Emulator, Image, Options};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer as _,
};

fn roots(pem: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        // Some system roots are not supported by this library.
        let _ = roots.add(certificate.unwrap());
    }
    roots
}

/// Sends a request over TLS with normal verification, and returns the status and the served certificates.
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
fn port_serves_tls_under_exactly_the_served_names() {
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
        ("management.localhost", "/subscriptions", 401),
        ("login.localhost", "/", 404),
        ("graph.localhost", "/", 401),
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
    // Plain HTTP still works.
    assert_eq!(emulator.client().get("/v2/_catalog").status, 200);
}

/// Starts an emulator that also serves Azure's own names.
fn start_with_azure_names() -> Emulator {
    Emulator::start_with(Options {
        environment: vec![("SEALOCK_TLS__AZURE_NAMES".into(), "true".into())],
        ..Options::default()
    })
}

/// Returns the certificates and the private key in a file of an emulator's own CA.
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

/// Returns the names and addresses that a CA may sign for.
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
fn keyless_root_and_intermediate_have_equal_constraints_and_expiry() {
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
fn handshake_sends_the_intermediate_without_the_root() {
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
fn stolen_ca_key_can_sign_for_this_machine_only() {
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
fn leaf_has_names_without_a_subject_and_follows_the_system_clock() {
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
    // Firefox refuses two certificates of one issuer with the same serial number.
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
fn azure_names_use_a_separate_ca_that_is_never_installed() {
    let emulator = start_with_azure_names();
    let local = ca(&emulator);
    let azure = emulator.client().get("/_sealock/v1/azure-ca.pem");
    let azure = String::from_utf8(azure.body).unwrap();
    for (name, status) in [
        ("sealock.azurecr.io", 401),
        ("sealock.vault.azure.net", 401),
        ("management.azure.com", 401),
        ("login.microsoftonline.com", 404),
        ("graph.microsoft.com", 401),
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
fn trust_files_hold_no_secret_and_survive_a_restart() {
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
fn stalled_handshake_does_not_block_others() {
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
    // While all stalled handshakes are open.
    emulator.stop();
    assert!(!emulator.logged().contains("did not finish in time"));
    drop(open);
}
