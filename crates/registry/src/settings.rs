/// Where Azure Container Registry does less than OCI Distribution, or is stricter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Offer the referrers API on a registry with a customer-managed key, too. ACR does not:
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-manage-artifact>
    pub referrers_on_cmk: bool,
    /// Take manifests that refer to content which was never pushed.
    pub sparse_manifests: bool,
}
