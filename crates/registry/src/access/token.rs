use jiff::{SignedDuration, Timestamp};
use sealock_core::{ScopeMapName, TokenName};
use sealock_entra::{Caller, SystemData};
use sealock_store::{Batch, Record, Table};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    Error, LoginRefusal, Refusal, Registry,
    access::password::{self, PasswordName},
    access::permissions::Permissions,
};

pub(crate) const TOKENS: Table<TokenRecord> = Table::content("tokens");

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TokenRecord {
    scope_map: ScopeMapName,
    enabled: bool,
    passwords: [Option<PasswordRecord>; 2],
    system_data: SystemData,
}

impl TokenRecord {
    /// Checks that the token `name` may log in with `password` now.
    fn check(&self, name: TokenName, password: &str, now: Timestamp) -> Result<(), LoginRefusal> {
        let given = hash(password);
        let mut passwords = self.passwords.iter().flatten().peekable();
        if !self.enabled {
            return Err(LoginRefusal::TokenDisabled(name));
        }
        if passwords.peek().is_none() {
            return Err(LoginRefusal::TokenPasswordMissing(name));
        }
        let matching = passwords
            .filter(|password| bool::from(password.sha256.as_bytes().ct_eq(given.as_bytes())));
        // If both passwords match, the one that expires later counts.
        let expiries = matching.map(|password| password.expires);
        match expiries.max_by_key(|expires| expires.unwrap_or(Timestamp::MAX)) {
            None => Err(LoginRefusal::TokenPasswordWrong(name)),
            Some(Some(expires)) if expires <= now => Err(LoginRefusal::TokenPasswordExpired(name)),
            Some(_) => Ok(()),
        }
    }
}

/// The record of a token's password. It has only the hash: nobody finds a long random password from its hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PasswordRecord {
    sha256: String,
    created: Timestamp,
    expires: Option<Timestamp>,
}

/// A repository-scoped token: a user with the permissions of a scope map.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-token-based-repository-permissions>
#[derive(Clone, Debug)]
pub struct Token {
    /// Its name, which is also its user name.
    pub name: TokenName,
    /// Its scope map.
    pub scope_map: ScopeMapName,
    /// True if it may log in.
    pub enabled: bool,
    /// Its passwords, without the secrets.
    pub passwords: Vec<TokenPassword>,
    /// Its history.
    pub system_data: SystemData,
}

/// A change of a token. What is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct TokenChange {
    /// Its scope map. A new token needs one.
    pub scope_map: Option<ScopeMapName>,
    /// Permits or refuses logins.
    pub enabled: Option<bool>,
    /// The passwords that are not removed.
    pub kept_passwords: Option<Vec<PasswordName>>,
}

/// One of a token's passwords.
#[derive(Clone, Debug)]
pub struct TokenPassword {
    /// Its name.
    pub name: PasswordName,
    /// The time of its creation.
    pub created: Timestamp,
    /// The time of its expiry by the emulator's clock. `None` if it never expires.
    pub expires: Option<Timestamp>,
}

impl Token {
    fn stored(name: TokenName, record: TokenRecord) -> Self {
        let passwords = PasswordName::BOTH.into_iter().zip(record.passwords);
        Self {
            name,
            scope_map: record.scope_map,
            enabled: record.enabled,
            passwords: passwords
                .filter_map(|(name, password)| {
                    let PasswordRecord {
                        created, expires, ..
                    } = password?;
                    Some(TokenPassword {
                        name,
                        created,
                        expires,
                    })
                })
                .collect(),
            system_data: record.system_data,
        }
    }
}

impl Registry {
    /// Lists the tokens.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tokens(&self) -> Result<Vec<Token>, Error> {
        let tokens = self.named_records(&TOKENS).await?.into_iter();
        Ok(tokens
            .map(|(name, record)| Token::stored(name, record))
            .collect())
    }

    /// Returns the token of this name.
    ///
    /// # Errors
    /// [`Refusal::TokenUnknown`]
    pub async fn token(&self, name: &TokenName) -> Result<Token, Error> {
        Ok(Token::stored(
            name.clone(),
            self.token_record(name).await?.value,
        ))
    }

    /// Creates a token without passwords, or changes an existing one. The returned flag is true for a new token.
    ///
    /// # Errors
    /// [`Refusal::ScopeMapUnknown`]; [`Refusal::ScopeMapMissing`] for a new token without one.
    pub async fn put_token(
        &self,
        name: &TokenName,
        change: &TokenChange,
        author: &Caller,
    ) -> Result<(Token, bool), Error> {
        let _publication = self.lock_publication().await?;
        let (key, now) = ([&*self.id, name.as_str()], self.clock.now());
        let put = self.store.update(|| async {
            let existing = self.store.get(&TOKENS, &key).await?;
            let mut record = match (&existing, &change.scope_map) {
                (Some(existing), _) => TokenRecord {
                    system_data: existing.system_data.clone().changed_by(author, now),
                    ..existing.value.clone()
                },
                (None, Some(scope_map)) => TokenRecord {
                    scope_map: scope_map.clone(),
                    enabled: true,
                    passwords: [None, None],
                    system_data: SystemData::new(author, now),
                },
                (None, None) => return Err(Refusal::ScopeMapMissing(name.clone()).into()),
            };
            if let Some(scope_map) = &change.scope_map {
                record.scope_map = scope_map.clone();
            }
            record.enabled = change.enabled.unwrap_or(record.enabled);
            if let Some(kept) = &change.kept_passwords {
                for password in PasswordName::BOTH {
                    if !kept.contains(&password) {
                        record.passwords[password.index()] = None;
                    }
                }
            }
            let batch = Batch::new()
                .expect_same(&TOKENS, &key, existing.as_ref())
                .put(&TOKENS, &key, &record);
            let batch = self.assign_scope_map(&record.scope_map, batch).await?;
            let token = Token::stored(name.clone(), record);
            Ok((batch, (token, existing.is_none())))
        });
        put.await
    }

    /// Replaces one of a token's passwords, and returns the new one. It cannot be read again.
    ///
    /// # Errors
    /// [`Refusal::TokenUnknown`]
    pub async fn generate_password(
        &self,
        token: &TokenName,
        password: PasswordName,
        valid_for: Option<SignedDuration>,
    ) -> Result<Zeroizing<String>, Error> {
        let secret = password::generate();
        let created = self.clock.now();
        let expires = valid_for
            .map(|valid_for| created.checked_add(valid_for))
            .transpose()
            .map_err(|_| Refusal::ExpiryTooFar)?;
        let new = PasswordRecord {
            sha256: hash(&secret),
            created,
            expires,
        };
        let key = [&*self.id, token.as_str()];
        let changed = self.store.update(|| async {
            let existing = self.token_record(token).await?;
            let mut record = existing.value.clone();
            record.passwords[password.index()] = Some(new.clone());
            let batch = Batch::new()
                .expect(&TOKENS, &key, &existing)
                .put(&TOKENS, &key, &record);
            Ok::<_, Error>((batch, ()))
        });
        changed.await?;
        Ok(secret)
    }

    /// Deletes a token.
    ///
    /// # Errors
    /// [`Refusal::TokenUnknown`]
    pub async fn delete_token(&self, name: &TokenName) -> Result<(), Error> {
        let key = [&*self.id, name.as_str()];
        let deleted = self.store.update(|| async {
            let existing = self.token_record(name).await?;
            let batch = Batch::new()
                .expect(&TOKENS, &key, &existing)
                .delete(&TOKENS, &key);
            Ok((batch, ()))
        });
        deleted.await
    }

    /// Logs in the token `user` with `password`, and returns its permissions.
    pub(crate) async fn log_in_token(
        &self,
        user: &str,
        password: &str,
    ) -> Result<Result<Permissions, LoginRefusal>, Error> {
        let unknown = || LoginRefusal::unknown(user);
        let Ok(name) = user.parse::<TokenName>() else {
            return Ok(Err(unknown()));
        };
        let Some(token) = self.store.get(&TOKENS, &[&self.id, name.as_str()]).await? else {
            return Ok(Err(unknown()));
        };
        if let Err(refusal) = token.check(name.clone(), password, self.clock.now()) {
            return Ok(Err(refusal));
        }
        match self.scope_map(&token.scope_map).await {
            Ok(scope_map) => Ok(Ok(scope_map.permissions())),
            Err(Error::Refused(Refusal::ScopeMapUnknown {
                name: scope_map, ..
            })) => Ok(Err(LoginRefusal::ScopeMapMissing {
                token: name,
                scope_map,
            })),
            Err(error) => Err(error),
        }
    }

    async fn token_record(&self, name: &TokenName) -> Result<Record<TokenRecord>, Error> {
        let record = self.store.get(&TOKENS, &[&self.id, name.as_str()]).await?;
        record.ok_or_else(|| {
            Refusal::TokenUnknown {
                registry: self.record.name.clone(),
                name: name.clone(),
            }
            .into()
        })
    }
}

fn hash(password: &str) -> String {
    hex::encode(Sha256::digest(password.as_bytes()))
}
