use super::image::{Effect, Image};

/// The content of a disk after each effect so far.
pub(crate) struct History {
    pub(super) image: Image,
    pub(super) effects: Vec<Effect>,
    pub(super) next: usize,
}

impl History {
    /// Advances to the content after the first `effects` effects. The number must not decrease from call to call.
    pub(crate) fn at(&mut self, effects: usize) -> &Image {
        while self.next < effects {
            self.image.apply(&self.effects[self.next]);
            self.next += 1;
        }
        &self.image
    }

    pub(crate) fn len(&self) -> usize {
        self.effects.len()
    }

    /// Describes the last of the first `effects` effects.
    pub(crate) fn describe(&self, effects: usize) -> String {
        let effect = effects.checked_sub(1).map(|last| &self.effects[last]);
        match effect {
            Some(Effect::Write(file, at, bytes)) => format!("Write({file}, {at}, {})", bytes.len()),
            effect => format!("{effect:?}"),
        }
    }
}
