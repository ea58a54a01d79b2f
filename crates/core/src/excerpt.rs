/// How many characters of a text are quoted.
const LIMIT: usize = 200;

/// The beginning of what a client sent. What quotes it, in an answer, a log or a record, stays short however
/// long that is.
pub fn excerpt(text: &str) -> &str {
    text.char_indices()
        .nth(LIMIT)
        .map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_ends_between_two_characters() {
        let long = "é".repeat(LIMIT + 1);
        assert_eq!(excerpt(&long), "é".repeat(LIMIT));
        for short in ["", "x", &"é".repeat(LIMIT)] {
            assert_eq!(excerpt(short), short);
        }
    }
}
