use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The length of a header, in bytes.
pub const HEADER_LEN: usize = 48;

const MAGIC: [u8; 8] = *b"sealock\0";
const VERSION: u8 = 1;
const PADDING: std::ops::Range<usize> = 11..16;
const SALT: std::ops::Range<usize> = 16..HEADER_LEN;

const _: () = assert!(SALT.end - SALT.start == 32);

/// The layers of encryption of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// Only the service layer.
    Service,
    /// The service layer, and around it the layer of the customer-managed key.
    ServiceAndCmk,
}

impl Layers {
    /// Returns the number of layers.
    pub const fn count(self) -> u8 {
        match self {
            Self::Service => 1,
            Self::ServiceAndCmk => 2,
        }
    }

    /// Returns the names of the layers, the inner one first.
    pub fn names(self) -> Vec<&'static str> {
        match self {
            Self::Service => vec!["service"],
            Self::ServiceAndCmk => vec!["service", "cmk"],
        }
    }
}

/// The size of the plaintext of a full segment: a power of two from 4 KiB to 1 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSize {
    log2: u8,
}

impl SegmentSize {
    /// The smallest size.
    pub const MIN: Self = Self { log2: 12 };
    /// The largest size.
    pub const MAX: Self = Self { log2: 20 };

    /// Returns the size in bytes.
    pub const fn bytes(self) -> usize {
        1 << self.log2
    }
}

impl Default for SegmentSize {
    /// Returns 64 KiB. A larger size makes the cipher no faster, and the tags of this size cost 0.05 %.
    fn default() -> Self {
        Self { log2: 16 }
    }
}

/// The first 48 bytes of an object, from which its keys are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Header {
    /// The layers of the object.
    pub layers: Layers,
    /// The size of the segments.
    pub segment_size: SegmentSize,
    /// The salt of the object's keys: random, and different for each object.
    pub salt: [u8; 32],
}

impl Header {
    /// Creates a header with a fresh salt, for a new object.
    pub fn new(layers: Layers, segment_size: SegmentSize) -> Self {
        Self {
            layers,
            segment_size,
            salt: rand::random(),
        }
    }

    /// Parses a header.
    ///
    /// # Errors
    /// If the header has a byte that this version of the format does not write.
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Result<Self, Error> {
        if bytes[..8] != MAGIC {
            return Err(Error::HeaderInvalid(
                "it does not start with the magic bytes",
            ));
        }
        if bytes[8] != VERSION {
            return Err(Error::HeaderInvalid("its version is unknown"));
        }
        let layers = match bytes[9] {
            1 => Layers::Service,
            2 => Layers::ServiceAndCmk,
            _ => {
                return Err(Error::HeaderInvalid(
                    "its number of layers is neither 1 nor 2",
                ));
            }
        };
        let log2 = bytes[10];
        if !(SegmentSize::MIN.log2..=SegmentSize::MAX.log2).contains(&log2) {
            return Err(Error::HeaderInvalid("its segment size is out of bounds"));
        }
        if bytes[PADDING].iter().any(|byte| *byte != 0) {
            return Err(Error::HeaderInvalid("its padding is not zero"));
        }
        let mut header = Self {
            layers,
            segment_size: SegmentSize { log2 },
            salt: [0; 32],
        };
        header.salt.copy_from_slice(&bytes[SALT]);
        Ok(header)
    }

    /// Returns the stored form of the header.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = VERSION;
        bytes[9] = self.layers.count();
        bytes[10] = self.segment_size.log2;
        bytes[SALT].copy_from_slice(&self.salt);
        bytes
    }
}

impl From<Header> for String {
    fn from(header: Header) -> Self {
        STANDARD_NO_PAD.encode(header.to_bytes())
    }
}

impl TryFrom<String> for Header {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        let bytes = STANDARD_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        Self::parse(&bytes.ok_or(Error::HeaderInvalid("it is not 48 bytes in base64"))?)
    }
}
