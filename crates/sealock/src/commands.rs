use std::{fmt::Display, path::Path};

use clap::parser::ValueSource;
use sealock_api::{Cause, Hint, KeyPermission, NamedPrincipal, Problem, StorageProblem};
use sealock_core::{IdentityName, KeyName, RegistryName};

use crate::output::quoted;

/// The port of an emulator whose URL is not given.
pub(crate) const DEFAULT_PORT: u16 = 5000;

/// The permissions that `sealock access grant` grants by default.
const GRANTED_BY_DEFAULT: [KeyPermission; 3] = [
    KeyPermission::Get,
    KeyPermission::WrapKey,
    KeyPermission::UnwrapKey,
];

/// The rotation policy of [`Hint::RotateByPolicy`].
const EVERY_18_MONTHS: &str = r#"{"lifetimeActions": [{"trigger": {"timeAfterCreate": "P18M"}, "action": {"type": "Rotate"}}], "attributes": {}}"#;

/// The commands that a user can run next, on the same emulator.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    program: String,
    /// ` --emulator URL`, or nothing if the command finds the emulator without it.
    option: String,
}

impl Default for Commands {
    fn default() -> Self {
        Self {
            program: "sealock".to_owned(),
            option: String::new(),
        }
    }
}

impl Commands {
    /// Creates commands for `emulator`, whose URL comes from `source`.
    pub(crate) fn new(emulator: &str, source: ValueSource) -> Self {
        match source {
            ValueSource::CommandLine => Self::default().for_emulator(emulator),
            _ => Self::default(),
        }
    }

    /// Creates commands that run the program at `path`.
    pub(crate) fn of_program(path: String) -> Self {
        Self {
            program: path,
            option: String::new(),
        }
    }

    /// Returns the same commands for `emulator`.
    pub(crate) fn for_emulator(self, emulator: &str) -> Self {
        Self {
            option: format!(" --emulator {emulator}"),
            ..self
        }
    }

    /// Returns the same commands for the emulator at a port of this machine.
    pub(crate) fn for_port(self, port: u16) -> Self {
        match port {
            DEFAULT_PORT => self,
            port => self.for_emulator(&format!("http://localhost:{port}")),
        }
    }

    /// Returns the command line with these words.
    pub(crate) fn command(&self, words: impl Display) -> String {
        format!("{} {words}{}", self.program, self.option)
    }

    /// Returns the command that carries out a hint, or `None` if there is none.
    #[expect(clippy::too_many_lines, reason = "a table")]
    pub(crate) fn for_hint(&self, hint: &Hint) -> Option<String> {
        let words = match hint {
            Hint::Advice { .. }
            | Hint::AllowPurge
            | Hint::AwaitDelay
            | Hint::AwaitRetention
            | Hint::NameEncryption
            | Hint::NameKeyAndIdentity
            | Hint::Unknown => {
                return None;
            }
            Hint::AllowAllAddresses { vault } => {
                format!(
                    "vault network update {vault} --default-action allow --public-access enabled"
                )
            }
            Hint::AssignIdentity { registry, identity } => {
                format!("registry identity assign {identity} --registry {registry}")
            }
            Hint::AllowAzureServices { vault } => {
                format!("vault network update {vault} --bypass azure-services")
            }
            Hint::AssignRole {
                role,
                principal,
                vault,
            } => {
                let vault = vault.as_ref().map_or("NAME", |vault| vault.as_str());
                let principal = principal_option(principal);
                format!("role assign --role \"{role}\" {principal} --vault {vault}")
            }
            Hint::ChangeEncryption { registry } => {
                format!("registry rotate-key {registry} --key KEY --identity NAME")
            }
            Hint::ChangeIdentity { registry } => {
                format!("registry identity assign NAME --registry {registry}")
            }
            Hint::CollectGarbage { registry } => match registry {
                Some(registry) => format!("registry gc {registry}"),
                None => "registry gc".to_owned(),
            },
            Hint::CreateApplication { application } => format!("app create {application}"),
            Hint::CreateIdentity { identity } => format!("identity create {identity}"),
            Hint::CreateKey { vault, key } => format!("key create {key} --vault {vault}"),
            Hint::CreatePremiumVault => "vault create NAME --sku premium".to_owned(),
            Hint::CreateRegistry { registry } => format!("registry create {registry}"),
            Hint::CreateVault { vault } => format!("vault create {vault}"),
            Hint::CreateVaultAndRestoreKey { vault, .. } => {
                let create = self.command(format_args!("vault create {vault}"));
                let restore =
                    self.command(format_args!("key restore --vault {vault} --file BACKUP"));
                return Some(format!("{create} && {restore}"));
            }
            Hint::DeleteKey { vault, key } => format!("key delete {key} --vault {vault}"),
            Hint::DeleteVault { vault } => format!("vault delete {vault}"),
            Hint::EmptyQuarantine => "registry gc --orphans".to_owned(),
            Hint::EnableAdmin { registry } => {
                format!("registry update {registry} --admin-enabled true")
            }
            Hint::EnableKey {
                vault,
                key,
                version,
            } => format!("key enable {key} --vault {vault} --version {version}"),
            Hint::ExpireKeyLater {
                vault,
                key,
                version,
            } => format!("key update {key} --vault {vault} --version {version} --expires TIME"),
            Hint::FailBack { vault } => format!("vault update {vault} --failed-over false"),
            Hint::FollowKey {
                registry,
                vault,
                key,
            } => format!("registry rotate-key {registry} --key {vault}/{key}"),
            Hint::GrantAccess {
                vault,
                principal,
                permissions,
            } => {
                let principal = principal_option(principal);
                if **permissions == GRANTED_BY_DEFAULT {
                    format!("access grant --vault {vault} {principal}")
                } else {
                    let permissions = comma_separated(permissions);
                    format!("access grant --vault {vault} {principal} --permissions {permissions}")
                }
            }
            Hint::ListApplications => "app list".to_owned(),
            Hint::ListIdentities => "identity list".to_owned(),
            Hint::ListKeys { vault } => format!("key list --vault {vault}"),
            Hint::ListOperations => "operation list".to_owned(),
            Hint::ListRegistries => "registry list".to_owned(),
            Hint::ListRegistryIdentities { registry } => {
                format!("registry identity list {registry}")
            }
            Hint::ListRoleAssignments => "role list".to_owned(),
            Hint::ListScopeMaps { registry } => {
                format!("registry scope-map list --registry {registry}")
            }
            Hint::ListTokens { registry } => format!("registry token list --registry {registry}"),
            Hint::ListVaults => "vault list".to_owned(),
            Hint::MoveToNewVault {
                registry,
                key,
                identity,
            } => return Some(self.move_to_new_vault(registry, key, identity)),
            Hint::PermitOperations {
                vault,
                key,
                version,
                operations,
            } => format!(
                "key update {key} --vault {vault} --version {version} --ops {}",
                comma_separated(operations)
            ),
            Hint::PurgeKey { vault, key } => format!("key purge {key} --vault {vault} --yes"),
            Hint::PurgeVault { vault } => format!("vault purge {vault} --yes"),
            Hint::AwaitDelayAndRecoverKey { vault, key } | Hint::RecoverKey { vault, key } => {
                format!("key recover {key} --vault {vault}")
            }
            Hint::RecoverVault { vault } => format!("vault recover {vault}"),
            Hint::RecoverVaultAndKey { vault, key } => {
                let of_vault = self.command(format_args!("vault recover {vault}"));
                let of_key = self.command(format_args!("key recover {key} --vault {vault}"));
                return Some(format!("{of_vault} && {of_key}"));
            }
            Hint::RemoveRole {
                role,
                principal,
                scope,
            } => {
                let principal = principal_option(principal);
                let scope = quoted(Path::new(scope));
                format!("role remove --role \"{role}\" {principal} --scope {scope}")
            }
            Hint::ReplaceKey { vault, key } => {
                let delete = self.command(format_args!("key delete {key} --vault {vault}"));
                let purge = self.command(format_args!("key purge {key} --vault {vault} --yes"));
                return Some(format!("{delete} && {purge}"));
            }
            Hint::RestoreKey { vault, .. } => {
                format!("key restore --vault {vault} --file BACKUP")
            }
            Hint::RevokeAccess {
                vault,
                principal,
                permissions,
            } => {
                let principal = principal_option(principal);
                let permissions = comma_separated(permissions);
                format!("access revoke --vault {vault} {principal} --permissions {permissions}")
            }
            Hint::RotateByPolicy { vault, key } => {
                let update = self.command(format_args!(
                    "key rotation-policy update {key} --vault {vault} --file /dev/stdin"
                ));
                return Some(format!("echo '{EVERY_18_MONTHS}' | {update}"));
            }
            Hint::RotateKey { vault, key } => format!("key rotate {key} --vault {vault}"),
            Hint::ShowAudit => "audit --result refused".to_owned(),
            Hint::ShowKey { vault, key } => format!("key show {key} --vault {vault}"),
            Hint::ShowStatus => "status".to_owned(),
            Hint::ShowVault { vault } => format!("vault show {vault}"),
            Hint::StartKeyEarlier {
                vault,
                key,
                version,
            } => format!("key update {key} --vault {vault} --version {version} --not-before TIME"),
            Hint::TurnOnPurgeProtection { vault } => {
                format!("vault update {vault} --purge-protection true")
            }
            Hint::Verify => "verify".to_owned(),
        };
        Some(self.command(words))
    }

    fn move_to_new_vault(
        &self,
        registry: &RegistryName,
        key: &KeyName,
        identity: &IdentityName,
    ) -> String {
        let steps = [
            "vault create NAME --purge-protection".to_owned(),
            format!("key create {key} --vault NAME"),
            format!("access grant --vault NAME --identity {identity}"),
            format!("registry rotate-key {registry} --key NAME/{key}"),
        ];
        steps.map(|words| self.command(words)).join(" && ")
    }

    /// Renders hints as one sentence, or `None` if there are none.
    pub(crate) fn sentence(&self, hints: &[Hint]) -> Option<String> {
        let known = hints.iter().filter(|hint| **hint != Hint::Unknown);
        let clauses: Vec<_> = known.map(|hint| self.clause(hint)).collect();
        (!clauses.is_empty()).then(|| clauses.join("; or "))
    }

    /// Renders the hints of a refusal, preceded by the cause that its text leaves out.
    pub(crate) fn advice(&self, problem: &Problem) -> Option<String> {
        let clauses = problem.cause.map(|cause| describe_cause(cause).to_owned());
        let clauses: Vec<_> = clauses
            .into_iter()
            .chain(self.sentence(&problem.hints))
            .collect();
        (!clauses.is_empty()).then(|| clauses.join("; "))
    }

    /// Renders the remedy for a problem of the store.
    pub(crate) fn remedy(&self, problem: &StorageProblem) -> String {
        match self.sentence(&problem.hints) {
            Some(hints) => format!("{}; or {hints}", problem.remedy),
            None => problem.remedy.clone(),
        }
    }

    fn clause(&self, hint: &Hint) -> String {
        let action = describe_action(hint);
        match (self.for_hint(hint), explain_placeholder(hint)) {
            (Some(command), Some(meaning)) => format!("{action} with: {command}, where {meaning}"),
            (Some(command), None) => format!("{action} with: {command}"),
            (None, _) => action.to_owned(),
        }
    }
}

/// Explains the placeholder in the command of a hint, unless its name is clear.
pub(crate) fn explain_placeholder(hint: &Hint) -> Option<String> {
    match hint {
        Hint::ChangeIdentity { .. } => {
            Some("NAME is an identity with access to the key".to_owned())
        }
        Hint::MoveToNewVault { .. } => Some("NAME is the name of the new vault".to_owned()),
        Hint::CreateVaultAndRestoreKey { key, .. } | Hint::RestoreKey { key, .. } => {
            Some(format!("BACKUP is the backup file of {key}"))
        }
        _ => None,
    }
}

/// Describes the action that a hint suggests, without the command.
fn describe_action(hint: &Hint) -> &str {
    match hint {
        Hint::Advice { text } => text,
        Hint::AllowPurge => "to confirm, add --yes",
        Hint::AllowAllAddresses { .. } => "let every address in",
        Hint::AllowAzureServices { .. } => "let trusted Azure services in",
        Hint::AssignIdentity { .. } => "assign it again",
        Hint::AssignRole { vault: None, .. } => "assign it in a vault",
        Hint::AssignRole { .. } => "assign a role",
        Hint::AwaitDelay => {
            "wait until fidelity.keyvault_delete_delay has passed, or advance the clock"
        }
        Hint::AwaitDelayAndRecoverKey { .. } => {
            "wait until fidelity.keyvault_delete_delay has passed, or advance the clock; then recover it"
        }
        Hint::AwaitRetention => "wait until it is purged at the end of its retention",
        Hint::ChangeEncryption { .. } => "change it",
        Hint::ChangeIdentity { .. } => "assign another identity",
        Hint::CollectGarbage { .. } => "remove unreferenced blobs",
        Hint::CreateApplication { .. }
        | Hint::CreateIdentity { .. }
        | Hint::CreateKey { .. }
        | Hint::CreateRegistry { .. }
        | Hint::CreateVault { .. } => "create it",
        Hint::CreatePremiumVault => "create a premium vault",
        Hint::CreateVaultAndRestoreKey { .. } | Hint::RestoreKey { .. } => "restore the key",
        Hint::DeleteKey { .. } | Hint::DeleteVault { .. } => {
            "it is not deleted; to purge it, delete it first"
        }
        Hint::EmptyQuarantine => "empty the quarantine",
        Hint::EnableAdmin { .. } | Hint::EnableKey { .. } => "enable it",
        Hint::ExpireKeyLater { .. } => "postpone its expiry",
        Hint::FailBack { .. } => "end the failover",
        Hint::FollowKey { .. } => "follow the key's current version",
        Hint::GrantAccess { .. } => "grant it",
        Hint::ListApplications => "list the applications",
        Hint::ListIdentities => "list the identities",
        Hint::ListKeys { .. } => "list the vault's keys, including deleted ones,",
        Hint::ListOperations => "list the operations",
        Hint::ListRegistries => "list the registries",
        Hint::ListRegistryIdentities { .. } => "list its identities",
        Hint::ListRoleAssignments => "list the role assignments",
        Hint::ListScopeMaps { .. } => "list the scope maps",
        Hint::ListTokens { .. } => "list the tokens",
        Hint::ListVaults => "list the vaults, including deleted ones,",
        Hint::MoveToNewVault { .. } => "move to a key in a new vault",
        Hint::NameEncryption => "pass its --key and --identity again",
        Hint::NameKeyAndIdentity => "pass both --key and --identity",
        Hint::PermitOperations { .. } => "permit the operation",
        Hint::PurgeKey { .. } | Hint::PurgeVault { .. } => "purge it",
        Hint::RecoverKey { .. } | Hint::RecoverVault { .. } | Hint::RecoverVaultAndKey { .. } => {
            "recover it"
        }
        Hint::RemoveRole { .. } => "remove the role",
        Hint::RevokeAccess { .. } => "revoke it",
        Hint::RotateByPolicy { .. } => "rotate it every 18 months",
        Hint::RotateKey { .. } => "rotate it",
        Hint::ReplaceKey { .. } => {
            "a key of this name already exists, and needs no restore if it is the same; to replace it, purge it"
        }
        Hint::ShowAudit => "see what the vault refused",
        Hint::ShowKey { .. } => "see it and its versions",
        Hint::ShowStatus => "see why",
        Hint::ShowVault { .. } => "choose another name, or see the vault",
        Hint::StartKeyEarlier { .. } => "make it valid earlier",
        Hint::TurnOnPurgeProtection { .. } => "turn it on, for good",
        Hint::Unknown => "see the log",
        Hint::Verify => "see what is damaged",
    }
}

/// Describes the reason for which a vault refuses a registry its key.
fn describe_cause(cause: Cause) -> &'static str {
    match cause {
        Cause::ForbiddenByPolicy => {
            "no access policy lets the identity get the key, wrap and unwrap with it"
        }
        Cause::ForbiddenByConnection => "public network access to the vault is disabled",
        Cause::ForbiddenByFirewall => "the vault's firewall blocks registries",
        Cause::ForbiddenByRbac => "the identity has no role that permits using the key",
        Cause::ForbiddenByTrust => {
            "the vault's firewall lets registries in with their system-assigned identities only (fidelity.trusted_services)"
        }
        Cause::IdentityDetached => "the identity is no longer assigned to the registry",
        Cause::IdentityNotFound => "the identity does not exist",
        Cause::KeyDeleted => "the key is deleted",
        Cause::KeyDisabled => "the key version is disabled",
        Cause::KeyExpired => "the key version has expired",
        Cause::KeyNotFound => "the vault has no such key",
        Cause::KeyNotYetValid => "the key version is not valid yet",
        Cause::KeyOperationForbidden => "the key version does not permit wrapKey and unwrapKey",
        Cause::KeyTypeUnsupported => "the key version is not of type RSA",
        Cause::KeyVersionNotFound => "the key has no such version",
        Cause::VaultDeleted => "the vault is deleted",
        Cause::VaultNotFound => "the vault does not exist",
        Cause::VaultUnavailable => "the vault failed; see the emulator's log",
    }
}

fn principal_option(principal: &NamedPrincipal) -> String {
    match principal {
        NamedPrincipal::Identity(name) => format!("--identity {name}"),
        NamedPrincipal::Application(name) => format!("--app {name}"),
    }
}

fn comma_separated<T: Display>(words: &[T]) -> String {
    let words: Vec<_> = words.iter().map(ToString::to_string).collect();
    words.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulator_from_the_command_line_is_repeated_in_hints() {
        let hints = [
            Hint::AwaitRetention,
            Hint::RecoverVaultAndKey {
                vault: "kv1".parse().unwrap(),
                key: "k1".parse().unwrap(),
            },
        ];
        let sentence = |source| Commands::new("http://localhost:1", source).sentence(&hints);
        assert_eq!(
            sentence(ValueSource::EnvVariable).unwrap(),
            "wait until it is purged at the end of its retention; \
             or recover it with: sealock vault recover kv1 && sealock key recover k1 --vault kv1"
        );
        assert_eq!(
            sentence(ValueSource::CommandLine).unwrap(),
            "wait until it is purged at the end of its retention; \
             or recover it with: sealock vault recover kv1 --emulator http://localhost:1 \
             && sealock key recover k1 --vault kv1 --emulator http://localhost:1"
        );
        assert_eq!(Commands::default().sentence(&[]), None);
    }

    #[test]
    fn scope_that_a_client_chose_is_quoted_for_the_shell() {
        let hint = Hint::RemoveRole {
            role: "Key Vault Administrator".to_owned(),
            principal: NamedPrincipal::Identity("registry-identity".parse().unwrap()),
            scope: "/subscriptions/$(id)".to_owned(),
        };
        assert_eq!(
            Commands::default().for_hint(&hint).unwrap(),
            "sealock role remove --role \"Key Vault Administrator\" --identity registry-identity \
             --scope '/subscriptions/$(id)'"
        );
    }
}
