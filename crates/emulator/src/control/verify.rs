use axum::{Extension, Json, extract::State};
use sealock_cmk::Cause;
use sealock_core::RegistryName;
use sealock_registry::{Error, Problem, Verification};
use serde::Serialize;

use super::{Answer, ControlError, quarantine, registries::way_back};
use crate::{services::Services, tls::Trust};

#[derive(Serialize)]
pub(super) struct View {
    registries: Vec<RegistryView>,
    /// What belongs to no registry.
    problems: Vec<Finding>,
    /// The files in quarantine, which no record mentions. They are no problem.
    quarantine: quarantine::Summary,
    /// Whether everything could be checked and nothing was found.
    whole: bool,
}

#[derive(Serialize)]
struct RegistryView {
    name: RegistryName,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    /// The command that brings it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    restore: Option<String>,
    #[serde(flatten)]
    verification: Verification,
}

/// A problem outside the registries' content.
#[derive(Serialize)]
#[serde(untagged)]
enum Finding {
    Registry(Problem),
    Other { kind: Kind, what: String },
}

#[derive(Clone, Copy, Serialize)]
enum Kind {
    /// A custody record, or its second copy.
    #[serde(rename = "CustodyDamaged")]
    Custody,
    /// Records, their log and copies, or the journal.
    #[serde(rename = "MetadataDamaged")]
    Metadata,
    /// A key version's private key.
    #[serde(rename = "PrivateKeyDamaged")]
    PrivateKey,
    /// A TLS file.
    #[serde(rename = "TlsFileDamaged")]
    TlsFile,
}

/// Checks that every record, object, private key and file is the one that was written, every digest matches, every
/// reference resolves, and nothing is orphaned.
pub(super) async fn verify(
    State(services): State<Services>,
    Extension(trust): Extension<Trust>,
) -> Answer<View> {
    let mut registries = Vec::new();
    for registry in services.registries.list().await? {
        let (state, cause, verification) = match registry.verify().await {
            Ok(verification) => ("verified", None, verification),
            Err(Error::Denied(revocation)) => {
                ("revoked", Some(revocation.cause), Verification::default())
            }
            Err(error) => return Err(error.into()),
        };
        let record = &registry.record;
        let restore = match cause {
            Some(_) => way_back(&services, record.id, &record.name).await?,
            None => None,
        };
        registries.push(RegistryView {
            name: record.name.clone(),
            state,
            cause,
            restore,
            verification,
        });
    }
    let problems = Box::pin(beside_content(&services, trust)).await?;
    let whole = problems.is_empty()
        && registries
            .iter()
            .all(|registry| registry.cause.is_none() && registry.verification.problems.is_empty());
    Ok(Json(View {
        registries,
        problems,
        quarantine: quarantine::Summary::of(&services).await?,
        whole,
    }))
}

/// Finds the problems outside the registries' content.
async fn beside_content(services: &Services, trust: Trust) -> Result<Vec<Finding>, ControlError> {
    let of_kind = |kind: Kind| move |what: String| Finding::Other { kind, what };
    let mut findings = Vec::new();
    let metadata = services.store.check().await?;
    findings.extend(metadata.into_iter().map(of_kind(Kind::Metadata)));
    let objects = services.registries.verify_objects().await?;
    let registries = services.registries.clone();
    let uploads = tokio::task::spawn_blocking(move || registries.verify_uploads());
    let uploads = uploads.await.map_err(Error::from)??;
    findings.extend(objects.into_iter().chain(uploads).map(Finding::Registry));
    let custodies = services.custodian.verify().await.map_err(Error::from)?;
    findings.extend(custodies.into_iter().map(of_kind(Kind::Custody)));
    let private_keys = services.vault.verify_private_keys().await?;
    findings.extend(private_keys.into_iter().map(of_kind(Kind::PrivateKey)));
    let tls = tokio::task::spawn_blocking(move || trust.verify());
    let tls = tls.await.map_err(Error::from)?;
    findings.extend(tls.into_iter().map(of_kind(Kind::TlsFile)));
    Ok(findings)
}
