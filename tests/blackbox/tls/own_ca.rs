use std::fs;

use rcgen::{CertificateParams, GeneralSubtree, Issuer, KeyPair, NameConstraints};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sealock_tests::{Emulator, Options, run};
use tempfile::TempDir;

use super::{ca, get, read_authority, start_with_azure_names};
use crate::ca::Ca;

#[test]
fn ca_without_an_intermediate_is_refused_with_a_hint() {
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
fn custom_intermediate_is_sent_to_clients_that_trust_its_root() {
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
fn custom_ca_signs_for_names_that_the_local_ca_may_not() {
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
fn certificate_omits_names_that_its_ca_may_not_sign_for() {
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
    // The name is still served over plain HTTP.
    let refused = get(&emulator, &company.certificate, "localhost", "/v2/");
    assert!(refused.is_err(), "but it is refused by whoever does");
}

#[test]
fn unusable_ca_or_alias_is_refused_with_a_hint() {
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
