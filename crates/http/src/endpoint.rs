use axum::http::Method;
use sealock_core::excerpt;

use crate::{
    Query,
    pattern::{Captures, Spelling},
};

/// Declares the endpoints of a service: an enum, and the table that maps a request to one of its variants.
///
/// A row has methods (`ANY` stands for all), paths and an endpoint. A path consists of words, `{name}` for one segment,
/// `{name...}` for one or more, and `...` for any rest. A [`Parameter`] reads each field of the endpoint from the
/// request. The first row whose path matches decides, whatever the method: a method that no row has for this path is
/// not allowed. A row marked `only` leaves all other methods to the rows below it.
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

        const _: () = assert!($($crate::captures_fit($path) $(&& $crate::captures_fit($alias))*)&&+);

        impl $name {
            /// The table.
            $vis const TABLE: $crate::Table<Self, $error> = $crate::Table { spelling: $spelling, rows: &[$(
                $crate::Row {
                    methods: &[stringify!($method) $(, stringify!($also))*],
                    is_only: false $(|| { stringify!($only); true })?,
                    paths: &[$path $(, $alias)*],
                    read: |request| {
                        let _: &$crate::MatchedRequest<'_> = request;
                        Ok(Self::$endpoint {
                            $($($field: $crate::Parameter::<$error>::read(request, stringify!($field))?),+)?
                        })
                    },
                }
            ),+] };
        }
    };
}

/// The endpoint table of a service with endpoints `E` and errors `X`.
pub struct Table<E: 'static, X: 'static> {
    /// The accepted variations in paths.
    pub spelling: Spelling,
    /// The rows. The first that matches decides.
    pub rows: &'static [Row<E, X>],
}

/// A row of a [`Table`].
pub struct Row<E, X> {
    /// The methods.
    pub methods: &'static [&'static str],
    /// True if the row leaves other methods to the rows below.
    pub is_only: bool,
    /// The paths.
    pub paths: &'static [&'static str],
    /// Reads the endpoint from a request.
    pub read: fn(&MatchedRequest<'_>) -> Result<E, X>,
}

impl<E, X> Row<E, X> {
    fn allows(&self, method: &Method) -> bool {
        let mut methods = self.methods.iter();
        methods.any(|known| *known == "ANY" || *known == method.as_str())
    }
}

/// A field of an endpoint.
pub trait Parameter<X>: Sized {
    /// Reads the field called `name` from a request.
    ///
    /// # Errors
    /// The service's own error.
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self, X>;
}

/// A request whose path matches a row.
pub struct MatchedRequest<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its query.
    pub query: &'a Query,
    captures: Captures<'a>,
}

impl<'a> MatchedRequest<'a> {
    /// Returns the segments that the path names `name`, or `None` if this path has no such name.
    pub fn captured(&self, name: &str) -> Option<&'a str> {
        self.captures.get(name)
    }

    /// Returns the segments that the path names `name`, for a name that every path of the row has.
    pub fn segment(&self, name: &str) -> &'a str {
        self.captured(name).unwrap_or_default()
    }
}

/// The endpoint of a request.
#[derive(Debug)]
pub struct Found<E> {
    /// The endpoint. If the method is not allowed, the first endpoint of the path.
    pub endpoint: E,
    /// An error if the path does not allow the method.
    pub allowed: Result<(), MethodNotAllowed>,
}

/// A method that the path does not allow.
#[derive(Debug)]
pub struct MethodNotAllowed {
    /// The request's method.
    pub method: String,
    /// The path's methods, as in the header `Allow`.
    pub allowed: String,
    /// The path in the table.
    pub path: &'static str,
}

/// A path that the table lacks, shortened if it is long.
#[derive(Debug)]
pub struct UnknownEndpoint(pub String);

impl<E, X: From<UnknownEndpoint>> Table<E, X> {
    /// Finds the endpoint of a request.
    ///
    /// # Errors
    /// [`UnknownEndpoint`], or the error of a [`Parameter`].
    pub fn find(&self, method: &Method, path: &str, query: &Query) -> Result<Found<E>, X> {
        let unknown_endpoint = || UnknownEndpoint(excerpt(path).to_owned());
        let decoded = self.spelling.decode(path).ok_or_else(unknown_endpoint)?;
        let candidates = self
            .rows
            .iter()
            .filter(|row| !row.is_only || row.allows(method));
        let mut candidates = candidates.flat_map(|row| row.paths.iter().map(move |it| (row, *it)));
        let mut tried = "";
        let matched = candidates.find_map(|(row, path)| {
            // Rows with the same path usually stand together, so one match per path is enough.
            if std::mem::replace(&mut tried, path) == path {
                return None;
            }
            let captures = self.spelling.matches(path, &decoded)?;
            Some((row, path, captures))
        });
        let (first, path, captures) = matched.ok_or_else(unknown_endpoint)?;
        let of_path = || self.rows.iter().filter(|row| row.paths.contains(&path));
        let row = of_path().find(|row| row.allows(method));
        let request = MatchedRequest {
            method,
            query,
            captures,
        };
        Ok(Found {
            endpoint: (row.unwrap_or(first).read)(&request)?,
            allowed: row.map(drop).ok_or_else(|| {
                let methods: Vec<&str> = of_path().flat_map(|row| row.methods).copied().collect();
                MethodNotAllowed {
                    method: method.to_string(),
                    allowed: methods.join(", "),
                    path,
                }
            }),
        })
    }

    /// Returns true if the first segment of `path` is the first segment of a path in the table.
    pub fn has_first_segment_of(&self, path: &str) -> bool {
        let word = path.split('/').find(|segment| !segment.is_empty());
        let paths = self.rows.iter().flat_map(|row| row.paths);
        let mut paths = paths.map(|path| path.trim_start_matches('/'));
        word.is_some_and(|word| paths.any(|path| self.spelling.starts_with(path, word)))
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
        fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self, String> {
            let segment = request.segment(name);
            let parsed = segment.parse();
            parsed.map_err(|_| format!("{} {name} {segment}", request.method))
        }
    }

    impl Parameter<String> for Option<u8> {
        fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self, String> {
            Ok(request.captured(name).and_then(|text| text.parse().ok()))
        }
    }

    impl Parameter<String> for Vec<u8> {
        fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self, String> {
            Ok(request.query.all(name).flat_map(str::parse).collect())
        }
    }

    impl From<UnknownEndpoint> for String {
        fn from(UnknownEndpoint(path): UnknownEndpoint) -> Self {
            format!("no {path}")
        }
    }

    fn find(method: &str, path: &str) -> Result<Found<Endpoint>, String> {
        let query = Query::from_form(b"n=7&n=8");
        Endpoint::TABLE.find(&method.parse().unwrap(), path, &query)
    }

    #[test]
    fn matching_row_yields_its_endpoint_with_its_parameters() {
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
    fn method_that_no_row_has_for_the_path_is_not_allowed() {
        for (method, path, first, allowed) in [
            ("PUT", "/keys/1", "Get {", "GET, HEAD, DELETE"),
            ("DELETE", "/keys/1/2", "Get {", "GET, HEAD"),
            // The next row has this method, but another path.
            ("GET", "/keys/1/create", "Create {", "POST"),
        ] {
            let found = find(method, path).unwrap();
            assert!(format!("{:?}", found.endpoint).starts_with(first), "{path}");
            let refused = found.allowed.unwrap_err();
            assert_eq!(refused.method, method);
            assert_eq!(refused.allowed, allowed, "{method} {path}");
        }
        // For methods other than `POST`, `restore` is the name of a key, and not a number.
        assert_eq!(find("GET", "/keys/restore").unwrap_err(), "GET key restore");
    }

    #[test]
    fn path_is_recognised_by_its_first_segment() {
        let is_ours = |path| Endpoint::TABLE.has_first_segment_of(path);
        assert!(is_ours("/keys") && is_ours("//secrets/x"));
        assert!(!is_ours("/") && !is_ours("/Keys") && !is_ours("/keysx"));
    }
}
