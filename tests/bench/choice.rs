use rand::seq::SliceRandom as _;

use crate::{medium::Medium, product::Product, target};

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

/// The number of samples of most figures, unless `ROUNDS` says otherwise.
const ROUNDS: usize = 10;

/// The sections, media and registries to measure, and how often.
pub(crate) struct Choice {
    words: Vec<String>,
    media: [Medium; 2],
    /// Sealock, followed by its peers.
    pub(crate) products: Vec<Product>,
    pub(crate) rounds: usize,
}

impl Choice {
    /// Parses the arguments, and the variables `PEERS` and `ROUNDS`. Returns an error about the first unknown word.
    pub(crate) fn parse(words: Vec<String>, peers: &str, rounds: &str) -> Result<Self, String> {
        let rounds = match (rounds, rounds.parse()) {
            ("", _) => ROUNDS,
            (_, Ok(rounds @ 1..)) => rounds,
            _ => return Err(format!("ROUNDS: '{rounds}' is not a number above 0")),
        };
        let choice = Self {
            words,
            media: [Medium::tmpfs(), Medium::disk(&target())],
            products: Product::all(peers)?,
            rounds,
        };
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

    /// Returns the registries with their columns, in a random order, so that none always follows the same one.
    pub(crate) fn turns(&self) -> Vec<(usize, &Product)> {
        let mut turns: Vec<_> = self.products.iter().enumerate().collect();
        turns.shuffle(&mut rand::rng());
        turns
    }

    /// Returns [the turns](Self::turns) of the registries that the bench starts.
    pub(crate) fn turns_of_started(&self) -> Vec<(usize, &Product)> {
        let mut turns = self.turns();
        turns.retain(|(_, product)| product.is_started());
        turns
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|chosen| chosen == word)
    }
}
