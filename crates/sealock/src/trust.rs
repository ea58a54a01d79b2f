use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::Args;
use fs_err as fs;
use sealock_emulator::LOCAL_CA_NAME;
use serde::Deserialize;
use x509_parser::{
    extensions::{GeneralName, GeneralSubtree},
    pem::Pem,
};

use crate::{
    client::Client,
    error::Error,
    output::{Output, TITLE},
};

/// What the CA is called in the stores that name it by a file.
const FILE_STEM: &str = "sealock-localhost-ca";

/// Say how clients come to trust the emulator's certificates, or have this system trust them
///
/// The emulator's own CA can sign for localhost, for what is below it, and for the loopback addresses,
/// and for nothing else: whoever trusts it trusts it for no other name.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock trust
  sudo sealock trust --install
  sudo sealock trust --remove")]
pub(crate) struct Trust {
    /// Put the CA into the system's store
    #[arg(long, conflicts_with = "remove")]
    install: bool,
    /// Take the CA out of the system's store; no emulator needs to run
    #[arg(long)]
    remove: bool,
}

/// Where the control API says that the CA lies.
#[derive(Debug, Deserialize)]
struct Files {
    /// `None` if everything is in memory.
    ca: Option<PathBuf>,
    bundle: Option<PathBuf>,
}

impl Trust {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        if self.remove {
            let store = SystemStore::find()?;
            store.remove().map_err(|error| Error::system(&error))?;
            return output.done("the system no longer trusts the CA");
        }
        if self.install {
            let pem = client.get("ca.pem")?;
            if !is_for_this_machine_only(pem.body()) {
                return Err(Error::Failed {
                    message: "this CA could sign for more than localhost, so it is not installed"
                        .to_owned(),
                    hint: Some(
                        "is it your own, from tls.ca? then install it yourself, as you know it"
                            .to_owned(),
                    ),
                });
            }
            let store = SystemStore::find()?;
            store
                .install(pem.body())
                .map_err(|error| Error::system(&error))?;
            return output.done("the system trusts the CA; programs that run need to be restarted");
        }
        let answer = client.get("trust")?;
        output.show(&answer, |files: &Files| files.render(client))
    }
}

/// Whether it is one CA whose constraints permit nothing but localhost and the loopback addresses. It
/// came without proof of who sent it, and is about to be trusted by everything here.
fn is_for_this_machine_only(pem: &str) -> bool {
    let mut certificates = Pem::iter_from_buffer(pem.as_bytes());
    let (Some(Ok(pem)), None) = (certificates.next(), certificates.next()) else {
        return false;
    };
    let Ok(certificate) = pem.parse_x509() else {
        return false;
    };
    let Ok(Some(constraints)) = certificate.name_constraints() else {
        return false;
    };
    let is_local = |subtree: &GeneralSubtree<'_>| match &subtree.base {
        GeneralName::DNSName(name) => *name == "localhost" || name.ends_with(".localhost"),
        GeneralName::IPAddress(address) => LOOPBACK.contains(address),
        _ => false,
    };
    let permitted = constraints.value.permitted_subtrees.as_deref();
    let permitted = permitted.unwrap_or_default();
    let has = |is_kind: fn(&GeneralName<'_>) -> bool| permitted.iter().any(|it| is_kind(&it.base));
    constraints.critical
        && certificate.is_ca()
        && permitted.iter().all(is_local)
        // What no constraint speaks of is permitted.
        && has(|name| matches!(name, GeneralName::DNSName(_)))
        && has(|name| matches!(name, GeneralName::IPAddress(_)))
}

/// `127.0.0.0/8` and `::1/128`, as certificates write them.
const LOOPBACK: [&[u8]; 2] = [
    &[127, 0, 0, 0, 255, 0, 0, 0],
    &[
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255,
    ],
];

impl Files {
    fn render(&self, client: &Client) -> String {
        let emulator = client.emulator();
        let at = emulator
            .split_once("://")
            .map_or(emulator, |(_, authority)| authority);
        let shown = |path: &Option<PathBuf>, otherwise: &str| match path {
            Some(path) => path.display().to_string(),
            None => otherwise.to_owned(),
        };
        let ca = shown(&self.ca, "sealock-ca.pem");
        let bundle = shown(&self.bundle, "sealock-bundle.pem");
        let fetch = match (&self.ca, &self.bundle) {
            (Some(_), Some(_)) => String::new(),
            _ => section(
                "First, since this emulator keeps everything in memory",
                &[
                    format!("curl -o {ca} {emulator}/_sealock/v1/ca.pem"),
                    format!("curl -o {bundle} {emulator}/_sealock/v1/bundle.pem"),
                ],
            ),
        };
        let sections = [
            section(
                "Docker (it trusts any certificate of what leads to this machine; elsewhere it wants this)",
                &[format!(
                    "sudo install -D -m 644 {ca} /etc/docker/certs.d/{at}/ca.crt"
                )],
            ),
            section(
                "podman, buildah, skopeo",
                &[format!(
                    "install -D -m 644 {ca} ~/.config/containers/certs.d/{at}/ca.crt"
                )],
            ),
            section("curl", &[format!("curl --cacert {ca} https://{at}/v2/")]),
            section(
                "Python, az",
                &[format!(
                    "export REQUESTS_CA_BUNDLE={bundle} SSL_CERT_FILE={bundle}"
                )],
            ),
            section("Node.js", &[format!("export NODE_EXTRA_CA_CERTS={ca}")]),
            section(
                "Java (JAVA_HOME is the JDK's directory, which some systems leave unset)",
                &[
                    "cp \"$JAVA_HOME/lib/security/cacerts\" sealock-cacerts".to_owned(),
                    "chmod u+w sealock-cacerts".to_owned(),
                    format!(
                        "keytool -importcert -noprompt -alias sealock -file {ca} -keystore sealock-cacerts -storepass changeit"
                    ),
                    "export JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=$PWD/sealock-cacerts"
                        .to_owned(),
                ],
            ),
            section(
                "Go (on macOS only the system's store counts)",
                &[format!("export SSL_CERT_FILE={bundle}")],
            ),
            section(
                "This system's store, for all that use it",
                &[format!(
                    "sudo {}",
                    client.commands("sealock trust --install")
                )],
            ),
        ];
        [fetch, sections.join("\n\n")].concat()
    }
}

fn section(title: &str, commands: &[String]) -> String {
    let commands: Vec<_> = commands.iter().map(|line| format!("  {line}")).collect();
    format!("{TITLE}{title}{TITLE:#}\n{}", commands.join("\n"))
}

/// What this system keeps trusted CAs in.
enum SystemStore {
    /// A directory of CAs, the command that makes the store of them, and the one that makes it once
    /// something has gone.
    Anchors {
        file: PathBuf,
        refresh: &'static [&'static str],
        renew: &'static [&'static str],
    },
    /// macOS's.
    Keychain,
}

const KEYCHAIN: &str = "/Library/Keychains/System.keychain";

impl SystemStore {
    fn find() -> Result<Self, Error> {
        let anchors = |dir: &str, extension: &str, refresh, renew| Self::Anchors {
            file: Path::new(dir).join(format!("{FILE_STEM}.{extension}")),
            refresh,
            renew,
        };
        let extract = &["update-ca-trust", "extract"];
        if cfg!(target_os = "macos") {
            Ok(Self::Keychain)
        } else if Path::new("/usr/local/share/ca-certificates").is_dir() {
            // Debian, Alpine
            let dir = "/usr/local/share/ca-certificates";
            let update = &["update-ca-certificates"];
            // Without this, Debian's keeps links to what has gone.
            let renew = &["update-ca-certificates", "--fresh"];
            Ok(anchors(dir, "crt", update, renew))
        } else if Path::new("/etc/pki/ca-trust/source/anchors").is_dir() {
            // Fedora, RHEL
            let dir = "/etc/pki/ca-trust/source/anchors";
            Ok(anchors(dir, "pem", extract, extract))
        } else if Path::new("/etc/ca-certificates/trust-source/anchors").is_dir() {
            // Arch
            let dir = "/etc/ca-certificates/trust-source/anchors";
            Ok(anchors(dir, "crt", extract, extract))
        } else {
            Err(Error::Failed {
                message: "this system's store of trusted CAs was not found".to_owned(),
                hint: Some("see what each client can do by itself: sealock trust".to_owned()),
            })
        }
    }

    fn install(&self, pem: &str) -> io::Result<()> {
        match self {
            Self::Anchors { file, refresh, .. } => {
                // Another emulator's CA, perhaps, under the same name.
                self.remove()?;
                fs::write(file, pem)?;
                run(refresh)
            }
            Self::Keychain => {
                let file = std::env::temp_dir().join(format!("{FILE_STEM}.pem"));
                fs::write(&file, pem)?;
                let file = file.display().to_string();
                let add = ["security", "add-trusted-cert", "-d", "-r", "trustRoot"];
                run(&[add.as_slice(), &["-k", KEYCHAIN, &file]].concat())
            }
        }
    }

    fn remove(&self) -> io::Result<()> {
        match self {
            Self::Anchors { file, renew, .. } => {
                match fs::remove_file(file) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    // Gone by hand perhaps, with the store still made of it.
                    _ => run(renew)?,
                }
                tell_hooks();
                Ok(())
            }
            Self::Keychain => run(&[
                "security",
                "delete-certificate",
                "-c",
                LOCAL_CA_NAME,
                KEYCHAIN,
            ]),
        }
    }
}

/// Where Debian's packages hook in that keep a copy of the store, such as Java's.
const HOOKS: &str = "/etc/ca-certificates/update.d";

/// Tells those hooks what has gone, in their own words: `update-ca-certificates` tells them of a CA only
/// if it has a line in its configuration.
fn tell_hooks() {
    for hook in fs::read_dir(HOOKS).into_iter().flatten().flatten() {
        let told = Command::new(hook.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .and_then(|mut hook| {
                if let Some(mut stdin) = hook.stdin.take() {
                    // One that does not read is not interested.
                    let _ = writeln!(stdin, "-/etc/ssl/certs/{FILE_STEM}.pem");
                }
                hook.wait()
            });
        // What cannot be run is no hook, as for Debian.
        let _ = told;
    }
}

fn run(command: &[&str]) -> io::Result<()> {
    let output = Command::new(command[0]).args(&command[1..]).output();
    let output =
        output.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", command[0])))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let command = command.join(" ");
    Err(io::Error::other(format!(
        "{command} failed: {}",
        said.trim()
    )))
}
