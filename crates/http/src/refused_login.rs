use std::fmt;

/// The reason for which a login was refused, as an extension of the answer. It is for the log: clients are told less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLogin(String);

impl RefusedLogin {
    /// Notes a reason. Control characters, which a client may have put into a name, are escaped, so that they neither
    /// break the line nor reach a terminal.
    pub fn new(reason: impl fmt::Display) -> Self {
        let mut text = String::new();
        for character in reason.to_string().chars() {
            if character.is_control() {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        Self(text)
    }

    /// The reason, in a sentence without a full stop.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_others_stay() {
        let refused = RefusedLogin::new("no user 'a\u{1b}[31m\r\nb \u{9b}é\"'");
        assert_eq!(refused.as_str(), "no user 'a\\u{1b}[31m\\r\\nb \\u{9b}é\"'");
    }
}
