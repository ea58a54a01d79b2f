//! An emulator within this process, for test suites.

mod handles;

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc};

use axum::{
    body::{Body, Bytes},
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use sealock_api::{BASE, Empty, JSON, Operation, Problem, ResetState};
use sealock_core::InvalidName;

pub use self::handles::{Clock, Identity, Key, Registry, Vault};
use crate::{Config, ConfigError, Error, listener::Peer, startup::running::Running};

/// An emulator within this process. It stops when it is dropped.
///
/// It has the resources of the built-in quickstart: the registry, vault and key `sealock`, `sealock` and `registry-key`,
/// and the identity `registry-identity`.
///
/// ```
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sealock_emulator::Emulator;
///
/// let emulator = Emulator::builder().ephemeral().start().await?;
/// let key = emulator.key("sealock", "registry-key")?;
///
/// key.disable().await?;
/// assert!(emulator.registry("sealock")?.is_revoked().await?);
/// key.enable().await?;
/// assert!(!emulator.registry("sealock")?.is_revoked().await?);
/// # Ok(()) }
/// ```
pub struct Emulator {
    running: Running,
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Emulator");
        shown
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

/// The settings of an [`Emulator`].
#[derive(Clone, Debug)]
pub struct Builder {
    config: Result<Config, Arc<ConfigError>>,
    data_dir: Option<PathBuf>,
}

/// A refused operation.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The name is not valid.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The emulator refuses.
    #[error("{}: {}", .0.code, .0.detail)]
    Problem(Box<Problem>),
}

/// An emulator that does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(Arc<ConfigError>),
    /// The emulator cannot start.
    #[error(transparent)]
    Start(#[from] Error),
    /// A resource in the configuration breaks a rule.
    #[error("{0}")]
    Seed(Arc<str>),
}

impl Builder {
    /// Keeps everything in memory. That is the default.
    #[must_use]
    pub fn ephemeral(self) -> Self {
        Self {
            data_dir: None,
            ..self
        }
    }

    /// Keeps everything in a directory, which no other emulator uses.
    #[must_use]
    pub fn data_dir(self, dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: Some(dir.into()),
            ..self
        }
    }

    /// Replaces the quickstart by the text of a configuration file.
    #[must_use]
    pub fn config(self, text: &str) -> Self {
        Self {
            config: Config::parse(text, "the configuration of the builder").map_err(Arc::new),
            ..self
        }
    }

    /// Starts the emulator on a free port. Returns before the resources in its configuration are created: the first request
    /// waits for them.
    ///
    /// # Errors
    /// The configuration is invalid, or the emulator cannot start.
    pub async fn start(self) -> Result<Emulator, StartError> {
        let mut config = self.config.map_err(StartError::Config)?;
        config.server.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        config.server.ephemeral = self.data_dir.is_none();
        if let Some(dir) = self.data_dir {
            config.server.data_dir = dir;
        }
        let running = Running::start(config, None).await?;
        Ok(Emulator { running })
    }
}

impl Emulator {
    /// Returns the settings of a new emulator.
    pub fn builder() -> Builder {
        Builder {
            config: Config::load(None, []).map_err(Arc::new),
            data_dir: None,
        }
    }

    /// Returns the address on which it listens, with TLS and without.
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Returns the URL of its friendly door, which serves the default registry and every other service.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Returns its CA, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.running.instance.trust.ca_pem
    }

    /// Waits until the resources in its configuration are created.
    ///
    /// # Errors
    /// One of them breaks a rule.
    pub async fn seeded(&self) -> Result<(), StartError> {
        self.running
            .instance
            .seeded()
            .await
            .map_err(StartError::Seed)
    }

    /// Restores the state after the start.
    ///
    /// # Errors
    /// It has a data directory.
    pub async fn reset(&self) -> Result<(), Refused> {
        self.ask(&ResetState {}, &Empty {}).await
    }

    /// Performs an operation of the control API, with its body.
    ///
    /// # Errors
    /// The emulator refuses.
    pub async fn ask<O>(&self, operation: &O, body: &O::Body) -> Result<O::Answer, Refused>
    where
        O: Operation<Query = Empty>,
    {
        let mut request = Request::builder()
            .method(O::METHOD)
            .uri(format!("{BASE}{}", operation.target(&Empty {})))
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, JSON);
        if let Some(token) = self.running.instance.friendly_door.control_token() {
            let token = token.text();
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", *token));
        }
        let body = serde_json::to_vec(body).map_err(|error| unreadable(&error))?;
        let request = request.body(Body::from(body));
        let answer = self
            .send(request.map_err(|error| unreadable(&error))?)
            .await?;
        serde_json::from_slice(&answer).map_err(|error| unreadable(&error))
    }

    /// Answers a request without a connection.
    async fn send(&self, mut request: Request<Body>) -> Result<Bytes, Refused> {
        request.extensions_mut().insert(Peer {
            address: self.address().ip(),
            uses_tls: false,
        });
        let answer = Arc::clone(&self.running.instance).answer(request).await;
        let status = answer.status();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| unreadable(&error))?.to_bytes();
        if status == StatusCode::NO_CONTENT {
            return Ok(Bytes::from_static(b"null"));
        }
        if status.is_success() {
            return Ok(body);
        }
        let problem: Problem = serde_json::from_slice(&body).map_err(|error| unreadable(&error))?;
        Err(Refused::Problem(Box::new(problem)))
    }

    /// Stops the emulator. Requests that are under way are answered first, and then its data directory is free.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// Describes an answer that is not one of the control API.
fn unreadable(error: &dyn std::error::Error) -> Refused {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let problem = Problem::new(status, "Unreadable", error.to_string(), Vec::new());
    Refused::Problem(Box::new(problem))
}
