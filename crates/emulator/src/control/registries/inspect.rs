use sealock_api as api;
use sealock_cmk::WRAP_ALGORITHM;
use sealock_core::RegistryName;
use sealock_registry::{Error, ObjectView, Reference};

use crate::control::{Answer, ControlError, call::Call, hints};

/// What an image without a tag means, as for docker.
const DEFAULT_TAG: &str = "latest";

/// Shows how an image lies on disk.
pub(in crate::control) async fn inspect(call: Call<api::Inspect>) -> Answer<api::Inspection> {
    let services = call.services;
    let registry = services.registries.get(&call.path.registry).await?;
    let (repository, reference) = split(&call.query.name);
    let reference: Reference = reference.parse()?;
    let inspection = registry.inspect(&repository.parse()?, &reference).await;
    let inspection = inspection.map_err(|error| refused(&registry.record.name, error))?;
    let wrapped_by = if registry.record.encrypted {
        let (custody, _) = services.custodian.status(registry.record.id).await?;
        Some(api::WrappedBy {
            kid: services.names.key_uri(&custody.kid.identifier()),
            algorithm: WRAP_ALGORITHM.to_owned(),
        })
    } else {
        None
    };
    Ok(api::Inspection {
        registry: registry.record.name.clone(),
        repository: inspection.repository.to_string(),
        reference: inspection.reference,
        digest: inspection.digest,
        layers: inspection.layers.into_iter().map(str::to_owned).collect(),
        wrapped_by,
        note: inspection.note,
        objects: inspection.objects.into_iter().map(object).collect(),
    })
}

/// Says what is not there, which Azure's texts do not: they are about a manifest alone, or a repository of any registry.
fn refused(registry: &RegistryName, error: Error) -> ControlError {
    let (missing, advice) = match &error {
        Error::NameUnknown(repository) => (
            format!("there is no repository {repository} in the registry {registry}"),
            "name an image that was pushed, such as hello:v1",
        ),
        Error::ManifestUnknown {
            repository,
            reference: Reference::Tag(tag),
        } => (
            format!("the repository {repository} in the registry {registry} has no tag {tag}"),
            "name another tag of it, or a digest",
        ),
        Error::ManifestUnknown {
            repository,
            reference: Reference::Digest(digest),
        } => (
            format!(
                "the repository {repository} in the registry {registry} has no manifest {digest}"
            ),
            "name a tag of it, or another digest",
        ),
        _ => return error.into(),
    };
    let (status, code) = error.status_and_code();
    ControlError::new(status, code, missing, vec![hints::advice(advice)])
}

fn split(name: &str) -> (&str, &str) {
    name.split_once('@')
        .or_else(|| name.rsplit_once(':'))
        .unwrap_or((name, DEFAULT_TAG))
}

fn object(object: ObjectView) -> api::StoredObject {
    api::StoredObject {
        kind: object.kind.to_owned(),
        media_type: object.media_type,
        digest: object.digest,
        size: object.size,
        object: object.object,
        stored_size: object.stored_size,
        segment_size: object.segment_size as u64,
        header: object.header,
        ciphertext: object.ciphertext,
        binding: object.binding,
    }
}
