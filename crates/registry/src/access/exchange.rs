use sealock_core::{PublicName, excerpt};
use sealock_entra::{InvalidToken, Principal, resource_manager_audiences};

use crate::{
    Error, LoginRefusal, Registry,
    access::permissions::{Caller, Permissions},
};

/// The audiences of the Entra tokens that are for registries.
const AUDIENCES: [&str; 2] = [
    "https://containerregistry.azure.net",
    "https://containerregistry.azure.net/",
];

impl Registry {
    /// Exchanges an access token of Entra's for a refresh token. Refuses an invalid token, another tenant's token, and
    /// a principal without a role in the registry. A token for Resource Manager is valid unless the registry refuses
    /// those.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-disable-authentication-as-arm>
    pub(crate) async fn exchange(
        &self,
        names: &PublicName,
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
        let mut audiences = AUDIENCES.to_vec();
        let of_resource_manager = resource_manager_audiences(names);
        if self.login_settings().await?.accepts_arm_tokens {
            audiences.extend(of_resource_manager.iter().map(String::as_str));
        }
        let principal = match self.entra.verify(token, &audiences).await {
            Ok(principal) => principal,
            Err(sealock_entra::Error::TokenInvalid(why)) => {
                return Ok(Err(LoginRefusal::EntraTokenInvalid(why)));
            }
            Err(error) => return Err(error.into()),
        };
        match self.caller(&principal).await? {
            Ok(caller) => self.issue_refresh_token(login_server, &caller).map(Ok),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Logs in the principal of a refresh token with its current rights. Refuses a principal that no longer exists or
    /// has no role in the registry.
    pub(crate) async fn log_in_with_refresh_token(
        &self,
        login_server: &str,
        token: &str,
    ) -> Result<Result<Caller, LoginRefusal>, Error> {
        let client = match self.verify_refresh_token(login_server, token) {
            Ok(client) => client,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match self
            .entra
            .directory()
            .principal_by_account_id(client)
            .await?
        {
            Some(principal) => self.caller(&principal).await,
            None => Ok(Err(LoginRefusal::RefreshTokenInvalid(
                InvalidToken::PrincipalUnknown,
            ))),
        }
    }

    /// Logs in an application with its client id and secret. Its roles determine its rights.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-auth-service-principal>
    pub(crate) async fn log_in_application(
        &self,
        client: &str,
        secret: &str,
    ) -> Result<Result<Caller, LoginRefusal>, Error> {
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
        self.caller(&application.into()).await
    }

    /// Returns the principal as a caller. Refuses a principal without a role in the registry.
    async fn caller(&self, principal: &Principal) -> Result<Result<Caller, LoginRefusal>, Error> {
        let resource = self.record.resource_id();
        let roles = self
            .entra
            .directory()
            .roles(principal.principal_id(), &resource)
            .await?;
        let client = principal.account_id();
        if roles.is_empty() {
            return Ok(Err(LoginRefusal::RoleMissing(client)));
        }
        Ok(Ok(Caller {
            name: client.to_string(),
            application: Some(client),
            is_anonymous: false,
            permissions: Permissions::of_roles(&roles),
        }))
    }
}
