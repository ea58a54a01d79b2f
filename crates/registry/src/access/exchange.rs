use sealock_cmk::rules;
use sealock_core::excerpt;
use sealock_entra::{InvalidToken, Principal};

use crate::{
    Error, LoginRefusal, Registry,
    access::permissions::{Permissions, Subject},
};

/// For whom tokens of Entra must be: ACR, or Azure Resource Manager, as older clients ask for.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-disable-authentication-as-arm>
const AUDIENCES: [&str; 6] = [
    "https://containerregistry.azure.net",
    "https://containerregistry.azure.net/",
    "https://management.azure.com",
    "https://management.azure.com/",
    "https://management.core.windows.net",
    "https://management.core.windows.net/",
];

impl Registry {
    /// A refresh token for whoever shows a token of Entra, unless that is not one, is another tenant's, or has no right
    /// here.
    pub(crate) async fn exchange(
        &self,
        login_server: &str,
        tenant: Option<&str>,
        token: &str,
    ) -> Result<Result<String, LoginRefusal>, Error> {
        let ours = self.entra.directory().tenant();
        if let Some(tenant) = tenant
            && !tenant.is_empty()
            && tenant.parse() != Ok(ours)
        {
            let tenant = excerpt(tenant).to_owned();
            return Ok(Err(LoginRefusal::TenantForeign(tenant)));
        }
        let principal = match self.entra.verify(token, &AUDIENCES).await {
            Ok(principal) => principal,
            Err(sealock_entra::Error::TokenInvalid(why)) => {
                return Ok(Err(LoginRefusal::EntraTokenInvalid(why)));
            }
            Err(error) => return Err(error.into()),
        };
        match self.subject(&principal).await? {
            Ok(subject) => self.issue_refresh_token(login_server, &subject).map(Ok),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// The principal that has a refresh token, with the rights that it has now, unless it has none any more.
    pub(crate) async fn refreshed(
        &self,
        login_server: &str,
        token: &str,
    ) -> Result<Result<Subject, LoginRefusal>, Error> {
        let client = match self.refresher(login_server, token) {
            Ok(client) => client,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match self
            .entra
            .directory()
            .principal_by_client_id(client)
            .await?
        {
            Some(principal) => self.subject(&principal).await,
            None => Ok(Err(LoginRefusal::RefreshTokenInvalid(
                InvalidToken::PrincipalUnknown,
            ))),
        }
    }

    /// The application that logs in as `client` with its secret, with the rights of its roles.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-auth-service-principal>
    pub(crate) async fn application_login(
        &self,
        client: &str,
        secret: &str,
    ) -> Result<Result<Subject, LoginRefusal>, Error> {
        use sealock_entra::Error as Entra;
        let application = match self.entra.directory().log_in(client, secret).await {
            Ok(application) => application,
            Err(Entra::ClientUnknown { client, .. }) => {
                return Ok(Err(LoginRefusal::unknown(&client)));
            }
            Err(Entra::ClientSecretInvalid(client)) => {
                return Ok(Err(LoginRefusal::ClientSecretWrong(client)));
            }
            Err(Entra::ClientSecretExpired(client)) => {
                return Ok(Err(LoginRefusal::ClientSecretExpired(client)));
            }
            Err(error) => return Err(error.into()),
        };
        self.subject(&application.into()).await
    }

    /// The principal as a user of the registry, unless it has no role here.
    async fn subject(&self, principal: &Principal) -> Result<Result<Subject, LoginRefusal>, Error> {
        let resource = rules::resource_id(&self.record.name);
        let roles = self
            .entra
            .directory()
            .roles(principal.principal_id(), &resource)
            .await?;
        let client = principal.client_id();
        if roles.is_empty() {
            return Ok(Err(LoginRefusal::RoleMissing(client)));
        }
        Ok(Ok(Subject {
            name: client.to_string(),
            application: Some(client),
            is_anonymous: false,
            permissions: Permissions::of_roles(&roles),
        }))
    }
}
