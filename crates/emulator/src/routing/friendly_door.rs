use std::path::Path;

use sealock_store::Store;

use crate::{
    Auth, Error,
    config::Server,
    secrets::shared_secret::{CONTROL_TOKEN, IDENTITY_HEADER, Secret, SecretKind},
};

/// The state of the friendly door, with the secrets of its services.
#[derive(Clone)]
pub(crate) enum FriendlyDoor {
    /// Clients on this machine need no credentials. Other clients need the control API's token for the control API, if there
    /// is one.
    Open { control_token: Option<Secret> },
    /// The registry requires a login, the control API its token, and the managed identity endpoint its header.
    Closed {
        control_token: Secret,
        identity_header: Secret,
    },
}

impl FriendlyDoor {
    /// Loads or creates the secrets that `server` requires.
    pub(crate) async fn load(
        server: &Server,
        data_dir: Option<&Path>,
        store: &Store,
    ) -> Result<Self, Error> {
        let load = |kind: &'static SecretKind| kind.load_or_create(data_dir, store);
        Ok(match server.auth {
            Auth::Friendly if server.is_exposed() => Self::Open {
                control_token: load(&CONTROL_TOKEN).await?,
            },
            Auth::Friendly => Self::Open {
                control_token: None,
            },
            Auth::Enforced => Self::Closed {
                control_token: load(&CONTROL_TOKEN)
                    .await?
                    .ok_or(Error::SecretWithoutFile {
                        secret: CONTROL_TOKEN.name,
                        variable: CONTROL_TOKEN.variable,
                    })?,
                // This one needs no file, since the control API shows it.
                identity_header: load(&IDENTITY_HEADER).await?.unwrap_or_else(Secret::random),
            },
        })
    }

    /// Returns true if clients on this machine need no credentials.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Returns the token of the control API, if there is one.
    pub(crate) fn control_token(&self) -> Option<&Secret> {
        match self {
            Self::Open { control_token } => control_token.as_ref(),
            Self::Closed { control_token, .. } => Some(control_token),
        }
    }

    /// Returns the header that the managed identity endpoint requires, if it requires one.
    pub(crate) fn identity_header(&self) -> Option<&Secret> {
        match self {
            Self::Open { .. } => None,
            Self::Closed {
                identity_header, ..
            } => Some(identity_header),
        }
    }
}
