/// The maximum number of characters in an excerpt.
const LIMIT: usize = 200;

/// Returns the start of a text from a client, so that a response, a log line or a record that quotes it stays short.
pub fn excerpt(text: &str) -> &str {
    text.char_indices()
        .nth(LIMIT)
        .map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_ends_between_two_characters() {
        let long = "é".repeat(LIMIT + 1);
        assert_eq!(excerpt(&long), "é".repeat(LIMIT));
        for short in ["", "x", &"é".repeat(LIMIT)] {
            assert_eq!(excerpt(short), short);
        }
    }
}
