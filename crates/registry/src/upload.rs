use std::{
    fmt,
    future::ready,
    ops::{Deref, DerefMut},
    pin::{Pin, pin},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, future::BoxFuture};
use jiff::Timestamp;
use sealock_core::{Algorithm, Digest, ObjectId};
use sealock_envelope::{Header, RegistryKeys, Sealer, SegmentSize};
use sealock_store::{LockGuard, Store, objects::Staged};
use tokio::{sync::OwnedMutexGuard, task::spawn_blocking};

use crate::{
    Error, Registry, RepositoryName, UploadId, Uploads,
    content::Fresh,
    resumption::Resumption,
    session::{
        Session,
        file::{self, Head},
    },
    turns::UPLOAD,
    uploads::{SESSION_LIMIT, read_head},
};

/// How much of a body is hashed, sealed and written at once. Each batch wakes other threads, which costs
/// more than to hold it.
const BATCH_BYTES: usize = 1024 * 1024;

/// A blob on its way in: a session, and where it writes.
pub(crate) struct Upload {
    pub(crate) id: UploadId,
    /// What is staged for it.
    pub(crate) object: ObjectId,
    state: State,
    /// How many bytes it has as its file says. `None` if it has no file, because it ends with its request.
    in_file: Option<u64>,
}

enum State {
    /// Its file has it: of an earlier process, of another node, or before a chunk that was taken back.
    Kept,
    Open(Box<Open>),
    /// It is complete, or a write failed and what is staged may not be whole.
    Over,
}

/// An upload that takes bytes.
pub(crate) struct Open {
    pub(crate) session: Session,
    pub(crate) staged: Box<dyn Staged>,
}

/// An upload that nobody else can touch, on this node or another.
pub(crate) struct Turn {
    upload: OwnedMutexGuard<Upload>,
    /// `None` if no other request can find it.
    _lock: Option<LockGuard>,
}

impl Turn {
    pub(crate) fn new(upload: OwnedMutexGuard<Upload>, lock: Option<LockGuard>) -> Self {
        Self {
            upload,
            _lock: lock,
        }
    }
}

impl Deref for Turn {
    type Target = Upload;

    fn deref(&self) -> &Upload {
        &self.upload
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut Upload {
        &mut self.upload
    }
}

impl Upload {
    /// A new upload. It has no file yet. Blocks.
    fn new(store: &Store, keys: &RegistryKeys<'_>, algorithm: Algorithm) -> Result<Self, Error> {
        let header = Header::new(keys.layers(), SegmentSize::default());
        let mut staged = store.blobs.stage()?;
        staged.append(&header.to_bytes())?;
        Ok(Self {
            id: UploadId::random(),
            object: staged.id(),
            state: State::Open(Box::new(Open {
                session: Session::new(header, algorithm),
                staged,
            })),
            in_file: None,
        })
    }

    /// An upload that goes on from its file.
    pub(crate) fn kept(id: UploadId, object: ObjectId, received: u64) -> Self {
        Self {
            id,
            object,
            state: State::Kept,
            in_file: Some(received),
        }
    }

    /// Goes on from the file with this head if another node wrote that.
    pub(crate) fn follow(&mut self, head: &Head) {
        if self.object != head.object || self.in_file != Some(head.received) {
            *self = Self::kept(head.upload, head.object, head.received);
        }
    }

    /// Goes on with a kept upload in a new object. Its file does not say so yet.
    pub(crate) fn reopen(&mut self, open: Open) {
        self.object = open.staged.id();
        self.state = State::Open(Box::new(open));
    }

    /// Takes back what came since its file was written: a chunk that is refused after all. Some of it may be
    /// sealed under the object's keys, so that it goes on in another object, as after a restart.
    pub(crate) fn take_back(&mut self) {
        if let Some(received) = self.in_file {
            *self = Self::kept(self.id, self.object, received);
        }
    }

    /// How many bytes have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.session().map_or(0, Session::received)
    }

    /// Whether a chunk that begins at this byte continues it.
    pub(crate) fn is_continued_at(&self, begins: u64) -> bool {
        self.session()
            .is_some_and(|session| session.is_continued_at(begins))
    }

    fn session(&self) -> Option<&Session> {
        match &self.state {
            State::Open(open) => Some(&open.session),
            State::Kept | State::Over => None,
        }
    }

    /// What it has, to be given back when a step has succeeded.
    fn take_open(&mut self) -> Result<Box<Open>, Error> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Open(open) => Ok(open),
            State::Kept | State::Over => Err(Error::BlobUploadInvalid),
        }
    }

    fn append(&mut self, keys: &RegistryKeys<'_>, batch: &[Bytes]) -> Result<(), Error> {
        let Open {
            session,
            mut staged,
        } = *self.take_open()?;
        let keys = keys.object(session.header()).map_err(Error::internal)?;
        let session = session.append(&keys, batch, |sealed| Ok(staged.append(sealed)?))?;
        self.state = State::Open(Box::new(Open { session, staged }));
        Ok(())
    }

    /// Syncs what was written so far.
    fn sync(&mut self) -> Result<(), Error> {
        let open = self.take_open()?;
        open.staged.sync()?;
        self.state = State::Open(open);
        Ok(())
    }

    /// Has its file say what it has. Blocks.
    pub(crate) fn keep(
        &mut self,
        store: &Store,
        keys: &RegistryKeys<'_>,
        head: impl FnOnce(&Self, &Session) -> Head,
    ) -> Result<(), Error> {
        let Some(session) = self.session() else {
            return Err(Error::BlobUploadInvalid);
        };
        let received = session.received();
        let file = file::seal(&head(self, session), keys, session)?;
        if let State::Open(open) = &mut self.state {
            open.staged.keep()?;
        }
        store.uploads.put(self.id.note(), &file)?;
        self.in_file = Some(received);
        Ok(())
    }

    /// Seals the last segment, binds the object to `digest` and publishes it. The session is over then, whatever
    /// happens: the object's keys never seal this segment again.
    fn publish(
        &mut self,
        store: &Store,
        keys: &RegistryKeys<'_>,
        digest: &Digest,
    ) -> Result<Fresh, Error> {
        let Open {
            session,
            mut staged,
        } = *self.take_open()?;
        let keys = keys.object(session.header()).map_err(Error::internal)?;
        let sealed = session.finish(&keys, digest, |end| Ok(staged.append(end)?))?;
        Fresh::publish(store, staged, &sealed)
    }

    /// Removes what it leaves behind. Blocks.
    pub(crate) fn end(&mut self, store: &Store) {
        // What is staged is closed before it is discarded.
        self.state = State::Over;
        if self.in_file.take().is_some() {
            self.abandon(store);
        }
    }

    /// Moves the upload's files into quarantine. Blocks.
    pub(crate) fn set_aside(&mut self, store: &Store, now: Timestamp) {
        self.state = State::Over;
        self.in_file = None;
        let since = now.as_second();
        let file = store.uploads.set_aside(self.id.note(), since);
        let staged = store.blobs.set_staged_aside(self.object, since);
        if let Err(error) = file.and(staged) {
            let upload = self.id;
            tracing::warn!(%upload, %error, "an upload's files could not be set aside; a later start does it");
        }
    }

    /// Removes the upload's files.
    fn abandon(&self, store: &Store) {
        let file = store.uploads.remove(self.id.note());
        let staged = store.blobs.discard(self.object);
        if let Err(error) = file.and(staged) {
            let upload = self.id;
            tracing::warn!(%upload, %error, "an upload's files could not be removed; a later start sweeps them");
        }
    }
}

/// Seals and publishes a small content in one step. Blocks.
pub(crate) fn publish_whole(
    store: &Store,
    keys: &RegistryKeys<'_>,
    digest: &Digest,
    bytes: &[u8],
) -> Result<Fresh, Error> {
    let header = Header::new(keys.layers(), SegmentSize::default());
    let keys = keys.object(&header).map_err(Error::internal)?;
    let mut sealer = Sealer::new(header);
    let mut object = header.to_bytes().to_vec();
    sealer
        .update(&keys, bytes, &mut object)
        .map_err(Error::internal)?;
    let sealed = sealer
        .finish(&keys, digest, &mut object)
        .map_err(Error::internal)?;
    let mut staged = store.blobs.stage()?;
    staged.append(&object)?;
    Fresh::publish(store, staged, &sealed)
}

impl Registry {
    /// Begins an upload that goes on in later requests.
    pub(crate) async fn begin_upload(
        &self,
        repository: &RepositoryName,
        algorithm: Algorithm,
    ) -> Result<UploadId, Error> {
        self.uploads.expire(&self.store, &self.service_key).await;
        let _publication = self.publication().await?;
        let lease = self.lease().await?;
        let store = self.store.clone();
        let head = self.head(repository);
        let upload = spawn_blocking(move || {
            let mut upload = Upload::new(&store, &lease.keys(), algorithm)?;
            let kept = upload.keep(&store, &lease.keys(), head);
            kept.inspect_err(|_| upload.abandon(&store))?;
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

    /// Begins an upload that ends with this request, and that no other request can find.
    pub(crate) async fn begin_whole_upload(&self, algorithm: Algorithm) -> Result<Turn, Error> {
        let lease = self.lease().await?;
        let store = self.store.clone();
        let upload = spawn_blocking(move || Upload::new(&store, &lease.keys(), algorithm));
        let upload = Arc::new(tokio::sync::Mutex::new(upload.await??));
        Ok(Turn::new(upload.lock_owned().await, None))
    }

    /// Waits for one's turn with an upload, which can go on then. Its file says how far it is.
    pub(crate) async fn upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<Turn, Error> {
        let turn = self.turn(repository, id).await?;
        match &turn.state {
            State::Over => {
                self.end_upload(turn).await?;
                Err(Error::BlobUploadInvalid)
            }
            State::Kept => {
                // Of its own: it goes to its end also if whoever asked first has left.
                let (registry, repository) = (self.clone(), repository.clone());
                let resumed =
                    tokio::spawn(async move { registry.resume_upload(&repository, turn).await });
                resumed.await?
            }
            State::Open(_) => self.keep_upload(repository, turn).await,
        }
    }

    async fn turn(&self, repository: &RepositoryName, id: UploadId) -> Result<Turn, Error> {
        let lock = self.store.exclusive(&UPLOAD, &[&id.to_string()]).await?;
        let Some(head) = read_head(&self.store, &self.service_key, id)? else {
            self.uploads.remove(id);
            return Err(Error::BlobUploadUnknown);
        };
        if head.registry != self.record.id || head.repository != *repository {
            return Err(Error::BlobUploadUnknown);
        }
        let upload = self.uploads.take_up(&head, self.clock.now());
        let mut turn = Turn::new(upload.lock_owned().await, Some(lock));
        turn.follow(&head);
        Ok(turn)
    }

    /// Cancels an upload.
    pub(crate) async fn cancel_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<(), Error> {
        let turn = self.turn(repository, id).await?;
        self.end_upload(turn).await
    }

    async fn end_upload(&self, mut turn: Turn) -> Result<(), Error> {
        let (store, uploads) = (self.store.clone(), self.uploads.clone());
        let ended = spawn_blocking(move || {
            turn.end(&store);
            uploads.remove(turn.id);
        });
        Ok(ended.await?)
    }

    /// Has an upload's file say how far it is. Whatever a client is told to have arrived, is there for
    /// the next process, too.
    pub(crate) async fn keep_upload(
        &self,
        repository: &RepositoryName,
        mut turn: Turn,
    ) -> Result<Turn, Error> {
        if turn.in_file == Some(turn.received()) {
            return Ok(turn);
        }
        let lease = self.lease().await?;
        let store = self.store.clone();
        let head = self.head(repository);
        let uploads = self.uploads.clone();
        let kept = spawn_blocking(move || match turn.keep(&store, &lease.keys(), head) {
            Ok(()) => Ok(turn),
            Err(error) => Err(give_up(turn, &store, &uploads, error)),
        });
        kept.await?
    }

    /// What the files of this repository's sessions begin with.
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

    /// Goes on with an upload from its file. One that cannot be read back ends here.
    ///
    /// # Errors
    /// [`Error::BlobUploadUnknown`] if it cannot be read back. While the registry is revoked, it stays.
    async fn resume_upload(&self, repository: &RepositoryName, turn: Turn) -> Result<Turn, Error> {
        let lease = self.lease().await?;
        let (registry, name) = (self.clone(), repository.clone());
        let begun = spawn_blocking(move || Resumption::begin(registry, &name, turn, &lease.keys()));
        let mut resumption = begun.await??;
        while let Some(segments) = resumption.next() {
            let lease = self.lease().await?;
            let step = spawn_blocking(move || resumption.step(&lease.keys(), &segments));
            resumption = step.await??;
        }
        let _publication = self.publication().await?;
        let lease = self.lease().await?;
        let head = self.head(repository);
        spawn_blocking(move || resumption.finish(&lease.keys(), head)).await?
    }

    /// Appends a body to an upload. While one batch is hashed, sealed and written, the next arrives.
    ///
    /// # Errors
    /// If the client leaves, or the registry is revoked on the way: the batches until then stay.
    pub(crate) async fn append<S, E>(&self, turn: Turn, body: S) -> Result<Turn, Error>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: fmt::Display,
    {
        let mut body = pin!(body);
        let mut work: BoxFuture<'_, Result<Turn, Error>> = Box::pin(ready(Ok(turn)));
        loop {
            let batch = next_batch(&mut body).await;
            // The work at hand has the turn. It goes on by itself if this future is dropped.
            let mut turn = work.await?;
            let batch = batch?;
            if batch.is_empty() {
                return Ok(turn);
            }
            if let Some(session) = turn.session() {
                session.check_room(batch.iter().map(Bytes::len).sum())?;
            }
            let lease = self.lease().await?;
            let (store, uploads) = (self.store.clone(), self.uploads.clone());
            let job = spawn_blocking(move || match turn.append(&lease.keys(), &batch) {
                Ok(()) => Ok(turn),
                Err(error) => Err(give_up(turn, &store, &uploads, error)),
            });
            work = Box::pin(async { job.await? });
        }
    }

    /// Completes an upload: its content must be that of `digest`. While the registry is revoked or the
    /// repository locked, the upload stays, to be completed afterwards.
    pub(crate) async fn finish_upload(
        &self,
        repository: &RepositoryName,
        mut turn: Turn,
        digest: Digest,
    ) -> Result<(), Error> {
        // What takes long comes before the key is asked for.
        if turn.session().is_some_and(Session::has_segments) {
            let (store, uploads) = (self.store.clone(), self.uploads.clone());
            let synced = spawn_blocking(move || match turn.sync() {
                Ok(()) => Ok(turn),
                Err(error) => Err(give_up(turn, &store, &uploads, error)),
            });
            turn = synced.await??;
        }
        let _turn = self.shared_turn(repository).await?;
        self.check_writable(repository).await?;
        let _publication = self.publication().await?;
        let lease = self.lease().await?;
        let (store, uploads) = (self.store.clone(), self.uploads.clone());
        let algorithm = turn.session().map(Session::algorithm);
        let published = spawn_blocking(move || {
            let published = turn.publish(&store, &lease.keys(), &digest);
            uploads.remove(turn.id);
            (published, turn)
        });
        let (published, mut turn) = published.await?;
        let committed = match published {
            Ok(published) => {
                let committed = self.commit_upload(repository, published, algorithm, digest);
                committed.await
            }
            Err(error) => Err(error),
        };
        // After the commit: if this process ends before it, the next one can complete the session.
        let store = self.store.clone();
        spawn_blocking(move || turn.end(&store)).await?;
        committed
    }

    async fn commit_upload(
        &self,
        repository: &RepositoryName,
        published: Fresh,
        algorithm: Option<Algorithm>,
        digest: Digest,
    ) -> Result<(), Error> {
        if algorithm != Some(digest.algorithm()) {
            // The client has not said before by which algorithm it knows the content.
            let content = self.open(digest, &published.record).await?;
            let unknown = || Error::Internal("a published object is not there".to_owned());
            let actual = content.ok_or_else(unknown)?.hash(digest.algorithm());
            Error::check_digest(&digest, actual.await?)?;
        }
        self.put_blob(repository, &digest, published).await
    }
}

/// Ends an upload that the disk refuses, so that it takes no room.
fn give_up(mut turn: Turn, store: &Store, uploads: &Uploads, error: Error) -> Error {
    turn.end(store);
    uploads.remove(turn.id);
    error
}

/// The frames that make up the next batch; none at the body's end.
async fn next_batch<S, E>(body: &mut Pin<&mut S>) -> Result<Vec<Bytes>, Error>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: fmt::Display,
{
    let mut batch = Vec::new();
    let mut length = 0;
    while length < BATCH_BYTES {
        match body.next().await {
            Some(Ok(frame)) => {
                length += frame.len();
                batch.push(frame);
            }
            Some(Err(error)) => return Err(Error::BodyIncomplete(error.to_string())),
            None => break,
        }
    }
    batch.retain(|frame| !frame.is_empty());
    Ok(batch)
}
