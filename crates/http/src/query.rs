use axum::http::Uri;
use url::form_urlencoded;
use zeroize::Zeroizing;

/// The parameters of a query, or the fields of a form, in order. A password may be among them.
#[derive(Default)]
pub struct Query(Vec<(String, Zeroizing<String>)>);

impl Query {
    /// Parses the query of a URI.
    pub fn from_uri(uri: &Uri) -> Self {
        Self::from_form(uri.query().unwrap_or_default().as_bytes())
    }

    /// Parses a form.
    pub fn from_form(form: &[u8]) -> Self {
        let fields = form_urlencoded::parse(form).into_owned();
        let fields = fields.map(|(name, value)| (name, Zeroizing::new(value)));
        Self(fields.collect())
    }

    /// Returns the first parameter called `name`.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns the first parameter called `name` in any case.
    pub fn first_ignoring_case(&self, name: &str) -> Option<&str> {
        let mut parameters = self.0.iter();
        let (_, value) = parameters.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value.as_str())
    }

    /// Returns the first parameter called `name`, unless it is empty.
    pub fn non_empty(&self, name: &str) -> Option<&str> {
        self.first(name).filter(|value| !value.is_empty())
    }

    /// Returns every parameter called `name`.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let parameters = self.0.iter();
        let named = parameters.filter(move |(found, _)| found == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Adds the parameters of `others` behind these.
    #[must_use]
    pub fn followed_by(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_parameter_of_a_name_wins() {
        let query = Query::from_form(b"n=1&N=2&n=3&empty=&a+b=c%20d");
        assert_eq!(query.first("n"), Some("1"));
        assert_eq!(query.first("N"), Some("2"));
        assert_eq!(query.first_ignoring_case("N"), Some("1"));
        assert_eq!(query.all("n").collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(query.first("empty"), Some(""));
        assert_eq!(query.non_empty("empty"), None);
        assert_eq!(query.first("a b"), Some("c d"));
        let query = Query::from_form(b"n=0").followed_by(query);
        assert_eq!(query.all("n").collect::<Vec<_>>(), ["0", "1", "3"]);
    }
}
