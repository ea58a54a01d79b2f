use std::{fmt, ops::Range, sync::Arc};

use sealock_cmk::{Custody, Lease};
use sealock_core::Digest;
use sealock_envelope::{BINDING_LEN, HEADER_LEN, Header, Layout, Segments};
use sealock_store::objects::Object;
use tokio::task::spawn_blocking;

use super::{
    read_ahead::{Buffers, ReadAhead},
    record::ContentRecord,
};
use crate::{Error, Registry};

/// Stored content that is verified to belong to its digest.
#[derive(Clone)]
pub struct Content {
    object: Arc<dyn Object>,
    header: Header,
    layout: Layout,
    custody: Custody,
    digest: Digest,
    size: u64,
    read_ahead: ReadAhead,
}

impl Content {
    fn verify(
        object: Arc<dyn Object>,
        record: &ContentRecord,
        digest: Digest,
        custody: Custody,
        lease: &Lease,
        read_ahead: ReadAhead,
    ) -> Result<Self, Error> {
        let content = Self {
            layout: Layout::new(&record.header, record.size),
            header: record.header,
            size: record.size,
            object,
            custody,
            digest,
            read_ahead,
        };
        let damaged = |error| content.damaged(&error);
        content
            .layout
            .check_len(content.object.len())
            .map_err(damaged)?;
        let mut header = [0; HEADER_LEN];
        content.object.read_at(0, &mut header)?;
        if header != record.header.to_bytes() {
            return Err(content.damaged(&"its object has another header"));
        }
        let keys = lease.keys().object(&record.header).map_err(damaged)?;
        let mut binding = [0; BINDING_LEN];
        let at = content.layout.binding_offset();
        content.object.read_at(at, &mut binding)?;
        keys.verify_binding(&binding, record.size, &digest)
            .map_err(damaged)?;
        Ok(content)
    }

    /// The digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns new buffers for a download.
    pub(super) fn buffers(&self) -> Buffers {
        Buffers::new(self.read_ahead.clone())
    }

    pub(crate) async fn lease(&self) -> Result<Lease, Error> {
        Ok(self.custody.lease().await?)
    }

    /// Opens `segments` in `buffer`, and returns the ranges of the buffer that hold the plaintext of `range`. Blocks.
    pub(super) fn open_segments(
        &self,
        lease: &Lease,
        segments: &Segments,
        range: &Range<u64>,
        buffer: &mut Vec<u8>,
    ) -> Result<Vec<Range<usize>>, Error> {
        let damaged = |error| self.damaged(&error);
        let keys = lease.keys().object(&self.header).map_err(damaged)?;
        buffer.resize(segments.stored_len, 0);
        self.object.read_at(segments.offset, buffer)?;
        let opened = self.layout.open(&keys, segments, range, buffer);
        opened.map_err(damaged)
    }

    pub(super) fn damaged(&self, why: &dyn fmt::Display) -> Error {
        Error::Damaged {
            digest: self.digest,
            why: why.to_string(),
        }
    }
}

impl Registry {
    /// Opens the content of `digest`, and verifies before any byte is served that the object was written for it. `None`
    /// if the content was deleted since `record` was read.
    pub(crate) async fn open_content(
        &self,
        digest: Digest,
        record: &ContentRecord,
    ) -> Result<Option<Content>, Error> {
        let lease = self.lease().await?;
        let (store, custody) = (self.store.clone(), self.custody.clone());
        let read_ahead = self.read_ahead.clone();
        let record = record.clone();
        let object = record.object;
        let opened = spawn_blocking(move || match store.blobs.open(object)? {
            Some(object) => {
                Content::verify(object, &record, digest, custody, &lease, read_ahead).map(Some)
            }
            None => Ok(None),
        });
        if let Some(content) = opened.await?? {
            return Ok(Some(content));
        }
        match self.content_record(&digest).await? {
            Some(now) if now.object == object => Err(Error::Damaged {
                digest,
                why: format!("its object {object} is missing"),
            }),
            _ => Ok(None),
        }
    }
}
