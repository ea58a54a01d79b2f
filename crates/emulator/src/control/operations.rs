use sealock_api as api;
use sealock_resource_manager::{Action, Operation};

use super::{Answer, call::Call};

pub(super) async fn list(call: Call<api::ListOperations>) -> Answer<api::ArmOperations> {
    let mut operations = call.services.resource_manager.operations().await?;
    operations.sort_by_key(|operation| operation.started);
    Ok(api::ArmOperations {
        operations: operations.into_iter().map(view).collect(),
    })
}

pub(super) async fn complete(call: Call<api::CompleteOperation>) -> Answer<api::ArmOperation> {
    let manager = &call.services.resource_manager;
    let ended = manager.complete_operation(&call.path.operation);
    Ok(view(ended.await?))
}

pub(super) async fn fail(call: Call<api::FailOperation>) -> Answer<api::ArmOperation> {
    let manager = &call.services.resource_manager;
    let ended = manager.fail_operation(&call.path.operation);
    Ok(view(ended.await?))
}

fn view(operation: Operation) -> api::ArmOperation {
    api::ArmOperation {
        id: operation.id.to_string(),
        action: match operation.action {
            Action::Create => api::ArmAction::Create,
            Action::Update => api::ArmAction::Update,
            Action::DeleteGroup(_) => api::ArmAction::Delete,
            Action::Purge => api::ArmAction::Purge,
        },
        state: match &operation.end {
            None => api::ArmState::InProgress,
            Some(end) if end.failure.is_none() => api::ArmState::Succeeded,
            Some(_) => api::ArmState::Failed,
        },
        resource: operation.resource,
        started: operation.started.into(),
        due: operation.due.map(Into::into),
        ended: operation.end.map(|end| end.time.into()),
    }
}
