use std::{fmt::Write as _, str::FromStr};

use axum::http::Method;
use sealock_api::Hint;
use sealock_core::excerpt;

/// A kind of request: what it would do, and the hint at what does it here.
pub(super) struct Row {
    pub(super) method: Method,
    /// The path behind the last `providers`, or else the whole path. `{}` is a name.
    pub(super) path: &'static str,
    pub(super) verb: &'static str,
    pub(super) object: Object,
    pub(super) hint: fn(&Names<'_>) -> Option<Hint>,
}

/// The thing, or several, that a request is about. `{0}` is the first name of its path.
pub(super) enum Object {
    One(&'static str),
    Several(&'static str),
}

/// The names in a path, in its order.
pub(super) struct Names<'a>(Vec<&'a str>);

impl Row {
    /// The names in a path of this kind. Resource Manager compares words in any case.
    pub(super) fn names<'a>(&self, asked: &'a [String]) -> Option<Names<'a>> {
        let pattern: Vec<_> = self.path.split('/').collect();
        if pattern.len() != asked.len() {
            return None;
        }
        let mut names = Vec::new();
        for (expected, segment) in pattern.into_iter().zip(asked) {
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
    /// The name at a place, if it is a valid one.
    pub(super) fn get<T: FromStr>(&self, place: usize) -> Option<T> {
        self.0.get(place)?.parse().ok()
    }

    /// Puts the names into a text.
    pub(super) fn put_into(&self, text: &str) -> String {
        let mut parts = text.split('{');
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (place, rest) = part.split_once('}').unwrap_or_default();
            let name = place
                .parse()
                .ok()
                .and_then(|place: usize| self.0.get(place));
            let name = excerpt(name.copied().unwrap_or_default());
            // A string takes whatever is written.
            let _ = write!(whole, "'{name}'{rest}");
        }
        whole
    }
}
