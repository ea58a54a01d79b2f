use axum::http::Method;
use sealock_core::excerpt;

use crate::{
    Query,
    pattern::{Captures, Spelling},
};

/// Declares the endpoints of a service: an enum, and the table in which its `find` looks for a request's.
///
/// A row has the methods (`ANY` is every one), the paths and the endpoint. A path has words, `{name}` for one segment,
/// `{name...}` for at least one, and `...` for whatever follows. Each field of the endpoint is read from the request by
/// its [`Parameter`]. The first row whose path matches decides, whatever the method: a method that no row of this path
/// has is not allowed. A row with `only` leaves every other method to the rows below it.
#[macro_export]
macro_rules! endpoints {
    (
        $(#[$about:meta])*
        $vis:vis enum $name:ident or $error:ty, spelled $spelling:expr;

        $(
            $method:ident $(| $also:ident)* $($only:ident)? $path:literal $(| $alias:literal)*
                => $endpoint:ident $({ $($field:ident: $type:ty),+ $(,)? })?
        ),+ $(,)?
    ) => {
        $(#[$about])*
        $vis enum $name {
            $($endpoint $({ $($field: $type),+ })?),+
        }

        const _: () = assert!($($crate::is_countable($path) $(&& $crate::is_countable($alias))*)&&+);

        impl $name {
            /// The table.
            $vis const TABLE: $crate::Table<Self, $error> = $crate::Table { spelling: $spelling, rows: &[$(
                $crate::Row {
                    methods: &[stringify!($method) $(, stringify!($also))*],
                    is_only: false $(|| { stringify!($only); true })?,
                    paths: &[$path $(, $alias)*],
                    read: |asked| {
                        let _: &$crate::Asked<'_> = asked;
                        Ok(Self::$endpoint {
                            $($($field: $crate::Parameter::read(asked, stringify!($field))?),+)?
                        })
                    },
                }
            ),+] };
        }
    };
}

/// The endpoints of a service, and its errors.
pub struct Table<E: 'static, X: 'static> {
    /// The liberties that clients take with the paths.
    pub spelling: Spelling,
    /// The rows, of which the first that matches counts.
    pub rows: &'static [Row<E, X>],
}

/// A row of a [`Table`], as [`endpoints!`](crate::endpoints) has it.
pub struct Row<E, X> {
    /// The methods.
    pub methods: &'static [&'static str],
    /// Leaves another method to the rows below.
    pub is_only: bool,
    /// The paths.
    pub paths: &'static [&'static str],
    /// Makes the endpoint of a request.
    pub read: fn(&Asked<'_>) -> Result<E, X>,
}

impl<E, X> Row<E, X> {
    fn has(&self, method: &Method) -> bool {
        let mut methods = self.methods.iter();
        methods.any(|known| *known == "ANY" || *known == method.as_str())
    }
}

/// A field of an endpoint.
pub trait Parameter<X>: Sized {
    /// Reads it from a request; `name` is the field's.
    ///
    /// # Errors
    /// The service's own, in its own words.
    fn read(asked: &Asked<'_>, name: &'static str) -> Result<Self, X>;
}

/// A request whose path is known.
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its query.
    pub query: &'a Query,
    captures: Captures<'a>,
}

impl<'a> Asked<'a> {
    /// The segment of the path that the table calls so, or the segments; none if this path has none.
    pub fn captured(&self, name: &str) -> Option<&'a str> {
        self.captures.of(name)
    }

    /// The same of a path that always has it.
    pub fn segment(&self, name: &str) -> &'a str {
        self.captured(name).unwrap_or_default()
    }
}

/// The endpoint of a request.
#[derive(Debug)]
pub struct Found<E> {
    /// The endpoint. If the method is not allowed, the first one that the path has.
    pub endpoint: E,
    /// The judgement of the method.
    pub allowed: Result<(), NotAllowed>,
}

/// A method that a path does not have.
#[derive(Debug)]
pub struct NotAllowed {
    /// The request's.
    pub method: String,
    /// The path's, as `Allow` has them.
    pub allowed: String,
    /// The path, as the table has it.
    pub path: &'static str,
}

/// A path that a table does not have, or the beginning of a long one.
#[derive(Debug)]
pub struct NotAnEndpoint(pub String);

impl<E, X: From<NotAnEndpoint>> Table<E, X> {
    /// Finds the endpoint that a request asks for.
    ///
    /// # Errors
    /// [`NotAnEndpoint`], or what a [`Parameter`] of the endpoint says.
    pub fn find(&self, method: &Method, path: &str, query: &Query) -> Result<Found<E>, X> {
        let not_an_endpoint = || NotAnEndpoint(excerpt(path).to_owned());
        let decoded = self.spelling.decode(path).ok_or_else(not_an_endpoint)?;
        let candidates = self
            .rows
            .iter()
            .filter(|row| !row.is_only || row.has(method));
        let mut candidates = candidates.flat_map(|row| row.paths.iter().map(move |it| (row, *it)));
        let mut tried = "";
        let matched = candidates.find_map(|(row, path)| {
            // Rows of one path mostly stand together.
            if std::mem::replace(&mut tried, path) == path {
                return None;
            }
            let captures = self.spelling.matches(path, &decoded)?;
            Some((row, path, captures))
        });
        let (first, path, captures) = matched.ok_or_else(not_an_endpoint)?;
        let of_path = || self.rows.iter().filter(|row| row.paths.contains(&path));
        let row = of_path().find(|row| row.has(method));
        let asked = Asked {
            method,
            query,
            captures,
        };
        Ok(Found {
            endpoint: (row.unwrap_or(first).read)(&asked)?,
            allowed: row.map(drop).ok_or_else(|| {
                let methods: Vec<&str> = of_path().flat_map(|row| row.methods).copied().collect();
                NotAllowed {
                    method: method.to_string(),
                    allowed: methods.join(", "),
                    path,
                }
            }),
        })
    }

    /// Returns true for a path that begins with the first word of one of the table's.
    pub fn has_first_word_of(&self, path: &str) -> bool {
        let word = path.split('/').find(|segment| !segment.is_empty());
        let paths = self.rows.iter().flat_map(|row| row.paths);
        let mut paths = paths.map(|path| path.trim_start_matches('/'));
        word.is_some_and(|word| paths.any(|path| self.spelling.begins(path, word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::endpoints! {
        #[derive(Debug, PartialEq)]
        enum Endpoint or String, spelled Spelling::EXACT;

        POST only "/keys/restore" => Restore,
        POST "/keys/{key}/create" => Create { key: u8 },
        GET | HEAD "/keys/{key}" | "/keys/{key}/{version}" => Get { key: u8, version: Option<u8>, n: Vec<u8> },
        DELETE "/keys/{key}" => Delete { key: u8 },
        ANY "/secrets/..." => Secrets,
    }

    impl Parameter<String> for u8 {
        fn read(asked: &Asked<'_>, name: &'static str) -> Result<Self, String> {
            let segment = asked.segment(name);
            let parsed = segment.parse();
            parsed.map_err(|_| format!("{} {name} {segment}", asked.method))
        }
    }

    impl Parameter<String> for Option<u8> {
        fn read(asked: &Asked<'_>, name: &'static str) -> Result<Self, String> {
            Ok(asked.captured(name).and_then(|text| text.parse().ok()))
        }
    }

    impl Parameter<String> for Vec<u8> {
        fn read(asked: &Asked<'_>, name: &'static str) -> Result<Self, String> {
            Ok(asked.query.all(name).flat_map(str::parse).collect())
        }
    }

    impl From<NotAnEndpoint> for String {
        fn from(NotAnEndpoint(path): NotAnEndpoint) -> Self {
            format!("no {path}")
        }
    }

    fn find(method: &str, path: &str) -> Result<Found<Endpoint>, String> {
        let query = Query::form(b"n=7&n=8");
        Endpoint::TABLE.find(&method.parse().unwrap(), path, &query)
    }

    #[test]
    fn a_row_that_matches_gives_its_endpoint_with_what_the_request_says() {
        let get = |version| Endpoint::Get {
            key: 1,
            version,
            n: vec![7, 8],
        };
        for (method, path, endpoint) in [
            ("GET", "/keys/1", get(None)),
            ("HEAD", "/keys/1/2", get(Some(2))),
            ("DELETE", "/keys/1", Endpoint::Delete { key: 1 }),
            ("POST", "/keys/1/create", Endpoint::Create { key: 1 }),
            ("POST", "/keys/restore", Endpoint::Restore),
            ("LOCK", "/secrets/a/b", Endpoint::Secrets),
        ] {
            let found = find(method, path).unwrap();
            assert_eq!(found.endpoint, endpoint, "{method} {path}");
            assert!(found.allowed.is_ok(), "{method} {path}");
        }
        assert_eq!(find("GET", "/nosuch").unwrap_err(), "no /nosuch");
        assert_eq!(find("GET", "/keys/x").unwrap_err(), "GET key x");
    }

    #[test]
    fn a_method_that_no_row_of_the_path_has_is_not_allowed() {
        for (method, path, first, allowed) in [
            ("PUT", "/keys/1", "Get {", "GET, HEAD, DELETE"),
            ("DELETE", "/keys/1/2", "Get {", "GET, HEAD"),
            // The row behind, which has this method, is another path's.
            ("GET", "/keys/1/create", "Create {", "POST"),
        ] {
            let found = find(method, path).unwrap();
            assert!(format!("{:?}", found.endpoint).starts_with(first), "{path}");
            let refused = found.allowed.unwrap_err();
            assert_eq!(refused.method, method);
            assert_eq!(refused.allowed, allowed, "{method} {path}");
        }
        // Only `POST` restores: for others it is a key's name, and no number.
        assert_eq!(find("GET", "/keys/restore").unwrap_err(), "GET key restore");
    }

    #[test]
    fn a_path_is_told_by_its_first_word() {
        let is_ours = |path| Endpoint::TABLE.has_first_word_of(path);
        assert!(is_ours("/keys") && is_ours("//secrets/x"));
        assert!(!is_ours("/") && !is_ours("/Keys") && !is_ours("/keysx"));
    }
}
