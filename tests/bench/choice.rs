use crate::{medium::Medium, target};

const SECTIONS: [&str; 8] = [
    "machine",
    "manifests",
    "memory",
    "revocation",
    "rotation",
    "small",
    "start",
    "transfer",
];

/// The sections and media to measure.
pub(crate) struct Choice {
    words: Vec<String>,
    media: [Medium; 2],
}

impl Choice {
    /// Parses the arguments. Returns an unknown word as the error.
    pub(crate) fn parse(words: Vec<String>) -> Result<Self, String> {
        let media = [Medium::tmpfs(), Medium::disk(&target())];
        let choice = Self { words, media };
        let is_known = |word: &str| {
            SECTIONS.contains(&word) || choice.media.iter().any(|medium| medium.name == word)
        };
        match choice.words.iter().find(|word| !is_known(word)) {
            Some(unknown) => Err(format!(
                "'{unknown}' is neither a section ({}) nor a medium (tmpfs, disk)",
                SECTIONS.join(", ")
            )),
            None => Ok(choice),
        }
    }

    /// Returns true if the section is chosen, or if no section is.
    pub(crate) fn wants(&self, section: &str) -> bool {
        self.has(section) || !SECTIONS.iter().any(|section| self.has(section))
    }

    /// Returns the chosen media, or all.
    pub(crate) fn media(&self) -> impl Iterator<Item = &Medium> {
        let all = !self.media.iter().any(|medium| self.has(medium.name));
        self.media
            .iter()
            .filter(move |medium| all || self.has(medium.name))
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|chosen| chosen == word)
    }
}
