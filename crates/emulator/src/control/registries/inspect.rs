use sealock_api as api;
use sealock_cmk::WRAP_ALGORITHM;
use sealock_core::RegistryName;
use sealock_registry::{Error, ObjectView, Reference};

use crate::control::{Answer, ControlError, call::Call, hints};

/// The tag of an image name without a tag, as in Docker.
const DEFAULT_TAG: &str = "latest";

/// Shows the stored objects of an image.
pub(in crate::control) async fn inspect(call: Call<api::Inspect>) -> Answer<api::Inspection> {
    let services = call.services;
    let registry = services.registries.get(&call.path.registry).await?;
    let (repository, reference) = split_image_name(&call.query.name);
    let reference: Reference = reference.parse()?;
    let inspection = registry.inspect(&repository.parse()?, &reference).await;
    let inspection = inspection.map_err(|error| explain(&registry.record.name, error))?;
    let wrapped_by = if registry.record.encrypted {
        let (custody, _) = services.custodian.status(registry.record.id).await?;
        Some(api::WrappedBy {
            kid: services.names.key_uri(&custody.in_use.kid.identifier()),
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

/// Turns an error into a problem. Names the missing repository, tag or manifest, which Azure's texts do not.
fn explain(registry: &RegistryName, error: Error) -> ControlError {
    let (missing, advice) = match &error {
        Error::NameUnknown(repository) => (
            format!("the registry {registry} has no repository {repository}"),
            "name a pushed image, such as hello:v1",
        ),
        Error::ManifestUnknown {
            repository,
            reference: Reference::Tag(tag),
        } => (
            format!("the repository {repository} in the registry {registry} has no tag {tag}"),
            "name another tag or a digest",
        ),
        Error::ManifestUnknown {
            repository,
            reference: Reference::Digest(digest),
        } => (
            format!(
                "the repository {repository} in the registry {registry} has no manifest {digest}"
            ),
            "name a tag or another digest",
        ),
        _ => return error.into(),
    };
    let (status, code) = error.status_and_code();
    ControlError::new(status, code, missing, vec![hints::advice(advice)])
}

fn split_image_name(name: &str) -> (&str, &str) {
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
