use crate::{
    choice::Choice,
    medium::Medium,
    peer::Peer,
    report::{Figure, Report, Unit},
};

/// More samples than elsewhere: Sealock's first start generates an RSA key, which takes a random time.
const ROUNDS: usize = 11;

/// Measures the time from the process's start to its first answer.
pub(crate) fn measure(choice: &Choice, medium: &Medium, report: &mut Report) {
    let figure = |state| {
        let what = format!(
            "start to ready, {state} data directory, {}, median of {ROUNDS}",
            medium.name
        );
        Figure::new(what, Unit::Milliseconds)
    };
    let (mut new, mut existing) = (figure("new"), figure("existing"));
    for _ in 0..ROUNDS {
        for (column, product) in choice.turns_of_started() {
            let mut peer = Peer::idle(product, medium);
            new.add(column, peer.spawn().as_secs_f64() * 1e3);
            peer.stop();
            existing.add(column, peer.spawn().as_secs_f64() * 1e3);
        }
    }
    report.compare(new);
    report.compare(existing);
}
