use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sealock_tests::Emulator;
use serde_json::json;
use url::Url;

/// A registry that is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    Sealock,
    /// Distribution 3.
    Distribution,
    /// Distribution 2.8, as Debian builds it.
    DockerRegistry,
    /// One that `PEERS` names, with the command that starts it.
    Command {
        name: String,
        path: PathBuf,
    },
    /// One that `PEERS` names and somebody else has started, without TLS.
    Running {
        name: String,
        address: String,
    },
}

impl Product {
    /// Returns Sealock, those that `tests/bench/run` found, and those of `PEERS`.
    pub(crate) fn all(peers: &str) -> Result<Vec<Self>, String> {
        let found = [Self::Distribution, Self::DockerRegistry]
            .into_iter()
            .filter(|product| product.binary().is_some());
        let mut all: Vec<_> = [Self::Sealock].into_iter().chain(found).collect();
        for peer in peers.split_whitespace() {
            all.push(Self::parse(peer)?);
        }
        Ok(all)
    }

    /// Parses `NAME=URL` or `NAME=COMMAND`.
    fn parse(peer: &str) -> Result<Self, String> {
        let named = peer
            .split_once('=')
            .filter(|(name, value)| !name.is_empty() && !value.is_empty());
        let Some((name, value)) = named else {
            return Err(format!(
                "PEERS: '{peer}' is neither NAME=URL nor NAME=COMMAND"
            ));
        };
        let name = name.to_owned();
        match Url::parse(value) {
            Ok(url) => match (url.scheme(), url.host_str(), url.port_or_known_default()) {
                ("http", Some(host), Some(port)) => Ok(Self::Running {
                    name,
                    address: format!("{host}:{port}"),
                }),
                _ => Err(format!(
                    "PEERS: '{value}' must be http://HOST:PORT, since it is measured without TLS"
                )),
            },
            Err(_) => match fs::canonicalize(value) {
                Ok(path) => Ok(Self::Command { name, path }),
                Err(error) => Err(format!(
                    "PEERS: '{value}' is neither http://HOST:PORT nor a command: {error}"
                )),
            },
        }
    }

    /// Returns the name in the report.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Sealock => "Sealock",
            Self::Distribution => "distribution",
            Self::DockerRegistry => "docker-registry",
            Self::Command { name, .. } | Self::Running { name, .. } => name,
        }
    }

    /// Returns the version, or for a peer of `PEERS`, what stands there.
    pub(crate) fn version(&self) -> String {
        match self {
            Self::Running { address, .. } => format!("http://{address}, with what it already has"),
            Self::Command { path, .. } => path.display().to_string(),
            Self::Sealock | Self::Distribution | Self::DockerRegistry => {
                let binary = self.binary().unwrap_or_default();
                let version = first_line(&binary.to_string_lossy(), &["--version"]);
                let path = format!("{} ", binary.display());
                version.strip_prefix(&path).unwrap_or(&version).to_owned()
            }
        }
    }

    /// Returns true if the bench starts it, with a directory of its own.
    pub(crate) fn is_started(&self) -> bool {
        !matches!(self, Self::Running { .. })
    }

    /// Returns true if the bench can start it with TLS.
    pub(crate) fn has_tls(&self) -> bool {
        matches!(
            self,
            Self::Sealock | Self::Distribution | Self::DockerRegistry
        )
    }

    /// Returns true if it gets its certificate from the bench.
    pub(crate) fn needs_certificate(&self) -> bool {
        matches!(self, Self::Distribution | Self::DockerRegistry)
    }

    /// Returns the command that serves `address` from `dir`, with TLS if `dir` has a certificate.
    pub(crate) fn command(&self, address: &str, dir: &Path) -> Command {
        let mut command = Command::new(self.binary().unwrap());
        command.current_dir(dir);
        match self {
            Self::Sealock => {
                command
                    .env_clear()
                    .args(["serve", "--listen", address, "--data-dir"])
                    .arg(dir.join("data"))
                    .arg("--ready-file")
                    .arg(dir.join("ready.json"));
            }
            Self::Distribution | Self::DockerRegistry => {
                command
                    .env_clear()
                    // Distribution 3 sends traces otherwise.
                    .env("OTEL_TRACES_EXPORTER", "none")
                    .arg("serve")
                    .arg(write_config(address, dir));
            }
            Self::Command { .. } | Self::Running { .. } => {
                command.arg(address).arg(dir);
            }
        }
        command
    }

    /// Returns the program, or `None` if there is none.
    fn binary(&self) -> Option<PathBuf> {
        match self {
            Self::Sealock => Some(Emulator::binary()),
            Self::Distribution => {
                let built = crate::target().join("bench/distribution/registry");
                built.exists().then_some(built)
            }
            Self::DockerRegistry => {
                let unpacked =
                    crate::target().join("bench/docker-registry/usr/bin/docker-registry");
                let installed = PathBuf::from("/usr/bin/docker-registry");
                [unpacked, installed].into_iter().find(|path| path.exists())
            }
            Self::Command { path, .. } => Some(path.clone()),
            Self::Running { .. } => None,
        }
    }
}

/// Writes the configuration of distribution 2 and 3: Debian's, but without the login and with `relativeurls`, so that
/// clients need no names. They read YAML, and so JSON.
fn write_config(address: &str, dir: &Path) -> PathBuf {
    let mut config = json!({
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": true}},
        "storage": {
            "cache": {"blobdescriptor": "inmemory"},
            "filesystem": {"rootdirectory": dir.join("data")},
            "delete": {"enabled": true},
        },
        "http": {"addr": address, "relativeurls": true},
    });
    let certificate = dir.join("cert.pem");
    if certificate.exists() {
        config["http"]["tls"] = json!({"certificate": certificate, "key": dir.join("key.pem")});
    }
    let path = dir.join("config.yml");
    fs::write(&path, config.to_string()).unwrap();
    path
}

/// Returns the first line that a command prints.
pub(crate) fn first_line(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).output();
    let text = output.map_or(Vec::new(), |output| output.stdout);
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or("unknown").to_owned()
}
