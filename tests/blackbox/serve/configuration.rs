use std::{fs, path::Path};

use sealock_tests::{Emulator, Options};
use serde_json::Value;
use tempfile::TempDir;

use super::{ANY_PORT, Serve, refused};
use crate::cli::assert_contains;

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn configuration_error_is_reported_with_file_line_and_expectation() {
    let registry = "[[registries]]\nname = \"abcde\"\nsku = \"Premium\"\n";
    for (config, line, parts) in [
        (
            "[server]\nlissten = []\n",
            2,
            &["unknown field `lissten`", "expected", "listen"][..],
        ),
        (
            "\n[sever]\n",
            2,
            &["unknown field `sever`", "expected", "server"],
        ),
        (
            "[server]\nlisten = 5000\n",
            2,
            &["an address such as \"127.0.0.1:5000\""],
        ),
        (
            "[server]\nlisten = [\"localhost\"]\n",
            2,
            &[
                "'localhost' is not an address to listen on",
                "expected an address and a port",
            ],
        ),
        (
            "[server]\nwrite_timeout = \"500ms\"\n",
            2,
            &["the write timeout 500ms is not between 1s and 24h"],
        ),
        (
            "[server]\nwrite_timeout = \"1000000000h\"\n",
            2,
            &["the write timeout", "is not between 1s and 24h"],
        ),
        (
            "[server]\nwrite_timeout = 60\n",
            2,
            &["invalid type: integer `60`", "expected"],
        ),
        (
            "[cmk]\n\npropagation = \"never\"\n",
            3,
            &["unknown variant `never`", "expected", "immediate"],
        ),
        (
            "[log]\nformat = \"xml\"\n",
            2,
            &["unknown variant `xml`", "text", "json"],
        ),
        (
            "[audit]\nmax_file_bytes = 1000\n",
            2,
            &["a file of 1000 bytes is too short", "the minimum is 65536"],
        ),
        (
            "[audit]\nmax_files = 1\n",
            2,
            &["cannot have 1 files", "from 2 to 100"],
        ),
        (
            "[registry]\ndefault = \"My-Registry\"\n",
            2,
            &["'My-Registry' is not a registry name", "expected 5 to 50"],
        ),
        (
            "[[vaults]]\nname = \"kv\"\n",
            2,
            &["'kv' is not a vault name", "expected 3 to 24"],
        ),
        (
            "[[vaults]]\npurge_protection = true\n",
            1,
            &["missing field `name`"],
        ),
        (
            "[[vaults]]\nname = \"abc\"\n[[vaults.keys]]\nname = \"a_b\"\n",
            4,
            &["'a_b' is not a key name", "expected"],
        ),
        (
            "[[identities]]\nname = \"-a-\"\n",
            2,
            &["'-a-' is not a managed identity name", "expected"],
        ),
        (
            "[[registries]]\nname = \"abcde\"\nsku = \"Gold\"\n",
            3,
            &["unknown variant `Gold`", "Premium"],
        ),
        (
            &format!("{registry}key = \"k\"\n"),
            4,
            &["'k' is not a key identifier", "expected VAULT/KEY"],
        ),
        (
            &format!("{registry}idenity = \"abc\"\n"),
            4,
            &["unknown field `idenity`", "identity"],
        ),
        ("[server\n", 1, &["expected"]),
        (
            "[server]\ndata_dir = \"a\"\ndata_dir = \"b\"\n",
            3,
            &["duplicate key"],
        ),
    ] {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("typo.toml"), config).unwrap();
        let mut serve = Serve::start(
            dir,
            &[&ANY_PORT[..], &["--config", "typo.toml"]].concat(),
            &[],
        );
        let output = serve.end();
        assert_eq!(output.code, 1, "{config}: {output:?}");
        assert_contains(
            &output.stderr,
            &["error:", "typo.toml", &format!("line {line}")],
            config,
        );
        assert_contains(&output.stderr, parts, config);
        assert!(
            !serve.path(".sealock").exists(),
            "{config}: nothing is written"
        );
    }
    let error = refused(&["--config", "missing.toml"], &[]);
    assert_contains(
        &error,
        &["error:", "missing.toml", "No such file"],
        "a missing file",
    );
}

#[test]
fn error_in_a_variable_is_reported_with_its_name() {
    for (name, value, parts) in [
        (
            "SEALOCK_CMK__PROPAGATION",
            "never",
            &[
                "SEALOCK_CMK__PROPAGATION",
                "unknown variant `never`",
                "immediate",
            ][..],
        ),
        (
            "SEALOCK_SERVER__LISSTEN",
            "x",
            &[
                "SEALOCK_SERVER__LISSTEN",
                "unknown field `lissten`",
                "listen",
            ],
        ),
        (
            "SEALOCK_SERVER__LISTEN",
            "5000",
            &["SEALOCK_SERVER__LISTEN", "an address such as"],
        ),
        ("SEALOCK_SERVER__LISTEN", "[]", &["server.listen is empty"]),
        (
            "SEALOCK_SERVER__LISTEN",
            "[\"0.0.0.0:0\"]",
            &["0.0.0.0:0 is not a loopback address"],
        ),
        (
            "SEALOCK_REGISTRY__DEFAULT",
            "A",
            &["SEALOCK_REGISTRY__DEFAULT", "'A' is not a registry name"],
        ),
        (
            "SEALOCK_NOPE__X",
            "1",
            &["SEALOCK_NOPE__X", "unknown field `nope`"],
        ),
        (
            "SEALOCK_VAULTS__NAME",
            "abc",
            &["SEALOCK_VAULTS__NAME", "a variable cannot set this section"],
        ),
    ] {
        let mut serve = Serve::start(TempDir::new().unwrap(), &["--ephemeral"], &[(name, value)]);
        let output = serve.end();
        assert_eq!(output.code, 1, "{name}={value}: {output:?}");
        assert_contains(&output.stderr, parts, &format!("{name}={value}"));
    }
}

#[test]
fn flag_overrides_variable_and_variable_overrides_file() {
    let directories = ["from-file", "from-variable", "from-flag"];
    for used in directories {
        let dir = TempDir::new().unwrap();
        fs::write(
            dir.path().join("config.toml"),
            "[server]\ndata_dir = \"from-file\"\n[log]\nformat = \"text\"\n",
        )
        .unwrap();
        let mut arguments = [
            &ANY_PORT[..],
            &["--ready-file", "ready", "--config", "config.toml"],
        ]
        .concat();
        let mut environment = Vec::new();
        if used != "from-file" {
            environment.push(("SEALOCK_SERVER__DATA_DIR", "from-variable"));
            environment.push(("SEALOCK_LOG__FORMAT", "json"));
        }
        if used == "from-flag" {
            arguments.extend(["--data-dir", "from-flag", "--log-format", "text"]);
        }
        let mut serve = Serve::start(dir, &arguments, &environment);
        serve.ready();
        for directory in directories {
            assert_eq!(
                serve.path(directory).exists(),
                directory == used,
                "{directory} with {used}"
            );
        }
        let log = serve.terminate().stderr;
        let line = log
            .lines()
            .find(|line| line.contains("stopping"))
            .expect("a log line");
        assert_eq!(
            serde_json::from_str::<Value>(line).is_ok(),
            used == "from-variable",
            "{line}"
        );
    }
}

#[test]
fn invalid_listen_flag_is_refused_with_the_expected_form() {
    for text in ["5001", "localhost:5001", "127.0.0.1:99999"] {
        let output = Serve::start(TempDir::new().unwrap(), &["--listen", text], &[]).end();
        assert_eq!(output.code, 2, "{text}");
        let expected = format!(
            "'{text}' for '--listen <ADDR>': expected an address and a port, such as 127.0.0.1:5000"
        );
        assert_contains(&output.stderr, &[&expected], text);
    }
}

#[test]
fn each_ready_made_configuration_starts() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../emulator-config");
    let mut started = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let listen = if name == "container.toml" {
            "0.0.0.0:0"
        } else {
            "127.0.0.1:0"
        };
        let emulator = Emulator::start_with(Options {
            listen: Some(listen.to_owned()),
            arguments: vec!["--config".into(), file.to_str().unwrap().into()],
            ..Options::default()
        });
        let expected = if name == "azure-like.toml" { 401 } else { 200 };
        let catalog = emulator.client().get("/v2/_catalog").status;
        assert_eq!(catalog, expected, "{name}");
        assert_eq!(emulator.json(&["health"])["status"], "ok");
        let registries = emulator.json(&["status"]);
        assert_eq!(
            registries["registries"][0]["gate"]["state"], "available",
            "{name}"
        );
        started.push(name);
    }
    started.sort();
    assert_eq!(
        started,
        [
            "azure-like.toml",
            "ci.toml",
            "container.toml",
            "quickstart.toml"
        ]
    );
}
