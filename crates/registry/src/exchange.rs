use sealock_cmk::rules;
use sealock_entra::Principal;

use crate::{
    Error, LoginRefusal, Registry,
    access::{Permissions, Subject},
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
    /// A refresh token for whoever shows a token of Entra. None if that is not one, is another tenant's, or
    /// has no right here.
    pub(crate) async fn exchange(
        &self,
        login_server: &str,
        tenant: Option<&str>,
        token: &str,
    ) -> Result<Option<String>, Error> {
        let ours = self.entra.directory().tenant();
        if tenant.is_some_and(|tenant| !tenant.is_empty() && tenant.parse() != Ok(ours)) {
            return Ok(None);
        }
        let principal = match self.entra.verify(token, &AUDIENCES).await {
            Ok(principal) => principal,
            Err(sealock_entra::Error::TokenInvalid(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(subject) = self.subject(&principal).await? else {
            return Ok(None);
        };
        self.issue_refresh_token(login_server, &subject).map(Some)
    }

    /// Who has this refresh token, with the rights that they have now. None if they have none any more.
    pub(crate) async fn refreshed(
        &self,
        login_server: &str,
        token: &str,
    ) -> Result<Option<Subject>, Error> {
        let Some(client) = self.refresher(login_server, token) else {
            return Ok(None);
        };
        match self
            .entra
            .directory()
            .principal_by_client_id(client)
            .await?
        {
            Some(principal) => self.subject(&principal).await,
            None => Ok(None),
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
            Err(Entra::ClientUnknown { .. }) => return Ok(Err(LoginRefusal::UserUnknown)),
            Err(Entra::ClientSecretInvalid(_) | Entra::ClientSecretExpired(_)) => {
                return Ok(Err(LoginRefusal::ClientSecretInvalid));
            }
            Err(error) => return Err(error.into()),
        };
        let subject = self.subject(&application.into()).await?;
        Ok(subject.ok_or(LoginRefusal::Unauthenticated))
    }

    /// None for whoever has no role here.
    async fn subject(&self, principal: &Principal) -> Result<Option<Subject>, Error> {
        let resource = rules::resource_id(&self.record.name);
        let roles = self
            .entra
            .directory()
            .roles(principal.principal_id(), &resource)
            .await?;
        Ok((!roles.is_empty()).then(|| Subject {
            name: principal.client_id().to_string(),
            application: Some(principal.client_id()),
            is_anonymous: false,
            permissions: Permissions::of_roles(&roles),
        }))
    }
}
