use std::{thread, time::Duration};

use crate::{
    median::{ROUNDS, median},
    medium::Medium,
    peer::{Kind, Peer},
    report::{Report, Unit},
    transfer::{self, Source},
};

/// The number of large blobs that are pushed at once.
const PUSHES: usize = 8;

/// The time after which the start's background work is over.
const SETTLED: Duration = Duration::from_millis(500);

/// Measures resident memory: idle, and at its peak while large blobs arrive together. The peak is measured once for
/// each peer, since 8 GiB take long and a peak hardly varies.
pub(crate) fn measure(medium: &Medium, source: &Source, report: &mut Report) {
    let mut idle = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        for (kind, samples) in Kind::BOTH.into_iter().zip(&mut idle) {
            let peer = Peer::start(kind, medium);
            thread::sleep(SETTLED);
            samples.push(peer.memory("VmRSS"));
        }
    }
    let [sealock, docker_registry] = idle.map(median);
    report.compare(
        "resident memory, idle",
        Unit::Megabytes,
        sealock,
        docker_registry,
    );

    let [sealock, docker_registry] = Kind::BOTH.map(|kind| {
        let peer = Peer::start(kind, medium);
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
        peer.memory("VmHWM")
    });
    let what = format!("resident memory, peak of {PUSHES} pushes of 1 GiB at once");
    report.compare(&what, Unit::Megabytes, sealock, docker_registry);
}
