use std::net::{IpAddr, Ipv4Addr};

/// The way on which a request reached its service.
#[derive(Clone, Debug)]
pub struct Door {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host and port, as the client named them.
    pub authority: String,
    /// The client's address; none if the request came in by no connection.
    pub peer: Option<IpAddr>,
}

impl Door {
    /// `SCHEME://HOST:PORT`, as the client named it.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The client's address. A request that came in by no connection is nobody's from outside.
    pub fn address(&self) -> IpAddr {
        self.peer.unwrap_or(Ipv4Addr::LOCALHOST.into())
    }

    /// Returns true for a client whose connection comes from this machine.
    pub fn is_local(&self) -> bool {
        self.peer.is_some_and(|peer| peer.is_loopback())
    }
}
