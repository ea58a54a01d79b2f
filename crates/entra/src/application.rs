use jiff::{SignedDuration, Timestamp};
use sealock_core::{ApplicationName, ClientId, PrincipalId, TenantId, excerpt};
use sealock_store::{Batch, Commit, Entry, Table};
use serde::{Deserialize, Serialize};

use crate::{ClientSecret, Directory, Error, Result, client_secret::SecretHash, directory::folded};

const APPLICATIONS: Table<ApplicationRecord> = Table::control("applications");

/// As long as `az ad sp create-for-rbac` and `az ad app credential reset` give a secret: a year.
///
/// <https://learn.microsoft.com/cli/azure/ad/app/credential#az-ad-app-credential-reset>
const SECRET_VALID_FOR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// An application with its service principal: a program that logs in with a client secret.
///
/// <https://learn.microsoft.com/entra/identity-platform/app-objects-and-service-principals>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its name.
    pub name: ApplicationName,
    /// What it logs in with. Claim `appid`.
    pub client_id: ClientId,
    /// By which access policies and role assignments name its service principal. Claim `oid`.
    pub principal_id: PrincipalId,
    /// The tenant that it belongs to. Claim `tid`.
    pub tenant_id: TenantId,
    /// When it was created.
    pub created: Timestamp,
    /// When its secret ends, by the emulator's clock.
    pub secret_expires: Timestamp,
}

/// An application as it is stored.
#[derive(Serialize, Deserialize)]
struct ApplicationRecord {
    #[serde(flatten)]
    application: Application,
    secret: SecretHash,
}

impl Directory {
    /// The application of this name, and its secret if it was created just now. One that is created again
    /// after its deletion is another one with other ids.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn create_application(
        &self,
        name: ApplicationName,
    ) -> Result<(Application, Option<ClientSecret>)> {
        let secret = ClientSecret::random();
        let created = self.store.update(|| async {
            if let Some(found) = self.named(&APPLICATIONS, name.as_str()).await? {
                return Ok((Batch::new(), (found.record.value.application, false)));
            }
            let record = ApplicationRecord {
                application: Application {
                    name: name.clone(),
                    client_id: ClientId::random(),
                    principal_id: PrincipalId::random(),
                    tenant_id: self.tenant(),
                    created: self.clock.now(),
                    secret_expires: self.end_of_a_new_secret(),
                },
                secret: SecretHash::of(&secret),
            };
            let key = folded(name.as_str());
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

    /// All applications, by name.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn applications(&self) -> Result<Vec<Application>> {
        let records = self.all(&APPLICATIONS).await?;
        Ok(records.into_iter().map(|it| it.application).collect())
    }

    /// The application of this name.
    ///
    /// # Errors
    /// [`Error::ApplicationNotFound`]
    pub async fn application(&self, name: &ApplicationName) -> Result<Application> {
        Ok(self.known_application(name).await?.record.value.application)
    }

    /// Gives an application a new secret. The old one ends; tokens that it brought serve until they expire.
    ///
    /// # Errors
    /// [`Error::ApplicationNotFound`]
    pub async fn reset_secret(
        &self,
        name: &ApplicationName,
    ) -> Result<(Application, ClientSecret)> {
        let secret = ClientSecret::random();
        let reset = self.store.update(|| async {
            let Entry {
                key,
                record: existing,
            } = self.known_application(name).await?;
            let key: Vec<_> = key.iter().map(String::as_str).collect();
            let record = ApplicationRecord {
                application: Application {
                    secret_expires: self.end_of_a_new_secret(),
                    ..existing.value.application.clone()
                },
                secret: SecretHash::of(&secret),
            };
            let batch = Batch::new().expect(&APPLICATIONS, &key, &existing).put(
                &APPLICATIONS,
                &key,
                &record,
            );
            Ok::<_, Error>((batch, record.application))
        });
        Ok((reset.await?, secret))
    }

    /// Deletes an application, and with it its tokens. What names it stays, and names nobody.
    ///
    /// # Errors
    /// [`Error::ApplicationNotFound`]
    pub async fn delete_application(&self, name: &ApplicationName) -> Result<()> {
        let key = self.known_application(name).await?.key;
        let key: Vec<_> = key.iter().map(String::as_str).collect();
        let batch = Batch::new()
            .expect_present(&APPLICATIONS, &key)
            .delete(&APPLICATIONS, &key);
        match self.store.commit(batch).await? {
            Commit::Done => Ok(()),
            Commit::Conflict => Err(Error::ApplicationNotFound { name: name.clone() }),
        }
    }

    /// The application that logs in as `client` with `secret`. A managed identity has no secret, so that each
    /// is a wrong one.
    ///
    /// # Errors
    /// [`Error::ClientUnknown`], [`Error::ClientSecretInvalid`], [`Error::ClientSecretExpired`]
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
        if !record.secret.is_of(secret) {
            return Err(Error::ClientSecretInvalid(client));
        }
        if record.application.secret_expires <= self.clock.now() {
            return Err(Error::ClientSecretExpired(client));
        }
        Ok(record.application)
    }

    fn end_of_a_new_secret(&self) -> Timestamp {
        let end = self.clock.now().checked_add(SECRET_VALID_FOR);
        end.unwrap_or(Timestamp::MAX)
    }

    async fn known_application(&self, name: &ApplicationName) -> Result<Entry<ApplicationRecord>> {
        let found = self.named(&APPLICATIONS, name.as_str()).await?;
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
    async fn an_application_logs_in_with_its_newest_secret_for_a_year() {
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
        let almost = SECRET_VALID_FOR - SignedDuration::from_secs(1);
        clock.advance(almost).unwrap();
        assert!(directory.log_in(&client, second.as_str()).await.is_ok());
        clock.advance(SignedDuration::from_secs(1)).unwrap();
        assert!(matches!(
            refused(second.as_str()).await,
            Error::ClientSecretExpired(_)
        ));
        assert!(
            matches!(refused("x").await, Error::ClientSecretInvalid(_)),
            "of no use to whoever guesses"
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
    async fn a_principal_is_found_by_its_ids_whatever_it_is() {
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
                directory.principal_by_client_id(client).await.unwrap(),
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
