//! Argument parsers that several commands share.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, StringValueParser, TypedValueParser};
use jiff::Timestamp;

/// Parses one element of a list, without the blanks around it.
pub(crate) fn list_element() -> impl TypedValueParser<Value = String> {
    StringValueParser::new().map(|text| text.trim().to_owned())
}

/// Parses one of the given words into a `T`.
pub(crate) fn word<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}

/// Parses an RFC 3339 time, or a date as midnight UTC.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .or_else(|_| format!("{text}T00:00:00Z").parse())
        .map_err(|_| "expected a time such as 2030-01-01T00:00:00Z, or a date".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_dates_are_parsed_and_other_text_is_rejected() {
        let midnight: Timestamp = "2030-01-02T00:00:00Z".parse().unwrap();
        assert_eq!(time("2030-01-02"), Ok(midnight));
        assert_eq!(time("2030-01-02T01:00:00+01:00"), Ok(midnight));
        for bad in ["", "tomorrow", "2030", "2030-13-01", "2030-01-02T12:00:00"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
