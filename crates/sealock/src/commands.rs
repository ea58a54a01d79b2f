use std::fmt::Display;

use clap::parser::ValueSource;
use sealock_api::{Cause, Hint, KeyPermission, NamedPrincipal, Problem, StorageProblem};

/// The port at which the command line expects an emulator.
pub(crate) const DEFAULT_PORT: u16 = 5000;

/// The permissions that `sealock access grant` grants unless it is told others.
const GRANTED_BY_DEFAULT: [KeyPermission; 3] = [
    KeyPermission::Get,
    KeyPermission::WrapKey,
    KeyPermission::UnwrapKey,
];

/// The commands that a user can run next, for the emulator that this one was for.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    program: String,
    /// ` --emulator URL`, if the user has to name the emulator.
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
    /// Makes commands for `emulator`, whose URL comes from `source`.
    pub(crate) fn new(emulator: &str, source: ValueSource) -> Self {
        match source {
            ValueSource::CommandLine => Self::default().for_emulator(emulator),
            _ => Self::default(),
        }
    }

    /// Makes commands of the program at `path`.
    pub(crate) fn of_program(path: String) -> Self {
        Self {
            program: path,
            option: String::new(),
        }
    }

    /// The same commands, for `emulator`.
    pub(crate) fn for_emulator(self, emulator: &str) -> Self {
        Self {
            option: format!(" --emulator {emulator}"),
            ..self
        }
    }

    /// The same commands, for the emulator at a port of this machine.
    pub(crate) fn for_port(self, port: u16) -> Self {
        match port {
            DEFAULT_PORT => self,
            port => self.for_emulator(&format!("http://localhost:{port}")),
        }
    }

    /// Writes the command with these words.
    pub(crate) fn command(&self, words: impl Display) -> String {
        format!("{} {words}{}", self.program, self.option)
    }

    /// Writes the command that does what a hint says. `None` if no command does.
    #[expect(clippy::too_many_lines, reason = "a table")]
    pub(crate) fn of(&self, hint: &Hint) -> Option<String> {
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
            Hint::AllowAzureServices { vault } => {
                format!("vault network update {vault} --bypass azure-services")
            }
            Hint::AssignAnyRole => "role assign --help".to_owned(),
            Hint::AssignRole {
                role,
                principal,
                vault,
            } => {
                let vault = vault.as_ref().map_or("NAME", |vault| vault.as_str());
                let principal = option(principal);
                format!("role assign --role \"{role}\" {principal} --vault {vault}")
            }
            Hint::ChangeEncryption { registry } => {
                format!("registry rotate-key {registry} --key KEY --identity NAME")
            }
            Hint::ChangeIdentity { registry } => {
                format!("registry rotate-key {registry} --identity NAME")
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
            Hint::CreateScopeMap {
                registry,
                scope_map,
            } => format!(
                "registry scope-map create {scope_map} --registry {registry} --repository REPOSITORY ACTION"
            ),
            Hint::CreateToken { registry, token } => format!(
                "registry token create {token} --registry {registry} --repository REPOSITORY ACTION"
            ),
            Hint::CreateVault { vault } => format!("vault create {vault}"),
            Hint::CreateVaultAndRestoreKey { vault, .. } => {
                let create = self.command(format_args!("vault create {vault}"));
                let restore =
                    self.command(format_args!("key restore --vault {vault} --file BACKUP"));
                return Some(format!("{create} && {restore}"));
            }
            Hint::DeleteIdentity { identity } => format!("identity delete {identity}"),
            Hint::DeleteKey { vault, key } => format!("key delete {key} --vault {vault}"),
            Hint::DeleteRegistry { registry } => format!("registry delete {registry} --yes"),
            Hint::DeleteScopeMap {
                registry,
                scope_map,
            } => format!("registry scope-map delete {scope_map} --registry {registry}"),
            Hint::DeleteToken { registry, token } => {
                format!("registry token delete {token} --registry {registry}")
            }
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
            Hint::GrantAccess {
                vault,
                principal,
                permissions,
            } => {
                let principal = option(principal);
                if **permissions == GRANTED_BY_DEFAULT {
                    format!("access grant --vault {vault} {principal}")
                } else {
                    let permissions = listed(permissions);
                    format!("access grant --vault {vault} {principal} --permissions {permissions}")
                }
            }
            Hint::GrantAnyAccess { vault } => format!("access grant --vault {vault} --help"),
            Hint::ListApplications => "app list".to_owned(),
            Hint::ListIdentities => "identity list".to_owned(),
            Hint::ListKeys { vault } => format!("key list --vault {vault}"),
            Hint::ListRegistries => "registry list".to_owned(),
            Hint::ListRoleAssignments => "role list".to_owned(),
            Hint::ListScopeMaps { registry } => {
                format!("registry scope-map list --registry {registry}")
            }
            Hint::ListTokens { registry } => format!("registry token list --registry {registry}"),
            Hint::ListVaults => "vault list".to_owned(),
            Hint::PermitOperations {
                vault,
                key,
                version,
                operations,
            } => format!(
                "key update {key} --vault {vault} --version {version} --ops {}",
                listed(operations)
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
            Hint::RemoveRole => "role remove --help".to_owned(),
            Hint::RenewCredential { registry } => {
                format!("registry credential renew {registry} --password-name NAME")
            }
            Hint::RenewPassword { registry } => {
                format!("registry token renew TOKEN --registry {registry} --password-name NAME")
            }
            Hint::ReplaceKey { vault, key } => {
                let delete = self.command(format_args!("key delete {key} --vault {vault}"));
                let purge = self.command(format_args!("key purge {key} --vault {vault} --yes"));
                return Some(format!("{delete} && {purge}"));
            }
            Hint::RestoreKey { vault, .. } => {
                format!("key restore --vault {vault} --file BACKUP")
            }
            Hint::RevokeAnyAccess { vault } => format!("access revoke --vault {vault} --help"),
            Hint::ShowAudit => "audit --result refused".to_owned(),
            Hint::ShowCredentials { registry } => format!("registry credential show {registry}"),
            Hint::ShowIdentity { identity } => format!("identity show {identity}"),
            Hint::ShowKey { vault, key } => format!("key show {key} --vault {vault}"),
            Hint::ShowRegistry { registry } => format!("registry show {registry}"),
            Hint::ShowScopeMap {
                registry,
                scope_map,
            } => format!("registry scope-map show {scope_map} --registry {registry}"),
            Hint::ShowStatus => "status".to_owned(),
            Hint::ShowToken { registry, token } => {
                format!("registry token show {token} --registry {registry}")
            }
            Hint::ShowUsage { registry } => format!("registry show-usage {registry}"),
            Hint::ShowVault { vault } => format!("vault show {vault}"),
            Hint::StartKeyEarlier {
                vault,
                key,
                version,
            } => format!("key update {key} --vault {vault} --version {version} --not-before TIME"),
            Hint::UpdateRegistry { registry } => format!("registry update {registry} --help"),
            Hint::UpdateToken { registry, token } => {
                format!("registry token update {token} --registry {registry} --help")
            }
            Hint::UpdateVault { vault } => format!("vault update {vault} --help"),
            Hint::Verify => "verify".to_owned(),
        };
        Some(self.command(words))
    }

    /// Says what hints suggest, in one sentence. `None` if there are none.
    pub(crate) fn sentence(&self, hints: &[Hint]) -> Option<String> {
        let known = hints.iter().filter(|hint| **hint != Hint::Unknown);
        let clauses: Vec<_> = known.map(|hint| self.clause(hint)).collect();
        (!clauses.is_empty()).then(|| clauses.join("; or "))
    }

    /// Says what to do about a refusal, after the cause that its text leaves out.
    pub(crate) fn advice(&self, problem: &Problem) -> Option<String> {
        let clauses = problem.cause.map(|cause| because(cause).to_owned());
        let clauses: Vec<_> = clauses
            .into_iter()
            .chain(self.sentence(&problem.hints))
            .collect();
        (!clauses.is_empty()).then(|| clauses.join("; "))
    }

    /// Says what to do about a problem of the store.
    pub(crate) fn remedy(&self, problem: &StorageProblem) -> String {
        match self.sentence(&problem.hints) {
            Some(hints) => format!("{}; or {hints}", problem.remedy),
            None => problem.remedy.clone(),
        }
    }

    fn clause(&self, hint: &Hint) -> String {
        let why = reason(hint);
        match (self.of(hint), placeholder(hint)) {
            (Some(command), Some(meaning)) => format!("{why} with: {command}, where {meaning}"),
            (Some(command), None) => format!("{why} with: {command}"),
            (None, _) => why.to_owned(),
        }
    }
}

/// Says what a placeholder in the command of a hint stands for, unless its name says it.
pub(crate) fn placeholder(hint: &Hint) -> Option<String> {
    match hint {
        Hint::ChangeIdentity { .. } => Some("NAME is an identity that may use the key".to_owned()),
        Hint::CreateVaultAndRestoreKey { key, .. } | Hint::RestoreKey { key, .. } => {
            Some(format!("BACKUP is a file with a backup of {key}"))
        }
        _ => None,
    }
}

/// Says what a hint suggests, without the command.
fn reason(hint: &Hint) -> &str {
    match hint {
        Hint::Advice { text } => text,
        Hint::AllowPurge => "if that is what you want, say it with: --yes",
        Hint::AllowAzureServices { .. } => "let services that Azure trusts in",
        Hint::AssignAnyRole => "assign one",
        Hint::AssignRole { vault: None, .. } => "assign it in a vault",
        Hint::AssignRole { .. } => "assign a role",
        Hint::AwaitDelay => {
            "wait for the time of fidelity.keyvault_delete_delay, or advance the clock"
        }
        Hint::AwaitDelayAndRecoverKey { .. } => {
            "wait for the time of fidelity.keyvault_delete_delay, or advance the clock; then recover it"
        }
        Hint::AwaitRetention => "wait until its retention has passed, when it is purged",
        Hint::ChangeEncryption { .. }
        | Hint::UpdateRegistry { .. }
        | Hint::UpdateToken { .. }
        | Hint::UpdateVault { .. } => "change it",
        Hint::ChangeIdentity { .. } => "name another identity",
        Hint::CollectGarbage { .. } => "free what nothing refers to",
        Hint::CreateApplication { .. }
        | Hint::CreateIdentity { .. }
        | Hint::CreateKey { .. }
        | Hint::CreateRegistry { .. }
        | Hint::CreateScopeMap { .. }
        | Hint::CreateToken { .. }
        | Hint::CreateVault { .. } => "create it",
        Hint::CreatePremiumVault => "create a vault",
        Hint::CreateVaultAndRestoreKey { .. } | Hint::RestoreKey { .. } => "bring the key back",
        Hint::DeleteIdentity { .. }
        | Hint::DeleteRegistry { .. }
        | Hint::DeleteScopeMap { .. }
        | Hint::DeleteToken { .. } => "delete it",
        Hint::DeleteKey { .. } | Hint::DeleteVault { .. } => {
            "it is not deleted; to purge it, delete it first"
        }
        Hint::EmptyQuarantine => "empty the quarantine",
        Hint::EnableAdmin { .. } | Hint::EnableKey { .. } => "enable it",
        Hint::ExpireKeyLater { .. } => "let it expire later",
        Hint::FailBack { .. } => "let it fail back",
        Hint::GrantAccess { .. } | Hint::GrantAnyAccess { .. } => "grant it",
        Hint::ListApplications => "see the applications",
        Hint::ListIdentities => "see the identities",
        Hint::ListKeys { .. } => "see the vault's keys, deleted ones included,",
        Hint::ListRegistries => "see the registries",
        Hint::ListRoleAssignments => "see the roles that are assigned",
        Hint::ListScopeMaps { .. } => "see the scope maps",
        Hint::ListTokens { .. } => "see the tokens",
        Hint::ListVaults => "see the vaults, deleted ones included,",
        Hint::NameEncryption => "name its --key and --identity again",
        Hint::NameKeyAndIdentity => "name both --key and --identity",
        Hint::PermitOperations { .. } => "have it be for that, too,",
        Hint::PurgeKey { .. } | Hint::PurgeVault { .. } => "remove it for good",
        Hint::RecoverKey { .. } | Hint::RecoverVault { .. } | Hint::RecoverVaultAndKey { .. } => {
            "recover it"
        }
        Hint::RemoveRole => "take it away",
        Hint::RenewCredential { .. } | Hint::RenewPassword { .. } => "make a password anew",
        Hint::ReplaceKey { .. } => {
            "a key of this name is there, and needs no restore if it is the one; to replace it, remove it"
        }
        Hint::RevokeAnyAccess { .. } => "revoke it",
        Hint::ShowAudit => "see what the vault refused",
        Hint::ShowCredentials { .. } => "see the passwords",
        Hint::ShowKey { .. } => "see it and its versions",
        Hint::ShowIdentity { .. }
        | Hint::ShowRegistry { .. }
        | Hint::ShowScopeMap { .. }
        | Hint::ShowToken { .. } => "see it",
        Hint::ShowStatus => "see why",
        Hint::ShowUsage { .. } => "see how much it holds",
        Hint::ShowVault { .. } => "choose another name, or see the vault",
        Hint::StartKeyEarlier { .. } => "let it be valid earlier",
        Hint::Unknown => "see the log",
        Hint::Verify => "see what is damaged",
    }
}

/// Says why a vault refuses a registry its key.
fn because(cause: Cause) -> &'static str {
    match cause {
        Cause::ForbiddenByPolicy => {
            "no access policy of the vault permits the identity to get, wrap and unwrap with the key"
        }
        Cause::ForbiddenByConnection => "the vault's access from the network is disabled",
        Cause::ForbiddenByFirewall => "the vault's firewall does not let registries in",
        Cause::ForbiddenByRbac => "the identity has no role that permits the use of the key",
        Cause::IdentityNotFound => "the identity does not exist",
        Cause::KeyDeleted => "the key is deleted",
        Cause::KeyDisabled => "the key version is disabled",
        Cause::KeyExpired => "the key version has expired",
        Cause::KeyNotFound => "the vault has no such key",
        Cause::KeyNotYetValid => "the key version is not valid yet",
        Cause::KeyOperationForbidden => "the key version is not for wrapping and unwrapping",
        Cause::KeyVersionNotFound => "the key has no such version",
        Cause::VaultDeleted => "the vault is deleted",
        Cause::VaultNotFound => "there is no such vault",
        Cause::VaultUnavailable => "the vault failed, as the emulator's log says",
    }
}

fn option(principal: &NamedPrincipal) -> String {
    match principal {
        NamedPrincipal::Identity(name) => format!("--identity {name}"),
        NamedPrincipal::Application(name) => format!("--app {name}"),
    }
}

fn listed<T: Display>(words: &[T]) -> String {
    let words: Vec<_> = words.iter().map(ToString::to_string).collect();
    words.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_the_emulator_that_the_user_named() {
        let hints = [
            Hint::AwaitRetention,
            Hint::RecoverVaultAndKey {
                vault: "kv1".parse().unwrap(),
                key: "k1".parse().unwrap(),
            },
        ];
        let said = |source| Commands::new("http://localhost:1", source).sentence(&hints);
        assert_eq!(
            said(ValueSource::EnvVariable).unwrap(),
            "wait until its retention has passed, when it is purged; \
             or recover it with: sealock vault recover kv1 && sealock key recover k1 --vault kv1"
        );
        assert_eq!(
            said(ValueSource::CommandLine).unwrap(),
            "wait until its retention has passed, when it is purged; \
             or recover it with: sealock vault recover kv1 --emulator http://localhost:1 \
             && sealock key recover k1 --vault kv1 --emulator http://localhost:1"
        );
        assert_eq!(Commands::default().sentence(&[]), None);
    }
}
