use std::{
    fmt,
    io::{self, BufRead as _, BufReader},
    marker::PhantomData,
    net::IpAddr,
    time::Duration,
};

use clap::parser::ValueSource;
use rustls::pki_types::ServerName;
use sealock_api::{BASE, Empty, JSON, Operation, Problem};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use ureq::{
    Agent, Body, Timeout,
    config::Config,
    http::{
        Request, Response, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    },
    unversioned::{
        resolver::DefaultResolver,
        transport::{Connector as _, TcpConnector},
    },
};
use url::{Host, Url};

use crate::{
    commands::Commands,
    error::Error,
    tls::{Ca, Unproven},
    token::Token,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
const ANSWER_BYTES_MAX: u64 = 64 << 20;
const EXCERPT_CHARS: usize = 200;

/// A client of an emulator's control API.
#[derive(Clone)]
pub(crate) struct Client {
    emulator: String,
    /// The name in its certificate, if it is on this machine: no other may see the token.
    name_here: Option<ServerName<'static>>,
    /// The place of its URL.
    source: ValueSource,
    commands: Commands,
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

/// An answer of the control API that is no refusal, with a `T` as its body.
pub(crate) struct Answer<T> {
    emulator: String,
    request: String,
    status: StatusCode,
    body: String,
    kind: PhantomData<T>,
}

impl Client {
    /// A client of the emulator at `emulator`.
    pub(crate) fn new(emulator: &Url, source: ValueSource) -> Self {
        let origin = emulator.origin().ascii_serialization();
        Self {
            name_here: name_here(emulator),
            commands: Commands::new(&origin, source),
            source,
            emulator: origin,
            timeout: Some(ANSWER_TIMEOUT),
        }
    }

    /// Returns the emulator's URL: `http://HOST:PORT`.
    pub(crate) fn emulator(&self) -> &str {
        &self.emulator
    }

    /// The commands that a user can run next.
    pub(crate) fn commands(&self) -> &Commands {
        &self.commands
    }

    /// The same client, but one that waits for an answer as long as it takes.
    pub(crate) fn patient(&self) -> Self {
        Self {
            timeout: None,
            ..self.clone()
        }
    }

    /// Asks for an operation that takes nothing but its path.
    pub(crate) fn ask<O>(&self, operation: &O) -> Result<Answer<O::Answer>, Error>
    where
        O: Operation<Query = Empty, Body = Empty>,
    {
        self.ask_with(operation, &Empty {})
    }

    /// Asks for an operation with a body.
    pub(crate) fn ask_with<O>(
        &self,
        operation: &O,
        body: &O::Body,
    ) -> Result<Answer<O::Answer>, Error>
    where
        O: Operation<Query = Empty>,
    {
        let (request, response) = self.send(operation, &Empty {}, body)?;
        self.read(request, response)
    }

    /// Asks for an operation with a query.
    pub(crate) fn ask_for<O>(
        &self,
        operation: &O,
        query: &O::Query,
    ) -> Result<Answer<O::Answer>, Error>
    where
        O: Operation<Body = Empty>,
    {
        let (request, response) = self.send(operation, query, &Empty {})?;
        self.read(request, response)
    }

    /// Asks for an operation that answers with lines, and reads each as soon as it is there.
    pub(crate) fn lines<O>(
        &self,
        operation: &O,
        query: &O::Query,
    ) -> Result<impl Iterator<Item = Result<String, Error>> + use<O>, Error>
    where
        O: Operation<Body = Empty>,
    {
        let (request, response) = self.send(operation, query, &Empty {})?;
        let lines = BufReader::new(response.into_body().into_reader()).lines();
        Ok(lines.map(move |line| line.map_err(|error| incomplete(&request, error))))
    }

    /// Sends a request, and returns what to call it and the answer, unless that is a refusal.
    fn send<O: Operation>(
        &self,
        operation: &O,
        query: &O::Query,
        body: &O::Body,
    ) -> Result<(String, Response<Body>), Error> {
        let (method, target) = (O::METHOD, operation.target(query));
        let url = format!("{}{BASE}{target}", self.emulator);
        let request = format!("{method} {url}");
        // No body is an empty one to ureq: without any, it would send POST and PUT in chunks.
        let body = match serde_json::to_string(body) {
            Ok(json) if json == "{}" => String::new(),
            Ok(json) => json,
            Err(error) => return Err(incomplete(&request, io::Error::from(error))),
        };
        let mut builder = Request::builder().method(method).uri(url);
        if !body.is_empty() {
            builder = builder.header(CONTENT_TYPE, JSON);
        }
        let shown = self.shown::<O>()?;
        if let Some(bearer) = shown.bearer()? {
            builder = builder.header(AUTHORIZATION, bearer);
        }
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
            _ => {
                let refusal: Answer<()> = self.read(request, response)?;
                Err(refusal.refusal(&self.commands))
            }
        }
    }

    /// Decides whether whoever has the port is shown the token.
    fn shown<O: Operation>(&self) -> Result<Shown, Error> {
        if self.name_here.is_none() || O::IS_OPEN {
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

    fn read<T>(&self, request: String, response: Response<Body>) -> Result<Answer<T>, Error> {
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
                kind: PhantomData,
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

impl<T> Answer<T> {
    /// Returns true if something was created that was not there before.
    pub(crate) fn created(&self) -> bool {
        self.status == StatusCode::CREATED
    }

    /// The answer's JSON text; empty if there is nothing to say.
    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    /// The record that was asked for.
    pub(crate) fn parse(&self) -> Result<T, Error>
    where
        T: DeserializeOwned,
    {
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

    /// The error for an answer of something else.
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
            // An answer that is no refusal may hold a secret.
            excerpt: if self.status.is_success() {
                format!("{} bytes", self.body.len())
            } else {
                excerpt(&self.body)
            },
        }
    }

    fn refusal(&self, commands: &Commands) -> Error {
        match serde_json::from_str::<Problem>(&self.body) {
            Ok(problem) => Error::Refused {
                problem: Box::new(problem),
                commands: commands.clone(),
            },
            Err(error) => match serde_json::from_str::<NoService>(&self.body) {
                Ok(refusal) => Error::Failed {
                    message: refusal.error.message,
                    hint: None,
                },
                Err(_) => self.foreign(&error),
            },
        }
    }
}

/// A refusal of the emulator before it has found a service, such as of a name that it does not serve.
#[derive(Deserialize)]
struct NoService {
    error: Misdirection,
}

#[derive(Deserialize)]
struct Misdirection {
    message: String,
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

/// Returns true for an answer that is for a browser: the control API gives no such thing.
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

    fn answer(status: StatusCode, body: &str) -> Answer<Vec<u8>> {
        Answer {
            emulator: "http://localhost:5000".to_owned(),
            request: "GET http://localhost:5000/_sealock/v1/status".to_owned(),
            status,
            body: body.to_owned(),
            kind: PhantomData,
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
        let problem = r#"{"type":"urn:x","title":"Not Found","status":404,"detail":"no key k","code":"KeyNotFound",
            "hints":[{"action":"list_keys","vault":"kv1"}]}"#;
        let error = answer(StatusCode::NOT_FOUND, problem).refusal(&Commands::default());
        assert_eq!(error.to_string(), "no key k");
        let hint =
            "see the vault's keys, deleted ones included, with: sealock key list --vault kv1";
        assert_eq!(error.hint().as_deref(), Some(hint));
    }

    #[test]
    fn an_answer_of_something_else_is_quoted_and_cut() {
        let text = format!("text\n\u{1b}[31m{}", "x".repeat(1_000));
        let error = answer(StatusCode::BAD_GATEWAY, &text)
            .refusal(&Commands::default())
            .to_string();
        assert!(
            error.contains("answered 502 Bad Gateway with something unexpected"),
            "{error}"
        );
        assert!(error.contains("text  [31mxxx"), "{error}");
        assert!(error.len() < 500, "{error}");
        let error = answer(StatusCode::BAD_GATEWAY, "")
            .refusal(&Commands::default())
            .to_string();
        assert!(error.ends_with(": an empty body"), "{error}");
    }

    #[test]
    fn what_speaks_otherwise_is_no_sealock() {
        for body in ["", "not found", "{}", r#"{"message":"no such key"}"#] {
            let error = answer(StatusCode::NOT_FOUND, body).refusal(&Commands::default());
            assert!(matches!(error, Error::NoSealock(_)), "{body}: {error}");
        }
        let error = |body| answer(StatusCode::OK, body).parse().err();
        assert!(matches!(error("ready"), Some(Error::NoSealock(_))));
        assert!(matches!(error("{}"), Some(Error::Unexpected { .. })));
    }
}
