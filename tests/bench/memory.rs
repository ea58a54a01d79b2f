use std::{thread, time::Duration};

use crate::{
    median::{ROUNDS, median},
    medium::Medium,
    peer::{Kind, Peer},
    report::{Report, Unit},
    transfer::{self, Source},
};

/// How many large blobs are pushed at once.
const PUSHES: usize = 8;

/// After which nothing of the start goes on any more.
const SETTLED: Duration = Duration::from_millis(500);

/// Resident memory: of a registry that nobody uses, and at most while large blobs arrive together.
/// The latter once for each peer: 8 GiB take their time, and a peak is no matter of chance.
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
