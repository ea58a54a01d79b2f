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
    /// The name in the emulator's certificate, or `None` if it is on another machine, which must not see the token.
    local_name: Option<ServerName<'static>>,
    /// The source of the URL.
    source: ValueSource,
    commands: Commands,
    timeout: Option<Duration>,
}

/// The way in which a request uses the control API's token.
enum TokenUse {
    /// There is no token, or the operation needs none.
    None,
    /// Sends the token in the clear: the user named both the token and the emulator.
    Plain(Token),
    /// Sends the token over TLS, after the server has proved that it holds the CA's key.
    AfterProof(Token, Ca),
    /// Withholds the token: nothing proves that the server is the emulator.
    Withheld(Token),
}

/// A successful answer of the control API, with a `T` as its body.
pub(crate) struct Answer<T> {
    emulator: String,
    request: String,
    status: StatusCode,
    body: String,
    kind: PhantomData<T>,
}

impl Client {
    /// Creates a client of the emulator at `emulator`.
    pub(crate) fn new(emulator: &Url, source: ValueSource) -> Self {
        let origin = emulator.origin().ascii_serialization();
        Self {
            local_name: local_name(emulator),
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

    /// Returns the commands that a user can run next.
    pub(crate) fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Returns the same client without a limit on the time for an answer.
    pub(crate) fn without_timeout(&self) -> Self {
        Self {
            timeout: None,
            ..self.clone()
        }
    }

    /// Performs an operation without a query or body.
    pub(crate) fn ask<O>(&self, operation: &O) -> Result<Answer<O::Answer>, Error>
    where
        O: Operation<Query = Empty, Body = Empty>,
    {
        self.ask_with_body(operation, &Empty {})
    }

    /// Performs an operation with a body.
    pub(crate) fn ask_with_body<O>(
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

    /// Performs an operation with a query.
    pub(crate) fn ask_with_query<O>(
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

    /// Performs an operation that answers in lines, and yields each as it arrives.
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

    /// Sends a request, and returns its name for messages and the response. A refusal is an error.
    fn send<O: Operation>(
        &self,
        operation: &O,
        query: &O::Query,
        body: &O::Body,
    ) -> Result<(String, Response<Body>), Error> {
        let (method, target) = (O::METHOD, operation.target(query));
        let url = format!("{}{BASE}{target}", self.emulator);
        let request = format!("{method} {url}");
        // ureq sends POST and PUT in chunks unless there is a body, even an empty one.
        let body = match serde_json::to_string(body) {
            Ok(json) if json == "{}" => String::new(),
            Ok(json) => json,
            Err(error) => return Err(incomplete(&request, io::Error::from(error))),
        };
        let mut builder = Request::builder().method(method).uri(url);
        if !body.is_empty() {
            builder = builder.header(CONTENT_TYPE, JSON);
        }
        let token_use = self.token_use::<O>()?;
        if let Some(bearer) = token_use.bearer()? {
            builder = builder.header(AUTHORIZATION, bearer);
        }
        let agent = self.agent(&token_use)?;
        let request_with_body = builder.body(body).map_err(ureq::Error::from);
        let response = request_with_body.and_then(|it| {
            let it = agent.configure_request(it).timeout_global(self.timeout);
            agent.run(it.build())
        });
        let response =
            response.map_err(|error| self.transport_error(&request, &token_use, error))?;
        if is_page(&response) {
            return Err(Error::NoSealock(self.emulator.clone()));
        }
        match (response.status(), &token_use) {
            (status, _) if status.is_success() => Ok((request, response)),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, TokenUse::Withheld(token)) => {
                Err(token.withheld(&self.emulator))
            }
            _ => {
                let refusal: Answer<()> = self.read(request, response)?;
                Err(refusal.refusal(&self.commands))
            }
        }
    }

    /// Decides whether and how a request sends the token.
    fn token_use<O: Operation>(&self) -> Result<TokenUse, Error> {
        if self.local_name.is_none() || O::IS_OPEN {
            return Ok(TokenUse::None);
        }
        let Some(token) = Token::find()? else {
            return Ok(TokenUse::None);
        };
        Ok(match token.ca()? {
            Some(ca) => TokenUse::AfterProof(token, ca),
            None if token.is_named && self.source != ValueSource::DefaultValue => {
                TokenUse::Plain(token)
            }
            None => TokenUse::Withheld(token),
        })
    }

    /// Creates the agent for a request, over TLS if the server must prove itself first.
    fn agent(&self, token_use: &TokenUse) -> Result<Agent, Error> {
        Ok(match (token_use, &self.local_name) {
            (TokenUse::AfterProof(_, ca), Some(name)) => {
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

    fn transport_error(&self, request: &str, token_use: &TokenUse, error: ureq::Error) -> Error {
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
            && let TokenUse::AfterProof(_, ca) = token_use
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

impl TokenUse {
    /// Returns the header that carries the token.
    fn bearer(&self) -> Result<Option<HeaderValue>, Error> {
        match self {
            Self::Plain(token) | Self::AfterProof(token, _) => token.bearer().map(Some),
            Self::None | Self::Withheld(_) => Ok(None),
        }
    }
}

impl<T> Answer<T> {
    /// Returns true if the operation created something.
    pub(crate) fn is_created(&self) -> bool {
        self.status == StatusCode::CREATED
    }

    /// Returns the answer's JSON, which may be empty.
    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    /// Parses the answer's record.
    pub(crate) fn parse(&self) -> Result<T, Error>
    where
        T: DeserializeOwned,
    {
        serde_json::from_str(&self.body).map_err(|error| self.unreadable(&error))
    }

    /// Returns the error for an answer that cannot be parsed. An answer that is not even JSON comes from another program.
    pub(crate) fn unreadable(&self, error: &serde_json::Error) -> Error {
        if serde_json::from_str::<IgnoredAny>(&self.body).is_ok() {
            self.unexpected(error)
        } else {
            self.not_sealock(error)
        }
    }

    /// Returns the error for an answer of another program.
    fn not_sealock(&self, error: &serde_json::Error) -> Error {
        if self.status == StatusCode::MISDIRECTED_REQUEST || self.status.is_server_error() {
            self.unexpected(error)
        } else {
            Error::NoSealock(self.emulator.clone())
        }
    }

    /// Returns the error for an answer that the control API does not give.
    pub(crate) fn unexpected(&self, why: &impl fmt::Display) -> Error {
        Error::Unexpected {
            request: self.request.clone(),
            status: self.status,
            why: why.to_string(),
            // A successful answer may hold a secret.
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
            Err(error) => match serde_json::from_str::<Misdirected>(&self.body) {
                Ok(refusal) => Error::Failed {
                    message: refusal.error.message,
                    hint: None,
                },
                Err(_) => self.not_sealock(&error),
            },
        }
    }
}

/// A refusal of a request for no service, such as one for a name that is not served.
#[derive(Deserialize)]
struct Misdirected {
    error: MisdirectedError,
}

#[derive(Deserialize)]
struct MisdirectedError {
    message: String,
}

/// Returns the name in the certificate of an emulator on this machine, or `None` if it is on another.
fn local_name(emulator: &Url) -> Option<ServerName<'static>> {
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

/// Returns true for an HTML page, which the control API never returns.
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

/// Returns the beginning of `body` on one line, without control characters.
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
    fn only_names_and_addresses_of_this_machine_are_local() {
        for (url, is_local) in [
            ("http://localhost:5000", true),
            ("http://x.localhost", true),
            ("http://127.0.0.9:1", true),
            ("http://[::1]:1", true),
            ("http://192.0.2.1:5000", false),
            ("http://localhost.example", false),
            ("http://[2001:db8::1]", false),
        ] {
            assert_eq!(
                local_name(&url.parse().unwrap()).is_some(),
                is_local,
                "{url}"
            );
        }
    }

    #[test]
    fn refusal_keeps_the_emulators_text_and_renders_its_hints() {
        let problem = r#"{"type":"urn:x","title":"Not Found","status":404,"detail":"no key k","code":"KeyNotFound",
            "hints":[{"action":"list_keys","vault":"kv1"}]}"#;
        let error = answer(StatusCode::NOT_FOUND, problem).refusal(&Commands::default());
        assert_eq!(error.to_string(), "no key k");
        let hint =
            "list the vault's keys, including deleted ones, with: sealock key list --vault kv1";
        assert_eq!(error.hint().as_deref(), Some(hint));
    }

    #[test]
    fn unexpected_answer_is_quoted_in_part() {
        let text = format!("text\n\u{1b}[31m{}", "x".repeat(1_000));
        let error = answer(StatusCode::BAD_GATEWAY, &text)
            .refusal(&Commands::default())
            .to_string();
        assert!(
            error.contains("unexpected response to") && error.contains("502 Bad Gateway"),
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
    fn answer_in_another_form_is_reported_as_not_sealock() {
        for body in ["", "not found", "{}", r#"{"message":"no such key"}"#] {
            let error = answer(StatusCode::NOT_FOUND, body).refusal(&Commands::default());
            assert!(matches!(error, Error::NoSealock(_)), "{body}: {error}");
        }
        let error = |body| answer(StatusCode::OK, body).parse().err();
        assert!(matches!(error("ready"), Some(Error::NoSealock(_))));
        assert!(matches!(error("{}"), Some(Error::Unexpected { .. })));
    }
}
