use sealock_store::{Lock, LockGuard, Store};

use crate::{Error, Registry, RepositoryName};

/// Held by who writes to a repository.
///
/// A commit only sees to the records that it names. What must hold for a repository as a whole, for instance
/// that no manifest comes to refer to a blob while that is being deleted, is judged by whoever has the
/// repository to itself.
const REPOSITORY: Lock = Lock::new("repository");

/// Held from the publication of an object to the commit that refers to it, and while the file of an upload comes to
/// name another object.
const PUBLICATION: Lock = Lock::new("publication");

impl Registry {
    /// Waits until the repository may be written to, beside others that do the same.
    ///
    /// Whoever has a turn must not ask for another: somebody may wait between the two for one alone.
    pub(crate) async fn lock_shared(
        &self,
        repository: &RepositoryName,
    ) -> Result<LockGuard, Error> {
        let scope = [&*self.id, repository.as_str()];
        Ok(self.store.shared(&REPOSITORY, &scope).await?)
    }

    /// Waits until nobody else writes to the repository.
    pub(crate) async fn lock_exclusive(
        &self,
        repository: &RepositoryName,
    ) -> Result<LockGuard, Error> {
        let scope = [&*self.id, repository.as_str()];
        Ok(self.store.exclusive(&REPOSITORY, &scope).await?)
    }

    /// Permits to publish or keep objects that something will mention, and to add records to the registry. Ask for it
    /// behind a turn.
    ///
    /// # Errors
    /// [`Error::RegistryUnknown`] if the registry was deleted in the meantime.
    pub(crate) async fn lock_publication(&self) -> Result<LockGuard, Error> {
        let publication = self.store.shared(&PUBLICATION, &[]).await?;
        if Box::pin(self.is_deleted()).await? {
            return Err(Error::RegistryUnknown(self.record.name.clone()));
        }
        Ok(publication)
    }
}

/// Waits until each object that is published or kept by now is mentioned, or never will be.
pub(crate) async fn await_publications(store: &Store) -> Result<(), Error> {
    drop(store.exclusive(&PUBLICATION, &[]).await?);
    Ok(())
}
