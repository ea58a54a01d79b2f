use sealock_entra::{Role, RoleScope, SUBSCRIPTION};
use sealock_vault::{KeyPermission, VaultChange, VaultSettings};

use crate::world::{World, operator, wire};

const FORBIDDEN: (u16, &str, Option<&str>) = (403, "Forbidden", Some("ForbiddenByRbac"));
const VAULTS: &str = "/resourceGroups/sealock/providers/Microsoft.KeyVault/vaults";

fn scope(path: &str) -> RoleScope {
    let scope = format!("/subscriptions/{SUBSCRIPTION}{path}");
    scope.parse().unwrap()
}

impl World {
    /// A world whose vault uses RBAC, with an RSA key.
    async fn with_roles() -> Self {
        let settings = VaultSettings {
            rbac: true,
            ..VaultSettings::default()
        };
        let world = Self::with(settings).await;
        world.create_key().await.unwrap();
        world
    }

    async fn assign(&self, role: Role, path: &str) {
        let assigned = self
            .directory
            .assign_role(&self.principal(), role, scope(path))
            .await;
        assigned.unwrap();
    }

    async fn unassign(&self, role: Role, path: &str) {
        let removed = self
            .directory
            .remove_role(self.identity.principal_id, role, &scope(path))
            .await;
        removed.unwrap();
    }
}

#[tokio::test]
async fn role_applies_at_and_below_its_scope() {
    let world = World::with_roles().await;
    let role = Role::KeyVaultCryptoServiceEncryptionUser;
    for (path, wraps, lists) in [
        ("", true, true),
        ("/resourceGroups/sealock", true, true),
        (&format!("{VAULTS}/kv1"), true, true),
        (&format!("{VAULTS}/KV1").to_ascii_uppercase(), true, true),
        (&format!("{VAULTS}/kv1/keys/k1"), true, false),
        (&format!("{VAULTS}/kv1/keys/K1"), true, false),
        (&format!("{VAULTS}/kv1/keys/k2"), false, false),
        (&format!("{VAULTS}/kv2"), false, false),
        ("/resourceGroups/another", false, false),
    ] {
        assert_eq!(wire(world.wrap_as(&world.registry).await), FORBIDDEN);
        world.assign(role, path).await;
        let wrapped = world.wrap_as(&world.registry).await;
        assert_eq!(wrapped.is_ok(), wraps, "{path}");
        let listed = world.vaults.keys(&world.registry, &world.vault).await;
        assert_eq!(listed.is_ok(), lists, "{path}");
        world.unassign(role, path).await;
    }
}

#[tokio::test]
async fn role_of_a_registry_refuses_other_operations() {
    let world = World::with_roles().await;
    let role = Role::KeyVaultCryptoServiceEncryptionUser;
    world.assign(role, &format!("{VAULTS}/kv1")).await;
    let (vaults, caller, vault, key) = (&world.vaults, &world.registry, &world.vault, &world.key);
    assert!(vaults.get_key(caller, &world.identifier()).await.is_ok());
    for refused in [
        wire(vaults.rotate_key(caller, vault, key).await),
        wire(vaults.delete_key(caller, vault, key).await),
        wire(vaults.backup_key(caller, vault, key).await),
        wire(vaults.rotation_policy(caller, vault, key).await),
    ] {
        assert_eq!(refused, FORBIDDEN);
    }
}

#[tokio::test]
async fn vault_switches_between_roles_and_policies() {
    let world = World::with_roles().await;
    let path = format!("{VAULTS}/kv1");
    let switch = async |rbac| {
        let change = VaultChange {
            rbac: Some(rbac),
            ..VaultChange::default()
        };
        world.change_vault(change).await.unwrap();
    };
    let denied = (403, "Forbidden", Some("ForbiddenByPolicy"));
    assert_eq!(
        wire(world.wrap_as(&world.registry).await),
        FORBIDDEN,
        "the policy applied under RBAC"
    );
    switch(false).await;
    assert!(world.wrap_as(&world.registry).await.is_ok());
    world.assign(Role::KeyVaultAdministrator, &path).await;
    world.revoke(KeyPermission::All).await;
    assert_eq!(
        wire(world.wrap_as(&world.registry).await),
        denied,
        "the role applied without RBAC"
    );
    switch(true).await;
    assert!(world.wrap_as(&world.registry).await.is_ok());
}

#[tokio::test]
async fn each_change_of_access_raises_the_epoch() {
    let world = World::with_roles().await;
    let mut epoch = world.store.epoch().await.unwrap();
    let mut raised = async || {
        let before = std::mem::replace(&mut epoch, world.store.epoch().await.unwrap());
        assert!(before < world.store.epoch().await.unwrap());
    };
    world.assign(Role::KeyVaultReader, "").await;
    raised().await;
    world.unassign(Role::KeyVaultReader, "").await;
    raised().await;
    world.grant(&[KeyPermission::List]).await;
    raised().await;
    world.revoke(KeyPermission::List).await;
    raised().await;
    let change = VaultChange {
        add_ip_rules: ["203.0.113.7".parse().unwrap()].into(),
        ..VaultChange::default()
    };
    world.change_vault(change).await.unwrap();
    raised().await;
}

/// Roles over the vault and its keys are removed; roles above it stay.
#[tokio::test]
async fn deleting_a_vault_removes_the_roles_over_it() {
    let world = World::with_roles().await;
    let role = Role::KeyVaultCryptoServiceEncryptionUser;
    let (vaults, vault) = (&world.vaults, &world.vault);
    for path in ["kv1", "kv1/keys/k1", "kv10"] {
        world.assign(role, &format!("{VAULTS}/{path}")).await;
    }
    world.assign(Role::Reader, "").await;
    vaults.delete_vault(&operator(), vault).await.unwrap();
    vaults.recover_vault(&operator(), vault).await.unwrap();
    assert_eq!(wire(world.wrap_as(&world.registry).await), FORBIDDEN);
    let left: Vec<_> = world
        .directory
        .role_assignments()
        .await
        .unwrap()
        .into_iter()
        .filter(|assignment| assignment.principal_id == world.identity.principal_id)
        .map(|assignment| assignment.scope)
        .collect();
    assert_eq!(left.len(), 2);
    assert!(left.contains(&scope("")) && left.contains(&scope(&format!("{VAULTS}/kv10"))));
}

#[tokio::test]
async fn role_over_a_deleted_vault_does_not_apply_to_its_successor() {
    let world = World::with_roles().await;
    let (vaults, vault) = (&world.vaults, &world.vault);
    vaults.delete_vault(&operator(), vault).await.unwrap();
    let role = Role::KeyVaultCryptoServiceEncryptionUser;
    world.assign(role, &format!("{VAULTS}/kv1")).await;
    vaults.purge_vault(&operator(), vault).await.unwrap();
    let settings = VaultSettings {
        rbac: true,
        ..VaultSettings::default()
    };
    vaults
        .create_vault(&operator(), vault, settings)
        .await
        .unwrap();
    assert_eq!(wire(world.wrap_as(&world.registry).await), FORBIDDEN);
}
