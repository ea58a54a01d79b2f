use std::path::Path;

use sealock_entra::{ClientSecret, DEVELOPER_SECRET as DOCUMENTED_SECRET};
use sealock_store::Store;
use zeroize::Zeroizing;

use crate::{
    Auth, Error,
    config::Server,
    secrets::shared_secret::{
        CONTROL_TOKEN, DEVELOPER_SECRET, IDENTITY_HEADER, Secret, SecretKind,
    },
};

/// The state of the friendly door, with the secrets of its services.
#[derive(Clone)]
pub(crate) enum FriendlyDoor {
    /// Clients on this machine need no credentials, and the developer's secret is documented. `exposed` is for an emulator
    /// that other machines reach.
    Open { exposed: Option<ExposedSecrets> },
    /// The registry requires a login, the control API its token, the managed identity endpoint its header, and the developer
    /// its secret.
    Closed {
        control_token: Secret,
        identity_header: Secret,
        developer_secret: Secret,
    },
}

/// The secrets that an open door demands of clients on other machines.
#[derive(Clone)]
pub(crate) struct ExposedSecrets {
    control_token: Option<Secret>,
    developer_secret: Secret,
}

impl FriendlyDoor {
    /// Loads or creates the secrets that `server` requires.
    pub(crate) async fn load(
        server: &Server,
        data_dir: Option<&Path>,
        store: &Store,
    ) -> Result<Self, Error> {
        let load = |kind: &'static SecretKind| kind.load_or_create(data_dir, store);
        // `sealock app renew developer` shows another one if there is no file.
        let developer_secret = async || {
            let secret = load(&DEVELOPER_SECRET).await?;
            Ok::<_, Error>(secret.unwrap_or_else(Secret::random))
        };
        Ok(match server.auth {
            Auth::Friendly if server.is_exposed() => Self::Open {
                exposed: Some(ExposedSecrets {
                    control_token: load(&CONTROL_TOKEN).await?,
                    developer_secret: developer_secret().await?,
                }),
            },
            Auth::Friendly => Self::Open { exposed: None },
            Auth::Enforced => Self::Closed {
                control_token: load(&CONTROL_TOKEN)
                    .await?
                    .ok_or(Error::SecretWithoutFile {
                        secret: CONTROL_TOKEN.name,
                        variable: CONTROL_TOKEN.variable,
                    })?,
                // This one needs no file, since the control API shows it.
                identity_header: load(&IDENTITY_HEADER).await?.unwrap_or_else(Secret::random),
                developer_secret: developer_secret().await?,
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
            Self::Open { exposed } => exposed.as_ref()?.control_token.as_ref(),
            Self::Closed { control_token, .. } => Some(control_token),
        }
    }

    /// Returns the secret of the developer: the documented one only if every client needs no credentials anyway.
    pub(crate) fn developer_secret(&self) -> ClientSecret {
        ClientSecret::new(match self {
            Self::Open { exposed: None } => Zeroizing::new(DOCUMENTED_SECRET.to_owned()),
            Self::Open {
                exposed:
                    Some(ExposedSecrets {
                        developer_secret, ..
                    }),
            }
            | Self::Closed {
                developer_secret, ..
            } => developer_secret.text(),
        })
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
