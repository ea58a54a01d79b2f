use schemars::JsonSchema;
use sealock_core::{RegistryName, ScopeMapName, TokenName};
use serde::{Deserialize, Serialize};

use crate::{Secret, Time, word::words};

/// The login settings of a registry.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LoginSettings {
    /// True if the admin user may log in.
    pub admin_enabled: bool,
    /// True if clients may pull without a login.
    pub anonymous_pull_enabled: bool,
}

/// A change of a registry's login settings. Absent fields keep their values.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LoginChange {
    /// True if the admin user may log in.
    pub admin_enabled: Option<bool>,
    /// True if clients may pull without a login.
    pub anonymous_pull_enabled: Option<bool>,
}

/// The admin user of a registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AdminCredentials {
    /// The user name, which is the registry's name.
    pub username: RegistryName,
    /// The passwords. Both are valid.
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
    /// The tokens.
    pub tokens: Vec<Token>,
}

/// A repository-scoped token: a user with the permissions of a scope map.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Its name, which is its user name.
    pub name: TokenName,
    /// The scope map with its permissions.
    pub scope_map: ScopeMapName,
    /// True if it may log in.
    pub enabled: bool,
    /// Its passwords, without the secrets.
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
    /// The time at which it expires, by the emulator's clock. Null if it never expires.
    pub expires: Option<Time>,
}

/// The properties of a token to create or change. Absent fields keep their values.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenChange {
    /// The scope map with its permissions. Required for a new token.
    pub scope_map: Option<ScopeMapName>,
    /// True if it may log in.
    pub enabled: Option<bool>,
    /// The lifetime of the two passwords of a new token. If absent, the token gets no passwords.
    pub passwords: Option<PasswordLife>,
}

/// A token after its creation or change, with its generated passwords.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TokenWithPasswords {
    /// The token.
    #[serde(flatten)]
    pub token: Token,
    /// The generated passwords. No other response shows them.
    pub generated: Vec<NewPassword>,
}

/// The lifetime of a password to generate.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordLife {
    /// The number of days until it expires. If absent, it never expires.
    pub days: Option<u32>,
}

/// A generated password. No other response shows it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewPassword {
    /// The user name, which is the token's name.
    pub username: TokenName,
    /// The password's name.
    pub name: TokenPasswordName,
    /// The password.
    pub value: Secret,
}

/// The scope maps of a registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ScopeMaps {
    /// The scope maps, including the predefined ones.
    pub scope_maps: Vec<ScopeMap>,
}

/// A scope map: a named set of permissions for tokens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ScopeMap {
    /// Its name.
    pub name: ScopeMapName,
    /// Its description.
    pub description: Option<String>,
    /// Its actions, such as `repositories/hello/content/read`.
    pub actions: Vec<String>,
    /// The time of its creation. Null if it is predefined.
    pub created: Option<Time>,
}

/// The properties of a scope map to create or change.
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
