//! The pages for browsers, in HTML without scripts, except for one that sends a form.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_core::ClientId;

use super::call::SignIn;
use crate::{DEVELOPER_USER, Error};

const STYLE: &str = "body{font:16px system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}\
    button{font:inherit;padding:.5rem 1rem}input{font:inherit;padding:.4rem}.error{color:#b00}";

/// The script that takes the answer to the client at once.
const SUBMIT: &str = "document.forms[0].submit()";

/// Shows the page on which a person signs in. Its form goes to the page's own address.
pub(super) fn sign_in(
    sign_in: SignIn,
    client: ClientId,
    resource: &str,
    error: Option<&Error>,
) -> Response {
    let (client, resource) = (escape(&client.to_string()), escape(resource));
    let (error, field) = (error_text(error), password_field(sign_in));
    let body = format!(
        "{error}<p>The client <code>{client}</code> asks for access to <code>{resource}</code> on your behalf.</p>\
         <form method=\"post\">{field}<button name=\"username\" value=\"{DEVELOPER_USER}\">Sign in as {DEVELOPER_USER}</button></form>"
    );
    render("Sign in", &body, "'none'")
}

/// Shows the page on which a person types the code of a device.
pub(super) fn device(sign_in: SignIn, code: &str, error: Option<&Error>) -> Response {
    let (code, error, field) = (escape(code), error_text(error), password_field(sign_in));
    let body = format!(
        "{error}<p>Sign in on a device if it shows you this code, and not otherwise.</p>\
         <form method=\"post\"><p><input name=\"user_code\" value=\"{code}\" aria-label=\"Code\" required></p>{field}\
         <button name=\"username\" value=\"{DEVELOPER_USER}\">Sign in as {DEVELOPER_USER}</button></form>"
    );
    render("Sign in on a device", &body, "'none'")
}

/// Shows a text.
pub(super) fn message(title: &str, text: &str) -> Response {
    let body = format!("<p>{}</p>", escape(text));
    render(title, &body, "'none'")
}

/// Shows a form that the browser sends to the client at once.
pub(super) fn post_back(redirect_uri: &str, fields: &[(&str, String)]) -> Response {
    let fields = fields.iter().map(|(name, value)| {
        let value = escape(value);
        format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
    });
    let fields = fields.collect::<Vec<_>>().concat();
    let action = escape(redirect_uri);
    let body = format!(
        "<form method=\"post\" action=\"{action}\">{fields}<button>Continue</button></form><script>{SUBMIT}</script>"
    );
    let hash = STANDARD.encode(<sha2::Sha256 as sha2::Digest>::digest(SUBMIT));
    render("Signed in", &body, &format!("'sha256-{hash}'"))
}

/// Renders a page that no other page can frame. `scripts` are those that may run.
fn render(title: &str, body: &str, scripts: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title} - Sealock</title><style>{STYLE}</style><h1>{title}</h1>{body}</html>\n"
    );
    // A form leads to the client, which listens on this machine.
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src {scripts}; form-action 'self' http://localhost:* https://localhost:* http://127.0.0.1:* http://[::1]:*; frame-ancestors 'none'; base-uri 'none'"
    );
    let mut response = (
        StatusCode::OK,
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "no-referrer"),
        ],
        page,
    )
        .into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn error_text(error: Option<&Error>) -> String {
    error.map_or_else(String::new, |error| {
        format!("<p class=\"error\">{}</p>", escape(&error.to_string()))
    })
}

fn password_field(sign_in: SignIn) -> &'static str {
    match sign_in {
        SignIn::Click => "",
        SignIn::Password => {
            "<p><input type=\"password\" name=\"password\" placeholder=\"Password\" aria-label=\"Password\" autocomplete=\"off\" required></p>"
        }
    }
}

/// Escapes text for HTML, in content and in attributes between double quotes.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, letter| {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_request_is_escaped() {
        assert_eq!(
            escape("<a href=\"x\">'&"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;"
        );
    }
}
