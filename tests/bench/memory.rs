use std::{thread, time::Duration};

use crate::{
    choice::Choice,
    medium::Medium,
    peer::Peer,
    report::{Figure, Report, Unit},
    transfer::{self, Source},
};

/// The number of large blobs that are pushed at once.
const PUSHES: usize = 8;

/// The time after which the start's background work is over.
const SETTLED: Duration = Duration::from_millis(500);

/// Measures resident memory: idle, and at its peak while large blobs arrive together. The peak is measured once for
/// each peer, since 8 GiB take long and a peak hardly varies.
pub(crate) fn measure(choice: &Choice, medium: &Medium, source: &Source, report: &mut Report) {
    let mut idle = Figure::new("resident memory, idle".to_owned(), Unit::Megabytes);
    for _ in 0..choice.rounds {
        for (column, product) in choice.turns_of_started() {
            let peer = Peer::start(product, medium);
            thread::sleep(SETTLED);
            idle.add(column, peer.memory("VmRSS"));
        }
    }
    report.compare(idle);

    let what = format!("resident memory, peak of {PUSHES} pushes of 1 GiB at once");
    let mut peak = Figure::new(what, Unit::Megabytes);
    for (column, product) in choice.turns_of_started() {
        let peer = Peer::start(product, medium);
        let repositories: Vec<_> = (0..PUSHES)
            .map(|number| format!("large-{number}"))
            .collect();
        let sent: Vec<_> = repositories
            .iter()
            .map(|repository| transfer::begin(&peer, None, repository))
            .map(|location| transfer::send(&peer, None, source, &location))
            .collect();
        for sent in sent {
            transfer::complete(&peer, None, source, sent);
        }
        peak.add(column, peer.memory("VmHWM"));
    }
    report.compare(peak);
}
