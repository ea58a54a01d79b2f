use sealock_api::{self as api, FindingKind, VerificationState};
use sealock_registry::{Error, Finding, Verification};

use super::{
    Answer, call::Call, quarantine, registries::view::restore_hint, translation::Translate as _,
};
use crate::{services::Services, tls::Trust};

/// Verifies that every record, object, private key and file is unchanged, every digest matches, every reference resolves,
/// and no object is orphaned.
pub(super) async fn verify(call: Call<api::Verify>) -> Answer<api::Verification> {
    let services = call.services;
    let mut registries = Vec::new();
    for registry in services.registries.list().await? {
        let (cause, found) = match registry.verify().await {
            Ok(verification) => (None, verification),
            Err(Error::Denied(revocation)) => (Some(revocation.cause), Verification::default()),
            Err(_) if registry.is_deleted().await? => continue,
            Err(error) => return Err(error.into()),
        };
        let record = &registry.record;
        let restore = match cause {
            Some(_) => restore_hint(&services, record.id, &record.name).await?,
            None => None,
        };
        registries.push(api::VerifiedRegistry {
            name: record.name.clone(),
            state: match cause {
                Some(_) => VerificationState::Revoked,
                None => VerificationState::Verified,
            },
            cause: cause.translate(),
            restore,
            objects: found.objects,
            bytes: found.bytes,
            references: found.references,
            uploads: found.uploads,
            lost_uploads: found.lost_uploads,
            deleted_references: found.deleted_references,
            problems: found.findings.into_iter().map(finding).collect(),
        });
    }
    let problems = Box::pin(verify_beside_content(&services, call.trust)).await?;
    let is_whole =
        |registry: &api::VerifiedRegistry| registry.cause.is_none() && registry.problems.is_empty();
    Ok(api::Verification {
        whole: problems.is_empty() && registries.iter().all(is_whole),
        registries,
        problems,
        quarantine: quarantine::size(&services).await?,
    })
}

/// Verifies everything but the registries' content.
async fn verify_beside_content(services: &Services, trust: Trust) -> Answer<Vec<api::Finding>> {
    let of_kind = |kind: FindingKind| move |description: String| api::Finding { kind, description };
    let mut findings = Vec::new();
    let metadata = services.store.check().await?;
    findings.extend(
        metadata
            .into_iter()
            .map(of_kind(FindingKind::MetadataDamaged)),
    );
    let objects = services.registries.verify_objects().await?;
    let registries = services.registries.clone();
    let uploads = tokio::task::spawn_blocking(move || registries.verify_uploads());
    let uploads = uploads.await.map_err(Error::from)??;
    findings.extend(objects.into_iter().chain(uploads).map(finding));
    let custodies = services.custodian.verify().await.map_err(Error::from)?;
    findings.extend(
        custodies
            .into_iter()
            .map(of_kind(FindingKind::CustodyDamaged)),
    );
    let private_keys = services.vault.verify_private_keys().await?;
    findings.extend(
        private_keys
            .into_iter()
            .map(of_kind(FindingKind::PrivateKeyDamaged)),
    );
    let tls = tokio::task::spawn_blocking(move || trust.verify());
    let tls = tls.await.map_err(Error::from)?;
    findings.extend(tls.into_iter().map(of_kind(FindingKind::TlsFileDamaged)));
    Ok(findings)
}

fn finding(finding: Finding) -> api::Finding {
    api::Finding {
        kind: finding.kind.translate(),
        description: finding.what,
    }
}
