use sealock_core::{Algorithm, Digest};
use sha2::{
    Digest as _, Sha256, Sha512,
    digest::common::hazmat::{SerializableState, SerializedState},
};
use zeroize::Zeroizing;

/// Computes a digest, a piece of content at a time. One algorithm, because SHA-512 costs four times as
/// much where the processor knows SHA-256.
#[derive(Clone)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
            Self::Sha512(hasher) => Digest::Sha512(hasher.finalize().into()),
        }
    }

    /// What it is to go on with, of a length that the algorithm determines. The last bytes that it was
    /// given are in there.
    pub(crate) fn state(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Sha256(hasher) => hasher.serialize().to_vec(),
            Self::Sha512(hasher) => hasher.serialize().to_vec(),
        })
    }

    /// Goes on with the state at the beginning of `bytes`, and returns the rest of them.
    pub(crate) fn restore(algorithm: Algorithm, bytes: &[u8]) -> Option<(Self, &[u8])> {
        fn restored<T: SerializableState>(bytes: &[u8]) -> Option<(T, &[u8])> {
            let (state, rest) = bytes.split_at_checked(SerializedState::<T>::default().len())?;
            Some((T::deserialize(state.try_into().ok()?).ok()?, rest))
        }
        Some(match algorithm {
            Algorithm::Sha256 => {
                let (hasher, rest) = restored(bytes)?;
                (Self::Sha256(hasher), rest)
            }
            Algorithm::Sha512 => {
                let (hasher, rest) = restored(bytes)?;
                (Self::Sha512(hasher), rest)
            }
        })
    }

    /// The digest of bytes that are all there.
    pub(crate) fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
        let mut hasher = Self::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }
}
