use sealock_api as api;
use sealock_cmk::WRAP_ALGORITHM;
use sealock_registry::{ObjectView, Reference};

use super::{Answer, call::Call};

/// What an image without a tag means, as for docker.
const DEFAULT_TAG: &str = "latest";

/// Shows how an image lies on disk.
pub(super) async fn inspect(call: Call<api::Inspect>) -> Answer<api::Inspection> {
    let services = call.services;
    let registry = services.registries.get(&call.path.registry).await?;
    let (repository, reference) = split(&call.query.name);
    let reference: Reference = reference.parse()?;
    let inspection = registry.inspect(&repository.parse()?, &reference).await?;
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
