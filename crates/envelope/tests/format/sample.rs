//! Sample objects, and the steps of a writer and a reader.

use std::ops::Range;

use sealock_core::{Digest, RegistryId};
use sealock_envelope::{
    BINDING_LEN, Dek, Error, HEADER_LEN, Header, Layers, Layout, ObjectKeys, RegistryKeys, Sealer,
    SegmentSize, ServiceKey,
};
use sha2::{Digest as _, Sha256};

/// The base-2 logarithm of the smallest segment size, which keeps the tests fast.
pub(crate) const SMALLEST: u8 = 12;

pub(crate) const BOTH: [Layers; 2] = [Layers::Service, Layers::ServiceAndCmk];

/// The registry that owns an object, with its keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) registry: RegistryId,
    pub(crate) service: [u8; 32],
    pub(crate) dek: Option<[u8; 32]>,
}

impl Owner {
    pub(crate) fn random(layers: Layers) -> Self {
        Self {
            registry: RegistryId::random(),
            service: rand::random(),
            dek: (layers == Layers::ServiceAndCmk).then(rand::random),
        }
    }

    pub(crate) fn layers(&self) -> Layers {
        match self.dek {
            Some(_) => Layers::ServiceAndCmk,
            None => Layers::Service,
        }
    }

    /// Runs `work` with this registry's keys.
    pub(crate) fn with_keys<T>(&self, work: impl FnOnce(&RegistryKeys<'_>) -> T) -> T {
        let service = ServiceKey::from_slice(&self.service).unwrap();
        let dek = self.dek.map(|dek| Dek::from_slice(&dek).unwrap());
        work(&RegistryKeys {
            registry: self.registry,
            service: &service,
            dek: dek.as_ref(),
        })
    }

    pub(crate) fn object_keys(&self, header: &Header) -> Result<ObjectKeys, Error> {
        self.with_keys(|keys| keys.object(header))
    }
}

/// A stored object, with the data that a record has about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) plaintext_len: u64,
}

impl Stored {
    /// Seals `pieces` like an upload: each step derives the keys again.
    pub(crate) fn seal<'a>(
        owner: &Owner,
        header: Header,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut sealer = Sealer::new(header);
        let mut bytes = header.to_bytes().to_vec();
        let mut hasher = Sha256::new();
        for piece in pieces {
            hasher.update(piece);
            let keys = owner.object_keys(sealer.header()).unwrap();
            sealer.update(&keys, piece, &mut bytes).unwrap();
        }
        let digest = Digest::Sha256(hasher.finalize().into());
        let keys = owner.object_keys(sealer.header()).unwrap();
        let sealed = sealer.finish(&keys, &digest, &mut bytes).unwrap();
        assert_eq!(sealed.header, header);
        Self {
            bytes,
            digest,
            plaintext_len: sealed.plaintext_len,
        }
    }

    /// Does all steps of a reader.
    pub(crate) fn open(&self, owner: &Owner) -> Result<Vec<u8>, Error> {
        self.open_range(owner, &(0..self.plaintext_len), 1)
    }

    /// Does all steps of a reader of a range, in batches of about `batch` bytes.
    pub(crate) fn open_range(
        &self,
        owner: &Owner,
        range: &Range<u64>,
        batch: usize,
    ) -> Result<Vec<u8>, Error> {
        let header = self.header()?;
        let keys = owner.object_keys(&header)?;
        let layout = Layout::new(&header, self.plaintext_len);
        layout.check_len(self.bytes.len() as u64)?;
        let binding = self.bytes.last_chunk::<BINDING_LEN>().unwrap();
        keys.verify_binding(binding, self.plaintext_len, &self.digest)?;
        let mut plaintext = Vec::new();
        for segments in layout.batches(range, batch) {
            let at = usize::try_from(segments.offset).unwrap();
            let mut buffer = self.bytes[at..at + segments.stored_len].to_vec();
            for slice in layout.open(&keys, &segments, range, &mut buffer)? {
                plaintext.extend_from_slice(&buffer[slice]);
            }
        }
        Ok(plaintext)
    }

    fn header(&self) -> Result<Header, Error> {
        let too_short = Error::LengthMismatch {
            found: self.bytes.len() as u64,
            expected: HEADER_LEN as u64,
        };
        Header::parse(self.bytes.first_chunk().ok_or(too_short)?)
    }
}

/// Returns a header with a given salt, so that the same object can be sealed twice.
pub(crate) fn header(layers: Layers, log2: u8, salt: [u8; 32]) -> Header {
    let mut header = Header::new(layers, SegmentSize::default());
    header.salt = salt;
    let mut bytes = header.to_bytes();
    bytes[10] = log2;
    Header::parse(&bytes).unwrap()
}

/// Returns plaintext without two equal segments: byte i is i mod 251.
pub(crate) fn plaintext(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

/// Returns lengths at and next to the boundaries of the first three segments.
pub(crate) fn lengths(segment_size: usize) -> Vec<usize> {
    let around = |boundary: usize| [boundary - 1, boundary, boundary + 1];
    let boundaries = (1..=3).map(|segments| segments * segment_size);
    [0, 1]
        .into_iter()
        .chain(boundaries.flat_map(around))
        .collect()
}
