use std::sync::Arc;

use sealock_core::{Algorithm, Digest};
use sealock_store::Store;
use tokio::task::spawn_blocking;

use super::{
    open_uploads::{OpenUploads, SESSION_LIMIT, UPLOAD, read_head},
    resume::Resumption,
    session::Session,
    session_file::Head,
    staging::{LockedUpload, State, Upload},
};
use crate::{Error, Registry, RepositoryName, UploadId, content::uncommitted::UncommittedContent};

impl Registry {
    /// Begins an upload that later requests continue.
    pub(crate) async fn begin_upload(
        &self,
        repository: &RepositoryName,
        algorithm: Algorithm,
    ) -> Result<UploadId, Error> {
        self.uploads.expire(&self.store, &self.service_key).await;
        let _publication = self.lock_publication().await?;
        let lease = self.lease().await?;
        let store = self.store.clone();
        let head = self.head(repository);
        let upload = spawn_blocking(move || {
            let mut upload = Upload::new(&store, &lease.keys(), algorithm)?;
            let saved = upload.save(&store, &lease.keys(), head);
            saved.inspect_err(|_| upload.remove_files(&store))?;
            Ok::<_, Error>(upload)
        });
        let upload = upload.await??;
        let id = upload.id;
        if let Some(mut surplus) = self.uploads.insert(upload) {
            let store = self.store.clone();
            spawn_blocking(move || surplus.end(&store)).await?;
            return Err(Error::TooManyUploads(SESSION_LIMIT));
        }
        Ok(id)
    }

    /// Begins an upload that this request completes. No other request can find it.
    pub(crate) async fn begin_whole_upload(
        &self,
        algorithm: Algorithm,
    ) -> Result<LockedUpload, Error> {
        let lease = self.lease().await?;
        let store = self.store.clone();
        let upload = spawn_blocking(move || Upload::new(&store, &lease.keys(), algorithm));
        let upload = Arc::new(tokio::sync::Mutex::new(upload.await??));
        Ok(LockedUpload::new(upload.lock_owned().await, None))
    }

    /// Locks an upload and prepares it for more content.
    pub(crate) async fn open_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<LockedUpload, Error> {
        let upload = self.lock_upload(repository, id).await?;
        match &upload.state {
            State::Ended => {
                self.end_upload(upload).await?;
                Err(Error::BlobUploadInvalid)
            }
            State::Saved => {
                // Spawned, so that it finishes even if the client leaves.
                let (registry, repository) = (self.clone(), repository.clone());
                let resumed =
                    tokio::spawn(async move { registry.resume_upload(&repository, upload).await });
                resumed.await?
            }
            State::Open(_) => self.save_upload(repository, upload).await,
        }
    }

    async fn lock_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<LockedUpload, Error> {
        let lock = self
            .store
            .lock_exclusive(&UPLOAD, &[&id.to_string()])
            .await?;
        let Some(head) = read_head(&self.store, &self.service_key, id)? else {
            self.uploads.remove(id);
            return Err(Error::BlobUploadUnknown);
        };
        if head.registry != self.record.id || head.repository != *repository {
            return Err(Error::BlobUploadUnknown);
        }
        let upload = self.uploads.register(&head, self.clock.now());
        let mut upload = LockedUpload::new(upload.lock_owned().await, Some(lock));
        upload.catch_up_with(&head);
        Ok(upload)
    }

    /// Cancels an upload.
    pub(crate) async fn cancel_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<(), Error> {
        let upload = self.lock_upload(repository, id).await?;
        self.end_upload(upload).await
    }

    async fn end_upload(&self, mut upload: LockedUpload) -> Result<(), Error> {
        let (store, uploads) = (self.store.clone(), self.uploads.clone());
        let ended = spawn_blocking(move || {
            upload.end(&store);
            uploads.remove(upload.id);
        });
        Ok(ended.await?)
    }

    /// Saves the progress of an upload in its file. Content that a client believes to have arrived survives a restart.
    pub(crate) async fn save_upload(
        &self,
        repository: &RepositoryName,
        mut upload: LockedUpload,
    ) -> Result<LockedUpload, Error> {
        if upload.saved_bytes == Some(upload.received()) {
            return Ok(upload);
        }
        let lease = self.lease().await?;
        let store = self.store.clone();
        let head = self.head(repository);
        let uploads = self.uploads.clone();
        let saved = spawn_blocking(move || match upload.save(&store, &lease.keys(), head) {
            Ok(()) => Ok(upload),
            Err(error) => Err(end_failed(upload, &store, &uploads, error)),
        });
        saved.await?
    }

    /// Returns a function that creates the head of a session's file.
    fn head(&self, repository: &RepositoryName) -> impl FnOnce(&Upload, &Session) -> Head + use<> {
        let (registry, repository) = (self.record.id, repository.clone());
        let touched = self.clock.now();
        move |upload, session| {
            Head::new(
                upload.id,
                registry,
                repository,
                upload.object,
                session,
                touched,
            )
        }
    }

    /// Resumes an upload from its file. An upload that cannot be read back ends here.
    ///
    /// # Errors
    /// [`Error::BlobUploadUnknown`] if it cannot be read back. The upload to a revoked registry stays.
    async fn resume_upload(
        &self,
        repository: &RepositoryName,
        upload: LockedUpload,
    ) -> Result<LockedUpload, Error> {
        let lease = self.lease().await?;
        let (registry, name) = (self.clone(), repository.clone());
        let begun =
            spawn_blocking(move || Resumption::begin(registry, &name, upload, &lease.keys()));
        let mut resumption = begun.await??;
        while let Some(segments) = resumption.next() {
            let lease = self.lease().await?;
            let step = spawn_blocking(move || resumption.step(&lease.keys(), &segments));
            resumption = step.await??;
        }
        let _publication = self.lock_publication().await?;
        let lease = self.lease().await?;
        let head = self.head(repository);
        spawn_blocking(move || resumption.finish(&lease.keys(), head)).await?
    }

    /// Completes an upload, whose content must have `digest`. While the registry is revoked or the repository locked,
    /// the upload stays and can be completed later.
    pub(crate) async fn finish_upload(
        &self,
        repository: &RepositoryName,
        mut upload: LockedUpload,
        digest: Digest,
    ) -> Result<(), Error> {
        // The sync takes long, so it comes before the locks and the lease.
        if upload.session().is_some_and(Session::has_segments) {
            let (store, uploads) = (self.store.clone(), self.uploads.clone());
            let synced = spawn_blocking(move || match upload.sync() {
                Ok(()) => Ok(upload),
                Err(error) => Err(end_failed(upload, &store, &uploads, error)),
            });
            upload = synced.await??;
        }
        let _lock = self.lock_to_write(repository).await?;
        let _publication = self.lock_publication().await?;
        let lease = self.lease().await?;
        let (store, uploads) = (self.store.clone(), self.uploads.clone());
        let algorithm = upload.session().map(Session::algorithm);
        let published = spawn_blocking(move || {
            let published = upload.publish(&store, &lease.keys(), &digest);
            uploads.remove(upload.id);
            (published, upload)
        });
        let (published, mut upload) = published.await?;
        let committed = match published {
            Ok(published) => {
                let committed = self.commit_upload(repository, published, algorithm, digest);
                committed.await
            }
            Err(error) => Err(error),
        };
        // Only after the commit: if this process ends before, the next one can complete the session.
        let store = self.store.clone();
        spawn_blocking(move || upload.end(&store)).await?;
        committed
    }

    async fn commit_upload(
        &self,
        repository: &RepositoryName,
        published: UncommittedContent,
        algorithm: Option<Algorithm>,
        digest: Digest,
    ) -> Result<(), Error> {
        if algorithm != Some(digest.algorithm()) {
            // The content was hashed by another algorithm, since the client did not announce this one.
            let content = self.open_content(digest, &published.record).await?;
            let unknown = || Error::Internal("a published object is not there".to_owned());
            let actual = content.ok_or_else(unknown)?.hash(digest.algorithm());
            Error::check_digest(&digest, actual.await?)?;
        }
        self.put_blob(repository, &digest, published).await
    }
}

/// Ends an upload after a failed write, so that it takes no room on the disk. Blocks.
pub(super) fn end_failed(
    mut upload: LockedUpload,
    store: &Store,
    uploads: &OpenUploads,
    error: Error,
) -> Error {
    upload.end(store);
    uploads.remove(upload.id);
    error
}
