use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

/// The time after which a missing answer counts as a hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client that sends arbitrary bytes, and keeps its connection as long as possible.
pub(crate) struct Connection<'a> {
    address: &'a str,
    stream: Option<BufReader<TcpStream>>,
}

pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl<'a> Connection<'a> {
    pub(crate) fn new(address: &'a str) -> Self {
        Self {
            address,
            stream: None,
        }
    }

    /// Sends a request and reads the answer. Reconnects if the connection was closed.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<RawAnswer, String> {
        let kept = self.stream.take();
        let answer = kept.map(|stream| self.converse(stream, request));
        match answer {
            Some(Ok(answer)) => Ok(answer),
            _ => {
                let stream = TcpStream::connect(self.address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                self.converse(BufReader::new(stream), request)
            }
        }
    }

    fn converse(
        &mut self,
        mut stream: BufReader<TcpStream>,
        request: &[u8],
    ) -> Result<RawAnswer, String> {
        // The request may be refused before everything is sent.
        let _ = stream.get_mut().write_all(request);
        let answer = RawAnswer::read(&mut stream).map_err(|error| format!("no answer: {error}"))?;
        if answer.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

impl RawAnswer {
    pub(crate) fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let status = lines[0]
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
        let mut answer = Self {
            status: status.expect("a status"),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: Vec::new(),
        };
        let length = answer
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        answer.body.resize(length, 0);
        stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The number of lines and of bytes in the head.
    pub(crate) fn size(&self) -> (usize, usize) {
        let headers = self.headers.iter();
        let bytes = headers.map(|(name, value)| name.len() + value.len() + 4);
        (self.headers.len(), bytes.sum())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Converts each character to the byte of its code point.
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    let byte = |letter| u8::try_from(letter).expect("a byte");
    text.chars().map(byte).collect()
}

/// Returns a request's head for `localhost`.
pub(crate) fn head(line: &str, headers: &str) -> Vec<u8> {
    bytes_of(&format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
    ))
}
