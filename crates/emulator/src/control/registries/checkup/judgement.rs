//! The judgement of a practice.

use sealock_api::{Check, Hint, Outcome, Practice};

/// The judgement of a practice about a registry.
pub(super) struct Judgement {
    outcome: Outcome,
    reason: String,
    remedies: Vec<Hint>,
}

pub(super) fn pass(reason: impl Into<String>) -> Judgement {
    Judgement {
        outcome: Outcome::Pass,
        reason: reason.into(),
        remedies: Vec::new(),
    }
}

pub(super) fn advise(reason: impl Into<String>, remedies: Vec<Hint>) -> Judgement {
    Judgement {
        outcome: Outcome::Advice,
        reason: reason.into(),
        remedies,
    }
}

pub(super) fn problem(
    reason: impl Into<String>,
    remedies: impl IntoIterator<Item = Hint>,
) -> Judgement {
    Judgement {
        outcome: Outcome::Problem,
        reason: reason.into(),
        remedies: remedies.into_iter().collect(),
    }
}

pub(super) fn unjudged(reason: impl Into<String>) -> Judgement {
    Judgement {
        outcome: Outcome::Unjudged,
        ..pass(reason)
    }
}

impl Judgement {
    /// Names the practice and the page that documents it.
    pub(super) fn on(self, practice: Practice, source: &str) -> Check {
        Check {
            practice,
            outcome: self.outcome,
            reason: self.reason,
            remedies: self.remedies,
            source: source.to_owned(),
        }
    }
}
