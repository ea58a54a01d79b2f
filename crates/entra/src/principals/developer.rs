//! The application and the user that exist from the first start, with a role that permits everything, so that clients can log in
//! before anybody has created an identity.

use std::sync::Arc;

use jiff::Timestamp;
use sealock_core::{ApplicationName, ClientId, PrincipalId};
use sealock_store::Batch;
use uuid::Uuid;

use super::{
    application::{APPLICATIONS, Application, ApplicationRecord},
    user::{DEVELOPER_USER_ID, User},
};
use crate::{
    ClientSecret, Directory, Error, PrincipalType, Result, Role, TENANT, directory::name_key,
};

/// The client id of the developer.
pub const DEVELOPER_CLIENT: ClientId =
    ClientId::from_uuid(Uuid::from_u128(0x5ea1_0c00_0000_4000_8000_0000_0000_0001));

/// The secret of the developer where clients need no credentials anyway.
pub const DEVELOPER_SECRET: &str = "sealock-developer";

/// The name of the application.
const NAME: &str = "developer";

/// The principal id of the application.
const PRINCIPAL: PrincipalId =
    PrincipalId::from_uuid(Uuid::from_u128(0x5ea1_0c00_0000_4000_8000_0000_0000_0002));

/// The expiry of a secret that does not expire: 2300-01-01.
const NEVER: Timestamp = Timestamp::constant(10_413_792_000, 0);

impl Directory {
    /// Adds the developer to `batch`, as an Owner of the subscription. Leaves what is there already.
    pub(crate) async fn create_developer(&self, batch: Batch) -> Result<Batch> {
        let key = name_key(NAME);
        let is_known = self.store.get(&APPLICATIONS, &[&key]).await?.is_some()
            || !self.role_assignments_of(PRINCIPAL).await?.is_empty()
            || !self
                .role_assignments_of(DEVELOPER_USER_ID)
                .await?
                .is_empty();
        if is_known {
            return Ok(batch);
        }
        let record = ApplicationRecord {
            application: Application {
                name: name(),
                client_id: DEVELOPER_CLIENT,
                principal_id: PRINCIPAL,
                tenant_id: TENANT,
                created: self.clock.now(),
                secret_expires: NEVER,
            },
            secret: None,
        };
        let batch =
            batch
                .expect_absent(&APPLICATIONS, &[&key])
                .put(&APPLICATIONS, &[&key], &record);
        let kind = PrincipalType::ServicePrincipal;
        let batch = self.add_assignment(batch, PRINCIPAL, kind, Role::Owner);
        Ok(self.add_assignment(batch, DEVELOPER_USER_ID, PrincipalType::User, Role::Owner))
    }

    /// Returns the developer, and its secret unless that has been renewed.
    ///
    /// # Errors
    /// [`Error::ApplicationNotFound`], or the store fails.
    pub async fn developer(&self) -> Result<(Application, Option<Arc<ClientSecret>>)> {
        let record = self.application_record(&name()).await?.value;
        let of_the_start = || self.developer_secret.clone();
        let secret = record.secret.is_none().then(of_the_start).flatten();
        Ok((record.application, secret))
    }

    /// Signs in a user with its password, which is the secret that the developer had at the start.
    ///
    /// # Errors
    /// [`Error::UserUnknown`] or [`Error::PasswordWrong`].
    pub(crate) fn sign_in(&self, name: &str, password: &str) -> Result<User> {
        let user = self
            .user(name)
            .ok_or(Error::UserUnknown { tenant: TENANT })?;
        if self.is_developer_secret(password) {
            Ok(user)
        } else {
            Err(Error::PasswordWrong)
        }
    }

    /// Returns true if `text` is the secret that the developer has until it is renewed.
    pub(super) fn is_developer_secret(&self, text: &str) -> bool {
        let secret = self.developer_secret.as_deref();
        secret.is_some_and(|secret| secret.matches(text))
    }
}

#[expect(clippy::expect_used, reason = "the name is a constant")]
fn name() -> ApplicationName {
    NAME.parse().expect("a valid name")
}

#[cfg(test)]
mod tests {
    use sealock_core::Clock;
    use sealock_store::Store;
    use zeroize::Zeroizing;

    use super::*;
    use crate::SUBSCRIPTION;

    async fn directory(store: &Store, secret: Option<&str>) -> Directory {
        let directory = Directory::open(store.clone(), Clock::system())
            .await
            .unwrap();
        match secret {
            Some(text) => {
                let text = Zeroizing::new(text.to_owned());
                directory.with_developer_secret(ClientSecret::new(text))
            }
            None => directory,
        }
    }

    #[tokio::test]
    async fn developer_owns_the_subscription_and_its_secret_is_that_of_the_start() {
        let store = Store::ephemeral();
        let client = DEVELOPER_CLIENT.to_string();
        let refused = async |secret: Option<&str>, given: &str| {
            let refused = directory(&store, secret).await.log_in(&client, given).await;
            matches!(refused, Err(Error::ClientSecretInvalid(_)))
        };
        let first = directory(&store, Some("first")).await;
        let developer = first.log_in(&client, "first").await.unwrap();
        assert_eq!(developer.principal_id, PRINCIPAL);
        let subscription = format!("/subscriptions/{SUBSCRIPTION}");
        let roles = first.roles(PRINCIPAL, &subscription).await.unwrap();
        assert_eq!(roles, [Role::Owner].into());
        assert!(refused(Some("second"), "first").await);
        assert!(refused(None, "first").await && refused(None, "").await);
    }

    #[tokio::test]
    async fn renewed_secret_replaces_that_of_the_start() {
        let store = Store::ephemeral();
        let directory = directory(&store, Some("first")).await;
        let name: ApplicationName = NAME.parse().unwrap();
        let (_, renewed) = directory.reset_secret(&name).await.unwrap();
        let client = DEVELOPER_CLIENT.to_string();
        assert!(directory.log_in(&client, renewed.as_str()).await.is_ok());
        let refused = directory.log_in(&client, "first").await;
        assert!(matches!(refused, Err(Error::ClientSecretInvalid(_))));
    }

    #[tokio::test]
    async fn deleted_developer_stays_deleted() {
        let store = Store::ephemeral();
        let first = directory(&store, None).await;
        first
            .delete_application(&NAME.parse().unwrap())
            .await
            .unwrap();
        let again = directory(&store, None).await;
        assert_eq!(again.applications().await.unwrap(), []);
    }
}
