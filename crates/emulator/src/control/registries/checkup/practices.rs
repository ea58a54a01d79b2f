//! The practices that Microsoft documents for customer-managed keys: one function for each.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use sealock_api::{self as api, Check, Hint, NamedPrincipal, Practice};
use sealock_entra::{ManagedIdentity, Role, RoleScope};
use sealock_vault::{Bypass, DefaultAction, Grant, KeyPermission, Vault};

use super::{
    Facts, VersionFacts,
    judgement::{Judgement, advise, pass, problem, unjudged},
};
use crate::control::{hints, translation::Translate};

/// The retention that Azure gives a vault by default.
const DEFAULT_RETENTION_DAYS: u16 = 90;

/// The time before its expiry from which a key is near it, as for Azure's event of that name.
///
/// <https://learn.microsoft.com/azure/event-grid/event-schema-key-vault>
const NEAR_EXPIRY: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The age at which a key is to be rotated at the latest.
const TWO_YEARS: SignedDuration = SignedDuration::from_hours(2 * 365 * 24);

/// The permissions that a registry needs.
const NEEDED: [KeyPermission; 3] = [
    KeyPermission::Get,
    KeyPermission::WrapKey,
    KeyPermission::UnwrapKey,
];

/// The role with the least permissions among those that suffice.
const NARROW_ROLE: Role = Role::KeyVaultCryptoServiceEncryptionUser;

/// The permissions that a narrow role has without a registry's needing them: all of them only read.
const HARMLESS: [KeyPermission; 2] = [KeyPermission::List, KeyPermission::GetRotationPolicy];

impl Facts {
    /// Checks all practices, in an order in which no remedy is in the way of another.
    pub(super) fn check(&self) -> Vec<Check> {
        vec![
            self.registry_has_access_to_its_key(),
            self.identity_is_assigned(),
            self.vault_has_a_second_region(),
            self.vault_retains_deleted_keys(),
            self.identity_has_the_needed_permissions(),
            self.identity_has_no_other_permissions(),
            self.firewall_lets_trusted_services_in(),
            self.vault_has_purge_protection(),
            self.key_rotates_by_policy(),
            self.key_does_not_expire_soon(),
            self.key_was_rotated_within_two_years(),
            self.key_identifier_is_unversioned(),
            vault_is_logged(),
            registry_is_geo_replicated(),
        ]
    }

    /// A registry without access to its key refuses its content.
    fn registry_has_access_to_its_key(&self) -> Check {
        let judgement = match &self.gate {
            api::Gate::Available {
                pending_revocation: None,
            } => pass("the vault lets the registry use its key"),
            api::Gate::Available {
                pending_revocation: Some(pending),
            } => {
                let (cause, at) = (pending.cause, pending.at);
                let reason =
                    format!("the vault refuses the key: {cause}; the registry is revoked at {at}");
                problem(reason, pending.restore.clone())
            }
            api::Gate::Revoked {
                cause,
                since,
                restore,
                ..
            } => {
                let reason = format!("the registry is revoked since {since}: {cause}");
                problem(reason, restore.clone())
            }
            api::Gate::Unknown { message } => problem(message, None),
        };
        judgement.on(
            Practice::KeyAccess,
            "https://learn.microsoft.com/azure/container-registry/tutorial-rotate-revoke-customer-managed-keys",
        )
    }

    /// The identity in use must exist, and stay assigned to the registry.
    fn identity_is_assigned(&self) -> Check {
        let registry = self.registry.clone();
        let judgement = match &self.identity {
            None => problem(
                "the identity that uses the key is deleted",
                Some(Hint::ChangeIdentity { registry }),
            ),
            Some(identity) if self.is_identity_assigned => {
                pass(format!("the identity {} is assigned", identity.name))
            }
            Some(identity) => problem(
                format!(
                    "the identity {} is not assigned to the registry",
                    identity.name
                ),
                Some(Hint::AssignIdentity {
                    registry,
                    identity: identity.name.clone(),
                }),
            ),
        };
        judgement.on(
            Practice::AssignedIdentity,
            "https://learn.microsoft.com/azure/container-registry/tutorial-troubleshoot-customer-managed-keys",
        )
    }

    /// A registry needs the permissions get, wrapKey and unwrapKey, from an access policy or a role.
    fn identity_has_the_needed_permissions(&self) -> Check {
        let judgement = self.judge_identity(|identity, vault| {
            let held = self.permissions();
            let missing: Vec<_> = NEEDED
                .into_iter()
                .filter(|needed| !held.contains(needed))
                .collect();
            let source = self.source_of_permissions(vault);
            if missing.is_empty() {
                return pass(format!(
                    "{} may {} by {source}",
                    identity.name,
                    list(&NEEDED)
                ));
            }
            let remedy = if vault.rbac == Some(true) {
                assign_narrow_role(identity, vault)
            } else {
                Hint::GrantAccess {
                    vault: vault.name.clone(),
                    principal: named(identity),
                    permissions: NEEDED.map(Translate::translate).to_vec(),
                }
            };
            problem(
                format!("{} may not {}", identity.name, list(&missing)),
                Some(remedy),
            )
        });
        judgement.on(
            Practice::NeededPermissions,
            "https://learn.microsoft.com/azure/container-registry/tutorial-enable-customer-managed-keys",
        )
    }

    /// An identity gets no more permissions than it needs, and roles at no wider scope.
    fn identity_has_no_other_permissions(&self) -> Check {
        let judgement = self.judge_identity(|identity, vault| {
            if vault.rbac == Some(true) {
                self.judge_roles(identity, vault)
            } else {
                self.judge_policies(identity, vault)
            }
        });
        judgement.on(
            Practice::LeastPrivilege,
            "https://learn.microsoft.com/azure/key-vault/general/secure-key-vault",
        )
    }

    fn judge_roles(&self, identity: &ManagedIdentity, vault: &Vault) -> Judgement {
        let vault_scope: Option<RoleScope> = vault.id.parse().ok();
        let is_in_vault = |scope: &RoleScope| {
            let vault = vault_scope.as_ref();
            vault.is_some_and(|vault| vault.covers(scope.as_str()))
        };
        let (narrow, broad): (Vec<_>, Vec<_>) = self
            .roles()
            .partition(|(_, scope, permissions)| is_narrow(permissions) && is_in_vault(scope));
        if broad.is_empty() {
            return pass("its roles permit what the registry needs, in the vault alone");
        }
        let named_roles: Vec<_> = broad
            .iter()
            .map(|(role, scope, _)| format!("{role} at {}", scope.as_str()))
            .collect();
        let mut remedies = Vec::new();
        if !narrow.iter().any(|(role, ..)| *role == NARROW_ROLE) {
            remedies.push(assign_narrow_role(identity, vault));
        }
        remedies.extend(broad.iter().map(|(role, scope, _)| Hint::RemoveRole {
            role: role.to_string(),
            principal: named(identity),
            scope: scope.as_str().to_owned(),
        }));
        advise(
            format!(
                "{} has more than it needs: {}",
                identity.name,
                named_roles.join(", ")
            ),
            remedies,
        )
    }

    fn judge_policies(&self, identity: &ManagedIdentity, vault: &Vault) -> Judgement {
        let held = self.permissions().into_iter();
        let other: Vec<_> = held.filter(|it| !NEEDED.contains(it)).collect();
        if other.is_empty() {
            return pass("its access policy permits what the registry needs");
        }
        let permissions = other.iter().copied().map(Translate::translate).collect();
        advise(
            format!("{} may also {}", identity.name, list(&other)),
            vec![Hint::RevokeAccess {
                vault: vault.name.clone(),
                principal: named(identity),
                permissions,
            }],
        )
    }

    /// A registry passes the vault's firewall as a trusted service.
    fn firewall_lets_trusted_services_in(&self) -> Check {
        let judgement = self.judge_vault(|vault| {
            let rules = vault.network;
            if rules.bypass == Bypass::AzureServices {
                return pass("trusted services pass the vault's firewall");
            }
            let remedy = Hint::AllowAzureServices {
                vault: vault.name.clone(),
            };
            let is_open =
                rules.public_network_access && rules.default_action == DefaultAction::Allow;
            if is_open {
                let reason =
                    "once the vault's firewall refuses unknown addresses, it refuses the registry";
                return advise(reason, vec![remedy]);
            }
            problem("the vault's firewall refuses the registry", Some(remedy))
        });
        judgement.on(
            Practice::TrustedServices,
            "https://learn.microsoft.com/azure/key-vault/general/network-security",
        )
    }

    /// A vault survives the loss of its region if it is replicated to another. While the other serves it, it is read-only.
    fn vault_has_a_second_region(&self) -> Check {
        let judgement = self.judge_vault(|vault| {
            let location = &vault.resource.location;
            match &vault.replica_region {
                Some(replica) if vault.failed_over => advise(
                    format!(
                        "the vault has failed over to {replica}, where its keys cannot be rotated"
                    ),
                    vec![Hint::FailBack {
                        vault: vault.name.clone(),
                    }],
                ),
                Some(replica) => pass(format!(
                    "the vault in {location} is replicated to {replica}"
                )),
                None => advise(
                    format!("the vault in {location} is not replicated to another region"),
                    self.move_to_new_vault(),
                ),
            }
        });
        judgement.on(
            Practice::SecondRegion,
            "https://learn.microsoft.com/azure/key-vault/general/disaster-recovery-guidance",
        )
    }

    /// The retention gives the time to notice an accidental deletion. It cannot be changed later.
    fn vault_retains_deleted_keys(&self) -> Check {
        let judgement = self.judge_vault(|vault| {
            let days = vault.soft_delete_retention_days;
            if days >= DEFAULT_RETENTION_DAYS {
                return pass(format!("a deleted key can be recovered for {days} days"));
            }
            advise(
                format!(
                    "a deleted key can be recovered for {days} days only, not for Azure's {DEFAULT_RETENTION_DAYS}; a vault keeps its retention for good"
                ),
                self.move_to_new_vault(),
            )
        });
        judgement.on(
            Practice::SoftDeleteRetention,
            "https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview#soft-delete-behavior",
        )
    }

    /// Nobody can purge a key before its retention has passed. The content of a registry is lost with its key.
    fn vault_has_purge_protection(&self) -> Check {
        let judgement = self.judge_vault(|vault| {
            if vault.purge_protection {
                return pass("nobody can purge a key before its retention has passed");
            }
            problem(
                "a deleted key can be purged at once, and the registry's content is lost then",
                Some(Hint::TurnOnPurgeProtection {
                    vault: vault.name.clone(),
                }),
            )
        });
        judgement.on(
            Practice::PurgeProtection,
            "https://learn.microsoft.com/azure/container-registry/tutorial-enable-customer-managed-keys",
        )
    }

    /// A policy rotates the key without anybody's remembering it.
    fn key_rotates_by_policy(&self) -> Check {
        let judgement = self.judge_version(|version| match version.next_rotation {
            Some(time) => pass(format!("the rotation policy rotates the key at {time}")),
            None => advise(
                "the key has no rotation policy that rotates it",
                vec![Hint::RotateByPolicy {
                    vault: self.kid.vault.clone(),
                    key: self.kid.key.clone(),
                }],
            ),
        });
        judgement.on(
            Practice::RotationPolicy,
            "https://learn.microsoft.com/azure/key-vault/keys/how-to-configure-key-rotation",
        )
    }

    /// A key version is replaced before it expires.
    fn key_does_not_expire_soon(&self) -> Check {
        let judgement = self.judge_version(|version| {
            let Some(expires) = version.attributes.expires else {
                return pass("the key version does not expire");
            };
            if expires <= self.now {
                let reason = format!("the key version has expired at {expires}, and wraps nothing");
                return problem(reason, self.move_to_new_version());
            }
            let is_followed = self.key.version.is_none();
            let rotated = version.next_rotation;
            let is_replaced = is_followed && rotated.is_some_and(|rotated| rotated < expires);
            if is_replaced || expires.duration_since(self.now) > NEAR_EXPIRY {
                return pass(format!("the key version expires at {expires}"));
            }
            advise(
                format!("the key version expires soon, at {expires}"),
                self.move_to_new_version(),
            )
        });
        judgement.on(
            Practice::KeyExpiry,
            "https://learn.microsoft.com/azure/event-grid/event-schema-key-vault",
        )
    }

    /// Encryption keys are rotated at least every two years.
    fn key_was_rotated_within_two_years(&self) -> Check {
        let judgement = self.judge_version(|version| {
            let created = version.attributes.created;
            if self.now.duration_since(created) <= TWO_YEARS {
                return pass(format!("the key version is of {created}"));
            }
            advise(
                format!("the key version is older than two years, of {created}"),
                self.move_to_new_version(),
            )
        });
        judgement.on(
            Practice::RecentRotation,
            "https://learn.microsoft.com/azure/key-vault/keys/how-to-configure-key-rotation",
        )
    }

    /// A registry that names its key without a version follows the key's rotation.
    fn key_identifier_is_unversioned(&self) -> Check {
        let judgement = match (&self.key.version, &self.behind) {
            (Some(version), _) => advise(
                format!("the key is pinned to the version {version}"),
                vec![self.follow_key()],
            ),
            (None, Some(behind)) => problem(
                format!(
                    "the registry cannot move to the key's current version since {}: {}",
                    behind.since, behind.cause
                ),
                behind.remedy.clone(),
            ),
            (None, None) => pass("the registry follows the key's current version"),
        };
        judgement.on(
            Practice::UnversionedKey,
            "https://learn.microsoft.com/azure/container-registry/tutorial-rotate-revoke-customer-managed-keys",
        )
    }

    /// Judges the vault, if it exists.
    fn judge_vault(&self, judge: impl FnOnce(&Vault) -> Judgement) -> Judgement {
        match &self.vault {
            Some(vault) => judge(vault),
            None => unjudged("the vault is deleted"),
        }
    }

    /// Judges the version that wraps the DEK, if it exists.
    fn judge_version(&self, judge: impl FnOnce(&VersionFacts) -> Judgement) -> Judgement {
        match &self.version {
            Some(version) => judge(version),
            None => unjudged("the key is deleted"),
        }
    }

    /// Judges the identity in the vault, if both exist.
    fn judge_identity(
        &self,
        judge: impl FnOnce(&ManagedIdentity, &Vault) -> Judgement,
    ) -> Judgement {
        match &self.identity {
            Some(identity) => self.judge_vault(|vault| judge(identity, vault)),
            None => unjudged("the identity is deleted"),
        }
    }

    /// Returns the permissions that the identity has to the key.
    fn permissions(&self) -> BTreeSet<KeyPermission> {
        let uses = self.uses.iter();
        uses.flat_map(|it| it.permissions.iter().copied()).collect()
    }

    /// Returns the identity's roles over the key, with their scopes and permissions.
    fn roles(&self) -> impl Iterator<Item = (Role, &RoleScope, &[KeyPermission])> {
        self.uses.iter().filter_map(|it| match &it.grant {
            Grant::RoleAssignment { role, scope } => Some((*role, scope, &*it.permissions)),
            Grant::AccessPolicy => None,
        })
    }

    /// Names the policy or the roles from which the identity has its permissions.
    fn source_of_permissions(&self, vault: &Vault) -> String {
        if vault.rbac != Some(true) {
            return format!("its access policy in the vault {}", vault.name);
        }
        let roles: Vec<_> = self
            .roles()
            .map(|(role, scope, _)| format!("the role {role} at {}", scope.as_str()))
            .collect();
        roles.join(" and ")
    }

    fn follow_key(&self) -> Hint {
        Hint::FollowKey {
            registry: self.registry.clone(),
            vault: self.kid.vault.clone(),
            key: self.kid.key.clone(),
        }
    }

    /// Suggests to rotate the key. A pinned registry must move to the new version, too.
    fn move_to_new_version(&self) -> Vec<Hint> {
        let rotate = Hint::RotateKey {
            vault: self.kid.vault.clone(),
            key: self.kid.key.clone(),
        };
        let is_pinned = self.key.version.is_some();
        let follow = is_pinned.then(|| self.follow_key());
        [rotate].into_iter().chain(follow).collect()
    }

    fn move_to_new_vault(&self) -> Vec<Hint> {
        let identity = self.identity.as_ref();
        let hint = identity.map(|identity| Hint::MoveToNewVault {
            registry: self.registry.clone(),
            key: self.kid.key.clone(),
            identity: identity.name.clone(),
        });
        hint.into_iter().collect()
    }
}

/// A registry with replicas survives the loss of its region.
fn registry_is_geo_replicated() -> Check {
    unjudged("the emulator has no replications").on(
        Practice::GeoReplication,
        "https://learn.microsoft.com/azure/container-registry/container-registry-geo-replication",
    )
}

/// A log shows who used which key.
fn vault_is_logged() -> Check {
    pass("the emulator logs every operation of a vault, and nothing turns that off").on(
        Practice::VaultLogging,
        "https://learn.microsoft.com/azure/key-vault/general/logging",
    )
}

/// Returns true if these permissions are what a registry needs, and otherwise only read.
fn is_narrow(permissions: &[KeyPermission]) -> bool {
    let mut permissions = permissions.iter();
    permissions.all(|it| NEEDED.contains(it) || HARMLESS.contains(it))
}

fn assign_narrow_role(identity: &ManagedIdentity, vault: &Vault) -> Hint {
    Hint::AssignRole {
        role: NARROW_ROLE.to_string(),
        principal: named(identity),
        vault: Some(vault.name.clone()),
    }
}

fn named(identity: &ManagedIdentity) -> NamedPrincipal {
    NamedPrincipal::Identity(hints::command_name(identity))
}

fn list(permissions: &[KeyPermission]) -> String {
    let names: Vec<_> = permissions.iter().map(ToString::to_string).collect();
    names.join(", ")
}
