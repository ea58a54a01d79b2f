use sealock_core::excerpt;

use crate::{Error, Result};

/// The limit of conditions in a filter, as in Graph.
///
/// <https://learn.microsoft.com/graph/filter-query-parameter>
const CONDITIONS_LIMIT: usize = 15;

/// A filter: alternatives of conditions that all must hold.
#[derive(Debug, PartialEq)]
pub(super) struct Filter(Vec<Vec<Condition>>);

/// A condition of a filter.
#[derive(Debug, PartialEq)]
pub(super) struct Condition {
    pub(super) property: String,
    pub(super) value: String,
    /// True if the property may be longer than the value.
    pub(super) is_prefix: bool,
}

impl Filter {
    /// Parses `property eq 'value'`, `startswith(property,'value')` and `properties/any(x:x eq 'value')`, which `and` and
    /// `or` may combine.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut count = 0;
        let alternatives = split(text, " or ").into_iter().map(|alternative| {
            let conditions = split(alternative, " and ").into_iter();
            let parsed = conditions.map(|condition| {
                count += 1;
                let parsed = parse_condition(condition.trim());
                parsed.ok_or_else(|| Error::FilterUnsupported(excerpt(condition).to_owned()))
            });
            parsed.collect::<Result<Vec<_>>>()
        });
        let filter = Self(alternatives.collect::<Result<_>>()?);
        if count > CONDITIONS_LIMIT {
            return Err(Error::FilterUnsupported(excerpt(text).to_owned()));
        }
        Ok(filter)
    }

    /// Returns true if an object for which `holds` judges the conditions is one of the filtered.
    pub(super) fn accepts(&self, holds: impl Fn(&Condition) -> Result<bool>) -> Result<bool> {
        for conditions in &self.0 {
            let mut all = true;
            for condition in conditions {
                all &= holds(condition)?;
            }
            if all {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Splits text at a separator outside of quotes.
fn split<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let (mut parts, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        is_quoted ^= letter == '\'';
        if !is_quoted && at >= start && text[at..].starts_with(separator) {
            parts.push(&text[start..at]);
            start = at + separator.len();
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_condition(text: &str) -> Option<Condition> {
    let condition = |property: &str, value: &str, is_prefix| {
        let is_name = !property.is_empty() && property.bytes().all(|it| it.is_ascii_alphanumeric());
        is_name.then_some(Condition {
            property: property.to_owned(),
            value: unquote(value.trim())?,
            is_prefix,
        })
    };
    let condition = |property: &str, value, is_prefix| condition(property.trim(), value, is_prefix);
    if let Some(arguments) = text.strip_prefix("startswith(") {
        let (property, value) = arguments.strip_suffix(')')?.split_once(',')?;
        return condition(property, value, true);
    }
    if let Some((property, lambda)) = text.split_once("/any(") {
        let (variable, equation) = lambda.strip_suffix(')')?.split_once(':')?;
        let (element, value) = equation.split_once(" eq ")?;
        return (element.trim() == variable.trim())
            .then(|| condition(property, value, false))
            .flatten();
    }
    let (property, value) = text.split_once(" eq ")?;
    condition(property, value, false)
}

/// Returns the text between quotes, where two quotes stand for one.
fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let is_valid = !inner.replace("''", "").contains('\'');
    is_valid.then(|| inner.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<Vec<(String, String, bool)>> {
        let Filter(alternatives) = Filter::parse(text).unwrap();
        let conditions = |all: Vec<Condition>| {
            let all = all.into_iter();
            all.map(|it| (it.property, it.value, it.is_prefix))
                .collect()
        };
        alternatives.into_iter().map(conditions).collect()
    }

    #[test]
    fn filters_of_azures_command_line_are_parsed() {
        let one = |property: &str, value: &str, is_prefix| {
            (property.to_owned(), value.to_owned(), is_prefix)
        };
        for (text, expected) in [
            (
                "servicePrincipalNames/any(c:c eq 'x')",
                vec![vec![one("servicePrincipalNames", "x", false)]],
            ),
            ("appId eq 'x'", vec![vec![one("appId", "x", false)]]),
            (
                "startswith(displayName,'it''s and so')",
                vec![vec![one("displayName", "it's and so", true)]],
            ),
            (
                "displayName eq 'a or b' and id eq 'c' or mail eq 'd'",
                vec![
                    vec![one("displayName", "a or b", false), one("id", "c", false)],
                    vec![one("mail", "d", false)],
                ],
            ),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
        for bad in [
            "",
            "x",
            "x eq y",
            "x eq 'a'b'",
            "x ne 'a'",
            "x/any(c:d eq 'a')",
            "startswith(x 'a')",
            "(x eq 'a')",
        ] {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
    }
}
