//! Every way to take a registry's key away and to give it back, as one table.

mod page;
mod table;

use std::thread;

use sealock_tests::{Answer, Client, Emulator, Image, Options};
use serde_json::{Value, json};
pub(crate) use table::{IDENTITY_INACTIVE, KEY_FORBIDDEN};
use table::{Row, TABLE, Way};

use crate::resource_manager::{Arm, code};

const TENANT: &str = "5ea10c00-0000-4000-8000-000000000000";
const DEVELOPER: &str = "5ea10c00-0000-4000-8000-000000000001";
const DEVELOPER_OBJECT: &str = "5ea10c00-0000-4000-8000-000000000002";
const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000000";
const ROLE: &str = "e147488a-f6f5-4113-8e2d-b22465e65bf6";

/// One step of a way. Words in capitals stand for what [`Drill::fill`] looks up.
enum Step {
    /// Runs a command of `sealock`.
    Run(&'static str),
    /// Sends a request to the vault: method, path, body.
    Vault(&'static str, &'static str, &'static str),
    /// Sends a request to Resource Manager: method, path, body.
    Manage(&'static str, &'static str, &'static str),
    /// Sends a request that Resource Manager refuses with this code, although it takes effect.
    ManageRefused(&'static str, &'static str, &'static str, &'static str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Propagation {
    Immediate,
    Azure,
}

#[test]
fn each_way_revokes_the_next_request_and_its_undoing_restores() {
    drill_each(Propagation::Immediate);
}

#[test]
fn each_way_revokes_with_azures_delay_and_its_undoing_restores_at_once() {
    drill_each(Propagation::Azure);
}

fn drill_each(propagation: Propagation) {
    thread::scope(|scope| {
        for row in TABLE {
            let thread = thread::Builder::new().name(row.name.to_owned());
            thread
                .spawn_scoped(scope, move || drill(row, propagation))
                .unwrap();
        }
    });
}

fn drill(row: &'static Row, propagation: Propagation) {
    let mut drill = Drill::begin(row, propagation);
    let ways = [
        Some(&row.command_line),
        row.data_plane.as_ref(),
        row.resource_manager.as_ref(),
    ];
    for Way { revoke, restore } in ways.into_iter().flatten() {
        drill.take(revoke);
        drill.revokes();
        drill.take(restore);
        drill.serves("restored");
    }
    if propagation == Propagation::Immediate {
        drill.take(row.command_line.revoke);
        drill.stays_revoked_across_a_restart();
        // No hint can name the identity that takes a deleted one's place.
        if row.cause == "IdentityNotFound" {
            drill.take(row.command_line.restore);
        } else {
            drill.follow_status();
        }
        drill.serves("restored");
    }
    drill.emulator.verify();
}

/// A row of the table, with a registry that has an image and a usable key.
struct Drill {
    row: &'static Row,
    propagation: Propagation,
    emulator: Emulator,
    client: Client,
    image: Image,
    /// The key's backup, as the data plane gives it.
    backup: String,
}

impl Drill {
    fn begin(row: &'static Row, propagation: Propagation) -> Self {
        let environment = match propagation {
            Propagation::Immediate => Vec::new(),
            Propagation::Azure => vec![("SEALOCK_CMK__PROPAGATION".to_owned(), "azure".to_owned())],
        };
        let emulator = Emulator::start_with(Options {
            environment,
            ..Options::default()
        });
        emulator.cli(&["clock", "freeze"]);
        let client = emulator.client();
        let image = Image::random(&[1000]);
        assert_eq!(client.push("app", "v1", &image).status, 201);
        emulator.cli(&words("access grant --app developer --permissions all"));
        let mut drill = Self {
            row,
            propagation,
            emulator,
            client,
            image,
            backup: String::new(),
        };
        let backup = drill.ask_vault("POST", "/keys/registry-key/backup", "");
        drill.backup = text(&backup["value"]);
        drill.take(row.given);
        if propagation == Propagation::Azure {
            // The registry follows a key that the preparation has rotated.
            drill.emulator.cli(&["clock", "advance", "1h"]);
        }
        drill.serves("beforehand");
        drill
    }

    /// Takes the steps, each of which must do what it says.
    fn take(&self, steps: &[Step]) {
        for step in steps {
            match *step {
                Step::Run(command) => drop(self.emulator.cli(&words(&self.fill(command)))),
                Step::Vault(method, path, body) => drop(self.ask_vault(method, path, body)),
                Step::Manage(method, path, body) => {
                    let answer = self.manage(method, path, body);
                    assert!((200..300).contains(&answer.status), "{answer:?}");
                }
                Step::ManageRefused(method, path, body, refusal) => {
                    assert_eq!(code(&self.manage(method, path, body)), refusal);
                }
            }
        }
    }

    /// Sends a request to the vault as the developer, who has all permissions for its keys.
    fn ask_vault(&self, method: &str, path: &str, body: &str) -> Value {
        let form = format!(
            "grant_type=client_credentials&client_id={DEVELOPER}&client_secret=sealock-developer&scope=https://vault.azure.net/.default"
        );
        let login = format!("/{TENANT}/oauth2/v2.0/token");
        let answer = self.client.send("POST", &login, &[], form.as_bytes());
        let authorization = format!("Bearer {}", text(&answer.json()["access_token"]));
        let headers = [("authorization", authorization.as_str())];
        let path = format!("{}?api-version=7.4", self.fill(path));
        let body = self.fill(body);
        let answer = self.client.send(method, &path, &headers, body.as_bytes());
        assert!(
            matches!(answer.status, 200 | 204),
            "{method} {path}: {answer:?}"
        );
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// Sends a request to Resource Manager as the developer, who owns the subscription.
    fn manage(&self, method: &str, path: &str, body: &str) -> Answer {
        let body = serde_json::from_str(&self.fill(body)).unwrap_or_default();
        self.resource_manager(method, &self.fill(path), &body)
    }

    fn resource_manager(&self, method: &str, path: &str, body: &Value) -> Answer {
        let version = match path {
            path if path.contains("Authorization") => "2022-04-01",
            path if path.contains("KeyVault") => "2023-02-01",
            path if path.contains("ManagedIdentity") => "2024-11-30",
            _ => "2023-11-01-preview",
        };
        // A token of an earlier step may have expired, since the clock advances.
        let arm = Arm::developer(&self.emulator);
        arm.send_whole(method, &format!("{path}?api-version={version}"), body)
    }

    /// Replaces the words in capitals.
    fn fill(&self, template: &str) -> String {
        let group = format!("{SUBSCRIPTION}/resourceGroups/sealock/providers");
        let identity = format!("{group}/Microsoft.ManagedIdentity/userAssignedIdentities");
        let mut filled = template
            .replace(
                "DELETED_VAULT",
                &format!("{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/eastus/deletedVaults/sealock"),
            )
            .replace("VAULT", &format!("{group}/Microsoft.KeyVault/vaults/sealock"))
            .replace("REGISTRY", &format!("{group}/Microsoft.ContainerRegistry/registries/sealock"))
            .replace("IDENTITY", &format!("{identity}/registry-identity"))
            .replace(
                "\"ROLE\"",
                &json!(format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}")).to_string(),
            )
            .replace("TENANT", TENANT)
            .replace("CALLER", DEVELOPER_OBJECT)
            .replace("BACKUP", &self.backup);
        for (word, look_up) in [
            ("VERSION", Self::version as fn(&Self) -> String),
            ("OLD", Self::old_version),
            ("PRINCIPAL", Self::principal),
            ("ASSIGNMENT", Self::assignment),
        ] {
            if filled.contains(word) {
                filled = filled.replace(word, &look_up(self));
            }
        }
        filled
    }

    fn version(&self) -> String {
        let key = self.emulator.json(&["key", "show"]);
        text(&key["versions"][0]["version"])
    }

    fn old_version(&self) -> String {
        let key = self.emulator.json(&["key", "show"]);
        text(&key["versions"][1]["version"])
    }

    fn principal(&self) -> String {
        text(&self.emulator.json(&["identity", "show"])["principal_id"])
    }

    /// Returns the id of the assignment of the identity's role, or a new id if it has none.
    fn assignment(&self) -> String {
        let all = self.fill("VAULT/providers/Microsoft.Authorization/roleAssignments");
        let listed = self.resource_manager("GET", &all, &Value::Null).json();
        let mut assignments = listed["value"].as_array().unwrap().iter();
        let of_role = |it: &&Value| text(&it["properties"]["roleDefinitionId"]).ends_with(ROLE);
        assignments.find(of_role).map_or_else(
            || format!("{all}/0b7f8a5e-3f0c-4d3c-9f5a-6a2f0e5f3a11"),
            |found| text(&found["id"]),
        )
    }

    /// Checks that the registry is revoked at once, or when Azure's delay has passed.
    fn revokes(&self) {
        if self.propagation == Propagation::Azure {
            self.serves("revoked a moment ago");
            let [almost, rest] = self.row.lasts;
            self.emulator.cli(&["clock", "advance", almost]);
            self.serves("almost revoked");
            self.emulator.cli(&["clock", "advance", rest]);
        }
        self.refuses();
    }

    /// Checks that the very next request is refused for the row's reason. Returns the error.
    fn refuses(&self) -> Value {
        let name = self.row.name;
        let answer = self.client.get("/v2/app/manifests/v1");
        assert_eq!(answer.status, 403, "{name}: {answer:?}");
        let error = answer.json()["errors"][0].clone();
        assert_eq!(error["code"], "DENIED", "{name}");
        assert_eq!(error["message"], self.row.message, "{name}");
        assert_eq!(error["detail"]["cause"], self.row.cause, "{name}");
        error
    }

    /// Checks that the very next pull and push are served.
    fn serves(&self, when: &str) {
        let name = self.row.name;
        let pulled = self.client.pull("app", "v1", &self.image);
        assert_eq!(pulled.status, 200, "{name}: {when}: {pulled:?}");
        let pushed = self.client.push("app", "v2", &self.image);
        assert_eq!(pushed.status, 201, "{name}: {when}: {pushed:?}");
    }

    fn stays_revoked_across_a_restart(&mut self) {
        let before = self.refuses();
        self.emulator.restart();
        self.client = self.emulator.client();
        assert_eq!(self.refuses()["detail"]["since"], before["detail"]["since"]);
    }

    /// Runs the commands that `sealock status` suggests until it suggests none, as a reader would.
    fn follow_status(&self) {
        for _ in 0..3 {
            let status = self.emulator.cli(&["status"]);
            let mut lines = status.lines().map(str::trim_start);
            let Some(restore) = lines.find_map(|line| line.strip_prefix("restore")) else {
                return;
            };
            for command in restore.split("&&") {
                let command = command.replace("BACKUP", "key.backup");
                let command = command.trim().strip_prefix("sealock ").unwrap();
                self.emulator.cli(&words(command));
            }
        }
    }
}

/// Splits a command as a shell would.
fn words(command: &str) -> Vec<&str> {
    let parts = command.split('"').enumerate();
    let parts = parts.flat_map(|(place, part)| match place % 2 {
        0 => part.split_whitespace().collect(),
        _ => vec![part],
    });
    parts.collect()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}
