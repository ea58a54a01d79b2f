use std::path::Path;

use sealock_store::Store;

use crate::{
    Auth, Error,
    config::Server,
    secrets::shared_secret::{CONTROL_TOKEN, IDENTITY_HEADER, Kind, Secret},
};

/// The demands of plain localhost on its callers.
#[derive(Clone)]
pub(crate) enum FriendlyDoor {
    /// Asks nobody on this machine for anything. Others show the control API its token, if there is one.
    Open { control_token: Option<Secret> },
    /// Asks everybody: the registry for a login, the control API for its token, the managed identity endpoint for its
    /// header.
    Closed {
        control_token: Secret,
        identity_header: Secret,
    },
}

impl FriendlyDoor {
    /// Reads the secrets that `server` asks for, or makes them.
    pub(crate) async fn load(
        server: &Server,
        data_dir: Option<&Path>,
        store: &Store,
    ) -> Result<Self, Error> {
        let load = |kind: &'static Kind| kind.load_or_create(data_dir, store);
        Ok(match server.auth {
            Auth::Friendly if server.is_reached_by_others() => Self::Open {
                control_token: load(&CONTROL_TOKEN).await?,
            },
            Auth::Friendly => Self::Open {
                control_token: None,
            },
            Auth::Enforced => Self::Closed {
                control_token: load(&CONTROL_TOKEN).await?.ok_or(Error::SecretHomeless {
                    what: CONTROL_TOKEN.what,
                    variable: CONTROL_TOKEN.variable,
                })?,
                // Without a file it can be learned all the same: the control API shows it to whoever has the token.
                identity_header: load(&IDENTITY_HEADER).await?.unwrap_or_else(Secret::random),
            },
        })
    }

    /// Returns true if nobody on this machine is asked for anything.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// The token that opens the control API, if there is one.
    pub(crate) fn control_token(&self) -> Option<&Secret> {
        match self {
            Self::Open { control_token } => control_token.as_ref(),
            Self::Closed { control_token, .. } => Some(control_token),
        }
    }

    /// The secret that a workload shows to get a token, unless everybody on this machine gets one.
    pub(crate) fn identity_header(&self) -> Option<&Secret> {
        match self {
            Self::Open { .. } => None,
            Self::Closed {
                identity_header, ..
            } => Some(identity_header),
        }
    }
}
