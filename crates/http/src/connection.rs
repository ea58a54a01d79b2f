use std::net::{IpAddr, Ipv4Addr};

/// The connection that carries a request, as the client addressed it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host and port that the client named.
    pub authority: String,
    /// The client's address. `None` for a request that did not arrive over the network.
    pub peer: Option<IpAddr>,
}

impl Connection {
    /// Returns `SCHEME://HOST:PORT`, as the client named it.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// Returns the client's address, or 127.0.0.1 for a request that did not arrive over the network.
    pub fn client_address(&self) -> IpAddr {
        self.peer.unwrap_or(Ipv4Addr::LOCALHOST.into())
    }

    /// Returns true if the client connects from this machine.
    pub fn is_local(&self) -> bool {
        self.peer.is_some_and(|peer| peer.is_loopback())
    }
}
