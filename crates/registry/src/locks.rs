use sealock_store::{Lock, LockGuard, Store};

use crate::{Error, Registry, RepositoryName};

/// The lock of a repository. Every request that changes its content holds it, shared or exclusive.
///
/// A commit protects only the records that it names. The exclusive lock protects the repository as a whole: for
/// instance, no manifest can start to refer to a blob while the blob is being deleted.
const REPOSITORY: Lock = Lock::new("repository");

/// The lock of publications. Its shared holder publishes an object and commits the record that refers to it, or makes
/// the file of an upload name another object.
const PUBLICATION: Lock = Lock::new("publication");

impl Registry {
    /// Waits for the shared repository lock, and refuses if the repository is locked against writing.
    ///
    /// The answer holds as long as the guard: a change of the repository's attributes takes the exclusive lock.
    pub(crate) async fn lock_to_write(
        &self,
        repository: &RepositoryName,
    ) -> Result<LockGuard, Error> {
        let lock = self.lock_shared(repository).await?;
        self.check_writable(repository).await?;
        Ok(lock)
    }

    /// Waits for the shared repository lock, and refuses if the repository is locked against deletion. The answer holds
    /// as long as the guard.
    pub(crate) async fn lock_to_delete(
        &self,
        repository: &RepositoryName,
    ) -> Result<LockGuard, Error> {
        let lock = self.lock_shared(repository).await?;
        self.check_deletable(repository).await?;
        Ok(lock)
    }

    /// Waits for the exclusive repository lock, and refuses if the repository is locked against deletion.
    pub(crate) async fn lock_exclusive_to_delete(
        &self,
        repository: &RepositoryName,
    ) -> Result<LockGuard, Error> {
        let lock = self.lock_exclusive(repository).await?;
        self.check_deletable(repository).await?;
        Ok(lock)
    }

    /// Waits for the shared repository lock.
    ///
    /// The holder must not ask for it again: a request for the exclusive lock may wait in between, and both would wait
    /// forever.
    pub(crate) async fn lock_shared(
        &self,
        repository: &RepositoryName,
    ) -> Result<LockGuard, Error> {
        let scope = [&*self.id, repository.as_str()];
        Ok(self.store.lock_shared(&REPOSITORY, &scope).await?)
    }

    /// Waits for the exclusive repository lock.
    pub(crate) async fn lock_exclusive(
        &self,
        repository: &RepositoryName,
    ) -> Result<LockGuard, Error> {
        let scope = [&*self.id, repository.as_str()];
        Ok(self.store.lock_exclusive(&REPOSITORY, &scope).await?)
    }

    /// Waits for the shared publication lock. Its holder may publish objects, save uploads and add records to the
    /// registry. Take the repository lock first.
    ///
    /// # Errors
    /// [`Error::RegistryUnknown`] if the registry was deleted in the meantime.
    pub(crate) async fn lock_publication(&self) -> Result<LockGuard, Error> {
        let publication = self.store.lock_shared(&PUBLICATION, &[]).await?;
        if Box::pin(self.is_deleted()).await? {
            return Err(Error::RegistryUnknown(self.record.name.clone()));
        }
        Ok(publication)
    }
}

/// Waits until every object published or saved so far has a record that refers to it, or never gets one.
pub(crate) async fn await_publications(store: &Store) -> Result<(), Error> {
    drop(store.lock_exclusive(&PUBLICATION, &[]).await?);
    Ok(())
}
