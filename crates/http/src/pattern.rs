//! The paths of a table, and how a request's is compared with them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The most segments of one path that a table can name. Resource Manager's longest paths have as many.
const CAPTURES: usize = 6;

/// The liberties that clients take with a service's paths.
#[derive(Clone, Copy, Debug)]
pub struct Spelling {
    /// Paths are percent-encoded, the slashes of names, too.
    pub is_encoded: bool,
    /// The case of words means nothing.
    pub ignores_case: bool,
    /// Empty segments mean nothing: slashes are doubled or trail.
    pub ignores_empty_segments: bool,
}

/// The segments that a path names, or their ranges.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Captures<'a> {
    named: [(&'static str, &'a str); CAPTURES],
    count: usize,
}

impl<'a> Captures<'a> {
    pub(crate) fn of(&self, name: &str) -> Option<&'a str> {
        let mut named = self.named[..self.count].iter();
        named.find(|(found, _)| *found == name).map(|it| it.1)
    }

    /// Takes `value` for the name at `place`; what was taken for it and the names behind it before is forgotten.
    fn put(&mut self, place: usize, name: &'static str, value: &'a str) {
        self.named[place] = (name, value);
        self.count = place + 1;
    }
}

impl Spelling {
    /// The table's spelling, to the letter.
    pub const EXACT: Self = Self {
        is_encoded: false,
        ignores_case: false,
        ignores_empty_segments: false,
    };

    /// Decodes a path, if this is UTF-8 then.
    pub(crate) fn decode(self, path: &str) -> Option<Cow<'_, str>> {
        if !self.is_encoded {
            return Some(Cow::Borrowed(path));
        }
        percent_decode_str(path).decode_utf8().ok()
    }

    /// Compares a path with one of a table. The table's may end with a slash that the path lacks.
    pub(crate) fn matches<'a>(self, pattern: &'static str, path: &'a str) -> Option<Captures<'a>> {
        let (pattern, path) = (pattern.strip_prefix('/'), path.strip_prefix('/')?);
        let mut captures = Captures::default();
        self.walk(pattern, Some(path), 0, &mut captures)
            .then_some(captures)
    }

    /// Returns true for a path, without its slash, whose first segment is `word`.
    pub(crate) fn begins(self, path: &str, word: &str) -> bool {
        let is_segment = matches!(path.as_bytes().get(word.len()), None | Some(b'/'));
        is_segment
            && path.get(..word.len()).is_some_and(|segment| {
                segment == word || (self.ignores_case && segment.eq_ignore_ascii_case(word))
            })
    }

    /// Compares what is left of a path; none is behind the last segment. `place` is that of the next name.
    fn walk<'a>(
        self,
        pattern: Option<&'static str>,
        path: Option<&'a str>,
        place: usize,
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
        let (expected, pattern) = next(pattern);
        if expected == "..." {
            return true;
        }
        let Some(name) = capture(expected) else {
            let rest = path.get(expected.len() + 1..);
            return self.begins(path, expected) && self.walk(pattern, rest, place, captures);
        };
        let Some(name) = name.strip_suffix("...") else {
            let (segment, rest) = next(path);
            captures.put(place, name, segment);
            return self.walk(pattern, rest, place + 1, captures);
        };
        // The fewest segments behind which the rest fits.
        let ends = path.match_indices('/').map(|(end, _)| end);
        let mut ends = ends.chain([path.len()]);
        ends.any(|end| {
            captures.put(place, name, &path[..end]);
            self.walk(pattern, path.get(end + 1..), place + 1, captures)
        })
    }
}

/// Returns true for a path that names no more than it can; [`endpoints!`](crate::endpoints) asks at compile time.
#[doc(hidden)]
pub const fn is_countable(pattern: &str) -> bool {
    let (bytes, mut at, mut count) = (pattern.as_bytes(), 0, 0);
    while at < bytes.len() {
        count += (bytes[at] == b'{') as usize;
        at += 1;
    }
    count <= CAPTURES
}

/// The first segment of a path, and what is behind it.
fn next(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    }
}

/// The name in `{name}`.
fn capture(segment: &'static str) -> Option<&'static str> {
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
    fn a_capture_takes_one_segment_and_a_span_as_few_as_fit() {
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
    fn an_encoded_path_is_decoded_as_a_whole() {
        assert_eq!(LENIENT.decode("/a%2Fb%3A").as_deref(), Some("/a/b:"));
        assert_eq!(LENIENT.decode("/%FF"), None);
        assert_eq!(Spelling::EXACT.decode("/%FF").as_deref(), Some("/%FF"));
    }

    #[test]
    fn case_and_empty_segments_mean_nothing_where_a_service_says_so() {
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
