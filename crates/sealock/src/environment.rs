//! The environment variables for clients of the emulator.

use std::{fmt, path::Path};

use sealock_api::{Environment, Secret};
use serde::{Serialize, Serializer};
use url::{Position, Url};
use zeroize::Zeroizing;

use crate::{certificates::Certificates, error::Error};

/// The tenant of Microsoft's SDKs: they take an authority with this tenant for a server of the user's own. With any other they
/// first ask `login.microsoftonline.com` about the authority, and no variable prevents that.
const SDK_TENANT: &str = "adfs";

/// The identity header that is no secret.
const ANY: &str = "any";

/// A variable.
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) value: Zeroizing<String>,
    pub(crate) is_secret: bool,
}

/// The variables with which clients trust the emulator, find it, and log in as its developer.
pub(crate) struct Variables(Vec<Variable>);

impl Variables {
    /// Collects the variables for the emulator at the URL `emulator`.
    pub(crate) fn new(
        environment: &Environment,
        emulator: &str,
        certificates: &Certificates,
    ) -> Result<Self, Error> {
        let secret = developer_secret(environment)?;
        let client = environment.client_id.to_string();
        let tenant = environment.tenant_id.to_string();
        let subscription = environment.subscription_id.as_str();
        let authority = environment.authority.as_str();
        let manager = environment.resource_manager.as_str();
        let manager_url = url(manager)?;
        let path = |path: &Path| {
            let text = path.to_str().map(str::to_owned);
            text.ok_or_else(|| unusable(&path.display()))
        };
        let ca = path(&certificates.ca)?;
        let bundle = path(&certificates.bundle)?;
        let managed_identities = format!("{emulator}/msi/token");
        let variables: &[(&'static str, &str)] = &[
            // Python's requests, az
            ("REQUESTS_CA_BUNDLE", &bundle),
            // OpenSSL, and with it Python and .NET; Go
            ("SSL_CERT_FILE", &bundle),
            ("CURL_CA_BUNDLE", &bundle),
            ("NODE_EXTRA_CA_CERTS", &ca),
            // Microsoft's SDKs: EnvironmentCredential, which DefaultAzureCredential tries first
            ("AZURE_AUTHORITY_HOST", authority),
            ("AZURE_TENANT_ID", SDK_TENANT),
            ("AZURE_CLIENT_ID", &client),
            ("AZURE_CLIENT_SECRET", secret),
            ("AZURE_SUBSCRIPTION_ID", subscription),
            // Terraform's providers, and Pulumi's
            (
                "ARM_METADATA_HOSTNAME",
                &manager_url[Position::BeforeHost..Position::AfterPort],
            ),
            ("ARM_TENANT_ID", &tenant),
            ("ARM_CLIENT_ID", &client),
            ("ARM_CLIENT_SECRET", secret),
            ("ARM_SUBSCRIPTION_ID", subscription),
            // Those of Terraform's providers that do not ask for the cloud's metadata: AzAPI
            ("ARM_ACTIVE_DIRECTORY_AUTHORITY_HOST", authority),
            ("ARM_RESOURCE_MANAGER_ENDPOINT", manager),
            ("ARM_RESOURCE_MANAGER_AUDIENCE", manager),
            ("ARM_DISABLE_INSTANCE_DISCOVERY", "true"),
            // ManagedIdentityCredential, in App Service's form
            ("IDENTITY_ENDPOINT", &managed_identities),
            ("IDENTITY_HEADER", &environment.identity_header.0),
            ("SEALOCK_EMULATOR", emulator),
            ("SEALOCK_LOGIN_SERVER", &environment.login_server),
            ("SEALOCK_VAULT_URL", &environment.vault_uri),
        ];
        let is_secret = |name, value: &str| match name {
            "AZURE_CLIENT_SECRET" | "ARM_CLIENT_SECRET" => true,
            "IDENTITY_HEADER" => value != ANY,
            _ => false,
        };
        let variables = variables.iter().map(|&(name, value)| Variable {
            name,
            value: Zeroizing::new(value.to_owned()),
            is_secret: is_secret(name, value),
        });
        let variables: Vec<_> = variables.collect();
        // No format can express them all, and a terminal would obey some.
        let has_controls = |it: &&Variable| it.value.chars().any(char::is_control);
        match variables.iter().find(has_controls) {
            Some(variable) => Err(unusable(&variable.name)),
            None => Ok(Self(variables)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Variable> {
        self.0.iter()
    }
}

/// Serializes the variables as one object, in their order.
impl Serialize for Variables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|it| (it.name, it.value.as_str())))
    }
}

/// Returns the developer's secret, or an error if only its hash is stored.
pub(crate) fn developer_secret(environment: &Environment) -> Result<&str, Error> {
    match &environment.client_secret {
        Some(Secret(text)) => Ok(text),
        None => Err(Error::Failed {
            message: "the emulator cannot show the developer's secret: it has been renewed, and only its hash is stored"
                .to_owned(),
            hint: Some(
                "set AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and what else you need by hand; docs/managed-identities.md names the \
                 variables"
                    .to_owned(),
            ),
        }),
    }
}

/// Returns the host names of the endpoints.
pub(crate) fn hosts(environment: &Environment) -> Result<Vec<String>, Error> {
    let login_server = format!("https://{}", environment.login_server);
    let urls = [
        &environment.authority,
        &environment.resource_manager,
        &environment.graph,
        &environment.vault_uri,
        &login_server,
    ];
    let host = |text: &String| Ok(url(text)?.host_str().unwrap_or_default().to_owned());
    urls.map(host).into_iter().collect()
}

fn url(text: &str) -> Result<Url, Error> {
    Url::parse(text).map_err(|error| Error::failed(format_args!("'{text}' is not a URL: {error}")))
}

fn unusable(what: &impl fmt::Display) -> Error {
    Error::failed(format_args!(
        "{what} has characters that an environment variable of every client cannot hold"
    ))
}
