use std::{
    collections::BTreeSet, net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration,
};

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::Error as _};

/// The limits of `server.write_timeout`. Below a second, a busy client would be cut off; a day never ends for one that is
/// gone.
const WRITE_TIMEOUTS: RangeInclusive<SignedDuration> =
    SignedDuration::from_secs(1)..=SignedDuration::from_hours(24);

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The addresses to listen on.
    #[serde(deserialize_with = "addresses")]
    pub listen: Vec<SocketAddr>,
    /// The data directory.
    pub data_dir: PathBuf,
    /// True to keep everything in memory instead.
    pub ephemeral: bool,
    /// The host name at which clients reach the emulator, with an optional port.
    pub public_name: Option<String>,
    /// More host names of the friendly door.
    pub aliases: BTreeSet<String>,
    /// The authentication at the friendly door.
    pub auth: Auth,
    /// True to permit that others on the network reach an open friendly door.
    pub open_to_network: bool,
    /// The time in which a client has to accept 64 KiB of an answer that waits for it.
    #[serde(deserialize_with = "write_timeout")]
    pub write_timeout: Duration,
}

/// The authentication at the friendly door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// The friendly door is open. A registry's caller without credentials acts as its admin, and callers of the control API
    /// on this machine need no token.
    #[default]
    Friendly,
    /// The friendly door is closed. The registry requires credentials, the control API its token, and the managed identity
    /// endpoint its header.
    Enforced,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![
                SocketAddr::from(([127, 0, 0, 1], 5000)),
                SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 5000)),
            ],
            data_dir: PathBuf::from(".sealock"),
            ephemeral: false,
            public_name: None,
            aliases: BTreeSet::new(),
            auth: Auth::default(),
            open_to_network: false,
            write_timeout: Duration::from_mins(1),
        }
    }
}

impl Server {
    /// Returns true if other machines can reach it.
    pub(crate) fn is_exposed(&self) -> bool {
        self.listen
            .iter()
            .any(|address| !address.ip().is_loopback())
    }
}

/// Deserializes one address or a list of addresses.
fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected an address such as \"127.0.0.1:5000\", or a list of them"
    )]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    let texts = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    };
    let address = |text: String| {
        listen_address(&text).map_err(|expected| {
            D::Error::custom(format!(
                "'{text}' is not an address to listen on: {expected}"
            ))
        })
    };
    texts.into_iter().map(address).collect()
}

/// Parses an address to listen on.
///
/// # Errors
/// The text is not an address. The error says what was expected.
pub fn listen_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "expected an address and a port, such as 127.0.0.1:5000 or [::1]:0")
}

fn write_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let timeout = SignedDuration::deserialize(deserializer)?;
    Some(timeout)
        .filter(|timeout| WRITE_TIMEOUTS.contains(timeout))
        .and_then(|timeout| timeout.try_into().ok())
        .ok_or_else(|| {
            let (least, most) = (WRITE_TIMEOUTS.start(), WRITE_TIMEOUTS.end());
            D::Error::custom(format!(
                "the write timeout {timeout:#} is not between {least:#} and {most:#}"
            ))
        })
}
