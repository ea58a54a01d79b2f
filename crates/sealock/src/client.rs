use std::{
    fmt,
    io::{self, BufRead as _, BufReader},
    net::IpAddr,
    time::Duration,
};

use clap::parser::ValueSource;
use rustls::pki_types::ServerName;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;
use ureq::{
    Agent, Body, Timeout,
    config::Config,
    http::{
        Method, Request, Response, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    },
    unversioned::{
        resolver::DefaultResolver,
        transport::{Connector as _, TcpConnector},
    },
};
use url::{Host, Url};

use crate::{
    error::Error,
    tls::{Ca, Unproven},
    token::Token,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
const ANSWER_BYTES_MAX: u64 = 64 << 20;
const EXCERPT_CHARS: usize = 200;

/// What each of our commands begins with.
const SEALOCK: &str = "sealock ";

/// The command that starts an emulator, and is for none.
const SERVE: &str = "sealock serve";

/// The paths that everybody may ask for. They need no token, which would go to whoever has the port.
const OPEN_TO_EVERYBODY: [&str; 4] = ["health", "ca.pem", "bundle.pem", "azure-ca.pem"];

/// A client of an emulator's control API.
#[derive(Clone)]
pub(crate) struct Client {
    emulator: String,
    /// The name in its certificate, if it is on this machine: no other may see the token.
    name_here: Option<ServerName<'static>>,
    /// The place of its URL. If that is the command line, a command that we tell of has to name it, too.
    source: ValueSource,
    timeout: Option<Duration>,
}

/// The proof of the caller that a request shows, and the way in which it does.
enum Shown {
    Nothing,
    /// The token, in the clear: the user named it, and says where the emulator is.
    Token(Token),
    /// The token, once it has proved that it has the CA's key.
    TokenWithProof(Token, Ca),
    /// Nothing, although there is a token: whoever answers could be anybody.
    NothingOf(Token),
}

/// An answer of the control API that is no refusal.
pub(crate) struct Answer {
    emulator: String,
    request: String,
    status: StatusCode,
    body: String,
}

impl Client {
    /// A client of the emulator at `emulator`.
    pub(crate) fn new(emulator: &Url, source: ValueSource) -> Self {
        Self {
            name_here: name_here(emulator),
            source,
            emulator: emulator.origin().ascii_serialization(),
            timeout: Some(ANSWER_TIMEOUT),
        }
    }

    /// Where the emulator is: `http://HOST:PORT`.
    pub(crate) fn emulator(&self) -> &str {
        &self.emulator
    }

    /// The text with each command in it as one for this emulator. A command follows a colon or begins the
    /// text, and ends before a comma, a semicolon or with the text.
    pub(crate) fn commands(&self, text: &str) -> String {
        if self.source != ValueSource::CommandLine {
            return text.to_owned();
        }
        let option = format!(" --emulator {}", self.emulator);
        let mut done = String::new();
        let mut rest = text;
        while let Some(begin) = command(rest) {
            let (before, from) = rest.split_at(begin);
            let end = [", ", "; "].iter().filter_map(|end| from.find(end)).min();
            let (command, after) = from.split_at(end.unwrap_or(from.len()));
            let option = if command.starts_with(SERVE) {
                ""
            } else {
                &option
            };
            done.extend([before, command.trim_end_matches('.'), option]);
            rest = after;
        }
        done + rest
    }

    /// The same client, but one that waits for an answer as long as it takes.
    pub(crate) fn patient(&self) -> Self {
        Self {
            timeout: None,
            ..self.clone()
        }
    }

    /// Reads what lies at `path`.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, Error> {
        self.ask(&Method::GET, path, None)
    }

    /// Creates what lies at `path`.
    pub(crate) fn put(&self, path: &str, body: Option<&Value>) -> Result<Answer, Error> {
        self.ask(&Method::PUT, path, body)
    }

    /// Has something done at `path`.
    pub(crate) fn post(&self, path: &str, body: Option<&Value>) -> Result<Answer, Error> {
        self.ask(&Method::POST, path, body)
    }

    /// Changes what lies at `path`.
    pub(crate) fn patch(&self, path: &str, body: &Value) -> Result<Answer, Error> {
        self.ask(&Method::PATCH, path, Some(body))
    }

    /// Deletes what lies at `path`.
    pub(crate) fn delete(&self, path: &str) -> Result<Answer, Error> {
        self.ask(&Method::DELETE, path, None)
    }

    /// Reads the lines at `path`, each as soon as it is there.
    pub(crate) fn lines(
        &self,
        path: &str,
    ) -> Result<impl Iterator<Item = Result<String, Error>>, Error> {
        let (request, response) = self.send(&Method::GET, path, None)?;
        let lines = BufReader::new(response.into_body().into_reader()).lines();
        Ok(lines.map(move |line| line.map_err(|error| incomplete(&request, error))))
    }

    fn ask(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Answer, Error> {
        let (request, response) = self.send(method, path, body)?;
        self.read(request, response)
    }

    /// Sends a request, and returns what to call it and the answer, unless that is a refusal.
    fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(String, Response<Body>), Error> {
        let url = format!("{}/_sealock/v1/{path}", self.emulator);
        let request = format!("{method} {url}");
        let mut builder = Request::builder().method(method).uri(url);
        if body.is_some() {
            builder = builder.header(CONTENT_TYPE, "application/json");
        }
        let shown = self.shown(path)?;
        if let Some(bearer) = shown.bearer()? {
            builder = builder.header(AUTHORIZATION, bearer);
        }
        // No body is an empty one to ureq: without any, it would send POST and PUT in chunks.
        let body = body.map(Value::to_string).unwrap_or_default();
        let agent = self.agent(&shown)?;
        let request_with_body = builder.body(body).map_err(ureq::Error::from);
        let response = request_with_body.and_then(|it| {
            let it = agent.configure_request(it).timeout_global(self.timeout);
            agent.run(it.build())
        });
        let response = response.map_err(|error| self.unanswered(&request, &shown, error))?;
        if is_page(&response) {
            return Err(Error::NoSealock(self.emulator.clone()));
        }
        match (response.status(), &shown) {
            (status, _) if status.is_success() => Ok((request, response)),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Shown::NothingOf(token)) => {
                Err(token.withheld(&self.emulator))
            }
            _ => Err(self.read(request, response)?.refusal()),
        }
    }

    /// Decides whether whoever has the port is shown the token.
    fn shown(&self, path: &str) -> Result<Shown, Error> {
        if self.name_here.is_none() || OPEN_TO_EVERYBODY.contains(&path) {
            return Ok(Shown::Nothing);
        }
        let Some(token) = Token::find()? else {
            return Ok(Shown::Nothing);
        };
        Ok(match token.ca()? {
            Some(ca) => Shown::TokenWithProof(token, ca),
            None if token.is_named && self.source != ValueSource::DefaultValue => {
                Shown::Token(token)
            }
            None => Shown::NothingOf(token),
        })
    }

    /// Makes the agent that sends a request, over TLS if the token wants a proof first.
    fn agent(&self, shown: &Shown) -> Result<Agent, Error> {
        Ok(match (shown, &self.name_here) {
            (Shown::TokenWithProof(_, ca), Some(name)) => {
                let connector = TcpConnector::default().chain(ca.connector(name.clone())?);
                Agent::with_parts(config(), connector, DefaultResolver::default())
            }
            _ => config().new_agent(),
        })
    }

    fn read(&self, request: String, response: Response<Body>) -> Result<Answer, Error> {
        let status = response.status();
        let body = response.into_body().into_with_config();
        match body
            .limit(ANSWER_BYTES_MAX)
            .lossy_utf8(true)
            .read_to_string()
        {
            Ok(body) => Ok(Answer {
                emulator: self.emulator.clone(),
                request,
                status,
                body,
            }),
            Err(error) => Err(incomplete(&request, error)),
        }
    }

    fn unanswered(&self, request: &str, shown: &Shown, error: ureq::Error) -> Error {
        let nobody_listens = match &error {
            ureq::Error::Io(error) => matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::AddrNotAvailable
            ),
            ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
            _ => false,
        };
        if nobody_listens {
            Error::NoEmulator(self.emulator.clone())
        } else if let ureq::Error::Other(why) = &error
            && why.is::<Unproven>()
            && let Shown::TokenWithProof(_, ca) = shown
        {
            Error::Unproven {
                emulator: self.emulator.clone(),
                ca: ca.path.clone(),
                why: why.to_string(),
            }
        } else if matches!(error, ureq::Error::Protocol(_)) {
            Error::NoSealock(self.emulator.clone())
        } else {
            incomplete(request, error)
        }
    }
}

impl Shown {
    /// Returns the header that shows the token.
    fn bearer(&self) -> Result<Option<HeaderValue>, Error> {
        match self {
            Self::Token(token) | Self::TokenWithProof(token, _) => token.bearer().map(Some),
            Self::Nothing | Self::NothingOf(_) => Ok(None),
        }
    }
}

impl Answer {
    /// Whether something was created that was not there before.
    pub(crate) fn created(&self) -> bool {
        self.status == StatusCode::CREATED
    }

    /// The answer's JSON text; empty if there is nothing to say.
    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    /// The record that was asked for.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.body).map_err(|error| self.unreadable(&error))
    }

    /// The error for an answer that could not be read. One that is no JSON at all is not a Sealock's.
    pub(crate) fn unreadable(&self, error: &serde_json::Error) -> Error {
        if serde_json::from_str::<IgnoredAny>(&self.body).is_ok() {
            self.unexpected(error)
        } else {
            self.foreign(error)
        }
    }

    /// The error for an answer of something else. Our own door answers in plain text where it is misdirected or
    /// fails.
    fn foreign(&self, error: &serde_json::Error) -> Error {
        if self.status == StatusCode::MISDIRECTED_REQUEST || self.status.is_server_error() {
            self.unexpected(error)
        } else {
            Error::NoSealock(self.emulator.clone())
        }
    }

    /// The error for an answer that is not what the control API promises.
    pub(crate) fn unexpected(&self, why: &impl fmt::Display) -> Error {
        Error::Unexpected {
            request: self.request.clone(),
            status: self.status,
            why: why.to_string(),
            excerpt: excerpt(&self.body),
        }
    }

    fn refusal(&self) -> Error {
        #[derive(Deserialize)]
        struct Refusal {
            error: Details,
        }
        #[derive(Deserialize)]
        struct Details {
            message: String,
            hint: Option<String>,
        }
        match serde_json::from_str(&self.body) {
            Ok(Refusal {
                error: Details { message, hint },
            }) => Error::Failed { message, hint },
            Err(error) => self.foreign(&error),
        }
    }
}

/// The name in the certificate of an emulator on this machine. `None` if it is on another machine.
fn name_here(emulator: &Url) -> Option<ServerName<'static>> {
    match emulator.host()? {
        Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => {
            ServerName::try_from(name.to_owned()).ok()
        }
        Host::Ipv4(address) if address.is_loopback() => Some(IpAddr::from(address).into()),
        Host::Ipv6(address) if address.is_loopback() => Some(IpAddr::from(address).into()),
        _ => None,
    }
}

fn config() -> Config {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .user_agent(concat!("sealock/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Where the first command in a text begins.
fn command(text: &str) -> Option<usize> {
    if text.starts_with(SEALOCK) {
        return Some(0);
    }
    let colon = ": ";
    text.find(&format!("{colon}{SEALOCK}"))
        .map(|place| place + colon.len())
}

/// Whether it is for a browser: the control API answers with no such thing.
fn is_page(response: &Response<Body>) -> bool {
    let mime_type = response.body().mime_type();
    mime_type.is_some_and(|it| it.eq_ignore_ascii_case("text/html"))
}

fn incomplete(request: &str, error: impl Into<ureq::Error>) -> Error {
    let why = match error.into() {
        ureq::Error::Timeout(_) => format!("no answer within {} seconds", ANSWER_TIMEOUT.as_secs()),
        ureq::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    Error::Incomplete {
        request: request.to_owned(),
        why,
    }
}

/// The beginning of `body` on one line, harmless to a terminal.
fn excerpt(body: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    match body.trim() {
        "" => "an empty body".to_owned(),
        body => body.chars().take(EXCERPT_CHARS).map(printable).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: StatusCode, body: &str) -> Answer {
        Answer {
            emulator: "http://localhost:5000".to_owned(),
            request: "GET http://localhost:5000/_sealock/v1/status".to_owned(),
            status,
            body: body.to_owned(),
        }
    }

    #[test]
    fn only_this_machine_is_here() {
        for (url, is_here) in [
            ("http://localhost:5000", true),
            ("http://x.localhost", true),
            ("http://127.0.0.9:1", true),
            ("http://[::1]:1", true),
            ("http://192.0.2.1:5000", false),
            ("http://localhost.example", false),
            ("http://[2001:db8::1]", false),
        ] {
            assert_eq!(name_here(&url.parse().unwrap()).is_some(), is_here, "{url}");
        }
    }

    #[test]
    fn a_refusal_speaks_in_the_emulators_words() {
        let refusal = r#"{"error":{"code":"KeyNotFound","message":"no key k","hint":"create it"}}"#;
        let error = answer(StatusCode::NOT_FOUND, refusal).refusal();
        assert_eq!(error.to_string(), "no key k");
        assert_eq!(error.hint(), Some("create it"));
    }

    #[test]
    fn an_answer_of_something_else_is_quoted_and_cut() {
        let text = format!("text\n\u{1b}[31m{}", "x".repeat(1_000));
        let error = answer(StatusCode::BAD_GATEWAY, &text).refusal().to_string();
        assert!(
            error.contains("answered 502 Bad Gateway with something unexpected"),
            "{error}"
        );
        assert!(error.contains("text  [31mxxx"), "{error}");
        assert!(error.len() < 500, "{error}");
        let error = answer(StatusCode::BAD_GATEWAY, "").refusal().to_string();
        assert!(error.ends_with(": an empty body"), "{error}");
    }

    #[test]
    fn what_speaks_otherwise_is_no_sealock() {
        for body in ["", "not found", "{}", r#"{"message":"no such key"}"#] {
            let error = answer(StatusCode::NOT_FOUND, body).refusal();
            assert!(matches!(error, Error::NoSealock(_)), "{body}: {error}");
        }
        let error = |body| answer(StatusCode::OK, body).parse::<Vec<u8>>().err();
        assert!(matches!(error("ready"), Some(Error::NoSealock(_))));
        assert!(matches!(error("{}"), Some(Error::Unexpected { .. })));
    }

    #[test]
    fn commands_in_a_text_name_the_emulator_that_was_named() {
        let client = |source| Client::new(&"http://localhost:1".parse().unwrap(), source);
        for (text, named) in [
            (
                "sealock key enable",
                "sealock key enable --emulator http://localhost:1",
            ),
            (
                "do it with: sealock key update --ops a,b; or see: sealock status, which tells",
                "do it with: sealock key update --ops a,b --emulator http://localhost:1; \
                 or see: sealock status --emulator http://localhost:1, which tells",
            ),
            ("registry sealock is revoked", "registry sealock is revoked"),
            (
                "start one with: sealock serve; or wait",
                "start one with: sealock serve; or wait",
            ),
            ("", ""),
        ] {
            assert_eq!(client(ValueSource::CommandLine).commands(text), named);
            assert_eq!(client(ValueSource::EnvVariable).commands(text), text);
        }
    }
}
