//! The paths of an endpoint table, and the comparison of a request's path with them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The number of segments that one path can name. Resource Manager's longest paths need this many.
const CAPTURES: usize = 6;

/// The variations in a path that a service accepts from its clients.
#[derive(Clone, Copy, Debug)]
pub struct Spelling {
    /// Paths are percent-encoded, including the slashes inside names.
    pub is_encoded: bool,
    /// The case of words is ignored.
    pub ignores_case: bool,
    /// Empty segments, from doubled or trailing slashes, are ignored.
    pub ignores_empty_segments: bool,
}

/// The named segments, or runs of segments, of a path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Captures<'a> {
    named: [(&'static str, &'a str); CAPTURES],
    count: usize,
}

impl<'a> Captures<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let mut named = self.named[..self.count].iter();
        named.find(|(found, _)| *found == name).map(|it| it.1)
    }

    /// Records `value` as the capture at `index`, and discards the captures behind it.
    fn set(&mut self, index: usize, name: &'static str, value: &'a str) {
        self.named[index] = (name, value);
        self.count = index + 1;
    }
}

impl Spelling {
    /// Accepts paths only as the table spells them.
    pub const EXACT: Self = Self {
        is_encoded: false,
        ignores_case: false,
        ignores_empty_segments: false,
    };

    /// Decodes a path. Returns `None` if the result is not UTF-8.
    pub(crate) fn decode(self, path: &str) -> Option<Cow<'_, str>> {
        if !self.is_encoded {
            return Some(Cow::Borrowed(path));
        }
        percent_decode_str(path).decode_utf8().ok()
    }

    /// Matches a path against a pattern of the table. The path may lack the pattern's trailing slash.
    pub(crate) fn matches<'a>(self, pattern: &'static str, path: &'a str) -> Option<Captures<'a>> {
        let (pattern, path) = (pattern.strip_prefix('/'), path.strip_prefix('/')?);
        let mut captures = Captures::default();
        self.matches_rest(pattern, Some(path), 0, &mut captures)
            .then_some(captures)
    }

    /// Returns true if `word` is the first segment of `path`, which has no leading slash.
    pub(crate) fn starts_with(self, path: &str, word: &str) -> bool {
        let is_segment = matches!(path.as_bytes().get(word.len()), None | Some(b'/'));
        is_segment
            && path.get(..word.len()).is_some_and(|segment| {
                segment == word || (self.ignores_case && segment.eq_ignore_ascii_case(word))
            })
    }

    /// Matches the rest of a path against the rest of a pattern. `None` is the rest behind the last segment, and `index` that
    /// of the next capture.
    fn matches_rest<'a>(
        self,
        pattern: Option<&'static str>,
        path: Option<&'a str>,
        index: usize,
        captures: &mut Captures<'a>,
    ) -> bool {
        let path = match path {
            Some(path) if self.ignores_empty_segments => {
                Some(path.trim_start_matches('/')).filter(|path| !path.is_empty())
            }
            path => path,
        };
        let (Some(pattern), Some(path)) = (pattern, path) else {
            return path.is_none() && matches!(pattern, None | Some("" | "..."));
        };
        let (expected, pattern) = split_first_segment(pattern);
        if expected == "..." {
            return true;
        }
        let Some(name) = capture_name(expected) else {
            let rest = path.get(expected.len() + 1..);
            return self.starts_with(path, expected)
                && self.matches_rest(pattern, rest, index, captures);
        };
        let Some(name) = name.strip_suffix("...") else {
            let (segment, rest) = split_first_segment(path);
            captures.set(index, name, segment);
            return self.matches_rest(pattern, rest, index + 1, captures);
        };
        // Takes as few segments as let the rest match.
        let ends = path.match_indices('/').map(|(end, _)| end);
        let mut ends = ends.chain([path.len()]);
        ends.any(|end| {
            captures.set(index, name, &path[..end]);
            self.matches_rest(pattern, path.get(end + 1..), index + 1, captures)
        })
    }
}

/// Returns true if the pattern has at most [`CAPTURES`] names. [`endpoints!`](crate::endpoints) checks it at compile time.
#[doc(hidden)]
pub const fn captures_fit(pattern: &str) -> bool {
    let (bytes, mut at, mut count) = (pattern.as_bytes(), 0, 0);
    while at < bytes.len() {
        count += (bytes[at] == b'{') as usize;
        at += 1;
    }
    count <= CAPTURES
}

/// Splits a path into its first segment and the rest.
fn split_first_segment(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    }
}

/// Returns the name in `{name}`.
fn capture_name(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENIENT: Spelling = Spelling {
        is_encoded: true,
        ignores_case: true,
        ignores_empty_segments: true,
    };

    fn found(spelling: Spelling, pattern: &'static str, path: &str) -> Option<String> {
        let captures = spelling.matches(pattern, path)?;
        let named = captures.named[..captures.count].iter();
        let named: Vec<_> = named
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Some(named.join(" "))
    }

    #[test]
    fn capture_takes_one_segment_and_a_span_the_fewest_that_match() {
        for (pattern, path, expected) in [
            ("/keys", "/keys", Some("")),
            ("/keys", "/KEYS", None),
            ("/keys", "/keys/", None),
            ("/keys/{key}", "/keys/a", Some("key=a")),
            ("/keys/{key}", "/keys/", Some("key=")),
            ("/keys/{key}", "/keys/a/b", None),
            ("/v2/", "/v2", Some("")),
            ("/v2/", "/v2/", Some("")),
            ("/v2/", "/v2//", None),
            ("/v2/{n...}/tags/list", "/v2/a/b/tags/list", Some("n=a/b")),
            ("/v2/{n...}/tags/list", "/v2/tags/list", None),
            (
                "/v2/{n...}/m/{r}",
                "/v2/a/m/m/m/m/v1",
                Some("n=a/m/m/m r=v1"),
            ),
            (
                "/v1/{n...}/_tags/{t...}",
                "/v1/a/b/_tags/c/_tags/d",
                Some("n=a/b t=c/_tags/d"),
            ),
            ("/v1/{n...}", "/v1/", Some("n=")),
            ("/v1/{n...}", "/v1", None),
            ("/secrets/...", "/secrets", Some("")),
            ("/secrets/...", "/secrets/a/b", Some("")),
            ("/secrets/...", "/secretsa", None),
            ("/keys", "*", None),
            ("/keys", "", None),
        ] {
            let found = found(Spelling::EXACT, pattern, path);
            assert_eq!(found.as_deref(), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn encoded_path_is_decoded_as_a_whole() {
        assert_eq!(LENIENT.decode("/a%2Fb%3A").as_deref(), Some("/a/b:"));
        assert_eq!(LENIENT.decode("/%FF"), None);
        assert_eq!(Spelling::EXACT.decode("/%FF").as_deref(), Some("/%FF"));
    }

    #[test]
    fn lenient_spelling_ignores_case_and_empty_segments() {
        for (pattern, path, expected) in [
            ("/keys", "//KEYS//", Some("")),
            ("/keys/{key}/wrapKey", "/Keys//Aa/WRAPKEY", Some("key=Aa")),
            ("/keys/{key}", "/keys/", None),
            ("/secrets/...", "/Secrets/", Some("")),
            ("/keys", "/", None),
        ] {
            let found = found(LENIENT, pattern, path);
            assert_eq!(found.as_deref(), expected, "{pattern} {path}");
        }
    }
}
