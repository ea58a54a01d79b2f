use sealock_core::{Algorithm, Digest};
use sha2::{
    Digest as _, Sha256, Sha512,
    digest::common::hazmat::{SerializableState, SerializedState},
};
use zeroize::Zeroizing;

/// Computes a digest incrementally, by one algorithm: where the processor has instructions for SHA-256, SHA-512 costs
/// four times as much.
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

    /// Returns the state from which hashing can continue. Its length depends on the algorithm. It contains the last
    /// bytes of the content.
    pub(crate) fn state(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Sha256(hasher) => hasher.serialize().to_vec(),
            Self::Sha512(hasher) => hasher.serialize().to_vec(),
        })
    }

    /// Restores a hasher from the state at the start of `bytes`, and returns the remaining bytes.
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

    /// Computes the digest of `bytes`.
    pub(crate) fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
        let mut hasher = Self::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

    #[test]
    fn restored_hash_continues() {
        let content: Vec<u8> = (0..=255).cycle().take(700).collect();
        for algorithm in ALGORITHMS {
            let whole = Hasher::digest(algorithm, &content);
            for cut in 0..=content.len() {
                let mut before = Hasher::new(algorithm);
                before.update(&content[..cut]);
                let state = [&before.state()[..], b"rest"].concat();
                let (mut after, rest) = Hasher::restore(algorithm, &state).unwrap();
                assert_eq!(rest, b"rest");
                after.update(&content[cut..]);
                assert_eq!(after.finish(), whole, "{algorithm} after {cut} bytes");
            }
        }
    }

    /// The layout in docs/blob-format.md. A state that another version of `sha2` wrote must stay readable.
    #[test]
    fn state_is_chaining_value_block_count_and_rest() {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"abc");
        let initial: [u32; 8] = [
            0x6a09_e667,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];
        let mut expected: Vec<u8> = initial.iter().flat_map(|word| word.to_le_bytes()).collect();
        expected.extend(0_u64.to_le_bytes());
        expected.extend(b"\x03abc");
        expected.resize(104, 0);
        assert_eq!(*hasher.state(), expected);

        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(&[7; 2 * 128 + 5]);
        let state = hasher.state();
        assert_eq!(state.len(), 208);
        assert_eq!(state[64..80], 2_u128.to_le_bytes());
        assert_eq!(state[80..86], [5, 7, 7, 7, 7, 7]);
        assert_eq!(state[86..], [0; 122]);
    }

    #[test]
    fn invalid_hash_state_is_rejected() {
        for algorithm in ALGORITHMS {
            let state = Hasher::new(algorithm).state();
            assert!(Hasher::restore(algorithm, &state[1..]).is_none());
            let mut changed = state.to_vec();
            *changed.last_mut().unwrap() = 1;
            assert!(Hasher::restore(algorithm, &changed).is_none());
        }
    }
}
