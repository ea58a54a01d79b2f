use crate::{
    median::median,
    medium::Medium,
    peer::{Kind, Peer},
    report::{Report, Unit},
};

/// More samples than elsewhere: Sealock's first start generates an RSA key, which takes a random time.
const ROUNDS: usize = 11;

/// Measures the time from the process's start to its first answer.
pub(crate) fn measure(medium: &Medium, report: &mut Report) {
    let mut samples = [const { (Vec::new(), Vec::new()) }; 2];
    for _ in 0..ROUNDS {
        for (kind, (new, existing)) in Kind::BOTH.into_iter().zip(&mut samples) {
            let mut peer = Peer::idle(kind, medium);
            new.push(peer.spawn().as_secs_f64() * 1e3);
            peer.stop();
            existing.push(peer.spawn().as_secs_f64() * 1e3);
        }
    }
    let [sealock, docker_registry] = samples.map(|(new, existing)| (median(new), median(existing)));
    let what = |state| {
        format!(
            "start to ready, {state} data directory, {}, median of {ROUNDS}",
            medium.name
        )
    };
    let unit = Unit::Milliseconds;
    report.compare(&what("new"), unit, sealock.0, docker_registry.0);
    report.compare(&what("existing"), unit, sealock.1, docker_registry.1);
}
