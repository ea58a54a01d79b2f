use std::time::Duration;

use http::Method;
use sealock_tests::Image;

use crate::{
    load,
    median::{ROUNDS, median},
    medium::Medium,
    peer::{Kind, Peer},
    report::{Report, Unit},
};

const TAGGED: &str = "/v2/hello/manifests/v1";

/// The duration of each sample.
const SAMPLE: Duration = Duration::from_secs(1);

/// Measures GET and HEAD of one manifest by its tag, with which every pull and every check for updates begins.
pub(crate) fn measure(medium: &Medium, report: &mut Report) {
    let image = Image::random(&[1000, 2000, 3000]);
    let peers = Kind::BOTH.map(|kind| {
        let peer = Peer::start(kind, medium);
        let client = peer.client();
        for blob in image.blobs() {
            assert_eq!(crate::small::push(&client, "hello", blob).status, 201);
        }
        let media_type = [("content-type", Image::MEDIA_TYPE)];
        let pushed = client.send("PUT", TAGGED, &media_type, image.manifest());
        assert_eq!(pushed.status, 201);
        peer
    });
    for method in [Method::GET, Method::HEAD] {
        let mut samples = [const { (Vec::new(), Vec::new()) }; 2];
        for _ in 0..ROUNDS {
            for (peer, (rates, delays)) in peers.iter().zip(&mut samples) {
                let load = load::run(&peer.address(), &method, TAGGED, SAMPLE);
                rates.push(load.per_second);
                delays.push(load.p99.as_secs_f64() * 1e3);
            }
        }
        let [sealock, docker_registry] =
            samples.map(|(rates, delays)| (median(rates), median(delays)));
        let what = format!("{method} a manifest by tag, {} clients", load::CONNECTIONS);
        report.compare(&what, Unit::PerSecond, sealock.0, docker_registry.0);
        let what = format!("{method} a manifest by tag, p99");
        report.compare(&what, Unit::Milliseconds, sealock.1, docker_registry.1);
    }
}
