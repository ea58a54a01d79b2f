use std::{fs, os::unix::fs::PermissionsExt as _};

use sealock_tests::{Emulator, run};
use tempfile::TempDir;

use crate::trust::impostor;

#[test]
fn hosts_prints_writes_and_removes_the_names() {
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

    // Removal needs no emulator.
    emulator.stop();
    emulator.cli(&["hosts", "--remove", "--file", path]);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let missing = emulator.run(&["hosts", "--remove", "--file", "/no/such/file"]);
    assert!(missing.stderr.contains("/no/such/file"), "{missing:?}");
}

#[test]
fn hosts_refuses_to_write_foreign_names() {
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
                output.stderr.contains("is not a name under localhost"),
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
fn hosts_writes_azure_names_on_request() {
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
