use std::thread;

use sealock_tests::{Client, Emulator, Image};
use serde_json::Value;

type Commands = &'static [&'static [&'static str]];

/// A way to revoke a registry, and the way to restore it. `VERSION` stands for the key's current version.
struct KillSwitch {
    name: &'static str,
    /// The preparation, which revokes nothing by itself.
    given: Commands,
    revoke: Commands,
    cause: &'static str,
    restore: Commands,
    /// The requests of the vault's own API that revoke and restore, if it has any.
    data_plane: Option<(Requests, Requests)>,
}

/// Method, path and body. `BACKUP` stands for a backup taken beforehand.
type Requests = &'static [(&'static str, &'static str, &'static str)];

const ROLE: &str = "Key Vault Crypto Service Encryption User";

const KILL_SWITCHES: &[KillSwitch] = &[
    KillSwitch {
        name: "disable version",
        given: &[&["key", "rotate"]],
        revoke: &[&["key", "disable", "--version", "VERSION"]],
        cause: "KeyDisabled",
        restore: &[&["key", "enable", "--version", "VERSION"]],
        data_plane: Some((
            &[(
                "PATCH",
                "/keys/registry-key/VERSION",
                r#"{"attributes":{"enabled":false}}"#,
            )],
            &[(
                "PATCH",
                "/keys/registry-key/VERSION",
                r#"{"attributes":{"enabled":true}}"#,
            )],
        )),
    },
    KillSwitch {
        name: "disable key",
        given: &[],
        revoke: &[&["key", "disable"]],
        cause: "KeyDisabled",
        restore: &[&["key", "enable"]],
        data_plane: Some((
            &[(
                "PATCH",
                "/keys/registry-key/",
                r#"{"attributes":{"enabled":false}}"#,
            )],
            &[(
                "PATCH",
                "/keys/registry-key/",
                r#"{"attributes":{"enabled":true}}"#,
            )],
        )),
    },
    KillSwitch {
        name: "take unwrapKey out of its operations",
        given: &[],
        revoke: &[&["key", "update", "--ops", "encrypt,wrapKey"]],
        cause: "KeyOperationForbidden",
        restore: &[&["key", "update", "--ops", "wrapKey,unwrapKey"]],
        data_plane: Some((
            &[("PATCH", "/keys/registry-key/", r#"{"key_ops":["wrapKey"]}"#)],
            &[(
                "PATCH",
                "/keys/registry-key/",
                r#"{"key_ops":["wrapKey","unwrapKey"]}"#,
            )],
        )),
    },
    KillSwitch {
        name: "delete key",
        given: &[],
        revoke: &[&["key", "delete"]],
        cause: "KeyDeleted",
        restore: &[&["key", "recover"]],
        data_plane: Some((
            &[("DELETE", "/keys/registry-key", "")],
            &[("POST", "/deletedkeys/registry-key/recover", "")],
        )),
    },
    KillSwitch {
        name: "purge key",
        given: &[&["key", "backup", "--file", "key.backup"]],
        revoke: &[&["key", "delete"], &["key", "purge", "--yes"]],
        cause: "KeyNotFound",
        restore: &[&["key", "restore", "--file", "key.backup"]],
        data_plane: Some((
            &[
                ("DELETE", "/keys/registry-key", ""),
                ("DELETE", "/deletedkeys/registry-key", ""),
            ],
            &[("POST", "/keys/restore", r#"{"value":"BACKUP"}"#)],
        )),
    },
    KillSwitch {
        name: "remove access policy",
        // A role has no effect where access policies decide.
        given: &[&["role", "assign", "--role", ROLE, "--vault", "sealock"]],
        revoke: &[&["access", "revoke"]],
        cause: "ForbiddenByPolicy",
        restore: &[&["access", "grant"]],
        data_plane: None,
    },
    KillSwitch {
        name: "remove role assignment",
        given: &[
            &["role", "assign", "--role", ROLE, "--vault", "sealock"],
            &["vault", "update", "--rbac", "true"],
        ],
        revoke: &[&["role", "remove", "--role", ROLE, "--vault", "sealock"]],
        cause: "ForbiddenByRbac",
        restore: &[&["role", "assign", "--role", ROLE, "--vault", "sealock"]],
        data_plane: None,
    },
    KillSwitch {
        name: "have roles decide where there are none",
        given: &[],
        revoke: &[&["vault", "update", "--rbac", "true"]],
        cause: "ForbiddenByRbac",
        restore: &[&["vault", "update", "--rbac", "false"]],
        data_plane: None,
    },
    KillSwitch {
        name: "firewall deny",
        // A registry has no address that a rule could allow.
        given: &[&[
            "vault",
            "network",
            "update",
            "--bypass",
            "none",
            "--add-ip",
            "127.0.0.1",
        ]],
        revoke: &[&["vault", "network", "update", "--default-action", "deny"]],
        cause: "ForbiddenByFirewall",
        restore: &[&["vault", "network", "update", "--default-action", "allow"]],
        data_plane: None,
    },
    KillSwitch {
        name: "bypass none",
        given: &[&["vault", "network", "update", "--default-action", "deny"]],
        revoke: &[&["vault", "network", "update", "--bypass", "none"]],
        cause: "ForbiddenByFirewall",
        restore: &[&["vault", "network", "update", "--bypass", "azure-services"]],
        data_plane: None,
    },
    KillSwitch {
        name: "public access off",
        given: &[&["vault", "network", "update", "--bypass", "none"]],
        revoke: &[&["vault", "network", "update", "--public-access", "disabled"]],
        cause: "ForbiddenByConnection",
        restore: &[&["vault", "network", "update", "--public-access", "enabled"]],
        data_plane: None,
    },
    KillSwitch {
        name: "delete vault",
        given: &[],
        revoke: &[&["vault", "delete"]],
        cause: "VaultDeleted",
        restore: &[&["vault", "recover"]],
        data_plane: None,
    },
];

#[test]
fn kill_switch_revokes_the_next_request_and_undoing_it_restores() {
    thread::scope(|scope| {
        for switch in KILL_SWITCHES {
            scope.spawn(move || {
                let drill = Drill::begin(switch);
                drill.revoked_by(|emulator| run(emulator, switch.revoke));
                drill.restored_by(|emulator| run(emulator, switch.restore));
                drill.revoked_by(|emulator| run(emulator, switch.revoke));
                drill.restored_by(the_command_of_status);
                if let Some((revoke, restore)) = switch.data_plane {
                    let owner = Owner::of(&drill.emulator);
                    drill.revoked_by(|_| owner.send(revoke));
                    drill.restored_by(|_| owner.send(restore));
                }
            });
        }
    });
}

/// A kill switch, with a registry that has an image and a usable key.
struct Drill<'a> {
    switch: &'a KillSwitch,
    emulator: Emulator,
    client: Client,
    image: Image,
}

impl<'a> Drill<'a> {
    fn begin(switch: &'a KillSwitch) -> Self {
        let emulator = Emulator::start();
        let client = emulator.client();
        let image = Image::random(&[1000]);
        assert_eq!(client.push("app", "v1", &image).status, 201);
        run(&emulator, switch.given);
        let drill = Self {
            switch,
            emulator,
            client,
            image,
        };
        drill.serves("beforehand");
        drill
    }

    /// Revokes the registry, and checks that the very next request is refused.
    fn revoked_by(&self, means: impl Fn(&Emulator)) {
        means(&self.emulator);
        let name = self.switch.name;
        let answer = self.client.get("/v2/app/manifests/v1");
        let code = answer.code();
        assert_eq!((answer.status, code.as_str()), (403, "DENIED"), "{name}");
        let detail = &answer.json()["errors"][0]["detail"];
        assert_eq!(detail["cause"], self.switch.cause, "{name}");
    }

    /// Restores the registry, and checks that the very next request is served.
    fn restored_by(&self, means: impl Fn(&Emulator)) {
        means(&self.emulator);
        self.serves("restored");
    }

    fn serves(&self, when: &str) {
        let answer = self.client.pull("app", "v1", &self.image);
        assert_eq!(answer.status, 200, "{}: {when}", self.switch.name);
    }
}

/// An HTTP client with an identity that has all permissions for the vault's keys.
struct Owner {
    client: Client,
    authorization: String,
    version: String,
    backup: String,
}

impl Owner {
    fn of(emulator: &Emulator) -> Self {
        let identity = emulator.json(&["identity", "create", "owner"]);
        emulator.cli(&[
            "access",
            "grant",
            "--identity",
            "owner",
            "--permissions",
            "all",
        ]);
        let client = emulator.client();
        let path = format!(
            "/msi/token?api-version=2019-08-01&resource=https://vault.azure.net&client_id={}",
            identity["client_id"].as_str().unwrap()
        );
        let token = client.send("GET", &path, &[("x-identity-header", "any")], b"");
        let owner = Self {
            authorization: format!("Bearer {}", token.json()["access_token"].as_str().unwrap()),
            version: current(emulator),
            backup: String::new(),
            client,
        };
        let backup = owner.request("POST", "/keys/registry-key/backup", "");
        Self {
            backup: backup["value"].as_str().unwrap().to_owned(),
            ..owner
        }
    }

    fn send(&self, requests: Requests) {
        for (method, path, body) in requests {
            let path = path.replace("VERSION", &self.version);
            self.request(method, &path, &body.replace("BACKUP", &self.backup));
        }
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Value {
        let path = format!("{path}?api-version=7.4");
        let headers = [("authorization", self.authorization.as_str())];
        let answer = self.client.send(method, &path, &headers, body.as_bytes());
        assert!(matches!(answer.status, 200 | 204), "{method} {path}");
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }
}

fn run(emulator: &Emulator, commands: Commands) {
    for command in commands {
        let current = command.contains(&"VERSION").then(|| current(emulator));
        let arguments = command.iter().map(|argument| match &current {
            Some(version) if *argument == "VERSION" => version.as_str(),
            _ => argument,
        });
        emulator.cli(&arguments.collect::<Vec<_>>());
    }
}

fn current(emulator: &Emulator) -> String {
    let key = emulator.json(&["key", "show"]);
    let mut versions = key["versions"].as_array().unwrap().iter();
    let current = versions.find(|version| version["current"] == true).unwrap();
    current["version"].as_str().unwrap().to_owned()
}

/// Runs the command that `sealock status` suggests, as a shell would.
fn the_command_of_status(emulator: &Emulator) {
    let status = emulator.cli(&["status"]);
    let mut lines = status.lines().map(str::trim_start);
    let restore = lines.find_map(|line| line.strip_prefix("restore"));
    let restore = restore.expect("a way back").trim_start();
    let restore = restore.replace("BACKUP", "key.backup");
    let arguments = restore.strip_prefix("sealock ").unwrap().split('"');
    let arguments = arguments
        .enumerate()
        .flat_map(|(place, part)| match place % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        });
    emulator.cli(&arguments.collect::<Vec<_>>());
}

#[test]
fn network_rules_do_not_revoke_with_the_trusted_services_bypass() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    for rules in [
        &["--default-action", "deny"][..],
        &["--public-access", "disabled"],
        &["--default-action", "allow"],
        &["--add-ip", "203.0.113.0/24", "--default-action", "deny"],
    ] {
        let shown = emulator.json(&[&["vault", "network", "update"], rules].concat());
        assert_eq!(shown["network"]["bypass"], "AzureServices", "{rules:?}");
        let pulled = client.pull("app", "v1", &image);
        assert_eq!(pulled.status, 200, "{rules:?}");
        assert_eq!(client.push("app", "v2", &image).status, 201, "{rules:?}");
    }
    let gate = &emulator.json(&["status"])["registries"][0]["gate"];
    assert_eq!(gate["state"], Value::from("available"));
}
