use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_cmk::Sku;
use sealock_core::RegistryName;
use sealock_envelope::ServiceKey;
use sealock_store::{Batch, Record, Table};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    Error, LoginRefusal, Refusal, Registries, Registry, RegistryRecord,
    access::password::{self, PasswordName},
    access::permissions::{Caller, Permissions},
};

pub(crate) const LOGINS: Table<LoginRecord> = Table::content("logins");

/// The record of a registry's login settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LoginRecord {
    admin_enabled: bool,
    anonymous_pull_enabled: bool,
    refuses_arm_tokens: bool,
    /// The admin user's passwords. Each is sealed under the service key and not hashed, so that it can be shown again.
    admin_passwords: Option<[String; 2]>,
}

/// The login settings of a registry.
#[derive(Clone, Copy, Debug)]
pub struct LoginSettings {
    /// True if the admin user is enabled. It has the registry's name and all permissions:
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-authentication#admin-account>
    pub admin_enabled: bool,
    /// True if everybody may pull without a login:
    /// <https://learn.microsoft.com/azure/container-registry/anonymous-pull-access>
    pub anonymous_pull_enabled: bool,
    /// True if Entra's tokens for Resource Manager log in, too, besides those for registries:
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-disable-authentication-as-arm>
    pub accepts_arm_tokens: bool,
}

/// A change of the login settings. What is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginChange {
    /// See [`LoginSettings::admin_enabled`].
    pub admin_enabled: Option<bool>,
    /// See [`LoginSettings::anonymous_pull_enabled`].
    pub anonymous_pull_enabled: Option<bool>,
    /// See [`LoginSettings::accepts_arm_tokens`].
    pub accepts_arm_tokens: Option<bool>,
}

/// The admin user's name and passwords.
pub struct AdminCredentials {
    /// The registry's name.
    pub user: String,
    /// `password` and `password2`. Either works.
    pub passwords: [Zeroizing<String>; 2],
}

impl LoginRecord {
    /// Makes a change. Generates the admin user's passwords when it is first enabled.
    fn change(&mut self, change: LoginChange, service_key: &ServiceKey, registry: &str) {
        let LoginChange {
            admin_enabled,
            anonymous_pull_enabled,
            accepts_arm_tokens,
        } = change;
        self.admin_enabled = admin_enabled.unwrap_or(self.admin_enabled);
        self.anonymous_pull_enabled = anonymous_pull_enabled.unwrap_or(self.anonymous_pull_enabled);
        self.refuses_arm_tokens = accepts_arm_tokens.map_or(self.refuses_arm_tokens, |it| !it);
        if self.admin_enabled && self.admin_passwords.is_none() {
            self.admin_passwords = Some(
                PasswordName::BOTH
                    .map(|name| seal_password(service_key, registry, name, &password::generate())),
            );
        }
    }
}

/// Anonymous pull needs the tier Standard or Premium.
///
/// <https://learn.microsoft.com/azure/container-registry/anonymous-pull-access>
fn anonymous_pull_needs_standard(name: &RegistryName, sku: Sku) -> Result<(), Refusal> {
    if sku == Sku::Basic {
        return Err(Refusal::AnonymousPullTier(name.clone()));
    }
    Ok(())
}

impl Registries {
    /// Adds a change of login settings to a batch that puts the registry's record.
    pub(crate) async fn plan_logins(
        &self,
        registry: &RegistryRecord,
        change: LoginChange,
        batch: Batch,
    ) -> Result<Batch, Error> {
        if change == LoginChange::default() {
            return Ok(batch);
        }
        if change.anonymous_pull_enabled == Some(true) {
            anonymous_pull_needs_standard(&registry.name, registry.sku)?;
        }
        let id = registry.id.to_string();
        let existing = self.store.get(&LOGINS, &[&id]).await?;
        let mut record = existing
            .as_ref()
            .map(|existing| existing.value.clone())
            .unwrap_or_default();
        record.change(change, &self.service_key, &id);
        Ok(batch
            .expect_same(&LOGINS, &[&id], existing.as_ref())
            .put(&LOGINS, &[&id], &record))
    }
}

impl Registry {
    /// Returns the login settings.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn login_settings(&self) -> Result<LoginSettings, Error> {
        let record = self.login_record().await?;
        let record = record.map(|record| record.value).unwrap_or_default();
        Ok(self.effective_login_settings(&record))
    }

    fn effective_login_settings(&self, record: &LoginRecord) -> LoginSettings {
        LoginSettings {
            admin_enabled: record.admin_enabled,
            // The tier may have changed since.
            anonymous_pull_enabled: record.anonymous_pull_enabled
                && anonymous_pull_needs_standard(&self.record.name, self.record.sku).is_ok(),
            accepts_arm_tokens: !record.refuses_arm_tokens,
        }
    }

    /// Changes the login settings.
    ///
    /// # Errors
    /// [`Refusal::AnonymousPullTier`]
    pub async fn update_login(&self, change: LoginChange) -> Result<LoginSettings, Error> {
        if change.anonymous_pull_enabled == Some(true) {
            anonymous_pull_needs_standard(&self.record.name, self.record.sku)?;
        }
        let changed =
            self.change_login(|record| record.change(change, &self.service_key, &self.id));
        Ok(self.effective_login_settings(&changed.await?))
    }

    /// Returns the admin user's name and passwords.
    ///
    /// # Errors
    /// [`Refusal::AdminDisabled`]
    pub async fn admin_credentials(&self) -> Result<AdminCredentials, Error> {
        let passwords = self
            .admin_passwords()
            .await?
            .ok_or_else(|| Refusal::AdminDisabled(self.record.name.clone()))?;
        Ok(AdminCredentials {
            user: self.record.name.to_string(),
            passwords,
        })
    }

    /// Replaces one of the admin user's passwords. The old one stops working.
    ///
    /// # Errors
    /// [`Refusal::AdminDisabled`]
    pub async fn regenerate_admin_password(
        &self,
        name: PasswordName,
    ) -> Result<AdminCredentials, Error> {
        self.admin_credentials().await?;
        self.change_login(|record| {
            if let Some(passwords) = &mut record.admin_passwords {
                passwords[name.index()] =
                    seal_password(&self.service_key, &self.id, name, &password::generate());
            }
        })
        .await?;
        self.admin_credentials().await
    }

    /// Logs in `user` with `password`: the admin user, a token or an application.
    pub(crate) async fn log_in(
        &self,
        user: &str,
        password: &str,
    ) -> Result<Result<Caller, LoginRefusal>, Error> {
        let named = |permissions| Caller::named(user, permissions);
        let unknown = match self.log_in_admin(user, password).await? {
            Err(refusal) if refusal.is_unknown_user() => refusal,
            outcome => return Ok(outcome.map(named)),
        };
        match self.log_in_token(user, password).await? {
            Err(refusal) if refusal.is_unknown_user() => {}
            outcome => return Ok(outcome.map(named)),
        }
        match self.log_in_application(user, password).await? {
            Err(refusal) if refusal.is_unknown_user() => Ok(Err(unknown)),
            outcome => Ok(outcome),
        }
    }

    async fn log_in_admin(
        &self,
        user: &str,
        password: &str,
    ) -> Result<Result<Permissions, LoginRefusal>, Error> {
        if user != self.record.name.as_str() {
            return Ok(Err(LoginRefusal::unknown(user)));
        }
        let Some(passwords) = self.admin_passwords().await? else {
            return Ok(Err(LoginRefusal::AdminDisabled));
        };
        let is_correct = passwords.iter().fold(false, |is_correct, known| {
            is_correct | bool::from(known.as_bytes().ct_eq(password.as_bytes()))
        });
        Ok(if is_correct {
            Ok(Permissions::admin())
        } else {
            Err(LoginRefusal::AdminPasswordWrong)
        })
    }

    /// Returns `None` while the admin user is disabled.
    async fn admin_passwords(&self) -> Result<Option<[Zeroizing<String>; 2]>, Error> {
        let Some(record) = self
            .login_record()
            .await?
            .filter(|record| record.admin_enabled)
        else {
            return Ok(None);
        };
        let Some([first, second]) = &record.admin_passwords else {
            return Ok(None);
        };
        Ok(Some([
            self.open_password(PasswordName::Password1, first)?,
            self.open_password(PasswordName::Password2, second)?,
        ]))
    }

    async fn change_login(
        &self,
        change: impl Fn(&mut LoginRecord) + Send,
    ) -> Result<LoginRecord, Error> {
        let _publication = self.lock_publication().await?;
        let changed = self.store.update(|| async {
            let existing = self.login_record().await?;
            let mut record = existing
                .as_ref()
                .map(|existing| existing.value.clone())
                .unwrap_or_default();
            change(&mut record);
            let batch = Batch::new()
                .expect_same(&LOGINS, &[&self.id], existing.as_ref())
                .put(&LOGINS, &[&self.id], &record);
            Ok((batch, record))
        });
        changed.await
    }

    async fn login_record(&self) -> Result<Option<Record<LoginRecord>>, Error> {
        Ok(self.store.get(&LOGINS, &[&self.id]).await?)
    }

    fn open_password(&self, name: PasswordName, sealed: &str) -> Result<Zeroizing<String>, Error> {
        let damaged = || Error::Internal("a sealed password of the admin user is damaged".into());
        let sealed = STANDARD.decode(sealed).map_err(|_| damaged())?;
        let key = self.service_key.record_key();
        let password = key
            .open(password_context(&self.id, name).as_bytes(), &sealed)
            .map_err(|_| damaged())?;
        let password = str::from_utf8(&password).map_err(|_| damaged())?;
        Ok(Zeroizing::new(password.to_owned()))
    }
}

fn seal_password(
    service_key: &ServiceKey,
    registry: &str,
    name: PasswordName,
    password: &str,
) -> String {
    let context = password_context(registry, name);
    let key = service_key.record_key();
    STANDARD.encode(key.seal(context.as_bytes(), password.as_bytes()))
}

fn password_context(registry: &str, name: PasswordName) -> String {
    format!("admin password {registry} {}", name.index())
}
