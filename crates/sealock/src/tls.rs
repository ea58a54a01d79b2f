use std::{
    error, fmt,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    version,
};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use crate::error::Error;

/// The CA whose key proves that a server is the emulator.
pub(crate) struct Ca {
    pub(crate) path: PathBuf,
    certificate: CertificateDer<'static>,
}

impl Ca {
    /// Parses the first CA of a file. CAs above it, which a user's own file may hold, may have signed for others.
    pub(crate) fn parse(path: PathBuf, text: &str) -> Result<Self, Error> {
        match CertificateDer::from_pem_slice(text.as_bytes()) {
            Ok(certificate) => Ok(Self { path, certificate }),
            Err(error) => Err(unusable(&path, &error)),
        }
    }

    /// Returns a connector that accepts only a server with a certificate of this CA for `name`.
    pub(crate) fn connector(&self, name: ServerName<'static>) -> Result<TlsConnector, Error> {
        let mut roots = RootCertStore::empty();
        let added = roots.add(self.certificate.clone());
        added.map_err(|error| unusable(&self.path, &error))?;
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|error| unusable(&self.path, &error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector {
            config: Arc::new(config),
            name,
        })
    }
}

fn unusable(path: &Path, why: &impl fmt::Display) -> Error {
    Error::Failed {
        message: format!(
            "cannot verify the emulator with the CA in {}: {why}",
            path.display()
        ),
        hint: Some("restart the emulator to rewrite that file".to_owned()),
    }
}

/// The failure of a server to prove its identity.
#[derive(Debug)]
pub(crate) struct Unproven(String);

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for Unproven {}

/// A connector that uses TLS even for an `http` URL.
///
/// ureq's own does not distinguish a failed handshake from a broken connection, and makes rustls write to the
/// emulator's log.
#[derive(Debug)]
pub(crate) struct TlsConnector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = TlsTransport<In>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        let mut socket = TransportAdapter::new(transport, Arc::clone(&details.current_time));
        socket.set_timeout(details.timeout);
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        let mut connection = connection.map_err(unproven)?;
        while connection.is_handshaking() {
            if let Err(error) = connection.complete_io(&mut socket) {
                return Err(match ureq::Error::from(error) {
                    ureq::Error::Io(error) => unproven(error),
                    error => error,
                });
            }
        }
        let config = details.config;
        Ok(Some(TlsTransport {
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            stream: StreamOwned::new(connection, socket),
        }))
    }
}

fn unproven(error: impl fmt::Display) -> ureq::Error {
    ureq::Error::Other(Box::new(Unproven(error.to_string())))
}

/// A connection to a server that has proved its identity.
pub(crate) struct TlsTransport<In: Transport> {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter<In>>,
}

impl<In: Transport> fmt::Debug for TlsTransport<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}

impl<In: Transport> Transport for TlsTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let amount = self.stream.read(input)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
