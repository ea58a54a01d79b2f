use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use sealock_tests::Image;

use crate::{
    choice::Choice,
    median::median,
    medium::Medium,
    peer::Peer,
    product::Product,
    report::{Report, Unit},
};

/// The duration of a sample before and after the key is disabled.
const AROUND: Duration = Duration::from_millis(50);

/// A manifest request.
struct Asked {
    began: Instant,
    ended: Instant,
    status: u16,
}

/// Measures the time from the return of `sealock key disable` to the first refusal under constant requests, and
/// counts later requests that were still served.
pub(crate) fn measure(choice: &Choice, medium: &Medium, report: &mut Report) {
    let peer = Peer::start(&Product::Sealock, medium);
    let pushed = peer.client().push("hello", "v1", &Image::random(&[1000]));
    assert_eq!(pushed.status, 201);
    let mut delays = Vec::new();
    let mut served = 0;
    for _ in 0..choice.rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let asking = thread::spawn({
            let (client, stop) = (peer.client(), Arc::clone(&stop));
            move || {
                let mut asked = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let status = client.get("/v2/hello/manifests/v1").status;
                    let ended = Instant::now();
                    asked.push(Asked {
                        began,
                        ended,
                        status,
                    });
                }
                asked
            }
        });
        thread::sleep(AROUND);
        peer.cli(&["key", "disable"]);
        let disabled = Instant::now();
        thread::sleep(AROUND);
        stop.store(true, Ordering::Relaxed);
        let asked = asking.join().unwrap();
        peer.cli(&["key", "enable"]);

        assert!(
            asked.iter().any(|asked| asked.status == 200),
            "served before"
        );
        served += asked
            .iter()
            .filter(|asked| asked.status == 200 && asked.began >= disabled)
            .count();
        let refused = asked.iter().find(|asked| asked.status == 403).unwrap();
        delays.push(
            refused
                .ended
                .saturating_duration_since(disabled)
                .as_secs_f64()
                * 1e3,
        );
    }
    report.state(
        "from the return of `key disable` to the first refusal",
        Unit::Milliseconds,
        median(delays),
    );
    report.note(format!(
        "Requests served that began after `key disable` had returned, in {} rounds: {served}.",
        choice.rounds
    ));
}
