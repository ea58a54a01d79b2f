use std::io::{self, Cursor};

use tokio::{
    io::{self as tokio_io, AsyncReadExt as _, Chain, Join},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// The first byte of a TLS connection: the type of its first record, a handshake.
/// <https://www.rfc-editor.org/rfc/rfc8446#section-5.1>
const TLS_HANDSHAKE: u8 = 22;

/// The first bytes of an HTTP/2 connection.
/// <https://www.rfc-editor.org/rfc/rfc9113#section-3.4>
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A protocol that a client can begin a connection with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TLS, whatever it carries.
    Tls,
    /// HTTP/1.1 or 1.0, without TLS.
    Http1,
    /// HTTP/2 without TLS, by prior knowledge.
    Http2,
}

impl Protocol {
    /// Tells the protocol by the first bytes of a connection. `None` while more of them are needed.
    pub fn of(first: &[u8]) -> Option<Self> {
        if first.first()? == &TLS_HANDSHAKE {
            return Some(Self::Tls);
        }
        if first.starts_with(HTTP2_PREFACE) {
            return Some(Self::Http2);
        }
        // `P` can also be the first letter of PUT, and it can come alone.
        (!HTTP2_PREFACE.starts_with(first)).then_some(Self::Http1)
    }
}

/// A connection whose first bytes were read, and are read once more.
pub(super) type Begun = Join<Chain<Cursor<Vec<u8>>, OwnedReadHalf>, OwnedWriteHalf>;

/// Reads as many first bytes as tell the protocol.
///
/// # Errors
/// If the connection ends before.
pub(super) async fn begin(stream: TcpStream) -> io::Result<(Protocol, Begun)> {
    let (mut reader, writer) = stream.into_split();
    let mut first = Vec::with_capacity(HTTP2_PREFACE.len());
    let protocol = loop {
        if let Some(protocol) = Protocol::of(&first) {
            break protocol;
        }
        let missing = HTTP2_PREFACE.len() - first.len();
        if (&mut reader)
            .take(missing as u64)
            .read_buf(&mut first)
            .await?
            == 0
        {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    Ok((
        protocol,
        tokio_io::join(Cursor::new(first).chain(reader), writer),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        for (first, protocol) in [
            (&b""[..], None),
            (b"\x16", Some(Protocol::Tls)),
            (b"\x16\x03\x01", Some(Protocol::Tls)),
            (b"G", Some(Protocol::Http1)),
            (b"\x15", Some(Protocol::Http1)),
            (b"P", None),
            (b"PR", None),
            (b"PU", Some(Protocol::Http1)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Protocol::Http2)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0", Some(Protocol::Http2)),
            (b"PRI * HTTP/2.0\r\nHost: localhost", Some(Protocol::Http1)),
            (b"pri", Some(Protocol::Http1)),
        ] {
            assert_eq!(Protocol::of(first), protocol, "{first:?}");
        }
    }
}
