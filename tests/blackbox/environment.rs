//! The variables of `sealock env`, and the programs that `sealock exec` and `sealock az` run with them.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sealock_tests::{Client, Emulator, Options, Output, run};
use serde_json::Value;
use tempfile::TempDir;

use crate::ca::Ca;

const TENANT: &str = "5ea10c00-0000-4000-8000-000000000000";
const DEVELOPER: &str = "5ea10c00-0000-4000-8000-000000000001";

/// Logs in at Entra as `sealock env` tells a client to, and returns the status.
fn log_in(emulator: &Emulator, variables: &Value) -> u16 {
    let text = |name: &str| variables[name].as_str().unwrap().to_owned();
    let form = [
        "grant_type=client_credentials&scope=https://management.azure.com/.default",
        &format!("client_id={}", text("AZURE_CLIENT_ID")),
        &format!("client_secret={}", text("AZURE_CLIENT_SECRET")),
    ]
    .join("&");
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let path = format!("/{}/oauth2/token", text("AZURE_TENANT_ID"));
    let answer = emulator
        .client()
        .send("POST", &path, &kind, form.as_bytes());
    answer.status
}

fn in_memory() -> Options {
    Options {
        ephemeral: true,
        ..Options::default()
    }
}

/// A command line whose user has a directory of its own for the files of clients.
struct User {
    dir: TempDir,
}

impl User {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        Self { dir }
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let cache = self.cache();
        let own = ("XDG_CACHE_HOME", cache.to_str().unwrap());
        run(arguments, self.dir.path(), &[environment, &[own]].concat())
    }

    fn run_on(&self, emulator: &Emulator, arguments: &[&str]) -> Output {
        let url = format!("http://{}", emulator.address());
        self.run(arguments, &[("SEALOCK_EMULATOR", &url)])
    }

    /// Returns the files for clients, with their paths in the directory.
    fn cached(&self) -> Vec<String> {
        let mut cached = Vec::new();
        let mut dirs = vec![self.cache()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    let name = path.strip_prefix(self.cache()).unwrap();
                    cached.push(name.display().to_string());
                }
            }
        }
        cached.sort();
        cached
    }

    /// Installs a program in the user's PATH, which is returned.
    fn install(&self, name: &str, script: &str) -> String {
        let bin = self.dir.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        format!("{}:/usr/bin:/bin", bin.display())
    }
}

#[test]
fn variables_find_the_emulator_and_log_in_as_its_developer() {
    let emulator = Emulator::start();
    let variables = emulator.json(&["env"]);
    let at = |host: &str| {
        let port = emulator.address().rsplit_once(':').unwrap().1;
        format!("{host}localhost:{port}")
    };
    for (name, value) in [
        ("AZURE_AUTHORITY_HOST", format!("https://{}", at("login."))),
        ("AZURE_TENANT_ID", "adfs".to_owned()),
        ("AZURE_CLIENT_ID", DEVELOPER.to_owned()),
        ("AZURE_CLIENT_SECRET", "sealock-developer".to_owned()),
        ("ARM_METADATA_HOSTNAME", at("management.")),
        ("ARM_TENANT_ID", TENANT.to_owned()),
        ("ARM_CLIENT_SECRET", "sealock-developer".to_owned()),
        (
            "ARM_SUBSCRIPTION_ID",
            "00000000-0000-0000-0000-000000000000".to_owned(),
        ),
        ("IDENTITY_HEADER", "any".to_owned()),
        ("SEALOCK_EMULATOR", format!("http://{}", emulator.address())),
        ("SEALOCK_LOGIN_SERVER", at("sealock.azurecr.")),
        (
            "SEALOCK_VAULT_URL",
            format!("https://{}/", at("sealock.vault.")),
        ),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
    let tls = emulator.ca().unwrap().parent().unwrap();
    let bundle = tls.join("bundle.pem").display().to_string();
    for name in ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"] {
        assert_eq!(variables[name], bundle);
    }
    assert_eq!(log_in(&emulator, &variables), 200);
}

#[test]
fn enforced_emulator_shows_its_secrets_to_the_holder_of_the_control_token_alone() {
    let emulator = Emulator::start_with(Options {
        environment: vec![("SEALOCK_SERVER__AUTH".into(), "enforced".into())],
        ..Options::default()
    });
    let read = |name: &str| fs::read_to_string(emulator.data_dir().join(name)).unwrap();
    let secret = read("developer.secret");
    let variables = emulator.json(&["env"]);
    assert_eq!(variables["AZURE_CLIENT_SECRET"], secret);
    assert_eq!(variables["ARM_CLIENT_SECRET"], secret);
    assert_eq!(variables["IDENTITY_HEADER"], read("identity.header"));
    assert_eq!(log_in(&emulator, &variables), 200);
    assert!(!emulator.logged().contains(&secret));

    let refused = User::new().run_on(&emulator, &["env"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("control API"), "{refused:?}");
}

#[test]
fn renewed_or_deleted_developer_is_reported_instead_of_variables() {
    let emulator = Emulator::start();
    emulator.cli(&["app", "renew", "developer"]);
    let renewed = emulator.run(&["env"]);
    assert_eq!((renewed.code, renewed.stdout.as_str()), (1, ""));
    let why = "it has been renewed, and only its hash is stored";
    assert!(renewed.stderr.contains(why), "{renewed:?}");
    emulator.cli(&["app", "delete", "developer"]);
    let deleted = emulator.run(&["env"]);
    assert_eq!((deleted.code, deleted.stdout.as_str()), (1, ""));
    assert!(deleted.stderr.contains("developer"), "{deleted:?}");
}

#[test]
fn hostile_path_survives_every_format_that_can_express_it() {
    let dir = TempDir::new().unwrap();
    let data_dir = dir.path().join("it's \"$HOME\" `id` #\\ ; touch x");
    let emulator = Emulator::start_with(Options {
        data_dir: Some(data_dir.clone()),
        ..Options::default()
    });
    let bundle = data_dir.canonicalize().unwrap().join("tls/bundle.pem");
    let bundle = bundle.to_str().unwrap();
    assert_eq!(emulator.json(&["env"])["SSL_CERT_FILE"], bundle);

    let script = emulator.cli(&["env"]);
    let shell = Command::new("sh")
        .args([
            "-c",
            "eval \"$1\" && printf %s \"$SSL_CERT_FILE\"",
            "sh",
            &script,
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(shell.stdout).unwrap(), bundle);
    assert!(!dir.path().join("x").exists());

    let lines = emulator.cli(&["env", "--format", "docker"]);
    let line = format!("SSL_CERT_FILE={bundle}");
    assert!(lines.lines().any(|it| it == line), "{lines}");
    let script = emulator.cli(&["env", "--format", "powershell"]);
    let line = format!("$env:SSL_CERT_FILE = '{}'", bundle.replace('\'', "''"));
    assert!(script.lines().any(|it| it == line), "{script}");
    let refused = emulator.run(&["env", "--format", "dotenv"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("every parser of .env files"));
}

#[test]
fn all_formats_have_the_same_variables() {
    let emulator = Emulator::start();
    let json = emulator.json(&["env"]);
    let names: Vec<_> = json.as_object().unwrap().keys().collect();
    for (format, before) in [
        ("sh", "export "),
        ("powershell", "$env:"),
        ("dotenv", ""),
        ("docker", ""),
    ] {
        let text = emulator.cli(&["env", "--format", format]);
        let mut found: Vec<_> = text
            .lines()
            .map(|line| line.strip_prefix(before).unwrap())
            .map(|line| line.split_once('=').unwrap().0.trim())
            .collect();
        found.sort_unstable();
        assert_eq!(found, names, "{format}");
    }
}

#[test]
fn github_format_masks_secrets_and_adds_to_the_file_of_the_step() {
    let emulator = Emulator::start();
    let user = User::new();
    let url = format!("http://{}", emulator.address());
    let file = user.dir.path().join("github_env");
    fs::write(&file, "BEFORE=1\n").unwrap();
    let environment = [
        ("SEALOCK_EMULATOR", url.as_str()),
        ("GITHUB_ENV", file.to_str().unwrap()),
    ];
    let output = user.run(&["env", "--format", "github"], &environment);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("::add-mask::sealock-developer\n"));
    assert!(!output.stdout.contains("::add-mask::any\n"), "{output:?}");
    let lines = emulator.cli(&["env", "--format", "docker"]);
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(written, format!("BEFORE=1\n{lines}"));

    let output = user.run(&["env", "--format", "github"], &environment[..1]);
    assert_eq!(output.code, 1);
    assert!(
        output.stderr.contains("GITHUB_ENV is not set"),
        "{output:?}"
    );
}

#[test]
fn emulator_in_memory_gets_its_certificates_written_for_the_user_alone() {
    let emulator = Emulator::start_with(in_memory());
    let user = User::new();
    let output = user.run_on(&emulator, &["env", "--json"]);
    let variables: Value = serde_json::from_str(&output.stdout).expect(&output.stderr);
    let read = |name: &str| fs::read_to_string(variables[name].as_str().unwrap()).unwrap();
    let ca = emulator.client().get("/_sealock/v1/ca.pem").body;
    let ca = String::from_utf8(ca.clone()).unwrap();
    assert_eq!(read("NODE_EXTRA_CA_CERTS"), ca);
    assert!(read("SSL_CERT_FILE").ends_with(&ca));
    let name = emulator.address().replace(':', "_");
    let dir = user.cache().join("sealock").join(name);
    let mode = fs::metadata(&dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    // Its data directory is another user's, or in a container: clients cannot use its files.
    let emulator = Emulator::start();
    let bundle = emulator.ca().unwrap().with_file_name("bundle.pem");
    fs::set_permissions(&bundle, fs::Permissions::from_mode(0o666)).unwrap();
    let output = user.run_on(&emulator, &["env", "--json"]);
    let variables: Value = serde_json::from_str(&output.stdout).expect(&output.stderr);
    let bundle = variables["SSL_CERT_FILE"].as_str().unwrap();
    assert!(Path::new(bundle).starts_with(user.cache()), "{bundle}");
}

#[test]
fn ca_that_may_sign_for_other_names_is_not_taken_from_the_network() {
    let dir = TempDir::new().unwrap();
    let ca = Ca::new().write(dir.path());
    let emulator = Emulator::start_with(Options {
        environment: vec![("SEALOCK_TLS__CA".into(), ca)],
        ..in_memory()
    });
    let user = User::new();
    let output = user.run_on(&emulator, &["env"]);
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    let why = "is not a CA for localhost only";
    assert!(output.stderr.contains(why), "{output:?}");
    assert_eq!(user.cached(), [""; 0]);
}

/// Runs a script in `sealock exec`, with the binary as `$1`.
fn execute(user: &User, script: &str) -> Output {
    let binary = Emulator::binary();
    let binary = binary.to_str().unwrap();
    user.run(&["exec", "--", "sh", "-c", script, "sh", binary], &[])
}

#[test]
fn executed_command_has_an_emulator_until_its_end() {
    let user = User::new();
    let output = execute(
        &user,
        "\"$1\" status >&2 && cat \"$SSL_CERT_FILE\" >&2 && ls \"$NODE_EXTRA_CA_CERTS\" >&2 && echo \"$SEALOCK_EMULATOR\"",
    );
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stderr.contains("available"), "{output:?}");
    let url = output.stdout.trim();
    let address = url.replace("http://localhost", "127.0.0.1");
    assert!(TcpStream::connect(&address).is_err(), "{address}");
    assert_eq!(user.cached(), [""; 0]);
}

#[test]
fn exit_code_is_that_of_the_executed_command() {
    let user = User::new();
    for (script, code) in [
        ("exit 0", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        ("kill -KILL $$", 137),
        ("no-such-program", 127),
    ] {
        let output = execute(&user, script);
        assert_eq!(output.code, code, "{script}: {output:?}");
    }
    let missing = user.run(&["exec", "--", "/no/such/program"], &[]);
    assert_eq!(missing.code, 127, "{missing:?}");
    assert!(missing.stderr.contains("cannot run /no/such/program"));
    let directory = user.run(&["exec", "--", "/tmp"], &[]);
    assert_eq!(directory.code, 126, "{directory:?}");
    assert_eq!(user.cached(), [""; 0]);
}

#[test]
fn signal_is_passed_on_to_the_executed_command() {
    for (signal, code) in [("TERM", 7), ("INT", 8), ("HUP", 9)] {
        let user = User::new();
        let script = "tail -f /dev/null & \
             trap 'kill $!; exit 7' TERM; trap 'kill $!; exit 8' INT; trap 'kill $!; exit 9' HUP; \
             echo \"$SEALOCK_EMULATOR\"; wait";
        let mut exec = Command::new(Emulator::binary())
            .args(["exec", "--", "sh", "-c", script])
            .env("XDG_CACHE_HOME", user.cache())
            .current_dir(user.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let mut stdout = BufReader::new(exec.stdout.take().unwrap());
        stdout.read_line(&mut url).unwrap();
        let health = Client::new(url.trim()).get("/_sealock/v1/health");
        assert_eq!(health.status, 200);
        let pid = exec.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
        assert_eq!(exec.wait().unwrap().code(), Some(code), "{signal}");
    }
}

#[test]
fn executed_commands_output_is_all_that_a_good_run_prints() {
    let user = User::new();
    let output = user.run(&["exec", "--", "echo", "hello"], &[]);
    assert_eq!((output.code, output.stdout.as_str()), (0, "hello\n"));
    let others = output.stderr.lines();
    // A system may lack the names, which is worth a warning.
    let others = others.filter(|it| !it.starts_with("warning: this system does not resolve "));
    let others: Vec<_> = others.filter(|it| !it.starts_with("hint: ")).collect();
    assert_eq!(others, [""; 0]);
}

/// A stand-in for az that writes down its arguments, its input for a login, and its settings.
const FAKE_AZ: &str = r#"
{
    echo "$*"
    echo "dir $AZURE_CONFIG_DIR bundle $REQUESTS_CA_BUNDLE discovery $AZURE_CORE_INSTANCE_DISCOVERY"
} >>"$CALLS"
case $1 in
login) [ "$FAILS" ] && echo "ERROR: refused" >&2 && exit 1; echo "input $(cat)" >>"$CALLS"
    echo '{"subscriptions": [{}]}' >"$AZURE_CONFIG_DIR/azureProfile.json" ;;
logout) echo '{"subscriptions": []}' >"$AZURE_CONFIG_DIR/azureProfile.json" ;;
fail) exit 5 ;;
esac
echo done
"#;

#[test]
fn az_logs_in_once_for_each_emulator_and_passes_its_exit_code_on() {
    let user = User::new();
    let path = user.install("az", FAKE_AZ);
    let calls_file = user.dir.path().join("calls");
    let run_az = |emulator: &Emulator, fails: &str, arguments: &[&str]| {
        let url = format!("http://{}", emulator.address());
        let environment = [
            ("SEALOCK_EMULATOR", url.as_str()),
            ("PATH", &path),
            ("CALLS", calls_file.to_str().unwrap()),
            ("FAILS", fails),
        ];
        let _ = fs::remove_file(&calls_file);
        let output = user.run(&[&["az", "--"], arguments].concat(), &environment);
        let calls = fs::read_to_string(&calls_file).unwrap_or_default();
        (output, calls)
    };

    let mut emulator = Emulator::start_with(in_memory());
    let (refused, _) = run_az(&emulator, "1", &["account", "show"]);
    assert_eq!(refused.code, 1);
    let why = "az login --service-principal failed: ERROR: refused";
    assert!(refused.stderr.contains(why), "{refused:?}");

    let (output, calls) = run_az(&emulator, "", &["account", "show", "--output", "json"]);
    assert_eq!((output.code, output.stdout.as_str()), (0, "done\n"));
    let port = emulator.address().rsplit_once(':').unwrap().1.to_owned();
    let commands: Vec<_> = calls.lines().filter(|it| !it.starts_with("dir ")).collect();
    let hidden = "--only-show-errors --output none";
    assert_eq!(
        commands,
        [
            &format!(
                "cloud register --name sealock --endpoint-resource-manager https://management.localhost:{port}/ {hidden}"
            ),
            &format!("cloud set --name sealock {hidden}"),
            &format!(
                "login --service-principal --username {DEVELOPER} --password @- --tenant {TENANT} {hidden}"
            ),
            "input sealock-developer",
            "account show --output json",
        ]
    );
    let settings: Vec<_> = calls.lines().filter(|it| it.starts_with("dir ")).collect();
    let dir = user.cache().join(format!("sealock/127.0.0.1_{port}"));
    let expected = format!(
        "dir {0}/az bundle {0}/bundle.pem discovery false",
        dir.display()
    );
    assert!(settings.iter().all(|it| **it == expected), "{settings:?}");
    let mode = fs::metadata(dir.join("az")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    let (output, calls) = run_az(&emulator, "", &["fail", "--yes"]);
    assert_eq!(output.code, 5);
    assert!(calls.starts_with("fail --yes\n"), "{calls}");

    // After a step of the clock, the tokens are too old; after a logout, there are none.
    emulator.cli(&["clock", "advance", "4h"]);
    let (_, calls) = run_az(&emulator, "", &["logout"]);
    assert!(calls.starts_with("cloud register "), "{calls}");
    let (_, calls) = run_az(&emulator, "", &["account", "show"]);
    assert!(calls.starts_with("cloud register "), "{calls}");

    // Another CA: it is another emulator, to which the old tokens mean nothing.
    let address = emulator.address().to_owned();
    emulator.stop();
    let emulator = Emulator::start_with(Options {
        listen: Some(address),
        ..in_memory()
    });
    let (_, calls) = run_az(&emulator, "", &["account", "show"]);
    assert!(calls.starts_with("cloud register "), "{calls}");
}

#[test]
fn missing_az_is_reported_with_the_way_to_install_it() {
    let emulator = Emulator::start();
    let user = User::new();
    let url = format!("http://{}", emulator.address());
    let empty = user.dir.path().to_str().unwrap();
    let environment = [("SEALOCK_EMULATOR", url.as_str()), ("PATH", empty)];
    let output = user.run(&["az", "--", "account", "show"], &environment);
    assert_eq!(output.code, 1);
    assert!(
        output.stderr.contains("pip install azure-cli"),
        "{output:?}"
    );
}
