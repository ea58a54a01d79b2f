use std::{ops::Bound, time::Duration};

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use sealock_core::{ResourceGroupName, excerpt};
use sealock_store::{Batch, Lock, Table};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use uuid::Uuid;

use crate::{Error, ResourceManager, Result};

/// Keyed by id.
const OPERATIONS: Table<Operation> = Table::content("arm-operations");

/// The last operation on a resource if it has not succeeded, keyed by the resource's id in lower case.
const UNSUCCESSFUL: Table<Uuid> = Table::content("arm-unsuccessful-operations");

/// The lock of an operation, held by whoever ends it.
const OPERATION: Lock = Lock::new("arm-operation");

/// The time for which the result of an operation can be fetched.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The number of operations beyond which the expired ones are removed.
const SWEEP_BEYOND: usize = 256;

/// The time after which an operation is tried again whose work has failed for a reason that may pass.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The code of the error of a failed operation.
pub(crate) const OPERATION_FAILED: &str = "OperationFailed";

/// The duration of asynchronous operations: `fidelity.provisioning_delay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvisioningDelay {
    /// A time by the emulator's clock.
    For(SignedDuration),
    /// Until the operator completes them or lets them fail.
    Held,
}

impl Default for ProvisioningDelay {
    fn default() -> Self {
        Self::For(SignedDuration::ZERO)
    }
}

impl<'de> Deserialize<'de> for ProvisioningDelay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "held" {
            return Ok(Self::Held);
        }
        let expected = |_| D::Error::custom("expected a duration such as \"15s\", or \"held\"");
        let delay: SignedDuration = text.parse().map_err(expected)?;
        if delay.is_negative() {
            return Err(D::Error::custom("a delay cannot be negative"));
        }
        Ok(Self::For(delay))
    }
}

/// An asynchronous operation.
///
/// The change of a registry or vault is made before its operation begins, and shows as under way until the operation ends.
/// The deletion of a resource group is made at its end.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations>
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// Its id.
    pub id: Uuid,
    /// Its effect.
    pub action: Action,
    /// The id of the resource.
    pub resource: String,
    /// The time of the request.
    pub started: Timestamp,
    /// The time at which it ends by itself. `None` for one that the operator ends.
    pub due: Option<Timestamp>,
    /// Its end.
    pub end: Option<End>,
}

/// The effect of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The creation of a resource.
    Create,
    /// The change of a resource.
    Update,
    /// The deletion of a resource group.
    DeleteGroup(ResourceGroupName),
    /// The purge of a vault.
    Purge,
}

/// The end of an operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    /// Its time.
    pub time: Timestamp,
    /// The error if it has failed.
    pub failure: Option<Failure>,
}

/// The error of a failed operation, as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The code.
    pub code: String,
    /// The message.
    pub message: String,
}

/// The provisioning state of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProvisioningState {
    Creating,
    Updating,
    Deleting,
    Failed,
    Succeeded,
}

impl ProvisioningState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
            Self::Failed => "Failed",
            Self::Succeeded => "Succeeded",
        }
    }

    /// Returns true if an operation is under way.
    pub(crate) fn is_transient(self) -> bool {
        matches!(self, Self::Creating | Self::Updating | Self::Deleting)
    }
}

impl Action {
    /// Returns the state of the resource meanwhile.
    pub(crate) fn state(&self) -> ProvisioningState {
        match self {
            Self::Create => ProvisioningState::Creating,
            Self::Update => ProvisioningState::Updating,
            Self::DeleteGroup(_) | Self::Purge => ProvisioningState::Deleting,
        }
    }
}

impl Operation {
    pub(crate) fn new(action: Action, resource: &str, started: Timestamp) -> Self {
        Self {
            id: Uuid::new_v4(),
            action,
            resource: resource.to_owned(),
            started,
            due: Some(started),
            end: None,
        }
    }

    /// Returns the state of its resource.
    pub(crate) fn provisioning_state(&self) -> ProvisioningState {
        match (&self.end, &self.action) {
            (Some(End { failure: None, .. }), _) => ProvisioningState::Succeeded,
            (Some(_), _) => ProvisioningState::Failed,
            (None, action) => action.state(),
        }
    }

    /// Returns its error if it has failed.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.end.as_ref()?.failure.as_ref()
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.end.is_none() && self.due.is_some_and(|due| due <= now)
    }
}

impl ResourceManager {
    /// Begins an operation on a resource, which takes the configured time.
    pub(crate) async fn begin(&self, action: Action, resource: &str) -> Result<Operation> {
        let now = self.clock.now();
        let due = match self.provisioning_delay {
            ProvisioningDelay::For(delay) => Some(now.saturating_add(delay).unwrap_or(now)),
            ProvisioningDelay::Held => None,
        };
        let mut operation = Operation::new(action, resource, now);
        operation.due = due;
        let has_work = matches!(operation.action, Action::DeleteGroup(_));
        if operation.is_due(now) && !has_work {
            return self.record_success(operation).await;
        }
        let batch = Batch::new()
            .put(&OPERATIONS, &[&operation.id.to_string()], &operation)
            .put(&UNSUCCESSFUL, &[&key(resource)], &operation.id);
        self.commit_with_sweep(batch).await?;
        if operation.is_due(now) {
            return self.end(operation.id, None).await;
        }
        self.operation_begun.notify_one();
        Ok(operation)
    }

    /// Records an operation that has succeeded at once, whatever the configured time.
    pub(crate) async fn record_success(&self, mut operation: Operation) -> Result<Operation> {
        operation.end = Some(End {
            time: operation.started,
            failure: None,
        });
        let batch = Batch::new()
            .put(&OPERATIONS, &[&operation.id.to_string()], &operation)
            .delete(&UNSUCCESSFUL, &[&key(&operation.resource)]);
        self.commit_with_sweep(batch).await?;
        Ok(operation)
    }

    /// Commits a batch that adds an operation. Removes the expired ones, if there are many. A failed one stays, because it
    /// is the state of its resource.
    async fn commit_with_sweep(&self, mut batch: Batch) -> Result<()> {
        let now = self.clock.now();
        let known = self.operations().await?;
        if known.len() > SWEEP_BEYOND {
            let is_expired = |it: &&Operation| {
                let end = it.end.as_ref();
                end.is_some_and(|end| {
                    end.failure.is_none() && now.duration_since(end.time) > KEPT_FOR
                })
            };
            for old in known.iter().filter(is_expired) {
                batch = batch.delete(&OPERATIONS, &[&old.id.to_string()]);
            }
        }
        let _unconditional = self.store.commit(batch).await?;
        Ok(())
    }

    /// Returns an operation.
    ///
    /// # Errors
    /// [`Error::OperationNotFound`]
    pub async fn operation(&self, id: &str) -> Result<Operation> {
        let not_found = || Error::OperationNotFound(excerpt(id).to_owned());
        let id: Uuid = id.parse().map_err(|_| not_found())?;
        let found = self.store.get(&OPERATIONS, &[&id.to_string()]).await?;
        Ok(found.ok_or_else(not_found)?.value)
    }

    /// Returns all operations of the last day.
    ///
    /// # Errors
    /// The store fails.
    pub async fn operations(&self) -> Result<Vec<Operation>> {
        let known = self.store.scan(&OPERATIONS, &[], Bound::Unbounded);
        let known = known.map_ok(|entry| entry.record.value);
        Ok(known.try_collect().await?)
    }

    /// Completes an operation for the operator.
    ///
    /// # Errors
    /// [`Error::OperationNotFound`], and [`Error::OperationEnded`] for one that has ended.
    pub async fn complete_operation(&self, id: &str) -> Result<Operation> {
        self.end_for_operator(id, None).await
    }

    /// Lets an operation fail for the operator.
    ///
    /// # Errors
    /// [`Error::OperationNotFound`], and [`Error::OperationEnded`] for one that has ended.
    pub async fn fail_operation(&self, id: &str) -> Result<Operation> {
        let failure = Failure {
            code: OPERATION_FAILED.to_owned(),
            message: "The operator of the emulator has let this operation fail.".to_owned(),
        };
        self.end_for_operator(id, Some(failure)).await
    }

    async fn end_for_operator(&self, id: &str, failure: Option<Failure>) -> Result<Operation> {
        let operation = self.operation(id).await?;
        if operation.end.is_some() {
            return Err(Error::OperationEnded(operation.id));
        }
        self.end(operation.id, failure).await
    }

    /// Ends the operations that are due. Returns the time until the next one.
    pub async fn end_due_operations(&self) -> Option<Duration> {
        let now = self.clock.now();
        let operations = match self.operations().await {
            Ok(operations) => operations,
            Err(error) => {
                tracing::error!(%error, "cannot read the operations that are due");
                return Some(RETRY_AFTER);
            }
        };
        let mut next = None;
        for operation in operations.iter().filter(|it| it.end.is_none()) {
            let wait = if operation.is_due(now) {
                let Err(error) = self.end(operation.id, None).await else {
                    continue;
                };
                tracing::error!(%error, id = %operation.id, "cannot end an operation that is due");
                RETRY_AFTER
            } else {
                let Some(due) = operation.due else { continue };
                Duration::try_from(due.duration_since(now)).unwrap_or_default()
            };
            next = Some(next.map_or(wait, |next: Duration| next.min(wait)));
        }
        next
    }

    /// Returns the last operation on a resource if it has not succeeded.
    pub(crate) async fn unsuccessful_operation(&self, resource: &str) -> Result<Option<Operation>> {
        let Some(last) = self.store.get(&UNSUCCESSFUL, &[&key(resource)]).await? else {
            return Ok(None);
        };
        let operation = self.store.get(&OPERATIONS, &[&last.to_string()]).await?;
        Ok(operation.map(|operation| operation.value))
    }

    /// Returns the state of a resource.
    pub(crate) async fn provisioning_state(&self, resource: &str) -> Result<ProvisioningState> {
        let operation = self.unsuccessful_operation(resource).await?;
        let state = operation.map(|operation| operation.provisioning_state());
        Ok(state.unwrap_or(ProvisioningState::Succeeded))
    }

    /// A resource is changed by one operation at a time.
    ///
    /// The code and the text are those of other providers.
    /// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors>
    pub(crate) async fn no_operation_in_progress(&self, resource: &str) -> Result<()> {
        if self.provisioning_state(resource).await?.is_transient() {
            return Err(Error::OperationInProgress(resource.to_owned()));
        }
        Ok(())
    }

    /// Forgets the last operation on a resource, after its deletion or a change that has succeeded at once.
    pub(crate) async fn forget_operation(&self, resource: &str) -> Result<()> {
        if self.unsuccessful_operation(resource).await?.is_none() {
            return Ok(());
        }
        let batch = Batch::new().delete(&UNSUCCESSFUL, &[&key(resource)]);
        let _unconditional = self.store.commit(batch).await?;
        Ok(())
    }

    /// Ends an operation, unless it has ended already. A deletion that the disk prevents does not end.
    async fn end(&self, id: Uuid, mut failure: Option<Failure>) -> Result<Operation> {
        let id = id.to_string();
        let _guard = self.store.lock_exclusive(&OPERATION, &[&id]).await?;
        let mut operation = self.operation(&id).await?;
        if operation.end.is_some() {
            return Ok(operation);
        }
        if failure.is_none()
            && let Action::DeleteGroup(group) = &operation.action
        {
            match self.delete_group(group).await {
                Ok(()) | Err(Error::ResourceGroupNotFound(_)) => {}
                Err(error) if error.status_and_code().0.is_server_error() => return Err(error),
                Err(error) => {
                    failure = Some(Failure {
                        code: error.status_and_code().1.to_owned(),
                        message: error.to_string(),
                    });
                }
            }
        }
        let resource = key(&operation.resource);
        let has_succeeded = failure.is_none();
        operation.end = Some(End {
            time: self.clock.now(),
            failure,
        });
        let ended = self.store.update(|| async {
            let mut batch = Batch::new().put(&OPERATIONS, &[&id], &operation);
            let last = self.store.get(&UNSUCCESSFUL, &[&resource]).await?;
            if let Some(last) = last.filter(|last| has_succeeded && last.value == operation.id) {
                batch = batch
                    .expect(&UNSUCCESSFUL, &[&resource], &last)
                    .delete(&UNSUCCESSFUL, &[&resource]);
            }
            Ok::<_, Error>((batch, ()))
        });
        ended.await?;
        Ok(operation)
    }
}

/// Returns the id in lower case, since Azure ignores its case.
fn key(resource: &str) -> String {
    resource.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde::de::{IntoDeserializer as _, value};

    use super::*;

    fn parse(text: &str) -> Result<ProvisioningDelay, value::Error> {
        ProvisioningDelay::deserialize(text.into_deserializer())
    }

    #[test]
    fn delay_is_a_duration_or_held() {
        let seconds = SignedDuration::from_secs;
        assert_eq!(parse("15s"), Ok(ProvisioningDelay::For(seconds(15))));
        assert_eq!(parse("1m 30s"), Ok(ProvisioningDelay::For(seconds(90))));
        assert_eq!(parse("held"), Ok(ProvisioningDelay::Held));
        for bad in ["", "15", "-1s", "forever"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
