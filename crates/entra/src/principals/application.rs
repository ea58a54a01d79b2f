use jiff::{SignedDuration, Timestamp};
use sealock_core::{ApplicationName, ClientId, PrincipalId, TenantId, excerpt};
use sealock_store::{Batch, Commit, Record, Table};
use serde::{Deserialize, Serialize};

use super::client_secret::{ClientSecret, SecretHash};
use crate::{Directory, Error, Result, directory::name_key};

pub(super) const APPLICATIONS: Table<ApplicationRecord> = Table::control("applications");

/// The lifetime of a secret: a year, as with `az ad sp create-for-rbac` and `az ad app credential reset`.
///
/// <https://learn.microsoft.com/cli/azure/ad/app/credential#az-ad-app-credential-reset>
const SECRET_LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);

/// An application with its service principal: a program that logs in with a client secret.
///
/// <https://learn.microsoft.com/entra/identity-platform/app-objects-and-service-principals>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its name.
    pub name: ApplicationName,
    /// The id with which it logs in. Claim `appid`.
    pub client_id: ClientId,
    /// The id of its service principal in access policies and role assignments. Claim `oid`.
    pub principal_id: PrincipalId,
    /// Its tenant. Claim `tid`.
    pub tenant_id: TenantId,
    /// The time of its creation.
    pub created: Timestamp,
    /// The time at which its secret expires, by the emulator's clock.
    pub secret_expires: Timestamp,
}

/// The stored record of an application.
#[derive(Serialize, Deserialize)]
pub(super) struct ApplicationRecord {
    #[serde(flatten)]
    pub(super) application: Application,
    /// `None` for the developer until its secret is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<SecretHash>,
}

impl Directory {
    /// Creates the application `name` and returns it with its secret, or returns the existing one with `None`. An
    /// application that is created again after its deletion has other ids.
    ///
    /// # Errors
    /// The store fails.
    pub async fn create_application(
        &self,
        name: ApplicationName,
    ) -> Result<(Application, Option<ClientSecret>)> {
        let secret = ClientSecret::random();
        let key = name_key(name.as_str());
        let created = self.store.update(|| async {
            if let Some(found) = self.store.get(&APPLICATIONS, &[&key]).await? {
                return Ok((Batch::new(), (found.value.application, false)));
            }
            let record = ApplicationRecord {
                application: Application {
                    name: name.clone(),
                    client_id: ClientId::random(),
                    principal_id: PrincipalId::random(),
                    tenant_id: self.tenant(),
                    created: self.clock.now(),
                    secret_expires: self.new_secret_expiry(),
                },
                secret: Some(SecretHash::of(&secret)),
            };
            let batch = Batch::new().expect_absent(&APPLICATIONS, &[&key]).put(
                &APPLICATIONS,
                &[&key],
                &record,
            );
            Ok::<_, Error>((batch, (record.application, true)))
        });
        let (application, is_new) = created.await?;
        Ok((application, is_new.then_some(secret)))
    }

    /// Returns all applications, sorted by name.
    ///
    /// # Errors
    /// The store fails.
    pub async fn applications(&self) -> Result<Vec<Application>> {
        let records = self.all(&APPLICATIONS).await?;
        Ok(records.into_iter().map(|it| it.application).collect())
    }

    /// Returns the application `name`.
    ///
    /// # Errors
    /// [`Error::ApplicationNotFound`], or the store fails.
    pub async fn application(&self, name: &ApplicationName) -> Result<Application> {
        Ok(self.application_record(name).await?.value.application)
    }

    /// Replaces the secret of an application. Tokens that it got with the old secret stay valid until they expire.
    ///
    /// # Errors
    /// [`Error::ApplicationNotFound`], or the store fails.
    pub async fn reset_secret(
        &self,
        name: &ApplicationName,
    ) -> Result<(Application, ClientSecret)> {
        let secret = ClientSecret::random();
        let key = name_key(name.as_str());
        let reset = self.store.update(|| async {
            let existing = self.application_record(name).await?;
            let record = ApplicationRecord {
                application: Application {
                    secret_expires: self.new_secret_expiry(),
                    ..existing.value.application.clone()
                },
                secret: Some(SecretHash::of(&secret)),
            };
            let batch = Batch::new().expect(&APPLICATIONS, &[&key], &existing).put(
                &APPLICATIONS,
                &[&key],
                &record,
            );
            Ok::<_, Error>((batch, record.application))
        });
        Ok((reset.await?, secret))
    }

    /// Deletes an application, which invalidates its tokens. Its access policies and role assignments remain without effect.
    ///
    /// # Errors
    /// [`Error::ApplicationNotFound`], or the store fails.
    pub async fn delete_application(&self, name: &ApplicationName) -> Result<()> {
        let key = name_key(name.as_str());
        let batch = Batch::new()
            .expect_present(&APPLICATIONS, &[&key])
            .delete(&APPLICATIONS, &[&key]);
        match self.store.commit(batch).await? {
            Commit::Done => Ok(()),
            Commit::Conflict => Err(Error::ApplicationNotFound { name: name.clone() }),
        }
    }

    /// Logs in the application with the client id `client`. A managed identity has no secret, so every secret is wrong
    /// for it.
    ///
    /// # Errors
    /// [`Error::ClientUnknown`], [`Error::ClientSecretInvalid`], [`Error::ClientSecretExpired`], or the store fails.
    pub async fn log_in(&self, client: &str, secret: &str) -> Result<Application> {
        let unknown = || Error::ClientUnknown {
            client: excerpt(client).to_owned(),
            tenant: self.tenant(),
        };
        let client: ClientId = client.parse().map_err(|_| unknown())?;
        let records = self.all(&APPLICATIONS).await?;
        let record = records
            .into_iter()
            .find(|record| record.application.client_id == client);
        let Some(record) = record else {
            return Err(match self.identity_by_client_id(client).await? {
                Some(_) => Error::ClientSecretInvalid(client),
                None => unknown(),
            });
        };
        let is_correct = match &record.secret {
            Some(hash) => hash.matches(secret),
            None => self.is_developer_secret(secret),
        };
        if !is_correct {
            return Err(Error::ClientSecretInvalid(client));
        }
        if record.application.secret_expires <= self.clock.now() {
            return Err(Error::ClientSecretExpired(client));
        }
        Ok(record.application)
    }

    fn new_secret_expiry(&self) -> Timestamp {
        let expiry = self.clock.now().checked_add(SECRET_LIFETIME);
        expiry.unwrap_or(Timestamp::MAX)
    }

    pub(super) async fn application_record(
        &self,
        name: &ApplicationName,
    ) -> Result<Record<ApplicationRecord>> {
        let found = self
            .store
            .get(&APPLICATIONS, &[&name_key(name.as_str())])
            .await?;
        found.ok_or_else(|| Error::ApplicationNotFound { name: name.clone() })
    }
}

#[cfg(test)]
mod tests {
    use sealock_core::Clock;
    use sealock_store::Store;

    use super::*;
    use crate::Principal;

    #[tokio::test]
    async fn application_logs_in_with_its_newest_secret_for_a_year() {
        let (store, clock) = (
            Store::ephemeral(),
            Clock::frozen_at(Timestamp::from_second(1_800_000_000).unwrap()),
        );
        let directory = Directory::open(store.clone(), clock.clone()).await.unwrap();
        let name: ApplicationName = "deploy".parse().unwrap();
        let (created, first) = directory.create_application(name.clone()).await.unwrap();
        let first = first.unwrap();
        let client = created.client_id.to_string();
        let (again, none) = directory.create_application(name.clone()).await.unwrap();
        assert!(again == created && none.is_none());
        assert_eq!(
            directory.log_in(&client, first.as_str()).await.unwrap(),
            created
        );

        clock.advance(SignedDuration::from_hours(24)).unwrap();
        let (reset, second) = directory.reset_secret(&name).await.unwrap();
        assert_eq!(reset.client_id, created.client_id);
        assert_eq!(directory.application(&name).await.unwrap(), reset);
        let refused = async |secret: &str| directory.log_in(&client, secret).await.unwrap_err();
        assert!(matches!(
            refused(first.as_str()).await,
            Error::ClientSecretInvalid(_)
        ));
        let almost = SECRET_LIFETIME - SignedDuration::from_secs(1);
        clock.advance(almost).unwrap();
        assert!(directory.log_in(&client, second.as_str()).await.is_ok());
        clock.advance(SignedDuration::from_secs(1)).unwrap();
        assert!(matches!(
            refused(second.as_str()).await,
            Error::ClientSecretExpired(_)
        ));
        assert!(
            matches!(refused("x").await, Error::ClientSecretInvalid(_)),
            "a guess does not reveal that the secret has expired"
        );

        directory.delete_application(&name).await.unwrap();
        assert!(matches!(
            refused(second.as_str()).await,
            Error::ClientUnknown { .. }
        ));
        for missing in [
            directory.delete_application(&name).await.err(),
            directory.reset_secret(&name).await.err(),
            directory.application(&name).await.err(),
        ] {
            assert!(matches!(missing, Some(Error::ApplicationNotFound { .. })));
        }
        let (another, _) = directory.create_application(name).await.unwrap();
        assert!(
            another.client_id != created.client_id && another.principal_id != created.principal_id
        );
    }

    #[tokio::test]
    async fn principal_of_either_kind_is_found_by_its_ids() {
        let store = Store::ephemeral();
        let directory = Directory::open(store.clone(), Clock::system())
            .await
            .unwrap();
        let (identity, _) = directory
            .create_identity("same-name".parse().unwrap())
            .await
            .unwrap();
        let before = store.epoch().await.unwrap();
        let name: ApplicationName = "same-name".parse().unwrap();
        let (application, _) = directory.create_application(name.clone()).await.unwrap();
        assert!(before < store.epoch().await.unwrap());
        for principal in [
            Principal::from(identity),
            Principal::from(application.clone()),
        ] {
            let (id, client) = (principal.principal_id(), principal.client_id());
            assert_eq!(
                directory.principal(id).await.unwrap(),
                Some(principal.clone())
            );
            assert_eq!(
                directory.principal_by_account_id(client).await.unwrap(),
                Some(principal)
            );
        }
        directory.delete_application(&name).await.unwrap();
        assert_eq!(
            directory.principal(application.principal_id).await.unwrap(),
            None
        );
    }
}
