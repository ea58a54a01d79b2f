use std::{fmt::Write as _, str::FromStr};

use axum::http::Method;
use sealock_api::Hint;
use sealock_core::excerpt;

/// A kind of request, with the hint to the equivalent operation.
pub(super) struct Row {
    pub(super) method: Method,
    /// The path after the last `providers`, or the whole path. `{}` stands for a name.
    pub(super) path: &'static str,
    pub(super) verb: &'static str,
    pub(super) object: Object,
    pub(super) hint: fn(&Names<'_>) -> Option<Hint>,
}

/// The object of a request, in words. `{0}` stands for the first name in its path.
pub(super) enum Object {
    One(&'static str),
    Several(&'static str),
}

/// The names in a path, in order.
pub(super) struct Names<'a>(Vec<&'a str>);

impl Row {
    /// Returns the names in `path`, or `None` if it does not match. Like Resource Manager, ignores the case of words.
    pub(super) fn capture_names<'a>(&self, path: &'a [String]) -> Option<Names<'a>> {
        let pattern: Vec<_> = self.path.split('/').collect();
        if pattern.len() != path.len() {
            return None;
        }
        let mut names = Vec::new();
        for (expected, segment) in pattern.into_iter().zip(path) {
            match expected {
                "{}" => names.push(segment.as_str()),
                word if word.eq_ignore_ascii_case(segment) => {}
                _ => return None,
            }
        }
        Some(Names(names))
    }
}

impl Object {
    pub(super) fn text(&self) -> &'static str {
        match self {
            Self::One(text) | Self::Several(text) => text,
        }
    }

    pub(super) fn pronoun(&self) -> &'static str {
        match self {
            Self::One(_) => "it",
            Self::Several(_) => "them",
        }
    }
}

impl Names<'_> {
    /// Returns the name at an index, if it is valid.
    pub(super) fn get<T: FromStr>(&self, index: usize) -> Option<T> {
        self.0.get(index)?.parse().ok()
    }

    /// Fills the placeholders in `text` with the names.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut pieces = text.split('{');
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (index, rest) = piece.split_once('}').unwrap_or_default();
            let name = index
                .parse()
                .ok()
                .and_then(|index: usize| self.0.get(index));
            let name = excerpt(name.copied().unwrap_or_default());
            // Writing to a string cannot fail.
            let _ = write!(filled, "'{name}'{rest}");
        }
        filled
    }
}
