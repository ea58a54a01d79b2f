use schemars::JsonSchema;
use sealock_core::{RegistryName, ScopeMapName, TokenName};
use serde::{Deserialize, Serialize};

use crate::{Secret, Time, word::words};

/// The logins of a registry besides tokens.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LoginSettings {
    /// True if the admin user may log in.
    pub admin_enabled: bool,
    /// True if everybody may pull without a login.
    pub anonymous_pull_enabled: bool,
}

/// A change of a registry's logins. What it does not name stays.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LoginChange {
    /// True if the admin user may log in.
    pub admin_enabled: Option<bool>,
    /// True if everybody may pull without a login.
    pub anonymous_pull_enabled: Option<bool>,
}

/// The admin user of a registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AdminCredentials {
    /// The user's name: the registry's.
    pub username: RegistryName,
    /// The passwords, either of which serves.
    pub passwords: Vec<AdminPassword>,
}

/// A password of the admin user.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AdminPassword {
    /// Its name.
    pub name: AdminPasswordName,
    /// The password.
    pub value: Secret,
}

/// The tokens of a registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Tokens {
    /// Each token.
    pub tokens: Vec<Token>,
}

/// A repository-scoped token: a user whose scope map says what it may do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Its name, which is its user name.
    pub name: TokenName,
    /// The scope map with its actions.
    pub scope_map: ScopeMapName,
    /// True if it may log in.
    pub enabled: bool,
    /// The passwords that it has, without the secrets.
    pub passwords: Vec<TokenPassword>,
    /// The time of its creation.
    pub created: Time,
}

/// A password of a token, without the secret.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TokenPassword {
    /// Its name.
    pub name: TokenPasswordName,
    /// The time of its creation.
    pub created: Time,
    /// The time at which it ends, by the emulator's clock. Null if it never does.
    pub expires: Option<Time>,
}

/// A token as it is to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenChange {
    /// The scope map with its actions. A new token needs one.
    pub scope_map: Option<ScopeMapName>,
    /// True if it may log in.
    pub enabled: Option<bool>,
    /// The life of the two passwords that a new token gets. It gets none unless said.
    pub passwords: Option<PasswordLife>,
}

/// A token that was put, with the passwords that were made for it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TokenWithPasswords {
    /// The token.
    #[serde(flatten)]
    pub token: Token,
    /// The passwords. They are shown this once.
    pub generated: Vec<NewPassword>,
}

/// The life of a password to be made.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordLife {
    /// The number of days until it ends. It never does unless said.
    pub days: Option<u32>,
}

/// A password that was just made. It is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewPassword {
    /// The user's name: the token's.
    pub username: TokenName,
    /// The password's name.
    pub name: TokenPasswordName,
    /// The password.
    pub value: Secret,
}

/// The scope maps of a registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ScopeMaps {
    /// Each scope map, those that every registry has included.
    pub scope_maps: Vec<ScopeMap>,
}

/// A scope map: the actions of the tokens that have it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ScopeMap {
    /// Its name.
    pub name: ScopeMapName,
    /// Its description.
    pub description: Option<String>,
    /// Its actions, such as `repositories/hello/content/read`.
    pub actions: Vec<String>,
    /// The time of its creation. Null if every registry has it.
    pub created: Option<Time>,
}

/// A scope map as it is to be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeMapChange {
    /// Its description.
    pub description: Option<String>,
    /// Its actions, such as `repositories/hello/content/read`.
    pub actions: Vec<String>,
}

words! {
    /// The name of an admin user's password.
    pub enum AdminPasswordName, "password of the admin user" {
        /// The first.
        First = "password",
        /// The second.
        Second = "password2",
    }
}

words! {
    /// The name of a token's password.
    pub enum TokenPasswordName, "password of a token" {
        /// The first.
        First = "password1",
        /// The second.
        Second = "password2",
    }
}
