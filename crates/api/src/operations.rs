//! The operation table of the control API.

use sealock_core::{
    ApplicationName, IdentityName, KeyName, KeyVersion, RegistryName, ScopeMapName, TokenName,
    VaultName,
};

use crate::{
    AccessPolicies, AccessPolicy, AdminCredentials, AdminPasswordName, Application,
    ApplicationWithSecret, Applications, ArmOperation, ArmOperations, AuditQuery, Changed, Checkup,
    Clock, ClockMove, ClockStep, ClockTime, ComplianceQuery, ComplianceReport, CredentialName,
    DeletedRepository, Empty, Environment, Garbage, Health, Hosts, Identities, Identity,
    IdentityHeader, ImageName, Inspection, JSON_LINES, Key, KeyBackup, KeyChange, KeyRotation,
    Keys, LoginChange, LoginSettings, NewCertificate, NewFederatedCredential, NewKey, NewPassword,
    NewRegistry, NewVault, PEM, PasswordLife, Permissions, PrincipalReference, PublicName,
    Quarantine, Registries, Registry, RegistryIdentities, Repositories, RepositoryDetails,
    RepositoryReference, RoleAssignment, RoleAssignments, RoleAtScope, RotationPolicy, ScopeMap,
    ScopeMapChange, ScopeMaps, Status, Token, TokenChange, TokenPasswordName, TokenWithPasswords,
    Tokens, TrustFiles, Usage, Vault, VaultChange, Vaults, Verification, operation::operations,
};

operations! {
    open, "Emulator", open: true;

    /// Shows the problems of the store and its disk. The status is 200 even if there are problems.
    GET "/health" ShowHealth {} => 200 Health;
    /// Shows the emulator's CA.
    GET "/ca.pem" ShowCa {} => 200 String as PEM;
    /// Shows the system's root certificates and the emulator's CA.
    GET "/bundle.pem" ShowBundle {} => 200 String as PEM;
    /// Shows the CA for Azure's host names, if they are served.
    GET "/azure-ca.pem" ShowAzureCa {} => 200 String as PEM;
    /// Shows this document.
    GET "/openapi.json" ShowDocument {} => 200 serde_json::Value;
}

operations! {
    emulator, "Emulator", open: false;

    /// Shows the state of the store, the registries and the quarantine. Evaluates each registry's gate.
    GET "/status" ShowStatus {} => 200 Status;
    /// Shows the host names of the emulator's services.
    GET "/hosts" ShowHosts {} => 200 Hosts;
    /// Shows the paths of the certificate files.
    GET "/trust" ShowTrustFiles {} => 200 TrustFiles;
    /// Shows the endpoints for clients of Azure, and the developer's login with its secret.
    GET "/environment" ShowEnvironment {} => 200 Environment;
    /// Lists events of the vaults' audit log, one JSON object per line.
    GET "/audit" ShowAudit {}, query AuditQuery => 200 String as JSON_LINES;
    /// Writes a compliance report: registries, keys over time, users of the keys, operations, revocations and the content on
    /// disk.
    GET "/reports/compliance" ReportCompliance {}, query ComplianceQuery => 200 ComplianceReport;
    /// Restores the state after the start, without what has been created or changed since. Only for an emulator that keeps
    /// everything in memory.
    POST "/reset" ResetState {} => 204 ();
    /// Changes the public name, for instance to the port at which a container's port is published.
    PUT "/public-name" SetPublicName {}, body PublicName => 200 PublicName;
    /// Reads all stored data and reports damaged or missing parts.
    POST "/verify" Verify {} => 200 Verification;
    /// Lists the files in quarantine.
    GET "/quarantine" ShowQuarantine {} => 200 Quarantine;
    /// Removes all files from the quarantine, and lists them.
    DELETE "/quarantine" EmptyQuarantine {} => 200 Quarantine;
}

operations! {
    clock, "Clock", open: false;

    /// Shows the clock.
    GET "/clock" ShowClock {} => 200 Clock;
    /// Sets the clock. Refuses to purge vaults or keys unless the body permits it.
    PUT "/clock" SetClock {}, body ClockTime => 200 Changed<ClockMove>;
    /// Moves the clock by a duration. Refuses to purge vaults or keys unless the body permits it.
    POST "/clock/advance" AdvanceClock {}, body ClockStep => 200 Changed<ClockMove>;
    /// Freezes the clock.
    POST "/clock/freeze" FreezeClock {} => 200 Clock;
    /// Resumes the clock.
    POST "/clock/resume" ResumeClock {} => 200 Clock;
}

operations! {
    arm, "Operations of Resource Manager", open: false;

    /// Lists the asynchronous operations of the last day.
    GET "/operations" ListOperations {} => 200 ArmOperations;
    /// Completes an operation that is under way.
    POST "/operations/{operation}/complete" CompleteOperation { operation: String } => 200 ArmOperation;
    /// Lets an operation that is under way fail.
    POST "/operations/{operation}/fail" FailOperation { operation: String } => 200 ArmOperation;
}

operations! {
    vaults, "Vaults", open: false;

    /// Lists the vaults, including deleted ones.
    GET "/vaults" ListVaults {} => 200 Vaults;
    /// Shows a vault, even if it is deleted.
    GET "/vaults/{vault}" ShowVault { vault: VaultName } => 200 Vault;
    /// Creates a vault.
    PUT "/vaults/{vault}" CreateVault { vault: VaultName }, body NewVault => 201 Vault;
    /// Changes a vault.
    PATCH "/vaults/{vault}" UpdateVault { vault: VaultName }, body VaultChange => 200 Changed<Vault>;
    /// Deletes a vault, which can be recovered until its purge.
    DELETE "/vaults/{vault}" DeleteVault { vault: VaultName } => 200 Changed<Vault>;
    /// Recovers a deleted vault.
    POST "/deleted-vaults/{vault}/recover" RecoverVault { vault: VaultName } => 200 Changed<Vault>;
    /// Purges a deleted vault permanently.
    DELETE "/deleted-vaults/{vault}" PurgeVault { vault: VaultName } => 200 Changed<Empty>;
    /// Lists the access policies of a vault.
    GET "/vaults/{vault}/access" ListAccess { vault: VaultName } => 200 AccessPolicies;
    /// Grants permissions to a principal, and shows its resulting permissions.
    POST "/vaults/{vault}/access/{principal}/grant"
        GrantAccess { vault: VaultName, principal: PrincipalReference }, body Permissions
        => 200 Changed<AccessPolicy>;
    /// Revokes permissions of a principal, and shows its resulting permissions.
    POST "/vaults/{vault}/access/{principal}/revoke"
        RevokeAccess { vault: VaultName, principal: PrincipalReference }, body Permissions
        => 200 Changed<AccessPolicy>;
}

operations! {
    keys, "Keys", open: false;

    /// Lists the keys of a vault, including deleted ones.
    GET "/vaults/{vault}/keys" ListKeys { vault: VaultName } => 200 Keys;
    /// Shows a key, even if it is deleted.
    GET "/vaults/{vault}/keys/{key}" ShowKey { vault: VaultName, key: KeyName } => 200 Key;
    /// Creates a key, or a new version of an existing key. Responds after the registries that follow the key have moved to
    /// the version.
    POST "/vaults/{vault}/keys/{key}" CreateKey { vault: VaultName, key: KeyName }, body NewKey
        => 200 Changed<Key>;
    /// Changes the current version of a key.
    PATCH "/vaults/{vault}/keys/{key}" UpdateKey { vault: VaultName, key: KeyName }, body KeyChange
        => 200 Changed<Key>;
    /// Changes a version of a key.
    PATCH "/vaults/{vault}/keys/{key}/{version}"
        UpdateKeyVersion { vault: VaultName, key: KeyName, version: KeyVersion }, body KeyChange
        => 200 Changed<Key>;
    /// Deletes a key, which can be recovered until its purge.
    DELETE "/vaults/{vault}/keys/{key}" DeleteKey { vault: VaultName, key: KeyName } => 200 Changed<Key>;
    /// Creates a new version of a key. Responds after the registries that follow the key have moved to it.
    POST "/vaults/{vault}/keys/{key}/rotate" RotateKey { vault: VaultName, key: KeyName }
        => 200 Changed<Key>;
    /// Shows the rotation policy of a key.
    GET "/vaults/{vault}/keys/{key}/rotation-policy"
        ShowRotationPolicy { vault: VaultName, key: KeyName } => 200 RotationPolicy;
    /// Sets the rotation policy of a key.
    PUT "/vaults/{vault}/keys/{key}/rotation-policy"
        SetRotationPolicy { vault: VaultName, key: KeyName }, body RotationPolicy
        => 200 RotationPolicy;
    /// Backs up a key with all its versions.
    POST "/vaults/{vault}/keys/{key}/backup" BackUpKey { vault: VaultName, key: KeyName }
        => 200 KeyBackup;
    /// Restores a key from a backup of up to 16 MiB.
    POST "/vaults/{vault}/restore" RestoreKey { vault: VaultName }, body KeyBackup
        => 200 Changed<Key>;
    /// Recovers a deleted key.
    POST "/vaults/{vault}/deleted-keys/{key}/recover"
        RecoverKey { vault: VaultName, key: KeyName } => 200 Changed<Key>;
    /// Purges a deleted key permanently. Only a backup can restore it.
    DELETE "/vaults/{vault}/deleted-keys/{key}" PurgeKey { vault: VaultName, key: KeyName }
        => 200 Changed<Empty>;
}

operations! {
    principals, "Principals", open: false;

    /// Lists the managed identities.
    GET "/identities" ListIdentities {} => 200 Identities;
    /// Shows a managed identity.
    GET "/identities/{identity}" ShowIdentity { identity: IdentityName } => 200 Identity;
    /// Creates a managed identity, or shows the existing one.
    PUT "/identities/{identity}" CreateIdentity { identity: IdentityName } => 201 | 200 Identity;
    /// Deletes a managed identity.
    DELETE "/identities/{identity}" DeleteIdentity { identity: IdentityName } => 200 Changed<Empty>;
    /// Shows the secret of App Service's form of the managed identity endpoint.
    GET "/identity-header" ShowIdentityHeader {} => 200 IdentityHeader;
    /// Lists the applications.
    GET "/applications" ListApplications {} => 200 Applications;
    /// Shows an application.
    GET "/applications/{application}" ShowApplication { application: ApplicationName }
        => 200 Application;
    /// Creates an application and shows its secret, or shows the existing application.
    PUT "/applications/{application}" CreateApplication { application: ApplicationName }
        => 201 | 200 ApplicationWithSecret;
    /// Deletes an application.
    DELETE "/applications/{application}" DeleteApplication { application: ApplicationName }
        => 204 ();
    /// Replaces the secret of an application, and shows the new one.
    POST "/applications/{application}/reset-secret"
        ResetSecret { application: ApplicationName } => 200 ApplicationWithSecret;
    /// Adds a certificate, with whose private key an application can log in.
    POST "/applications/{application}/certificates"
        AddCertificate { application: ApplicationName }, body NewCertificate => 200 Application;
    /// Adds a federated credential: an application can log in with the tokens of another issuer.
    POST "/applications/{application}/federated-credentials"
        AddFederatedCredential { application: ApplicationName }, body NewFederatedCredential
        => 200 Application;
    /// Removes a certificate or federated credential of an application.
    DELETE "/applications/{application}/credentials/{credential}"
        RemoveCredential { application: ApplicationName, credential: CredentialName }
        => 200 Application;
    /// Lists the role assignments.
    GET "/role-assignments" ListRoleAssignments {} => 200 RoleAssignments;
    /// Assigns a role, or shows the existing assignment.
    POST "/role-assignments/{principal}/assign"
        AssignRole { principal: PrincipalReference }, body RoleAtScope => 201 | 200 Changed<RoleAssignment>;
    /// Removes a role assignment.
    POST "/role-assignments/{principal}/remove"
        RemoveRole { principal: PrincipalReference }, body RoleAtScope => 200 Changed<Empty>;
}

operations! {
    registries, "Registries", open: false;

    /// Lists the registries. Evaluates each registry's gate.
    GET "/registries" ListRegistries {} => 200 Registries;
    /// Shows a registry. Evaluates its gate.
    GET "/registries/{registry}" ShowRegistry { registry: RegistryName } => 200 Registry;
    /// Judges a registry's customer-managed key by the practices that Microsoft documents, each with its remedy.
    GET "/registries/{registry}/checkup" ShowCheckup { registry: RegistryName } => 200 Checkup;
    /// Creates a registry, or shows the existing one.
    PUT "/registries/{registry}" CreateRegistry { registry: RegistryName }, body NewRegistry
        => 201 | 200 Registry;
    /// Deletes a registry and its content permanently.
    DELETE "/registries/{registry}" DeleteRegistry { registry: RegistryName } => 204 ();
    /// Wraps a registry's DEK with the current version of its key, or changes its key or identity.
    POST "/registries/{registry}/rotate-key"
        RotateRegistryKey { registry: RegistryName }, body KeyRotation
        => 200 Changed<Registry>;
    /// Lists the identities of a registry.
    GET "/registries/{registry}/identities" ListRegistryIdentities { registry: RegistryName }
        => 200 RegistryIdentities;
    /// Assigns an identity to a registry; `system` is the registry's own. Restores a registry that lost the identity for its
    /// key, if the assigned one may use the key.
    PUT "/registries/{registry}/identities/{identity}"
        AssignRegistryIdentity { registry: RegistryName, identity: IdentityName }
        => 200 Changed<RegistryIdentities>;
    /// Removes an identity from a registry, even if it uses the registry's key.
    DELETE "/registries/{registry}/identities/{identity}"
        RemoveRegistryIdentity { registry: RegistryName, identity: IdentityName }
        => 200 Changed<RegistryIdentities>;
    /// Lists the repositories. Refused while the registry is revoked.
    GET "/registries/{registry}/repositories" ListRepositories { registry: RegistryName }
        => 200 Repositories;
    /// Shows a repository with its manifests. Refused while the registry is revoked.
    GET "/registries/{registry}/repositories/{repository}"
        ShowRepository { registry: RegistryName, repository: RepositoryReference }
        => 200 RepositoryDetails;
    /// Deletes a repository with its manifests, tags and blobs.
    DELETE "/registries/{registry}/repositories/{repository}"
        DeleteRepository { registry: RegistryName, repository: RepositoryReference }
        => 200 DeletedRepository;
    /// Shows the size of a registry's content.
    GET "/registries/{registry}/usage" ShowUsage { registry: RegistryName } => 200 Usage;
    /// Lists the blobs that no manifest refers to.
    GET "/registries/{registry}/garbage" ShowGarbage { registry: RegistryName } => 200 Garbage;
    /// Removes the blobs that no manifest refers to, and lists them.
    DELETE "/registries/{registry}/garbage" CollectGarbage { registry: RegistryName }
        => 200 Garbage;
    /// Shows the stored objects of an image, and the key version that wraps its registry's DEK.
    GET "/registries/{registry}/inspect"
        Inspect { registry: RegistryName }, query ImageName => 200 Inspection;
}

operations! {
    logins, "Logins", open: false;

    /// Changes the login settings of a registry.
    PATCH "/registries/{registry}/login"
        UpdateLogin { registry: RegistryName }, body LoginChange => 200 LoginSettings;
    /// Shows the admin user's passwords, if the admin user is enabled.
    GET "/registries/{registry}/credentials"
        ShowCredentials { registry: RegistryName } => 200 AdminCredentials;
    /// Replaces a password of the admin user.
    POST "/registries/{registry}/credentials/{password}/regenerate"
        RegenerateCredential { registry: RegistryName, password: AdminPasswordName }
        => 200 AdminCredentials;
    /// Lists the tokens.
    GET "/registries/{registry}/tokens" ListTokens { registry: RegistryName } => 200 Tokens;
    /// Shows a token.
    GET "/registries/{registry}/tokens/{token}"
        ShowToken { registry: RegistryName, token: TokenName } => 200 Token;
    /// Creates or changes a token. Can generate the passwords of a new token.
    PUT "/registries/{registry}/tokens/{token}"
        PutToken { registry: RegistryName, token: TokenName }, body TokenChange
        => 201 | 200 TokenWithPasswords;
    /// Deletes a token.
    DELETE "/registries/{registry}/tokens/{token}"
        DeleteToken { registry: RegistryName, token: TokenName } => 204 ();
    /// Generates a password of a token, which replaces the old one, and shows it.
    POST "/registries/{registry}/tokens/{token}/passwords/{password}"
        GeneratePassword { registry: RegistryName, token: TokenName, password: TokenPasswordName },
        body PasswordLife => 200 NewPassword;
    /// Lists the scope maps.
    GET "/registries/{registry}/scope-maps" ListScopeMaps { registry: RegistryName }
        => 200 ScopeMaps;
    /// Shows a scope map.
    GET "/registries/{registry}/scope-maps/{scope_map}"
        ShowScopeMap { registry: RegistryName, scope_map: ScopeMapName } => 200 ScopeMap;
    /// Creates or changes a scope map.
    PUT "/registries/{registry}/scope-maps/{scope_map}"
        PutScopeMap { registry: RegistryName, scope_map: ScopeMapName }, body ScopeMapChange
        => 201 | 200 ScopeMap;
    /// Deletes a scope map that no token uses.
    DELETE "/registries/{registry}/scope-maps/{scope_map}"
        DeleteScopeMap { registry: RegistryName, scope_map: ScopeMapName } => 204 ();
}
