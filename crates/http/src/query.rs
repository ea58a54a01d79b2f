use axum::http::Uri;
use url::form_urlencoded;
use zeroize::Zeroizing;

/// The parameters of a query, or the fields of a form, in their order. A password may be among them.
#[derive(Default)]
pub struct Query(Vec<(String, Zeroizing<String>)>);

impl Query {
    /// Reads the query of an address.
    pub fn of(uri: &Uri) -> Self {
        Self::form(uri.query().unwrap_or_default().as_bytes())
    }

    /// Reads a form.
    pub fn form(form: &[u8]) -> Self {
        let fields = form_urlencoded::parse(form).into_owned();
        let fields = fields.map(|(name, value)| (name, Zeroizing::new(value)));
        Self(fields.collect())
    }

    /// The first parameter of this name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The first parameter of this name, in any case.
    pub fn first_in_any_case(&self, name: &str) -> Option<&str> {
        let mut parameters = self.0.iter();
        let (_, value) = parameters.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value.as_str())
    }

    /// The first parameter of this name, unless it is empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.first(name).filter(|value| !value.is_empty())
    }

    /// Every parameter of this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let parameters = self.0.iter();
        let named = parameters.filter(move |(found, _)| found == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Puts the parameters of `others` behind these.
    #[must_use]
    pub fn before(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_parameter_of_a_name_counts() {
        let query = Query::form(b"n=1&N=2&n=3&empty=&a+b=c%20d");
        assert_eq!(query.first("n"), Some("1"));
        assert_eq!(query.first("N"), Some("2"));
        assert_eq!(query.first_in_any_case("N"), Some("1"));
        assert_eq!(query.all("n").collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(query.first("empty"), Some(""));
        assert_eq!(query.filled("empty"), None);
        assert_eq!(query.first("a b"), Some("c d"));
        let query = Query::form(b"n=0").before(query);
        assert_eq!(query.all("n").collect::<Vec<_>>(), ["0", "1", "3"]);
    }
}
