use std::{
    collections::HashMap,
    fmt,
    future::ready,
    pin::{Pin, pin},
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use sealock_core::{Algorithm, Clock, Digest, RegistryId};
use sealock_envelope::{Header, ObjectKeys, RegistryKeys, Sealer, SegmentSize};
use sealock_store::{Store, objects::Staged};
use tokio::{sync::OwnedMutexGuard, task::spawn_blocking};
use uuid::Uuid;

use crate::{
    Error, Registry, RepositoryName,
    content::{Fresh, InFlight},
    hasher::Hasher,
};

/// How much of a body is hashed, sealed and written at once. Each batch wakes other threads, which costs
/// more than to hold it.
const BATCH_BYTES: usize = 1024 * 1024;

/// From this size on, a batch is hashed on one thread while another seals and writes it. For less, the
/// change of threads would cost more than it saves.
const BESIDE_BYTES: usize = 256 * 1024;

/// ACR's largest layer: 200 GiB.
const BLOB_LIMIT: u64 = 200 << 30;

/// How many uploads may be unfinished at a time.
const SESSION_LIMIT: usize = 4096;

/// How long an upload that nobody continues is kept.
const SESSION_EXPIRY: SignedDuration = SignedDuration::from_hours(24);

/// An upload session's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UploadId(Uuid);

impl FromStr for UploadId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::BlobUploadUnknown(text.chars().take(80).collect());
        Ok(Self(text.parse().map_err(|_| unknown())?))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The unfinished uploads of all registries. Clones share them.
#[derive(Clone)]
pub struct Uploads {
    sessions: Arc<Mutex<HashMap<UploadId, Session>>>,
    clock: Clock,
}

struct Session {
    registry: RegistryId,
    repository: RepositoryName,
    upload: Arc<tokio::sync::Mutex<Upload>>,
    touched: Timestamp,
}

/// A blob on its way in.
pub(crate) struct Upload {
    pub(crate) id: UploadId,
    /// `None` once it is complete, or a write failed and what is staged may not be whole.
    open: Option<Open>,
}

/// What an upload has so far. It keeps no key: each batch is sealed under the keys of a lease of its
/// own, so that nothing derived from the DEK outlives the permission to use it.
struct Open {
    hasher: Hasher,
    sealer: Sealer,
    staged: Box<dyn Staged>,
}

/// An upload that nobody else can touch.
pub(crate) type Turn = OwnedMutexGuard<Upload>;

impl Uploads {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            sessions: Arc::default(),
            clock,
        }
    }

    fn insert(
        &self,
        registry: RegistryId,
        repository: &RepositoryName,
        upload: Upload,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let mut sessions = self.lock();
        let is_expired = |session: &Session| now.duration_since(session.touched) >= SESSION_EXPIRY;
        let expired: Vec<_> = sessions
            .extract_if(|_, session| is_expired(session))
            .collect();
        if sessions.len() >= SESSION_LIMIT {
            return Err(Error::TooManyUploads(sessions.len()));
        }
        let id = upload.id;
        let session = Session {
            registry,
            repository: repository.clone(),
            upload: Arc::new(tokio::sync::Mutex::new(upload)),
            touched: now,
        };
        sessions.insert(id, session);
        // Their staged files are unlinked, which nobody should have to wait for.
        drop(sessions);
        drop(expired);
        Ok(())
    }

    fn find(
        &self,
        registry: RegistryId,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Option<Arc<tokio::sync::Mutex<Upload>>> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(&id)?;
        (session.registry == registry && session.repository == *repository).then(|| {
            session.touched = self.clock.now();
            Arc::clone(&session.upload)
        })
    }

    fn remove(&self, id: UploadId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload {
    /// How many bytes have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.open
            .as_ref()
            .map_or(0, |open| open.sealer.plaintext_len())
    }

    /// By which algorithm its digest is computed as it arrives.
    fn algorithm(&self) -> Option<Algorithm> {
        self.open.as_ref().map(|open| open.hasher.algorithm())
    }

    fn append(&mut self, keys: &RegistryKeys<'_>, batch: &[Bytes]) -> Result<(), Error> {
        let mut open = self.take_open()?;
        let keys = open.keys(keys)?;
        let offset = open.sealer.offset();
        let Open {
            hasher,
            sealer,
            staged,
        } = &mut open;
        let length: usize = batch.iter().map(Bytes::len).sum();
        // Hashing takes as long as sealing and writing together, and needs nothing of them.
        let mut hash = || batch.iter().for_each(|frame| hasher.update(frame));
        let mut seal = || {
            let mut sealed = Vec::with_capacity(length + length / 4);
            for frame in batch {
                sealer.update(&keys, frame, &mut sealed).map_err(internal)?;
            }
            Ok::<_, Error>(staged.write_at(offset, &sealed)?)
        };
        let ((), sealed) = if length < BESIDE_BYTES {
            (hash(), seal())
        } else {
            rayon::join(hash, seal)
        };
        sealed?;
        self.open = Some(open);
        Ok(())
    }

    /// Syncs what was written so far.
    fn sync(&mut self) -> Result<(), Error> {
        let open = self.take_open()?;
        open.staged.sync()?;
        self.open = Some(open);
        Ok(())
    }

    /// Seals the last segment, binds the header to `digest` and publishes the object. The session is
    /// over then, whatever happens: the object's keys never seal this segment again.
    fn publish(
        &mut self,
        store: &Store,
        in_flight: &InFlight,
        keys: &RegistryKeys<'_>,
        digest: &Digest,
    ) -> Result<Fresh, Error> {
        let mut open = self.take_open()?;
        if open.hasher.algorithm() == digest.algorithm() {
            Error::check_digest(digest, open.hasher.clone().finish())?;
        }
        let keys = open.keys(keys)?;
        let offset = open.sealer.offset();
        let mut segment = Vec::new();
        let sealed = open
            .sealer
            .finish(&keys, digest, &mut segment)
            .map_err(internal)?;
        open.staged.write_at(offset, &segment)?;
        Fresh::publish(store, in_flight, open.staged, &sealed)
    }

    fn take_open(&mut self) -> Result<Open, Error> {
        self.open.take().ok_or(Error::BlobUploadInvalid(self.id))
    }
}

impl Open {
    fn keys(&self, keys: &RegistryKeys<'_>) -> Result<ObjectKeys, Error> {
        keys.object(self.sealer.header()).map_err(internal)
    }
}

/// Seals and publishes a small content in one step. Blocks.
pub(crate) fn publish_whole(
    store: &Store,
    in_flight: &InFlight,
    keys: &RegistryKeys<'_>,
    digest: &Digest,
    bytes: &[u8],
) -> Result<Fresh, Error> {
    let mut sealer = Sealer::new(Header::new(keys.layers(), SegmentSize::default()));
    let keys = keys.object(sealer.header()).map_err(internal)?;
    let offset = sealer.offset();
    let mut segments = Vec::new();
    sealer
        .update(&keys, bytes, &mut segments)
        .map_err(internal)?;
    let sealed = sealer
        .finish(&keys, digest, &mut segments)
        .map_err(internal)?;
    let mut staged = store.blobs.stage()?;
    staged.write_at(offset, &segments)?;
    Fresh::publish(store, in_flight, staged, &sealed)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn internal(error: sealock_envelope::Error) -> Error {
    Error::Internal(error.to_string())
}

impl Registry {
    /// Begins an upload that goes on in later requests.
    pub(crate) async fn begin_upload(
        &self,
        repository: &RepositoryName,
        algorithm: Algorithm,
    ) -> Result<UploadId, Error> {
        let upload = self.new_upload(algorithm).await?;
        let id = upload.id;
        self.uploads.insert(self.record.id, repository, upload)?;
        Ok(id)
    }

    /// Begins an upload that ends with this request, and that no other request can find.
    pub(crate) async fn begin_whole_upload(&self, algorithm: Algorithm) -> Result<Turn, Error> {
        let upload = self.new_upload(algorithm).await?;
        Ok(Arc::new(tokio::sync::Mutex::new(upload)).lock_owned().await)
    }

    async fn new_upload(&self, algorithm: Algorithm) -> Result<Upload, Error> {
        let lease = self.lease().await?;
        let store = self.store.clone();
        let staged = spawn_blocking(move || store.blobs.stage()).await??;
        let open = Open {
            hasher: Hasher::new(algorithm),
            sealer: Sealer::new(Header::new(lease.keys().layers(), SegmentSize::default())),
            staged,
        };
        Ok(Upload {
            id: UploadId(Uuid::new_v4()),
            open: Some(open),
        })
    }

    /// Waits for one's turn with an upload.
    pub(crate) async fn upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<Turn, Error> {
        let unknown = || Error::BlobUploadUnknown(id.to_string());
        let upload = self
            .uploads
            .find(self.record.id, repository, id)
            .ok_or_else(unknown)?;
        let turn = upload.lock_owned().await;
        // Whoever had it before may have completed it.
        self.uploads
            .find(self.record.id, repository, id)
            .ok_or_else(unknown)?;
        if turn.open.is_none() {
            self.uploads.remove(id);
            return Err(Error::BlobUploadInvalid(id));
        }
        Ok(turn)
    }

    /// Cancels an upload.
    pub(crate) fn cancel_upload(&self, turn: &Turn) {
        self.uploads.remove(turn.id);
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
            let length: usize = batch.iter().map(Bytes::len).sum();
            if turn.received() + length as u64 > BLOB_LIMIT {
                return Err(Error::SizeInvalid("a blob has 200 GiB at most".to_owned()));
            }
            let lease = self.lease().await?;
            let job = spawn_blocking(move || {
                turn.append(&lease.keys(), &batch)?;
                Ok(turn)
            });
            work = Box::pin(async { job.await? });
        }
    }

    /// Completes an upload: its content must be that of `digest`. While the registry is revoked the
    /// upload stays, to be completed after the restore.
    pub(crate) async fn finish_upload(
        &self,
        repository: &RepositoryName,
        mut turn: Turn,
        digest: Digest,
    ) -> Result<(), Error> {
        // What takes long comes before the key is asked for.
        let mut turn = spawn_blocking(move || turn.sync().map(|()| turn)).await??;
        let lease = self.lease().await?;
        let id = turn.id;
        let (store, in_flight) = (self.store.clone(), self.in_flight.clone());
        let algorithm = turn.algorithm();
        let published =
            spawn_blocking(move || turn.publish(&store, &in_flight, &lease.keys(), &digest))
                .await?;
        self.uploads.remove(id);
        let published = published?;
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
