pub(crate) mod root;

use std::{
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::Args;
use fs_err as fs;
use sealock_api::{BASE, ShowCa, ShowTrustFiles, TrustFiles};
use sealock_emulator::LOCAL_CA_NAME;
use serde::Serialize;

use self::root::Root;
use crate::{
    client::Client,
    error::Error,
    output::{Output, TITLE, quoted},
};

/// The CA's file name in stores that keep files.
const FILE_STEM: &str = "sealock-localhost-ca";

/// Show how to make clients trust the emulator's CA, or install it on this system
///
/// The emulator's own CA can sign for localhost, its subdomains and the loopback addresses only, so trusting it affects
/// no other name. `--install` takes the CA from the emulator's data directory, or the one with the fingerprint that you
/// pass, and never one that merely answers at the emulator's address.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock trust
  sudo sealock trust --install --data-dir .sealock
  sudo sealock trust --remove")]
pub(crate) struct Trust {
    /// Install the CA in the system's store
    #[arg(long, conflicts_with = "remove")]
    install: bool,
    /// Data directory with the CA; the emulator need not be running
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".sealock",
        requires = "install",
        conflicts_with = "fingerprint"
    )]
    data_dir: PathBuf,
    /// Take the CA from the running emulator instead, if it has this fingerprint, which the emulator prints at its start
    /// and writes to the ready file
    #[arg(long, value_name = "SHA256", requires = "install")]
    fingerprint: Option<String>,
    /// Remove the CA from the system's store; the emulator need not be running
    #[arg(long)]
    remove: bool,
}

/// The CA that is about to be installed.
#[derive(Serialize)]
struct Installed {
    sha256: String,
}

impl Trust {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        if self.remove {
            let store = SystemStore::find()?;
            store.remove().map_err(|error| Error::system(&error))?;
            return output.done("the system no longer trusts the CA");
        }
        if self.install {
            let root = match &self.fingerprint {
                Some(wanted) => {
                    let answer = client.ask(&ShowCa {})?;
                    Root::accept(answer.body(), wanted, client.emulator())?
                }
                None => Root::read(&self.data_dir)?,
            };
            let store = SystemStore::find()?;
            let installed = Installed {
                sha256: root.fingerprint(),
            };
            output.report(&installed, |it| {
                vec![format!("the CA's SHA-256 fingerprint is {}", it.sha256)]
            })?;
            store
                .install(&root.pem())
                .map_err(|error| Error::system(&error))?;
            return output.done("the system now trusts the CA; restart programs that are running");
        }
        let answer = client.ask(&ShowTrustFiles {})?;
        output.show(&answer, |files| render(files, client))
    }
}

fn render(files: &TrustFiles, client: &Client) -> String {
    let emulator = client.emulator();
    let at = emulator
        .split_once("://")
        .map_or(emulator, |(_, authority)| authority);
    let shown = |path: &Option<PathBuf>, otherwise: &str| match path {
        Some(path) => quoted(path),
        None => otherwise.to_owned(),
    };
    let ca = shown(&files.ca, "sealock-ca.pem");
    let bundle = shown(&files.bundle, "sealock-bundle.pem");
    let fetch = match (&files.ca, &files.bundle) {
        (Some(_), Some(_)) => None,
        _ => Some(section(
            "First, since this emulator keeps everything in memory",
            &[
                format!("curl -o {ca} {emulator}{BASE}/ca.pem"),
                format!("curl -o {bundle} {emulator}{BASE}/bundle.pem"),
            ],
        )),
    };
    let data_dir = files.ca.as_deref().and_then(|ca| ca.parent()?.parent());
    let install = match data_dir {
        Some(dir) => format!("trust --install --data-dir {}", quoted(dir)),
        None => "trust --install --fingerprint \"$CA_SHA256\"".to_owned(),
    };
    let for_each_host = |install: &str, dir: &str| {
        let hosts = files.registry_hosts.iter();
        let commands =
            hosts.map(|host| format!("{install} -D -m 644 {ca} {dir}/certs.d/{host}/ca.crt"));
        commands.collect::<Vec<_>>()
    };
    let sections = [
        section(
            "Docker (only if it reaches the emulator by another address than a loopback one)",
            &for_each_host("sudo install", "/etc/docker"),
        ),
        section(
            "podman, buildah, skopeo",
            &for_each_host("install", "~/.config/containers"),
        ),
        section(
            "curl",
            &[format!(
                "curl --cacert {ca} https://{at}/_sealock/v1/health"
            )],
        ),
        section(
            "Python, az",
            &[format!(
                "export REQUESTS_CA_BUNDLE={bundle} SSL_CERT_FILE={bundle}"
            )],
        ),
        section("Node.js", &[format!("export NODE_EXTRA_CA_CERTS={ca}")]),
        section(
            "Java (set JAVA_HOME to the JDK's directory first if it is unset)",
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
            match data_dir {
                Some(_) => "This system's store, for all programs that use it",
                None => {
                    "This system's store, for all programs that use it (CA_SHA256: the fingerprint that the emulator printed)"
                }
            },
            &[format!("sudo {}", client.commands().command(&install))],
        ),
    ];
    let sections = fetch.into_iter().chain(sections);
    sections.collect::<Vec<_>>().join("\n\n")
}

fn section(title: &str, commands: &[String]) -> String {
    let commands: Vec<_> = commands.iter().map(|line| format!("  {line}")).collect();
    format!("{TITLE}{title}{TITLE:#}\n{}", commands.join("\n"))
}

/// This system's store of trusted CAs.
enum SystemStore {
    /// A directory of CAs, with the command that rebuilds the store after an addition and the one after a removal.
    Anchors {
        file: PathBuf,
        after_addition: &'static [&'static str],
        after_removal: &'static [&'static str],
    },
    /// The keychain of macOS.
    Keychain,
}

const KEYCHAIN: &str = "/Library/Keychains/System.keychain";

impl SystemStore {
    fn find() -> Result<Self, Error> {
        let anchors = |dir: &str, extension: &str, after_addition, after_removal| Self::Anchors {
            file: Path::new(dir).join(format!("{FILE_STEM}.{extension}")),
            after_addition,
            after_removal,
        };
        let extract = &["update-ca-trust", "extract"];
        if cfg!(target_os = "macos") {
            Ok(Self::Keychain)
        } else if Path::new("/usr/local/share/ca-certificates").is_dir() {
            // Debian, Alpine
            let dir = "/usr/local/share/ca-certificates";
            let update = &["update-ca-certificates"];
            // Without --fresh, Debian's command keeps links to removed CAs.
            let after_removal = &["update-ca-certificates", "--fresh"];
            Ok(anchors(dir, "crt", update, after_removal))
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
                hint: Some(
                    "see how to configure each client by itself with: sealock trust".to_owned(),
                ),
            })
        }
    }

    fn install(&self, pem: &str) -> io::Result<()> {
        match self {
            Self::Anchors {
                file,
                after_addition,
                ..
            } => {
                // The file may hold another emulator's CA.
                self.remove()?;
                fs::write(file, pem)?;
                run(after_addition)
            }
            Self::Keychain => {
                // A new private directory, so that nobody else can replace the file.
                let dir = std::env::temp_dir().join(format!("sealock-{}", std::process::id()));
                std::fs::DirBuilder::new().mode(0o700).create(&dir)?;
                let file = dir.join(format!("{FILE_STEM}.pem"));
                let add = ["security", "add-trusted-cert", "-d", "-r", "trustRoot"];
                let added = fs::write(&file, pem).and_then(|()| {
                    let file = file.display().to_string();
                    run(&[add.as_slice(), &["-k", KEYCHAIN, &file]].concat())
                });
                let _ = fs::remove_dir_all(&dir);
                added
            }
        }
    }

    fn remove(&self) -> io::Result<()> {
        match self {
            Self::Anchors {
                file,
                after_removal,
                ..
            } => {
                match fs::remove_file(file) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    // Even if the file is already gone, the store may still contain it.
                    _ => run(after_removal)?,
                }
                notify_hooks();
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

/// The directory of hooks for Debian packages that keep a copy of the store, such as Java's.
const HOOKS: &str = "/etc/ca-certificates/update.d";

/// Notifies the hooks of the removal, in their own protocol. `update-ca-certificates` notifies them only of CAs in its
/// configuration.
fn notify_hooks() {
    for hook in fs::read_dir(HOOKS).into_iter().flatten().flatten() {
        let notified = Command::new(hook.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .and_then(|mut hook| {
                if let Some(mut stdin) = hook.stdin.take() {
                    // A hook may ignore its input.
                    let _ = writeln!(stdin, "-/etc/ssl/certs/{FILE_STEM}.pem");
                }
                hook.wait()
            });
        // As in Debian, a file that cannot be run is not a hook.
        let _ = notified;
    }
}

fn run(command: &[&str]) -> io::Result<()> {
    let output = Command::new(command[0]).args(&command[1..]).output();
    let output =
        output.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", command[0])))?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    let command = command.join(" ");
    Err(io::Error::other(format!(
        "{command} failed: {}",
        message.trim()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_with_special_characters_is_quoted_for_a_shell() {
        for (path, word) in [
            (
                "/home/me/.sealock/tls/ca.pem",
                "/home/me/.sealock/tls/ca.pem",
            ),
            ("/a b", "'/a b'"),
            ("/x; rm -rf ~", "'/x; rm -rf ~'"),
            ("/it's", r"'/it'\''s'"),
            ("-o", "'-o'"),
            ("$(id)", "'$(id)'"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }
}
